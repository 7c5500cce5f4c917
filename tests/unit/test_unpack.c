/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Payloads of bzImages: every packer, cut short, lied about; and the cache that keeps them. */
#include "vmm/boot/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "tests/fakes/fake_kernel.h"
#include "util/bytes.h"
#include "vmm/boot/bzimage.h"
#include "vmm/boot/cache.h"
#include "vmm/boot/image.h"

static void test_every_packer(void **state)
{
	g_autoptr(GByteArray) plain = fake_vmlinux(TRUE, TRUE);

	for (int by = 0; by < FAKE_PACKERS; by++) {
		g_autoptr(GByteArray) packed = fake_packed(plain, by);
		g_autofree uint8_t *out = g_malloc(plain->len + 1);

		assert_int_equal(unpack_size(packed->data, packed->len), plain->len);
		assert_int_equal(unpack(packed->data, packed->len, out, plain->len), 0);
		assert_memory_equal(out, plain->data, plain->len);
		/* another size than is stated */
		assert_int_equal(unpack(packed->data, packed->len, out, plain->len - 1), -EBADMSG);
		assert_int_equal(unpack(packed->data, packed->len, out, plain->len + 1), -EBADMSG);
	}
}

static void test_cut_short_and_unknown(void **state)
{
	g_autoptr(GByteArray) plain = fake_vmlinux(FALSE, FALSE);
	g_autofree uint8_t *out = g_malloc(plain->len);

	for (int by = 0; by < FAKE_PACKERS; by++) {
		g_autoptr(GByteArray) packed = fake_packed(plain, by);

		for (unsigned cut = 8; cut < packed->len; cut += packed->len / 7 + 1)
			assert_true(unpack(packed->data, packed->len - cut, out, plain->len) < 0);
		for (unsigned i = 10; i < packed->len - 12; i += packed->len / 9 + 1) {
			packed->data[i] ^= 0x55; /* must not crash; lz4 has no checksum */
			unpack(packed->data, packed->len, out, plain->len);
		}
		packed->data[0] ^= 0xff;
		assert_int_equal(unpack_size(packed->data, packed->len), 0);
		assert_int_equal(unpack(packed->data, packed->len, out, plain->len), -ENOTSUP);
	}
	assert_int_equal(unpack_size((const uint8_t *)"\x1f\x8b", 2), 0);
}

static void test_lz4_blocks_inside_the_payload(void **state)
{
	uint8_t p[24] = { 0x02, 0x21, 0x4c, 0x18 }, out[16];

	le32_put(p + 4, 1000); /* longer than what is there */
	assert_int_equal(unpack(p, sizeof p, out, sizeof out), -EBADMSG);
	le32_put(p + 4, UINT32_MAX);
	assert_int_equal(unpack(p, sizeof p, out, sizeof out), -EBADMSG);
	le32_put(p + 4, 13); /* three bytes remain: no length of a block */
	assert_int_equal(unpack(p, sizeof p, out, sizeof out), -EBADMSG);
}

/* --- the cache */

struct place {
	char dir[32];
	char *cache, *kernel;
	GByteArray *plain;
	struct bzimage bz;
	int fd;
};

static int setup(void **state)
{
	struct place *p = g_new0(struct place, 1);
	g_autoptr(GByteArray) packed = NULL, bz = NULL;
	const char *why;

	strcpy(p->dir, "/tmp/test_unpack.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->cache = g_strdup_printf("%s/a/cache", p->dir);
	p->kernel = g_strdup_printf("%s/vmlinuz", p->dir);
	p->plain = fake_vmlinux(FALSE, TRUE);
	packed = fake_packed(p->plain, FAKE_XZ);
	bz = fake_bzimage(packed);
	assert_true(g_file_set_contents(p->kernel, (const char *)bz->data, bz->len, NULL));
	p->fd = open(p->kernel, O_RDONLY | O_CLOEXEC);
	assert_int_equal(bzimage_parse(&p->bz, p->fd, bz->len, &why), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	g_autofree char *command = g_strdup_printf("rm -rf %s", p->dir);

	close(p->fd);
	g_byte_array_unref(p->plain);
	g_free(p->cache);
	g_free(p->kernel);
	g_free(p);
	return system(command);
}

static void assert_kept(struct place *p)
{
	g_autofree uint8_t *buf = g_malloc(p->plain->len);
	uint64_t size = 0;
	int fd = cache_open(p->cache, p->fd, &p->bz, &size);

	assert_true(fd >= 0);
	assert_int_equal(size, p->plain->len);
	assert_int_equal(image_read(fd, 0, buf, size), 0);
	assert_memory_equal(buf, p->plain->data, size);
	close(fd);
}

/* The one file of the cache with this suffix. */
static char *find(const struct place *p, const char *suffix)
{
	GDir *d = g_dir_open(p->cache, 0, NULL);
	char *found = NULL;
	const char *name;

	assert_non_null(d);
	while ((name = g_dir_read_name(d)))
		if (g_str_has_suffix(name, suffix)) {
			assert_null(found);
			found = g_build_filename(p->cache, name, NULL);
		}
	g_dir_close(d);
	return found;
}

static void test_made_once_then_found(void **state)
{
	struct place *p = *state;
	struct stat first, second;
	g_autofree char *file = NULL, *temporary = NULL;

	assert_kept(p);
	file = find(p, ".vmlinux");
	assert_int_equal(stat(file, &first), 0);
	assert_kept(p);
	assert_int_equal(stat(file, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	/* the page of zeros and what stands before the text are holes */
	assert_true(first.st_blocks * 512 < first.st_size);
	temporary = find(p, ".tmp");
	assert_null(temporary);
}

static void test_broken_is_made_again(void **state)
{
	struct place *p = *state;
	g_autofree char *file = NULL, *key = NULL;

	assert_kept(p);
	file = find(p, ".vmlinux");
	key = find(p, ".key");
	assert_int_equal(truncate(file, 5000), 0);
	assert_kept(p);
	assert_int_equal(truncate(file, 0), 0);
	assert_kept(p);
	assert_true(g_file_set_contents(key, "not a hash", -1, NULL));
	assert_kept(p);
	/* the hash of something else: its file is not there, so it is made from what we have */
	assert_int_equal(unlink(file), 0);
	assert_kept(p);
}

static void test_what_others_may_write_is_not_used(void **state)
{
	struct place *p = *state;
	g_autofree char *file = NULL;
	struct stat before, after;
	uint64_t size;

	assert_kept(p);
	file = find(p, ".vmlinux");
	assert_int_equal(chmod(file, 0666), 0);
	assert_int_equal(stat(file, &before), 0);
	assert_kept(p); /* another file took its name */
	assert_int_equal(stat(file, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);

	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink(p->kernel, file), 0);
	assert_kept(p);
	assert_int_equal(lstat(file, &after), 0);
	assert_true(S_ISREG(after.st_mode));

	assert_int_equal(chmod(p->cache, 0777), 0);
	assert_int_equal(cache_open(p->cache, p->fd, &p->bz, &size), -EPERM);
	cache_drop(p->cache, p->fd);
	assert_int_equal(stat(file, &after), 0);
	assert_int_equal(chmod(p->cache, 0755), 0);
	cache_drop(p->cache, p->fd);
	assert_int_not_equal(stat(file, &after), 0);
}

static void test_no_payload_and_no_folder(void **state)
{
	struct place *p = *state;
	struct bzimage b = p->bz;
	uint64_t size;

	assert_int_equal(cache_open("/proc/no/such", p->fd, &b, &size), -ENOENT);
	b.payload_size = 0;
	assert_int_equal(cache_open(p->cache, p->fd, &b, &size), -ENOTSUP);
	b = p->bz;
	b.init_size = p->plain->len - 1; /* unpacks to more than there is room for */
	assert_int_equal(cache_open(p->cache, p->fd, &b, &size), -ENOTSUP);
	b = p->bz;
	b.payload += 1;
	assert_int_equal(cache_open(p->cache, p->fd, &b, &size), -ENOTSUP);
	b = p->bz;
	b.payload_size += 1000; /* past the file's end */
	assert_int_equal(cache_open(p->cache, p->fd, &b, &size), -ENODATA);
}

static void test_the_oldest_go(void **state)
{
	struct place *p = *state;
	unsigned left = 0;
	const char *name;
	GDir *d;

	assert_int_equal(g_mkdir_with_parents(p->cache, 0755), 0);
	for (int i = 0; i < 20; i++) {
		g_autofree char *old = g_strdup_printf("%s/old%d.vmlinux", p->cache, i);
		g_autofree char *tmp = g_strdup_printf("%s/old%d.tmp", p->cache, i);
		struct timespec past[2] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };

		assert_true(g_file_set_contents(old, "", -1, NULL));
		assert_int_equal(utimensat(AT_FDCWD, old, past, 0), 0);
		assert_true(g_file_set_contents(tmp, "", -1, NULL));
		if (i) /* one is being written just now */
			assert_int_equal(utimensat(AT_FDCWD, tmp, past, 0), 0);
	}
	assert_kept(p);
	d = g_dir_open(p->cache, 0, NULL);
	while ((name = g_dir_read_name(d)))
		left++;
	g_dir_close(d);
	assert_int_equal(left, 8 + 1 + 1); /* kernels, the key, old0.tmp */
	assert_kept(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_packer),
		cmocka_unit_test(test_cut_short_and_unknown),
		cmocka_unit_test(test_lz4_blocks_inside_the_payload),
		cmocka_unit_test_setup_teardown(test_made_once_then_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_is_made_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_others_may_write_is_not_used, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_payload_and_no_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_oldest_go, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
