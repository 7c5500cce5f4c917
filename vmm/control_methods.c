/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/control_private.h"

#include <linux/input-event-codes.h>
#include <string.h>

#include "display/scanout.h"
#include "util/bytes.h"
#include "util/nearest.h"
#include "vmm/control_params.h"

enum { KEY_NAME_MAX = 32 };

struct method_run {
	const struct control_ops *ops;
	void *opaque;
	struct params params;
	struct control_call *call;
};

static void method_absent(struct control_call *call)
{
	control_call_error(call, JSONRPC_NO_METHOD, "not here: this machine has no such device");
}

/* Answers for the ops that say true or why not; why is taken. */
static void method_answer(struct control_call *call, bool ok, char *why)
{
	if (ok)
		control_call_done(call);
	else
		control_call_fail(call, "%s", why ? why : "failed");
	g_free(why);
}

static void method_simple(struct method_run *m, bool (*op)(void *opaque, char **why))
{
	char *why = NULL;
	bool ok;

	if (!params_good(&m->params, m->call, ""))
		return;
	if (!op) {
		method_absent(m->call);
		return;
	}
	ok = op(m->opaque, &why);
	method_answer(m->call, ok, why);
}

static void method_describe(struct method_run *m, void (*op)(void *opaque, JsonBuilder *b))
{
	g_autoptr(JsonBuilder) b = NULL;

	if (!params_good(&m->params, m->call, ""))
		return;
	if (!op) {
		method_absent(m->call);
		return;
	}
	b = json_builder_new();
	json_builder_begin_object(b);
	op(m->opaque, b);
	json_builder_end_object(b);
	control_call_result(m->call, json_builder_get_root(b));
}

static void method_status(struct method_run *m)
{
	method_describe(m, m->ops->status);
}

static void method_stats(struct method_run *m)
{
	method_describe(m, m->ops->stats);
}

static void method_pause(struct method_run *m)
{
	method_simple(m, m->ops->pause);
}

static void method_resume(struct method_run *m)
{
	method_simple(m, m->ops->resume);
}

static void method_powerdown(struct method_run *m)
{
	method_simple(m, m->ops->powerdown);
}

static void method_reset(struct method_run *m)
{
	method_simple(m, m->ops->reset);
}

static void method_quit(struct method_run *m)
{
	method_simple(m, m->ops->quit);
}

static void method_screenshot(struct method_run *m)
{
	unsigned head = 0;
	bool cursor = true;

	params_uint(&m->params, "head", DISPLAY_HEADS_MAX - 1, &head);
	params_bool(&m->params, "cursor", &cursor);
	if (!params_good(&m->params, m->call, "head cursor"))
		return;
	if (m->ops->screenshot)
		m->ops->screenshot(m->opaque, head, cursor, m->call);
	else
		method_absent(m->call);
}

static void method_resize(struct method_run *m)
{
	unsigned head = 0, width = 0, height = 0;
	char *why = NULL;
	bool ok;

	params_uint(&m->params, "head", DISPLAY_HEADS_MAX - 1, &head);
	if (!params_uint(&m->params, "width", SCANOUT_SIZE_MAX, &width) ||
		!params_uint(&m->params, "height", SCANOUT_SIZE_MAX, &height))
		params_mistake(&m->params, "\"width\" and \"height\" are needed");
	if ((width || height) && (width < SCANOUT_SIZE_MIN || height < SCANOUT_SIZE_MIN))
		params_mistake(&m->params,
			"\"width\" and \"height\" must be %u to %u, or both 0 to unplug the screen",
			SCANOUT_SIZE_MIN, SCANOUT_SIZE_MAX);
	if (!params_good(&m->params, m->call, "width height head"))
		return;
	if (!m->ops->resize) {
		method_absent(m->call);
		return;
	}
	ok = m->ops->resize(m->opaque, head, width, height, &why);
	method_answer(m->call, ok, why);
}

static void method_read_keys(struct params *p, const char *names[CONTROL_KEYS_MAX + 1])
{
	JsonNode *n = params_take(p, "keys");
	JsonArray *keys = n && JSON_NODE_HOLDS_ARRAY(n) ? json_node_get_array(n) : NULL;
	unsigned count = keys ? json_array_get_length(keys) : 0;

	if (!count || count > CONTROL_KEYS_MAX) {
		params_mistake(p, "\"keys\" must be a list of 1 to %d names", CONTROL_KEYS_MAX);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		JsonNode *key = json_array_get_element(keys, i);

		if (params_holds(key, G_TYPE_STRING))
			names[i] = json_node_get_string(key);
		if (!names[i] || !*names[i] || strlen(names[i]) > KEY_NAME_MAX)
			params_mistake(p, "\"keys\": a name has 1 to %d bytes", KEY_NAME_MAX);
	}
}

static void method_key(struct method_run *m)
{
	const char *names[CONTROL_KEYS_MAX + 1] = { NULL };
	enum control_press press = params_press(&m->params);

	method_read_keys(&m->params, names);
	if (!params_good(&m->params, m->call, "keys action"))
		return;
	if (m->ops->key)
		m->ops->key(m->opaque, names, press, m->call);
	else
		method_absent(m->call);
}

static uint16_t method_button(struct params *p)
{
	static const struct {
		const char *name;
		uint16_t code;
	} buttons[] = {
		{ "left", BTN_LEFT },
		{ "middle", BTN_MIDDLE },
		{ "right", BTN_RIGHT },
		{ "back", BTN_SIDE },
		{ "forward", BTN_EXTRA },
	};
	const char *text = params_string(p, "button");

	for (unsigned i = 0; text && i < ARRAY_LEN(buttons); i++)
		if (!strcmp(buttons[i].name, text))
			return buttons[i].code;
	if (text)
		params_mistake(p, "\"button\" must be left, middle, right, back or forward");
	return 0;
}

static void method_pointer(struct method_run *m)
{
	struct params *p = &m->params;
	struct control_pointer what = { .press = params_press(p), .button = method_button(p) };
	bool x = params_uint(p, "x", UINT16_MAX, &what.x);
	bool y = params_uint(p, "y", UINT16_MAX, &what.y);
	bool wheel = params_wheel(p, "wheel", &what.wheel);
	bool hwheel = params_wheel(p, "hwheel", &what.hwheel);
	char *why = NULL;
	bool ok;

	params_uint(p, "head", DISPLAY_HEADS_MAX - 1, &what.head);
	what.move = x && y;
	if (x != y)
		params_mistake(p, "\"x\" and \"y\" go together");
	if (!x && !y && !what.button && !wheel && !hwheel)
		params_mistake(p, "say where to (\"x\", \"y\"), or a \"button\", or a \"wheel\"");
	if (!params_good(p, m->call, "x y head button action wheel hwheel"))
		return;
	if (!m->ops->pointer) {
		method_absent(m->call);
		return;
	}
	ok = m->ops->pointer(m->opaque, &what, &why);
	method_answer(m->call, ok, why);
}

static void method_type(struct method_run *m)
{
	const char *text = params_string(&m->params, "text");

	if (!text)
		params_mistake(&m->params, "\"text\" is needed");
	if (!params_good(&m->params, m->call, "text"))
		return;
	if (m->ops->type)
		m->ops->type(m->opaque, text, m->call);
	else
		method_absent(m->call);
}

static void method_events(struct method_run *m)
{
	bool subscribe = false;

	if (!params_bool(&m->params, "subscribe", &subscribe))
		params_mistake(&m->params, "\"subscribe\" is needed");
	if (!params_good(&m->params, m->call, "subscribe"))
		return;
	control_call_subscribe(m->call, subscribe);
	control_call_done(m->call);
}

static const struct control_method {
	const char *name;
	void (*run)(struct method_run *m);
} control_methods[] = {
	{ "status", method_status },
	{ "pause", method_pause },
	{ "resume", method_resume },
	{ "powerdown", method_powerdown },
	{ "reset", method_reset },
	{ "quit", method_quit },
	{ "screenshot", method_screenshot },
	{ "resize", method_resize },
	{ "key", method_key },
	{ "pointer", method_pointer },
	{ "type", method_type },
	{ "stats", method_stats },
	{ "events", method_events },
};

static void method_unknown(const char *name, struct control_call *call)
{
	const char *names[ARRAY_LEN(control_methods) + 1] = { NULL }, *near;
	g_autofree char *message = NULL;

	for (unsigned i = 0; i < ARRAY_LEN(control_methods); i++)
		names[i] = control_methods[i].name;
	near = nearest_name(name, names);
	message = near ? g_strdup_printf("unknown method; did you mean %s", near)
		       : g_strdup("unknown method");
	control_call_error(call, JSONRPC_NO_METHOD, message);
}

void control_methods_run(const struct control_ops *ops, void *opaque, const char *name,
	JsonNode *params, struct control_call *call)
{
	struct method_run m = { .ops = ops, .opaque = opaque, .call = call };

	m.params.o = params ? json_node_get_object(params) : NULL;
	for (unsigned i = 0; i < ARRAY_LEN(control_methods); i++) {
		if (strcmp(control_methods[i].name, name) != 0)
			continue;
		control_methods[i].run(&m);
		return;
	}
	method_unknown(name, call);
}
