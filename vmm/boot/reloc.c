/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/reloc.h"

#include <errno.h>
#include <string.h>

#include "util/bytes.h"

enum { RELOC_LISTS_MAX = 3 };

int reloc_split(struct reloc_lists *l, const int32_t *words, size_t n)
{
	struct reloc_list found[RELOC_LISTS_MAX];
	unsigned lists = 0;

	memset(l, 0, sizeof *l);
	if (!n || words[0])
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (words[i]) {
			found[lists - 1].count++;
			continue;
		}
		if (lists == RELOC_LISTS_MAX)
			return -EINVAL;
		found[lists++] = (struct reloc_list){ .first = i + 1 };
	}
	if (lists < 2)
		return -EINVAL;
	l->abs64 = found[0];
	if (lists == 3)
		l->inverse32 = found[1];
	l->abs32 = found[lists - 1];
	return 0;
}

/* Sets *at to where a word points to: false unless width bytes of the image are there. */
static inline bool reloc_place(
	const struct reloc_image *image, int32_t word, unsigned width, uint64_t *at)
{
	*at = (uint64_t)(int64_t)word - image->base;
	return range_inside(*at, width, image->size);
}

static int reloc_add64(const struct reloc_list *l, const int32_t *words,
	const struct reloc_image *image, uint64_t delta)
{
	uint64_t at;

	for (const int32_t *w = words + l->first; w < words + l->first + l->count; w++) {
		if (!reloc_place(image, *w, 8, &at))
			return -EINVAL;
		if (image->data)
			le64_put(image->data + at, le64_get(image->data + at) + delta);
	}
	return 0;
}

static int reloc_add32(const struct reloc_list *l, const int32_t *words,
	const struct reloc_image *image, uint32_t delta)
{
	uint64_t at;

	for (const int32_t *w = words + l->first; w < words + l->first + l->count; w++) {
		if (!reloc_place(image, *w, 4, &at))
			return -EINVAL;
		if (image->data)
			le32_put(image->data + at, le32_get(image->data + at) + delta);
	}
	return 0;
}

int reloc_apply(const struct reloc_lists *l, const int32_t *words, const struct reloc_image *image,
	uint64_t delta)
{
	int err = reloc_add64(&l->abs64, words, image, delta);

	if (!err)
		err = reloc_add32(&l->inverse32, words, image, -(uint32_t)delta);
	if (!err)
		err = reloc_add32(&l->abs32, words, image, delta);
	return err;
}
