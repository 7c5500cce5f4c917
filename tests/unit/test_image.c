/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of kernel loading alone: holes, relocation lists, places in the map. */
#include "vmm/boot/image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/bytes.h"
#include "vmm/boot/map.h"
#include "vmm/boot/reloc.h"
#include "vmm/layout.h"
#include "vmm/memory.h"

enum { PAGE = 4096 };

static int sparse_file(void)
{
	int fd = memfd_create("sparse", MFD_CLOEXEC);
	uint8_t page[PAGE];

	memset(page, 0xab, sizeof page);
	assert_int_equal(ftruncate(fd, 6 * PAGE), 0);
	assert_int_equal(pwrite(fd, page, PAGE, 1 * PAGE), PAGE);
	assert_int_equal(pwrite(fd, page, PAGE, 4 * PAGE), PAGE);
	return fd;
}

/* Shared memory, whose pages can be given back, and private memory, which must be written. */
static void test_copy_makes_holes_zeros(void **state)
{
	int fd = sparse_file();
	uint8_t whole[6 * PAGE];

	assert_int_equal(image_read(fd, 0, whole, sizeof whole), 0);
	for (int shared = 0; shared < 2; shared++) {
		for (unsigned from = 0; from < 6 * PAGE; from += 1000) {
			for (unsigned len = 0; from + len <= 6 * PAGE; len += 1777) {
				uint8_t *to = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
					MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);

				memset(to, 0x11, 8 * PAGE);
				assert_int_equal(image_copy(fd, from, to + 300, len), 0);
				assert_memory_equal(to + 300, whole + from, len);
				assert_int_equal(to[299], 0x11);
				assert_int_equal(to[300 + len], 0x11);
				munmap(to, 8 * PAGE);
			}
		}
	}
	close(fd);
}

static void test_zero_gives_huge_pages_back(void **state)
{
	const size_t size = 8 * MIB, len = 5 * MIB + 7, from = 1000;

	for (int shared = 0; shared < 2; shared++) {
		uint8_t *to = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);

		memset(to, 0x11, size);
		image_zero(to + from, len);
		assert_int_equal(to[from], 0);
		assert_memory_equal(to + from, to + from + 1, len - 1);
		assert_int_equal(to[from - 1], 0x11);
		assert_int_equal(to[from + len], 0x11);
		munmap(to, size);
	}
}

static void test_copy_past_the_end(void **state)
{
	static uint8_t to[8 * PAGE];
	int fd = sparse_file(), pipes[2];

	assert_int_equal(image_copy(fd, 0, to, 6 * PAGE + 1), -ENODATA);
	assert_int_equal(image_copy(fd, 5 * PAGE, to, 2 * PAGE), -ENODATA);
	assert_int_equal(image_copy(fd, 7 * PAGE, to, 1), -ENODATA);
	assert_int_equal(image_copy(fd, UINT64_MAX, to, 1), -EOVERFLOW);
	assert_int_equal(image_copy(fd, INT64_MAX, to, 1), -EOVERFLOW);
	assert_int_equal(image_read(fd, 6 * PAGE, to, 1), -ENODATA);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(image_copy(pipes[0], 0, to, 1), -ESPIPE);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

static void test_reloc_lists(void **state)
{
	static const int32_t three[] = { 0, 1, 2, 0, 3, 0, 4, 5, 6 };
	static const int32_t two[] = { 0, 1, 0, 2 };
	static const int32_t empty[] = { 0, 0, 0 };
	static const int32_t one[] = { 0, 1 }, four[] = { 0, 0, 0, 0 }, headless[] = { 1, 0, 2, 0 };
	struct reloc_lists l;

	assert_int_equal(reloc_split(&l, three, ARRAY_LEN(three)), 0);
	assert_int_equal(l.abs64.first, 1);
	assert_int_equal(l.abs64.count, 2);
	assert_int_equal(l.inverse32.first, 4);
	assert_int_equal(l.inverse32.count, 1);
	assert_int_equal(l.abs32.first, 6);
	assert_int_equal(l.abs32.count, 3);
	assert_int_equal(reloc_split(&l, two, ARRAY_LEN(two)), 0);
	assert_int_equal(l.inverse32.count, 0);
	assert_int_equal(l.abs32.first, 3);
	assert_int_equal(reloc_split(&l, empty, ARRAY_LEN(empty)), 0);
	assert_int_equal(l.abs64.count + l.inverse32.count + l.abs32.count, 0);
	assert_int_equal(reloc_split(&l, one, ARRAY_LEN(one)), -EINVAL);
	assert_int_equal(reloc_split(&l, four, ARRAY_LEN(four)), -EINVAL);
	assert_int_equal(reloc_split(&l, headless, ARRAY_LEN(headless)), -EINVAL);
	assert_int_equal(reloc_split(&l, two, 0), -EINVAL);
}

static void test_reloc_bounds(void **state)
{
	const uint64_t base = 0xffffffff81000000;
	uint8_t data[64] = { 0 };
	struct reloc_image image = { data, sizeof data, base };
	struct reloc_lists l;
	/* word i of the 64-bit list, then one of the inverse list, then of the 32-bit list */
	static const struct {
		int32_t words[3];
		int err;
	} rows[] = {
		{ { 56, 60, 0 }, 0 }, { { 57, 0, 0 }, -EINVAL }, { { 0, 61, 0 }, -EINVAL },
		{ { 0, 0, 61 }, -EINVAL }, { { -1, 0, 0 }, -EINVAL }, { { 0, -1, 0 }, -EINVAL },
		{ { 0, 0, -1 }, -EINVAL },
		{ { 0x7effffff, 0, 0 }, -EINVAL }, /* the highest address of all */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int32_t words[6] = { 0 };

		for (int n = 0; n < 3; n++)
			words[2 * n + 1] = (int32_t)(uint32_t)(base + rows[i].words[n]);
		assert_int_equal(reloc_split(&l, words, 6), 0);
		assert_int_equal(reloc_apply(&l, words, &image, 0x200000), rows[i].err);
	}
	assert_int_equal(le64_get(data + 56) & UINT32_MAX, 0x200000);
	assert_int_equal(le32_get(data + 60), (uint32_t)-0x200000);
}

static void test_map(void **state)
{
	struct memory m = { .nregions = 2,
		.regions = { { 0, 3 * GIB, 0, NULL }, { 4 * GIB, GIB, 3 * GIB, NULL } } };
	struct map map;

	map_init(&map, &m);
	assert_int_equal(map_low_end(&map), 3 * GIB);
	assert_int_equal(map.ranges[map.n - 1].base, 4 * GIB);
}

static void test_pick(void **state)
{
	struct map map = {
		.n = 3,
		.ranges = { { 0, 10, MAP_RAM }, { 10, 90, MAP_RESERVED }, { 100, 50, MAP_RAM } },
	};
	const struct map_range nothing = { 0 }, middle = { 110, 10, MAP_RAM };
	bool seen[200] = { 0 };
	unsigned n = 0;

	for (uint64_t r = 0; r < 1000; r++)
		seen[map_pick(&map, 8, 4, 0, UINT64_MAX, &nothing, r)] = true;
	for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
		if (!seen[i])
			continue;
		n++;
		assert_int_equal(i % 4, 0);
		assert_true(i + 8 <= 10 || (i >= 100 && i + 8 <= 150));
	}
	assert_int_equal(n, 1 + 11); /* 0; 100, 104 .. 140 */

	memset(seen, 0, sizeof seen);
	for (uint64_t r = 0; r < 1000; r++)
		seen[map_pick(&map, 8, 2, 101, 140, &middle, r)] = true;
	for (n = 0; n < ARRAY_LEN(seen); n++)
		assert_int_equal(seen[n], n == 102 || (n >= 120 && n <= 132 && n % 2 == 0));

	assert_int_equal(map_pick(&map, 51, 1, 0, UINT64_MAX, &nothing, 5), 0);
	assert_int_equal(map_pick(&map, 8, 4, 150, UINT64_MAX, &nothing, 5), 0);
	assert_int_equal(map_pick(&map, 8, 4, 0, 3, &nothing, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_makes_holes_zeros),
		cmocka_unit_test(test_zero_gives_huge_pages_back),
		cmocka_unit_test(test_copy_past_the_end),
		cmocka_unit_test(test_reloc_lists),
		cmocka_unit_test(test_reloc_bounds),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_pick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
