/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes, cut anywhere, into the control socket's line reader and parsers. */
#include "util/jsonrpc.h"

#include <stdint.h>
#include <string.h>

#include "util/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_line(const GString *line)
{
	struct jsonrpc_request request;
	struct jsonrpc_reply reply;
	const char *why;
	size_t len;
	int code = jsonrpc_parse_request(line->str, line->len, &request, &why);
	g_autofree char *answer = code ? jsonrpc_error(request.id, code, why, &len)
				       : jsonrpc_result(request.id, NULL, &len);

	/* What we build is one line, and our own parser takes it. */
	if (strlen(answer) != len || memchr(answer, '\n', len) != answer + len - 1)
		__builtin_trap();
	if (!jsonrpc_parse_reply(answer, len - 1, &reply) || reply.code != code)
		__builtin_trap();
	jsonrpc_reply_clear(&reply);
	jsonrpc_parse_reply(line->str, line->len, &reply);
	jsonrpc_reply_clear(&reply);
	jsonrpc_request_clear(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jsonrpc_reader r;
	size_t piece = size ? 1 + data[0] % 64 : 1;

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
	jsonrpc_reader_init(&r, 2048);
	for (size_t at = 0; at < size; at += piece) {
		const char *bytes = (const char *)data + at;
		size_t len = MIN(piece, size - at);
		enum jsonrpc_event e;

		while ((e = jsonrpc_reader_next(&r, &bytes, &len)) != JSONRPC_MORE)
			if (e == JSONRPC_LINE)
				one_line(r.line);
	}
	jsonrpc_reader_finish(&r);
	return 0;
}
