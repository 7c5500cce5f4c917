/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/keytable.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include <linux/input-event-codes.h>

#include "util/bytes.h"

struct key {
	uint16_t code, xt;
	const char *linux_name, *name; /* name is QEMU's, or NULL */
};

#define KEY(key, xt, name)                       \
	{                                        \
		KEY_##key, xt, "KEY_" #key, name \
	}

/* Ascending by evdev code. The XT codes are those that QEMU and VNC viewers agree upon. */
static const struct key keys[] = {
	KEY(ESC, 0x01, "esc"),
	KEY(1, 0x02, "1"),
	KEY(2, 0x03, "2"),
	KEY(3, 0x04, "3"),
	KEY(4, 0x05, "4"),
	KEY(5, 0x06, "5"),
	KEY(6, 0x07, "6"),
	KEY(7, 0x08, "7"),
	KEY(8, 0x09, "8"),
	KEY(9, 0x0a, "9"),
	KEY(0, 0x0b, "0"),
	KEY(MINUS, 0x0c, "minus"),
	KEY(EQUAL, 0x0d, "equal"),
	KEY(BACKSPACE, 0x0e, "backspace"),
	KEY(TAB, 0x0f, "tab"),
	KEY(Q, 0x10, "q"),
	KEY(W, 0x11, "w"),
	KEY(E, 0x12, "e"),
	KEY(R, 0x13, "r"),
	KEY(T, 0x14, "t"),
	KEY(Y, 0x15, "y"),
	KEY(U, 0x16, "u"),
	KEY(I, 0x17, "i"),
	KEY(O, 0x18, "o"),
	KEY(P, 0x19, "p"),
	KEY(LEFTBRACE, 0x1a, "bracket_left"),
	KEY(RIGHTBRACE, 0x1b, "bracket_right"),
	KEY(ENTER, 0x1c, "ret"),
	KEY(LEFTCTRL, 0x1d, "ctrl"),
	KEY(A, 0x1e, "a"),
	KEY(S, 0x1f, "s"),
	KEY(D, 0x20, "d"),
	KEY(F, 0x21, "f"),
	KEY(G, 0x22, "g"),
	KEY(H, 0x23, "h"),
	KEY(J, 0x24, "j"),
	KEY(K, 0x25, "k"),
	KEY(L, 0x26, "l"),
	KEY(SEMICOLON, 0x27, "semicolon"),
	KEY(APOSTROPHE, 0x28, "apostrophe"),
	KEY(GRAVE, 0x29, "grave_accent"),
	KEY(LEFTSHIFT, 0x2a, "shift"),
	KEY(BACKSLASH, 0x2b, "backslash"),
	KEY(Z, 0x2c, "z"),
	KEY(X, 0x2d, "x"),
	KEY(C, 0x2e, "c"),
	KEY(V, 0x2f, "v"),
	KEY(B, 0x30, "b"),
	KEY(N, 0x31, "n"),
	KEY(M, 0x32, "m"),
	KEY(COMMA, 0x33, "comma"),
	KEY(DOT, 0x34, "dot"),
	KEY(SLASH, 0x35, "slash"),
	KEY(RIGHTSHIFT, 0x36, "shift_r"),
	KEY(KPASTERISK, 0x37, "kp_multiply"),
	KEY(LEFTALT, 0x38, "alt"),
	KEY(SPACE, 0x39, "spc"),
	KEY(CAPSLOCK, 0x3a, "caps_lock"),
	KEY(F1, 0x3b, "f1"),
	KEY(F2, 0x3c, "f2"),
	KEY(F3, 0x3d, "f3"),
	KEY(F4, 0x3e, "f4"),
	KEY(F5, 0x3f, "f5"),
	KEY(F6, 0x40, "f6"),
	KEY(F7, 0x41, "f7"),
	KEY(F8, 0x42, "f8"),
	KEY(F9, 0x43, "f9"),
	KEY(F10, 0x44, "f10"),
	KEY(NUMLOCK, 0x45, "num_lock"),
	KEY(SCROLLLOCK, 0x46, "scroll_lock"),
	KEY(KP7, 0x47, "kp_7"),
	KEY(KP8, 0x48, "kp_8"),
	KEY(KP9, 0x49, "kp_9"),
	KEY(KPMINUS, 0x4a, "kp_subtract"),
	KEY(KP4, 0x4b, "kp_4"),
	KEY(KP5, 0x4c, "kp_5"),
	KEY(KP6, 0x4d, "kp_6"),
	KEY(KPPLUS, 0x4e, "kp_add"),
	KEY(KP1, 0x4f, "kp_1"),
	KEY(KP2, 0x50, "kp_2"),
	KEY(KP3, 0x51, "kp_3"),
	KEY(KP0, 0x52, "kp_0"),
	KEY(KPDOT, 0x53, "kp_decimal"),
	KEY(ZENKAKUHANKAKU, 0x76, NULL),
	KEY(102ND, 0x56, "less"),
	KEY(F11, 0x57, "f11"),
	KEY(F12, 0x58, "f12"),
	KEY(RO, 0x73, "ro"),
	KEY(KATAKANA, 0x78, NULL),
	KEY(HIRAGANA, 0x77, "hiragana"),
	KEY(HENKAN, 0x79, "henkan"),
	KEY(KATAKANAHIRAGANA, 0x70, "katakanahiragana"),
	KEY(MUHENKAN, 0x7b, "muhenkan"),
	KEY(KPJPCOMMA, 0x5c, NULL),
	KEY(KPENTER, 0xe01c, "kp_enter"),
	KEY(RIGHTCTRL, 0xe01d, "ctrl_r"),
	KEY(KPSLASH, 0xe035, "kp_divide"),
	KEY(SYSRQ, 0xe037, "print"),
	KEY(RIGHTALT, 0xe038, "alt_r"),
	KEY(LINEFEED, 0x5b, "lf"),
	KEY(HOME, 0xe047, "home"),
	KEY(UP, 0xe048, "up"),
	KEY(PAGEUP, 0xe049, "pgup"),
	KEY(LEFT, 0xe04b, "left"),
	KEY(RIGHT, 0xe04d, "right"),
	KEY(END, 0xe04f, "end"),
	KEY(DOWN, 0xe050, "down"),
	KEY(PAGEDOWN, 0xe051, "pgdn"),
	KEY(INSERT, 0xe052, "insert"),
	KEY(DELETE, 0xe053, "delete"),
	KEY(MUTE, 0xe020, "audiomute"),
	KEY(VOLUMEDOWN, 0xe02e, "volumedown"),
	KEY(VOLUMEUP, 0xe030, "volumeup"),
	KEY(POWER, 0xe05e, "power"),
	KEY(KPEQUAL, 0x59, "kp_equals"),
	KEY(KPPLUSMINUS, 0xe04e, NULL),
	KEY(PAUSE, 0xe046, "pause"),
	KEY(KPCOMMA, 0x7e, "kp_comma"),
	KEY(HANGEUL, 0x72, "lang1"),
	KEY(HANJA, 0x71, "lang2"),
	KEY(YEN, 0x7d, "yen"),
	KEY(LEFTMETA, 0xe05b, "meta_l"),
	KEY(RIGHTMETA, 0xe05c, "meta_r"),
	KEY(COMPOSE, 0xe05d, "compose"),
	KEY(STOP, 0xe068, "stop"),
	KEY(AGAIN, 0xe005, "again"),
	KEY(PROPS, 0xe006, "props"),
	KEY(UNDO, 0xe007, "undo"),
	KEY(FRONT, 0xe00c, "front"),
	KEY(COPY, 0xe078, "copy"),
	KEY(OPEN, 0x64, "open"),
	KEY(PASTE, 0x65, "paste"),
	KEY(FIND, 0xe041, "find"),
	KEY(CUT, 0xe03c, "cut"),
	KEY(HELP, 0xe075, "help"),
	KEY(MENU, 0xe01e, "menu"),
	KEY(CALC, 0xe021, "calculator"),
	KEY(SLEEP, 0xe05f, "sleep"),
	KEY(WAKEUP, 0xe063, "wake"),
	KEY(WWW, 0xe002, NULL),
	KEY(MAIL, 0xe06c, "mail"),
	KEY(BOOKMARKS, 0xe066, "ac_bookmarks"),
	KEY(COMPUTER, 0xe06b, "computer"),
	KEY(BACK, 0xe06a, "ac_back"),
	KEY(FORWARD, 0xe069, "ac_forward"),
	KEY(NEXTSONG, 0xe019, "audionext"),
	KEY(PLAYPAUSE, 0xe022, "audioplay"),
	KEY(PREVIOUSSONG, 0xe010, "audioprev"),
	KEY(STOPCD, 0xe024, "audiostop"),
	KEY(HOMEPAGE, 0xe032, "ac_home"),
	KEY(REFRESH, 0xe067, "ac_refresh"),
	KEY(F13, 0x5d, "f13"),
	KEY(F14, 0x5e, "f14"),
	KEY(F15, 0x5f, "f15"),
	KEY(F16, 0x55, "f16"),
	KEY(F17, 0xe003, "f17"),
	KEY(F18, 0xe077, "f18"),
	KEY(F19, 0xe004, "f19"),
	KEY(F20, 0x5a, "f20"),
	KEY(F21, 0x74, "f21"),
	KEY(F22, 0xe079, "f22"),
	KEY(F23, 0x6d, "f23"),
	KEY(F24, 0x6f, "f24"),
	KEY(SEARCH, 0xe065, NULL),
	KEY(MEDIA, 0xe06d, "mediaselect"),
};

/* Other spellings and codes that are met. */
static const struct {
	const char *name;
	uint16_t code;
} other_names[] = {
	{ "altgr", KEY_RIGHTALT },
	{ "del", KEY_DELETE },
	{ "enter", KEY_ENTER },
	{ "escape", KEY_ESC },
	{ "ins", KEY_INSERT },
	{ "meta", KEY_LEFTMETA },
	{ "pagedown", KEY_PAGEDOWN },
	{ "pageup", KEY_PAGEUP },
	{ "return", KEY_ENTER },
	{ "space", KEY_SPACE },
	{ "super", KEY_LEFTMETA },
	{ "sysrq", KEY_SYSRQ },
};

static const struct {
	uint16_t xt, code;
} other_xt[] = {
	{ 0x54, KEY_SYSRQ },   /* Alt+Print on a PC, and what QEMU's table makes of Print */
	{ 0xe045, KEY_PAUSE }, /* from browsers on some systems */
};

uint16_t key_from_xt(uint32_t xt)
{
	if (xt > 0x80 && xt <= 0xff)
		xt = 0xe000 | (xt & 0x7f);
	for (size_t i = 0; xt && i < ARRAY_LEN(keys); i++)
		if (keys[i].xt == xt)
			return keys[i].code;
	for (size_t i = 0; i < ARRAY_LEN(other_xt); i++)
		if (other_xt[i].xt == xt)
			return other_xt[i].code;
	return 0;
}

static const struct key *find(uint16_t code)
{
	size_t from = 0, to = ARRAY_LEN(keys);

	while (from < to) {
		size_t mid = (from + to) / 2;

		if (keys[mid].code == code)
			return &keys[mid];
		if (keys[mid].code < code)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

uint16_t key_to_xt(uint16_t code)
{
	const struct key *k = find(code);

	return k ? k->xt : 0;
}

uint16_t key_from_name(const char *name)
{
	if (!name)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!strcasecmp(keys[i].linux_name, name) ||
			(keys[i].name && !strcasecmp(keys[i].name, name)))
			return keys[i].code;
	for (size_t i = 0; i < ARRAY_LEN(other_names); i++)
		if (!strcasecmp(other_names[i].name, name))
			return other_names[i].code;
	return 0;
}

const char *key_name(uint16_t code)
{
	const struct key *k = find(code);

	if (!k)
		return NULL;
	return k->name ? k->name : k->linux_name;
}

uint16_t key_at(unsigned i)
{
	return i < ARRAY_LEN(keys) ? keys[i].code : 0;
}
