/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's keyboard layout, turned round: from a keysym to the key and the modifiers that make
 * the guest see it.
 *
 * libxkbcommon compiles the layout once; what remains is a table of (keysym, key, in which of the
 * 32 states of modifiers and locks that key gives this keysym). The first layout of a list counts,
 * since nobody outside the guest sees which group it has locked.
 *
 * Constant once made: any thread, any number of keyboards. It reads files below /usr/share/X11
 * (packages xkb-data, libx11-data) at creation only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* States of the guest's keyboard, as a set of bits. The first five choose a key's level. */
#define KEYMAP_SHIFT  0x01u
#define KEYMAP_ALTGR  0x02u /* ISO_Level3_Shift */
#define KEYMAP_LEVEL5 0x04u
#define KEYMAP_CAPS   0x08u /* locked */
#define KEYMAP_NUM    0x10u /* locked */
#define KEYMAP_LEVELS (KEYMAP_SHIFT | KEYMAP_ALTGR | KEYMAP_LEVEL5)
#define KEYMAP_LOCKS  (KEYMAP_CAPS | KEYMAP_NUM)
/* These choose no level but make a shortcut of a key. */
#define KEYMAP_CTRL   0x20u
#define KEYMAP_ALT    0x40u
#define KEYMAP_SUPER  0x80u

struct keymap;

/* A key, and the state of KEYMAP_LEVELS in which it gives what was asked for. */
struct keymap_stroke {
	uint16_t code; /* evdev */
	uint8_t levels;
};

/*
 * XKB names; variant and options may be NULL or empty. NULL with one line logged that names what
 * is wrong and where the names are listed.
 */
struct keymap *keymap_create(const char *layout, const char *variant, const char *options);
void keymap_destroy(struct keymap *km); /* NULL is fine */

/* The layout as it is spelt to users: "de", "de(nodeadkeys)". */
const char *keymap_name(const struct keymap *km);

/*
 * How to get keysym in this state (KEYMAP_LEVELS and KEYMAP_LOCKS) with the fewest changes of
 * levels; the locks stay as they are. False where no key gives it then.
 */
bool keymap_find(
	const struct keymap *km, uint32_t keysym, unsigned state, struct keymap_stroke *stroke);

/* The first key that gives the keysym in any state, or 0: for keys that are no characters. */
uint16_t keymap_any_key(const struct keymap *km, uint32_t keysym);

/* True where this key gives the keysym in some state. */
bool keymap_key_gives(const struct keymap *km, uint16_t code, uint32_t keysym);

/*
 * The keysyms that make a character by dead keys or the Compose key: how many, 0 where none do.
 * *keysyms lives as long as km.
 */
unsigned keymap_sequence(const struct keymap *km, uint32_t ucs, const uint32_t **keysyms);

/* What a key is when held: one of KEYMAP_LEVELS, CTRL, ALT or SUPER; 0 for all others. */
unsigned keymap_modifier(const struct keymap *km, uint16_t code);

/* The key to press for one bit of KEYMAP_LEVELS; 0 where the layout has none. */
uint16_t keymap_level_key(const struct keymap *km, unsigned level);

/* One keysym for each character, of the several that X knows (eacute, U00E9); others unchanged. */
uint32_t keymap_canonical(uint32_t keysym);
