/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest RAM: what is RAM and what is not, and sizes that the host does not have. */
#include "vmm/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "util/bytes.h"
#include "util/log.h"

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	strncpy(opaque, line, 255);
}

static void test_ranges_are_ram_wholly_or_not_at_all(void **state)
{
	struct memory m;

	assert_int_equal(memory_init(&m, 4 * MIB, "/dev/shm"), 0);
	assert_non_null(memory_ptr(&m, 0, 4 * MIB));
	assert_non_null(memory_ptr(&m, 4 * MIB - 1, 1));
	assert_non_null(memory_ptr(&m, 0x1000, 0));
	assert_null(memory_ptr(&m, 4 * MIB, 0));
	assert_null(memory_ptr(&m, 4 * MIB - 1, 2));
	assert_null(memory_ptr(&m, 0, 4 * MIB + 1));
	assert_null(memory_ptr(&m, 0x1000, ~0ull));
	assert_null(memory_ptr(&m, ~0ull, 2));
	assert_null(memory_ptr(&m, 0xfee00000, 4));
	memory_finish(&m);
}

/* The RAM is sparse, so a machine of any size can test the hole. */
static void test_the_hole_is_no_ram(void **state)
{
	struct memory m;

	assert_int_equal(memory_init(&m, 4 * GIB, "/dev/shm"), 0);
	assert_int_equal(m.nregions, 2);
	assert_non_null(memory_ptr(&m, 3 * GIB - 16, 16));
	assert_null(memory_ptr(&m, 3 * GIB - 16, 17));
	assert_null(memory_ptr(&m, 3 * GIB, 1));
	assert_null(memory_ptr(&m, 4 * GIB - 1, 1));
	assert_non_null(memory_ptr(&m, 4 * GIB, 1 * GIB));
	assert_null(memory_ptr(&m, 4 * GIB, 1 * GIB + 1));
	/* The second region goes on in the file where the first ends. */
	assert_int_equal(m.regions[1].offset, 3 * GIB);
	memory_finish(&m);
}

static void test_copies_are_all_or_nothing(void **state)
{
	struct memory m;
	uint8_t buf[8] = { 'u', 'n', 's', 'p', 'o', 'i', 'l', 't' };

	assert_int_equal(memory_init(&m, 2 * MIB, "/dev/shm"), 0);
	assert_int_equal(memory_write(&m, 2 * MIB - 8, "12345678", 8), 0);
	assert_int_equal(memory_read(&m, 2 * MIB - 4, buf, 8), -EFAULT);
	assert_memory_equal(buf, "unspoilt", 8);
	assert_int_equal(memory_write(&m, 2 * MIB - 4, buf, 8), -EFAULT);
	assert_int_equal(memory_read(&m, 2 * MIB - 8, buf, 8), 0);
	assert_memory_equal(buf, "12345678", 8);
	memory_finish(&m);
}

static void test_errors_name_the_mend(void **state)
{
	struct memory m;
	char line[256] = "";

	log_set_sink(keep_line, line);
	assert_int_equal(memory_init(&m, 1ull << 50, "/dev/shm"), -ENOMEM);
	assert_non_null(strstr(line, "lower --memory"));
	assert_int_equal(memory_init(&m, 2 * MIB, "/nowhere"), -ENOENT);
	assert_non_null(strstr(line, "--run"));
	assert_int_not_equal(memory_init(&m, 2 * MIB, "/proc"), 0);
	log_set_sink(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_are_ram_wholly_or_not_at_all),
		cmocka_unit_test(test_the_hole_is_no_ram),
		cmocka_unit_test(test_copies_are_all_or_nothing),
		cmocka_unit_test(test_errors_name_the_mend),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
