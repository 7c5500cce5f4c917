/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relocation table that Linux appends to the vmlinux inside a bzImage (arch/x86/tools/relocs):
 * 32-bit words, each the sign-extended virtual address of a place to be changed, in lists that
 * each begin with a zero:
 *
 *   0, 64-bit places, [0, inverse 32-bit places,] 0, 32-bit places
 *
 * Kernels since 6.15 have no inverse list.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct reloc_list {
	size_t first, count; /* words */
};

struct reloc_lists {
	struct reloc_list abs64, inverse32, abs32;
};

/* Finds the lists in n words: 0, or -EINVAL where these are no such lists. */
int reloc_split(struct reloc_lists *l, const int32_t *words, size_t n);

/* The bytes that are changed: size of them, at virtual address base as linked. */
struct reloc_image {
	uint8_t *data;
	uint64_t size, base;
};

/*
 * Adds delta at every place (takes it away at inverse ones). 0, or -EINVAL at the first place
 * that is not inside the image, which is then half done. data NULL: looks only.
 */
int reloc_apply(const struct reloc_lists *l, const int32_t *words, const struct reloc_image *image,
	uint64_t delta);
