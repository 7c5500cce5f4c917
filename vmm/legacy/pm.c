/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/legacy/pm.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/legacy/bytewise.h"
#include "vmm/state.h"

/* Bytes of the block, from PORT_PM1_EVT on. */
enum {
	REG_STATUS = 0,
	REG_ENABLE = 2,
	REG_CONTROL = PORT_PM1_CNT - PORT_PM1_EVT,
	REG_TIMER = PORT_PM_TIMER - PORT_PM1_EVT,
	REG_GED = PORT_GED - PORT_PM1_EVT,
	PORTS = REG_GED + 4,
};

enum {
	STATUS_TIMER = 1 << 0,
	STATUS_GLOBAL = 1 << 5,
	STATUS_POWER = 1 << 8,
	STATUS_SLEEP = 1 << 9,
	STATUS_RTC = 1 << 10,
	STATUS_EVENTS = STATUS_TIMER | STATUS_GLOBAL | STATUS_POWER | STATUS_SLEEP | STATUS_RTC,
	CONTROL_SCI = 1 << 0,
	CONTROL_TYPE_SHIFT = 10,
	CONTROL_TYPE = 7 << CONTROL_TYPE_SHIFT,
	CONTROL_SLEEP = 1 << 13,
	RESET_NOW = 1 << 2,
	HALF_BITS = 31,      /* STATUS_TIMER comes whenever the timer's uppermost bit changes */
	TICKS_BITS_MAX = 54, /* a century, and in ns still an int64_t */
	STATE_VERSION = 1,
};

struct pm_state {
	uint16_t status, enable, control;
	uint32_t ged;
	uint8_t reset;
	uint64_t ticks; /* of the timer at the last look; its lower 32 bits are the register */
};

struct pm {
	struct bus *ports;
	struct irq_line sci, ged;
	struct power_sink power;
	struct loop *loop;
	struct pm_clock clock;
	struct loop_timer *timer;
	struct loop_work arm;

	pthread_mutex_t lock; /* guards what follows */
	struct pm_state s;
	int64_t origin; /* the clock's time at which ticks were 0; only now - origin matters */
	bool line;      /* the level of sci */
	bool armed;
	bool warned;
};

/* ---- the timer ---- */

static int64_t pm_now(const struct pm *pm)
{
	struct timespec t;

	if (pm->clock.now)
		return pm->clock.now(pm->clock.opaque);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static uint64_t pm_ns_to_ticks(uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * PM_TIMER_HZ / 1000000000);
}

/* The time from tick 0 to the beginning of this one. */
static int64_t pm_ticks_to_ns(uint64_t ticks)
{
	return (int64_t)(((unsigned __int128)ticks * 1000000000 + PM_TIMER_HZ - 1) / PM_TIMER_HZ);
}

/* Brings ticks up to date, and the status bit that depends on them. */
static void pm_catch_up(struct pm *pm)
{
	int64_t passed = pm_now(pm) - pm->origin;
	uint64_t ticks = pm_ns_to_ticks(passed > 0 ? (uint64_t)passed : 0);

	if (ticks <= pm->s.ticks)
		return;
	if (ticks >> HALF_BITS != pm->s.ticks >> HALF_BITS)
		pm->s.status |= STATUS_TIMER;
	pm->s.ticks = ticks;
}

/* Counts on from ticks as they stand now. */
static void pm_set_origin(struct pm *pm)
{
	pm->origin = pm_now(pm) - pm_ticks_to_ns(pm->s.ticks);
}

/* The line follows; with the overflow's interrupt wanted, a timer brings it. Lock held. */
static void pm_update(struct pm *pm)
{
	bool line, arm;

	pm_catch_up(pm);
	line = pm->s.status & pm->s.enable & STATUS_EVENTS;
	if (line != pm->line) {
		pm->line = line;
		irq_line_set(&pm->sci, line);
	}
	arm = pm->s.enable & STATUS_TIMER && !(pm->s.status & STATUS_TIMER);
	if (arm != pm->armed)
		loop_post(pm->loop, &pm->arm);
}

/* Machine loop. */
static void pm_arm(void *opaque)
{
	struct pm *pm = opaque;

	pthread_mutex_lock(&pm->lock);
	pm_catch_up(pm);
	pm->armed = pm->s.enable & STATUS_TIMER && !(pm->s.status & STATUS_TIMER);
	if (pm->armed) {
		uint64_t next = ((pm->s.ticks >> HALF_BITS) + 1) << HALF_BITS;
		int64_t wait = pm->origin + pm_ticks_to_ns(next) - pm_now(pm);

		loop_timer_set(pm->timer, loop_now(pm->loop) + wait);
	} else {
		loop_timer_cancel(pm->timer);
	}
	pthread_mutex_unlock(&pm->lock);
}

static void pm_timer(void *opaque)
{
	struct pm *pm = opaque;

	pthread_mutex_lock(&pm->lock);
	pm->armed = false;
	pm_update(pm);
	pthread_mutex_unlock(&pm->lock);
}

/* ---- registers ---- */

/* True where the guest asks for power off. */
static bool pm_sleep(struct pm *pm)
{
	unsigned type = (pm->s.control & CONTROL_TYPE) >> CONTROL_TYPE_SHIFT;

	if (!(pm->s.control & CONTROL_SLEEP))
		return false;
	pm->s.control &= (uint16_t)~CONTROL_SLEEP; /* reads as 0 */
	if (type != PM_SLP_TYP_S5)
		log_once(pm->warned, LOG_WARNING,
			"pm: the guest asks for sleep type %u, which is not offered", type);
	return type == PM_SLP_TYP_S5;
}

static uint8_t pm_read_byte(void *opaque, unsigned port)
{
	struct pm *pm = opaque;
	struct pm_state *s = &pm->s;
	uint8_t shift = 8 * (port & 1), v;

	if (port < REG_ENABLE)
		return (uint8_t)(s->status >> shift);
	if (port < REG_CONTROL)
		return (uint8_t)(s->enable >> shift);
	if (port < REG_CONTROL + 2)
		return (uint8_t)((s->control | CONTROL_SCI) >> shift);
	if (port >= REG_TIMER && port < REG_TIMER + 4)
		return (uint8_t)(s->ticks >> (8 * (port - REG_TIMER)));
	if (port < REG_GED)
		return 0xff;
	shift = (uint8_t)(8 * (port - REG_GED));
	v = (uint8_t)(s->ged >> shift);
	s->ged &= ~(0xffu << shift);
	return v;
}

static void pm_put(uint16_t *reg, uint8_t shift, uint8_t v)
{
	*reg = (uint16_t)((*reg & ~(0xff << shift)) | v << shift);
}

static void pm_write_byte(void *opaque, unsigned port, uint8_t v)
{
	struct pm *pm = opaque;
	uint8_t shift = 8 * (port & 1);

	if (port < REG_ENABLE)
		pm->s.status &= (uint16_t) ~(v << shift); /* writing a 1 clears it */
	else if (port < REG_CONTROL)
		pm_put(&pm->s.enable, shift, v);
	else if (port < REG_CONTROL + 2)
		pm_put(&pm->s.control, shift, v);
	pm->s.enable &= STATUS_EVENTS;
}

static uint64_t pm_read(void *opaque, uint64_t offset, unsigned size)
{
	struct pm *pm = opaque;
	uint64_t v;

	pthread_mutex_lock(&pm->lock);
	pm_catch_up(pm);
	v = bytewise_read(pm_read_byte, pm, offset, size);
	pthread_mutex_unlock(&pm->lock);
	return v;
}

static void pm_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct pm *pm = opaque;
	bool off;

	pthread_mutex_lock(&pm->lock);
	pm_catch_up(pm);
	bytewise_write(pm_write_byte, pm, offset, size, value);
	off = pm_sleep(pm);
	pm_update(pm);
	pthread_mutex_unlock(&pm->lock);
	if (off)
		pm->power.request(pm->power.opaque, POWER_OFF, "the guest");
}

void pm_reset_port_write(struct pm *pm, uint8_t value)
{
	pthread_mutex_lock(&pm->lock);
	pm->s.reset = value & (uint8_t)~RESET_NOW;
	pthread_mutex_unlock(&pm->lock);
	if (value & RESET_NOW)
		pm->power.request(pm->power.opaque, POWER_RESET, "the guest, by the reset port");
}

uint8_t pm_reset_port_read(struct pm *pm)
{
	uint8_t v;

	pthread_mutex_lock(&pm->lock);
	v = pm->s.reset;
	pthread_mutex_unlock(&pm->lock);
	return v;
}

/* ---- events ---- */

bool pm_power_button(struct pm *pm)
{
	bool heard;

	pthread_mutex_lock(&pm->lock);
	pm->s.status |= STATUS_POWER;
	heard = pm->s.enable & STATUS_POWER;
	pm_update(pm);
	pthread_mutex_unlock(&pm->lock);
	return heard;
}

void pm_ged_raise(struct pm *pm, unsigned bit)
{
	pthread_mutex_lock(&pm->lock);
	pm->s.ged |= 1u << (bit & 31);
	irq_line_pulse(&pm->ged);
	pthread_mutex_unlock(&pm->lock);
}

/* ---- the machine's calls ---- */

static void pm_reset(void *opaque)
{
	struct pm *pm = opaque;

	pthread_mutex_lock(&pm->lock);
	pm->s = (struct pm_state){ 0 };
	pm_set_origin(pm);
	pm_update(pm);
	pthread_mutex_unlock(&pm->lock);
}

static void pm_save(void *opaque, struct state_writer *w)
{
	struct pm *pm = opaque;
	size_t mark = state_begin(w, "pm", STATE_VERSION);

	pthread_mutex_lock(&pm->lock);
	pm_catch_up(pm);
	state_put_u16(w, pm->s.status);
	state_put_u16(w, pm->s.enable);
	state_put_u16(w, pm->s.control);
	state_put_u32(w, pm->s.ged);
	state_put_u8(w, pm->s.reset);
	state_put_u64(w, pm->s.ticks);
	pthread_mutex_unlock(&pm->lock);
	state_end(w, mark);
}

static int pm_load(void *opaque, struct state_reader *r)
{
	struct pm *pm = opaque;
	struct state_reader body;
	struct pm_state s;

	state_section(r, "pm", STATE_VERSION, &body);
	s.status = state_get_u16(&body);
	s.enable = state_get_u16(&body);
	s.control = state_get_u16(&body);
	s.ged = state_get_u32(&body);
	s.reset = state_get_u8(&body);
	s.ticks = state_get_u64(&body);
	if (!state_reader_done(&body) || s.status & ~STATUS_EVENTS || s.enable & ~STATUS_EVENTS ||
		s.control & CONTROL_SLEEP || s.ticks >> TICKS_BITS_MAX) {
		log_error("pm: the saved state does not fit this device");
		return -EINVAL;
	}
	pthread_mutex_lock(&pm->lock);
	pm->s = s;
	pm_set_origin(pm); /* the guest's time stood still meanwhile */
	pm_update(pm);
	pthread_mutex_unlock(&pm->lock);
	return 0;
}

struct device pm_device(struct pm *pm)
{
	static const struct device_ops ops = {
		.reset = pm_reset,
		.save = pm_save,
		.load = pm_load,
	};

	return (struct device){ .name = "pm", .ops = &ops, .opaque = pm };
}

struct pm *pm_create(const struct pm_config *config)
{
	static const struct bus_ops ops = { .read = pm_read, .write = pm_write };
	struct pm *pm = calloc(1, sizeof *pm);
	const struct bus_range range = {
		.base = PORT_PM1_EVT, .size = PORTS, .ops = &ops, .opaque = pm, .name = "pm"
	};
	int err = -ENOMEM;

	if (pm)
		pm->timer = loop_timer_create(config->loop, pm_timer, pm);
	if (pm && pm->timer)
		err = bus_add(config->ports, &range);
	if (err) {
		log_error("pm: ports at 0x%x: %s", PORT_PM1_EVT, strerror(-err));
		if (pm)
			loop_timer_destroy(pm->timer);
		free(pm);
		return NULL;
	}
	pm->ports = config->ports;
	pm->sci = config->sci;
	pm->ged = config->ged;
	pm->power = config->power;
	pm->loop = config->loop;
	if (config->clock)
		pm->clock = *config->clock;
	pm->arm = (struct loop_work){ .fn = pm_arm, .opaque = pm };
	pthread_mutex_init(&pm->lock, NULL);
	pm_set_origin(pm);
	return pm;
}

void pm_destroy(struct pm *pm)
{
	if (!pm)
		return;
	bus_remove(pm->ports, PORT_PM1_EVT, PORTS);
	loop_timer_destroy(pm->timer);
	pthread_mutex_destroy(&pm->lock);
	free(pm);
}
