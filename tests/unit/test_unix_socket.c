/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening at a path: stale and live sockets, other files, modes, and what is left behind. */
#include "util/unix_socket.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include <cmocka.h>

#include "util/log.h"
#include "util/nearest.h"

static char last_line[512];

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	g_strlcpy(last_line, line, sizeof last_line);
}

struct place {
	char *dir, *path;
};

static int set_up(void **state)
{
	struct place *p = g_new0(struct place, 1);

	p->dir = g_dir_make_tmp("hotdesk-test-XXXXXX", NULL);
	p->path = g_build_filename(p->dir, "s", NULL);
	log_set_sink(keep_line, NULL);
	*state = p;
	return p->dir ? 0 : -1;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	int left = rmdir(p->dir); /* fails where a name was left behind */

	log_set_sink(NULL, NULL);
	g_free(p->dir);
	g_free(p->path);
	g_free(p);
	return left;
}

static void test_listens_for_its_owner_alone(void **state)
{
	struct place *p = *state;
	struct unix_listener l;
	struct stat st;
	int client, served;

	assert_int_equal(unix_listener_init(&l, p->path, "--x"), 0);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(unix_listener_accept(&l), -EAGAIN);
	client = unix_connect(p->path);
	assert_true(client >= 0);
	served = unix_listener_accept(&l);
	assert_true(served >= 0);
	close(client);
	close(served);
	unix_listener_finish(&l);
	assert_int_equal(unix_connect(p->path), -ENOENT);
	unix_listener_finish(&l);
}

static void test_live_socket_is_refused_and_stale_one_replaced(void **state)
{
	struct place *p = *state;
	struct unix_listener a, b;

	assert_int_equal(unix_listener_init(&a, p->path, "--x"), 0);
	assert_int_equal(unix_listener_init(&b, p->path, "--x"), -EADDRINUSE);
	assert_non_null(strstr(last_line, "somebody listens there"));
	assert_int_equal(b.fd, -1);
	close(a.fd); /* as if its program had died: the name stays */
	a.fd = -1;
	assert_int_equal(unix_connect(p->path), -ECONNREFUSED);
	free(a.path);
	assert_int_equal(unix_listener_init(&b, p->path, "--x"), 0);
	unix_listener_finish(&b);
}

static void test_a_name_that_became_anothers_is_kept(void **state)
{
	struct place *p = *state;
	struct unix_listener a, b;

	assert_int_equal(unix_listener_init(&a, p->path, "--x"), 0);
	unlink(p->path);
	assert_int_equal(unix_listener_init(&b, p->path, "--x"), 0);
	unix_listener_finish(&a);
	assert_int_equal(access(p->path, F_OK), 0);
	unix_listener_finish(&b);
}

static void test_other_files_are_left_alone(void **state)
{
	struct place *p = *state;
	struct unix_listener l;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);

	assert_true(g_file_set_contents(p->path, "x", 1, NULL));
	assert_int_equal(unix_listener_init(&l, p->path, "--x"), -EEXIST);
	assert_non_null(strstr(last_line, "exists and is no socket"));
	unlink(p->path);
	strcpy(addr.sun_path, p->path);
	assert_int_equal(bind(datagram, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(unix_listener_init(&l, p->path, "--x"), -EADDRINUSE);
	close(datagram);
	unlink(p->path);
}

static void test_bad_paths(void **state)
{
	g_autofree char *longest = g_strnfill(UNIX_SOCKET_PATH_MAX + 1, 'p');
	struct unix_listener l;

	assert_int_equal(unix_listener_init(&l, longest, "--x"), -ENAMETOOLONG);
	assert_non_null(strstr(last_line, "108 bytes; a unix socket's path may have 107"));
	assert_int_equal(unix_connect(longest), -ENAMETOOLONG);
	assert_int_equal(unix_listener_init(&l, "/nonexistent/s", "--x"), -ENOENT);
	assert_non_null(strstr(last_line, "make its folder first"));
	unix_listener_finish(&l);
}

static void test_nearest_name(void **state)
{
	static const char *const names[] = { "memory", "cpus", "cpu", "screenshot", NULL };

	assert_string_equal(nearest_name("memroy", names), "memory");
	assert_string_equal(nearest_name("screen", names), "screenshot");
	assert_string_equal(nearest_name("cpux", names), "cpus");
	assert_null(nearest_name("kernel", names));
	assert_null(nearest_name("xy", names));
	assert_null(nearest_name("", names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_listens_for_its_owner_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_live_socket_is_refused_and_stale_one_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_name_that_became_anothers_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_files_are_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_paths, set_up, tear_down),
		cmocka_unit_test(test_nearest_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
