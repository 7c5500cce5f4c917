/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/rfb_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/bytes.h"

static const char sync_mark[] = "sync";

void rfb_client_init(struct rfb_client *c, int fd)
{
	struct timeval limit = { .tv_sec = 20 };

	*c = (struct rfb_client){ .fd = fd };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

int rfb_client_connect_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(un.sun_path, path, sizeof un.sun_path - 1);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof un) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

void rfb_client_finish(struct rfb_client *c)
{
	close(c->fd);
	free(c->px);
	c->px = NULL;
}

bool rfb_client_read(struct rfb_client *c, void *to, size_t len)
{
	for (char *p = to; len;) {
		ssize_t n = recv(c->fd, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
		c->received += n;
	}
	return true;
}

bool rfb_client_send(struct rfb_client *c, const void *data, size_t len)
{
	for (const char *p = data; len;) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

bool rfb_client_closed(struct rfb_client *c)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(c->fd, buf, sizeof buf, 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

static void resize(struct rfb_client *c, unsigned width, unsigned height)
{
	c->width = width;
	c->height = height;
	free(c->px);
	c->px = calloc((size_t)width * height, sizeof *c->px);
}

bool rfb_client_handshake(struct rfb_client *c)
{
	uint8_t b[64];
	uint32_t len;

	if (!rfb_client_read(c, b, 12) || memcmp(b, "RFB 003.008\n", 12) != 0)
		return false;
	rfb_client_send(c, b, 12);
	if (!rfb_client_read(c, b, 1) || b[0] != 1 || !rfb_client_read(c, b, 1) || b[0] != 1)
		return false;
	rfb_client_send(c, "\1", 1);
	if (!rfb_client_read(c, b, 4) || be32_get(b) != 0)
		return false;
	rfb_client_send(c, "\0", 1);
	if (!rfb_client_read(c, b, 24))
		return false;
	resize(c, be16_get(b), be16_get(b + 2));
	len = be32_get(b + 20);
	if (len >= sizeof c->name)
		return false;
	c->name[len] = 0;
	return rfb_client_read(c, c->name, len);
}

/* ---- to the server ---- */

void rfb_client_encodings(struct rfb_client *c, const int32_t *list, unsigned count)
{
	uint8_t b[4 + 4 * 64] = { 2 };

	be16_put(b + 2, count);
	for (unsigned i = 0; i < count; i++)
		be32_put(b + 4 + 4 * i, list[i]);
	rfb_client_send(c, b, 4 + 4 * count);
}

static void send_box(struct rfb_client *c, uint8_t type, uint8_t flag)
{
	uint8_t b[10] = { type, flag };

	be16_put(b + 6, c->width);
	be16_put(b + 8, c->height);
	rfb_client_send(c, b, sizeof b);
}

void rfb_client_request(struct rfb_client *c, bool incremental)
{
	send_box(c, 3, incremental);
}

void rfb_client_continuous(struct rfb_client *c, bool on)
{
	send_box(c, 150, on);
}

void rfb_client_key(struct rfb_client *c, uint32_t keysym, bool down)
{
	uint8_t b[8] = { 4, down };

	be32_put(b + 4, keysym);
	rfb_client_send(c, b, sizeof b);
}

void rfb_client_pointer(struct rfb_client *c, unsigned buttons, unsigned x, unsigned y)
{
	uint8_t b[7] = { 5, buttons & 0x7f };
	bool extended = c->extended_buttons && buttons >> 7;

	be16_put(b + 2, x);
	be16_put(b + 4, y);
	if (extended) {
		b[1] |= 0x80;
		b[6] = buttons >> 7;
	}
	rfb_client_send(c, b, extended ? 7 : 6);
}

static void send_fence(struct rfb_client *c, uint32_t flags, const void *payload, uint8_t len)
{
	uint8_t b[9 + 64] = { 248 };

	be32_put(b + 4, flags);
	b[8] = len;
	memcpy(b + 9, payload, len);
	rfb_client_send(c, b, 9 + len);
}

/* ---- from the server ---- */

static bool skip(struct rfb_client *c, size_t len)
{
	uint8_t buf[4096];

	for (; len; len -= MIN(len, sizeof buf))
		if (!rfb_client_read(c, buf, MIN(len, sizeof buf)))
			return false;
	return true;
}

static bool take_pixels(
	struct rfb_client *c, unsigned x, unsigned y, unsigned width, unsigned height)
{
	if (x + width > c->width || y + height > c->height)
		return false;
	for (unsigned i = 0; i < height; i++)
		if (!rfb_client_read(c, c->px + (size_t)(y + i) * c->width + x, width * 4ul))
			return false;
	return true;
}

static bool take_screens(struct rfb_client *c)
{
	uint8_t b[16];

	if (!rfb_client_read(c, b, 4) || b[0] < 1 || b[0] > RFB_CLIENT_SCREENS)
		return false;
	c->screens = b[0];
	for (unsigned i = 0; i < c->screens; i++) {
		if (!rfb_client_read(c, b, 16))
			return false;
		c->screen[i].id = be32_get(b);
		c->screen[i].x = be16_get(b + 4);
		c->screen[i].y = be16_get(b + 6);
		c->screen[i].width = be16_get(b + 8);
		c->screen[i].height = be16_get(b + 10);
	}
	return true;
}

static bool take_cursor(struct rfb_client *c, const uint8_t *r, int32_t encoding)
{
	size_t len;
	uint8_t b[4];

	c->cursors++;
	c->cursor_encoding = encoding;
	c->hot_x = be16_get(r);
	c->hot_y = be16_get(r + 2);
	c->cursor_width = be16_get(r + 4);
	c->cursor_height = be16_get(r + 6);
	len = (size_t)c->cursor_width * c->cursor_height * 4;
	if (encoding == -314) {
		if (!rfb_client_read(c, b, 4) || be32_get(b) != 0)
			return false;
	} else {
		len += (c->cursor_width + 7) / 8 * c->cursor_height;
	}
	if (!len)
		return true;
	if (!rfb_client_read(c, &c->cursor_first, 4))
		return false;
	return skip(c, len - 4);
}

static bool take_rect(struct rfb_client *c)
{
	uint8_t r[12], b[4];
	unsigned width, height;
	int32_t encoding;

	if (!rfb_client_read(c, r, 12))
		return false;
	c->rects++;
	width = be16_get(r + 4);
	height = be16_get(r + 6);
	encoding = (int32_t)be32_get(r + 8);
	switch (encoding) {
	case 0:
		return take_pixels(c, be16_get(r), be16_get(r + 2), width, height);
	case -223:
	case -308:
		c->sizes++;
		c->size_reason = be16_get(r);
		c->size_status = be16_get(r + 2);
		if (width != c->width || height != c->height)
			resize(c, width, height);
		return encoding == -223 || take_screens(c);
	case -239:
	case -314:
		return take_cursor(c, r, encoding);
	case -258:
		c->qemu_keys = true;
		return true;
	case -316:
		c->extended_buttons = true;
		return true;
	case -261:
		c->leds_seen++;
		if (!rfb_client_read(c, b, 1))
			return false;
		c->leds = b[0];
		return true;
	case 0x574d5668:
		c->leds_seen++;
		if (!rfb_client_read(c, b, 4))
			return false;
		c->leds = be32_get(b);
		return true;
	case -307:
		if (!rfb_client_read(c, b, 4) || be32_get(b) >= sizeof c->name)
			return false;
		memset(c->name, 0, sizeof c->name);
		return rfb_client_read(c, c->name, be32_get(b));
	}
	return false;
}

static bool take_update(struct rfb_client *c)
{
	uint8_t b[3];

	if (!rfb_client_read(c, b, 3))
		return false;
	for (unsigned n = be16_get(b + 1); n; n--)
		if (!take_rect(c))
			return false;
	c->updates++;
	return true;
}

static bool take_fence(struct rfb_client *c)
{
	uint8_t b[8], payload[64];
	uint32_t flags;

	if (!rfb_client_read(c, b, 8) || b[7] > 64 || !rfb_client_read(c, payload, b[7]))
		return false;
	flags = be32_get(b + 3);
	if (flags >> 31) {
		c->fence_requests++;
		if (!c->mute)
			send_fence(c, flags & 3, payload, b[7]);
	} else if (b[7] == sizeof sync_mark && !memcmp(payload, sync_mark, sizeof sync_mark)) {
		c->fences++;
	}
	return true;
}

int rfb_client_next(struct rfb_client *c)
{
	uint8_t type;

	if (!rfb_client_read(c, &type, 1))
		return -1;
	switch (type) {
	case 0:
		return take_update(c) ? type : -1;
	case 150:
		c->end_of_continuous++;
		return type;
	case 248:
		return take_fence(c) ? type : -1;
	}
	return -1;
}

bool rfb_client_update(struct rfb_client *c)
{
	unsigned before = c->updates;

	while (c->updates == before)
		if (rfb_client_next(c) < 0)
			return false;
	return true;
}

bool rfb_client_sync(struct rfb_client *c)
{
	unsigned before = c->fences;

	send_fence(c, 1u << 31 | 1, sync_mark, sizeof sync_mark);
	while (c->fences == before)
		if (rfb_client_next(c) < 0)
			return false;
	return true;
}
