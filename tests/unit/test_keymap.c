/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layouts turned round: levels, locks, dead keys, and names that are wrong. */
#include "input/keymap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

#include "input/compose.h"
#include "util/log.h"

static void expect(
	const struct keymap *km, uint32_t keysym, unsigned state, uint16_t code, unsigned levels)
{
	struct keymap_stroke s;

	assert_true(keymap_find(km, keysym, state, &s));
	assert_int_equal(s.code, code);
	assert_int_equal(s.levels, levels);
}

static void test_american(void **state)
{
	struct keymap *km = keymap_create("us", NULL, NULL);
	struct keymap_stroke s;

	assert_string_equal(keymap_name(km), "us");
	expect(km, XKB_KEY_a, 0, KEY_A, 0);
	expect(km, XKB_KEY_A, 0, KEY_A, KEYMAP_SHIFT);
	expect(km, XKB_KEY_A, KEYMAP_CAPS, KEY_A, 0);
	expect(km, XKB_KEY_a, KEYMAP_CAPS, KEY_A, KEYMAP_SHIFT);
	expect(km, XKB_KEY_1, KEYMAP_CAPS, KEY_1, 0);
	expect(km, XKB_KEY_at, 0, KEY_2, KEYMAP_SHIFT);
	/* both KEY_COMMA and the key that only Europeans have make it */
	expect(km, XKB_KEY_less, KEYMAP_SHIFT, KEY_COMMA, KEYMAP_SHIFT);
	expect(km, XKB_KEY_Return, KEYMAP_SHIFT, KEY_ENTER, KEYMAP_SHIFT);
	expect(km, XKB_KEY_KP_1, KEYMAP_NUM, KEY_KP1, 0);
	expect(km, XKB_KEY_KP_End, 0, KEY_KP1, 0);
	assert_false(keymap_find(km, XKB_KEY_eacute, 0, &s));
	assert_false(keymap_find(km, XKB_KEY_dead_acute, 0, &s));
	assert_int_equal(keymap_any_key(km, XKB_KEY_Shift_L), KEY_LEFTSHIFT);
	assert_int_equal(keymap_any_key(km, XKB_KEY_ISO_Level3_Shift), 0);
	assert_int_equal(keymap_level_key(km, KEYMAP_SHIFT), KEY_LEFTSHIFT);
	assert_int_equal(keymap_level_key(km, KEYMAP_ALTGR), 0);
	assert_int_equal(keymap_level_key(km, KEYMAP_CAPS), 0);
	assert_int_equal(keymap_modifier(km, KEY_RIGHTALT), KEYMAP_ALT);
	assert_int_equal(keymap_modifier(km, KEY_LEFTMETA), KEYMAP_SUPER);
	assert_int_equal(keymap_modifier(km, KEY_A), 0);
	assert_int_equal(keymap_modifier(km, 0xffff), 0);
	keymap_destroy(km);
}

static void test_german(void **state)
{
	struct keymap *km = keymap_create("de", "", "");
	const uint32_t *syms;

	expect(km, XKB_KEY_z, 0, KEY_Y, 0);
	expect(km, XKB_KEY_at, 0, KEY_Q, KEYMAP_ALTGR);
	expect(km, XKB_KEY_EuroSign, 0, KEY_E, KEYMAP_ALTGR);
	expect(km, 0x010020ac, 0, KEY_E, KEYMAP_ALTGR); /* the same, as Unicode */
	expect(km, XKB_KEY_braceleft, 0, KEY_7, KEYMAP_ALTGR);
	expect(km, XKB_KEY_braceright, KEYMAP_ALTGR, KEY_0, KEYMAP_ALTGR);
	expect(km, XKB_KEY_udiaeresis, 0, KEY_LEFTBRACE, 0);
	expect(km, XKB_KEY_Udiaeresis, KEYMAP_CAPS, KEY_LEFTBRACE, 0);
	expect(km, XKB_KEY_dead_acute, 0, KEY_EQUAL, 0);
	expect(km, XKB_KEY_less, 0, KEY_102ND, 0);
	assert_int_equal(keymap_level_key(km, KEYMAP_ALTGR), KEY_RIGHTALT);
	assert_int_equal(keymap_modifier(km, KEY_RIGHTALT), KEYMAP_ALTGR);
	assert_true(keymap_key_gives(km, KEY_Q, XKB_KEY_at));
	assert_true(keymap_key_gives(km, KEY_Q, XKB_KEY_q));
	assert_false(keymap_key_gives(km, KEY_Q, XKB_KEY_a));
	assert_int_equal(keymap_sequence(km, 0xe9, &syms), 2); /* é */
	assert_int_equal(syms[0], XKB_KEY_dead_acute);
	assert_int_equal(syms[1], XKB_KEY_e);
	assert_int_equal(keymap_sequence(km, '^', &syms), 2);
	assert_int_equal(keymap_sequence(km, 0x4e00, &syms), 0);
	keymap_destroy(km);
}

static void test_french(void **state)
{
	struct keymap *km = keymap_create("fr", NULL, NULL);

	expect(km, XKB_KEY_a, 0, KEY_Q, 0);
	expect(km, XKB_KEY_1, 0, KEY_1, KEYMAP_SHIFT);
	expect(km, XKB_KEY_eacute, 0, KEY_2, 0);
	expect(km, XKB_KEY_at, 0, KEY_0, KEYMAP_ALTGR);
	keymap_destroy(km);
}

static void test_fifth_level_and_options(void **state)
{
	struct keymap *km = keymap_create("de", "neo", NULL);
	struct keymap_stroke s;

	assert_string_equal(keymap_name(km), "de(neo)");
	assert_true(keymap_find(km, XKB_KEY_Left, 0, &s));
	assert_int_not_equal(keymap_level_key(km, KEYMAP_LEVEL5), 0);
	keymap_destroy(km);

	km = keymap_create("us", NULL, "compose:ralt,ctrl:nocaps");
	assert_int_equal(keymap_any_key(km, XKB_KEY_Multi_key), KEY_RIGHTALT);
	assert_int_equal(keymap_modifier(km, KEY_CAPSLOCK), KEYMAP_CTRL);
	keymap_destroy(km);
}

/* Whatever a layout finds is what libxkbcommon's own state says the guest sees. */
static void test_every_find_is_right(void **state)
{
	static const char *const layouts[] = { "us", "de", "fr", "gb", "pl", "cz", "gr", "ch" };
	struct xkb_context *ctx = xkb_context_new(XKB_CONTEXT_NO_FLAGS);

	for (unsigned l = 0; l < sizeof layouts / sizeof *layouts; l++) {
		struct xkb_rule_names names = { "evdev", "pc105", layouts[l], "", "" };
		struct xkb_keymap *xkb = xkb_keymap_new_from_names(ctx, &names, 0);
		struct keymap *km = keymap_create(layouts[l], NULL, NULL);
		unsigned found = 0;

		for (uint32_t ucs = 0x20; ucs < 0x3000; ucs++) {
			struct xkb_state *xs = xkb_state_new(xkb);
			struct keymap_stroke s;

			if (keymap_find(km, xkb_utf32_to_keysym(ucs), 0, &s)) {
				for (unsigned bit = 1; bit <= KEYMAP_LEVELS; bit <<= 1)
					if (s.levels & bit)
						xkb_state_update_key(xs,
							keymap_level_key(km, bit) + 8,
							XKB_KEY_DOWN);
				assert_int_equal(xkb_state_key_get_utf32(xs, s.code + 8), ucs);
				found++;
			}
			xkb_state_unref(xs);
		}
		assert_true(found >= 95);
		keymap_destroy(km);
		xkb_keymap_unref(xkb);
	}
	xkb_context_unref(ctx);
}

static void catch_line(void *opaque, enum log_level level, const char *line)
{
	if (level == LOG_ERROR || level == LOG_WARNING)
		snprintf(opaque, 512, "%s", line);
}

static void test_wrong_names(void **state)
{
	char line[512] = "";

	log_set_sink(catch_line, line);
	assert_null(keymap_create("klingon", NULL, NULL));
	assert_non_null(strstr(line, "klingon: there is none"));
	assert_non_null(strstr(line, "evdev.lst"));
	assert_null(keymap_create("de", "klingon", NULL));
	assert_non_null(strstr(line, "no variant klingon"));
	line[0] = 0;
	assert_null(keymap_create("../../etc/passwd", NULL, NULL));
	assert_non_null(strstr(line, "there is none"));
	assert_null(keymap_create("us", "a/b", NULL));
	assert_null(keymap_create("us", NULL, "a%b"));
	log_set_sink(NULL, NULL);
	keymap_destroy(NULL);
}

static void test_a_locale_without_compose_file(void **state)
{
	static const uint32_t keysyms[] = { XKB_KEY_e, XKB_KEY_dead_acute };
	const uint32_t *found;
	struct compose *c;
	char line[512] = "";

	log_set_sink(catch_line, line);
	assert_null(compose_create(keysyms, 1, "en_US.UTF-8")); /* nothing to compose with */
	assert_string_equal(line, "");
	assert_null(compose_create(keysyms, 2, "xx_XX.nothing"));
	assert_non_null(strstr(line, "libx11-data"));
	log_set_sink(NULL, NULL);
	c = compose_create(keysyms, 2, "en_US.UTF-8");
	assert_int_equal(compose_find(c, 0xe9, &found), 2);
	assert_int_equal(compose_find(c, 'e', &found), 0);
	compose_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_american),
		cmocka_unit_test(test_german),
		cmocka_unit_test(test_french),
		cmocka_unit_test(test_fifth_level_and_options),
		cmocka_unit_test(test_every_find_is_right),
		cmocka_unit_test(test_wrong_names),
		cmocka_unit_test(test_a_locale_without_compose_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
