/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/damage.h"

#include <stdint.h>
#include <stdbool.h>

#include <glib.h>

#include "util/bytes.h"

/*
 * Joining boxes can make a region of more boxes than went in, since pixman cuts overlaps into
 * bands; from this many, it seldom does.
 */
enum { MERGE_GOAL = DAMAGE_RECTS_MAX / 2 };

static int64_t box_area(const pixman_box32_t *b)
{
	return (int64_t)(b->x2 - b->x1) * (b->y2 - b->y1);
}

static pixman_box32_t box_join(const pixman_box32_t *a, const pixman_box32_t *b)
{
	return (pixman_box32_t){ MIN(a->x1, b->x1), MIN(a->y1, b->y1), MAX(a->x2, b->x2),
		MAX(a->y2, b->y2) };
}

/* Joins neighbours in the list, those first that add the fewest pixels, until goal are left. */
static int merge_neighbours(pixman_box32_t *boxes, int n, int goal)
{
	while (n > goal) {
		int64_t best = INT64_MAX;
		int at = 0;

		for (int i = 0; i + 1 < n; i++) {
			pixman_box32_t joined = box_join(&boxes[i], &boxes[i + 1]);
			int64_t waste =
				box_area(&joined) - box_area(&boxes[i]) - box_area(&boxes[i + 1]);

			if (waste < best) {
				best = waste;
				at = i;
			}
		}
		boxes[at] = box_join(&boxes[at], &boxes[at + 1]);
		n--;
		for (int i = at + 1; i < n; i++)
			boxes[i] = boxes[i + 1];
	}
	return n;
}

/* One box for each of at most `bands` horizontal slices: few rectangles whatever comes in. */
static int merge_bands(const pixman_region32_t *region, pixman_box32_t *boxes, int bands)
{
	const pixman_box32_t *all = &region->extents;
	int height = (all->y2 - all->y1 + bands - 1) / bands, n = 0;

	for (int y = all->y1; y < all->y2; y += height) {
		pixman_region32_t slice;

		pixman_region32_init(&slice);
		pixman_region32_intersect_rect(
			&slice, region, all->x1, y, all->x2 - all->x1, height);
		if (pixman_region32_not_empty(&slice))
			boxes[n++] = slice.extents;
		pixman_region32_fini(&slice);
	}
	return n;
}

static void replace(pixman_region32_t *region, const pixman_box32_t *boxes, int n)
{
	pixman_region32_fini(region);
	pixman_region32_init_rects(region, boxes, n);
}

static void bound(pixman_region32_t *region)
{
	pixman_box32_t few[DAMAGE_RECTS_MAX];
	int n;
	const pixman_box32_t *rects = pixman_region32_rectangles(region, &n);

	if (n <= DAMAGE_RECTS_MAX)
		return;
	/* The merge below is quadratic: slices first where there are very many. */
	if (n <= 8 * DAMAGE_RECTS_MAX) {
		pixman_box32_t *boxes = g_memdup2(rects, n * sizeof *boxes);

		n = merge_neighbours(boxes, n, MERGE_GOAL);
		replace(region, boxes, n);
		g_free(boxes);
	}
	if (pixman_region32_n_rects(region) > DAMAGE_RECTS_MAX) {
		n = merge_bands(region, few, DAMAGE_RECTS_MAX);
		replace(region, few, n);
	}
}

void damage_add(pixman_region32_t *region, const pixman_box32_t *boxes, int n)
{
	pixman_region32_t more;

	pixman_region32_init_rects(&more, boxes, n);
	damage_add_region(region, &more);
	pixman_region32_fini(&more);
}

void damage_add_region(pixman_region32_t *region, const pixman_region32_t *more)
{
	if (!pixman_region32_not_empty(more))
		return;
	pixman_region32_union(region, region, more);
	bound(region);
}

void damage_remove(pixman_region32_t *region, const pixman_box32_t *box)
{
	pixman_region32_t less;

	pixman_region32_init_with_extents(&less, box);
	pixman_region32_subtract(region, region, &less);
	pixman_region32_fini(&less);
}
