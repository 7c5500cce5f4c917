/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the control socket's connections (control.c) and its methods (control_methods.c). */
#pragma once

#include "util/jsonrpc.h"
#include "vmm/control.h"

/*
 * Runs one request, which is answered by exactly one control_call_*(), now or later. params is an
 * object or NULL.
 */
void control_methods_run(const struct control_ops *ops, void *opaque, const char *method,
	JsonNode *params, struct control_call *call);

/* Answers with a result, which is taken. */
void control_call_result(struct control_call *call, JsonNode *result);
void control_call_error(struct control_call *call, int code, const char *message);

/* Whether the call's client is told of events from now on. */
void control_call_subscribe(struct control_call *call, bool on);
