/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/keymap.h"

#include <string.h>

#include <glib.h>
#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

#include "input/compose.h"
#include "input/keytable.h"
#include "util/bytes.h"
#include "util/log.h"

/* What guests of ours use; most locales' files include this one. */
#define COMPOSE_LOCALE "en_US.UTF-8"

enum {
	EVDEV_OFFSET = 8, /* X11's keycodes are evdev's and 8 */
	STATES = 32,      /* of SHIFT, ALTGR, LEVEL5, CAPS, NUM */
	CODES = 256,      /* of the keyboards' keys */
};

struct entry {
	uint32_t keysym; /* canonical */
	uint16_t code;
	uint32_t states; /* bit n: the key gives it in state n */
};

struct keymap {
	char *name;
	struct entry *entries; /* by keysym, then the better key first */
	unsigned nentries;
	uint32_t *keysyms;
	unsigned nkeysyms;
	uint8_t modifier[CODES];
	uint16_t level_key[3]; /* SHIFT, ALTGR, LEVEL5 */
	struct compose *compose;
};

uint32_t keymap_canonical(uint32_t keysym)
{
	uint32_t ucs = xkb_keysym_to_utf32(keysym);

	/* Keys of the keypad are characters too, but not the same as those of the main block. */
	if (ucs < 0x20 || ucs == 0x7f || (keysym >= XKB_KEY_KP_Space && keysym <= XKB_KEY_KP_9) ||
		keysym == XKB_KEY_KP_Equal)
		return keysym;
	return xkb_utf32_to_keysym(ucs);
}

/* ---- compiling ---- */

/* libxkbcommon talks a lot about what it does not find; keymap_create() says it in one line. */
static void xkb_log(
	struct xkb_context *ctx, enum xkb_log_level level, const char *format, va_list args)
{
	g_autofree char *line = g_strdup_vprintf(format, args);

	log_debug("keymap: %s", g_strchomp(line));
}

static struct xkb_keymap *compile(
	struct xkb_context *ctx, const char *layout, const char *variant, const char *options)
{
	struct xkb_rule_names names = {
		.rules = "evdev",
		.model = "pc105",
		.layout = layout,
		.variant = variant,
		.options = options,
	};

	return xkb_keymap_new_from_names(ctx, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
}

/* Names become parts of paths inside libxkbcommon. */
static bool well_formed(const char *name)
{
	return !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789_-,:()")];
}

static struct xkb_keymap *compile_or_say_why(
	struct xkb_context *ctx, const char *layout, const char *variant, const char *options)
{
	bool formed = well_formed(layout) && well_formed(variant) && well_formed(options);
	struct xkb_keymap *xkb = formed ? compile(ctx, layout, variant, options) : NULL;
	struct xkb_keymap *simpler = NULL;

	if (xkb)
		return xkb;
	simpler = compile(ctx, "us", "", "");
	if (!simpler) {
		log_error("keyboard layout %s: no layouts are here: install the package xkb-data",
			layout);
		return NULL;
	}
	xkb_keymap_unref(simpler);
	simpler = well_formed(layout) && *variant ? compile(ctx, layout, "", "") : NULL;
	if (simpler)
		log_error("keyboard layout %s: it has no variant %s: "
			  "/usr/share/X11/xkb/rules/evdev.lst lists them",
			layout, variant);
	else
		log_error("keyboard layout %s: there is none of this name: "
			  "/usr/share/X11/xkb/rules/evdev.lst lists them under \"! layout\"",
			layout);
	xkb_keymap_unref(simpler);
	return NULL;
}

/* ---- turning it round ---- */

static unsigned modifier_of(xkb_keysym_t keysym)
{
	switch (keysym) {
	case XKB_KEY_Shift_L:
	case XKB_KEY_Shift_R:
		return KEYMAP_SHIFT;
	case XKB_KEY_ISO_Level3_Shift:
		return KEYMAP_ALTGR;
	case XKB_KEY_ISO_Level5_Shift:
		return KEYMAP_LEVEL5;
	case XKB_KEY_Control_L:
	case XKB_KEY_Control_R:
		return KEYMAP_CTRL;
	case XKB_KEY_Alt_L:
	case XKB_KEY_Alt_R:
	case XKB_KEY_Meta_L:
	case XKB_KEY_Meta_R:
		return KEYMAP_ALT;
	case XKB_KEY_Super_L:
	case XKB_KEY_Super_R:
	case XKB_KEY_Hyper_L:
	case XKB_KEY_Hyper_R:
		return KEYMAP_SUPER;
	default:
		return 0;
	}
}

/* Where several keys do, these are the ones that a keyboard surely has. */
static bool better_level_key(uint16_t code, uint16_t than)
{
	return !than || code == KEY_RIGHTALT;
}

static void find_modifiers(struct keymap *km, struct xkb_keymap *xkb)
{
	struct xkb_state *state = xkb_state_new(xkb);
	uint16_t code;

	for (unsigned i = 0; (code = key_at(i)); i++) {
		unsigned m = modifier_of(xkb_state_key_get_one_sym(state, code + EVDEV_OFFSET));

		km->modifier[code] = (uint8_t)m;
		for (unsigned l = 0; l < ARRAY_LEN(km->level_key); l++)
			if (m == 1u << l && better_level_key(code, km->level_key[l]))
				km->level_key[l] = code;
	}
	xkb_state_unref(state);
}

/* The real modifiers that a key sets while it is held. */
static xkb_mod_mask_t held_mask(struct xkb_keymap *xkb, uint16_t code)
{
	struct xkb_state *state;
	xkb_mod_mask_t mask;

	if (!code)
		return 0;
	state = xkb_state_new(xkb);
	xkb_state_update_key(state, code + EVDEV_OFFSET, XKB_KEY_DOWN);
	mask = xkb_state_serialize_mods(state, XKB_STATE_MODS_DEPRESSED);
	xkb_state_unref(state);
	return mask;
}

static xkb_mod_mask_t name_mask(struct xkb_keymap *xkb, const char *name)
{
	xkb_mod_index_t i = xkb_keymap_mod_get_index(xkb, name);

	return i == XKB_MOD_INVALID ? 0 : 1u << i;
}

/* Adds what one key gives in each state; masks[n] stands for bit n of the state. */
static void add_key(
	GArray *entries, struct xkb_state *state, uint16_t code, const xkb_mod_mask_t masks[5])
{
	unsigned first = entries->len;

	for (unsigned n = 0; n < STATES; n++) {
		xkb_mod_mask_t depressed = 0, locked = 0;
		bool possible = true;
		uint32_t keysym;
		unsigned at;

		for (unsigned bit = 0; bit < 5; bit++) {
			if (!(n & 1u << bit))
				continue;
			possible &= masks[bit] != 0;
			*(KEYMAP_LOCKS & 1u << bit ? &locked : &depressed) |= masks[bit];
		}
		if (!possible)
			continue;
		xkb_state_update_mask(state, depressed, 0, locked, 0, 0, 0);
		keysym = keymap_canonical(xkb_state_key_get_one_sym(state, code + EVDEV_OFFSET));
		if (keysym == XKB_KEY_NoSymbol || keysym == XKB_KEY_VoidSymbol)
			continue;
		for (at = first; at < entries->len; at++)
			if (g_array_index(entries, struct entry, at).keysym == keysym)
				break;
		if (at == entries->len) {
			struct entry e = { .keysym = keysym, .code = code };

			g_array_append_val(entries, e);
		}
		g_array_index(entries, struct entry, at).states |= 1u << n;
	}
}

/* The better key is one that needs no modifier, and one that every keyboard has. */
static unsigned rank(const struct entry *e)
{
	return (e->states & 1 ? 0 : 1u << 16) + (e->code == KEY_102ND ? 1u << 15 : 0) + e->code;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->keysym != y->keysym)
		return x->keysym < y->keysym ? -1 : 1;
	return rank(x) < rank(y) ? -1 : rank(x) > rank(y);
}

/* Not on a PC's keyboard of 105 keys. */
static bool is_rare(uint16_t code)
{
	static const uint16_t rare[] = { KEY_KPEQUAL, KEY_KPPLUSMINUS, KEY_KPCOMMA, KEY_HANGEUL,
		KEY_HANJA, KEY_YEN, KEY_LINEFEED };

	for (size_t i = 0; i < ARRAY_LEN(rare); i++)
		if (code == rare[i])
			return true;
	return code > KEY_COMPOSE || (code >= KEY_RO && code <= KEY_KPJPCOMMA);
}

static bool has_usual_key(const GArray *entries, uint32_t keysym)
{
	for (unsigned i = 0; i < entries->len; i++) {
		const struct entry *e = &g_array_index(entries, struct entry, i);

		if (e->keysym == keysym && !is_rare(e->code))
			return true;
	}
	return false;
}

/*
 * X gives some rare keys a second use (the Brazilian keypad's comma is a decimal point in every
 * layout) that text consoles do not know, so they count only for what nothing else gives.
 */
static void drop_rare_keys(GArray *entries)
{
	for (unsigned i = 0; i < entries->len;) {
		const struct entry *e = &g_array_index(entries, struct entry, i);

		if (is_rare(e->code) && has_usual_key(entries, e->keysym))
			g_array_remove_index_fast(entries, i);
		else
			i++;
	}
}

static void find_entries(struct keymap *km, struct xkb_keymap *xkb)
{
	const xkb_mod_mask_t masks[5] = {
		name_mask(xkb, XKB_MOD_NAME_SHIFT),
		held_mask(xkb, km->level_key[1]),
		held_mask(xkb, km->level_key[2]),
		name_mask(xkb, XKB_MOD_NAME_CAPS),
		name_mask(xkb, XKB_MOD_NAME_NUM),
	};
	struct xkb_state *state = xkb_state_new(xkb);
	GArray *entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
	uint16_t code;

	for (unsigned i = 0; (code = key_at(i)); i++)
		add_key(entries, state, code, masks);
	xkb_state_unref(state);
	drop_rare_keys(entries);
	g_array_sort(entries, compare);
	km->nentries = entries->len;
	km->entries = (struct entry *)g_array_free(entries, FALSE);

	km->keysyms = g_new(uint32_t, km->nentries);
	for (unsigned i = 0; i < km->nentries; i++)
		if (!i || km->entries[i].keysym != km->entries[i - 1].keysym)
			km->keysyms[km->nkeysyms++] = km->entries[i].keysym;
}

struct keymap *keymap_create(const char *layout, const char *variant, const char *options)
{
	struct xkb_context *ctx = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
	struct xkb_keymap *xkb;
	struct keymap *km = NULL;

	if (!ctx) {
		log_error("keyboard layout %s: no layouts are here: install the package xkb-data",
			layout);
		return NULL;
	}
	xkb_context_set_log_fn(ctx, xkb_log);
	variant = variant ? variant : "";
	options = options ? options : "";
	xkb = compile_or_say_why(ctx, layout, variant, options);
	if (xkb) {
		km = g_new0(struct keymap, 1);
		km->name = *variant ? g_strdup_printf("%s(%s)", layout, variant) : g_strdup(layout);
		find_modifiers(km, xkb);
		find_entries(km, xkb);
		km->compose = compose_create(km->keysyms, km->nkeysyms, COMPOSE_LOCALE);
	}
	xkb_keymap_unref(xkb);
	xkb_context_unref(ctx);
	return km;
}

void keymap_destroy(struct keymap *km)
{
	if (!km)
		return;
	compose_destroy(km->compose);
	g_free(km->keysyms);
	g_free(km->entries);
	g_free(km->name);
	g_free(km);
}

/* ---- asking it ---- */

const char *keymap_name(const struct keymap *km)
{
	return km->name;
}

/* The first entry of a keysym; those of the same keysym follow. */
static const struct entry *first_entry(const struct keymap *km, uint32_t keysym)
{
	unsigned from = 0, to = km->nentries;

	keysym = keymap_canonical(keysym);
	while (from < to) {
		unsigned mid = (from + to) / 2;

		if (km->entries[mid].keysym < keysym)
			from = mid + 1;
		else
			to = mid;
	}
	return from < km->nentries && km->entries[from].keysym == keysym ? &km->entries[from]
									 : NULL;
}

static const struct entry *next_entry(const struct keymap *km, const struct entry *e)
{
	return e + 1 < km->entries + km->nentries && e[1].keysym == e->keysym ? e + 1 : NULL;
}

bool keymap_find(
	const struct keymap *km, uint32_t keysym, unsigned state, struct keymap_stroke *stroke)
{
	const struct entry *e = first_entry(km, keysym);
	int fewest = INT_MAX;

	for (; e; e = next_entry(km, e)) {
		for (unsigned levels = 0; levels <= KEYMAP_LEVELS; levels++) {
			int changes = __builtin_popcount((levels ^ state) & KEYMAP_LEVELS);

			if (!(e->states >> (levels | (state & KEYMAP_LOCKS)) & 1) ||
				changes >= fewest)
				continue;
			fewest = changes;
			*stroke = (struct keymap_stroke){ e->code, (uint8_t)levels };
		}
	}
	return fewest < INT_MAX;
}

uint16_t keymap_any_key(const struct keymap *km, uint32_t keysym)
{
	const struct entry *e = first_entry(km, keysym);

	return e ? e->code : 0;
}

bool keymap_key_gives(const struct keymap *km, uint16_t code, uint32_t keysym)
{
	for (const struct entry *e = first_entry(km, keysym); e; e = next_entry(km, e))
		if (e->code == code)
			return true;
	return false;
}

unsigned keymap_sequence(const struct keymap *km, uint32_t ucs, const uint32_t **keysyms)
{
	return km->compose ? compose_find(km->compose, ucs, keysyms) : 0;
}

unsigned keymap_modifier(const struct keymap *km, uint16_t code)
{
	return code < CODES ? km->modifier[code] : 0;
}

uint16_t keymap_level_key(const struct keymap *km, unsigned level)
{
	return level & KEYMAP_LEVELS ? km->level_key[__builtin_ctz(level)] : 0;
}
