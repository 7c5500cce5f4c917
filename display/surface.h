/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A surface: the pixels of a head, or of a part of one, as a grid of refcounted 64x64 tiles.
 *
 *      col 0   1   2   3
 *   row 0 +---+---+---+-+      A tile at the right or bottom edge is stored whole; what lies
 *         |   |   |   | |      outside width x height is not shown and stays zero.
 *       1 +---+---+---+-+      A slot that is NULL has not been filled yet and reads as black.
 *         |   |   |   | |
 *         +---+---+---+-+
 *
 * Whoever holds a reference may read a tile on any thread, for a tile that anyone else can see
 * never changes: the owner of a surface writes into a tile only while its own reference is the
 * last, and puts a fresh one into the slot otherwise. Pixels are x8r8g8b8 in host order with x 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pixman.h>

#define TILE_SIZE 64

struct tile;

struct surface {
	unsigned width, height; /* of the whole head */
	unsigned col, row;      /* where the grid begins: 0, 0 unless it is a part */
	unsigned cols, rows;
	struct tile *tiles[]; /* row by row */
};

/* An empty (black) surface. Sides are 1 .. 65535. */
struct surface *surface_create(unsigned width, unsigned height);

/* The tiles that box touches, box clipped to s; NULL where nothing is left of it. */
struct surface *surface_part(const struct surface *s, const pixman_box32_t *box);

/* Gives up the tiles, on any thread. NULL is fine. */
void surface_destroy(struct surface *s);

/* One row of tiles is at most this wide in a call of surface_put(). */
#define SURFACE_PUT_WIDTH 1024
#define SURFACE_PUT_BOXES (SURFACE_PUT_WIDTH / TILE_SIZE + 1)

/*
 * Brings box up to date from px (stride in pixels; px is the pixel at box->x1, box->y1): compares,
 * and copies what differs. box lies inside the surface, inside one row of tiles, and is at most
 * SURFACE_PUT_WIDTH wide. Returns the number of tiles that changed, and for each in changed[] the
 * smallest box that holds the difference. Only the surface's owner, under its lock.
 */
unsigned surface_put(struct surface *s, const pixman_box32_t *box, const uint32_t *px,
	size_t stride, pixman_box32_t changed[SURFACE_PUT_BOXES]);

/*
 * Copies box (any box) to dst, stride in pixels. What lies outside of the surface, or was never
 * filled, is left as it is in dst.
 */
void surface_read(const struct surface *s, const pixman_box32_t *box, uint32_t *dst, size_t stride);
