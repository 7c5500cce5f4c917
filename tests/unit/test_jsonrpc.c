/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON-RPC lines: cutting, every error code, depth, and what is built. */
#include "util/jsonrpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/bytes.h"

static void test_lines_are_cut_wherever_they_arrive(void **state)
{
	static const char text[] = "abc\n\nde\nrest";
	static const char *const lines[] = { "abc", "", "de" };

	for (size_t piece = 1; piece < sizeof text; piece++) {
		struct jsonrpc_reader r;
		unsigned n = 0;

		jsonrpc_reader_init(&r, 8);
		for (size_t at = 0; at < sizeof text - 1; at += piece) {
			const char *bytes = text + at;
			size_t len = MIN(piece, sizeof text - 1 - at);

			while (jsonrpc_reader_next(&r, &bytes, &len) == JSONRPC_LINE)
				assert_string_equal(r.line->str, lines[n++]);
		}
		assert_int_equal(n, 3);
		assert_string_equal(r.line->str, "rest");
		jsonrpc_reader_finish(&r);
	}
}

static void test_a_long_line_is_reported_once_and_skipped(void **state)
{
	static const char text[] = "12345678\n123456789\nok\n";

	for (size_t piece = 1; piece < sizeof text; piece++) {
		struct jsonrpc_reader r;
		g_autoptr(GString) seen = g_string_new(NULL);

		jsonrpc_reader_init(&r, 8);
		for (size_t at = 0; at < sizeof text - 1; at += piece) {
			const char *bytes = text + at;
			size_t len = MIN(piece, sizeof text - 1 - at);
			enum jsonrpc_event e;

			while ((e = jsonrpc_reader_next(&r, &bytes, &len)) != JSONRPC_MORE)
				g_string_append_printf(
					seen, "%s;", e == JSONRPC_LINE ? r.line->str : "too long");
		}
		assert_string_equal(seen->str, "12345678;too long;ok;");
		jsonrpc_reader_finish(&r);
	}
}

static int parse(const char *line, struct jsonrpc_request *r)
{
	const char *why = NULL;
	int code = jsonrpc_parse_request(line, strlen(line), r, &why);

	assert_int_equal(code != 0, why != NULL);
	return code;
}

static void test_requests(void **state)
{
	struct jsonrpc_request r;

	assert_int_equal(parse(" {\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"status\"}\r", &r), 0);
	assert_string_equal(r.method, "status");
	assert_int_equal(json_node_get_int(r.id), 7);
	assert_null(r.params);
	jsonrpc_request_clear(&r);

	assert_int_equal(
		parse("{\"jsonrpc\":\"2.0\",\"method\":\"key\",\"params\":{\"keys\":[\"a\"]}}", &r),
		0);
	assert_null(r.id);
	assert_true(JSON_NODE_HOLDS_OBJECT(r.params));
	jsonrpc_request_clear(&r);

	assert_int_equal(
		parse("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\",\"params\":[]}", &r), 0);
	assert_true(JSON_NODE_HOLDS_NULL(r.id));
	jsonrpc_request_clear(&r);
}

static void test_every_refused_request(void **state)
{
	static const struct {
		const char *line;
		int code;
		bool id; /* is known in spite of the error */
	} cases[] = {
		{ "", JSONRPC_PARSE_ERROR },
		{ "   ", JSONRPC_PARSE_ERROR },
		{ "status", JSONRPC_PARSE_ERROR },
		{ "\"status\"", JSONRPC_PARSE_ERROR },
		{ "var x = {}", JSONRPC_PARSE_ERROR },
		{ "{\"jsonrpc\":\"2.0\"", JSONRPC_PARSE_ERROR },
		{ "{\"jsonrpc\":'2.0',\"method\":\"x\"}", JSONRPC_PARSE_ERROR },
		{ "{} /* \" */", JSONRPC_PARSE_ERROR },
		{ "{\"a\":\"\xff\"}", JSONRPC_PARSE_ERROR },
		{ "[]", JSONRPC_INVALID_REQUEST },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}]", JSONRPC_INVALID_REQUEST },
		{ "{}", JSONRPC_INVALID_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}", JSONRPC_INVALID_REQUEST },
		{ "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"x\"}", JSONRPC_INVALID_REQUEST },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}", JSONRPC_INVALID_REQUEST,
			true },
		{ "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"x\"}", JSONRPC_INVALID_REQUEST, true },
		{ "{\"id\":1,\"method\":\"x\"}", JSONRPC_INVALID_REQUEST, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", JSONRPC_INVALID_REQUEST, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", JSONRPC_INVALID_REQUEST, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}", JSONRPC_INVALID_REQUEST, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":1}",
			JSONRPC_INVALID_REQUEST, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":null}",
			JSONRPC_INVALID_REQUEST, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jsonrpc_request r;
		int code = parse(cases[i].line, &r);

		if (code != cases[i].code || cases[i].id != (r.id != NULL))
			fail_msg("%s: %d, id %d", cases[i].line, code, r.id != NULL);
		jsonrpc_request_clear(&r);
	}
}

static void test_depth_is_bounded_before_parsing(void **state)
{
	static const unsigned depths[] = { 31, 32, 33, 60000 };

	for (size_t i = 0; i < ARRAY_LEN(depths); i++) {
		unsigned depth = depths[i];
		g_autofree char *open = g_strnfill(depth - 1, '['),
				*shut = g_strnfill(depth - 1, ']');
		g_autofree char *line = g_strdup_printf(
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"[[\\\"[[\",\"params\":%s%s}",
			open, shut);
		struct jsonrpc_request r;

		assert_int_equal(
			parse(line, &r), depth <= JSONRPC_DEPTH_MAX ? 0 : JSONRPC_PARSE_ERROR);
		jsonrpc_request_clear(&r);
	}
}

static void test_what_is_built(void **state)
{
	g_autoptr(JsonNode) id = json_node_init_string(json_node_alloc(), "a\nb");
	g_autofree char *ok = jsonrpc_result(id, NULL, NULL);
	g_autofree char *bad = jsonrpc_error(NULL, JSONRPC_NO_METHOD, "no \"x\"", NULL);
	g_autofree char *note = jsonrpc_notification("event", NULL, NULL);
	size_t len;
	g_autofree char *ask = jsonrpc_request(3, "stats", NULL, &len);

	assert_string_equal(ok, "{\"jsonrpc\":\"2.0\",\"id\":\"a\\nb\",\"result\":null}\n");
	assert_string_equal(bad, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32601,"
				 "\"message\":\"no \\\"x\\\"\"}}\n");
	assert_string_equal(note, "{\"jsonrpc\":\"2.0\",\"method\":\"event\"}\n");
	assert_string_equal(ask, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"stats\"}\n");
	assert_int_equal(len, strlen(ask));
}

static void test_replies(void **state)
{
	static const struct {
		const char *line;
		bool good;
		int code;
	} cases[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}", true, 0 },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{}}", true, 0 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"m\"}}", true,
			-1 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":0,\"message\":\"m\"}}", false,
			0 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1}}", false, 0 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":5}", false, 0 },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", false, 0 },
		{ "{\"id\":1,\"result\":1}", false, 0 },
		{ "[]", false, 0 },
		{ "x", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jsonrpc_reply p;
		bool good = jsonrpc_parse_reply(cases[i].line, strlen(cases[i].line), &p);

		if (good != cases[i].good || (good && p.code != cases[i].code))
			fail_msg("%s: %d, code %d", cases[i].line, good, p.code);
		jsonrpc_reply_clear(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_cut_wherever_they_arrive),
		cmocka_unit_test(test_a_long_line_is_reported_once_and_skipped),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_every_refused_request),
		cmocka_unit_test(test_depth_is_bounded_before_parsing),
		cmocka_unit_test(test_what_is_built),
		cmocka_unit_test(test_replies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
