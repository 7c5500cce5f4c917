/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damage: which pixels changed, as a pixman region of a bounded number of rectangles.
 *
 * A region that would need more than DAMAGE_RECTS_MAX rectangles is coarsened: it then holds some
 * pixels that did not change, never fewer than did. So neither memory nor time grows with what a
 * guest or a client does.
 */
#pragma once

#include <pixman.h>

#define DAMAGE_RECTS_MAX 32

/* Adds boxes (which may overlap, n may be 0) to a region. Empty boxes are skipped. */
void damage_add(pixman_region32_t *region, const pixman_box32_t *boxes, int n);

/* Adds one region to another. */
void damage_add_region(pixman_region32_t *region, const pixman_region32_t *more);

/*
 * Takes a box (not empty) out of a region. This never coarsens, or what was just taken out could
 * come back; the next addition does.
 */
void damage_remove(pixman_region32_t *region, const pixman_box32_t *box);
