/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hotdesk-vmm: one desktop's monitor. This file puts it together and takes it apart.
 *
 * The main thread is the service loop (GLib): servers and the control socket. The machine has a
 * loop and threads of its own (vmm/machine.h).
 */
#include "vmm/desktop.h"

#include <signal.h>
#include <string.h>

#include <glib-unix.h>

#include "display/scanout.h"
#include "display/vnc/server.h"
#include "input/keymap.h"
#include "input/seat.h"
#include "util/log.h"
#include "vmm/control.h"
#include "vmm/machine.h"
#include "vmm/options.h"

void desktop_quit(struct desktop *d, int status)
{
	d->status = status;
	g_main_loop_quit(d->loop);
}

/* ---- what the machine tells: posted from its threads to the service loop ---- */

struct notice {
	struct desktop *d;
	const char *what; /* NULL: the guest has ended, with: */
	int status;
};

static gboolean notice_run(gpointer opaque)
{
	struct notice *n = opaque;

	if (n->d->control)
		control_event(n->d->control,
			n->what     ? n->what
			: n->status ? "failed"
				    : "powerdown",
			NULL);
	if (!n->what)
		desktop_quit(n->d, n->status);
	return G_SOURCE_REMOVE;
}

static void post(struct desktop *d, const char *what, int status)
{
	struct notice *n = g_new(struct notice, 1);

	*n = (struct notice){ d, what, status };
	g_idle_add_full(G_PRIORITY_DEFAULT, notice_run, n, g_free);
}

static void machine_ended(void *opaque, int status)
{
	post(opaque, NULL, status);
}

static void machine_changed(void *opaque, const char *what)
{
	post(opaque, what, 0);
}

/* ---- start and end ---- */

static gboolean on_signal(gpointer opaque)
{
	desktop_quit(opaque, 0);
	return G_SOURCE_REMOVE;
}

static int start_vnc(struct desktop *d)
{
	const struct vmm_options *o = d->options;
	const struct options_endpoint *at = &o->vnc;
	g_autofree char *listen =
		at->path ? g_strconcat("unix:", at->path, NULL)
			 : g_strdup_printf(
				   strchr(at->host, ':') ? "[%s]:%u" : "%s:%u", at->host, at->port);
	struct vnc_config c = {
		.listen = listen,
		.password_file = o->vnc_password_file,
		.name = o->name,
		.blank_width = o->width,
		.blank_height = o->height,
	};

	return vnc_server_create(d->display, d->seat, d->keymap, &c, &d->vnc);
}

/* Everything that can fail fails here, before the guest runs. False: one line has been logged. */
static bool start(struct desktop *d)
{
	const struct vmm_options *o = d->options;
	struct machine_events events = {
		.ended = machine_ended, .changed = machine_changed, .opaque = d
	};

	d->display = display_create(o->heads);
	d->seat = seat_create();
	d->keymap = keymap_create(o->keymap_layout, o->keymap_variant, NULL);
	if (!d->keymap || machine_create(&d->machine, o, d->display, d->seat, &events) < 0)
		return false;
	d->controller = seat_user_create(d->seat, "control", NULL, NULL);
	if (o->control &&
		control_create(&d->control, o->control, &desktop_control_ops, d, NULL) < 0)
		return false;
	if ((o->vnc.path || o->vnc.host) && start_vnc(d) < 0)
		return false;
	return machine_start(d->machine) == 0;
}

static void finish(struct desktop *d)
{
	if (d->machine)
		machine_stop(d->machine);
	desktop_cancel_keys(d);
	vnc_server_destroy(d->vnc);
	control_destroy(d->control);
	seat_user_destroy(d->controller);
	machine_destroy(d->machine);
	display_destroy(d->display);
	seat_destroy(d->seat);
	keymap_destroy(d->keymap);
}

int main(int argc, char **argv)
{
	struct vmm_options options = { 0 };
	struct desktop d = { .options = &options, .started = g_get_monotonic_time() };
	int status;

	log_init("hotdesk-vmm", LOG_INFO);
	if (!options_parse(&options, argc, argv, &status)) {
		options_finish(&options);
		return status;
	}
	log_init("hotdesk-vmm", options.log_level);
	signal(SIGPIPE, SIG_IGN);
	d.loop = g_main_loop_new(NULL, FALSE);
	g_unix_signal_add(SIGINT, on_signal, &d);
	g_unix_signal_add(SIGTERM, on_signal, &d);
	g_unix_signal_add(SIGHUP, on_signal, &d);
	d.status = 1;
	if (start(&d))
		g_main_loop_run(d.loop);
	finish(&d);
	g_main_loop_unref(d.loop);
	options_finish(&options);
	return d.status;
}
