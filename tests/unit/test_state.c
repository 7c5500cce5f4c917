/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections: what was put comes back, and nothing else does. */
#include "vmm/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void write_one(struct state_writer *w)
{
	size_t mark;

	state_writer_init(w);
	mark = state_begin(w, "rtc", 2);
	state_put_u8(w, 0x12);
	state_put_u16(w, 0x3456);
	state_put_u32(w, 0x789abcde);
	state_put_u64(w, 0x1122334455667788ull);
	state_put_bytes(w, "bytes", 5);
	state_end(w, mark);
}

static void test_what_was_put_comes_back(void **state)
{
	struct state_writer w;
	struct state_reader r, body;
	char bytes[5];
	uint32_t len;

	write_one(&w);
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(state_section(&r, "rtc", 3, &body), 2);
	assert_int_equal(state_get_u8(&body), 0x12);
	assert_int_equal(state_get_u16(&body), 0x3456);
	assert_int_equal(state_get_u32(&body), 0x789abcde);
	assert_int_equal(state_get_u64(&body), 0x1122334455667788ull);
	assert_false(state_reader_done(&body));
	state_get_bytes(&body, bytes, 5);
	assert_memory_equal(bytes, "bytes", 5);
	assert_true(state_reader_done(&body));
	assert_true(state_reader_done(&r));
	assert_int_equal(state_get_u8(&body), 0); /* behind the end */
	assert_true(body.failed);
	assert_null(state_get_blob(&body, &len, 100));
	assert_int_equal(len, 0);
	state_writer_finish(&w);
}

static void refuse(const char *name, uint16_t newest, size_t cut)
{
	struct state_writer w;
	struct state_reader r, body;

	write_one(&w);
	state_reader_init(&r, w.data, w.len - cut);
	assert_int_equal(state_section(&r, name, newest, &body), 0);
	assert_true(r.failed);
	assert_true(body.failed);
	assert_int_equal(state_get_u32(&body), 0);
	state_writer_finish(&w);
}

static void test_foreign_sections_are_refused(void **state)
{
	refuse("rt", 3, 0);
	refuse("rtc2", 3, 0);
	refuse("rtc", 1, 0); /* written by a newer version */
	for (size_t cut = 1; cut < 30; cut++)
		refuse("rtc", 3, cut);
}

static void test_byte_strings_have_exact_lengths(void **state)
{
	struct state_writer w;
	struct state_reader r;
	char buf[8] = "1234567";

	state_writer_init(&w);
	state_put_bytes(&w, "abc", 3);
	state_reader_init(&r, w.data, w.len);
	state_get_bytes(&r, buf, 4);
	assert_true(r.failed);
	assert_memory_equal(buf, "\0\0\0\000567", 7);
	state_reader_init(&r, w.data, w.len);
	state_get_bytes(&r, buf, 2); /* longer than there is room for */
	assert_true(r.failed);
	w.data[3] = 0x7f; /* a length of gigabytes */
	state_reader_init(&r, w.data, w.len);
	state_get_bytes(&r, buf, 3);
	assert_true(r.failed);
	state_writer_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_put_comes_back),
		cmocka_unit_test(test_foreign_sections_are_refused),
		cmocka_unit_test(test_byte_strings_have_exact_lengths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
