/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/input_report.h"

#include <string.h>

#include "util/bytes.h"

enum {
	MOTION_MAX = 1 << 20, /* of a sum, either way */
	VALUE_UP = 0,
	VALUE_DOWN = 1,
	VALUE_REPEATS = 2
};

/* ---- waiting ---- */

static void append(struct vinput_ring *g, const struct vinput_report *r)
{
	g->reports[(g->head + g->count++) % VINPUT_RING] = *r;
}

static int clamp(long long n)
{
	return (int)MAX(MIN(n, MOTION_MAX), -MOTION_MAX);
}

void vinput_ring_motion(struct vinput_ring *g, const struct vinput_report *r)
{
	struct vinput_report *last = NULL, bounded = *r;

	if (g->count)
		last = &g->reports[(g->head + g->count - 1) % VINPUT_RING];
	if (last && last->kind == r->kind) {
		bool adds = r->kind != VINPUT_ABS;

		last->x = clamp((adds ? (long long)last->x : 0) + r->x);
		last->y = clamp((adds ? (long long)last->y : 0) + r->y);
	} else if (g->count < VINPUT_RING_PRESSES) {
		bounded.x = clamp(r->x);
		bounded.y = clamp(r->y);
		append(g, &bounded);
	}
}

void vinput_ring_press(struct vinput_ring *g, uint16_t code, bool repeats)
{
	bool again = g->down[code];
	struct vinput_report r = { VINPUT_KEY, code, again ? VALUE_REPEATS : VALUE_DOWN, 0 };

	/* Repeats are not saved up for a guest that does not look. */
	if (again && (!repeats || g->count))
		return;
	/* While a release is late no press may overtake it. */
	if (g->count >= VINPUT_RING_PRESSES || g->nlate)
		return;
	g->down[code] = true;
	append(g, &r);
}

void vinput_ring_release(struct vinput_ring *g, uint16_t code)
{
	struct vinput_report r = { VINPUT_KEY, code, VALUE_UP, 0 };

	if (!g->down[code])
		return;
	g->down[code] = false;
	if (g->count < VINPUT_RING && !g->nlate) {
		append(g, &r);
	} else {
		g->late_up[code] = true;
		g->nlate++;
	}
}

static void set_bit(uint8_t *bits, unsigned n)
{
	bits[n / 8] |= (uint8_t)(1u << n % 8);
}

void vinput_ring_held(const struct vinput_ring *g, uint8_t keys[KEY_CNT / 8])
{
	memset(keys, 0, KEY_CNT / 8);
	for (unsigned code = 0; code < KEY_CNT; code++)
		if (g->down[code] || g->late_up[code])
			set_bit(keys, code);
	for (unsigned i = 0; i < g->count; i++) { /* releases too still wait in there */
		const struct vinput_report *r = &g->reports[(g->head + i) % VINPUT_RING];

		if (r->kind == VINPUT_KEY)
			set_bit(keys, r->code);
	}
}

void vinput_ring_release_held(struct vinput_ring *g, const uint8_t keys[KEY_CNT / 8])
{
	memset(g, 0, sizeof *g);
	for (unsigned code = 0; code < KEY_CNT; code++) {
		g->late_up[code] = keys[code / 8] >> code % 8 & 1;
		g->nlate += g->late_up[code];
	}
}

bool vinput_ring_next(const struct vinput_ring *g, struct vinput_report *r)
{
	if (g->count) {
		*r = g->reports[g->head];
		return true;
	}
	for (unsigned code = 0; g->nlate && code < KEY_CNT; code++) {
		if (g->late_up[code]) {
			*r = (struct vinput_report){ VINPUT_KEY, (uint16_t)code, VALUE_UP, 0 };
			return true;
		}
	}
	return false;
}

void vinput_ring_drop(struct vinput_ring *g)
{
	struct vinput_report r;

	if (g->count) {
		g->head = (g->head + 1) % VINPUT_RING;
		g->count--;
	} else if (vinput_ring_next(g, &r)) {
		g->late_up[r.code] = false;
		g->nlate--;
	}
}

/* ---- as events ---- */

static void add_event(struct vinput_group *g, uint16_t type, uint16_t code, int value)
{
	g->events[g->n++] = (struct virtio_input_event){ type, code, (uint32_t)value };
}

/* Whole notches for programs that know no other, and the exact way for those that do. */
static void add_wheel(
	struct vinput_group *g, int way, uint16_t code, uint16_t hi_res, int rest, int *after)
{
	int sum = (rest < 0) == (way < 0) ? rest + way : way; /* turning round starts a new notch */

	*after = rest;
	if (!way)
		return;
	*after = sum % VINPUT_NOTCH;
	if (sum / VINPUT_NOTCH)
		add_event(g, EV_REL, code, sum / VINPUT_NOTCH);
	add_event(g, EV_REL, hi_res, way);
}

static void add_if_moved(struct vinput_group *g, uint16_t code, int way)
{
	if (way)
		add_event(g, EV_REL, code, way);
}

void vinput_group_make(
	struct vinput_group *g, const struct vinput_report *r, const int rest[2], int after[2])
{
	g->n = 0;
	after[0] = rest[0];
	after[1] = rest[1];
	switch (r->kind) {
	case VINPUT_KEY:
		add_event(g, EV_KEY, r->code, r->x);
		break;
	case VINPUT_ABS:
		add_event(g, EV_ABS, ABS_X, r->x);
		add_event(g, EV_ABS, ABS_Y, r->y);
		break;
	case VINPUT_REL:
		add_if_moved(g, REL_X, r->x);
		add_if_moved(g, REL_Y, r->y);
		break;
	case VINPUT_WHEEL:
		add_wheel(g, r->x, REL_WHEEL, REL_WHEEL_HI_RES, rest[0], &after[0]);
		add_wheel(g, r->y, REL_HWHEEL, REL_HWHEEL_HI_RES, rest[1], &after[1]);
		break;
	}
	add_event(g, EV_SYN, SYN_REPORT, 0);
}
