/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/vm_args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/nearest.h"

enum { HEADS_MAX = 4, SIZE_MAX_PIXELS = 8192, POSITION_MAX = 65535, WAIT_MAX = 86400 };

/* The words of one method, options already taken out. */
struct words {
	struct vm_request *r;
	char *const *word;
	int n;
	int head; /* --head, or -1 */
	bool no_cursor;
	const char *action; /* --down, --up; else NULL */
};

struct vm_method {
	const char *name;
	const char *options; /* space-separated names of those that it knows, beside --json */
	char *(*words)(struct words *w);
};

static bool parse_number(const char *text, unsigned max, unsigned *n)
{
	char *end;
	guint64 v;

	if (!g_ascii_isdigit(*text))
		return false;
	v = g_ascii_strtoull(text, &end, 10);
	*n = (unsigned)MIN(v, UINT32_MAX);
	return !*end && v <= max;
}

/* ---- parameters ---- */

static JsonObject *add_request(struct words *w)
{
	JsonNode *node = json_node_new(JSON_NODE_OBJECT);
	JsonObject *o = json_object_new();

	json_node_take_object(node, o);
	g_ptr_array_add(w->r->params, node);
	if (w->head >= 0)
		json_object_set_int_member(o, "head", w->head);
	if (w->action)
		json_object_set_string_member(o, "action", w->action);
	return o;
}

static char *words_none(struct words *w)
{
	if (w->n)
		return g_strdup_printf("'%s': %s takes no arguments", w->word[0], w->r->method);
	add_request(w);
	return NULL;
}

static char *words_screenshot(struct words *w)
{
	JsonObject *o;

	if (w->n != 1)
		return g_strdup("write screenshot FILE.png, or screenshot - for standard output");
	w->r->file = w->word[0];
	o = add_request(w);
	json_object_set_boolean_member(o, "cursor", !w->no_cursor);
	return NULL;
}

static char *words_resize(struct words *w)
{
	g_auto(GStrv) sides = g_strsplit(w->n == 1 ? w->word[0] : "", "x", 2);
	unsigned width, height;
	JsonObject *o;

	if (g_strv_length(sides) != 2 || !parse_number(sides[0], SIZE_MAX_PIXELS, &width) ||
		!parse_number(sides[1], SIZE_MAX_PIXELS, &height))
		return g_strdup("write resize 1280x800, or resize 0x0 --head=N to unplug a screen");
	o = add_request(w);
	json_object_set_int_member(o, "width", width);
	json_object_set_int_member(o, "height", height);
	return NULL;
}

/* "ctrl-alt-delete"; the minus key itself is "minus", and so is what "ctrl--" ends with. */
static char *add_keys(struct words *w, const char *combination)
{
	g_auto(GStrv) names = g_strsplit(combination, "-", -1);
	unsigned n = g_strv_length(names);
	bool minus = n >= 2 && !*names[n - 1] && !*names[n - 2], good = n > 0;
	JsonArray *keys;

	n -= minus ? 2 : 0;
	for (unsigned i = 0; i < n; i++)
		good = good && *names[i];
	if (!good)
		return g_strdup_printf("'%s': write key ctrl-alt-delete, or key a", combination);
	keys = json_array_new();
	for (unsigned i = 0; i < n; i++)
		json_array_add_string_element(keys, names[i]);
	if (minus)
		json_array_add_string_element(keys, "minus");
	json_object_set_array_member(add_request(w), "keys", keys);
	return NULL;
}

static char *words_key(struct words *w)
{
	if (!w->n)
		return g_strdup("write key ctrl-alt-delete, or key a");
	for (int i = 0; i < w->n; i++) {
		char *err = add_keys(w, w->word[i]);

		if (err)
			return err;
	}
	return NULL;
}

static bool is_button(const char *word)
{
	static const char *const buttons[] = { "left", "middle", "right", "back", "forward", NULL };

	return g_strv_contains(buttons, word);
}

/* [X Y] [BUTTON [double]] [wheel N] [hwheel N] */
static char *words_pointer(struct words *w)
{
	JsonObject *o = add_request(w);
	unsigned x, y;
	int at = 0;

	if (w->n >= 2 && parse_number(w->word[0], POSITION_MAX, &x) &&
		parse_number(w->word[1], POSITION_MAX, &y)) {
		json_object_set_int_member(o, "x", x);
		json_object_set_int_member(o, "y", y);
		at = 2;
	}
	while (at < w->n) {
		const char *word = w->word[at++], *next = at < w->n ? w->word[at] : NULL;
		char *end = NULL;
		double notches = next ? g_ascii_strtod(next, &end) : 0;

		if (is_button(word) && !json_object_has_member(o, "button")) {
			json_object_set_string_member(o, "button", word);
		} else if (!strcmp(word, "double") && json_object_has_member(o, "button")) {
			add_request(w);
			json_object_set_string_member(
				json_node_get_object(w->r->params->pdata[w->r->params->len - 1]),
				"button", json_object_get_string_member(o, "button"));
		} else if ((!strcmp(word, "wheel") || !strcmp(word, "hwheel")) && next &&
			   end != next && !*end) {
			json_object_set_double_member(o, word, notches);
			at++;
		} else {
			return g_strdup_printf("'%s': write pointer X Y [left|middle|right|back|"
					       "forward [double]] [wheel N] [hwheel N]",
				word);
		}
	}
	return w->n ? NULL : g_strdup("write pointer X Y left, or pointer wheel -3");
}

static char *words_type(struct words *w)
{
	g_autofree char *text = NULL;

	if (!w->n)
		return g_strdup("write type 'TEXT'");
	text = g_strjoinv(" ", (char **)w->word);
	if (!g_utf8_validate(text, -1, NULL))
		return g_strdup("the text is no UTF-8");
	json_object_set_string_member(add_request(w), "text", text);
	return NULL;
}

static char *words_events(struct words *w)
{
	char *err = words_none(w);

	if (!err)
		json_object_set_boolean_member(
			json_node_get_object(w->r->params->pdata[0]), "subscribe", TRUE);
	return err;
}

static const struct vm_method vm_methods[] = {
	{ "status", "", words_none },
	{ "pause", "", words_none },
	{ "resume", "", words_none },
	{ "powerdown", "wait", words_none },
	{ "reset", "", words_none },
	{ "quit", "", words_none },
	{ "screenshot", "head no-cursor", words_screenshot },
	{ "resize", "head", words_resize },
	{ "key", "down up", words_key },
	{ "pointer", "head down up", words_pointer },
	{ "type", "", words_type },
	{ "stats", "", words_none },
	{ "events", "", words_events },
};

/* ---- options ---- */

/* --wait or --wait=SECONDS; value NULL: none was given. */
static char *take_option(struct words *w, const char *name, const char *value)
{
	unsigned n = 0;

	if (!strcmp(name, "head")) {
		if (!value || !parse_number(value, HEADS_MAX - 1, &n))
			return g_strdup_printf("write --head=0 to --head=%d", HEADS_MAX - 1);
		w->head = (int)n;
		return NULL;
	}
	if (!strcmp(name, "wait")) {
		if (value && (!parse_number(value, WAIT_MAX, &n) || !n))
			return g_strdup_printf("write --wait or --wait=1 to --wait=%d", WAIT_MAX);
		w->r->wait = true;
		w->r->seconds = n;
		return NULL;
	}
	if (value)
		return g_strdup_printf("--%s takes no value", name);
	if (!strcmp(name, "json"))
		w->r->json = true;
	else if (!strcmp(name, "no-cursor"))
		w->no_cursor = true;
	else
		w->action = !strcmp(name, "down") ? "down" : "up";
	return NULL;
}

/* Splits options from words; what follows "--" are words. Returns words, as many as *n. */
static char *split_words(
	struct words *w, const struct vm_method *m, int argc, char *const argv[], GPtrArray *words)
{
	g_auto(GStrv) known = g_strsplit(m->options, " ", -1);
	bool ended = false;

	for (int i = 0; i < argc; i++) {
		g_auto(GStrv) parts = NULL;
		char *err;

		if (ended || strncmp(argv[i], "--", 2) != 0) {
			g_ptr_array_add(words, argv[i]);
			continue;
		}
		ended = !argv[i][2];
		if (ended)
			continue;
		parts = g_strsplit(argv[i] + 2, "=", 2);
		if (strcmp(parts[0], "json") != 0 &&
			!g_strv_contains((const char *const *)known, parts[0]))
			return g_strdup_printf(
				"%s does not know the option --%s", m->name, parts[0]);
		err = take_option(w, parts[0], parts[1]);
		if (err)
			return err;
	}
	return NULL;
}

/* METHOD '{...}': parameters as they are. Text to type may well begin with a brace. */
static char *take_json(struct words *w, const char *text)
{
	g_autoptr(GError) error = NULL;
	JsonNode *node = json_from_string(text, &error);

	if (!node)
		return g_strdup_printf("not JSON: %s", error ? error->message : "nothing there");
	g_ptr_array_add(w->r->params, node);
	if (!JSON_NODE_HOLDS_OBJECT(node))
		return g_strdup("parameters are an object: '{\"name\": value}'");
	return NULL;
}

static char *unknown_method(const char *name)
{
	const char *names[ARRAY_LEN(vm_methods) + 1] = { NULL }, *near;

	for (unsigned i = 0; i < ARRAY_LEN(vm_methods); i++)
		names[i] = vm_methods[i].name;
	near = nearest_name(name, names);
	if (near)
		return g_strdup_printf("unknown method '%s'; did you mean %s", name, near);
	return g_strdup_printf("unknown method '%s'", name);
}

char *vm_args_parse(struct vm_request *r, int argc, char *const argv[])
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	struct words w = { .r = r, .head = -1 };
	const struct vm_method *m = NULL;
	char *err;

	*r = (struct vm_request){ 0 };
	r->params = g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref);
	for (unsigned i = 0; i < ARRAY_LEN(vm_methods) && argc; i++)
		if (!strcmp(vm_methods[i].name, argv[0]))
			m = &vm_methods[i];
	if (!m)
		return argc ? unknown_method(argv[0]) : g_strdup("a method is missing");
	r->method = m->name;
	err = split_words(&w, m, argc - 1, argv + 1, words);
	if (err)
		return err;
	w.n = (int)words->len;
	g_ptr_array_add(words, NULL);
	w.word = (char *const *)words->pdata;
	if (w.n == 1 && w.word[0][0] == '{' && m->words != words_type)
		return take_json(&w, w.word[0]);
	/* cppcheck-suppress returnDanglingLifetime ; a message of its own, no part of w */
	return m->words(&w);
}

void vm_request_clear(struct vm_request *r)
{
	g_clear_pointer(&r->params, g_ptr_array_unref);
}
