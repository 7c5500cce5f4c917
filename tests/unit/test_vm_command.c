/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hotdesk vm: words to JSON, refusals, and the whole way to a control socket and back. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/commands.h"
#include "cli/vm_args.h"
#include "util/bytes.h"
#include "util/log.h"
#include "util/unix_socket.h"
#include "vmm/control.h"

static char last_line[1024];
static unsigned lines;

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	lines++;
	g_strlcpy(last_line, line, sizeof last_line);
}

/* The requests' parameters, one a line, or "! " and the mistake. words are separated by '|'. */
static char *parsed(const char *words, struct vm_request *r)
{
	g_auto(GStrv) argv = g_strsplit(words, "|", -1);
	GString *text = g_string_new(NULL);
	g_autofree char *err = vm_args_parse(r, (int)g_strv_length(argv), argv);

	if (err)
		g_string_printf(text, "! %s", err);
	for (guint i = 0; i < r->params->len && !err; i++) {
		g_autofree char *json = json_to_string(r->params->pdata[i], FALSE);

		g_string_append_printf(text, "%s%s", i ? "\n" : "", json);
	}
	if (r->file) /* it lies in argv */
		g_string_append_printf(text, " > %s", r->file);
	r->file = NULL;
	return g_string_free(text, FALSE);
}

static void test_words_become_parameters(void **state)
{
	static const char *const cases[][2] = {
		{ "status", "{}" },
		{ "status|--json", "{}" },
		{ "screenshot|a.png", "{\"cursor\":true} > a.png" },
		{ "screenshot|--head=1|-|--no-cursor", "{\"head\":1,\"cursor\":false} > -" },
		{ "resize|1280x800", "{\"width\":1280,\"height\":800}" },
		{ "resize|0x0|--head=3", "{\"head\":3,\"width\":0,\"height\":0}" },
		{ "key|ctrl-alt-delete", "{\"keys\":[\"ctrl\",\"alt\",\"delete\"]}" },
		{ "key|a|shift-b|--up",
			"{\"action\":\"up\",\"keys\":[\"a\"]}\n{\"action\":\"up\",\"keys\":[\"shift\",\"b\"]}" },
		{ "key|ctrl--", "{\"keys\":[\"ctrl\",\"minus\"]}" },
		{ "key|-", "{\"keys\":[\"minus\"]}" },
		{ "pointer|3|4", "{\"x\":3,\"y\":4}" },
		{ "pointer|3|4|left|--down",
			"{\"action\":\"down\",\"x\":3,\"y\":4,\"button\":\"left\"}" },
		{ "pointer|3|4|left|double",
			"{\"x\":3,\"y\":4,\"button\":\"left\"}\n{\"button\":\"left\"}" },
		{ "pointer|wheel|-1.5|hwheel|2", "{\"wheel\":-1.5,\"hwheel\":2.0}" },
		{ "type|a b|c", "{\"text\":\"a b c\"}" },
		{ "type|{}", "{\"text\":\"{}\"}" },
		{ "type|--|--json", "{\"text\":\"--json\"}" },
		{ "resize|{\"width\":1}", "{\"width\":1}" },
		{ "events", "{\"subscribe\":true}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct vm_request r;
		g_autofree char *got = parsed(cases[i][0], &r);

		if (strcmp(got, cases[i][1]) != 0)
			fail_msg("%s: %s", cases[i][0], got);
		vm_request_clear(&r);
	}
}

static void test_every_refusal(void **state)
{
	static const char *const cases[][2] = {
		{ "statsu", "unknown method 'statsu'; did you mean stat" },
		{ "xyzzy", "unknown method 'xyzzy'" },
		{ "status|now", "status takes no arguments" },
		{ "status|--head=1", "status does not know the option --head" },
		{ "status|--json=1", "--json takes no value" },
		{ "screenshot", "write screenshot FILE.png" },
		{ "screenshot|a|b", "write screenshot FILE.png" },
		{ "screenshot|a|--head", "write --head=0 to --head=3" },
		{ "screenshot|a|--head=4", "write --head=0 to --head=3" },
		{ "resize", "write resize 1280x800" },
		{ "resize|1280", "write resize 1280x800" },
		{ "resize|1280x9000", "write resize 1280x800" },
		{ "resize|-1x5", "write resize 1280x800" },
		{ "key", "write key ctrl-alt-delete" },
		{ "key|ctrl-", "write key ctrl-alt-delete" },
		{ "key|", "write key ctrl-alt-delete" },
		{ "key|-a", "write key ctrl-alt-delete" },
		{ "pointer", "write pointer X Y left" },
		{ "pointer|3", "write pointer X Y" },
		{ "pointer|3|4|thumb", "'thumb': write pointer" },
		{ "pointer|3|4|double", "'double': write pointer" },
		{ "pointer|left|right", "'right': write pointer" },
		{ "pointer|wheel", "'wheel': write pointer" },
		{ "pointer|wheel|up", "'wheel': write pointer" },
		{ "type", "write type 'TEXT'" },
		{ "type|\xff", "no UTF-8" },
		{ "powerdown|--wait=0", "write --wait or" },
		{ "powerdown|--wait=x", "write --wait or" },
		{ "quit|--wait", "quit does not know the option --wait" },
		{ "events|on", "events takes no arguments" },
		{ "resize|{", "not JSON" },
		{ "resize|{}{", "not JSON" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct vm_request r;
		g_autofree char *got = parsed(cases[i][0], &r);

		if (got[0] != '!' || !strstr(got, cases[i][1]))
			fail_msg("%s: %s", cases[i][0], got);
		vm_request_clear(&r);
	}
}

static void test_wait_and_json(void **state)
{
	struct vm_request r;

	g_free(parsed("powerdown|--wait|--json", &r));
	assert_true(r.wait && r.json);
	assert_int_equal(r.seconds, 0);
	vm_request_clear(&r);
	g_free(parsed("powerdown|--wait=30", &r));
	assert_int_equal(r.seconds, 30);
	vm_request_clear(&r);
}

/* ---- against a control socket on another thread ---- */

struct bench {
	char *dir, *path, *file, *out;
	struct control *control;
	GMainContext *context;
	GMainLoop *loop;
	pthread_t thread;
	GString *said;
};

static void op_status(void *opaque, JsonBuilder *b)
{
	json_builder_set_member_name(b, "state");
	json_builder_add_string_value(b, "run\x1bning");
	json_builder_set_member_name(b, "memory");
	json_builder_begin_object(b);
	json_builder_set_member_name(b, "bytes");
	json_builder_add_int_value(b, 4096);
	json_builder_set_member_name(b, "locked");
	json_builder_add_boolean_value(b, FALSE);
	json_builder_end_object(b);
	json_builder_set_member_name(b, "disks");
	json_builder_begin_array(b);
	json_builder_add_int_value(b, 1);
	json_builder_add_null_value(b);
	json_builder_end_array(b);
	json_builder_set_member_name(b, "vnc");
	json_builder_add_null_value(b);
}

static bool op_pause(void *opaque, char **why)
{
	*why = g_strdup("it is paused already");
	return false;
}

/* The guest obeys at once. */
static bool op_powerdown(void *opaque, char **why)
{
	struct bench *b = opaque;

	g_main_loop_quit(b->loop);
	return true;
}

static void op_key(
	void *opaque, const char *const *names, enum control_press press, struct control_call *call)
{
	struct bench *b = opaque;

	g_string_append_printf(b->said, "%s;", names[0]);
	if (!strcmp(names[0], "bad"))
		control_call_fail(call, "no such key: bad");
	else
		control_call_done(call);
}

static void op_screenshot(void *opaque, unsigned head, bool cursor, struct control_call *call)
{
	g_autoptr(GBytes) png = head ? g_bytes_new_static("JPEG", 4)
				     : g_bytes_new_static("\x89PNG\r\n\x1a\npixels", 14);

	control_call_png(call, png, 1, 1);
}

static const struct control_ops ops = {
	.status = op_status,
	.pause = op_pause,
	.powerdown = op_powerdown,
	.key = op_key,
	.screenshot = op_screenshot,
};

static void *serve(void *opaque)
{
	struct bench *b = opaque;

	g_main_loop_run(b->loop);
	control_destroy(b->control);
	return NULL;
}

static int set_up(void **state)
{
	struct bench *b = g_new0(struct bench, 1);

	b->dir = g_dir_make_tmp("hotdesk-test-XXXXXX", NULL);
	b->path = g_build_filename(b->dir, "s", NULL);
	b->file = g_build_filename(b->dir, "shot.png", NULL);
	b->out = g_build_filename(b->dir, "out", NULL);
	b->context = g_main_context_new();
	b->loop = g_main_loop_new(b->context, FALSE);
	b->said = g_string_new(NULL);
	*state = b;
	if (control_create(&b->control, b->path, &ops, b, b->context) != 0)
		return -1;
	if (pthread_create(&b->thread, NULL, serve, b) != 0)
		return -1;
	while (!g_main_loop_is_running(b->loop)) /* quitting it before would be lost */
		sched_yield();
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	int left;

	g_main_loop_quit(b->loop);
	pthread_join(b->thread, NULL);
	unlink(b->file);
	unlink(b->out);
	left = rmdir(b->dir);
	g_main_loop_unref(b->loop);
	g_main_context_unref(b->context);
	g_string_free(b->said, TRUE);
	g_free(b->dir);
	g_free(b->path);
	g_free(b->file);
	g_free(b->out);
	g_free(b);
	return left;
}

/* Runs the command with standard output in a file; *printed is what it printed. */
static int run(struct bench *b, const char *words, char **printed)
{
	g_autofree char *text = g_strdup_printf("vm|%s|%s", b->path, words);
	g_auto(GStrv) argv = g_strsplit(text, "|", -1);
	int saved, status;

	lines = 0;
	last_line[0] = 0;
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	assert_non_null(freopen(b->out, "w", stdout));
	log_set_sink(keep_line, NULL);
	status = cli_vm.run(&cli_vm, "hotdesk vm", (int)g_strv_length(argv), argv);
	log_set_sink(NULL, NULL);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_true(g_file_get_contents(b->out, printed, NULL, NULL));
	return status;
}

static void test_status_is_aligned_or_json(void **state)
{
	struct bench *b = *state;
	g_autofree char *text = NULL, *json = NULL;

	assert_int_equal(run(b, "status", &text), CLI_OK);
	assert_string_equal(text, "state          run?ning\n"
				  "memory.bytes   4096\n"
				  "memory.locked  no\n"
				  "disks          [1,null]\n"
				  "vnc            -\n");
	assert_int_equal(run(b, "status|--json", &json), CLI_OK);
	assert_non_null(strstr(json, "\"bytes\" : 4096"));
}

static void test_a_refused_method(void **state)
{
	struct bench *b = *state;
	g_autofree char *text = NULL;

	assert_int_equal(run(b, "pause", &text), CLI_FAILED);
	assert_string_equal(last_line, "vm: pause: it is paused already");
	assert_int_equal(lines, 1);
	assert_string_equal(text, "");
}

static void test_keys_stop_at_the_first_bad_one(void **state)
{
	struct bench *b = *state;
	g_autofree char *text = NULL;

	assert_int_equal(run(b, "key|a|bad|c", &text), CLI_FAILED);
	assert_string_equal(b->said->str, "a;bad;");
	assert_string_equal(last_line, "vm: key: no such key: bad");
}

static void test_screenshot_writes_the_file(void **state)
{
	struct bench *b = *state;
	g_autofree char *words = g_strdup_printf("screenshot|%s", b->file);
	g_autofree char *bad = g_strdup_printf("%s|--head=1", words);
	g_autofree char *nowhere = g_strdup_printf("screenshot|%s/no/shot.png", b->dir);
	g_autofree char *text = NULL, *none = NULL, *also = NULL, *last = NULL, *png = NULL;
	size_t len;

	assert_int_equal(run(b, words, &text), CLI_OK);
	assert_true(g_file_get_contents(b->file, &png, &len, NULL));
	assert_int_equal(len, 14);
	assert_memory_equal(png, "\x89PNG\r\n\x1a\npixels", 14);
	assert_int_equal(run(b, "screenshot|-", &none), CLI_OK);
	assert_memory_equal(none, png, 14);
	assert_int_equal(run(b, bad, &also), CLI_FAILED);
	assert_string_equal(last_line, "vm: screenshot: the answer is no PNG");
	assert_int_equal(run(b, nowhere, &last), CLI_FAILED);
	assert_non_null(strstr(last_line, "vm: screenshot: "));
}

static void test_powerdown_waits_for_the_end(void **state)
{
	struct bench *b = *state;
	g_autofree char *text = NULL, *after = NULL;

	assert_int_equal(run(b, "powerdown|--wait", &text), CLI_OK);
	assert_int_equal(run(b, "status", &after), CLI_FAILED);
	/* It hangs up, then nobody listens, then the name is gone: which of them is a matter of time. */
	assert_true(g_str_has_prefix(last_line, "vm: "));
}

static void test_sockets_that_do_not_answer(void **state)
{
	g_autofree char *longest = g_strnfill(200, 'x');
	g_autofree char *stale = g_build_filename(g_get_tmp_dir(), "hotdesk-test-stale", NULL);
	char *const paths[] = { "/nonexistent/s", longest, stale };
	static const char *const why[] = { "no such socket; start hotdesk-vmm with --control",
		"a unix socket's path may have 107", "nobody listens there" };
	struct unix_listener l;

	log_set_sink(keep_line, NULL);
	unlink(stale);
	assert_int_equal(unix_listener_init(&l, stale, "x"), 0);
	close(l.fd); /* its name stays */
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		char *argv[] = { "vm", paths[i], "status", NULL };

		lines = 0;
		assert_int_equal(cli_vm.run(&cli_vm, "hotdesk vm", 3, argv), CLI_FAILED);
		assert_int_equal(lines, 1);
		assert_non_null(strstr(last_line, why[i]));
	}
	l.fd = -1;
	unix_listener_finish(&l);
	log_set_sink(NULL, NULL);
}

static void test_usage(void **state)
{
	char *one[] = { "vm", NULL }, *two[] = { "vm", "s", NULL },
	     *bad[] = { "vm", "s", "statsu", NULL };

	log_set_sink(keep_line, NULL);
	assert_int_equal(cli_vm.run(&cli_vm, "hotdesk vm", 1, one), CLI_USAGE);
	assert_string_equal(last_line, "vm: a socket is missing; see hotdesk vm --help");
	assert_int_equal(cli_vm.run(&cli_vm, "hotdesk vm", 2, two), CLI_USAGE);
	assert_int_equal(cli_vm.run(&cli_vm, "hotdesk vm", 3, bad), CLI_USAGE);
	log_set_sink(NULL, NULL);
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_become_parameters),
		cmocka_unit_test(test_every_refusal),
		cmocka_unit_test(test_wait_and_json),
		SERVED(test_status_is_aligned_or_json),
		SERVED(test_a_refused_method),
		SERVED(test_keys_stop_at_the_first_bad_one),
		SERVED(test_screenshot_writes_the_file),
		SERVED(test_powerdown_waits_for_the_end),
		cmocka_unit_test(test_sockets_that_do_not_answer),
		cmocka_unit_test(test_usage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
