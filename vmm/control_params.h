/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control request's parameters: each is taken by its name, and the first mistake is kept. */
#pragma once

#include "vmm/control_private.h"

struct params {
	JsonObject *o; /* NULL: there are none */
	unsigned taken;
	char *mistake;
};

void params_mistake(struct params *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* NULL where it was not given. */
JsonNode *params_take(struct params *p, const char *name);
bool params_holds(JsonNode *n, GType type);

/* True where it was given, right or wrong. */
bool params_uint(struct params *p, const char *name, unsigned max, unsigned *v);
bool params_bool(struct params *p, const char *name, bool *v);
bool params_wheel(struct params *p, const char *name, int *v); /* notches in, 1/120 of them out */

/* NULL where it was not given or is no string. */
const char *params_string(struct params *p, const char *name);

/* "action": click where it was not given. */
enum control_press params_press(struct params *p);

/*
 * The last call: true where nothing was wrong and nothing is left over; else the call was answered.
 * known ("head cursor", or "") goes into the message.
 */
bool params_good(struct params *p, struct control_call *call, const char *known);
