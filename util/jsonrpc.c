/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/jsonrpc.h"

#include <string.h>

#include "util/bytes.h"

/* ---- lines ---- */

void jsonrpc_reader_init(struct jsonrpc_reader *r, size_t max)
{
	*r = (struct jsonrpc_reader){ .line = g_string_new(NULL), .max = max };
}

void jsonrpc_reader_finish(struct jsonrpc_reader *r)
{
	if (r->line)
		g_string_free(r->line, TRUE);
	*r = (struct jsonrpc_reader){ 0 };
}

enum jsonrpc_event jsonrpc_reader_next(struct jsonrpc_reader *r, const char **bytes, size_t *len)
{
	if (r->complete)
		g_string_truncate(r->line, 0);
	r->complete = false;
	while (*len) {
		const char *newline = memchr(*bytes, '\n', *len);
		size_t take = newline ? (size_t)(newline - *bytes) : *len;
		bool fits = take <= r->max - r->line->len;

		if (!r->skipping && fits)
			g_string_append_len(r->line, *bytes, (gssize)take);
		*bytes += take + !!newline;
		*len -= take + !!newline;
		if (r->skipping) {
			r->skipping = !newline;
		} else if (!fits) {
			r->skipping = !newline;
			g_string_truncate(r->line, 0);
			return JSONRPC_TOO_LONG;
		} else if (newline) {
			r->complete = true;
			return JSONRPC_LINE;
		}
	}
	return JSONRPC_MORE;
}

/* ---- parsing ---- */

/*
 * Whether brackets go no deeper than JSONRPC_DEPTH_MAX outside of strings. Says nothing about the
 * rest of the grammar. Single quotes and comments, which json-glib's scanner takes and JSON does
 * not have, are refused, so that both agree about where a string is.
 */
static bool jsonrpc_shallow(const char *line, size_t len)
{
	unsigned depth = 0;
	bool string = false;

	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (string) {
			if (c == '\\')
				i++;
			string = c != '"';
		} else if (c == '"') {
			string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSONRPC_DEPTH_MAX)
				return false;
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
		} else if (c == '\'' || c == '/' || c == '#') {
			return false;
		}
	}
	return true;
}

/* The line's value, or NULL. */
static JsonNode *jsonrpc_parse(const char *line, size_t len, JsonNodeType *outer)
{
	g_autoptr(JsonParser) parser = NULL;
	size_t at = 0;

	while (at < len && strchr(" \t\r", line[at]) && line[at])
		at++;
	/* json-glib takes "var x = …" too; a message is nothing but an object or an array. */
	if (at == len || (line[at] != '{' && line[at] != '[') ||
		!g_utf8_validate(line, (gssize)len, NULL) || !jsonrpc_shallow(line, len))
		return NULL;
	*outer = line[at] == '{' ? JSON_NODE_OBJECT : JSON_NODE_ARRAY;
	parser = json_parser_new_immutable();
	if (!json_parser_load_from_data(parser, line, (gssize)len, NULL))
		return NULL;
	return json_parser_steal_root(parser);
}

static bool jsonrpc_is_string(JsonNode *n)
{
	return n && JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_STRING;
}

static bool jsonrpc_version_fits(JsonObject *o)
{
	JsonNode *n = json_object_get_member(o, "jsonrpc");

	return jsonrpc_is_string(n) && !strcmp(json_node_get_string(n), "2.0");
}

int jsonrpc_parse_request(const char *line, size_t len, struct jsonrpc_request *r, const char **why)
{
	JsonNodeType outer;
	g_autoptr(JsonNode) root = NULL;
	JsonNode *id, *method, *params;
	JsonObject *o;

	*r = (struct jsonrpc_request){ 0 };
	root = jsonrpc_parse(line, len, &outer);
	if (!root) {
		*why = "not one line of JSON, or nested too deeply";
		return JSONRPC_PARSE_ERROR;
	}
	if (outer == JSON_NODE_ARRAY) {
		*why = "batches are not served; send one object a line";
		return JSONRPC_INVALID_REQUEST;
	}
	o = json_node_get_object(root);
	id = json_object_get_member(o, "id");
	if (id && !JSON_NODE_HOLDS_NULL(id) &&
		!(JSON_NODE_HOLDS_VALUE(id) && json_node_get_value_type(id) != G_TYPE_BOOLEAN)) {
		*why = "\"id\" must be a string, a number or null";
		return JSONRPC_INVALID_REQUEST;
	}
	if (id)
		r->id = json_node_copy(id);
	method = json_object_get_member(o, "method");
	params = json_object_get_member(o, "params");
	if (!jsonrpc_version_fits(o))
		*why = "\"jsonrpc\" must be \"2.0\"";
	else if (!jsonrpc_is_string(method))
		*why = "\"method\" must be a string";
	else if (params && !JSON_NODE_HOLDS_OBJECT(params) && !JSON_NODE_HOLDS_ARRAY(params))
		*why = "\"params\" must be an object or an array";
	else
		*why = NULL;
	if (*why)
		return JSONRPC_INVALID_REQUEST;
	r->method = g_strdup(json_node_get_string(method));
	r->params = params ? json_node_copy(params) : NULL;
	return 0;
}

void jsonrpc_request_clear(struct jsonrpc_request *r)
{
	g_clear_pointer(&r->method, g_free);
	g_clear_pointer(&r->id, json_node_unref);
	g_clear_pointer(&r->params, json_node_unref);
}

static bool jsonrpc_read_error(JsonNode *error, struct jsonrpc_reply *p)
{
	JsonNode *code, *message;

	if (!JSON_NODE_HOLDS_OBJECT(error))
		return false;
	code = json_object_get_member(json_node_get_object(error), "code");
	message = json_object_get_member(json_node_get_object(error), "message");
	if (!code || !JSON_NODE_HOLDS_VALUE(code) || !jsonrpc_is_string(message))
		return false;
	p->code = (int)json_node_get_int(code);
	p->message = g_strdup(json_node_get_string(message));
	return p->code != 0;
}

bool jsonrpc_parse_reply(const char *line, size_t len, struct jsonrpc_reply *p)
{
	JsonNodeType outer;
	g_autoptr(JsonNode) root = NULL;
	JsonNode *n;
	JsonObject *o;

	*p = (struct jsonrpc_reply){ 0 };
	root = jsonrpc_parse(line, len, &outer);
	if (!root || outer != JSON_NODE_OBJECT)
		return false;
	o = json_node_get_object(root);
	if (!jsonrpc_version_fits(o))
		return false;
	n = json_object_get_member(o, "error");
	if (n)
		return jsonrpc_read_error(n, p);
	n = json_object_get_member(o, "method");
	if (jsonrpc_is_string(n)) {
		p->method = g_strdup(json_node_get_string(n));
		n = json_object_get_member(o, "params");
	} else {
		n = json_object_get_member(o, "result");
		if (!n)
			return false;
	}
	p->result = n ? json_node_copy(n) : NULL;
	return true;
}

void jsonrpc_reply_clear(struct jsonrpc_reply *p)
{
	g_clear_pointer(&p->method, g_free);
	g_clear_pointer(&p->message, g_free);
	g_clear_pointer(&p->result, json_node_unref);
}

/* ---- building ---- */

static JsonObject *jsonrpc_open(void)
{
	JsonObject *o = json_object_new();

	json_object_set_string_member(o, "jsonrpc", "2.0");
	return o;
}

/* Takes o. */
static char *jsonrpc_close(JsonObject *o, size_t *len)
{
	g_autoptr(JsonNode) root = json_node_init_object(json_node_alloc(), o);
	g_autoptr(JsonGenerator) generator = json_generator_new();
	GString *line = g_string_new(NULL);

	json_object_unref(o);
	json_generator_set_root(generator, root);
	json_generator_to_gstring(generator, line);
	g_string_append_c(line, '\n');
	if (len)
		*len = line->len;
	return g_string_free(line, FALSE);
}

char *jsonrpc_request(int id, const char *method, JsonNode *params, size_t *len)
{
	JsonObject *o = jsonrpc_open();

	json_object_set_int_member(o, "id", id);
	json_object_set_string_member(o, "method", method);
	if (params)
		json_object_set_member(o, "params", params);
	return jsonrpc_close(o, len);
}

char *jsonrpc_result(JsonNode *id, JsonNode *result, size_t *len)
{
	JsonObject *o = jsonrpc_open();

	json_object_set_member(o, "id", id ? json_node_copy(id) : json_node_new(JSON_NODE_NULL));
	json_object_set_member(o, "result", result ? result : json_node_new(JSON_NODE_NULL));
	return jsonrpc_close(o, len);
}

char *jsonrpc_error(JsonNode *id, int code, const char *message, size_t *len)
{
	JsonObject *o = jsonrpc_open(), *error = json_object_new();

	json_object_set_int_member(error, "code", code);
	json_object_set_string_member(error, "message", message);
	json_object_set_member(o, "id", id ? json_node_copy(id) : json_node_new(JSON_NODE_NULL));
	json_object_set_object_member(o, "error", error);
	return jsonrpc_close(o, len);
}

char *jsonrpc_notification(const char *method, JsonNode *params, size_t *len)
{
	JsonObject *o = jsonrpc_open();

	json_object_set_string_member(o, "method", method);
	if (params)
		json_object_set_member(o, "params", params);
	return jsonrpc_close(o, len);
}
