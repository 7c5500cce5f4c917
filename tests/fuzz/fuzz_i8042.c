/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that writes anything to the keyboard controller and to virtio-input's config space and
 * queues, while users type; and snapshots of both with spoilt bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fakes/fake_driver.h"
#include "tests/fakes/fuzz_bytes.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/legacy/i8042.h"
#include "vmm/state.h"
#include "vmm/virtio/input.h"

enum { EVENTQ, STATUSQ, SCRATCH = 4096, KINDS = 3, SOMETIMES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
	struct bus *bus;
	struct seat *seat;
	struct seat_user *user;
	struct i8042 *k;
	struct vinput *v[KINDS];
	struct fake_driver d[KINDS];
	uint64_t rings_gpa[KINDS];
	uint8_t *scratch[KINDS];
};

static void ignore_line(void *opaque, enum log_level level, const char *line)
{
}

static void ignore_level(void *opaque, unsigned gsi, bool level)
{
}

static void ignore_power(void *opaque, enum power_request what, const char *by)
{
}

static void start(struct rig *g, unsigned i)
{
	g->d[i].next_gpa = g->rings_gpa[i];
	fake_driver_start(&g->d[i], vinput_device(g->v[i]), ~0ull);
}

static struct rig *rig_get(void)
{
	static struct rig *g;

	if (g)
		return g;
	g = calloc(1, sizeof *g);
	log_set_sink(ignore_line, NULL);
	g->bus = bus_create();
	g->seat = seat_create();
	for (unsigned i = 0; i < KINDS; i++) {
		fake_driver_init(&g->d[i], 2 * MIB);
		g->v[i] = vinput_create((enum seat_kind)i, g->d[i].loop, &g->d[i].mem, g->seat);
		g->scratch[i] = fake_driver_alloc(&g->d[i], SCRATCH, 8);
		g->rings_gpa[i] = g->d[i].next_gpa;
		start(g, i);
	}
	g->k = i8042_create(&(struct i8042_config){ .ports = g->bus,
		.irq = { .set = ignore_level },
		.power = { .request = ignore_power },
		.seat = g->seat });
	g->user = seat_user_create(g->seat, "fuzz", NULL, NULL);
	return g;
}

static void use_ports(struct rig *g, struct fuzz_bytes *f)
{
	uint64_t port = fuzz_u8(f) & 1 ? PORT_I8042_CMD : PORT_I8042_DATA;
	uint8_t what = fuzz_u8(f);

	if (what & 1)
		bus_write(g->bus, port, 1, fuzz_u8(f));
	else
		bus_read(g->bus, port, 1);
}

static void use_config(struct rig *g, struct fuzz_bytes *f)
{
	struct virtio_device *dev = vinput_device(g->v[fuzz_u8(f) % KINDS]);
	uint32_t offset = fuzz_u8(f) & 1 ? fuzz_u8(f) : fuzz_u32(f);
	uint8_t buf[256];

	fuzz_take(f, buf, 8);
	virtio_config_write(dev, offset, buf, fuzz_u8(f) % 9);
	virtio_config_read(dev, 0, buf, dev->config_len);
	if (buf[2] > 128) /* size of the union */
		abort();
}

/* Mostly a buffer or status as it should be. */
static void use_queue(struct rig *g, struct fuzz_bytes *f)
{
	unsigned i = fuzz_u8(f) % KINDS, q = fuzz_u8(f) & 1;
	bool odd = fuzz_u8(f) % SOMETIMES == 0;
	struct fake_ring *ring = &g->d[i].rings[q];
	struct iovec iov[2] = { { g->scratch[i] + 8 * (fuzz_u8(f) % 16), 8 },
		{ g->scratch[i] + 8 * (fuzz_u8(f) % 16), 8 } };

	if ((uint16_t)(ring->avail_idx - ring->last_used) >= ring->size)
		while (fake_driver_used(&g->d[i], q, NULL, NULL))
			;
	if ((uint16_t)(ring->avail_idx - ring->last_used) >= ring->size && !odd)
		return;
	fuzz_take(f, iov[0].iov_base, 8);
	if (odd)
		iov[0].iov_len = fuzz_u16(f) % SCRATCH / 2;
	fake_driver_request(&g->d[i], q, iov, odd ? fuzz_u8(f) % 2 : q == STATUSQ,
		odd ? fuzz_u8(f) % 2 : q == EVENTQ);
	fake_driver_kick(&g->d[i], q);
}

static void use_seat(struct rig *g, struct fuzz_bytes *f)
{
	uint8_t what = fuzz_u8(f);

	switch (what % 6) {
	case 0:
	case 1:
		seat_user_key(g->user, fuzz_u8(f), what & 8);
		break;
	case 2:
		seat_user_button(g->user, (uint16_t)(0x110 + fuzz_u8(f) % 8), what & 8);
		break;
	case 3:
		seat_user_move_abs(g->user, fuzz_u32(f), fuzz_u16(f));
		break;
	case 4:
		seat_user_move_rel(g->user, (int)fuzz_u32(f), (int16_t)fuzz_u16(f));
		break;
	default:
		seat_user_wheel(g->user, (int)fuzz_u32(f), (int16_t)fuzz_u16(f));
		break;
	}
	for (unsigned i = 0; i < KINDS; i++)
		loop_step(g->d[i].loop, 0);
}

static void spoil(struct state_writer *w, struct fuzz_bytes *f)
{
	for (unsigned n = fuzz_u8(f) % 4; n; n--)
		w->data[fuzz_u16(f) % w->len] = fuzz_u8(f);
}

static void use_state(struct rig *g, struct fuzz_bytes *f)
{
	struct device d = i8042_device(g->k);
	unsigned i = fuzz_u8(f) % (KINDS + 1);
	struct virtio_device *dev = i < KINDS ? vinput_device(g->v[i]) : NULL;
	struct state_writer w;
	struct state_reader r;

	state_writer_init(&w);
	if (dev)
		virtio_quiesce(dev, NULL, NULL);
	if (dev)
		virtio_save(dev, &w);
	else
		d.ops->save(d.opaque, &w);
	spoil(&w, f);
	state_reader_init(&r, w.data, w.len);
	if (dev)
		virtio_load(dev, &r);
	else
		d.ops->load(d.opaque, &r);
	if (dev)
		virtio_resume(dev);
	state_writer_finish(&w);
}

static void restart(struct rig *g, unsigned i)
{
	virtio_write_status(vinput_device(g->v[i]), 0);
	loop_step(g->d[i].loop, 0);
	if (virtio_read_status(vinput_device(g->v[i])))
		abort(); /* it must come to an end */
	start(g, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes f = { data, size };
	struct rig *g = rig_get();
	struct device d = i8042_device(g->k);

	d.ops->reset(d.opaque);
	for (unsigned i = 0; i < KINDS; i++)
		restart(g, i);
	while (f.left) {
		switch (fuzz_u8(&f) % 16) {
		case 0:
			use_state(g, &f);
			break;
		case 1:
			restart(g, fuzz_u8(&f) % KINDS);
			break;
		case 2:
		case 3:
			use_config(g, &f);
			break;
		case 4:
		case 5:
		case 6:
			use_queue(g, &f);
			break;
		case 7:
		case 8:
		case 9:
		case 10:
			use_seat(g, &f);
			break;
		default:
			use_ports(g, &f);
			break;
		}
	}
	seat_user_release_all(g->user);
	return 0;
}
