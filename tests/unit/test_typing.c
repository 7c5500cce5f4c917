/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts into keys, and texts that the layout cannot make. */
#include "input/typing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>
#include <linux/input-event-codes.h>

#include "input/keymap.h"
#include "input/seat.h"
#include "tests/fakes/fake_seat.h"

struct fixture {
	struct seat *seat;
	struct fake_seat_device dev;
	struct keymap *us, *de;
	unsigned done, cancelled;
};

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->seat = seat_create();
	fake_seat_device_init(&f->dev, SEAT_KEYBOARD);
	seat_add_device(f->seat, &f->dev.dev);
	f->us = keymap_create("us", NULL, NULL);
	f->de = keymap_create("de", NULL, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	seat_destroy(f->seat);
	keymap_destroy(f->us);
	keymap_destroy(f->de);
	g_free(f);
	return 0;
}

static void done(void *opaque, bool cancelled)
{
	struct fixture *f = opaque;

	f->done++;
	f->cancelled += cancelled;
}

static void expect(struct fixture *f, const struct keymap *km, const char *text, const char *guest)
{
	g_autofree char *error = NULL;

	f->done = 0;
	assert_non_null(typing_start(f->seat, km, text, 1, done, f, &error));
	assert_null(error);
	assert_int_equal(f->done, 0);
	while (!f->done)
		g_main_context_iteration(NULL, TRUE);
	assert_int_equal(f->cancelled, 0);
	assert_string_equal(fake_seat_device_log(&f->dev), guest);
}

static void refuse(struct fixture *f, const char *text, const char *why)
{
	g_autofree char *error = NULL;

	assert_null(typing_start(f->seat, f->us, text, 1, done, f, &error));
	assert_non_null(strstr(error, why));
	assert_string_equal(fake_seat_device_log(&f->dev), "");
	assert_int_equal(f->done, 0);
}

static void test_plain_text(void **state)
{
	struct fixture *f = *state;

	expect(f, f->us, "", "");
	expect(f, f->us, "ab", "+30 -30 +48 -48");
	expect(f, f->us, "aBC!d", "+30 -30 +42 +48 -48 +46 -46 +2 -2 -42 +32 -32");
	expect(f, f->us, "a\tb\n", "+30 -30 +15 -15 +48 -48 +28 -28");
	expect(f, f->us, "\r\n\r", "+28 -28 +28 -28");
}

static void test_levels_and_dead_keys(void **state)
{
	struct fixture *f = *state;

	expect(f, f->de, "@€", "+100 +16 -16 +18 -18 -100");
	expect(f, f->de, "ü", "+26 -26");
	expect(f, f->de, "éa", "+13 -13 +18 -18 +30 -30");
	expect(f, f->de, "È", "+42 +13 -13 +18 -18 -42"); /* both need Shift */
	expect(f, f->de, "^", "+41 -41 +57 -57");
}

static void test_locks_are_minded(void **state)
{
	struct fixture *f = *state;

	seat_device_leds(f->seat, SEAT_LED_CAPS | SEAT_LED_NUM);
	expect(f, f->us, "aB1", "+42 +30 -30 -42 +48 -48 +2 -2");
}

static void test_what_cannot_be_typed(void **state)
{
	struct fixture *f = *state;
	g_autofree char *longer = g_strnfill(TYPING_MAX + 1, 'a');

	refuse(f, "abé", "character 3, \"é\" (U+00E9): the layout us cannot type it");
	refuse(f, "日本", "character 1, \"日\" (U+65E5)");
	refuse(f, "a\x1b[2J", "character 2 (U+001B)");
	refuse(f, "a\xff", "UTF-8");
	refuse(f, "\xed\xa0\x80", "UTF-8"); /* half a surrogate pair */
	refuse(f, longer, "65537 bytes");
	f->dev.active = false;
	refuse(f, "a", "no keyboard");
}

static void test_cancelling_lets_go(void **state)
{
	struct fixture *f = *state;
	g_autofree char *error = NULL;
	struct typing *t = typing_start(f->seat, f->us, "ABC", 1, done, f, &error);

	while (f->dev.syncs < 2)
		g_main_context_iteration(NULL, TRUE);
	typing_cancel(t);
	assert_int_equal(f->done, 1);
	assert_int_equal(f->cancelled, 1);
	assert_string_equal(fake_seat_device_log(&f->dev), "+42 +30 -30 -42");
}

static void test_a_chord(void **state)
{
	static const uint16_t codes[] = { KEY_LEFTCTRL, KEY_LEFTALT, KEY_DELETE };
	struct fixture *f = *state;

	typing_chord(f->seat, codes, 3, 1, done, f);
	while (!f->done)
		g_main_context_iteration(NULL, TRUE);
	assert_string_equal(fake_seat_device_log(&f->dev), "+29 +56 +111 -111 -56 -29");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plain_text),
		TEST(test_levels_and_dead_keys),
		TEST(test_locks_are_minded),
		TEST(test_what_cannot_be_typed),
		TEST(test_cancelling_lets_go),
		TEST(test_a_chord),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
