/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Definitions of images: what is taken, and that each refusal names file, line and field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib/gstdio.h>

#include "profiles/image_def.h"
#include "util/bytes.h"
#include "util/log.h"

static char *folder, *definition;
static char said[1024];

#define GOOD "suite: bookworm\nsize: 8G\n"

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	snprintf(said, sizeof said, "%s", line);
}

static int make_folder(void **state)
{
	folder = g_dir_make_tmp("hotdesk-test-XXXXXX", NULL);
	definition = g_build_filename(folder, "desk.yaml", NULL);
	return 0;
}

static int remove_folder(void **state)
{
	g_unlink(definition);
	g_rmdir(folder);
	g_free(definition);
	g_free(folder);
	return 0;
}

static struct image_def *load(const char *text)
{
	struct image_def *def;

	said[0] = 0;
	assert_true(g_file_set_contents(definition, text, -1, NULL));
	return image_def_load(&def, definition) ? NULL : def;
}

/* The definition is refused, at this line, with this in the message. */
static void refuse(const char *text, unsigned line, const char *message)
{
	g_autofree char *place = g_strdup_printf("%s:%u: ", definition, line);
	struct image_def *def = load(text);

	if (def)
		print_error("taken: %s\n", text);
	assert_null(def);
	if (!g_str_has_prefix(said, place) || !strstr(said, message))
		print_error("said '%s', not '%s...%s'\n", said, place, message);
	assert_true(g_str_has_prefix(said, place));
	assert_non_null(strstr(said, message));
}

static void test_whole_definition(void **state)
{
	struct image_def *def = load(
		"description: a desk\nsuite: bookworm\nmirror: http://deb.debian.org/debian\n"
		"components: [main, contrib]\npackages: [icewm, libstdc++6]\n"
		"kernel: linux-image-rt-amd64\nexclude: [/usr/share/man/*]\nsize: 512M\n"
		"hostname: desk-1\n"
		"users:\n- {name: ann, groups: [sudo], password: $6$salt$hash/., autologin: yes}\n"
		"- {name: bob, password: none}\n"
		"files:\n- {path: /etc/motd, mode: \"4755\", owner: bob, content: \"hi\\n\"}\n"
		"build: [systemctl mask man-db.timer]\nfirst_boot: [touch /x]\n"
		"desktop: {session: icewm-session}\nserial_login: bob\n");

	assert_non_null(def);
	assert_string_equal(def->name, "desk");
	assert_int_equal(def->size_bytes, 512 * MIB);
	assert_int_equal(def->packages_count, 2);
	assert_string_equal(def->users[0].password, "$6$salt$hash/.");
	assert_null(def->users[1].password);
	assert_ptr_equal(image_def_autologin(def), &def->users[0]);
	assert_int_equal(def->files[0].mode_bits, 04755);
	assert_int_equal(def->files[0].len, 3);
	assert_string_equal(def->first_boot[0], "touch /x");
	image_def_free(def);
}

static void test_what_is_left_out(void **state)
{
	struct image_def *def = load(GOOD "files: [{path: /etc/x, content: y}]\n");

	assert_non_null(def);
	assert_string_equal(def->kernel, "linux-image-amd64");
	assert_string_equal(def->components[0], "main");
	assert_int_equal(def->files[0].mode_bits, 0644);
	assert_null(image_def_autologin(def));
	image_def_free(def);
}

static void test_schema(void **state)
{
	refuse("suite: bookworm\nsize: 8G\ncolour: red\n", 3, "colour");
	refuse("suite: bookworm\nsuite: bookworm\n", 1, "suite");
	refuse("size: 8G\n", 1, "suite: Missing");
	refuse("suite: [a]\nsize: 8G\n", 1, "suite");
	refuse(GOOD "users:\n- {name: ann}\n- {nmae: bob}\n", 5, "users[2].nmae: ");
	refuse(GOOD "users:\n- name: ann\n  nmae: bob\n", 5, "users[1].nmae: ");
	refuse(GOOD "users:\n- {name: ann}\n- {groups: []}\n", 5, "users[2].name: Missing");
	refuse(GOOD "users: [{name: ann, autologin: perhaps}]\n", 3, "users[1].autologin");
	refuse("suite: &a bookworm\nsize: *a\n", 2, "");
	assert_null(load(""));
	assert_non_null(strstr(said, "empty"));
	assert_null(load("suite: {\n"));
	assert_null(load(GOOD "---\n" GOOD));
	assert_null(load("suite: \"book\001worm\"\nsize: 8G\n"));
}

static void test_words(void **state)
{
	refuse("suite: book/worm\nsize: 8G\n", 1, "suite: 'book/worm'");
	refuse("suite: \"bookworm\\nevil\"\nsize: 8G\n", 1, "suite: 'bookworm?evil'");
	refuse(GOOD "mirror: ftp://x/\n", 3, "mirror");
	refuse(GOOD "mirror: \"http://x/ [trusted=yes]\"\n", 3, "mirror");
	refuse(GOOD "components: [Main]\n", 3, "components[1]");
	refuse(GOOD "packages:\n- icewm\n- icewm --allow\n", 5, "packages[2]");
	refuse(GOOD "packages: [-oX=Y]\n", 3, "packages[1]");
	refuse(GOOD "kernel: \"linux image\"\n", 3, "kernel");
	refuse(GOOD "exclude: [usr/share]\n", 3, "exclude[1]");
	refuse(GOOD "keep: [\"/x\\npath-exclude=/\"]\n", 3, "keep[1]");
	refuse(GOOD "hostname: Desk\n", 3, "hostname");
	refuse(GOOD "hostname: \"\"\n", 3, "hostname");
}

static void test_sizes(void **state)
{
	static const char *const bad[] = { "", "8", "G", "8Q", "8GB", "-8G", "0G", "511M", "17T",
		"8 G", "0x8G", "99999999999999999999G", "18014398509481985K", "8G\\n" };
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		g_autofree char *text = g_strdup_printf("suite: bookworm\nsize: \"%s\"\n", bad[i]);

		refuse(text, 2, "size: ");
	}
	assert_true(image_size_parse("16T", &n));
	assert_int_equal(n, 16384 * GIB);
	assert_true(image_size_parse("1K", &n));
	assert_int_equal(n, KIB);
}

static void test_users(void **state)
{
	refuse(GOOD "users: [{name: Ann}]\n", 3, "users[1].name");
	refuse(GOOD "users: [{name: \"ann:x\"}]\n", 3, "users[1].name");
	refuse(GOOD "users: [{name: \"ann\\nroot2\"}]\n", 3, "users[1].name");
	refuse(GOOD "users: [{name: -a}]\n", 3, "users[1].name");
	refuse(GOOD "users: [{name: \"\"}]\n", 3, "users[1].name");
	refuse(GOOD "users: [{name: root}]\n", 3, "root");
	refuse(GOOD "users: [{name: a23456789012345678901234567890123}]\n", 3, "users[1].name");
	refuse(GOOD "users:\n- name: ann\n- name: ann\n", 5, "twice");
	refuse(GOOD "users: [{name: ann, full_name: \"A:B\"}]\n", 3, "users[1].full_name");
	refuse(GOOD "users: [{name: ann, full_name: \"A\\nB\"}]\n", 3, "users[1].full_name");
	refuse(GOOD "users: [{name: ann, groups: [\"sudo,root\"]}]\n", 3, "users[1].groups[1]");
	refuse(GOOD "users: [{name: ann, password: secret}]\n", 3, "openssl passwd");
	refuse(GOOD "users: [{name: ann, password: \"$6$a:0:0\"}]\n", 3, "users[1].password");
	refuse(GOOD "users: [{name: ann, password: \"$6\\n$x\"}]\n", 3, "users[1].password");
	refuse(GOOD "users: [{name: ann, autologin: yes}]\n", 3, "desktop.session");
	refuse(GOOD "desktop: {session: x}\n", 3, "autologin");
	refuse(GOOD
		"desktop: {session: x}\nusers: [{name: a, autologin: yes}, {name: b, autologin: yes}]\n",
		4, "only one");
	refuse(GOOD "desktop: {session: \"x\\ny\"}\nusers: [{name: a, autologin: yes}]\n", 3,
		"desktop.session");
	refuse(GOOD "serial_login: eve\n", 3, "serial_login");
}

static void test_files(void **state)
{
	static const char *const bad[] = { "etc/x", "/", "/etc/../x", "/etc/./x", "/etc//x",
		"/etc/x/", "/..", "/etc/x\\ny", "" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		g_autofree char *text =
			g_strdup_printf(GOOD "files: [{path: \"%s\", content: x}]\n", bad[i]);

		refuse(text, 3, "files[1].path");
	}
	refuse(GOOD "files: [{path: /etc/machine-id, content: x}]\n", 3, "every desktop");
	refuse(GOOD "files: [{path: /etc/ssh/ssh_host_rsa_key, content: x}]\n", 3, "every desktop");
	refuse(GOOD "files: [{path: /x, mode: \"888\", content: x}]\n", 3, "files[1].mode");
	refuse(GOOD "files: [{path: /x, mode: \"10000\", content: x}]\n", 3, "files[1].mode");
	refuse(GOOD "files: [{path: /x, mode: \"-1\", content: x}]\n", 3, "files[1].mode");
	refuse(GOOD "files: [{path: /x, owner: eve, content: x}]\n", 3, "files[1].owner");
	refuse(GOOD "files: [{path: /home/x, early: yes, content: x}]\n", 3, "files[1].early");
	refuse(GOOD "files: [{path: /x}]\n", 3, "one of content and source");
	refuse(GOOD "files: [{path: /x, content: a, source: b}]\n", 3, "one of content and source");
}

static void test_sources_stay_below_the_folder(void **state)
{
	g_autofree char *link = g_build_filename(folder, "link", NULL);
	g_autofree char *fifo = g_build_filename(folder, "fifo", NULL);
	struct image_def *def;

	refuse(GOOD "files: [{path: /x, source: ../../etc/passwd}]\n", 3, "files[1].source");
	refuse(GOOD "files: [{path: /x, source: /etc/passwd}]\n", 3,
		"below the definition's folder");
	refuse(GOOD "files: [{path: /x, source: missing}]\n", 3, "No such file");
	assert_int_equal(symlink("/etc/passwd", link), 0);
	refuse(GOOD "files: [{path: /x, source: link}]\n", 3, "below the definition's folder");
	g_unlink(link);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	refuse(GOOD "files: [{path: /x, source: fifo}]\n", 3, "not a file");
	g_unlink(fifo);
	def = load(GOOD "files: [{path: /x, source: desk.yaml}]\n");
	assert_non_null(def);
	assert_int_equal(def->files[0].len, strlen(def->text));
	image_def_free(def);
}

static void test_commands(void **state)
{
	refuse(GOOD "build:\n- true\n- |\n  true\n  false\n", 5, "build[2]");
	refuse(GOOD "build: [\"\"]\n", 3, "build[1]");
	refuse(GOOD "first_boot: [\"a\\rb\"]\n", 3, "first_boot[1]");
	refuse(GOOD "first_boot: [\"a\\x7fb\"]\n", 3, "first_boot[1]");
}

static void test_files_that_cannot_be_read(void **state)
{
	struct image_def *def;
	g_autofree char *big = g_malloc0(2 * MIB),
			*named = g_build_filename(folder, "De sk.yaml", NULL);

	assert_int_not_equal(image_def_load(&def, "/nonexistent/x.yaml"), 0);
	assert_non_null(strstr(said, "/nonexistent/x.yaml: No such file"));
	memset(big, '#', 2 * MIB - 1);
	assert_null(load(big));
	assert_non_null(strstr(said, "1 MiB"));
	assert_true(g_file_set_contents(named, GOOD, -1, NULL));
	assert_int_not_equal(image_def_load(&def, named), 0);
	assert_non_null(strstr(said, "no name for an image"));
	g_unlink(named);
}

static void test_names(void **state)
{
	assert_true(image_name_valid("debian-12.5_x"));
	assert_false(image_name_valid(""));
	assert_false(image_name_valid("."));
	assert_false(image_name_valid(".."));
	assert_false(image_name_valid("-x"));
	assert_false(image_name_valid("a/b"));
	assert_false(image_name_valid("A"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_definition),
		cmocka_unit_test(test_what_is_left_out),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_sources_stay_below_the_folder),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_files_that_cannot_be_read),
		cmocka_unit_test(test_names),
	};

	log_set_sink(keep_line, NULL);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
