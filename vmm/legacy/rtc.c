/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/legacy/rtc.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/legacy/bytewise.h"
#include "vmm/legacy/rtc_chip.h"
#include "vmm/state.h"

#define OFFSET_MAX 1000000000000ll /* seconds: no calendar that the chip knows is further off */

enum { PORTS = 2, STATE_VERSION = 1 };

struct rtc {
	struct bus *ports;
	struct irq_line irq;
	struct loop *loop;
	struct rtc_clock clock;
	struct loop_timer *timer;
	struct loop_work arm; /* vCPU threads have the machine loop set the timer */

	pthread_mutex_t lock; /* guards what follows */
	struct chip chip;
	bool line;     /* the level that irq has */
	int64_t armed; /* what the timer is set to by rtc_clock; INT64_MAX: not */
};

static int64_t rtc_now(const struct rtc *r)
{
	struct timespec t;

	if (r->clock.now)
		return MAX(r->clock.now(r->clock.opaque), 0);
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* After anything happened: the line follows, and the timer where its time changed. Lock held. */
static void rtc_update(struct rtc *r, int64_t now)
{
	bool line;

	chip_catch_up(&r->chip, now);
	line = chip_irq(&r->chip);
	if (line != r->line) {
		r->line = line;
		irq_line_set(&r->irq, line);
	}
	if (chip_next(&r->chip, now) != r->armed)
		loop_post(r->loop, &r->arm);
}

/* Machine loop. */
static void rtc_arm(void *opaque)
{
	struct rtc *r = opaque;
	int64_t now;

	pthread_mutex_lock(&r->lock);
	now = rtc_now(r);
	r->armed = chip_next(&r->chip, now);
	if (r->armed == INT64_MAX)
		loop_timer_cancel(r->timer);
	else
		loop_timer_set(r->timer, loop_now(r->loop) + r->armed - now);
	pthread_mutex_unlock(&r->lock);
}

static void rtc_timer(void *opaque)
{
	struct rtc *r = opaque;

	pthread_mutex_lock(&r->lock);
	r->armed = INT64_MAX;
	rtc_update(r, rtc_now(r));
	pthread_mutex_unlock(&r->lock);
}

/* Port 0 takes the index, with the NMI's mask in bit 7, and cannot be read. */
static uint8_t rtc_read_byte(void *opaque, unsigned port)
{
	struct rtc *r = opaque;

	return port ? chip_read(&r->chip, rtc_now(r)) : 0xff;
}

static void rtc_write_byte(void *opaque, unsigned port, uint8_t v)
{
	struct rtc *r = opaque;

	if (port)
		chip_write(&r->chip, rtc_now(r), v);
	else
		r->chip.index = v % CHIP_BYTES;
}

static uint64_t rtc_read(void *opaque, uint64_t offset, unsigned size)
{
	struct rtc *r = opaque;
	uint64_t v;

	pthread_mutex_lock(&r->lock);
	v = bytewise_read(rtc_read_byte, r, offset, size);
	rtc_update(r, rtc_now(r));
	pthread_mutex_unlock(&r->lock);
	return v;
}

static void rtc_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct rtc *r = opaque;

	pthread_mutex_lock(&r->lock);
	bytewise_write(rtc_write_byte, r, offset, size, value);
	rtc_update(r, rtc_now(r));
	pthread_mutex_unlock(&r->lock);
}

/* ---- the machine's calls ---- */

static void rtc_reset(void *opaque)
{
	struct rtc *r = opaque;

	pthread_mutex_lock(&r->lock);
	chip_catch_up(&r->chip, rtc_now(r)); /* what came before is cleared with the rest */
	chip_reset(&r->chip);
	rtc_update(r, rtc_now(r));
	pthread_mutex_unlock(&r->lock);
}

static void rtc_save(void *opaque, struct state_writer *w)
{
	struct rtc *r = opaque;
	size_t mark = state_begin(w, "rtc", STATE_VERSION);

	pthread_mutex_lock(&r->lock);
	chip_catch_up(&r->chip, rtc_now(r));
	state_put_u8(w, r->chip.index);
	state_put_bytes(w, r->chip.bytes, sizeof r->chip.bytes);
	state_put_u64(w, (uint64_t)r->chip.offset);
	state_put_u32(w, r->chip.phase);
	state_put_u64(w, (uint64_t)r->chip.seen);
	pthread_mutex_unlock(&r->lock);
	state_end(w, mark);
}

static int rtc_load(void *opaque, struct state_reader *reader)
{
	struct rtc *r = opaque;
	struct state_reader body;
	struct chip s;

	state_section(reader, "rtc", STATE_VERSION, &body);
	s.index = state_get_u8(&body);
	state_get_bytes(&body, s.bytes, sizeof s.bytes);
	s.offset = (int64_t)state_get_u64(&body);
	s.phase = state_get_u32(&body);
	s.seen = (int64_t)state_get_u64(&body);
	if (!state_reader_done(&body) || s.index >= CHIP_BYTES || s.phase >= 1000000000 ||
		s.offset > OFFSET_MAX || s.offset < -OFFSET_MAX || s.seen < 0 ||
		s.seen > INT64_MAX / 2) {
		log_error("rtc: the saved state does not fit this device");
		return -EINVAL;
	}
	pthread_mutex_lock(&r->lock);
	r->chip = s;
	rtc_update(r, rtc_now(r)); /* an alarm that was missed meanwhile goes off now */
	pthread_mutex_unlock(&r->lock);
	return 0;
}

struct device rtc_device(struct rtc *r)
{
	static const struct device_ops ops = {
		.reset = rtc_reset,
		.save = rtc_save,
		.load = rtc_load,
	};

	return (struct device){ .name = "rtc", .ops = &ops, .opaque = r };
}

struct rtc *rtc_create(
	struct bus *ports, struct irq_line irq, struct loop *l, const struct rtc_clock *clock)
{
	static const struct bus_ops ops = { .read = rtc_read, .write = rtc_write };
	struct rtc *r = calloc(1, sizeof *r);
	const struct bus_range range = {
		.base = PORT_RTC, .size = PORTS, .ops = &ops, .opaque = r, .name = "rtc"
	};
	int err = -ENOMEM;

	if (r)
		r->timer = loop_timer_create(l, rtc_timer, r);
	if (r && r->timer)
		err = bus_add(ports, &range);
	if (err) {
		log_error("rtc: ports at 0x%x: %s", PORT_RTC, strerror(-err));
		if (r)
			loop_timer_destroy(r->timer);
		free(r);
		return NULL;
	}
	r->ports = ports;
	r->irq = irq;
	r->loop = l;
	if (clock)
		r->clock = *clock;
	r->arm = (struct loop_work){ .fn = rtc_arm, .opaque = r };
	r->armed = INT64_MAX;
	pthread_mutex_init(&r->lock, NULL);
	chip_init(&r->chip, rtc_now(r));
	return r;
}

void rtc_destroy(struct rtc *r)
{
	if (!r)
		return;
	bus_remove(r->ports, PORT_RTC, PORTS);
	loop_timer_destroy(r->timer);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
