/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON-RPC 2.0 (jsonrpc.org/specification), one object a line. Bytes in, messages out; no I/O.
 *
 *   bytes ─► jsonrpc_reader_next() ─► line ─► jsonrpc_parse_request() ─► request
 *
 * Lines come from strangers: their length and nesting are bounded before json-glib sees them,
 * since its parser recurses. Batches are refused. Messages that are built end with a newline and
 * hold no other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <json-glib/json-glib.h>

enum {
	JSONRPC_LINE_MAX = 64 * 1024, /* bytes of a request, without the newline */
	JSONRPC_DEPTH_MAX = 32,       /* arrays and objects within each other */
};

enum jsonrpc_code {
	JSONRPC_PARSE_ERROR = -32700,
	JSONRPC_INVALID_REQUEST = -32600,
	JSONRPC_NO_METHOD = -32601,
	JSONRPC_INVALID_PARAMS = -32602,
	JSONRPC_FAILED = -32000, /* the method was understood and did not work out */
};

/* ---- lines ---- */

struct jsonrpc_reader {
	GString *line;
	size_t max;
	bool skipping; /* inside a line that was too long */
	bool complete; /* line was given out and is to be cleared */
};

enum jsonrpc_event {
	JSONRPC_MORE,     /* all bytes are taken; the line goes on */
	JSONRPC_LINE,     /* line is one line, without its newline */
	JSONRPC_TOO_LONG, /* said once for a line; the rest of it is skipped */
};

void jsonrpc_reader_init(struct jsonrpc_reader *r, size_t max);
void jsonrpc_reader_finish(struct jsonrpc_reader *r);

/*
 * Takes bytes up to the end of a line and moves *bytes and *len behind them. The line stays valid
 * until the next call. Call until it says JSONRPC_MORE.
 */
enum jsonrpc_event jsonrpc_reader_next(struct jsonrpc_reader *r, const char **bytes, size_t *len);

/* ---- messages ---- */

struct jsonrpc_request {
	char *method;
	JsonNode *id;     /* a string, number or null; NULL itself: a notification, not answered */
	JsonNode *params; /* an object or an array; or NULL */
};

/*
 * 0 with r filled, or an error code with *why a constant sentence; r->id is filled where it could
 * be read, and jsonrpc_error() takes it as it is. r is to be cleared in every case.
 */
int jsonrpc_parse_request(
	const char *line, size_t len, struct jsonrpc_request *r, const char **why);
void jsonrpc_request_clear(struct jsonrpc_request *r);

/* What came back: a result, or an error, or (method set) a notification. */
struct jsonrpc_reply {
	char *method;
	JsonNode *result; /* a notification's params, where there are any */
	int code;         /* 0 unless it is an error: */
	char *message;
};

/* False where the line is none of these. p is to be cleared in every case. */
bool jsonrpc_parse_reply(const char *line, size_t len, struct jsonrpc_reply *p);
void jsonrpc_reply_clear(struct jsonrpc_reply *p);

/*
 * Lines to send (g_free), *len bytes without the final NUL where len is given. id is only looked
 * at, NULL meaning null; params and result are taken, and may be NULL (no params; null).
 */
char *jsonrpc_request(int id, const char *method, JsonNode *params, size_t *len);
char *jsonrpc_result(JsonNode *id, JsonNode *result, size_t *len);
char *jsonrpc_error(JsonNode *id, int code, const char *message, size_t *len);
char *jsonrpc_notification(const char *method, JsonNode *params, size_t *len);
