/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/control_params.h"

#include <stdarg.h>
#include <string.h>

#include "util/bytes.h"

enum { NOTCH = 120, NOTCHES_MAX = 100 };

void params_mistake(struct params *p, const char *fmt, ...)
{
	va_list ap;

	if (p->mistake)
		return;
	va_start(ap, fmt);
	p->mistake = g_strdup_vprintf(fmt, ap);
	va_end(ap);
}

JsonNode *params_take(struct params *p, const char *name)
{
	JsonNode *n = p->o ? json_object_get_member(p->o, name) : NULL;

	p->taken += n != NULL;
	return n;
}

bool params_holds(JsonNode *n, GType type)
{
	return JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == type;
}

bool params_uint(struct params *p, const char *name, unsigned max, unsigned *v)
{
	JsonNode *n = params_take(p, name);

	if (!n)
		return false;
	if (!params_holds(n, G_TYPE_INT64) || json_node_get_int(n) < 0 ||
		json_node_get_int(n) > max)
		params_mistake(p, "\"%s\" must be a whole number from 0 to %u", name, max);
	else
		*v = (unsigned)json_node_get_int(n);
	return true;
}

bool params_bool(struct params *p, const char *name, bool *v)
{
	JsonNode *n = params_take(p, name);

	if (!n)
		return false;
	if (!params_holds(n, G_TYPE_BOOLEAN))
		params_mistake(p, "\"%s\" must be true or false", name);
	else
		*v = json_node_get_boolean(n);
	return true;
}

const char *params_string(struct params *p, const char *name)
{
	JsonNode *n = params_take(p, name);

	if (!n)
		return NULL;
	if (params_holds(n, G_TYPE_STRING))
		return json_node_get_string(n);
	params_mistake(p, "\"%s\" must be a string", name);
	return NULL;
}

bool params_wheel(struct params *p, const char *name, int *v)
{
	JsonNode *n = params_take(p, name);
	double notches;

	if (!n)
		return false;
	notches = JSON_NODE_HOLDS_VALUE(n) ? json_node_get_double(n) : NOTCHES_MAX + 1;
	if (!(params_holds(n, G_TYPE_INT64) || params_holds(n, G_TYPE_DOUBLE)) ||
		!(notches >= -NOTCHES_MAX && notches <= NOTCHES_MAX))
		params_mistake(p, "\"%s\" must be a number of notches from -%d to %d", name,
			NOTCHES_MAX, NOTCHES_MAX);
	else
		*v = (int)(notches * NOTCH);
	return true;
}

enum control_press params_press(struct params *p)
{
	static const char *const names[] = { "click", "down", "up" };
	const char *text = params_string(p, "action");

	for (unsigned i = 0; text && i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], text))
			return (enum control_press)i;
	if (text)
		params_mistake(p, "\"action\" must be click, down or up");
	return CONTROL_CLICK;
}

bool params_good(struct params *p, struct control_call *call, const char *known)
{
	g_autofree char *mistake = NULL;

	if (p->o && p->taken < json_object_get_size(p->o))
		params_mistake(p,
			*known ? "unknown parameter; known are: %s"
			       : "this method takes no parameters%s",
			known);
	mistake = g_steal_pointer(&p->mistake);
	if (mistake)
		control_call_error(call, JSONRPC_INVALID_PARAMS, mistake);
	return !mistake;
}
