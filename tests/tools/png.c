/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * png: judges screenshots.
 *
 *   png info FILE                             "WIDTHxHEIGHT N colours, RRGGBB on P %", the commonest
 *   png at FILE X Y                           the colour of one pixel, RRGGBB
 *   png pattern FILE SEED [X Y W H SEED]...   the picture of tests/lab/guest/pattern.h, pixel by pixel;
 *                                             inside a rectangle with another seed
 *   png same A B [PERCENT [X Y W H]]          one size, and at most PERCENT (0) of the pixels differ,
 *                                             there
 *
 * Exit status: 0 yes, 1 no (what differs is printed), 2 wrong usage or an unreadable file.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>
#include <png.h>

#include "tests/lab/guest/pattern.h"

struct picture {
	unsigned width, height;
	uint32_t *pixels; /* xRGB */
};

struct rect {
	unsigned x, y, width, height, seed;
};

static bool picture_load(struct picture *p, const char *path)
{
	png_image image = { .version = PNG_IMAGE_VERSION };

	if (!png_image_begin_read_from_file(&image, path)) {
		fprintf(stderr, "png: %s: %s\n", path, image.message);
		return false;
	}
	image.format = PNG_FORMAT_BGRA;
	p->width = image.width;
	p->height = image.height;
	p->pixels = g_malloc(PNG_IMAGE_SIZE(image));
	if (!png_image_finish_read(&image, NULL, p->pixels, 0, NULL)) {
		fprintf(stderr, "png: %s: %s\n", path, image.message);
		return false;
	}
	for (size_t i = 0; i < (size_t)p->width * p->height; i++)
		p->pixels[i] &= 0xffffff;
	return true;
}

static uint32_t picture_at(const struct picture *p, unsigned x, unsigned y)
{
	return p->pixels[(size_t)y * p->width + x];
}

static bool rect_has(const struct rect *r, unsigned x, unsigned y)
{
	return x >= r->x && y >= r->y && x - r->x < r->width && y - r->y < r->height;
}

static int run_info(const char *path)
{
	/* Sparse: only pages of colours that occur are ever touched. */
	uint32_t *count = g_new0(uint32_t, 1 << 24);
	struct picture p;
	unsigned colours = 0;
	uint32_t common = 0;
	size_t n;

	if (!picture_load(&p, path))
		return 2;
	n = (size_t)p.width * p.height;
	for (size_t i = 0; i < n; i++) {
		uint32_t times = ++count[p.pixels[i]];

		colours += times == 1;
		if (times > count[common])
			common = p.pixels[i];
	}
	printf("%ux%u %u colours, %06x on %zu %%\n", p.width, p.height, colours, common,
		(size_t)count[common] * 100 / n);
	return 0;
}

static int run_at(const char *path, unsigned x, unsigned y)
{
	struct picture p;

	if (!picture_load(&p, path))
		return 2;
	if (x >= p.width || y >= p.height) {
		fprintf(stderr, "png: %s: %ux%u has no pixel %u,%u\n", path, p.width, p.height, x,
			y);
		return 2;
	}
	printf("%06x\n", picture_at(&p, x, y));
	return 0;
}

static int run_pattern(const char *path, unsigned seed, const struct rect *rects, unsigned nrects)
{
	struct picture p;

	if (!picture_load(&p, path))
		return 2;
	for (unsigned y = 0; y < p.height; y++)
		for (unsigned x = 0; x < p.width; x++) {
			uint32_t wanted, got = picture_at(&p, x, y);
			unsigned s = seed;

			for (unsigned i = 0; i < nrects; i++)
				if (rect_has(&rects[i], x, y))
					s = rects[i].seed;
			wanted = pattern_pixel(x, y, s);
			if (got == wanted)
				continue;
			printf("%u,%u is %06x instead of %06x\n", x, y, got, wanted);
			return 1;
		}
	return 0;
}

static int run_same(const char *a, const char *b, double percent, const struct rect *where)
{
	size_t differ = 0, compared = 0;
	struct picture p, q;

	if (!picture_load(&p, a) || !picture_load(&q, b))
		return 2;
	if (p.width != q.width || p.height != q.height) {
		printf("%ux%u and %ux%u\n", p.width, p.height, q.width, q.height);
		return 1;
	}
	for (unsigned y = 0; y < p.height; y++)
		for (unsigned x = 0; x < p.width; x++) {
			if (where && !rect_has(where, x, y))
				continue;
			compared++;
			differ += picture_at(&p, x, y) != picture_at(&q, x, y);
		}
	printf("%zu of %zu pixels differ\n", differ, compared);
	return (double)differ * 100 > percent * (double)compared || !compared;
}

static struct rect rect_of(char **argv)
{
	return (struct rect){ (unsigned)atoi(argv[0]), (unsigned)atoi(argv[1]),
		(unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]), 0 };
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	struct rect rects[16];

	if (!strcmp(verb, "info") && argc == 3)
		return run_info(argv[2]);
	if (!strcmp(verb, "at") && argc == 5)
		return run_at(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	if (!strcmp(verb, "pattern") && argc >= 4 && (argc - 4) % 5 == 0 && argc <= 4 + 5 * 16) {
		unsigned n = 0;

		for (int i = 4; i < argc; i += 5) {
			rects[n] = rect_of(argv + i);
			rects[n++].seed = (unsigned)atoi(argv[i + 4]);
		}
		return run_pattern(argv[2], (unsigned)atoi(argv[3]), rects, n);
	}
	if (!strcmp(verb, "same") && (argc == 4 || argc == 5 || argc == 9)) {
		if (argc == 9)
			rects[0] = rect_of(argv + 5);
		return run_same(
			argv[2], argv[3], argc > 4 ? atof(argv[4]) : 0, argc == 9 ? rects : NULL);
	}
	fprintf(stderr,
		"usage: png info FILE | at FILE X Y | pattern FILE SEED [X Y W H SEED]... |\n"
		"       same A B [PERCENT [X Y W H]]\n");
	return 2;
}
