/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/zeropage.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <asm/bootparam.h>

#include "util/bytes.h"
#include "vmm/boot/bzimage.h"
#include "vmm/boot/map.h"
#include "vmm/layout.h"
#include "vmm/memory.h"

enum {
	LOADER_UNREGISTERED = 0xff,
	KASLR_MOVED = 1 << 1, /* loadflags; the kernel's own decompressor sets it, too */
	SETUP_DATA_RNG_SEED = 9,
	PROTOCOL = 0x020c, /* what we speak to an ELF kernel, which states no version */
};

/* A node of the list at hdr.setup_data. Linux forgets the seed once it has taken it. */
struct seed_node {
	uint64_t next;
	uint32_t type, len;
	uint8_t seed[HANDOVER_SEED];
};

static int write_cmdline(const struct handover *h, const struct memory *m)
{
	size_t len = strlen(h->cmdline) + 1;

	return len > LAYOUT_CMDLINE_MAX ? -E2BIG : memory_write(m, LAYOUT_CMDLINE, h->cmdline, len);
}

static int write_seed(const struct handover *h, const struct memory *m)
{
	struct seed_node node = { .type = SETUP_DATA_RNG_SEED, .len = HANDOVER_SEED };

	memcpy(node.seed, h->random_seed, sizeof node.seed);
	return memory_write(m, LAYOUT_SETUP_DATA, &node, sizeof node);
}

int zeropage_write(const struct handover *h, const struct memory *m)
{
	struct boot_params p = { 0 };
	int err;

	if (h->header) {
		memcpy((uint8_t *)&p + BZ_HEADER, h->header, BZ_HEADER_END - BZ_HEADER);
	} else {
		p.hdr.boot_flag = 0xaa55;
		p.hdr.header = 0x53726448;
		p.hdr.version = PROTOCOL;
		p.hdr.loadflags = LOADED_HIGH;
		p.hdr.kernel_alignment = 2 * MIB;
		p.hdr.cmdline_size = LAYOUT_CMDLINE_MAX - 1;
	}
	p.hdr.type_of_loader = LOADER_UNREGISTERED;
	p.hdr.code32_start = h->code;
	p.hdr.cmd_line_ptr = LAYOUT_CMDLINE;
	p.hdr.loadflags &= ~KASLR_MOVED;
	if (h->kaslr)
		p.hdr.loadflags |= KASLR_MOVED;
	p.hdr.ramdisk_image = h->initrd_size ? h->initrd : 0;
	p.hdr.ramdisk_size = h->initrd_size;
	p.hdr.setup_data = h->random_seed ? LAYOUT_SETUP_DATA : 0;
	p.acpi_rsdp_addr = LAYOUT_RSDP;
	for (unsigned i = 0; i < h->map->n; i++)
		p.e820_table[i] = (struct boot_e820_entry){
			.addr = h->map->ranges[i].base,
			.size = h->map->ranges[i].size,
			.type = h->map->ranges[i].type,
		};
	p.e820_entries = h->map->n;

	err = write_cmdline(h, m);
	if (!err && h->random_seed)
		err = write_seed(h, m);
	return err ? err : memory_write(m, LAYOUT_ZERO_PAGE, &p, sizeof p);
}

/* Xen: xen/include/public/arch-x86/hvm/start_info.h, version 1 */
struct pvh_module {
	uint64_t address, size, cmdline, reserved;
};

struct pvh_range {
	uint64_t base, size;
	uint32_t type, reserved;
};

struct pvh_page {
	uint32_t magic, version, flags, nmodules;
	uint64_t modules, cmdline, rsdp;
	uint64_t map;
	uint32_t map_entries, reserved;
	/* The rest is ours. */
	struct pvh_module initrd;
	struct pvh_range ranges[MAP_RANGES_MAX];
};

int pvh_write(const struct handover *h, const struct memory *m)
{
	struct pvh_page p = {
		.magic = 0x336ec578,
		.version = 1,
		.cmdline = LAYOUT_CMDLINE,
		.rsdp = LAYOUT_RSDP,
		.map = LAYOUT_PVH_INFO + offsetof(struct pvh_page, ranges),
		.map_entries = h->map->n,
	};
	int err;

	if (h->initrd_size) {
		p.nmodules = 1;
		p.modules = LAYOUT_PVH_INFO + offsetof(struct pvh_page, initrd);
		p.initrd.address = h->initrd;
		p.initrd.size = h->initrd_size;
	}
	for (unsigned i = 0; i < h->map->n; i++)
		p.ranges[i] = (struct pvh_range){
			.base = h->map->ranges[i].base,
			.size = h->map->ranges[i].size,
			.type = h->map->ranges[i].type,
		};
	err = write_cmdline(h, m);
	return err ? err : memory_write(m, LAYOUT_PVH_INFO, &p, sizeof p);
}
