/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc-testserver: our VNC server with a painted screen instead of a guest, for real viewers.
 *
 *	vnc-testserver LISTEN [--heads N] [--size WxH] [--password-file F] [--animate MS]
 *
 * Prints "listening on ADDRESS", then what arrives: keys, buttons, positions, wishes for a size,
 * which it grants. Lines on standard input: "fill X Y W H RRGGBB", "paint SEED", "size HEAD W H",
 * "leds N", "cursor on|off", "stats", "quit". Where the pointer is pressed, it draws.
 */
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib-unix.h>

#include "display/consumer.h"
#include "display/vnc/server.h"
#include "input/keymap.h"
#include "input/seat.h"
#include "tests/fakes/fake_source.h"
#include "util/bytes.h"
#include "util/log.h"

struct testserver {
	struct display *display;
	struct fake_source sources[DISPLAY_HEADS_MAX];
	struct seat *seat;
	struct vnc_server *server;
	GMainLoop *loop;
	unsigned step, x, y;
	bool pressed;
};

/* ---- the screen ---- */

static void set_size(struct testserver *t, unsigned head, unsigned width, unsigned height)
{
	struct fake_source *s = &t->sources[head], old = *s;

	if (!width) {
		scanout_set_source(t->display, head, 0, 0, NULL, NULL);
		return;
	}
	/* The old one is read until the display has let it go. */
	scanout_set_source(t->display, head, 0, 0, NULL, NULL);
	fake_source_init(s, width, height);
	fake_source_paint(s, head + 1);
	scanout_set_source(t->display, head, width, height, &fake_source_ops, s);
	free(old.px);
}

static void fill(struct testserver *t, int x, int y, int w, int h, uint32_t pixel)
{
	struct display_layout l;

	display_get_layout(t->display, &l);
	for (unsigned i = 0; i < DISPLAY_HEADS_MAX; i++) {
		const struct display_head *head = &l.heads[i];
		int left = head->x;
		pixman_box32_t box = { MAX(x - left, 0), MAX(y, 0),
			MIN(x - left + w, (int)head->width), MIN(y + h, (int)head->height) };

		if (box.x1 >= box.x2 || box.y1 >= box.y2)
			continue;
		fake_source_fill(&t->sources[i], &box, pixel);
		scanout_damage(t->display, i, &box);
	}
}

static void set_cursor(struct testserver *t, bool on)
{
	uint32_t argb[SCANOUT_CURSOR_SIZE * SCANOUT_CURSOR_SIZE] = { 0 };

	/* An arrow with a soft shadow. */
	for (unsigned y = 0; y < 20; y++)
		for (unsigned x = 0; x <= y * 2 / 3; x++) {
			argb[(y + 3) * SCANOUT_CURSOR_SIZE + x + 3] = 0x60000000;
			argb[y * SCANOUT_CURSOR_SIZE + x] =
				x == 0 || x >= y * 2 / 3 - 1 || y > 17 ? 0xff000000 : 0xffffffff;
		}
	scanout_set_cursor(t->display, 0, on ? argb : NULL, 0, 0);
}

static gboolean animate(gpointer opaque)
{
	struct testserver *t = opaque;

	fill(t, t->step * 8 % 400, 40, 60, 60, t->step * 0x10507 & 0xffffff);
	t->step++;
	return G_SOURCE_CONTINUE;
}

static void on_resize(void *opaque, unsigned head, unsigned width, unsigned height)
{
	printf("wish head %u %ux%u\n", head, width, height);
	set_size(opaque, head, width, height);
}

/* ---- the seat ---- */

static bool always(void *opaque)
{
	return true;
}

static void on_key(void *opaque, uint16_t code, bool down)
{
	struct testserver *t = opaque;

	printf("%s %u %s\n", code >= BTN_MISC ? "button" : "key", code, down ? "down" : "up");
	if (code == BTN_LEFT)
		t->pressed = down;
}

static void on_move(void *opaque, unsigned x, unsigned y)
{
	struct testserver *t = opaque;
	struct display_layout l;

	display_get_layout(t->display, &l);
	t->x = x * l.width / (SEAT_ABS_MAX + 1);
	t->y = y * l.height / (SEAT_ABS_MAX + 1);
}

static void on_wheel(void *opaque, int vertical, int horizontal)
{
	printf("wheel %d %d\n", vertical, horizontal);
}

static void on_sync(void *opaque)
{
	struct testserver *t = opaque;

	if (t->pressed) {
		fill(t, (int)t->x - 2, (int)t->y - 2, 5, 5, 0xff4040);
		printf("at %u %u\n", t->x, t->y);
	}
}

/* ---- commands ---- */

static void print_stats(const struct testserver *t)
{
	struct vnc_client_stats c[8];
	struct vnc_server_stats sums;
	unsigned n = vnc_server_stats(t->server, &sums, c, ARRAY_LEN(c));

	printf("stats clients %u accepted %lu updates %lu bytes %lu\n", sums.clients, sums.accepted,
		sums.updates, sums.bytes);
	for (unsigned i = 0; i < n; i++)
		printf("client '%s' encoding %d %ux%u updates %lu bytes %lu queued %lu rtt %lu us\n",
			c[i].peer, c[i].encoding, c[i].width, c[i].height, c[i].updates, c[i].bytes,
			c[i].queued, c[i].round_trip_us);
}

static void command(struct testserver *t, const char *line)
{
	unsigned a, b, c;
	int x, y, w, h;

	if (sscanf(line, "fill %d %d %d %d %x", &x, &y, &w, &h, &a) == 5)
		fill(t, x, y, w, h, a);
	else if (sscanf(line, "paint %u", &a) == 1) {
		fake_source_paint(&t->sources[0], a);
		scanout_damage(t->display, 0, &(pixman_box32_t){ 0, 0, 8192, 8192 });
	} else if (sscanf(line, "size %u %u %u", &a, &b, &c) == 3 && a < display_heads(t->display))
		set_size(t, a, b, c);
	else if (sscanf(line, "leds %u", &a) == 1)
		seat_device_leds(t->seat, a);
	else if (g_str_has_prefix(line, "cursor "))
		set_cursor(t, line[8] == 'n');
	else if (g_str_has_prefix(line, "stats"))
		print_stats(t);
	else if (g_str_has_prefix(line, "quit"))
		g_main_loop_quit(t->loop);
	else
		printf("what?\n");
}

static gboolean on_input(gint fd, GIOCondition condition, gpointer opaque)
{
	struct testserver *t = opaque;
	char line[200];

	if (!fgets(line, sizeof line, stdin))
		return G_SOURCE_REMOVE;
	command(t, line);
	return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
	static const struct seat_device_ops device_ops = { always, on_key, on_move, NULL, on_wheel,
		on_sync };
	static const struct display_guest_ops guest_ops = { on_resize };
	static int heads = 1, every;
	static char *size, *password_file;
	static const GOptionEntry options[] = {
		{ "heads", 0, 0, G_OPTION_ARG_INT, &heads, "1 to 4", "N" },
		{ "size", 0, 0, G_OPTION_ARG_STRING, &size, "of each head", "WxH" },
		{ "password-file", 0, 0, G_OPTION_ARG_STRING, &password_file, "", "F" },
		{ "animate", 0, 0, G_OPTION_ARG_INT, &every, "draw every MS", "MS" },
		{ 0 },
	};
	g_autoptr(GOptionContext) context = g_option_context_new("LISTEN");
	g_autoptr(GError) error = NULL;
	struct testserver t = { 0 };
	struct keymap *keymap = keymap_create("us", NULL, NULL);
	struct vnc_config config = { .name = "vnc-testserver" };
	unsigned width = 1024, height = 768;
	struct seat_device keyboard = { SEAT_KEYBOARD, "keyboard", &device_ops, &t, NULL };
	struct seat_device tablet = { SEAT_TABLET, "tablet", &device_ops, &t, NULL };

	log_init("vnc-testserver", LOG_DEBUG);
	setvbuf(stdin, NULL, _IONBF, 0); /* so that poll() sees every line */
	setvbuf(stdout, NULL, _IOLBF, 0);
	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2 ||
		(size && sscanf(size, "%ux%u", &width, &height) != 2)) {
		fprintf(stderr, "usage: vnc-testserver LISTEN [--help]\n");
		return 2;
	}
	t.display = display_create(heads);
	display_set_guest(t.display, &guest_ops, &t);
	t.seat = seat_create();
	seat_add_device(t.seat, &keyboard);
	seat_add_device(t.seat, &tablet);
	config.listen = argv[1];
	config.password_file = password_file;
	if (!keymap || vnc_server_create(t.display, t.seat, keymap, &config, &t.server) < 0)
		return 1;
	for (int i = 0; i < heads; i++)
		set_size(&t, i, width, height);
	set_cursor(&t, true);
	printf("listening on %s\n", vnc_server_address(t.server));
	t.loop = g_main_loop_new(NULL, FALSE);
	g_unix_fd_add(0, G_IO_IN | G_IO_HUP, on_input, &t);
	if (every)
		g_timeout_add(every, animate, &t);
	g_main_loop_run(t.loop);
	vnc_server_destroy(t.server);
	seat_destroy(t.seat);
	keymap_destroy(keymap);
	display_destroy(t.display);
	g_main_loop_unref(t.loop);
	return 0;
}
