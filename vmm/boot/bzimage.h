/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file format of distributions' kernels (Linux: Documentation/x86/boot.rst):
 *
 *   0x000  real-mode code; the setup header stands at 0x1f1
 *   (setup_sects + 1) * 512   protected-mode code, 64-bit entry at + 0x200;
 *                             it holds the payload, a compressed vmlinux
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	BZ_HEADER = 0x1f1,     /* of the setup header, in the file and in the zero page */
	BZ_HEADER_END = 0x290, /* the latest that it can end */
	BZ_ENTRY64 = 0x200,    /* from the start of protected-mode code */
};

struct bzimage {
	uint8_t header[BZ_HEADER_END - BZ_HEADER]; /* zero behind its end */
	uint64_t code, code_size;                  /* protected-mode code, in the file */
	uint64_t payload, payload_size;            /* in the file; size 0: none is stated */
	uint64_t load;                             /* the preferred physical address */
	uint64_t init_size;                        /* bytes of RAM needed there to start */
	uint64_t align;
	uint64_t initrd_max; /* last byte that an initrd may take */
	uint32_t cmdline_max;
};

/*
 * 0; -ENOEXEC where it is no bzImage, with *why NULL; -ENOTSUP with the reason in *why where it is
 * one that cannot be started; or -errno. Nothing is logged.
 */
int bzimage_parse(struct bzimage *b, int fd, uint64_t size, const char **why);
