/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot=on against a model: random operations, many at once, and the base never changes. */
#include "vmm/block/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fakes/disk_rig.h"
#include "util/bytes.h"

/* The last cluster is a part of one. */
enum { SECTORS = 16 * 8 + 3, SIZE = SECTORS * 512, SLOTS = 24, ROUNDS = 400 };

struct rig {
	struct disk_rig g;
	struct disk *d;
	unsigned random;
	uint8_t model[SIZE];
};

static unsigned next_random(struct rig *r, unsigned below)
{
	r->random = r->random * 1103515245 + 12345;
	return (r->random >> 12) % below;
}

static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof *r);
	r->random = 1;
	disk_rig_init(&r->g);
	disk_rig_file(&r->g, SIZE);
	for (unsigned i = 0; i < SIZE; i++)
		r->model[i] = disk_rig_pattern(i);
	assert_int_equal(disk_rig_open(&r->g, &(struct disk_config){ .snapshot = true }, &r->d), 0);
	assert_false(disk_info(r->d)->readonly);
}

static void rig_finish(struct rig *r)
{
	FILE *f = fopen(r->g.path, "r");

	disk_close(r->d);
	for (unsigned i = 0; i < SIZE; i++) /* as it was */
		assert_int_equal(getc(f), disk_rig_pattern(i));
	fclose(f);
	disk_rig_finish(&r->g);
}

static void check_all(struct rig *r)
{
	uint8_t *buf = malloc(SIZE);

	assert_int_equal(disk_rig_do(&r->g, r->d, DISK_READ, 0, buf, SIZE), 0);
	for (unsigned i = 0; i < SIZE; i++)
		if (buf[i] != r->model[i])
			fail_msg("byte %u is %u, not %u", i, buf[i], r->model[i]);
	free(buf);
}

static void pick_range(struct rig *r, uint64_t *offset, uint64_t *len)
{
	uint64_t at = next_random(r, SECTORS);
	uint64_t wish = next_random(r, 4) ? 6 : 40, most = MIN(SECTORS - at, wish);

	*offset = at * 512;
	*len = (1 + next_random(r, (unsigned)most)) * 512;
}

static void test_one_after_the_other(void **state)
{
	struct rig r;
	uint8_t *buf = malloc(SIZE);

	rig_init(&r);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t offset, len;

		pick_range(&r, &offset, &len);
		switch (next_random(&r, 4)) {
		case 0:
			assert_int_equal(disk_rig_do(&r.g, r.d, DISK_READ, offset, buf, len), 0);
			assert_memory_equal(buf, r.model + offset, len);
			break;
		case 1:
			assert_int_equal(
				disk_rig_do(&r.g, r.d, DISK_WRITE_ZEROES, offset, NULL, len), 0);
			memset(r.model + offset, 0, len);
			break;
		default:
			memset(buf, i, len);
			assert_int_equal(disk_rig_do(&r.g, r.d, DISK_WRITE, offset, buf, len), 0);
			memset(r.model + offset, i, len);
			break;
		}
		if (i % 40 == 0)
			check_all(&r);
	}
	check_all(&r);
	rig_finish(&r);
	free(buf);
}

struct slot {
	struct disk_wait w;
	bool busy;
	uint8_t *buf;
};

static bool overlaps(const struct slot *s, uint64_t offset, uint64_t len)
{
	return s->busy && offset < s->w.r.offset + s->w.r.len && s->w.r.offset < offset + len;
}

/*
 * Many in flight whose sectors are apart but whose clusters are not: each must survive the
 * copying that the others do. Reads of sectors that a change has in flight are not asked for.
 */
static void test_many_at_once(void **state)
{
	struct rig r;
	struct slot *slots = calloc(SLOTS, sizeof *slots);

	rig_init(&r);
	for (int i = 0; i < SLOTS; i++)
		slots[i].buf = malloc(SIZE);
	for (int i = 0; i < 20 * ROUNDS; i++) {
		struct slot *s = &slots[next_random(&r, SLOTS)];
		uint64_t offset, len;
		bool apart = true;
		unsigned what = next_random(&r, 6);

		if (s->busy) {
			assert_int_equal(disk_rig_wait(&r.g, &s->w), 0);
			s->busy = false;
			if (s->w.r.op == DISK_READ)
				assert_memory_equal(s->buf, r.model + s->w.r.offset, s->w.r.len);
		}
		pick_range(&r, &offset, &len);
		for (int j = 0; j < SLOTS; j++)
			apart = apart && !overlaps(&slots[j], offset, len);
		if (!apart)
			continue;
		s->busy = true;
		if (what == 0) {
			disk_rig_start(r.d, &s->w, DISK_READ, offset, s->buf, len);
		} else if (what == 1) {
			disk_rig_start(r.d, &s->w, DISK_WRITE_ZEROES, offset, NULL, len);
			memset(r.model + offset, 0, len);
		} else {
			memset(s->buf, i, len);
			disk_rig_start(r.d, &s->w, DISK_WRITE, offset, s->buf, len);
			memset(r.model + offset, i, len);
		}
		if (next_random(&r, 8) == 0)
			loop_step(r.g.loop, 0);
		if (i % 500 == 0) { /* a fresh base below, so that there is always much to copy */
			for (int j = 0; j < SLOTS; j++) {
				if (slots[j].busy)
					assert_int_equal(disk_rig_wait(&r.g, &slots[j].w), 0);
				slots[j].busy = false;
			}
			check_all(&r);
			disk_close(r.d);
			assert_int_equal(disk_rig_open(&r.g,
						 &(struct disk_config){ .snapshot = true }, &r.d),
				0);
			for (unsigned j = 0; j < SIZE; j++)
				r.model[j] = disk_rig_pattern(j);
		}
	}
	for (int i = 0; i < SLOTS; i++) {
		if (slots[i].busy)
			assert_int_equal(disk_rig_wait(&r.g, &slots[i].w), 0);
		free(slots[i].buf);
	}
	check_all(&r);
	rig_finish(&r);
	free(slots);
}

static void test_discard_leaves_old_bytes_or_zeros(void **state)
{
	struct rig r;
	uint8_t *buf = malloc(SIZE);

	rig_init(&r);
	memset(buf, 0xee, 8192);
	assert_int_equal(disk_rig_do(&r.g, r.d, DISK_WRITE, 4096, buf, 8192), 0);
	assert_int_equal(disk_rig_do(&r.g, r.d, DISK_DISCARD, 0, NULL, 20480), 0);
	assert_int_equal(disk_rig_do(&r.g, r.d, DISK_READ, 0, buf, SIZE), 0);
	for (unsigned i = 0; i < SIZE; i++) {
		bool written = i >= 4096 && i < 12288;

		assert_true(buf[i] == (written ? 0 : disk_rig_pattern(i)));
	}
	assert_int_equal(disk_rig_do(&r.g, r.d, DISK_FLUSH, 0, NULL, 0), 0);
	rig_finish(&r);
	free(buf);
}

static void test_closing_waits_for_those_that_wait(void **state)
{
	struct rig r;
	struct disk_wait w[8];
	uint8_t buf[512] = { 0 };

	rig_init(&r);
	for (int i = 0; i < 8; i++) /* all of one cluster */
		disk_rig_start(r.d, &w[i], DISK_WRITE, 512u * (unsigned)i, buf, 512);
	rig_finish(&r);
	for (int i = 0; i < 8; i++)
		assert_int_equal(w[i].err, 0);
}

/* The base cannot be read: the write fails, and what stood behind it in the line goes on. */
static void test_an_error_below_is_passed_on(void **state)
{
	struct rig r;
	struct disk_wait w[2];
	uint8_t buf[4096] = { 0 }, back[4096];

	rig_init(&r);
	assert_int_equal(truncate(r.g.path, 0), 0);
	disk_rig_start(r.d, &w[0], DISK_WRITE, 512, buf, 512);
	disk_rig_start(r.d, &w[1], DISK_WRITE, 0, buf, 4096);
	assert_int_equal(disk_rig_wait(&r.g, &w[0]), -EIO);
	assert_int_equal(disk_rig_wait(&r.g, &w[1]), 0);
	assert_int_equal(disk_rig_do(&r.g, r.d, DISK_READ, 0, back, 4096), 0);
	assert_memory_equal(buf, back, 4096);
	assert_int_equal(disk_rig_do(&r.g, r.d, DISK_READ, 4096, back, 512), -EIO);
	disk_rig_file(&r.g, SIZE);
	rig_finish(&r);
}

static void test_readonly_stays_readonly(void **state)
{
	struct rig r;
	struct disk *d;
	uint8_t buf[512] = { 0 };

	rig_init(&r);
	assert_int_equal(disk_rig_open(&r.g,
				 &(struct disk_config){ .snapshot = true, .readonly = true }, &d),
		0);
	assert_int_equal(disk_rig_do(&r.g, d, DISK_WRITE, 0, buf, 512), -EROFS);
	disk_close(d);
	rig_finish(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_discard_leaves_old_bytes_or_zeros),
		cmocka_unit_test(test_closing_waits_for_those_that_wait),
		cmocka_unit_test(test_an_error_below_is_passed_on),
		cmocka_unit_test(test_readonly_stays_readonly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
