/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of images, the key that tells whether one is up to date, and who uses one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "profiles/archive.h"
#include "profiles/image_build.h"
#include "profiles/image_guest.h"
#include "profiles/image_store.h"
#include "util/bytes.h"
#include "util/log.h"

static char *store;

static void drop_line(void *opaque, enum log_level level, const char *line)
{
}

static int make_store(void **state)
{
	store = g_dir_make_tmp("hotdesk-test-XXXXXX", NULL);
	return 0;
}

static int remove_store(void **state)
{
	char *argv[] = { "rm", "-rf", store, NULL };

	g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
	g_free(store);
	return 0;
}

static char *add_version(const char *name, const char *version, time_t created)
{
	char *path = g_build_filename(store, name, version, NULL);
	g_autofree char *disk = g_build_filename(path, "disk.raw", NULL);
	struct image_version v = { .name = (char *)name,
		.version = (char *)version,
		.kernel = "6.1.0",
		.key = "k",
		.created = created,
		.seconds = 7 };

	g_mkdir_with_parents(path, 0755);
	assert_true(g_file_set_contents(disk, "disk", 4, NULL));
	assert_int_equal(image_version_write(&v, path), 0);
	return path;
}

static void test_list(void **state)
{
	g_autofree char *old = add_version("desk", "20250101.1", 1000),
			*young = add_version("desk", "20250102.1", 2000);
	g_autofree char *other = add_version("aaa", "20250101.1", 1000),
			*broken = add_version("desk", "broken", 3000);
	g_autofree char *json = g_build_filename(broken, "image.json", NULL);
	g_autofree char *link = g_build_filename(store, "desk", "current", NULL);
	g_autofree char *hidden = g_build_filename(store, "desk", ".new", NULL);
	struct image_version *current;
	g_autoptr(GPtrArray) list = NULL;
	const struct image_version *v;

	assert_true(g_file_set_contents(json, "[]", -1, NULL));
	assert_int_equal(symlink("20250101.1", link), 0);
	g_mkdir(hidden, 0700);
	list = image_store_list(store);
	assert_int_equal(list->len, 3);
	v = list->pdata[0];
	assert_string_equal(v->name, "aaa");
	assert_false(v->current);
	v = list->pdata[1];
	assert_string_equal(v->version, "20250102.1");
	assert_false(v->current);
	v = list->pdata[2];
	assert_string_equal(v->path, old);
	assert_true(v->current);
	assert_int_equal(v->size, 4);
	assert_int_equal(v->seconds, 7);
	current = image_store_current(store, "desk");
	assert_string_equal(current->version, "20250101.1");
	image_version_free(current);
	assert_null(image_store_current(store, "nobody"));
}

static void test_list_of_nothing(void **state)
{
	g_autoptr(GPtrArray) list = image_store_list("/nonexistent/images");

	assert_non_null(list);
	assert_int_equal(list->len, 0);
	assert_null(image_store_list("/dev/null"));
}

static void test_nonsense_is_no_version(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "{}",
		"{\"name\":1,\"version\":\"1\",\"kernel\":\"k\",\"key\":\"k\"}",
		"{\"name\":\"a\",\"version\":[],\"kernel\":\"k\",\"key\":\"k\"}", "\"x\"" };
	g_autofree char *path = add_version("bad", "1", 1),
			*json = g_build_filename(path, "image.json", NULL);
	g_autofree char *disk = g_build_filename(path, "disk.raw", NULL);
	struct image_version *v;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(g_file_set_contents(json, bad[i], -1, NULL));
		assert_null(image_version_read(path));
	}
	assert_true(g_file_set_contents(json,
		"{\"name\":\"a\",\"version\":\"1\",\"kernel\":\"k\",\"key\":\"k\",\"created\":-5,\"seconds\":\"x\"}",
		-1, NULL));
	v = image_version_read(path);
	assert_non_null(v);
	assert_int_equal(v->created, 0);
	assert_int_equal(v->seconds, 0);
	image_version_free(v);
	g_unlink(disk);
	assert_null(image_version_read(path));
}

static void test_users(void **state)
{
	g_autofree char *path = add_version("used", "1", 1),
			*disk = g_build_filename(path, "disk.raw", NULL);
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	g_autofree char *us = g_strdup_printf("process %d", (int)getpid()), *users = NULL;
	int fd = open(disk, O_RDONLY | O_CLOEXEC);

	/* Open alone is no use: a backup reads it, too. */
	assert_null(image_users(disk));
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	users = image_users(disk);
	assert_string_equal(users, us);
	close(fd);
	assert_null(image_users(disk));
	assert_null(image_users("/nonexistent"));
}

static void test_key(void **state)
{
	struct image_file files[2] = { { .path = "/a", .bytes = "xy", .len = 2 },
		{ .path = "/b", .bytes = "z", .len = 1 } };
	struct image_def def = { .text = "text", .files = files, .files_count = 2 };
	struct image_guest_file guest = { .target = "/g", .bytes = "g", .len = 1 };
	g_autoptr(GPtrArray) guests = g_ptr_array_new();
	g_autofree char *first = NULL, *again = NULL, *other = NULL;

	g_ptr_array_add(guests, &guest);
	first = image_key(&def, guests, "archives");
	again = image_key(&def, guests, "archives");
	assert_string_equal(first, again);
	assert_true(g_str_has_suffix(first, "-archives"));

	def.text = "texts";
	other = image_key(&def, guests, "archives");
	assert_string_not_equal(first, other);
	def.text = "text";

	/* The same bytes in other files are another image. */
	files[0] = (struct image_file){ .path = "/a", .bytes = "x", .len = 1 };
	files[1] = (struct image_file){ .path = "/b", .bytes = "yz", .len = 2 };
	g_free(other);
	other = image_key(&def, guests, "archives");
	assert_string_not_equal(first, other);

	files[0] = (struct image_file){ .path = "/a", .bytes = "xy", .len = 2 };
	files[1] = (struct image_file){ .path = "/b", .bytes = "z", .len = 1 };
	guest.bytes = "h";
	g_free(other);
	other = image_key(&def, guests, "archives");
	assert_string_not_equal(first, other);

	guest.bytes = "g";
	g_free(other);
	other = image_key(&def, guests, "newer");
	assert_string_not_equal(first, other);
}

static void test_archive_lists(void **state)
{
	static const char text[] =
		"Date: Sat\nMD5Sum:\n 11 1 main/binary-amd64/Packages\nSHA256:\n"
		" aa 1 main/binary-amd64/Packages\n bb 1 main/binary-amd64/Packages.xz\n"
		" cc 1 main/binary-arm64/Packages\n dd 1 contrib/binary-amd64/Packages\n"
		"Valid-Until: Sun\n";
	g_autofree char *main_only = archive_lists_of(text, "main"),
			*both = archive_lists_of(text, "main contrib");
	g_autofree char *none = archive_lists_of(text, "nowhere");

	assert_string_equal(main_only, " aa 1 main/binary-amd64/Packages\n");
	assert_string_equal(
		both, " aa 1 main/binary-amd64/Packages\n dd 1 contrib/binary-amd64/Packages\n");
	assert_string_equal(none, text);
}

static void test_archive_state(void **state)
{
	g_autofree char *dists = g_build_filename(store, "mirror", "dists", "bookworm", NULL);
	g_autofree char *release = g_build_filename(dists, "InRelease", NULL);
	g_autofree char *mirror = g_strdup_printf("file://%s/mirror/", store);
	char *main_component = "main";
	struct image_def def = { .name = "desk",
		.suite = "bookworm",
		.mirror = mirror,
		.components = &main_component,
		.components_count = 1 };
	g_autoptr(GPtrArray) sources = archive_sources(&def);
	g_autofree char *why = NULL, *first = NULL, *resigned = NULL, *newer = NULL, *list = NULL;

	assert_int_equal(sources->len, 1);
	list = archive_sources_list(sources);
	assert_true(g_str_has_prefix(list, "deb file:///"));
	assert_true(g_str_has_suffix(list, "/mirror bookworm main\n"));
	assert_null(archive_state(sources, &why));
	assert_non_null(strstr(why, "InRelease cannot be fetched"));
	g_clear_pointer(&why, g_free);

	g_mkdir_with_parents(dists, 0755);
	g_file_set_contents(
		release, "Date: 1\nSHA256:\n aa 1 main/binary-amd64/Packages\n", -1, NULL);
	first = archive_state(sources, &why);
	assert_non_null(first);
	/* Signed anew every few hours, with the same packages: that is no news. */
	g_file_set_contents(
		release, "Date: 2\nSHA256:\n aa 1 main/binary-amd64/Packages\n", -1, NULL);
	resigned = archive_state(sources, &why);
	assert_string_equal(first, resigned);
	g_file_set_contents(
		release, "Date: 2\nSHA256:\n ab 1 main/binary-amd64/Packages\n", -1, NULL);
	newer = archive_state(sources, &why);
	assert_string_not_equal(first, newer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_list, make_store, remove_store),
		cmocka_unit_test(test_list_of_nothing),
		cmocka_unit_test_setup_teardown(
			test_nonsense_is_no_version, make_store, remove_store),
		cmocka_unit_test_setup_teardown(test_users, make_store, remove_store),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_archive_lists),
		cmocka_unit_test_setup_teardown(test_archive_state, make_store, remove_store),
	};

	log_set_sink(drop_line, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
