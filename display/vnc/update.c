/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/update.h"

#include "display/consumer.h"
#include "display/damage.h"
#include "display/encode/encoder.h"
#include "display/vnc/pseudo.h"
#include "util/bytes.h"

/* A piece takes a millisecond or two to compress: no other client waits longer for its turn. */
enum { PIECE_WIDTH = 512, PIECE_HEIGHT = 64 };

void vnc_update_init(struct vnc_update *u)
{
	*u = (struct vnc_update){ .pieces = g_array_new(FALSE, FALSE, sizeof(pixman_box32_t)) };
	pixman_region32_init(&u->damage);
	pixman_region32_init(&u->asked);
}

void vnc_update_finish(struct vnc_update *u)
{
	pixman_region32_fini(&u->damage);
	pixman_region32_fini(&u->asked);
	g_array_unref(u->pieces);
}

void vnc_update_damage(struct vnc_update *u, const pixman_region32_t *region)
{
	damage_add_region(&u->damage, region);
}

void vnc_update_damage_all(struct vnc_update *u, unsigned width, unsigned height)
{
	pixman_region32_fini(&u->damage);
	pixman_region32_init_rect(&u->damage, 0, 0, width, height);
}

void vnc_update_request(struct vnc_update *u, bool incremental, const pixman_box32_t *box)
{
	damage_add(&u->asked, box, 1);
	if (!incremental)
		damage_add(&u->damage, box, 1);
}

void vnc_update_set_continuous(struct vnc_update *u, bool on, const pixman_box32_t *box)
{
	u->continuous = on;
	u->continuous_area = *box;
}

bool vnc_update_wanted(const struct vnc_update *u)
{
	return u->continuous || pixman_region32_not_empty(&u->asked);
}

/* Cuts a box into pieces of at most PIECE_WIDTH x PIECE_HEIGHT. */
static void add_pieces(struct vnc_update *u, const pixman_box32_t *box)
{
	pixman_box32_t piece;

	for (piece.y1 = box->y1; piece.y1 < box->y2; piece.y1 = piece.y2) {
		piece.y2 = MIN(piece.y1 + PIECE_HEIGHT, box->y2);
		for (piece.x1 = box->x1; piece.x1 < box->x2; piece.x1 = piece.x2) {
			piece.x2 = MIN(piece.x1 + PIECE_WIDTH, box->x2);
			g_array_append_val(u->pieces, piece);
		}
	}
}

unsigned vnc_update_plan(struct vnc_update *u, unsigned width, unsigned height)
{
	pixman_region32_t now;
	const pixman_box32_t *boxes;
	int n;

	pixman_region32_init(&now);
	pixman_region32_copy(&now, &u->asked);
	if (u->continuous)
		damage_add(&now, &u->continuous_area, 1);
	pixman_region32_intersect_rect(&now, &now, 0, 0, width, height);
	pixman_region32_intersect(&now, &now, &u->damage);
	pixman_region32_subtract(&u->damage, &u->damage, &now);
	g_array_set_size(u->pieces, 0);
	u->next = 0;
	boxes = pixman_region32_rectangles(&now, &n);
	for (int i = 0; i < n; i++)
		add_pieces(u, &boxes[i]);
	pixman_region32_fini(&now);
	return u->pieces->len;
}

void vnc_update_answered(struct vnc_update *u)
{
	pixman_region32_clear(&u->asked);
}

bool vnc_update_sending(const struct vnc_update *u)
{
	return u->next < u->pieces->len;
}

unsigned vnc_update_piece(struct vnc_update *u, struct display_consumer *consumer,
	struct encoder *encoder, GByteArray *out)
{
	const pixman_box32_t piece = g_array_index(u->pieces, pixman_box32_t, u->next++);
	unsigned width = piece.x2 - piece.x1, height = piece.y2 - piece.y1;
	uint32_t px[PIECE_WIDTH * PIECE_HEIGHT];
	struct snapshot shot;

	display_consumer_snapshot(consumer, &piece, &shot);
	snapshot_read(&shot, &piece, px, width);
	snapshot_finish(&shot);
	damage_remove(&u->damage, &piece);
	rfb_put_rect(out, piece.x1, piece.y1, width, height, encoder_encoding(encoder));
	encoder_encode(encoder, &(struct image){ px, width, width, height }, out);
	return width * height;
}
