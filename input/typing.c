/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/typing.h"

#include <string.h>

#include <glib.h>
#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

#include "input/keymap.h"
#include "input/seat.h"

struct step {
	uint16_t code;
	bool down;
};

struct typing {
	struct seat_user *user;
	GArray *steps; /* struct step */
	unsigned next;
	guint timer;
	typing_done_fn done;
	void *opaque;
};

/* ---- planning ---- */

struct planner {
	const struct keymap *keymap;
	unsigned locks;  /* KEYMAP_LOCKS, as the guest's LEDs show them */
	unsigned levels; /* held by the steps so far */
	GArray *steps;
};

static void add_step(struct planner *p, uint16_t code, bool down)
{
	struct step s = { code, down };

	g_array_append_val(p->steps, s);
}

/* Modifiers stay down from one character to the next that wants the same. */
static void hold_levels(struct planner *p, unsigned levels)
{
	for (unsigned bit = 1; bit <= KEYMAP_LEVELS; bit <<= 1)
		if ((levels ^ p->levels) & bit)
			add_step(p, keymap_level_key(p->keymap, bit), levels & bit);
	p->levels = levels;
}

static void add_stroke(struct planner *p, const struct keymap_stroke *s)
{
	hold_levels(p, s->levels);
	add_step(p, s->code, true);
	add_step(p, s->code, false);
}

static bool find(const struct planner *p, uint32_t keysym, struct keymap_stroke *s)
{
	return keymap_find(p->keymap, keysym, p->levels | p->locks, s);
}

static bool add_sequence(struct planner *p, uint32_t ucs)
{
	const uint32_t *keysyms;
	unsigned n = keymap_sequence(p->keymap, ucs, &keysyms);
	struct keymap_stroke s;

	for (unsigned i = 0; i < n; i++)
		if (!find(p, keysyms[i], &s))
			return false;
	for (unsigned i = 0; i < n; i++)
		if (find(p, keysyms[i], &s))
			add_stroke(p, &s);
	return n;
}

static bool add_character(struct planner *p, uint32_t ucs)
{
	uint32_t keysym = 0;
	struct keymap_stroke s;

	if (ucs == '\n' || ucs == '\r')
		keysym = XKB_KEY_Return;
	else if (ucs == '\t')
		keysym = XKB_KEY_Tab;
	else if (ucs >= 0x20 && ucs != 0x7f)
		keysym = xkb_utf32_to_keysym(ucs);
	if (!keysym)
		return false;
	if (find(p, keysym, &s)) {
		add_stroke(p, &s);
		return true;
	}
	return add_sequence(p, ucs);
}

static char *say_which(const struct planner *p, uint32_t ucs, long at)
{
	char utf8[7] = { 0 };

	if (!g_unichar_isprint(ucs))
		return g_strdup_printf("character %ld (U+%04X): the layout %s cannot type it", at,
			ucs, keymap_name(p->keymap));
	g_unichar_to_utf8(ucs, utf8);
	return g_strdup_printf("character %ld, \"%s\" (U+%04X): the layout %s cannot type it", at,
		utf8, ucs, keymap_name(p->keymap));
}

/* NULL, or why not. */
static char *plan_text(struct planner *p, const char *text)
{
	size_t len = strlen(text);
	long at = 1;

	if (len > TYPING_MAX)
		return g_strdup_printf(
			"the text has %zu bytes, at most %u are typed at once", len, TYPING_MAX);
	if (!g_utf8_validate(text, -1, NULL))
		return g_strdup("the text is not UTF-8");
	for (; *text; text = g_utf8_next_char(text), at++) {
		uint32_t ucs = g_utf8_get_char(text);

		if (ucs == '\r' && text[1] == '\n')
			continue; /* one Return for both */
		if (!add_character(p, ucs))
			return say_which(p, ucs, at);
	}
	hold_levels(p, 0);
	return NULL;
}

/* ---- sending ---- */

static void finish(struct typing *t, bool cancelled)
{
	typing_done_fn done = t->done;
	void *opaque = t->opaque;

	if (t->timer)
		g_source_remove(t->timer);
	seat_user_destroy(t->user);
	g_array_unref(t->steps);
	g_free(t);
	if (done)
		done(opaque, cancelled);
}

static gboolean send_next(void *opaque)
{
	struct typing *t = opaque;
	const struct step *s;

	if (t->next == t->steps->len) {
		t->timer = 0;
		finish(t, false);
		return G_SOURCE_REMOVE;
	}
	s = &g_array_index(t->steps, struct step, t->next++);
	seat_user_key(t->user, s->code, s->down);
	return G_SOURCE_CONTINUE;
}

/* Takes steps. */
static struct typing *start(
	struct seat *s, GArray *steps, unsigned gap_ms, typing_done_fn done, void *opaque)
{
	struct typing *t = g_new0(struct typing, 1);

	t->user = seat_user_create(s, "typing", NULL, NULL);
	t->steps = steps;
	t->done = done;
	t->opaque = opaque;
	t->timer = g_timeout_add(gap_ms ? gap_ms : TYPING_GAP_MS, send_next, t);
	return t;
}

struct typing *typing_start(struct seat *s, const struct keymap *km, const char *text,
	unsigned gap_ms, typing_done_fn done, void *opaque, char **error)
{
	unsigned leds = seat_leds(s);
	struct planner p = {
		.keymap = km,
		.locks = (leds & SEAT_LED_CAPS ? KEYMAP_CAPS : 0) |
			 (leds & SEAT_LED_NUM ? KEYMAP_NUM : 0),
		.steps = g_array_new(FALSE, FALSE, sizeof(struct step)),
	};

	*error = seat_listens(s, SEAT_KEYBOARD) ? plan_text(&p, text)
						: g_strdup("the guest listens to no keyboard yet");
	if (*error) {
		g_array_unref(p.steps);
		return NULL;
	}
	return start(s, p.steps, gap_ms, done, opaque);
}

struct typing *typing_chord(struct seat *s, const uint16_t *codes, unsigned n, unsigned gap_ms,
	typing_done_fn done, void *opaque)
{
	struct planner p = { .steps = g_array_new(FALSE, FALSE, sizeof(struct step)) };

	for (unsigned i = 0; i < n; i++)
		add_step(&p, codes[i], true);
	for (unsigned i = n; i-- > 0;)
		add_step(&p, codes[i], false);
	return start(s, p.steps, gap_ms, done, opaque);
}

void typing_cancel(struct typing *t)
{
	finish(t, true);
}
