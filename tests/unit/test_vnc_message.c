/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where messages end: every type, every prefix of it, every bound. */
#include "display/vnc/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "display/vnc/rfb.h"
#include "util/bytes.h"

static ssize_t normal(const uint8_t *p, size_t n)
{
	bool skip;

	return rfb_message_length(RFB_STAGE_NORMAL, false, p, n, &skip);
}

static void test_the_handshake(void **state)
{
	static const struct {
		enum rfb_stage stage;
		ssize_t length;
	} stages[] = { { RFB_STAGE_VERSION, 12 }, { RFB_STAGE_SECURITY, 1 }, { RFB_STAGE_AUTH, 16 },
		{ RFB_STAGE_INIT, 1 } };
	bool skip = true;

	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		assert_int_equal(
			rfb_message_length(stages[i].stage, false, (const uint8_t *)"R", 1, &skip),
			stages[i].length);
		assert_int_equal(rfb_message_length(stages[i].stage, false, NULL, 0, &skip), 0);
		assert_false(skip);
	}
}

static void test_fixed_lengths(void **state)
{
	static const struct {
		uint8_t type;
		ssize_t length;
	} fixed[] = { { 0, 20 }, { 3, 10 }, { 4, 8 }, { 5, 6 }, { 150, 10 } };

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		assert_int_equal(normal(&fixed[i].type, 1), fixed[i].length);
}

static void test_unknown_types_are_refused(void **state)
{
	static const uint8_t known[] = { 0, 2, 3, 4, 5, 6, 150, 248, 251, 255 };

	for (unsigned type = 0; type < 256; type++) {
		uint8_t m[32] = { type };

		if (memchr(known, type, sizeof known))
			assert_true(normal(m, sizeof m) > 0);
		else
			assert_int_equal(normal(m, sizeof m), -1);
	}
}

static void test_set_encodings(void **state)
{
	uint8_t m[4] = { 2 };

	be16_put(m + 2, 1024);
	assert_int_equal(normal(m, 3), 0);
	assert_int_equal(normal(m, 4), RFB_MESSAGE_MAX);
	be16_put(m + 2, 1025);
	assert_int_equal(normal(m, 4), -1);
}

static void test_cut_text_is_skipped(void **state)
{
	uint8_t m[8] = { 6 };
	bool skip = false;

	be32_put(m + 4, 1 << 20);
	assert_int_equal(normal(m, 7), 0);
	assert_int_equal(rfb_message_length(RFB_STAGE_NORMAL, false, m, 8, &skip), (1 << 20) + 8);
	assert_true(skip);
	be32_put(m + 4, RFB_CLIPBOARD_MAX + 1);
	assert_int_equal(normal(m, 8), -1);
	be32_put(m + 4, -4u); /* the extended clipboard */
	assert_int_equal(normal(m, 8), -1);
}

static void test_fences(void **state)
{
	uint8_t m[9] = { 248 };

	m[8] = 64;
	assert_int_equal(normal(m, 8), 0);
	assert_int_equal(normal(m, 9), 73);
	m[8] = 65;
	assert_int_equal(normal(m, 9), -1);
}

static void test_sizes_and_keys(void **state)
{
	uint8_t size[8] = { 251 }, key[2] = { 255 };

	size[6] = 255;
	assert_int_equal(normal(size, 7), 0);
	assert_int_equal(normal(size, 8), 8 + 16 * 255);
	assert_true(8 + 16 * 255 <= RFB_MESSAGE_MAX);
	assert_int_equal(normal(key, 1), 0);
	assert_int_equal(normal(key, 2), 12);
	key[1] = 1; /* audio */
	assert_int_equal(normal(key, 2), -1);
}

static void test_extended_buttons(void **state)
{
	uint8_t m[2] = { 5, 0x80 };
	bool skip;

	assert_int_equal(rfb_message_length(RFB_STAGE_NORMAL, true, m, 1, &skip), 0);
	assert_int_equal(rfb_message_length(RFB_STAGE_NORMAL, true, m, 2, &skip), 7);
	assert_int_equal(rfb_message_length(RFB_STAGE_NORMAL, false, m, 2, &skip), 6);
	m[1] = 0x7f;
	assert_int_equal(rfb_message_length(RFB_STAGE_NORMAL, true, m, 2, &skip), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_handshake),
		cmocka_unit_test(test_fixed_lengths),
		cmocka_unit_test(test_unknown_types_are_refused),
		cmocka_unit_test(test_set_encodings),
		cmocka_unit_test(test_cut_text_is_skipped),
		cmocka_unit_test(test_fences),
		cmocka_unit_test(test_sizes_and_keys),
		cmocka_unit_test(test_extended_buttons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
