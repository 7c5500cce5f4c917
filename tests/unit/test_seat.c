/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seat: several users on one keyboard, devices that come and go, keys held across both. */
#include "input/seat.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glib.h>
#include <linux/input-event-codes.h>

#include "tests/fakes/fake_seat.h"

struct fixture {
	struct seat *seat;
	struct fake_seat_device first, second, tablet, mouse;
	struct seat_user *a, *b;
	unsigned leds, told;
};

static void leds_changed(void *opaque, unsigned leds)
{
	struct fixture *f = opaque;

	f->leds = leds;
	f->told++;
}

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->seat = seat_create();
	fake_seat_device_init(&f->first, SEAT_KEYBOARD);
	fake_seat_device_init(&f->second, SEAT_KEYBOARD);
	fake_seat_device_init(&f->tablet, SEAT_TABLET);
	fake_seat_device_init(&f->mouse, SEAT_MOUSE);
	seat_add_device(f->seat, &f->first.dev);
	seat_add_device(f->seat, &f->second.dev);
	seat_add_device(f->seat, &f->tablet.dev);
	seat_add_device(f->seat, &f->mouse.dev);
	f->a = seat_user_create(f->seat, "a", leds_changed, f);
	f->b = seat_user_create(f->seat, "b", NULL, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	seat_user_destroy(f->a);
	seat_user_destroy(f->b);
	seat_destroy(f->seat);
	g_free(f);
	return 0;
}

#define assert_log(f, what) assert_string_equal(fake_seat_device_log(&(f)), what)

static void test_a_key_is_one_event(void **state)
{
	struct fixture *f = *state;

	seat_user_key(f->a, KEY_A, true);
	seat_user_key(f->a, KEY_A, false);
	assert_log(f->first, "+30 -30");
	assert_log(f->second, "");
	assert_int_equal(f->first.syncs, 2);
}

static void test_codes_out_of_range_are_ignored(void **state)
{
	struct fixture *f = *state;

	seat_user_key(f->a, 0, true);
	seat_user_key(f->a, KEY_MAX + 1, true);
	seat_user_key(f->a, 0xffff, false);
	seat_user_button(f->a, 0, true);
	seat_user_button(f->a, 0xffff, true);
	assert_log(f->first, "");
	assert_log(f->tablet, "");
	seat_user_key(f->a, KEY_MAX, true);
	assert_log(f->first, "+767");
}

static void test_a_key_is_down_while_anyone_holds_it(void **state)
{
	struct fixture *f = *state;

	seat_user_key(f->a, KEY_A, true);
	seat_user_key(f->b, KEY_A, true);
	seat_user_key(f->a, KEY_A, false);
	assert_log(f->first, "+30");
	seat_user_key(f->a, KEY_A, false);
	assert_log(f->first, "");
	seat_user_key(f->b, KEY_A, false);
	assert_log(f->first, "-30");
}

static void test_nobody_releases_what_another_holds(void **state)
{
	struct fixture *f = *state;

	seat_user_key(f->a, KEY_A, true);
	seat_user_key(f->b, KEY_A, false);
	assert_log(f->first, "+30");
}

static void test_keys_repeat_and_buttons_do_not(void **state)
{
	struct fixture *f = *state;

	seat_user_key(f->a, KEY_A, true);
	seat_user_key(f->a, KEY_A, true);
	seat_user_key(f->a, KEY_A, false);
	assert_log(f->first, "+30 +30 -30");
	seat_user_button(f->a, BTN_LEFT, true);
	seat_user_button(f->a, BTN_LEFT, true);
	seat_user_button(f->a, BTN_LEFT, false);
	assert_log(f->tablet, "+272 -272");
}

static void test_who_leaves_lets_go_modifiers_last(void **state)
{
	struct fixture *f = *state;

	seat_user_key(f->a, KEY_LEFTCTRL, true);
	seat_user_key(f->a, KEY_DELETE, true);
	seat_user_key(f->b, KEY_LEFTCTRL, true);
	seat_user_key(f->a, KEY_LEFTSHIFT, true);
	seat_user_button(f->a, BTN_LEFT, true);
	fake_seat_device_log(&f->first);
	fake_seat_device_log(&f->tablet);
	seat_user_destroy(f->a);
	f->a = NULL;
	assert_log(f->first, "-111 -42");
	assert_log(f->tablet, "-272");
	seat_user_release_all(f->b);
	seat_user_release_all(f->b);
	assert_log(f->first, "-29");
}

static void test_the_first_active_device_is_used(void **state)
{
	struct fixture *f = *state;

	assert_true(seat_listens(f->seat, SEAT_KEYBOARD));
	f->first.active = false;
	seat_user_key(f->a, KEY_A, true);
	assert_log(f->second, "+30");
	f->first.active = true; /* the driver is loaded now */
	seat_user_key(f->a, KEY_B, true);
	seat_user_key(f->a, KEY_A, false);
	assert_log(f->first, "+48");
	assert_log(f->second, "-30"); /* had the press */
	f->first.active = f->second.active = false;
	assert_false(seat_listens(f->seat, SEAT_KEYBOARD));
	seat_user_key(f->a, KEY_B, false);
	assert_log(f->first, "-48");
}

static void test_a_key_pressed_to_nobody(void **state)
{
	struct fixture *f = *state;

	f->first.active = f->second.active = false;
	seat_user_key(f->a, KEY_A, true);
	seat_user_key(f->a, KEY_A, false);
	seat_user_key(f->a, KEY_B, true);
	f->first.active = true;
	seat_user_key(f->a, KEY_B, true);
	seat_user_key(f->a, KEY_B, false);
	assert_log(f->first, "+48 -48");
	assert_log(f->second, "");
}

static void test_buttons_go_where_the_user_moved(void **state)
{
	struct fixture *f = *state;

	seat_user_move_rel(f->a, 1, -2);
	seat_user_button(f->a, BTN_LEFT, true);
	seat_user_move_abs(f->a, 7, 100000);
	seat_user_button(f->a, BTN_LEFT, false);
	seat_user_button(f->a, BTN_RIGHT, true);
	seat_user_wheel(f->a, 120, 0);
	assert_log(f->mouse, "rel:1,-2 +272 -272");
	assert_log(f->tablet, "abs:7,32767 +273 wheel:120,0");
	assert_int_equal(f->mouse.syncs, 3);
	f->tablet.active = false;
	seat_user_wheel(f->a, 0, -60);
	assert_log(f->mouse, "wheel:0,-60");
	f->mouse.active = false;
	seat_user_wheel(f->a, 0, -60);
	seat_user_move_abs(f->a, 1, 1);
	seat_user_move_rel(f->a, 1, 1);
	seat_user_button(f->a, BTN_SIDE, true);
	assert_log(f->mouse, "");
}

static void test_no_motion_is_no_event(void **state)
{
	struct fixture *f = *state;

	seat_user_move_rel(f->a, 0, 0);
	seat_user_wheel(f->a, 0, 0);
	assert_int_equal(f->mouse.syncs + f->tablet.syncs, 0);
}

static void run_pending(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static void *set_caps(void *opaque)
{
	seat_device_leds(opaque, SEAT_LED_CAPS);
	return NULL;
}

static void test_leds_are_told_on_the_main_context(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	pthread_create(&thread, NULL, set_caps, f->seat);
	pthread_join(thread, NULL);
	assert_int_equal(seat_leds(f->seat), SEAT_LED_CAPS);
	assert_int_equal(f->told, 0);
	run_pending();
	assert_int_equal(f->told, 1);
	assert_int_equal(f->leds, SEAT_LED_CAPS);
	seat_device_leds(f->seat, SEAT_LED_CAPS);
	run_pending();
	assert_int_equal(f->told, 1);
	seat_device_leds(f->seat, SEAT_LED_NUM);
	seat_device_leds(f->seat, SEAT_LED_NUM | SEAT_LED_SCROLL);
	run_pending();
	assert_int_equal(f->told, 2);
	assert_int_equal(f->leds, SEAT_LED_NUM | SEAT_LED_SCROLL);
	seat_device_leds(f->seat, 0); /* not told any more: the seat goes */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_key_is_one_event),
		TEST(test_codes_out_of_range_are_ignored),
		TEST(test_a_key_is_down_while_anyone_holds_it),
		TEST(test_nobody_releases_what_another_holds),
		TEST(test_keys_repeat_and_buttons_do_not),
		TEST(test_who_leaves_lets_go_modifiers_last),
		TEST(test_the_first_active_device_is_used),
		TEST(test_a_key_pressed_to_nobody),
		TEST(test_buttons_go_where_the_user_moved),
		TEST(test_no_motion_is_no_event),
		TEST(test_leds_are_told_on_the_main_context),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
