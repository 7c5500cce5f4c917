/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress of a build out of what mmdebstrap prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiles/build_progress.h"

static bool feed(struct build_progress *p, const char *text)
{
	return build_progress_feed(p, text, strlen(text));
}

static void test_phases_and_percents(void **state)
{
	struct build_progress p;

	build_progress_init(&p);
	assert_int_equal(build_progress_total(&p), 0);
	assert_true(feed(&p, "\033[32mI: running apt-get update...\033[0m\n"));
	assert_int_equal(p.phase, BUILD_LISTS);
	/* In pieces, as a terminal gives them. */
	assert_false(feed(&p, "I: downloading pack"));
	assert_true(feed(&p, "ages with apt...\r\n"));
	assert_int_equal(p.phase, BUILD_DOWNLOAD);
	assert_true(feed(&p, "\033[2Kdlstatus:     42.50 [====    ]\r"));
	assert_true(p.percent > 42 && p.percent < 43);
	assert_false(feed(&p, "\033[2Kdlstatus:     41.00 [====    ]\r"));
	assert_true(feed(&p, "I: installing remaining packages inside the chroot...\n"));
	assert_true(p.percent == 0);
	/* Out of order: a phase that is over does not come back. */
	assert_false(feed(&p, "I: extracting archives...\n"));
	assert_int_equal(p.phase, BUILD_INSTALL);
	build_progress_enter(&p, BUILD_PACK);
	build_progress_enter(&p, BUILD_CUSTOMIZE);
	assert_int_equal(p.phase, BUILD_PACK);
	assert_true(build_progress_total(&p) > 80 && build_progress_total(&p) < 100);
	build_progress_finish(&p);
}

static void test_log_keeps_lines_only(void **state)
{
	struct build_progress p;

	build_progress_init(&p);
	feed(&p,
		"\033[2Kpmstatus:    10.00 [=  ]\r\033[2Kdone\n\nSetting up x: 1.2 (y)\nE: \033[31mbroken\033[0m\n");
	assert_string_equal(p.log->str, "done\nSetting up x: 1.2 (y)\nE: broken\n");
	build_progress_finish(&p);
}

static void test_nonsense(void **state)
{
	struct build_progress p;
	char *endless = g_malloc(100000);

	build_progress_init(&p);
	memset(endless, 'x', 100000);
	build_progress_feed(&p, endless, 100000);
	assert_true(p.line->len <= 4096);
	feed(&p, "\n");
	assert_false(feed(&p, "x: 100.50\nx: nan\nx: -1.00\nx: 5\n:\n\033\n\033[\n\033[9\n"));
	assert_false(build_progress_feed(&p, "\0\0", 2));
	assert_int_equal(p.phase, BUILD_START);
	assert_true(p.percent == 0);
	g_free(endless);
	build_progress_finish(&p);
}

static void test_time_left(void **state)
{
	struct build_progress p;

	build_progress_init(&p);
	assert_int_equal(build_progress_left(&p, 1, 0), 0);
	assert_int_equal(build_progress_left(&p, 0, 100), 100);
	build_progress_enter(&p, BUILD_INSTALL);
	/* Slower than the last time: more than that is left, and never nothing. */
	assert_true(build_progress_left(&p, 90, 100) >= 20);
	assert_true(build_progress_left(&p, 10, 0) > 10);
	build_progress_enter(&p, BUILD_PACK);
	p.percent = 100;
	assert_int_equal(build_progress_left(&p, 500, 100), 1);
	build_progress_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phases_and_percents),
		cmocka_unit_test(test_log_keeps_lines_only),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_time_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
