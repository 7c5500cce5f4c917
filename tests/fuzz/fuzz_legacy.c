/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any sequence of port accesses, time and console traffic against serial port, clock and PM block. */
#include <stdint.h>
#include <string.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/legacy/pm.h"
#include "vmm/legacy/rtc.h"
#include "vmm/legacy/serial.h"
#include "vmm/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DEVICES = 3 };

struct machine {
	int64_t now;
	struct loop *loop;
	struct bus *ports;
	struct console *console;
	struct device devices[DEVICES];
	bool level[24];
};

static int64_t fake_now(void *opaque)
{
	return ((struct machine *)opaque)->now;
}

static void set_line(void *opaque, unsigned gsi, bool level)
{
	((struct machine *)opaque)->level[gsi] = level;
}

static void ignore_request(void *opaque, enum power_request what, const char *by)
{
}

static void ignore_line(void *opaque, enum log_level level, const char *line)
{
}

/* Saves a device, loads it back, and finds the same state. */
static void round_trip(const struct device *d)
{
	struct state_writer before, after;
	struct state_reader r;

	state_writer_init(&before);
	state_writer_init(&after);
	d->ops->save(d->opaque, &before);
	state_reader_init(&r, before.data, before.len);
	if (d->ops->load(d->opaque, &r) != 0 || !state_reader_done(&r))
		__builtin_trap();
	d->ops->save(d->opaque, &after);
	if (before.len != after.len || memcmp(before.data, after.data, before.len) != 0)
		__builtin_trap();
	state_writer_finish(&before);
	state_writer_finish(&after);
}

static void load_anything(const struct device *d, const uint8_t *data, size_t size)
{
	struct state_writer w;
	struct state_reader r;
	size_t mark;

	state_writer_init(&w);
	mark = state_begin(&w, d->name, 1);
	for (size_t i = 0; i < size; i++)
		state_put_u8(&w, data[i]);
	state_end(&w, mark);
	state_reader_init(&r, w.data, w.len);
	d->ops->load(d->opaque, &r);
	state_writer_finish(&w);
}

/* One operation of four bytes. */
static void step(struct machine *m, const uint8_t *op, const uint8_t *rest, size_t left)
{
	static const uint16_t bases[] = { PORT_SERIAL, PORT_RTC, PORT_PM1_EVT };
	static const uint8_t spans[] = { 8, 2, 16 };
	unsigned which = op[0] % DEVICES, size = 1u << (op[1] >> 6 & 1 ? op[1] >> 7 : 0);
	uint64_t port = bases[which] + op[1] % spans[which];

	switch (op[0] >> 4) {
	case 0 ... 9:
		bus_write(m->ports, port, size, le16_get(op + 2));
		break;
	case 10 ... 12:
		bus_read(m->ports, port, size);
		break;
	case 13: /* up to an hour, or to any time */
		m->now +=
			op[1] & 1 ? (int64_t)le16_get(op + 2) << 42 : le16_get(op + 2) * 55000000ll;
		m->now &= INT64_MAX / 4;
		break;
	case 14:
		loop_step(m->loop, 0);
		break;
	case 15:
		if (op[1] & 1)
			m->devices[which].ops->reset(m->devices[which].opaque);
		else if (op[1] & 2)
			load_anything(&m->devices[which], rest, MIN(left, 200));
		else
			round_trip(&m->devices[which]);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine m = { .now = 1700000000000000000ll };
	const struct rtc_clock rtc_clock = { fake_now, &m };
	const struct pm_clock pm_clock = { fake_now, &m };
	struct pm_config config = { .sci = { set_line, &m, GSI_SCI },
		.ged = { set_line, &m, GSI_GED },
		.power = { ignore_request, NULL },
		.clock = &pm_clock };
	struct serial *serial;
	struct rtc *rtc;
	struct pm *pm;

	log_set_sink(ignore_line, NULL);
	m.loop = config.loop = loop_create();
	m.ports = config.ports = bus_create();
	loop_set_clock(m.loop, fake_now, &m);
	console_create(&m.console, m.loop, CONSOLE_FILE, "/dev/null", NULL);
	serial = serial_create(m.ports, (struct irq_line){ set_line, &m, GSI_SERIAL }, m.console);
	rtc = rtc_create(m.ports, (struct irq_line){ set_line, &m, GSI_RTC }, m.loop, &rtc_clock);
	pm = pm_create(&config);
	m.devices[0] = serial_device(serial);
	m.devices[1] = rtc_device(rtc);
	m.devices[2] = pm_device(pm);
	for (size_t at = 0; at + 4 <= size; at += 4)
		step(&m, data + at, data + at + 4, size - at - 4);
	pm_destroy(pm);
	rtc_destroy(rtc);
	serial_destroy(serial);
	console_destroy(m.console);
	bus_destroy(m.ports);
	loop_destroy(m.loop);
	return 0;
}
