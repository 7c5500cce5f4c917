/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of keys: one code, one scancode, one name, both ways. */
#include "input/keytable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <linux/input-event-codes.h>

static void test_codes_ascend_and_end(void **state)
{
	unsigned n = 0;

	for (; key_at(n); n++)
		assert_true(!n || key_at(n) > key_at(n - 1));
	assert_true(n > 150);
	assert_int_equal(key_at(n + 1), 0);
	assert_int_equal(key_at(~0u), 0);
}

static void test_every_key_there_and_back(void **state)
{
	for (unsigned i = 0; key_at(i); i++) {
		uint16_t code = key_at(i), xt = key_to_xt(code);

		assert_true((xt > 0 && xt < 0x80) || (xt > 0xe000 && xt < 0xe080));
		assert_int_equal(key_from_xt(xt), code);
		if (xt > 0xe000) /* as RFB packs it */
			assert_int_equal(key_from_xt(0x80 | (xt & 0x7f)), code);
		assert_non_null(key_name(code));
		assert_int_equal(key_from_name(key_name(code)), code);
		for (unsigned j = 0; j < i; j++) {
			assert_int_not_equal(key_to_xt(key_at(j)), xt);
			assert_string_not_equal(key_name(key_at(j)), key_name(code));
		}
	}
}

static void test_names(void **state)
{
	assert_int_equal(key_from_name("ret"), KEY_ENTER);
	assert_int_equal(key_from_name("Ctrl"), KEY_LEFTCTRL);
	assert_int_equal(key_from_name("KEY_A"), KEY_A);
	assert_int_equal(key_from_name("key_f12"), KEY_F12);
	assert_int_equal(key_from_name("kp_0"), KEY_KP0);
	assert_int_equal(key_from_name("0"), KEY_0);
	assert_int_equal(key_from_name("delete"), KEY_DELETE);
	assert_int_equal(key_from_name("del"), KEY_DELETE);
	assert_int_equal(key_from_name("less"), KEY_102ND);
	assert_int_equal(key_from_name("altgr"), KEY_RIGHTALT);
	assert_int_equal(key_from_name("KEY_"), 0);
	assert_int_equal(key_from_name("nokey"), 0);
	assert_int_equal(key_from_name(""), 0);
	assert_int_equal(key_from_name(NULL), 0);
	assert_string_equal(key_name(KEY_SPACE), "spc");
	assert_string_equal(key_name(KEY_WWW), "KEY_WWW");
	assert_null(key_name(84));
	assert_null(key_name(0xffff));
}

static void test_scancodes(void **state)
{
	assert_int_equal(key_from_xt(0x1e), KEY_A);
	assert_int_equal(key_from_xt(0x9d), KEY_RIGHTCTRL);
	assert_int_equal(key_from_xt(0xe01d), KEY_RIGHTCTRL);
	assert_int_equal(key_from_xt(0x54), KEY_SYSRQ);
	assert_int_equal(key_from_xt(0xb7), KEY_SYSRQ);
	assert_int_equal(key_from_xt(0xc6), KEY_PAUSE);
	assert_int_equal(key_from_xt(0), 0);
	assert_int_equal(key_from_xt(0x80), 0);
	assert_int_equal(key_from_xt(0x7f), 0);
	assert_int_equal(key_from_xt(0x101e), 0);
	assert_int_equal(key_from_xt(0xffffffff), 0);
	assert_int_equal(key_to_xt(0), 0);
	assert_int_equal(key_to_xt(BTN_LEFT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes_ascend_and_end),
		cmocka_unit_test(test_every_key_there_and_back),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_scancodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
