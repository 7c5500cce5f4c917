/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel is handed: Linux's boot parameters ("zero page") or PVH's start info, both made
 * of the same map.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct map;
struct memory;

struct handover {
	const struct map *map;
	const char *cmdline;
	uint64_t initrd, initrd_size; /* size 0: none */

	/* Zero page only */
	const uint8_t *header;      /* of a bzImage, BZ_HEADER_END - BZ_HEADER bytes, or NULL */
	uint64_t code;              /* where its protected-mode code stands */
	bool kaslr;                 /* the kernel was moved: it is to move its memory areas too */
	const uint8_t *random_seed; /* HANDOVER_SEED bytes for the kernel's random pool, or NULL */
};

enum { HANDOVER_SEED = 32 };

/* Each writes the command line (LAYOUT_CMDLINE) and its page: 0, -E2BIG or -EFAULT. */
int zeropage_write(const struct handover *h, const struct memory *m);
int pvh_write(const struct handover *h, const struct memory *m);
