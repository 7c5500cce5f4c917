/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw disks: opening, locks, every operation against a real file. */
#include "vmm/block/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fakes/disk_rig.h"
#include "util/bytes.h"
#include "vmm/block/disk_impl.h"

enum { FILE_SIZE = 64 * 1024 };

static const struct disk_config plain, readonly = { .readonly = true },
				       snapshot = { .snapshot = true };

static void file_bytes(struct disk_rig *g, uint64_t offset, void *buf, size_t len)
{
	int fd = open(g->path, O_RDONLY);

	assert_int_equal(pread(fd, buf, len, (off_t)offset), len);
	close(fd);
}

static void test_reads_and_writes(void **state)
{
	struct disk_rig g;
	struct disk *d;
	uint8_t buf[4096], back[4096];

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(disk_rig_open(&g, &plain, &d), 0);
	assert_int_equal(disk_info(d)->size, FILE_SIZE);
	assert_false(disk_info(d)->readonly);
	assert_int_equal(disk_rig_do(&g, d, DISK_READ, 1024, buf, sizeof buf), 0);
	for (unsigned i = 0; i < sizeof buf; i++)
		assert_int_equal(buf[i], disk_rig_pattern(1024 + i));
	memset(buf, 0x5a, sizeof buf);
	assert_int_equal(disk_rig_do(&g, d, DISK_WRITE, 512, buf, 1536), 0);
	assert_int_equal(disk_rig_do(&g, d, DISK_FLUSH, 0, NULL, 0), 0);
	file_bytes(&g, 0, back, sizeof back);
	assert_int_equal(back[511], disk_rig_pattern(511));
	assert_memory_equal(back + 512, buf, 1536);
	assert_int_equal(back[2048], disk_rig_pattern(2048));
	assert_int_equal(disk_stats(d)->requests[DISK_WRITE], 1);
	assert_int_equal(disk_stats(d)->bytes[DISK_WRITE], 1536);
	assert_int_equal(disk_stats(d)->requests[DISK_FLUSH], 1);
	disk_close(d);
	disk_rig_finish(&g);
}

static void test_pieces_are_scattered_and_gathered(void **state)
{
	struct disk_rig g;
	struct disk *d;
	struct disk_wait w;
	uint8_t buf[2048];
	struct iovec iov[] = { { buf + 2000, 48 }, { buf, 0 }, { buf, 1 }, { buf + 1, 1999 } };

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(disk_rig_open(&g, &plain, &d), 0);
	w = (struct disk_wait){ .err = INT_MAX };
	disk_rig_start(d, &w, DISK_FLUSH, 0, NULL, 0); /* for its done() */
	assert_int_equal(disk_rig_wait(&g, &w), 0);
	w.err = INT_MAX;
	w.r.op = DISK_READ;
	w.r.len = sizeof buf;
	w.r.iov = iov;
	w.r.niov = ARRAY_LEN(iov);
	disk_submit(d, &w.r);
	assert_int_equal(disk_rig_wait(&g, &w), 0);
	for (unsigned i = 0; i < sizeof buf; i++)
		assert_int_equal(buf[(i + 2000) % 2048], disk_rig_pattern(i));
	disk_close(d);
	disk_rig_finish(&g);
}

static void test_what_is_out_of_bounds_is_refused(void **state)
{
	static const struct {
		uint64_t offset, len;
	} bad[] = {
		{ FILE_SIZE, 512 },
		{ FILE_SIZE - 512, 1024 },
		{ UINT64_MAX - 511, 512 },
		{ UINT64_MAX - 511, 1024 },
		{ 0, UINT64_MAX - 511 },
		{ 256, 512 },
		{ 0, 100 },
	};
	struct disk_rig g;
	struct disk *d;
	uint8_t buf[1024];

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(disk_rig_open(&g, &plain, &d), 0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		for (int op = 0; op < DISK_OPS; op++)
			if (op != DISK_FLUSH)
				assert_int_equal(disk_rig_do(&g, d, (enum disk_op)op, bad[i].offset,
							 buf, bad[i].len),
					-EINVAL);
	assert_int_equal(disk_stats(d)->errors, 4 * ARRAY_LEN(bad));
	assert_int_equal(disk_rig_do(&g, d, DISK_READ, FILE_SIZE, buf, 0), 0);
	disk_close(d);
	disk_rig_finish(&g);
}

static void test_a_readonly_disk_is_not_changed(void **state)
{
	struct disk_rig g;
	struct disk *d;
	uint8_t buf[512];

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(chmod(g.path, 0400), 0);
	assert_int_equal(disk_rig_open(&g, &readonly, &d), 0);
	assert_true(disk_info(d)->readonly);
	assert_int_equal(disk_rig_do(&g, d, DISK_READ, 0, buf, 512), 0);
	assert_int_equal(disk_rig_do(&g, d, DISK_WRITE, 0, buf, 512), -EROFS);
	assert_int_equal(disk_rig_do(&g, d, DISK_DISCARD, 0, NULL, 512), -EROFS);
	assert_int_equal(disk_rig_do(&g, d, DISK_WRITE_ZEROES, 0, NULL, 512), -EROFS);
	assert_int_equal(disk_rig_do(&g, d, DISK_FLUSH, 0, NULL, 0), 0);
	disk_close(d);
	disk_rig_finish(&g);
}

static void test_discard_gives_space_back(void **state)
{
	struct disk_rig g;
	struct disk *d;
	struct stat before, after;
	uint8_t buf[FILE_SIZE / 2];

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(disk_rig_open(&g, &plain, &d), 0);
	assert_int_equal(disk_rig_do(&g, d, DISK_FLUSH, 0, NULL, 0), 0);
	stat(g.path, &before);
	assert_int_equal(disk_rig_do(&g, d, DISK_DISCARD, 0, NULL, sizeof buf), 0);
	stat(g.path, &after);
	assert_int_equal(before.st_blocks - after.st_blocks, sizeof buf / 512);
	assert_int_equal(after.st_size, FILE_SIZE);
	file_bytes(&g, 0, buf, sizeof buf);
	for (unsigned i = 0; i < sizeof buf; i++)
		assert_int_equal(buf[i], 0);
	disk_close(d);
	disk_rig_finish(&g);
}

static void check_zeroed(struct disk_rig *g, struct disk *d, uint64_t offset, uint64_t len)
{
	uint64_t size = disk_info(d)->size;
	uint8_t *buf = malloc(size);

	assert_int_equal(disk_rig_do(g, d, DISK_READ, 0, buf, size), 0);
	for (uint64_t i = 0; i < size; i++)
		if (buf[i] != (i - offset < len ? 0 : disk_rig_pattern(i)))
			fail_msg("byte %llu is %u", (unsigned long long)i, buf[i]);
	free(buf);
}

static void zero_without_unmap(struct disk_rig *g, struct disk *d, uint64_t offset, uint64_t len)
{
	struct disk_wait w;

	disk_rig_start(d, &w, DISK_FLUSH, 0, NULL, 0);
	assert_int_equal(disk_rig_wait(g, &w), 0);
	w.err = INT_MAX;
	w.r.op = DISK_WRITE_ZEROES;
	w.r.unmap = false;
	w.r.offset = offset;
	w.r.len = len;
	disk_submit(d, &w.r);
	assert_int_equal(disk_rig_wait(g, &w), 0);
}

static void test_write_zeroes(void **state)
{
	struct disk_rig g;
	struct disk *d;

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(disk_rig_open(&g, &plain, &d), 0);
	assert_int_equal(disk_rig_do(&g, d, DISK_WRITE_ZEROES, 512, NULL, 30000 / 512 * 512), 0);
	check_zeroed(&g, d, 512, 30000 / 512 * 512);
	disk_close(d);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(disk_rig_open(&g, &plain, &d), 0);
	zero_without_unmap(&g, d, 1024, 512);
	check_zeroed(&g, d, 1024, 512);
	disk_close(d);
	disk_rig_finish(&g);
}

/* A file of tmpfs can be punched but knows no zero range: zeros are written, piece by piece. */
static void test_write_zeroes_by_writing(void **state)
{
	uint64_t size = 5 * MIB / 2;
	struct disk_info info = { .size = size };
	int fd = memfd_create("disk", MFD_CLOEXEC);
	struct disk_rig g;
	struct disk *d;
	uint8_t *bytes;

	disk_rig_init(&g);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (uint64_t i = 0; i < size; i++)
		bytes[i] = disk_rig_pattern(i);
	d = raw_create(fd, &info, g.uring);
	zero_without_unmap(&g, d, 4096, 512);
	check_zeroed(&g, d, 4096, 512);
	zero_without_unmap(&g, d, 512, 5 * MIB / 2 - 1024); /* known by now; three writes */
	check_zeroed(&g, d, 512, 5 * MIB / 2 - 1024);
	munmap(bytes, size);
	disk_close(d);
	disk_rig_finish(&g);
}

/* A pipe knows neither positions nor holes. */
static void test_what_the_file_cannot_do(void **state)
{
	struct disk_info info = { .size = 4096 };
	struct disk_rig g;
	struct disk *d;
	int fds[2];

	disk_rig_init(&g);
	assert_int_equal(pipe(fds), 0);
	d = raw_create(fds[1], &info, g.uring);
	/* ESPIPE is an error, not a sign to try another way. */
	assert_int_equal(disk_rig_do(&g, d, DISK_WRITE_ZEROES, 0, NULL, 512), -ESPIPE);
	assert_int_not_equal(disk_rig_do(&g, d, DISK_FLUSH, 0, NULL, 0), 0);
	assert_int_equal(disk_stats(d)->errors, 2);
	disk_close(d);
	close(fds[0]);
	disk_rig_finish(&g);
}

static void test_a_file_that_got_shorter_is_an_error(void **state)
{
	struct disk_rig g;
	struct disk *d;
	uint8_t buf[8192];

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(disk_rig_open(&g, &plain, &d), 0);
	assert_int_equal(truncate(g.path, 6000), 0);
	/* 1904 bytes come, then none */
	assert_int_equal(disk_rig_do(&g, d, DISK_READ, 4096, buf, 4096), -EIO);
	assert_int_equal(disk_rig_do(&g, d, DISK_READ, 8192, buf, 512), -EIO);
	disk_close(d);
	disk_rig_finish(&g);
}

/* More than the ring holds at once, and closing while they are under way. */
static void test_many_at_once(void **state)
{
	enum { N = 3 * URING_DEPTH };
	struct disk_rig g;
	struct disk *d;
	struct disk_wait *w = calloc(N, sizeof *w);
	uint8_t(*buf)[512] = calloc(N, sizeof *buf);

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(disk_rig_open(&g, &plain, &d), 0);
	for (unsigned i = 0; i < N; i++)
		disk_rig_start(d, &w[i], DISK_READ, i % 128 * 512, buf[i], 512);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(disk_rig_wait(&g, &w[i]), 0);
		assert_int_equal(buf[i][7], disk_rig_pattern(i % 128 * 512 + 7));
	}
	for (unsigned i = 0; i < N; i++)
		disk_rig_start(d, &w[i], DISK_READ, i % 128 * 512, buf[i], 512);
	disk_close(d);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(w[i].err, 0);
	disk_rig_finish(&g);
	free(w);
	free(buf);
}

static void test_locks(void **state)
{
	struct disk_rig g;
	struct disk *a, *b, *c;

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(disk_rig_open(&g, &plain, &a), 0);
	assert_int_equal(disk_rig_open(&g, &plain, &b), -EBUSY);
	assert_non_null(strstr(g.line, g.path));
	assert_non_null(strstr(g.line, "another monitor holds it"));
	assert_null(b);
	assert_int_equal(disk_rig_open(&g, &readonly, &b), -EBUSY);
	assert_int_equal(disk_rig_open(&g, &snapshot, &b), -EBUSY);
	disk_close(a);
	assert_int_equal(disk_rig_open(&g, &readonly, &a), 0);
	assert_int_equal(disk_rig_open(&g, &snapshot, &b), 0);
	assert_int_equal(disk_rig_open(&g, &plain, &c), -EBUSY);
	disk_close(a);
	disk_close(b);
	assert_int_equal(disk_rig_open(&g, &plain, &c), 0);
	disk_close(c);
	disk_rig_finish(&g);
}

static void refuse(struct disk_rig *g, const struct disk_config *c, int err, const char *says)
{
	struct disk *d = (struct disk *)g;
	unsigned lines = g->lines;

	assert_int_equal(disk_rig_open(g, c, &d), err);
	assert_null(d);
	assert_int_equal(g->lines, lines + 1);
	assert_non_null(strstr(g->line, c->path ? c->path : g->path));
	if (!strstr(g->line, says))
		fail_msg("\"%s\" does not say \"%s\"", g->line, says);
}

static void test_what_cannot_be_opened(void **state)
{
	struct disk_rig g;

	disk_rig_init(&g);
	refuse(&g, &plain, -ENOENT, "qemu-img create");
	refuse(&g, &(struct disk_config){ .path = g.dir }, -EINVAL, "directory");
	refuse(&g, &(struct disk_config){ .path = "/dev/null" }, -EINVAL, "no file");
	disk_rig_file(&g, 0);
	refuse(&g, &plain, -EINVAL, "empty");
	disk_rig_file(&g, 1000);
	refuse(&g, &readonly, -EINVAL, "truncate -s 1024");
	refuse(&g, &(struct disk_config){ .format = DISK_QCOW2 }, -ENOTSUP,
		"qemu-img convert -O raw");
	disk_rig_file(&g, 1024);
	refuse(&g, &(struct disk_config){ .snapshot = true, .tmp_dir = "/nowhere" }, -ENOENT,
		"/nowhere");
	if (geteuid()) { /* root may read and write anything */
		assert_int_equal(chmod(g.path, 0400), 0);
		refuse(&g, &plain, -EACCES, "readonly=on");
		assert_int_equal(chmod(g.path, 0), 0);
		refuse(&g, &readonly, -EACCES, "let this user read it");
	}
	disk_rig_finish(&g);
}

static void test_the_serial_number_is_kept(void **state)
{
	struct disk_rig g;
	struct disk *d;

	disk_rig_init(&g);
	disk_rig_file(&g, FILE_SIZE);
	assert_int_equal(
		disk_rig_open(
			&g, &(struct disk_config){ .serial = "12345678901234567890and more" }, &d),
		0);
	assert_string_equal(disk_info(d)->serial, "12345678901234567890");
	disk_close(d);
	disk_rig_finish(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_and_writes),
		cmocka_unit_test(test_pieces_are_scattered_and_gathered),
		cmocka_unit_test(test_what_is_out_of_bounds_is_refused),
		cmocka_unit_test(test_a_readonly_disk_is_not_changed),
		cmocka_unit_test(test_discard_gives_space_back),
		cmocka_unit_test(test_write_zeroes),
		cmocka_unit_test(test_write_zeroes_by_writing),
		cmocka_unit_test(test_what_the_file_cannot_do),
		cmocka_unit_test(test_a_file_that_got_shorter_is_an_error),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_what_cannot_be_opened),
		cmocka_unit_test(test_the_serial_number_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
