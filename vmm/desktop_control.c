/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's methods: what each of them does to the desktop. */
#include "vmm/desktop.h"

#include <stdarg.h>

#include <json-glib/json-glib.h>

#include "display/consumer.h"
#include "display/screenshot.h"
#include "display/vnc/server.h"
#include "input/keymap.h"
#include "input/keytable.h"
#include "input/seat.h"
#include "input/typing.h"
#include "util/bytes.h"
#include "vmm/control.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/process_stats.h"

static bool refuse(char **why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(char **why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*why = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	return false;
}

static void put_int(JsonBuilder *b, const char *name, int64_t value)
{
	json_builder_set_member_name(b, name);
	json_builder_add_int_value(b, value);
}

static void put_string(JsonBuilder *b, const char *name, const char *value)
{
	json_builder_set_member_name(b, name);
	json_builder_add_string_value(b, value);
}

/* ---- status and stats ---- */

static struct display_layout layout(struct desktop *d)
{
	struct display_changes now = { 0 };
	struct snapshot s = { 0 };
	struct display_layout l = { 0 };
	unsigned width, height;

	if (display_capture(d->display, -1, &s, &width, &height, &now) == 0) {
		l = now.layout;
		snapshot_finish(&s);
		display_changes_finish(&now);
	}
	return l;
}

static void put_leds(JsonBuilder *b, unsigned leds)
{
	static const char *const names[] = { "num", "caps", "scroll" };

	json_builder_set_member_name(b, "leds");
	json_builder_begin_array(b);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (leds & 1u << i)
			json_builder_add_string_value(b, names[i]);
	json_builder_end_array(b);
}

static void status(void *opaque, JsonBuilder *b)
{
	static const char *const states[] = { "running", "paused", "ended" };
	struct desktop *d = opaque;
	const struct vmm_options *o = d->options;
	struct display_layout l = layout(d);

	put_string(b, "name", o->name);
	put_string(b, "state", states[machine_state(d->machine)]);
	put_string(b, "version", HOTDESK_VERSION);
	put_int(b, "uptime", (g_get_monotonic_time() - d->started) / G_USEC_PER_SEC);
	put_int(b, "memory", (int64_t)o->memory);
	put_int(b, "cpus", o->cpus);
	put_string(b, "cpu", o->cpu);
	put_string(b, "keymap", keymap_name(d->keymap));
	put_leds(b, seat_leds(d->seat));
	json_builder_set_member_name(b, "heads");
	json_builder_begin_array(b);
	for (unsigned i = 0; i < o->heads; i++) {
		json_builder_begin_object(b);
		put_int(b, "x", l.heads[i].x);
		put_int(b, "width", l.heads[i].width);
		put_int(b, "height", l.heads[i].height);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static void put_disks(JsonBuilder *b, struct machine *m)
{
	struct machine_disk_stats disks[PCI_DISKS_MAX];
	unsigned n = machine_disk_stats(m, disks, ARRAY_LEN(disks));

	json_builder_set_member_name(b, "disks");
	json_builder_begin_array(b);
	for (unsigned i = 0; i < n; i++) {
		json_builder_begin_object(b);
		put_string(b, "path", disks[i].path);
		put_int(b, "read_bytes", (int64_t)disks[i].read_bytes);
		put_int(b, "written_bytes", (int64_t)disks[i].written_bytes);
		put_int(b, "errors", (int64_t)disks[i].errors);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
}

static void put_process(JsonBuilder *b, const struct process_stats *s)
{
	json_builder_set_member_name(b, "monitor");
	json_builder_begin_object(b);
	put_int(b, "private_dirty", (int64_t)s->private_dirty);
	put_int(b, "guest_resident", (int64_t)s->guest_resident);
	json_builder_set_member_name(b, "threads");
	json_builder_begin_array(b);
	for (unsigned i = 0; i < s->nthreads; i++) {
		json_builder_begin_object(b);
		put_string(b, "name", s->threads[i].name);
		put_int(b, "wakeups", (int64_t)s->threads[i].wakeups);
		put_int(b, "cpu_ms", (int64_t)s->threads[i].cpu_ms);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void put_vnc(JsonBuilder *b, struct vnc_server *v)
{
	struct vnc_client_stats clients[16];
	struct vnc_server_stats sums;
	unsigned n =
		MIN(vnc_server_stats(v, &sums, clients, ARRAY_LEN(clients)), ARRAY_LEN(clients));

	json_builder_set_member_name(b, "vnc");
	json_builder_begin_object(b);
	put_string(b, "address", vnc_server_address(v));
	put_int(b, "accepted", (int64_t)sums.accepted);
	put_int(b, "refused", (int64_t)sums.refused);
	put_int(b, "updates", (int64_t)sums.updates);
	put_int(b, "bytes", (int64_t)sums.bytes);
	json_builder_set_member_name(b, "clients");
	json_builder_begin_array(b);
	for (unsigned i = 0; i < n; i++) {
		json_builder_begin_object(b);
		put_string(b, "peer", clients[i].peer);
		put_int(b, "encoding", clients[i].encoding);
		put_int(b, "width", clients[i].width);
		put_int(b, "height", clients[i].height);
		put_int(b, "updates", (int64_t)clients[i].updates);
		put_int(b, "bytes", (int64_t)clients[i].bytes);
		put_int(b, "queued", (int64_t)clients[i].queued);
		put_int(b, "round_trip_us", (int64_t)clients[i].round_trip_us);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
}

static void stats(void *opaque, JsonBuilder *b)
{
	struct desktop *d = opaque;
	struct process_stats s;

	put_disks(b, d->machine);
	if (d->vnc)
		put_vnc(b, d->vnc);
	if (process_stats_read(&s) == 0)
		put_process(b, &s);
}

/* ---- the machine ---- */

static bool ended(char **why)
{
	return refuse(why, "the machine has ended");
}

static bool do_pause(void *opaque, char **why)
{
	return machine_pause(((struct desktop *)opaque)->machine) || ended(why);
}

static bool do_resume(void *opaque, char **why)
{
	return machine_resume(((struct desktop *)opaque)->machine) || ended(why);
}

static bool do_powerdown(void *opaque, char **why)
{
	return machine_power_button(((struct desktop *)opaque)->machine) ||
	       refuse(why,
		       "the guest does not listen for its power button (yet); quit ends it at once");
}

static bool do_reset(void *opaque, char **why)
{
	return machine_reset(((struct desktop *)opaque)->machine) || ended(why);
}

static bool do_quit(void *opaque, char **why)
{
	desktop_quit(opaque, 0);
	return true;
}

/* ---- screens ---- */

static bool do_resize(void *opaque, unsigned head, unsigned width, unsigned height, char **why)
{
	struct desktop *d = opaque;

	if (head >= d->options->heads)
		return refuse(
			why, "there is no head %u; this desktop has %u", head, d->options->heads);
	return display_request_resize(d->display, head, width, height) == 0 ||
	       refuse(why, "size %ux%u: each side is %u to %u", width, height, SCANOUT_SIZE_MIN,
		       SCANOUT_SIZE_MAX);
}

static void do_screenshot(void *opaque, unsigned head, bool cursor, struct control_call *call)
{
	struct desktop *d = opaque;
	const char *error = "no such head";
	unsigned width, height;
	struct snapshot s = { 0 };
	GByteArray *png = NULL;

	if (head < d->options->heads)
		png = screenshot_png(d->display, (int)head, cursor, &error);
	if (!png) {
		control_call_fail(call, "head %u: %s", head, error);
		return;
	}
	if (display_capture(d->display, (int)head, &s, &width, &height, NULL) == 0)
		snapshot_finish(&s);
	else
		width = height = 0;
	g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(png);
	control_call_png(call, bytes, width, height);
}

/* ---- keys and pointer ---- */

/*
 * Keys on their way into the guest, in the order in which they were asked for: each text or chord
 * begins when the one before it has gone out.
 */
struct keys {
	struct desktop *d;
	char *text; /* or NULL and: */
	unsigned ncodes;
	uint16_t codes[CONTROL_KEYS_MAX];
	struct typing *typing;     /* while it goes out */
	struct control_call *call; /* NULL: nobody waits */
};

static void keys_free(struct keys *k)
{
	g_free(k->text);
	g_free(k);
}

static void keys_next(struct desktop *d);

static void keys_done(void *opaque, bool cancelled)
{
	struct keys *k = opaque;
	struct desktop *d = k->d;

	g_queue_remove(&d->keys, k);
	if (k->call && cancelled)
		control_call_fail(k->call, "the desktop ended before all was typed");
	else if (k->call)
		control_call_done(k->call);
	keys_free(k);
	keys_next(d);
}

static void keys_next(struct desktop *d)
{
	struct keys *k;

	while ((k = g_queue_peek_head(&d->keys)) && !k->typing) {
		char *error = NULL;

		if (k->text)
			k->typing =
				typing_start(d->seat, d->keymap, k->text, 0, keys_done, k, &error);
		else
			k->typing = typing_chord(d->seat, k->codes, k->ncodes, 0, keys_done, k);
		if (k->typing)
			return;
		g_queue_pop_head(&d->keys);
		if (k->call)
			control_call_fail(k->call, "%s", error);
		g_free(error);
		keys_free(k);
	}
}

static void keys_add(struct desktop *d, struct keys *k)
{
	k->d = d;
	g_queue_push_tail(&d->keys, k);
	keys_next(d);
}

void desktop_cancel_keys(struct desktop *d)
{
	struct keys *k;

	while (g_queue_get_length(&d->keys) > 1) {
		k = g_queue_pop_tail(&d->keys);
		if (k->call)
			control_call_fail(k->call, "the desktop ended before this was typed");
		keys_free(k);
	}
	k = g_queue_peek_head(&d->keys);
	if (k)
		typing_cancel(k->typing);
}

static void do_key(
	void *opaque, const char *const *names, enum control_press press, struct control_call *call)
{
	struct desktop *d = opaque;
	struct keys *k = g_new0(struct keys, 1);

	for (; names[k->ncodes] && k->ncodes < CONTROL_KEYS_MAX; k->ncodes++) {
		k->codes[k->ncodes] = key_from_name(names[k->ncodes]);
		if (!k->codes[k->ncodes]) {
			control_call_fail(call, "no key is called \"%s\"", names[k->ncodes]);
			keys_free(k);
			return;
		}
	}
	if (press == CONTROL_CLICK) {
		k->call = call;
		keys_add(d, k);
		return;
	}
	for (unsigned i = 0; i < k->ncodes; i++)
		seat_user_key(d->controller, k->codes[i], press == CONTROL_DOWN);
	keys_free(k);
	control_call_done(call);
}

static void do_type(void *opaque, const char *text, struct control_call *call)
{
	struct keys *k = g_new0(struct keys, 1);

	k->text = g_strdup(text);
	k->call = call;
	keys_add(opaque, k);
}

/* A head's pixels to the tablet's units, which span all heads. */
static bool do_pointer(void *opaque, const struct control_pointer *p, char **why)
{
	struct desktop *d = opaque;
	struct display_layout l = layout(d);

	if (p->move) {
		if (p->head >= d->options->heads || !l.heads[p->head].width)
			return refuse(why, "head %u is off", p->head);
		if (p->x >= l.heads[p->head].width || p->y >= l.heads[p->head].height)
			return refuse(why, "%u,%u is outside head %u, which has %ux%u pixels", p->x,
				p->y, p->head, l.heads[p->head].width, l.heads[p->head].height);
		seat_user_move_abs(d->controller,
			(unsigned)((uint64_t)(l.heads[p->head].x + p->x) * SEAT_ABS_MAX /
				   MAX(l.width - 1, 1u)),
			(unsigned)((uint64_t)p->y * SEAT_ABS_MAX / MAX(l.height - 1, 1u)));
	}
	if (p->button && p->press != CONTROL_UP)
		seat_user_button(d->controller, p->button, true);
	if (p->button && p->press != CONTROL_DOWN)
		seat_user_button(d->controller, p->button, false);
	if (p->wheel || p->hwheel)
		seat_user_wheel(d->controller, p->wheel, p->hwheel);
	return true;
}

const struct control_ops desktop_control_ops = {
	.status = status,
	.stats = stats,
	.pause = do_pause,
	.resume = do_resume,
	.powerdown = do_powerdown,
	.reset = do_reset,
	.quit = do_quit,
	.resize = do_resize,
	.key = do_key,
	.pointer = do_pointer,
	.type = do_type,
	.screenshot = do_screenshot,
};
