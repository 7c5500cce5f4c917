/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A viewer's keysyms on guests with the same and with other layouts. */
#include "input/keyboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>
#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

#include "input/keymap.h"
#include "input/seat.h"
#include "tests/fakes/fake_seat.h"

enum { US, DE, FR, LAYOUTS };

static struct keymap *layouts[LAYOUTS];

struct fixture {
	struct seat *seat;
	struct fake_seat_device dev;
	struct seat_user *user;
	struct keyboard *kb;
};

static int make_layouts(void **state)
{
	layouts[US] = keymap_create("us", NULL, NULL);
	layouts[DE] = keymap_create("de", NULL, NULL);
	layouts[FR] = keymap_create("fr", NULL, NULL);
	return 0;
}

static int free_layouts(void **state)
{
	for (int i = 0; i < LAYOUTS; i++)
		keymap_destroy(layouts[i]);
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);

	f->seat = seat_create();
	fake_seat_device_init(&f->dev, SEAT_KEYBOARD);
	seat_add_device(f->seat, &f->dev.dev);
	f->user = seat_user_create(f->seat, "viewer", NULL, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	keyboard_destroy(f->kb);
	seat_user_destroy(f->user);
	seat_destroy(f->seat);
	g_free(f);
	return 0;
}

static void layout(struct fixture *f, int which)
{
	keyboard_destroy(f->kb);
	f->kb = keyboard_create(f->seat, f->user, layouts[which]);
	fake_seat_device_log(&f->dev);
}

/* "+Shift_L +A -A": presses and releases by keysym names; what the guest got must be equal. */
static void expect(struct fixture *f, const char *events, const char *guest)
{
	g_auto(GStrv) words = g_strsplit(events, " ", -1);

	for (char **w = words; *w; w++) {
		xkb_keysym_t keysym = xkb_keysym_from_name(*w + 1, XKB_KEYSYM_NO_FLAGS);

		assert_int_not_equal(keysym, XKB_KEY_NoSymbol);
		keyboard_keysym(f->kb, keysym, **w == '+');
	}
	assert_string_equal(fake_seat_device_log(&f->dev), guest);
}

static void test_the_same_layout_passes_as_it_is(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	expect(f, "+a -a", "+30 -30");
	expect(f, "+Shift_L +A -A -Shift_L", "+42 +30 -30 -42");
	expect(f, "+Control_L +c -c -Control_L", "+29 +46 -46 -29");
	expect(f, "+Shift_R +less -less -Shift_R", "+54 +51 -51 -54");
	expect(f, "+Return -Return +F12 -F12", "+28 -28 +88 -88");
	expect(f, "+Shift_L +ISO_Left_Tab -ISO_Left_Tab -Shift_L", "+42 +15 -15 -42");
	layout(f, DE);
	expect(f, "+ISO_Level3_Shift +at -at -ISO_Level3_Shift", "+100 +16 -16 -100");
	expect(f, "+ISO_Level3_Shift +EuroSign -EuroSign -ISO_Level3_Shift", "+100 +18 -18 -100");
	expect(f, "+Mode_switch +braceleft -braceleft -Mode_switch", "+100 +8 -8 -100");
	expect(f, "+dead_acute -dead_acute +e -e", "+13 -13 +18 -18");
}

static void test_modifiers_are_added(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	expect(f, "+A -A", "+42 +30 -30 -42"); /* from a viewer with Caps Lock */
	expect(f, "+numbersign -numbersign", "+42 +4 -4 -42");
	layout(f, DE);
	expect(f, "+at -at", "+100 +16 -16 -100");
	layout(f, FR);
	expect(f, "+1 -1", "+42 +2 -2 -42");
}

static void test_modifiers_are_lifted(void **state)
{
	struct fixture *f = *state;

	layout(f, US); /* a German viewer: Shift and 7 make a slash */
	expect(f, "+Shift_L +slash -slash -Shift_L", "+42 -42 +53 -53 +42 -42");
	expect(f, "+Shift_L +slash -Shift_L -slash", "+42 -42 +53 -53");
	layout(f, FR);
	expect(f, "+Shift_L +exclam -exclam +A -A -Shift_L", "+42 -42 +53 -53 +42 +16 -16 -42");
	layout(f, DE); /* a French viewer: AltGr and the key of 0 */
	expect(f, "+ISO_Level3_Shift +numbersign -numbersign -ISO_Level3_Shift",
		"+100 -100 +43 -43 +100 -100");
}

static void test_altgr_that_the_guest_has_not(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	expect(f, "+ISO_Level3_Shift +at -at -ISO_Level3_Shift", "+42 +3 -3 -42");
	expect(f, "+Alt_R -Alt_R", "+100 -100");
	layout(f, DE); /* an American's right Alt */
	expect(f, "+Alt_R -Alt_R", "+56 -56");
}

static void test_ctrl_and_alt_for_altgr(void **state)
{
	struct fixture *f = *state;

	layout(f, DE);
	expect(f, "+Control_L +Alt_R +at -at -Alt_R -Control_L",
		"+29 +56 -56 -29 +100 +16 -16 -100 +29 +56 -56 -29");
	layout(f, US);
	expect(f, "+Control_L +Alt_L +at -at -Alt_L -Control_L",
		"+29 +56 -56 -29 +42 +3 -3 -42 +29 +56 -56 -29");
	/* shortcuts stay what they are */
	expect(f, "+Control_L +Alt_L +t -t -Alt_L -Control_L", "+29 +56 +20 -20 -56 -29");
	expect(f, "+Control_L +Alt_L +Delete -Delete -Alt_L -Control_L",
		"+29 +56 +111 -111 -56 -29");
	expect(f, "+Control_L +Alt_L +XF86Switch_VT_2 -XF86Switch_VT_2 -Alt_L -Control_L",
		"+29 +56 +60 -60 -56 -29");
}

static void test_caps_lock_of_the_guest_counts(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	seat_device_leds(f->seat, SEAT_LED_CAPS);
	expect(f, "+A -A", "+30 -30");
	expect(f, "+a -a", "+42 +30 -30 -42");
	expect(f, "+Shift_L +a -a -Shift_L", "+42 +30 -30 -42");
	expect(f, "+Shift_L +A -A -Shift_L", "+42 -42 +30 -30 +42 -42");
	expect(f, "+exclam -exclam", "+42 +2 -2 -42");
	expect(f, "+Caps_Lock -Caps_Lock", "+58 -58");
}

static void test_caps_lock_makes_no_other_shortcut(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	expect(f, "+Control_L +S -S -Control_L", "+29 +31 -31 -29");
	expect(f, "+Control_L +Shift_L +S -S -Shift_L -Control_L", "+29 +42 +31 -31 -42 -29");
	seat_device_leds(f->seat, SEAT_LED_CAPS);
	expect(f, "+Super_L +s -s -Super_L", "+125 +31 -31 -125");
}

static void test_num_lock(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	expect(f, "+KP_1 -KP_1 +KP_End -KP_End", "+2 -2 +79 -79");
	expect(f, "+KP_Add -KP_Add +KP_Enter -KP_Enter", "+78 -78 +96 -96");
	seat_device_leds(f->seat, SEAT_LED_NUM);
	expect(f, "+KP_1 -KP_1 +KP_End -KP_End", "+79 -79 +107 -107");
	expect(f, "+KP_Decimal -KP_Decimal", "+83 -83");
	layout(f, DE); /* has KP_Separator there, and the other on a rare key */
	expect(f, "+KP_Decimal -KP_Decimal", "+121 -121");
	expect(f, "+KP_Separator -KP_Separator", "+83 -83");
	layout(f, FR); /* digits need Shift */
	seat_device_leds(f->seat, 0);
	expect(f, "+KP_1 -KP_1", "+42 +2 -2 -42");
}

static void test_a_release_finds_its_key(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	expect(f, "+Shift_L +A -Shift_L -a", "+42 +30 -42 -30");
	expect(f, "+Shift_L +A -Shift_L +a -a -A", "+42 +30 -42 -30 +30 -30");
	expect(f, "-b -Shift_R", "");
	expect(f, "+a +b -a -b", "+30 +48 -30 -48");
	expect(f, "+A +b -b -A", "+42 +30 -42 +48 -48 -30");
}

static void test_keys_repeat(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	expect(f, "+a +a +a -a", "+30 +30 +30 -30");
	expect(f, "+A +A -A", "+42 +30 +30 -30 -42"); /* Shift stays for it */
	expect(f, "+Shift_L +Shift_L +slash +Shift_L -slash -Shift_L",
		"+42 +42 -42 +53 -53 +42 -42");
}

static void test_a_dead_key_for_a_viewer_that_composes(void **state)
{
	struct fixture *f = *state;

	layout(f, DE);
	expect(f, "+eacute -eacute", "+13 -13 +18 -18");
	expect(f, "+Shift_L +Eacute -Eacute -Shift_L", "+42 -42 +13 -13 +42 +18 -18 -42");
	layout(f, US);
	expect(f, "+eacute -eacute", "");
	expect(f, "+dead_acute -dead_acute", "+40 -40"); /* better than nothing */
	expect(f, "+Cyrillic_ef -Cyrillic_ef", "");
}

static void test_codes(void **state)
{
	struct fixture *f = *state;

	layout(f, DE);
	keyboard_code(f->kb, KEY_A, true);
	keyboard_code(f->kb, KEY_A, true);
	keyboard_code(f->kb, KEY_A, false);
	keyboard_code(f->kb, KEY_A, false);
	assert_string_equal(fake_seat_device_log(&f->dev), "+30 +30 -30");
	keyboard_code(f->kb, KEY_LEFTSHIFT, true); /* known to what comes by keysym */
	expect(f, "+A -A +a -a", "+42 +30 -30 -42 +30 -30 +42");
	keyboard_code(f->kb, KEY_B, true);
	keyboard_code(f->kb, KEY_LEFTSHIFT, false);
	assert_string_equal(fake_seat_device_log(&f->dev), "+48 -42");
}

static void test_all_is_released_at_the_end(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	expect(f, "+Control_L +A", "+29 +30");
	keyboard_release_all(f->kb);
	assert_string_equal(fake_seat_device_log(&f->dev), "-30 -29");
	expect(f, "-A -Control_L", "");
	expect(f, "+at", "+42 +3");
	keyboard_destroy(f->kb);
	f->kb = NULL;
	assert_string_equal(fake_seat_device_log(&f->dev), "-3 -42");
	keyboard_destroy(NULL);
}

static void test_a_flood_is_bounded(void **state)
{
	struct fixture *f = *state;

	layout(f, US);
	for (uint16_t code = 1; code < 100; code++)
		keyboard_code(f->kb, code, true);
	for (uint32_t keysym = 0; keysym < 0x10000; keysym++) {
		keyboard_keysym(f->kb, keysym, true);
		fake_seat_device_log(&f->dev);
	}
	keyboard_keysym(f->kb, 0xffffffff, true);
	keyboard_release_all(f->kb);
	fake_seat_device_log(&f->dev);
	expect(f, "+a -a", "+30 -30");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_same_layout_passes_as_it_is),
		TEST(test_modifiers_are_added),
		TEST(test_modifiers_are_lifted),
		TEST(test_altgr_that_the_guest_has_not),
		TEST(test_ctrl_and_alt_for_altgr),
		TEST(test_caps_lock_of_the_guest_counts),
		TEST(test_caps_lock_makes_no_other_shortcut),
		TEST(test_num_lock),
		TEST(test_a_release_finds_its_key),
		TEST(test_keys_repeat),
		TEST(test_a_dead_key_for_a_viewer_that_composes),
		TEST(test_codes),
		TEST(test_all_is_released_at_the_end),
		TEST(test_a_flood_is_bounded),
	};
	return cmocka_run_group_tests(tests, make_layouts, free_layouts);
}
