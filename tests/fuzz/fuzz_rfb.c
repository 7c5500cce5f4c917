/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VNC client can send: the input's first byte cuts the rest into writes, and all of it goes
 * through gate, parser, session and encoders of a whole server, handshake included where the input
 * begins with anything but a version.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#include "display/scanout.h"
#include "display/vnc/server.h"
#include "input/keymap.h"
#include "input/seat.h"
#include "util/bytes.h"
#include "util/log.h"

enum { WIDTH = 320, HEIGHT = 200, INPUT_MAX = 16 * 1024, PASSES = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy_rows(void *opaque, const pixman_box32_t *rect, uint8_t *dst, size_t stride)
{
	for (int y = rect->y1; y < rect->y2; y++, dst += stride)
		for (int x = rect->x1; x < rect->x2; x++)
			le32_put(dst + 4 * (x - rect->x1), (unsigned)(x * y) * 0x10301u);
}

static void on_resize(void *opaque, unsigned head, unsigned width, unsigned height)
{
	static const struct scanout_source_ops ops = { copy_rows };
	struct display *d = opaque;

	/* A guest that grants small wishes at once. */
	if (width && width <= 1024 && height <= 1024)
		scanout_set_source(d, head, width, height, &ops, NULL);
}

/* Serves until nothing is due, reading all that the server sends. */
static void serve(int fd)
{
	static char sink[64 * 1024];

	for (int i = 0; i < PASSES; i++) {
		bool busy = g_main_context_iteration(NULL, FALSE);

		while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
			busy = true;
		if (!busy)
			return;
	}
}

static void feed(int fd, const uint8_t *data, size_t size)
{
	static const uint8_t handshake[] = "RFB 003.008\n\1\1";
	size_t cut;

	if (size < 2)
		return;
	cut = data[0] ? data[0] * 4u : size;
	data++;
	size--;
	if (data[0] != 'R')
		send(fd, handshake, sizeof handshake - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (size) {
		size_t n = MIN(cut, size);

		if (send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
			return;
		serve(fd);
		data += n;
		size -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct scanout_source_ops source = { copy_rows };
	static const struct display_guest_ops guest = { on_resize };
	static const struct vnc_config config = { .name = "fuzz" };
	static struct keymap *keymap;
	struct display *d = display_create(2);
	struct seat *seat = seat_create();
	struct vnc_server *v;
	int pair[2];

	log_init("fuzz", LOG_ERROR);
	if (!keymap)
		keymap = keymap_create("us", NULL, NULL);
	display_set_guest(d, &guest, d);
	scanout_set_source(d, 0, WIDTH, HEIGHT, &source, NULL);
	if (size > INPUT_MAX || vnc_server_create(d, seat, keymap, &config, &v) < 0)
		goto out;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	vnc_server_adopt(v, pair[0]);
	feed(pair[1], data, size);
	serve(pair[1]);
	close(pair[1]);
	serve(pair[1]);
	vnc_server_destroy(v);
out:
	seat_destroy(seat);
	display_destroy(d);
	return 0;
}
