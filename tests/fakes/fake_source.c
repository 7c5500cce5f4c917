/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/fake_source.h"

#include <stdlib.h>
#include <string.h>

static void copy_rows(void *opaque, const pixman_box32_t *rect, uint8_t *dst, size_t dst_stride)
{
	struct fake_source *s = opaque;

	pthread_mutex_lock(&s->lock);
	s->reads++;
	s->read_pixels += (uint64_t)(rect->x2 - rect->x1) * (rect->y2 - rect->y1);
	for (int y = rect->y1; y < rect->y2; y++, dst += dst_stride)
		memcpy(dst, s->px + (size_t)y * s->width + rect->x1,
			(size_t)(rect->x2 - rect->x1) * sizeof *s->px);
	pthread_mutex_unlock(&s->lock);
}

const struct scanout_source_ops fake_source_ops = { .copy_rows = copy_rows };

void fake_source_init(struct fake_source *s, unsigned width, unsigned height)
{
	*s = (struct fake_source){ .width = width, .height = height };
	pthread_mutex_init(&s->lock, NULL);
	s->px = calloc((size_t)width * height, sizeof *s->px);
}

void fake_source_finish(struct fake_source *s)
{
	pthread_mutex_destroy(&s->lock);
	free(s->px);
}

void fake_source_paint(struct fake_source *s, unsigned seed)
{
	pthread_mutex_lock(&s->lock);
	for (unsigned y = 0; y < s->height; y++)
		for (unsigned x = 0; x < s->width; x++)
			s->px[(size_t)y * s->width + x] = 0xab000000u | (x * 255 / s->width) << 16 |
							  (y * 255 / s->height) << 8 |
							  ((((x ^ y) & 64) + seed * 37) & 255);
	pthread_mutex_unlock(&s->lock);
}

void fake_source_fill(struct fake_source *s, const pixman_box32_t *box, uint32_t pixel)
{
	pthread_mutex_lock(&s->lock);
	for (int y = box->y1; y < box->y2; y++)
		for (int x = box->x1; x < box->x2; x++)
			s->px[(size_t)y * s->width + x] = pixel;
	pthread_mutex_unlock(&s->lock);
}

void fake_source_noise(struct fake_source *s, const pixman_box32_t *box, unsigned seed)
{
	pthread_mutex_lock(&s->lock);
	for (int y = box->y1; y < box->y2; y++)
		for (int x = box->x1; x < box->x2; x++) {
			seed = seed * 1664525u + 1013904223u;
			s->px[(size_t)y * s->width + x] = seed >> 3;
		}
	pthread_mutex_unlock(&s->lock);
}
