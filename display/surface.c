/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/surface.h"

#include <stdlib.h>
#include <string.h>

#include <glib.h>

#include "util/bytes.h"

#define PIXEL_MASK      0x00ffffffu
#define PIXEL_PAIR_MASK 0x00ffffff00ffffffull

struct tile {
	unsigned refs;
	_Alignas(64) uint32_t px[TILE_SIZE * TILE_SIZE];
};

/* ---- tiles ---- */

static struct tile *tile_create(const struct tile *like)
{
	struct tile *t = aligned_alloc(64, sizeof *t);

	if (!t)
		g_error("out of memory for a tile of %zu bytes", sizeof *t);
	if (like)
		memcpy(t->px, like->px, sizeof t->px);
	else
		memset(t->px, 0, sizeof t->px);
	t->refs = 1;
	return t;
}

static struct tile *tile_ref(struct tile *t)
{
	if (t)
		__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

static void tile_unref(struct tile *t)
{
	/* Release: our reads are done before the owner may write; acquire: before free(). */
	if (t && __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(t);
}

/* Pairs with the release in tile_unref(): a reader's last look comes before our write. */
static bool tile_is_ours_alone(const struct tile *t)
{
	return __atomic_load_n(&t->refs, __ATOMIC_ACQUIRE) == 1;
}

static uint64_t pair_get(const uint32_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v & PIXEL_PAIR_MASK;
}

/* a is masked already, as all tiles are. Two pixels a step: 0.5 ms for 1920x1080. */
static bool row_differs(const uint32_t *a, const uint32_t *b, unsigned n)
{
	uint64_t diff = 0;
	unsigned i = 0;

	for (; i + 2 <= n; i += 2)
		diff |= pair_get(a + i) ^ pair_get(b + i);
	if (i < n)
		diff |= a[i] ^ (b[i] & PIXEL_MASK);
	return diff;
}

static void row_copy(uint32_t *dst, const uint32_t *src, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		dst[i] = src[i] & PIXEL_MASK;
}

/* Where src (w x h) differs from px, as a box relative to both; false where nowhere. */
static bool find_change(const uint32_t *px, const uint32_t *src, size_t stride, unsigned w,
	unsigned h, pixman_box32_t *box)
{
	unsigned x1 = w, x2 = 0, y1 = h, y2 = 0;

	for (unsigned y = 0; y < h; y++, px += TILE_SIZE, src += stride) {
		unsigned x;

		if (!row_differs(px, src, w))
			continue;
		y1 = MIN(y1, y);
		y2 = y + 1;
		for (x = 0; x < x1 && px[x] == (src[x] & PIXEL_MASK); x++)
			;
		x1 = x;
		for (x = w; x > x2 && px[x - 1] == (src[x - 1] & PIXEL_MASK); x--)
			;
		x2 = x;
	}
	*box = (pixman_box32_t){ x1, y1, x2, y2 };
	return y2 > 0;
}

/*
 * Brings w x h pixels at tx, ty of one tile up to date. The first filling of a slot counts as
 * change all over: what its readers had there before is unknown.
 */
static bool tile_put(struct tile **slot, unsigned tx, unsigned ty, unsigned w, unsigned h,
	const uint32_t *src, size_t stride, pixman_box32_t *box)
{
	struct tile *t = *slot;
	size_t at = (size_t)ty * TILE_SIZE + tx;

	if (!t) {
		*slot = t = tile_create(NULL);
		*box = (pixman_box32_t){ 0, 0, w, h };
	} else {
		if (!find_change(t->px + at, src, stride, w, h, box))
			return false;
		if (!tile_is_ours_alone(t)) {
			*slot = tile_create(t);
			tile_unref(t);
			t = *slot;
		}
	}
	for (int y = box->y1; y < box->y2; y++)
		row_copy(t->px + at + (size_t)y * TILE_SIZE + box->x1,
			src + (size_t)y * stride + box->x1, box->x2 - box->x1);
	return true;
}

/* ---- surfaces ---- */

static struct surface *surface_alloc(unsigned width, unsigned height, unsigned cols, unsigned rows)
{
	struct surface *s = g_malloc0(sizeof *s + (size_t)cols * rows * sizeof s->tiles[0]);

	s->width = width;
	s->height = height;
	s->cols = cols;
	s->rows = rows;
	return s;
}

struct surface *surface_create(unsigned width, unsigned height)
{
	return surface_alloc(width, height, ALIGN_UP(width, TILE_SIZE) / TILE_SIZE,
		ALIGN_UP(height, TILE_SIZE) / TILE_SIZE);
}

struct surface *surface_part(const struct surface *s, const pixman_box32_t *box)
{
	int x1 = MAX(box->x1, 0), x2 = MIN(box->x2, (int)s->width);
	int y1 = MAX(box->y1, 0), y2 = MIN(box->y2, (int)s->height);
	unsigned col = MAX(x1 / TILE_SIZE, (int)s->col), row = MAX(y1 / TILE_SIZE, (int)s->row);
	unsigned col_end = MIN((unsigned)(x2 + TILE_SIZE - 1) / TILE_SIZE, s->col + s->cols);
	unsigned row_end = MIN((unsigned)(y2 + TILE_SIZE - 1) / TILE_SIZE, s->row + s->rows);
	struct surface *part;

	if (x1 >= x2 || y1 >= y2 || col >= col_end || row >= row_end)
		return NULL;
	part = surface_alloc(s->width, s->height, col_end - col, row_end - row);
	part->col = col;
	part->row = row;
	for (unsigned r = 0; r < part->rows; r++)
		for (unsigned c = 0; c < part->cols; c++)
			part->tiles[r * part->cols + c] =
				tile_ref(s->tiles[(row - s->row + r) * s->cols + col - s->col + c]);
	return part;
}

void surface_destroy(struct surface *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < (size_t)s->cols * s->rows; i++)
		tile_unref(s->tiles[i]);
	g_free(s);
}

unsigned surface_put(struct surface *s, const pixman_box32_t *box, const uint32_t *px,
	size_t stride, pixman_box32_t changed[SURFACE_PUT_BOXES])
{
	unsigned row = box->y1 / TILE_SIZE, n = 0;

	for (int x = box->x1; x < box->x2;) {
		unsigned col = x / TILE_SIZE;
		int end = MIN((int)(col + 1) * TILE_SIZE, box->x2);
		pixman_box32_t *b = &changed[n];

		if (tile_put(&s->tiles[row * s->cols + col], x % TILE_SIZE, box->y1 % TILE_SIZE,
			    end - x, box->y2 - box->y1, px + (x - box->x1), stride, b)) {
			b->x1 += x;
			b->x2 += x;
			b->y1 += box->y1;
			b->y2 += box->y1;
			n++;
		}
		x = end;
	}
	return n;
}

void surface_read(const struct surface *s, const pixman_box32_t *box, uint32_t *dst, size_t stride)
{
	int left = s->col * TILE_SIZE, top = s->row * TILE_SIZE;
	int x1 = MAX(box->x1, left), y1 = MAX(box->y1, top);
	int x2 = MIN(MIN(box->x2, left + (int)s->cols * TILE_SIZE), (int)s->width);
	int y2 = MIN(MIN(box->y2, top + (int)s->rows * TILE_SIZE), (int)s->height);

	for (int y = y1; y < y2; y++) {
		struct tile *const *row = s->tiles + (size_t)((y - top) / TILE_SIZE) * s->cols;

		for (int x = x1, end; x < x2; x = end) {
			const struct tile *t = row[(x - left) / TILE_SIZE];

			end = MIN((x / TILE_SIZE + 1) * TILE_SIZE, x2);
			if (t)
				memcpy(dst + (size_t)(y - box->y1) * stride + (x - box->x1),
					t->px + y % TILE_SIZE * TILE_SIZE + x % TILE_SIZE,
					(end - x) * sizeof *dst);
		}
	}
}
