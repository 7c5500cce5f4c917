/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: JSON-RPC 2.0, one object a line (util/jsonrpc.h), over a unix socket.
 *
 * Requests of one client are served in order, one at a time: while one waits for its answer, or
 * a long answer is still on its way out, nothing more is read from that client. So a client can
 * hold nobody but itself, and costs at most one answer of memory. Clients that asked for events
 * and do not read them are dropped. docs/control.md lists methods and answers.
 *
 * Everything here runs on the service loop, and so do the ops; none of them may wait.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>
#include <json-glib/json-glib.h>

enum { CONTROL_CLIENTS_MAX = 16, CONTROL_KEYS_MAX = 16 };

struct control;
struct control_call;

enum control_press { CONTROL_CLICK, CONTROL_DOWN, CONTROL_UP }; /* click: down, then up */

struct control_pointer {
	bool move; /* to x, y, in pixels of the head: */
	unsigned head, x, y;
	uint16_t button; /* BTN_*, or 0 */
	enum control_press press;
	int wheel, hwheel; /* 1/120 of a notch, up and right positive */
};

/*
 * What the machine and its screens do. A NULL op's method is answered with "not here". Where a
 * bool is returned, false means that it failed and *why is a sentence for the user (g_malloc).
 */
struct control_ops {
	/* Add members to the answer's object, which is open. */
	void (*status)(void *opaque, JsonBuilder *b);
	void (*stats)(void *opaque, JsonBuilder *b);

	bool (*pause)(void *opaque, char **why);
	bool (*resume)(void *opaque, char **why);
	bool (*powerdown)(void *opaque, char **why); /* the power button */
	bool (*reset)(void *opaque, char **why);
	bool (*quit)(void *opaque, char **why);

	/* 0x0 asks to unplug the head; else each side is SCANOUT_SIZE_MIN .. SCANOUT_SIZE_MAX. */
	bool (*resize)(void *opaque, unsigned head, unsigned width, unsigned height, char **why);

	bool (*pointer)(void *opaque, const struct control_pointer *p, char **why);

	/*
	 * These answer by control_call_*(), now or later, when the keys have gone into the guest.
	 * names are as the user wrote them, NULL-ended, 1 .. CONTROL_KEYS_MAX of them. text is
	 * UTF-8; the PNG goes out as base64.
	 */
	void (*key)(void *opaque, const char *const *names, enum control_press press,
		struct control_call *call);
	void (*type)(void *opaque, const char *text, struct control_call *call);
	void (*screenshot)(void *opaque, unsigned head, bool cursor, struct control_call *call);
};

/*
 * Listens at path (mode 0600; a stale socket is replaced, a live one is not). 0 or -errno with
 * one line logged. context NULL: the default one.
 */
int control_create(struct control **out, const char *path, const struct control_ops *ops,
	void *opaque, GMainContext *context);

/*
 * Closes every client and removes the socket. Calls still open stay good and are answered into
 * nothing. Never inside an op: "quit" asks the loop to end.
 */
void control_destroy(struct control *c); /* NULL is fine */

/*
 * Tells the clients that subscribed: "powerdown", "failed", "reset", "paused", "resumed" or "quit".
 * params is an object, taken, or NULL.
 */
void control_event(struct control *c, const char *name, JsonObject *params);

/* Each call is answered exactly once by one of these, on the service loop, and is gone then. */
void control_call_done(struct control_call *call);
void control_call_png(struct control_call *call, GBytes *png, unsigned width, unsigned height);
void control_call_fail(struct control_call *call, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
