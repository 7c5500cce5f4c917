/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket over a real unix socket: every method and refusal, and rude clients. */
#include "vmm/control.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/bytes.h"
#include "util/log.h"
#include "util/unix_socket.h"

struct bench {
	char *dir, *path;
	GMainContext *context;
	struct control *control;
	struct control_ops ops;
	GString *said; /* what the ops were told */
	bool fails;
	struct control_call *open; /* of type and screenshot */
};

/* ---- the machine that the ops stand for ---- */

static void op_status(void *opaque, JsonBuilder *b)
{
	json_builder_set_member_name(b, "state");
	json_builder_add_string_value(b, "running");
}

static bool op_simple(struct bench *b, const char *name, char **why)
{
	g_string_append_printf(b->said, "%s;", name);
	if (b->fails)
		*why = g_strdup_printf("no %s today", name);
	return !b->fails;
}

static bool op_pause(void *opaque, char **why)
{
	return op_simple(opaque, "pause", why);
}

static bool op_quit(void *opaque, char **why)
{
	return op_simple(opaque, "quit", why);
}

static bool op_resize(void *opaque, unsigned head, unsigned width, unsigned height, char **why)
{
	g_autofree char *text = g_strdup_printf("resize %u %ux%u", head, width, height);

	return op_simple(opaque, text, why);
}

static void op_key(
	void *opaque, const char *const *names, enum control_press press, struct control_call *call)
{
	g_autofree char *joined = g_strjoinv("+", (char **)names);
	g_autofree char *text = g_strdup_printf("key %s %d", joined, press);
	g_autofree char *why = NULL;

	if (op_simple(opaque, text, &why))
		control_call_done(call);
	else
		control_call_fail(call, "%s", why);
}

static bool op_pointer(void *opaque, const struct control_pointer *p, char **why)
{
	g_autofree char *text = g_strdup_printf("pointer %d %u:%u,%u %u %d %d,%d", p->move, p->head,
		p->x, p->y, p->button, p->press, p->wheel, p->hwheel);

	return op_simple(opaque, text, why);
}

static void op_type(void *opaque, const char *text, struct control_call *call)
{
	struct bench *b = opaque;

	g_string_append_printf(b->said, "type %s;", text);
	b->open = call;
}

static void op_screenshot(void *opaque, unsigned head, bool cursor, struct control_call *call)
{
	struct bench *b = opaque;

	g_string_append_printf(b->said, "screenshot %u %d;", head, cursor);
	b->open = call;
}

/* ---- the bench ---- */

static void swallow(void *opaque, enum log_level level, const char *line)
{
}

static int set_up(void **state)
{
	struct bench *b = g_new0(struct bench, 1);

	log_set_sink(swallow, NULL);
	b->dir = g_dir_make_tmp("hotdesk-test-XXXXXX", NULL);
	b->path = g_build_filename(b->dir, "control", NULL);
	b->context = g_main_context_new();
	b->said = g_string_new(NULL);
	b->ops = (struct control_ops){
		.status = op_status,
		.pause = op_pause,
		.quit = op_quit,
		.resize = op_resize,
		.key = op_key,
		.pointer = op_pointer,
		.type = op_type,
		.screenshot = op_screenshot,
	};
	*state = b;
	return control_create(&b->control, b->path, &b->ops, b, b->context);
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	int left;

	control_destroy(b->control);
	left = rmdir(b->dir);
	log_set_sink(NULL, NULL);
	g_main_context_unref(b->context);
	g_string_free(b->said, TRUE);
	g_free(b->dir);
	g_free(b->path);
	g_free(b);
	return left;
}

static void pump(struct bench *b)
{
	while (g_main_context_iteration(b->context, FALSE))
		;
}

static int join(struct bench *b)
{
	int fd = unix_connect(b->path);

	assert_true(fd >= 0);
	pump(b);
	return fd;
}

static void put(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that has come, in a buffer that the next call reuses; NULL where the server closed. */
static const char *get(struct bench *b, int fd)
{
	static char buf[65536];
	size_t at = 0;
	ssize_t n;

	pump(b);
	while ((n = recv(fd, buf + at, sizeof buf - 1 - at, MSG_DONTWAIT)) > 0) {
		at += (size_t)n;
		pump(b);
	}
	buf[at] = 0;
	return at || (n < 0 && errno == EAGAIN) ? buf : NULL;
}

static const char *ask(struct bench *b, int fd, const char *method, const char *params)
{
	g_autofree char *line =
		g_strdup_printf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\"%s%s}\n", method,
			params ? ",\"params\":" : "", params ? params : "");

	put(fd, line);
	return get(b, fd);
}

#define OK "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"

static void assert_error(const char *answer, int code, const char *message)
{
	g_autofree char *text = g_strdup_printf("\"code\":%d,", code);

	assert_non_null(answer);
	if (!strstr(answer, text) || !strstr(answer, message))
		fail_msg("%s is not %d %s", answer, code, message);
}

/* ---- methods ---- */

static void test_methods_reach_their_ops(void **state)
{
	struct bench *b = *state;
	int fd = join(b);

	assert_string_equal(ask(b, fd, "status", NULL),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"state\":\"running\"}}\n");
	assert_string_equal(ask(b, fd, "pause", "{}"), OK);
	assert_string_equal(ask(b, fd, "resize", "{\"width\":1280,\"height\":800,\"head\":1}"), OK);
	assert_string_equal(ask(b, fd, "resize", "{\"width\":0,\"height\":0}"), OK);
	assert_string_equal(ask(b, fd, "key", "{\"keys\":[\"ctrl\",\"c\"],\"action\":\"up\"}"), OK);
	assert_string_equal(
		ask(b, fd, "pointer", "{\"x\":3,\"y\":4,\"button\":\"right\",\"action\":\"down\"}"),
		OK);
	assert_string_equal(ask(b, fd, "pointer", "{\"wheel\":-1.5,\"hwheel\":2}"), OK);
	assert_string_equal(b->said->str,
		"pause;resize 1 1280x800;resize 0 0x0;key ctrl+c 2;"
		"pointer 1 0:3,4 273 1 0,0;pointer 0 0:0,0 0 0 -180,240;");
	close(fd);
}

static void test_an_op_says_why_not(void **state)
{
	struct bench *b = *state;
	int fd = join(b);

	b->fails = true;
	assert_error(ask(b, fd, "pause", NULL), -32000, "no pause today");
	assert_error(ask(b, fd, "key", "{\"keys\":[\"a\"]}"), -32000, "no key a 0 today");
	close(fd);
}

static void test_every_refused_request(void **state)
{
	static const struct {
		const char *method, *params;
		int code;
		const char *message;
	} cases[] = {
		{ "statsu", NULL, -32601, "did you mean stat" },
		{ "xyzzy", NULL, -32601, "unknown method" },
		{ "reset", NULL, -32601, "not here" },
		{ "stats", NULL, -32601, "not here" },
		{ "status", "[]", -32602, "must be an object" },
		{ "status", "{\"x\":1}", -32602, "takes no parameters" },
		{ "pause", "{\"x\":1}", -32602, "takes no parameters" },
		{ "screenshot", "{\"head\":4}", -32602, "from 0 to 3" },
		{ "screenshot", "{\"head\":-1}", -32602, "from 0 to 3" },
		{ "screenshot", "{\"head\":\"0\"}", -32602, "from 0 to 3" },
		{ "screenshot", "{\"head\":1.5}", -32602, "from 0 to 3" },
		{ "screenshot", "{\"cursor\":1}", -32602, "true or false" },
		{ "screenshot", "{\"file\":\"/x\"}", -32602, "known are: head cursor" },
		{ "resize", NULL, -32602, "are needed" },
		{ "resize", "{\"width\":100}", -32602, "are needed" },
		{ "resize", "{\"width\":100,\"height\":0}", -32602, "both 0 to unplug" },
		{ "resize", "{\"width\":100,\"height\":31}", -32602, "must be 32 to 8192" },
		{ "resize", "{\"width\":100,\"height\":9000}", -32602, "from 0 to 8192" },
		{ "key", NULL, -32602, "list of 1 to 16" },
		{ "key", "{\"keys\":[]}", -32602, "list of 1 to 16" },
		{ "key", "{\"keys\":\"a\"}", -32602, "list of 1 to 16" },
		{ "key", "{\"keys\":[1]}", -32602, "1 to 32 bytes" },
		{ "key", "{\"keys\":[null]}", -32602, "1 to 32 bytes" },
		{ "key", "{\"keys\":[\"\"]}", -32602, "1 to 32 bytes" },
		{ "key", "{\"keys\":[\"123456789012345678901234567890123\"]}", -32602, "32 bytes" },
		{ "key", "{\"keys\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", -32602, "1 to 16" },
		{ "key", "{\"keys\":[\"a\"],\"action\":\"hold\"}", -32602, "click, down or up" },
		{ "key", "{\"keys\":[\"a\"],\"action\":1}", -32602, "must be a string" },
		{ "pointer", NULL, -32602, "say where to" },
		{ "pointer", "{\"head\":0}", -32602, "say where to" },
		{ "pointer", "{\"x\":1}", -32602, "go together" },
		{ "pointer", "{\"x\":1,\"y\":65536}", -32602, "from 0 to 65535" },
		{ "pointer", "{\"button\":\"thumb\"}", -32602, "must be left" },
		{ "pointer", "{\"wheel\":101}", -32602, "from -100 to 100" },
		{ "pointer", "{\"wheel\":\"1\"}", -32602, "from -100 to 100" },
		{ "pointer", "{\"hwheel\":[]}", -32602, "from -100 to 100" },
		{ "type", NULL, -32602, "\\\"text\\\" is needed" },
		{ "type", "{\"text\":5}", -32602, "must be a string" },
		{ "type", "{\"text\":\"a\",\"delay\":1}", -32602, "known are: text" },
		{ "events", "{}", -32602, "is needed" },
		{ "events", "{\"subscribe\":\"on\"}", -32602, "true or false" },
	};
	struct bench *b = *state;
	int fd = join(b);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_error(ask(b, fd, cases[i].method, cases[i].params), cases[i].code,
			cases[i].message);
	assert_string_equal(b->said->str, "");
	close(fd);
}

static void test_absent_devices(void **state)
{
	static const char *const cases[][2] = {
		{ "status", NULL },
		{ "screenshot", NULL },
		{ "resize", "{\"width\":100,\"height\":100}" },
		{ "key", "{\"keys\":[\"a\"]}" },
		{ "pointer", "{\"wheel\":1}" },
		{ "type", "{\"text\":\"a\"}" },
	};
	struct bench *b = *state;
	int fd = join(b);

	b->ops = (struct control_ops){ NULL };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_error(ask(b, fd, cases[i][0], cases[i][1]), -32601, "not here");
	close(fd);
}

/* ---- answers that come later ---- */

static void test_requests_wait_for_an_open_call(void **state)
{
	struct bench *b = *state;
	int fd = join(b), other = join(b);

	put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"type\",\"params\":{\"text\":\"\u00e9\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"pause\"}\n");
	assert_string_equal(get(b, fd), "");
	assert_string_equal(ask(b, other, "quit", NULL), OK); /* others go on */
	assert_string_equal(b->said->str, "type \u00e9;quit;");
	control_call_fail(b->open, "no key for %s", "it");
	assert_string_equal(get(b, fd),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"no key for it\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n");
	close(fd);
	close(other);
}

static void test_screenshot_is_base64(void **state)
{
	struct bench *b = *state;
	g_autoptr(GBytes) png = g_bytes_new_static("PNG!", 4);
	int fd = join(b);

	assert_string_equal(ask(b, fd, "screenshot", "{\"cursor\":false}"), "");
	assert_string_equal(b->said->str, "screenshot 0 0;");
	control_call_png(b->open, png, 2, 1);
	assert_string_equal(get(b, fd),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"format\":\"png\","
		"\"width\":2,\"height\":1,\"data\":\"UE5HIQ==\"}}\n");
	close(fd);
}

static void test_a_client_that_left_is_answered_into_nothing(void **state)
{
	struct bench *b = *state;
	int fd = join(b);

	ask(b, fd, "type", "{\"text\":\"a\"}");
	close(fd);
	pump(b);
	control_call_done(b->open);
	pump(b);
	fd = join(b);
	ask(b, fd, "type", "{\"text\":\"b\"}");
	control_destroy(b->control);
	b->control = NULL;
	assert_null(get(b, fd));
	control_call_done(b->open);
	close(fd);
}

static void test_half_closed_client_gets_its_answer(void **state)
{
	struct bench *b = *state;
	int fd = join(b);

	put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"type\",\"params\":{\"text\":\"a\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pause\"}\n{\"never ended\":");
	shutdown(fd, SHUT_WR);
	assert_string_equal(get(b, fd), "");
	control_call_done(b->open);
	assert_string_equal(get(b, fd), OK OK);
	assert_null(get(b, fd));
	close(fd);
}

static void test_notifications_are_not_answered(void **state)
{
	struct bench *b = *state;
	int fd = join(b);

	put(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"pause\"}\n{\"jsonrpc\":\"2.0\",\"method\":\"no\"}\n");
	assert_string_equal(get(b, fd), "");
	assert_string_equal(b->said->str, "pause;");
	close(fd);
}

/* ---- rude clients ---- */

static void test_garbage_is_answered_and_survived(void **state)
{
	struct bench *b = *state;
	int fd = join(b);

	put(fd, "GET / HTTP/1.1\r\n");
	assert_error(get(b, fd), -32700, "\"id\":null");
	put(fd, "\n");
	assert_error(get(b, fd), -32700, "not one line of JSON");
	put(fd, "[]\n");
	assert_error(get(b, fd), -32600, "batches");
	assert_string_equal(ask(b, fd, "pause", NULL), OK);
	close(fd);
}

static void test_half_a_line_is_kept(void **state)
{
	struct bench *b = *state;
	int fd = join(b);

	put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"me");
	assert_string_equal(get(b, fd), "");
	put(fd, "thod\":\"pause\"}");
	assert_string_equal(get(b, fd), "");
	put(fd, "\n");
	assert_string_equal(get(b, fd), OK);
	close(fd);
}

static void test_a_megabyte_of_line(void **state)
{
	struct bench *b = *state;
	int fd = join(b);
	g_autofree char *piece = g_strnfill(16384, 'x');
	g_autoptr(GString) answers = g_string_new(NULL);

	for (int i = 0; i < 64; i++) {
		put(fd, piece);
		g_string_append(answers, get(b, fd));
	}
	assert_error(answers->str, -32700, "65536 bytes");
	assert_int_equal(strchr(answers->str, '\n') - answers->str, answers->len - 1); /* one */
	put(fd, "\n");
	assert_string_equal(ask(b, fd, "pause", NULL), OK);
	close(fd);
}

static void test_a_flood_is_served_in_order(void **state)
{
	struct bench *b = *state;
	int fd = join(b);
	g_autoptr(GString) flood = g_string_new(NULL);

	for (int i = 0; i < 100; i++)
		g_string_append(flood, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pause\"}\n");
	for (int round = 0; round < 5; round++) {
		const char *answers;

		put(fd, flood->str);
		answers = get(b, fd);
		assert_int_equal(strlen(answers), 100 * strlen(OK));
	}
	close(fd);
}

/* It is served no more, so it costs one answer of memory; everybody else goes on. */
static void test_a_client_that_stops_reading_holds_nobody(void **state)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pause\"}\n";
	struct bench *b = *state;
	int fd = join(b), other = join(b);
	size_t sent = 0, served;

	for (int idle = 0; idle < 3;) {
		ssize_t n = send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);

		pump(b);
		idle = n < 0 ? idle + 1 : 0;
		sent += n > 0;
	}
	served = b->said->len / strlen("pause;");
	assert_true(served > 0 && served < sent);
	assert_string_equal(ask(b, other, "quit", NULL), OK);
	close(fd);
	pump(b);
	assert_string_equal(ask(b, other, "quit", NULL), OK);
	close(other);
}

static void test_too_many_clients(void **state)
{
	struct bench *b = *state;
	int fds[CONTROL_CLIENTS_MAX], extra;

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fds[i] = join(b);
	extra = join(b);
	assert_error(get(b, extra), -32000, "too many clients");
	assert_null(get(b, extra));
	close(extra);
	close(fds[0]);
	pump(b);
	extra = join(b);
	assert_string_equal(ask(b, extra, "pause", NULL), OK);
	close(extra);
	for (int i = 1; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
}

/* ---- events ---- */

static void test_events_go_to_who_asked(void **state)
{
	struct bench *b = *state;
	int fd = join(b), other = join(b);
	JsonObject *params = json_object_new();

	assert_string_equal(ask(b, fd, "events", "{\"subscribe\":true}"), OK);
	json_object_set_string_member(params, "by", "the guest");
	control_event(b->control, "reset", params);
	control_event(b->control, "paused", NULL);
	assert_string_equal(get(b, fd),
		"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"by\":\"the guest\",\"event\":\"reset\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"event\":\"paused\"}}\n");
	assert_string_equal(get(b, other), "");
	shutdown(fd, SHUT_WR); /* it goes on listening */
	assert_string_equal(get(b, fd), "");
	control_event(b->control, "quit", NULL);
	assert_non_null(strstr(get(b, fd), "quit"));
	assert_string_equal(ask(b, other, "events", "{\"subscribe\":true}"), OK);
	assert_string_equal(ask(b, other, "events", "{\"subscribe\":false}"), OK);
	control_event(b->control, "quit", NULL);
	assert_string_equal(get(b, other), "");
	close(fd);
	close(other);
}

static void test_events_that_nobody_reads_close_the_client(void **state)
{
	struct bench *b = *state;
	int fd = join(b), other = join(b);
	char buf[4096];
	ssize_t n;

	ask(b, fd, "events", "{\"subscribe\":true}");
	ask(b, other, "events", "{\"subscribe\":true}");
	for (int i = 0; i < 20000; i++) {
		control_event(b->control, "reset", NULL);
		assert_non_null(get(b, other));
	}
	do
		n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	while (n > 0);
	assert_int_equal(n, 0);
	close(fd);
	close(other);
}

static void test_destroy_sends_what_is_ready(void **state)
{
	struct bench *b = *state;
	int fd = join(b);

	ask(b, fd, "type", "{\"text\":\"a\"}");
	control_call_done(b->open);
	control_destroy(b->control);
	b->control = NULL;
	assert_string_equal(get(b, fd), OK);
	assert_null(get(b, fd));
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_methods_reach_their_ops),
		TEST(test_an_op_says_why_not),
		TEST(test_every_refused_request),
		TEST(test_absent_devices),
		TEST(test_requests_wait_for_an_open_call),
		TEST(test_screenshot_is_base64),
		TEST(test_a_client_that_left_is_answered_into_nothing),
		TEST(test_half_closed_client_gets_its_answer),
		TEST(test_notifications_are_not_answered),
		TEST(test_garbage_is_answered_and_survived),
		TEST(test_half_a_line_is_kept),
		TEST(test_a_megabyte_of_line),
		TEST(test_a_flood_is_served_in_order),
		TEST(test_a_client_that_stops_reading_holds_nobody),
		TEST(test_too_many_clients),
		TEST(test_events_go_to_who_asked),
		TEST(test_events_that_nobody_reads_close_the_client),
		TEST(test_destroy_sends_what_is_ready),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
