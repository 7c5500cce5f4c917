/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/fake_seat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct fake_seat_device *f, const char *fmt, ...)
{
	size_t at = strlen(f->log);
	va_list ap;

	if (at && at + 1 < sizeof f->log)
		f->log[at++] = ' ';
	va_start(ap, fmt);
	if (vsnprintf(f->log + at, sizeof f->log - at, fmt, ap) >= (int)(sizeof f->log - at))
		abort(); /* a test that needs a larger log */
	va_end(ap);
}

static bool active(void *opaque)
{
	return ((struct fake_seat_device *)opaque)->active;
}

static void key(void *opaque, uint16_t code, bool down)
{
	add(opaque, "%c%u", down ? '+' : '-', code);
}

static void move_abs(void *opaque, unsigned x, unsigned y)
{
	add(opaque, "abs:%u,%u", x, y);
}

static void move_rel(void *opaque, int dx, int dy)
{
	add(opaque, "rel:%d,%d", dx, dy);
}

static void wheel(void *opaque, int vertical, int horizontal)
{
	add(opaque, "wheel:%d,%d", vertical, horizontal);
}

static void sync_(void *opaque)
{
	((struct fake_seat_device *)opaque)->syncs++;
}

static const struct seat_device_ops ops = {
	.active = active,
	.key = key,
	.move_abs = move_abs,
	.move_rel = move_rel,
	.wheel = wheel,
	.sync = sync_,
};

void fake_seat_device_init(struct fake_seat_device *f, enum seat_kind kind)
{
	*f = (struct fake_seat_device){
		.dev = { .kind = kind, .name = "fake", .ops = &ops, .opaque = f },
		.active = true,
	};
}

const char *fake_seat_device_log(struct fake_seat_device *f)
{
	memcpy(f->seen, f->log, sizeof f->seen);
	f->log[0] = 0;
	return f->seen;
}
