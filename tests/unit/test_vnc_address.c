/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a server can listen, where it cannot, and what it says then; its password's file. */
#include "display/vnc/address.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>

#include "display/vnc/password.h"
#include "util/bytes.h"
#include "util/log.h"

struct said {
	unsigned lines;
	char last[512];
};

static void hear(void *opaque, enum log_level level, const char *line)
{
	struct said *s = opaque;

	s->lines++;
	g_strlcpy(s->last, line, sizeof s->last);
}

static char *in_dir(const char *dir, const char *name, bool with_prefix)
{
	return g_strdup_printf("%s%s/%s", with_prefix ? "unix:" : "", dir, name);
}

static void test_unix_sockets(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("addr-XXXXXX", NULL);
	g_autofree char *spec = in_dir(dir, "s", true), *path = in_dir(dir, "s", false);
	struct vnc_address a, b;
	struct said said = { 0 };
	struct stat st;

	log_set_sink(hear, &said);
	assert_int_equal(vnc_address_listen(&a, spec), 0);
	assert_string_equal(a.text, spec);
	assert_true(a.local);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	/* A live one is left alone. */
	assert_int_equal(vnc_address_listen(&b, spec), -EADDRINUSE);
	assert_int_equal(said.lines, 1);
	assert_non_null(strstr(said.last, path));
	assert_non_null(strstr(said.last, "in use"));
	assert_int_equal(access(path, F_OK), 0);

	/* A dead one's file is replaced. */
	close(a.fd);
	a.fd = -1;
	assert_int_equal(vnc_address_listen(&b, spec), 0);
	vnc_address_close(&a); /* its file is no more: the other's is not removed */
	assert_int_equal(access(path, F_OK), 0);
	vnc_address_close(&b);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(said.lines, 1);

	/* What is no socket is never removed. */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(vnc_address_listen(&b, spec), -EADDRINUSE);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	rmdir(dir);
	assert_int_equal(vnc_address_listen(&b, spec), -ENOENT);
	assert_int_equal(said.lines, 3);
	log_set_sink(NULL, NULL);
}

static void test_bad_addresses_name_the_mend(void **state)
{
	static const struct {
		const char *spec, *says;
		int err;
	} bad[] = {
		{ "", "unix:PATH or ADDR:PORT", -EINVAL },
		{ "5900", "unix:PATH or ADDR:PORT", -EINVAL },
		{ ":5900", "unix:PATH or ADDR:PORT", -EINVAL },
		{ "127.0.0.1:", "unix:PATH or ADDR:PORT", -EINVAL },
		{ "127.0.0.1:65536", "unix:PATH or ADDR:PORT", -EINVAL },
		{ "127.0.0.1:59x", "unix:PATH or ADDR:PORT", -EINVAL },
		{ "127.0.0.1:-1", "unix:PATH or ADDR:PORT", -EINVAL },
		{ "host.invalid:5900", "unix:PATH or ADDR:PORT", -EINVAL },
		{ "[::1:5900", "unix:PATH or ADDR:PORT", -EINVAL },
		{ "unix:", "no path", -EINVAL },
	};
	struct said said = { 0 };
	struct vnc_address a;
	char path[200] = "unix:/tmp/";

	log_set_sink(hear, &said);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(vnc_address_listen(&a, bad[i].spec), bad[i].err);
		assert_int_equal(said.lines, i + 1);
		if (!strstr(said.last, bad[i].says))
			fail_msg("'%s' says: %s", bad[i].spec, said.last);
	}
	memset(path + 10, 'x', 120);
	assert_int_equal(vnc_address_listen(&a, path), -ENAMETOOLONG);
	assert_non_null(strstr(said.last, "has 125 bytes, and a socket's may have 107"));
	log_set_sink(NULL, NULL);
}

static void test_tcp(void **state)
{
	struct said said = { 0 };
	struct vnc_address a, b, any;

	log_set_sink(hear, &said);
	assert_int_equal(vnc_address_listen(&a, "127.0.0.1:0"), 0);
	assert_true(g_str_has_prefix(a.text, "127.0.0.1:"));
	assert_int_not_equal(strcmp(a.text, "127.0.0.1:0"), 0);
	assert_true(a.local);
	assert_int_equal(vnc_address_listen(&b, a.text), -EADDRINUSE);
	assert_int_equal(said.lines, 1);
	assert_non_null(strstr(said.last, "in use"));
	vnc_address_close(&a);
	assert_int_equal(vnc_address_listen(&a, "localhost:0"), 0);
	vnc_address_close(&a);
	assert_int_equal(vnc_address_listen(&any, "0.0.0.0:0"), 0);
	assert_false(any.local);
	vnc_address_close(&any);
	vnc_address_close(&any); /* twice is fine */
	log_set_sink(NULL, NULL);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
}

static void test_passwords(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("pass-XXXXXX", NULL);
	g_autofree char *path = in_dir(dir, "p", false);
	char password[VNC_PASSWORD_MAX + 1];
	struct said said = { 0 };

	log_set_sink(hear, &said);
	assert_int_equal(vnc_password_read(path, password), -ENOENT);
	assert_non_null(strstr(said.last, path));
	write_file(path, "\nsecret\n", 0600);
	assert_int_equal(vnc_password_read(path, password), -EINVAL);
	assert_non_null(strstr(said.last, "empty"));
	assert_int_equal(vnc_password_read(dir, password), -EISDIR);
	assert_int_equal(said.lines, 3);

	write_file(path, "geheim\r\nmore\n", 0600);
	said.lines = 0;
	assert_int_equal(vnc_password_read(path, password), 0);
	assert_string_equal(password, "geheim");
	assert_int_equal(said.lines, 0);
	write_file(path, "ninechars", 0600);
	assert_int_equal(vnc_password_read(path, password), 0);
	assert_string_equal(password, "ninechar");
	assert_int_equal(said.lines, 1);
	assert_null(strstr(said.last, "ninechar"));
	write_file(path, "short", 0644);
	assert_int_equal(vnc_password_read(path, password), 0);
	assert_int_equal(said.lines, 2);
	assert_non_null(strstr(said.last, "chmod 600"));
	unlink(path);
	rmdir(dir);
	log_set_sink(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unix_sockets),
		cmocka_unit_test(test_bad_addresses_name_the_mend),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
