/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Consoles over real descriptors: files, pipes, unix sockets and a terminal of a child's own. */
#include "vmm/legacy/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <glib.h>

#include <cmocka.h>

#include "util/bytes.h"
#include "util/log.h"
#include "util/unix_socket.h"

enum { RING = 65536, INPUT = 256 };

struct bench {
	char *dir, *path;
	struct loop *loop;
	struct console *console;
	struct console_client client;
	unsigned inputs, outputs, logged;
};

static void count_input(void *opaque)
{
	((struct bench *)opaque)->inputs++;
}

static void count_output(void *opaque)
{
	((struct bench *)opaque)->outputs++;
}

static void count_line(void *opaque, enum log_level level, const char *line)
{
	((struct bench *)opaque)->logged++;
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	log_set_sink(count_line, b);
	b->dir = g_dir_make_tmp("hotdesk-test-XXXXXX", NULL);
	b->path = g_build_filename(b->dir, "c", NULL);
	b->loop = loop_create();
	b->client = (struct console_client){ count_input, count_output, b };
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	int left;

	console_destroy(b->console);
	loop_destroy(b->loop);
	left = rmdir(b->dir);
	log_set_sink(NULL, NULL);
	g_free(b->dir);
	g_free(b->path);
	free(b);
	return left;
}

static void open_console(struct bench *b, enum console_kind kind)
{
	assert_int_equal(console_create(&b->console, b->loop, kind, b->path, NULL), 0);
	console_attach(b->console, &b->client);
}

static void turn(struct bench *b)
{
	for (int i = 0; i < 20; i++)
		loop_step(b->loop, 0);
}

static size_t put(struct bench *b, const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && console_put(b->console, (uint8_t)text[n]))
		n++;
	return n;
}

static void put_all(struct bench *b, const char *text)
{
	assert_int_equal(put(b, text, strlen(text)), strlen(text));
}

/* All that has come, in a buffer that the next call reuses; NULL at the end of it. */
static const char *get(struct bench *b, int fd)
{
	static char buf[4 * RING];
	size_t at = 0;
	ssize_t n;

	turn(b);
	while ((n = recv(fd, buf + at, sizeof buf - 1 - at, MSG_DONTWAIT)) > 0) {
		at += (size_t)n;
		turn(b);
	}
	buf[at] = 0;
	return at || n < 0 ? buf : NULL;
}

static int join(struct bench *b)
{
	int fd = unix_connect(b->path);

	assert_true(fd >= 0);
	turn(b);
	return fd;
}

static void assert_input(struct bench *b, const char *text)
{
	uint8_t byte;

	for (; *text; text++) {
		assert_true(console_get(b->console, &byte));
		assert_int_equal(byte, *text);
	}
	assert_false(console_get(b->console, &byte));
}

/* ---- nothing, files ---- */

static void test_none_takes_and_gives_nothing(void **state)
{
	struct bench *b = *state;

	open_console(b, CONSOLE_NONE);
	for (int i = 0; i < 3 * RING; i++)
		assert_true(console_put(b->console, 'x'));
	assert_input(b, "");
}

static void test_file_gets_every_byte(void **state)
{
	struct bench *b = *state;
	g_autofree char *text = g_strnfill(RING, 'x'), *got = NULL;
	size_t len;

	assert_true(g_file_set_contents(b->path, "from before", -1, NULL));
	open_console(b, CONSOLE_FILE);
	assert_int_equal(put(b, text, RING), RING);
	assert_false(console_put(b->console, 'y')); /* full: nobody is dropped */
	assert_int_equal(b->outputs, 0);
	turn(b);
	assert_int_equal(b->outputs, 1);
	put_all(b, "last words");
	console_destroy(b->console); /* writes what is left */
	b->console = NULL;
	assert_true(g_file_get_contents(b->path, &got, &len, NULL));
	assert_int_equal(len, RING + strlen("last words"));
	assert_string_equal(got + RING, "last words");
	unlink(b->path);
}

static void test_files_that_do_not_open(void **state)
{
	struct bench *b = *state;

	assert_int_equal(console_create(&b->console, b->loop, CONSOLE_FILE, b->dir, NULL), -EISDIR);
	assert_null(b->console);
	assert_int_equal(b->logged, 1);
	assert_int_equal(console_create(&b->console, b->loop, CONSOLE_UNIX, "/nonexistent/c", NULL),
		-ENOENT);
	assert_int_equal(b->logged, 2);
}

static void test_a_file_system_that_is_full(void **state)
{
	struct bench *b = *state;

	assert_int_equal(console_create(&b->console, b->loop, CONSOLE_FILE, "/dev/full", NULL), 0);
	put_all(b, "x");
	turn(b);
	assert_int_equal(b->logged, 1);
	for (int i = 0; i < 3 * RING; i++) /* the guest goes on */
		assert_true(console_put(b->console, 'x'));
	turn(b);
	assert_int_equal(b->logged, 1);
}

/* ---- the unix socket ---- */

static void test_who_connects_gets_the_last_64_kib(void **state)
{
	struct bench *b = *state;
	g_autofree char *early = g_strnfill(1000, 'a'), *late = g_strnfill(RING - 4, 'b');
	int fd, other;

	open_console(b, CONSOLE_UNIX);
	put_all(b, "hello");
	fd = join(b);
	assert_string_equal(get(b, fd), "hello");
	put_all(b, " you");
	assert_string_equal(get(b, fd), " you");
	close(fd);
	put_all(b, early);
	put_all(b, "1234");
	put_all(b, late);
	fd = join(b);
	other = join(b);
	assert_int_equal(strlen(get(b, fd)), RING);
	assert_memory_equal(get(b, other), "1234bbbb", 8);
	put_all(b, "!");
	assert_string_equal(get(b, fd), "!");
	assert_string_equal(get(b, other), "!");
	close(fd);
	close(other);
}

static void test_a_slow_reader_misses_a_counted_part(void **state)
{
	struct bench *b = *state;
	g_autoptr(GString) got = g_string_new(NULL);
	const char *mark;
	char *end;
	unsigned long lost;
	const size_t sent = 64 * RING;
	int fd;

	open_console(b, CONSOLE_UNIX);
	fd = join(b);
	for (size_t i = 0; i < sent; i += 64) {
		put_all(b, "0123456789012345678901234567890123456789012345678901234567890123");
		if (i % 1024 == 0)
			loop_step(b->loop, 0);
	}
	for (const char *text; *(text = get(b, fd));)
		g_string_append(got, text);
	mark = strstr(got->str, "\r\n[hotdesk: ");
	assert_non_null(mark);
	lost = strtoul(mark + strlen("\r\n[hotdesk: "), &end, 10);
	assert_true(g_str_has_prefix(end, " bytes lost]\r\n"));
	end += strlen(" bytes lost]\r\n");
	assert_int_equal((size_t)(mark - got->str) + lost + strlen(end), sent);
	assert_int_equal(b->outputs, 0); /* the guest never had to wait */
	close(fd);
}

static void test_input_from_several_and_in_order(void **state)
{
	struct bench *b = *state;
	int fd, other;

	open_console(b, CONSOLE_UNIX);
	fd = join(b);
	other = join(b);
	assert_int_equal(send(fd, "abc", 3, 0), 3);
	turn(b);
	assert_int_equal(send(other, "de", 2, 0), 2);
	turn(b);
	assert_int_equal(b->inputs, 2);
	assert_input(b, "abcde");
	close(fd);
	close(other);
}

/* The rest waits in the socket, even after the sender has gone, and costs no wake-ups. */
static void test_input_waits_until_the_guest_takes_it(void **state)
{
	struct bench *b = *state;
	char text[1000];
	uint8_t byte;
	int fd, n = 0;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)('a' + i % 26);
	open_console(b, CONSOLE_UNIX);
	fd = join(b);
	assert_int_equal(send(fd, text, sizeof text, 0), sizeof text);
	close(fd);
	turn(b);
	assert_int_equal(b->inputs, 1);
	for (int round = 0; round < 20; round++) {
		while (console_get(b->console, &byte))
			assert_int_equal(byte, text[n++]);
		turn(b);
	}
	assert_int_equal(n, sizeof text);
}

static void test_more_readers_than_places(void **state)
{
	struct bench *b = *state;
	int fds[9];

	open_console(b, CONSOLE_UNIX);
	put_all(b, "hi");
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = join(b);
	assert_string_equal(get(b, fds[7]), "hi");
	assert_null(get(b, fds[8])); /* closed at once */
	close(fds[0]);
	close(fds[8]);
	turn(b);
	fds[0] = fds[8] = join(b);
	assert_string_equal(get(b, fds[0]), "hi");
	for (size_t i = 0; i < ARRAY_LEN(fds) - 1; i++)
		close(fds[i]);
}

/* ---- standard input and output ---- */

/* Runs with others in the place of descriptors 0 and 1. */
struct stdio {
	int saved[2];
};

static void stdio_swap(struct stdio *s, int in, int out)
{
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		s->saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
	dup2(in, 0);
	dup2(out, 1);
}

static void stdio_back(struct stdio *s)
{
	for (int i = 0; i < 2; i++) {
		dup2(s->saved[i], i);
		close(s->saved[i]);
	}
}

static void test_pipes_hold_the_guest_and_lose_nothing(void **state)
{
	struct bench *b = *state;
	int in[2], out[2];
	struct stdio saved;
	size_t sent = 0, got = 0;
	char buf[4096];
	ssize_t n;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	stdio_swap(&saved, in[0], out[1]);
	open_console(b, CONSOLE_STDIO);
	while (console_put(b->console, (uint8_t)sent)) { /* until pipe and ring are full */
		sent++;
		if (sent % 1024 == 0)
			turn(b);
	}
	turn(b);
	assert_false(console_put(b->console, 'x'));
	assert_int_equal(b->outputs, 0);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	for (int idle = 0; idle < 3; idle++) {
		turn(b);
		while ((n = read(out[0], buf, sizeof buf)) > 0) {
			for (ssize_t i = 0; i < n; i++)
				if ((uint8_t)buf[i] != (uint8_t)(got + (size_t)i))
					sent = 0;
			got += (size_t)n;
			idle = 0;
			turn(b);
		}
	}
	assert_int_equal(write(in[1], "\x01x", 2), 2); /* no terminal: no escapes */
	turn(b);
	close(in[1]);
	turn(b);
	console_put(b->console, '.');
	turn(b);
	stdio_back(&saved);
	assert_int_equal(got, sent);
	assert_int_equal(b->outputs, 1);
	assert_input(b, "\x01x");
	assert_int_equal(read(out[0], buf, 9), 1); /* it reads on after the end of its input */
	assert_int_equal(
		fcntl(out[1], F_GETFL) & O_NONBLOCK, 0); /* shared flags are as they were */
	close(in[0]);
	close(out[0]);
	close(out[1]);
}

static void test_files_as_standard_input_and_output(void **state)
{
	struct bench *b = *state;
	g_autofree char *text = g_strnfill(700, 'i'), *got = NULL;
	struct stdio saved;
	uint8_t byte;
	int in, out, n = 0;

	assert_true(g_file_set_contents(b->path, text, -1, NULL));
	in = open(b->path, O_RDONLY | O_CLOEXEC);
	unlink(b->path);
	out = open(b->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	stdio_swap(&saved, in, out);
	open_console(b, CONSOLE_STDIO);
	put_all(b, "one ");
	for (int round = 0; round < 20; round++) {
		turn(b);
		while (console_get(b->console, &byte))
			n += byte == 'i';
	}
	put_all(b, "two");
	console_destroy(b->console);
	b->console = NULL;
	stdio_back(&saved);
	assert_int_equal(n, 700);
	assert_true(g_file_get_contents(b->path, &got, NULL, NULL));
	assert_string_equal(got, "one two");
	unlink(b->path);
	close(in);
	close(out);
}

static void test_a_pipe_that_nobody_reads(void **state)
{
	struct bench *b = *state;
	int in[2], out[2];
	struct stdio saved;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	stdio_swap(&saved, in[0], out[1]);
	open_console(b, CONSOLE_STDIO);
	close(out[0]);
	put_all(b, "x");
	turn(b); /* SIGPIPE would end the test */
	stdio_back(&saved);
	assert_int_equal(b->logged, 1);
	close(in[0]);
	close(in[1]);
	close(out[1]);
}

/* ---- threads: the port is on another than the loop ---- */

enum { THREAD_BYTES = 300000 };

static void *vcpu_writes(void *opaque)
{
	struct bench *b = opaque;
	uint8_t byte;

	for (unsigned i = 0; i < THREAD_BYTES;) {
		if (console_put(b->console, (uint8_t)i))
			i++;
		else
			sched_yield();
		console_get(b->console, &byte);
	}
	loop_stop(b->loop);
	return NULL;
}

static void run_beside_vcpu(struct bench *b)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, vcpu_writes, b), 0);
	loop_run(b->loop);
	pthread_join(thread, NULL);
	console_destroy(b->console);
	b->console = NULL;
}

static void test_file_beside_a_vcpu(void **state)
{
	struct bench *b = *state;
	g_autofree char *got = NULL;
	size_t len;

	open_console(b, CONSOLE_FILE);
	run_beside_vcpu(b);
	assert_true(g_file_get_contents(b->path, &got, &len, NULL));
	assert_int_equal(len, THREAD_BYTES);
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)got[i] != (uint8_t)i)
			fail_msg("byte %zu", i);
	unlink(b->path);
}

static void test_socket_beside_a_vcpu(void **state)
{
	struct bench *b = *state;
	int fd;

	open_console(b, CONSOLE_UNIX);
	fd = join(b);
	assert_int_equal(send(fd, b, sizeof *b, 0), sizeof *b);
	run_beside_vcpu(b);
	close(fd);
}

/* ---- a terminal: a child has one of its own ---- */

struct tty_child {
	bool quit;
};

static void tty_power(void *opaque, enum power_request what, const char *by)
{
	((struct tty_child *)opaque)->quit = what == POWER_OFF;
}

/* Echoes what arrives between brackets until Ctrl-A x; how it ends is up to the test. */
static void tty_main(int end)
{
	struct tty_child t = { 0 };
	const struct power_sink power = { tty_power, &t };
	struct loop *l = loop_create();
	struct console *c;
	uint8_t byte;

	if (console_create(&c, l, CONSOLE_STDIO, NULL, &power) != 0)
		_exit(9);
	console_put(c, '>');
	while (!t.quit) {
		loop_step(l, 100);
		while (console_get(c, &byte)) {
			console_put(c, '[');
			console_put(c, byte);
			console_put(c, ']');
		}
	}
	if (end > 0)
		raise(end);
	if (end == 0)
		console_destroy(c);
	exit(7);
}

/* Reads from the terminal's other side until text came. */
static void tty_expect(int fd, const char *text)
{
	g_autoptr(GString) got = g_string_new(NULL);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[256];

	while (!strstr(got->str, text)) {
		ssize_t n = poll(&p, 1, 10000) > 0 ? read(fd, buf, sizeof buf) : 0;

		if (n <= 0)
			fail_msg("'%s' instead of '%s'", got->str, text);
		g_string_append_len(got, buf, n);
	}
}

static void tty_end(int how, int status)
{
	struct termios before, raw, after;
	int fd, slave, got;
	pid_t pid;

	fflush(stdout);
	assert_int_equal(openpty(&fd, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, &before), 0);
	pid = fork();
	if (pid == 0) {
		close(fd);
		login_tty(slave);
		tty_main(how);
	}
	tty_expect(fd, ">");
	tcgetattr(slave, &raw);
	assert_int_equal(raw.c_lflag & (ICANON | ECHO | ISIG), 0);
	assert_int_equal(write(fd, "a\x03\x01\x01\x01qz", 7), 7);
	tty_expect(fd, "[a][\x03][\x01][z]");
	assert_int_equal(write(fd, "\x01h", 2), 2);
	tty_expect(fd, "ends the machine");
	assert_int_equal(write(fd, "\x01x", 2), 2);
	assert_int_equal(waitpid(pid, &got, 0), pid);
	assert_int_equal(got, status);
	assert_int_equal(tcgetattr(slave, &after), 0);
	assert_int_equal(before.c_lflag, after.c_lflag);
	assert_int_equal(before.c_iflag, after.c_iflag);
	close(fd);
	close(slave);
}

static void test_terminal_is_restored_at_every_end(void **state)
{
	tty_end(0, 7 << 8);  /* console_destroy() */
	tty_end(-1, 7 << 8); /* exit() alone */
	tty_end(SIGTERM, SIGTERM);
	tty_end(SIGINT, SIGINT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_none_takes_and_gives_nothing),
		TEST(test_file_gets_every_byte),
		TEST(test_files_that_do_not_open),
		TEST(test_a_file_system_that_is_full),
		TEST(test_who_connects_gets_the_last_64_kib),
		TEST(test_a_slow_reader_misses_a_counted_part),
		TEST(test_input_from_several_and_in_order),
		TEST(test_input_waits_until_the_guest_takes_it),
		TEST(test_more_readers_than_places),
		TEST(test_pipes_hold_the_guest_and_lose_nothing),
		TEST(test_files_as_standard_input_and_output),
		TEST(test_a_pipe_that_nobody_reads),
		TEST(test_file_beside_a_vcpu),
		TEST(test_socket_beside_a_vcpu),
		TEST(test_terminal_is_restored_at_every_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
