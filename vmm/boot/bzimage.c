/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/bzimage.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <asm/bootparam.h>

#include "util/bytes.h"
#include "vmm/boot/image.h"

enum {
	BZ_BOOT_FLAG = 0xaa55,
	BZ_MAGIC = 0x53726448,   /* "HdrS" */
	BZ_VERSION_MIN = 0x020c, /* the first with xloadflags */
	BZ_JUMP = 0x201,         /* offset byte of the jump over the header, which tells its end */
	BZ_SECTOR = 512,
	BZ_SECTORS_DEFAULT = 4, /* what setup_sects 0 stands for */
};

/* Alignments beyond this are no kernel's, and would leave no place to put it. */
static const uint64_t BZ_ALIGN_MAX = 1 * GIB;

static const char *bzimage_check(const struct setup_header *h)
{
	if (h->version < BZ_VERSION_MIN)
		return "its boot protocol is older than 2.12";
	if (!(h->xloadflags & XLF_KERNEL_64))
		return "it is not a 64-bit kernel";
	if (!(h->loadflags & LOADED_HIGH))
		return "it wants to be loaded below 1 MiB";
	if (!h->relocatable_kernel)
		return "it is not relocatable";
	if (h->kernel_alignment < 4096 || h->kernel_alignment & (h->kernel_alignment - 1) ||
		h->kernel_alignment > BZ_ALIGN_MAX)
		return "its alignment makes no sense";
	if (h->pref_address < MIB || h->pref_address % h->kernel_alignment ||
		h->pref_address >= 4 * GIB || !h->init_size)
		return "its load address makes no sense";
	return NULL;
}

int bzimage_parse(struct bzimage *b, int fd, uint64_t size, const char **why)
{
	uint8_t first[BZ_HEADER_END];
	struct setup_header h;
	uint64_t end;
	int err;

	memset(b, 0, sizeof *b);
	*why = NULL;
	if (size < sizeof first)
		return -ENOEXEC;
	err = image_read(fd, 0, first, sizeof first);
	if (err)
		return err;
	memcpy(&h, first + BZ_HEADER, sizeof h);
	if (h.boot_flag != BZ_BOOT_FLAG || h.header != BZ_MAGIC)
		return -ENOEXEC;
	*why = bzimage_check(&h);
	if (*why)
		return -ENOTSUP;
	end = MIN(0x202u + first[BZ_JUMP], (unsigned)BZ_HEADER_END);
	memcpy(b->header, first + BZ_HEADER, end - BZ_HEADER);

	b->code = ((h.setup_sects ? h.setup_sects : BZ_SECTORS_DEFAULT) + 1ull) * BZ_SECTOR;
	b->code_size = h.syssize * 16ull;
	b->load = h.pref_address;
	b->init_size = h.init_size;
	b->align = h.kernel_alignment;
	b->initrd_max = h.initrd_addr_max;
	b->cmdline_max = h.cmdline_size;
	/* syssize is rounded up to 16 bytes. */
	if (b->code < size && b->code_size - MIN(b->code_size, 15) <= size - b->code)
		b->code_size = MIN(b->code_size, size - b->code);
	if (!range_inside(b->code, b->code_size, size) || b->code_size <= BZ_ENTRY64) {
		*why = "it is cut short";
		return -ENOTSUP;
	}
	if (b->code_size > b->init_size) {
		*why = "its sizes contradict each other";
		return -ENOTSUP;
	}
	if (h.payload_length && range_inside(h.payload_offset, h.payload_length, b->code_size)) {
		b->payload = b->code + h.payload_offset;
		b->payload_size = h.payload_length;
	}
	return 0;
}
