/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/keyboard.h"

#include <glib.h>
#include <xkbcommon/xkbcommon.h>

#include "input/keymap.h"
#include "input/seat.h"
#include "util/bytes.h"

enum {
	KEYS_MAX = 32,       /* held at once; more fingers than that are a hostile client's */
	ALTERNATIVES_MAX = 4 /* how far one leads to the next */
};

struct held_key {
	uint32_t keysym; /* canonical; 0: pressed by its code */
	uint16_t code;
	bool lifted; /* a modifier that the guest sees as up for now, though the user holds it */
};

struct keyboard {
	struct seat *seat;
	struct seat_user *user;
	const struct keymap *keymap;

	struct held_key keys[KEYS_MAX]; /* in the order in which they went down */
	unsigned nkeys;

	/* For one key modifiers are not as the user holds them, as long as it is down: */
	uint16_t adjusted_for; /* 0: they are */
	uint16_t added[3];     /* modifier keys that the user does not hold; 0: none */
};

/* What to press for a keysym, and in which state of modifiers. */
struct plan {
	struct keymap_stroke stroke;
	bool lift_shortcut; /* Ctrl and Alt are held, but meant AltGr */
};

struct keyboard *keyboard_create(struct seat *s, struct seat_user *u, const struct keymap *km)
{
	struct keyboard *kb = g_new0(struct keyboard, 1);

	kb->seat = s;
	kb->user = u;
	kb->keymap = km;
	return kb;
}

void keyboard_destroy(struct keyboard *kb)
{
	if (!kb)
		return;
	keyboard_release_all(kb);
	g_free(kb);
}

void keyboard_release_all(struct keyboard *kb)
{
	kb->nkeys = 0;
	kb->adjusted_for = 0;
	memset(kb->added, 0, sizeof kb->added);
	seat_user_release_all(kb->user);
}

/* ---- held keys ---- */

static struct held_key *key_by_code(struct keyboard *kb, uint16_t code)
{
	for (unsigned i = 0; i < kb->nkeys; i++)
		if (kb->keys[i].code == code)
			return &kb->keys[i];
	return NULL;
}

static struct held_key *key_by_keysym(struct keyboard *kb, uint32_t keysym)
{
	for (unsigned i = 0; i < kb->nkeys; i++)
		if (kb->keys[i].keysym == keysym)
			return &kb->keys[i];
	return NULL;
}

static void forget(struct keyboard *kb, struct held_key *k)
{
	memmove(k, k + 1, (size_t)(kb->keys + --kb->nkeys - k) * sizeof *k);
}

/* The modifiers that the user holds: KEYMAP_LEVELS, CTRL, ALT, SUPER. */
static unsigned held_modifiers(const struct keyboard *kb)
{
	unsigned held = 0;

	for (unsigned i = 0; i < kb->nkeys; i++)
		held |= keymap_modifier(kb->keymap, kb->keys[i].code);
	return held;
}

/* ---- modifiers other than the user's, for the time of one key ---- */

static void settle(struct keyboard *kb)
{
	kb->adjusted_for = 0;
	for (unsigned i = 0; i < ARRAY_LEN(kb->added); i++) {
		if (kb->added[i])
			seat_user_key(kb->user, kb->added[i], false);
		kb->added[i] = 0;
	}
	for (unsigned i = 0; i < kb->nkeys; i++) {
		if (!kb->keys[i].lifted)
			continue;
		kb->keys[i].lifted = false;
		seat_user_key(kb->user, kb->keys[i].code, true);
	}
}

/* Newest first, so that of Ctrl and Alt the latter does not go up alone, which opens menus. */
static void lift(struct keyboard *kb, unsigned modifiers)
{
	for (unsigned i = kb->nkeys; i-- > 0;) {
		struct held_key *k = &kb->keys[i];

		if (!(keymap_modifier(kb->keymap, k->code) & modifiers))
			continue;
		k->lifted = true;
		seat_user_key(kb->user, k->code, false);
	}
}

static void adjust(struct keyboard *kb, const struct plan *plan)
{
	unsigned held = held_modifiers(kb), wanted = plan->stroke.levels, lifted;

	lifted = held & KEYMAP_LEVELS & ~wanted;
	if (plan->lift_shortcut)
		lifted |= KEYMAP_CTRL | KEYMAP_ALT;
	lift(kb, lifted);
	for (unsigned i = 0; i < ARRAY_LEN(kb->added); i++) {
		if (!(wanted & ~held & 1u << i))
			continue;
		kb->added[i] = keymap_level_key(kb->keymap, 1u << i);
		seat_user_key(kb->user, kb->added[i], true);
	}
	kb->adjusted_for = plan->stroke.code;
}

/* ---- what to press ---- */

/*
 * Where the layout has no key for a keysym, or the keypad's lock is in the wrong state, these do
 * the same. The guest's Num Lock is left alone: toggling it for the user would go wrong with each
 * guest that does not tell its LEDs.
 */
static uint32_t alternative(uint32_t keysym)
{
	static const uint32_t pairs[][2] = {
		{ XKB_KEY_KP_Home, XKB_KEY_Home },
		{ XKB_KEY_KP_Left, XKB_KEY_Left },
		{ XKB_KEY_KP_Up, XKB_KEY_Up },
		{ XKB_KEY_KP_Right, XKB_KEY_Right },
		{ XKB_KEY_KP_Down, XKB_KEY_Down },
		{ XKB_KEY_KP_Page_Up, XKB_KEY_Page_Up },
		{ XKB_KEY_KP_Page_Down, XKB_KEY_Page_Down },
		{ XKB_KEY_KP_End, XKB_KEY_End },
		{ XKB_KEY_KP_Insert, XKB_KEY_Insert },
		{ XKB_KEY_KP_Delete, XKB_KEY_Delete },
		{ XKB_KEY_KP_Enter, XKB_KEY_Return },
		{ XKB_KEY_KP_Tab, XKB_KEY_Tab },
		{ XKB_KEY_KP_Space, XKB_KEY_space },
		{ XKB_KEY_KP_Equal, XKB_KEY_equal },
		{ XKB_KEY_KP_Multiply, XKB_KEY_asterisk },
		{ XKB_KEY_KP_Add, XKB_KEY_plus },
		{ XKB_KEY_KP_Subtract, XKB_KEY_minus },
		{ XKB_KEY_KP_Divide, XKB_KEY_slash },
		{ XKB_KEY_KP_Decimal, XKB_KEY_period },
		{ XKB_KEY_KP_Separator, XKB_KEY_comma },
		{ XKB_KEY_Sys_Req, XKB_KEY_Print }, /* levels of Alt and of Ctrl */
		{ XKB_KEY_Break, XKB_KEY_Pause },
		{ XKB_KEY_Terminate_Server, XKB_KEY_BackSpace },
		{ XKB_KEY_ISO_Left_Tab, XKB_KEY_Tab },
		{ XKB_KEY_Alt_R, XKB_KEY_Alt_L },
		{ XKB_KEY_Meta_R, XKB_KEY_Meta_L },
		{ XKB_KEY_Meta_L, XKB_KEY_Alt_L }, /* Option of a Macintosh */
		{ XKB_KEY_Super_R, XKB_KEY_Super_L },
		{ XKB_KEY_Hyper_L, XKB_KEY_Super_L },
		{ XKB_KEY_Hyper_R, XKB_KEY_Super_R },
		{ XKB_KEY_Mode_switch, XKB_KEY_ISO_Level3_Shift },
		{ XKB_KEY_dead_grave, XKB_KEY_grave },
		{ XKB_KEY_dead_acute, XKB_KEY_apostrophe },
		{ XKB_KEY_dead_circumflex, XKB_KEY_asciicircum },
		{ XKB_KEY_dead_tilde, XKB_KEY_asciitilde },
		{ XKB_KEY_dead_diaeresis, XKB_KEY_quotedbl },
	};

	if (keysym >= XKB_KEY_KP_0 && keysym <= XKB_KEY_KP_9)
		return XKB_KEY_0 + (keysym - XKB_KEY_KP_0);
	if (keysym >= XKB_KEY_XF86Switch_VT_1 && keysym <= XKB_KEY_XF86Switch_VT_12)
		return XKB_KEY_F1 + (keysym - XKB_KEY_XF86Switch_VT_1);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (pairs[i][0] == keysym)
			return pairs[i][1];
	return 0;
}

static bool is_keypad(uint32_t keysym)
{
	return keysym >= XKB_KEY_KP_Space && keysym <= XKB_KEY_KP_Equal;
}

/* Characters, and dead keys: what modifiers are adjusted for. */
static bool is_text(uint32_t keysym)
{
	uint32_t ucs = xkb_keysym_to_utf32(keysym);

	return (ucs >= 0x20 && ucs != 0x7f && !is_keypad(keysym)) ||
	       (keysym >= XKB_KEY_dead_grave && keysym <= XKB_KEY_dead_greek);
}

/* A key gives it with the modifiers as the user holds them. */
static bool find_as_held(
	const struct keyboard *kb, uint32_t keysym, unsigned state, struct keymap_stroke *stroke)
{
	return keymap_find(kb->keymap, keysym, state, stroke) &&
	       stroke->levels == (state & KEYMAP_LEVELS);
}

static bool plan_text(const struct keyboard *kb, uint32_t keysym, unsigned held, unsigned state,
	struct plan *plan)
{
	struct keymap_stroke *stroke = &plan->stroke;

	/* In a shortcut Caps Lock of the viewer, not of the guest, must not become a Shift. */
	if (held & (KEYMAP_CTRL | KEYMAP_ALT | KEYMAP_SUPER) &&
		(find_as_held(kb, xkb_keysym_to_lower(keysym), state, stroke) ||
			find_as_held(kb, xkb_keysym_to_upper(keysym), state, stroke)))
		return true;
	if (!keymap_find(kb->keymap, keysym, state, stroke))
		return false;
	/*
	 * Viewers on Windows send Ctrl and Alt for AltGr. Where a shortcut was meant the character
	 * would need no other level than the held one.
	 */
	plan->lift_shortcut = (held & KEYMAP_CTRL) && (held & KEYMAP_ALT) &&
			      stroke->levels != (state & KEYMAP_LEVELS);
	return true;
}

static bool plan_key(const struct keyboard *kb, uint32_t keysym, unsigned state, struct plan *plan)
{
	struct keymap_stroke *stroke = &plan->stroke;

	if (find_as_held(kb, keysym, state, stroke))
		return true;
	stroke->levels = state & KEYMAP_LEVELS;
	stroke->code = 0;
	if (!is_keypad(keysym)) /* the keypad's other level means something else */
		stroke->code = keymap_any_key(kb->keymap, keysym);
	return stroke->code;
}

static bool make_plan(const struct keyboard *kb, uint32_t keysym, struct plan *plan)
{
	unsigned held = held_modifiers(kb), leds = seat_leds(kb->seat), state;

	state = (held & KEYMAP_LEVELS) | (leds & SEAT_LED_CAPS ? KEYMAP_CAPS : 0) |
		(leds & SEAT_LED_NUM ? KEYMAP_NUM : 0);
	for (int i = 0; keysym && i < ALTERNATIVES_MAX; i++) {
		*plan = (struct plan){ 0 };
		if (is_text(keysym) ? plan_text(kb, keysym, held, state, plan)
				    : plan_key(kb, keysym, state, plan))
			return true;
		keysym = alternative(keysym);
	}
	return false;
}

/* ---- keysyms ---- */

static void press(struct keyboard *kb, uint32_t keysym, const struct plan *plan)
{
	struct held_key *same = key_by_code(kb, plan->stroke.code);

	if (same) { /* its release was lost, or the user's modifiers changed what it gives */
		seat_user_key(kb->user, same->code, false);
		forget(kb, same);
	}
	if (kb->nkeys == KEYS_MAX)
		return;
	adjust(kb, plan);
	kb->keys[kb->nkeys++] = (struct held_key){ keysym, plan->stroke.code, false };
	seat_user_key(kb->user, plan->stroke.code, true);
}

/*
 * A character that no key gives, but a dead key and another do: all at once, since it has no one
 * key that could stay down.
 */
static void tap_sequence(struct keyboard *kb, uint32_t keysym)
{
	const uint32_t *keysyms;
	unsigned n = keymap_sequence(kb->keymap, xkb_keysym_to_utf32(keysym), &keysyms);
	struct plan plan;

	for (unsigned i = 0; i < n; i++)
		if (!make_plan(kb, keysyms[i], &plan))
			return;
	for (unsigned i = 0; i < n; i++) {
		make_plan(kb, keysyms[i], &plan);
		adjust(kb, &plan);
		seat_user_key(kb->user, plan.stroke.code, true);
		seat_user_key(kb->user, plan.stroke.code, false);
		settle(kb);
	}
}

static void release(struct keyboard *kb, struct held_key *k)
{
	uint16_t code = k->code;
	bool lifted = k->lifted;

	forget(kb, k);
	if (!lifted)
		seat_user_key(kb->user, code, false);
	if (kb->adjusted_for == code)
		settle(kb);
}

static void keysym_up(struct keyboard *kb, uint32_t keysym)
{
	struct held_key *k = key_by_keysym(kb, keysym);

	/* Some viewers release what the key would be by now: the key that was 'A' as 'a'. */
	for (unsigned i = 0; !k && i < kb->nkeys; i++)
		if (kb->keys[i].keysym && keymap_key_gives(kb->keymap, kb->keys[i].code, keysym))
			k = &kb->keys[i];
	if (k)
		release(kb, k);
}

void keyboard_keysym(struct keyboard *kb, uint32_t keysym, bool down)
{
	struct held_key *k;
	struct plan plan;

	keysym = keymap_canonical(keysym);
	if (!keysym)
		return;
	if (!down) {
		keysym_up(kb, keysym);
		return;
	}
	k = key_by_keysym(kb, keysym);
	if (k) {
		if (!k->lifted)
			seat_user_key(kb->user, k->code, true); /* repeats */
		return;
	}
	settle(kb);
	if (make_plan(kb, keysym, &plan))
		press(kb, keysym, &plan);
	else
		tap_sequence(kb, keysym);
}

/* ---- codes ---- */

void keyboard_code(struct keyboard *kb, uint16_t code, bool down)
{
	struct held_key *k = key_by_code(kb, code);

	if (!down) {
		if (k)
			release(kb, k);
		return;
	}
	if (!k) {
		settle(kb);
		if (kb->nkeys == KEYS_MAX)
			return;
		kb->keys[kb->nkeys++] = (struct held_key){ 0, code, false };
	} else if (k->lifted) {
		return;
	}
	seat_user_key(kb->user, code, true);
}
