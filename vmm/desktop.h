/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that makes one desktop, put together by main.c: the machine, its screens and seat,
 * and the servers that show them. Service loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

struct control;
struct control_ops;
struct display;
struct keymap;
struct machine;
struct seat;
struct seat_user;
struct vmm_options;
struct vnc_server;

struct desktop {
	const struct vmm_options *options;
	struct display *display;
	struct seat *seat;
	struct keymap *keymap;
	struct machine *machine;
	struct seat_user *controller; /* keys and pointer of the control socket */
	GQueue keys; /* that go into the guest one after the other: desktop_control.c */
	struct control *control;
	struct vnc_server *vnc;

	GMainLoop *loop;
	int status;      /* to exit with */
	int64_t started; /* g_get_monotonic_time() */
};

/* The methods of the control socket; opaque is the desktop. */
extern const struct control_ops desktop_control_ops;

/* Stops typing; whoever waits for it is told so. */
void desktop_cancel_keys(struct desktop *d);

/* Ends the service loop, and the process with this status. */
void desktop_quit(struct desktop *d, int status);
