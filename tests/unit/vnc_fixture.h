/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole VNC server for tests: a display with a fake source, a seat with a recording keyboard and
 * tablet, the server on a unix socket, and the service loop on a thread of its own. The test's
 * thread is the machine loop and the clients.
 */
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>

#include "display/consumer.h"
#include "display/vnc/server.h"
#include "input/keymap.h"
#include "input/seat.h"
#include "tests/fakes/fake_source.h"
#include "tests/fakes/rfb_client.h"
#include "util/bytes.h"
#include "util/log.h"

enum { FIXTURE_EVENTS = 512 };

struct fixture {
	char *dir, *path;
	struct display *display;
	struct fake_source source;
	struct seat *seat;
	struct keymap *keymap;
	struct vnc_server *server;
	GMainLoop *loop;
	GThread *thread;
	struct seat_device keyboard, tablet;

	pthread_mutex_t lock; /* guards what follows: written on the service loop */
	struct {
		uint16_t code;
		bool down;
	} keys[FIXTURE_EVENTS];
	unsigned key_count;
	unsigned x, y;
	int vertical, horizontal;
	unsigned resizes, resize_head, resize_width, resize_height;
};

static inline bool fixture_active(void *opaque)
{
	return true;
}

static inline void fixture_key(void *opaque, uint16_t code, bool down)
{
	struct fixture *f = opaque;

	pthread_mutex_lock(&f->lock);
	if (f->key_count < FIXTURE_EVENTS) {
		f->keys[f->key_count].code = code;
		f->keys[f->key_count].down = down;
		f->key_count++;
	}
	pthread_mutex_unlock(&f->lock);
}

static inline void fixture_move(void *opaque, unsigned x, unsigned y)
{
	struct fixture *f = opaque;

	pthread_mutex_lock(&f->lock);
	f->x = x;
	f->y = y;
	pthread_mutex_unlock(&f->lock);
}

static inline void fixture_wheel(void *opaque, int vertical, int horizontal)
{
	struct fixture *f = opaque;

	pthread_mutex_lock(&f->lock);
	f->vertical += vertical;
	f->horizontal += horizontal;
	pthread_mutex_unlock(&f->lock);
}

static inline void fixture_sync(void *opaque)
{
}

static inline void fixture_resize(void *opaque, unsigned head, unsigned width, unsigned height)
{
	struct fixture *f = opaque;

	pthread_mutex_lock(&f->lock);
	f->resizes++;
	f->resize_head = head;
	f->resize_width = width;
	f->resize_height = height;
	pthread_mutex_unlock(&f->lock);
}

static inline gpointer fixture_run(gpointer opaque)
{
	g_main_loop_run(((struct fixture *)opaque)->loop);
	return NULL;
}

static inline void fixture_attach(struct fixture *f)
{
	scanout_set_source(
		f->display, 0, f->source.width, f->source.height, &fake_source_ops, &f->source);
}

/* config may be NULL; its listen is set here. width 0: no head is on. */
static inline void fixture_start(struct fixture *f, const struct vnc_config *config, unsigned heads,
	unsigned width, unsigned height)
{
	static const struct seat_device_ops device_ops = { fixture_active, fixture_key,
		fixture_move, NULL, fixture_wheel, fixture_sync };
	static const struct display_guest_ops guest_ops = { fixture_resize };
	struct vnc_config c = { 0 };
	g_autofree char *spec = NULL;

	log_init("test", LOG_ERROR);
	memset(f, 0, sizeof *f);
	pthread_mutex_init(&f->lock, NULL);
	f->dir = g_dir_make_tmp("vnc-XXXXXX", NULL);
	f->path = g_build_filename(f->dir, "s", NULL);
	spec = g_strconcat("unix:", f->path, NULL);
	f->display = display_create(heads);
	display_set_guest(f->display, &guest_ops, f);
	f->seat = seat_create();
	f->keyboard = (struct seat_device){ SEAT_KEYBOARD, "keyboard", &device_ops, f, NULL };
	f->tablet = (struct seat_device){ SEAT_TABLET, "tablet", &device_ops, f, NULL };
	seat_add_device(f->seat, &f->keyboard);
	seat_add_device(f->seat, &f->tablet);
	f->keymap = keymap_create("us", NULL, NULL);
	assert_non_null(f->keymap);
	if (config)
		c = *config;
	c.listen = spec;
	assert_int_equal(vnc_server_create(f->display, f->seat, f->keymap, &c, &f->server), 0);
	if (width) {
		fake_source_init(&f->source, width, height);
		fake_source_paint(&f->source, 1);
		fixture_attach(f);
	}
	f->loop = g_main_loop_new(NULL, FALSE);
	f->thread = g_thread_new("service", fixture_run, f);
}

static inline gboolean fixture_quit(gpointer loop)
{
	g_main_loop_quit(loop);
	return G_SOURCE_REMOVE;
}

/* Stops the loop; the server is destroyed on this thread then. */
static inline void fixture_stop(struct fixture *f)
{
	g_idle_add(fixture_quit, f->loop);
	g_thread_join(f->thread);
	vnc_server_destroy(f->server);
	assert_int_not_equal(access(f->path, F_OK), 0);
	seat_destroy(f->seat);
	keymap_destroy(f->keymap);
	display_destroy(f->display);
	if (f->source.px)
		fake_source_finish(&f->source);
	g_main_loop_unref(f->loop);
	rmdir(f->dir);
	g_free(f->path);
	g_free(f->dir);
	pthread_mutex_destroy(&f->lock);
}

static inline void fixture_connect(struct fixture *f, struct rfb_client *c)
{
	int fd = rfb_client_connect_unix(f->path);

	assert_true(fd >= 0);
	rfb_client_init(c, fd);
}

/* Connected, its encodings set, its first update taken. */
static inline void fixture_open(
	struct fixture *f, struct rfb_client *c, const int32_t *encodings, unsigned count)
{
	fixture_connect(f, c);
	assert_true(rfb_client_handshake(c));
	rfb_client_encodings(c, encodings, count);
	rfb_client_request(c, false);
	assert_true(rfb_client_update(c));
}

static inline void fixture_paint(struct fixture *f, const pixman_box32_t *box, uint32_t pixel)
{
	fake_source_fill(&f->source, box, pixel);
	scanout_damage(f->display, 0, box);
}
