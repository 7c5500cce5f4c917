/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/legacy/i8042.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/legacy/ps2_keyboard.h"
#include "vmm/state.h"

enum { STATE_VERSION = 1 };

/* The status register, read at PORT_I8042_CMD */
enum {
	STATUS_OUTPUT = 0x01,  /* a byte waits at PORT_I8042_DATA */
	STATUS_SYSTEM = 0x04,  /* passed its self-test: CTR_SYSTEM */
	STATUS_COMMAND = 0x08, /* the last byte written was a command */
	STATUS_UNLOCKED = 0x10,
	STATUS_AUX = 0x20, /* the byte is from the second port */
	STATUS_TIMEOUT = 0x40,
};

/* The command byte, commands 20 and 60 */
enum {
	CTR_INTERRUPT = 0x01,
	CTR_SYSTEM = 0x04,
	CTR_DISABLED = 0x10,
	CTR_AUX_DISABLED = 0x20,
	CTR_TRANSLATE = 0x40,
	CTR_BIOS = CTR_INTERRUPT | CTR_SYSTEM | CTR_AUX_DISABLED | CTR_TRANSLATE,
};

/* Commands, written at PORT_I8042_CMD */
enum {
	CMD_READ_CTR = 0x20,
	CMD_WRITE_CTR = 0x60,
	CMD_AUX_DISABLE = 0xa7,
	CMD_AUX_ENABLE = 0xa8,
	CMD_AUX_TEST = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_PORT_TEST = 0xab,
	CMD_DISABLE = 0xad,
	CMD_ENABLE = 0xae,
	CMD_READ_INPUTS = 0xc0,
	CMD_READ_OUTPUTS = 0xd0,
	CMD_WRITE_OUTPUTS = 0xd1,
	CMD_WRITE_OUTPUT = 0xd2, /* as if from the keyboard */
	CMD_AUX_LOOP = 0xd3,     /* as if from the second port */
	CMD_AUX_WRITE = 0xd4,
	CMD_READ_TESTS = 0xe0,
	CMD_PULSE = 0xf0, /* and the lines that are not pulsed, bit 0 is reset */
};

enum {
	OUTPUT_NO_RESET = 0x01,
	OUTPUT_A20 = 0x02,
	OUTPUT_INTERRUPT = 0x10,
	OUTPUT_IDLE = 0xc0, /* clock and data */
	SELF_TEST_PASSED = 0x55,
	AUX_CLOCK_LOW = 0x01, /* what a port test says where nothing is connected */
};

/* A byte on its way to PORT_I8042_DATA. */
struct output {
	bool full, from_keyboard;
	uint8_t byte, status; /* bits that STATUS shows with it */
};

struct i8042 {
	struct i8042_config config;
	struct seat_device seat_device;

	pthread_mutex_t lock; /* guards what follows */
	struct ps2_keyboard keyboard;
	struct output out, next; /* next: pushed aside by a command's reply */
	uint8_t ctr;
	uint8_t command; /* whose parameter comes at PORT_I8042_DATA, or 0 */
	bool last_was_command;
	bool breaks; /* translation: F0 came, the next scancode is a release */
	unsigned leds;
	bool line;
};

/* ---- output buffer, lock held ---- */

/* False where the byte is swallowed: set 1 has no prefix for releases, but a bit. */
static bool i8042_translate(struct i8042 *k, uint8_t *byte, bool answer)
{
	if (!answer && *byte == 0xf0) {
		k->breaks = true;
		return false;
	}
	*byte = ps2_translate(*byte);
	if (!answer && *byte < 0x80) {
		*byte |= k->breaks ? 0x80 : 0;
		k->breaks = false;
	}
	return true;
}

static void i8042_fetch(struct i8042 *k)
{
	uint8_t byte;
	bool answer;

	if (k->next.full) {
		k->out = k->next;
		k->next.full = false;
	}
	while (!k->out.full && !(k->ctr & CTR_DISABLED) &&
		ps2_keyboard_read(&k->keyboard, &byte, &answer))
		if (!(k->ctr & CTR_TRANSLATE) || i8042_translate(k, &byte, answer))
			k->out = (struct output){ true, true, byte, 0 };
}

/*
 * Replies of the controller itself raise no interrupt: drivers poll for them, and a handler that
 * took one would lose it.
 */
static void i8042_update(struct i8042 *k)
{
	bool line;

	if (!k->out.full)
		i8042_fetch(k);
	line = k->out.full && k->out.from_keyboard && k->ctr & CTR_INTERRUPT;
	if (line != k->line)
		irq_line_set(&k->config.irq, line);
	k->line = line;
}

static void i8042_reply(struct i8042 *k, uint8_t byte, uint8_t status)
{
	if (k->out.full && k->out.from_keyboard)
		k->next = k->out;
	k->out = (struct output){ true, false, byte, status };
}

/* ---- registers: vCPU threads ---- */

static uint8_t i8042_read_data(struct i8042 *k)
{
	uint8_t byte = k->out.byte;

	if (k->out.full) {
		k->out.full = false;
		if (k->line) /* down between two bytes: the interrupt is an edge */
			irq_line_set(&k->config.irq, false);
		k->line = false;
	}
	i8042_update(k);
	return byte;
}

static uint8_t i8042_status(const struct i8042 *k)
{
	return STATUS_UNLOCKED | (k->ctr & CTR_SYSTEM ? STATUS_SYSTEM : 0) |
	       (k->last_was_command ? STATUS_COMMAND : 0) |
	       (k->out.full ? STATUS_OUTPUT | k->out.status : 0);
}

static uint8_t i8042_outputs(const struct i8042 *k)
{
	return OUTPUT_IDLE | OUTPUT_NO_RESET | OUTPUT_A20 | (k->line ? OUTPUT_INTERRUPT : 0);
}

/* True: the guest asks for a reset. */
static bool i8042_command(struct i8042 *k, uint8_t command)
{
	k->last_was_command = true;
	k->command = 0;
	switch (command) {
	case CMD_READ_CTR:
		i8042_reply(k, k->ctr, 0);
		break;
	case CMD_WRITE_CTR:
	case CMD_WRITE_OUTPUTS:
	case CMD_WRITE_OUTPUT:
	case CMD_AUX_LOOP:
	case CMD_AUX_WRITE:
		k->command = command;
		break;
	case CMD_AUX_DISABLE:
		k->ctr |= CTR_AUX_DISABLED;
		break;
	case CMD_AUX_ENABLE:
		k->ctr &= (uint8_t)~CTR_AUX_DISABLED;
		break;
	case CMD_AUX_TEST:
		i8042_reply(k, AUX_CLOCK_LOW, 0);
		break;
	case CMD_SELF_TEST:
		k->ctr |= CTR_SYSTEM;
		i8042_reply(k, SELF_TEST_PASSED, 0);
		break;
	case CMD_PORT_TEST:
	case CMD_READ_TESTS:
		i8042_reply(k, 0, 0);
		break;
	case CMD_DISABLE:
		k->ctr |= CTR_DISABLED;
		break;
	case CMD_ENABLE:
		k->ctr &= (uint8_t)~CTR_DISABLED;
		break;
	case CMD_READ_INPUTS:
		i8042_reply(k, 0x80, 0); /* not locked by a key */
		break;
	case CMD_READ_OUTPUTS:
		i8042_reply(k, i8042_outputs(k), 0);
		break;
	default: /* A20 by dd and df is always on; others are not there */
		return command >= CMD_PULSE && !(command & 1);
	}
	return false;
}

/* True: the guest asks for a reset. */
static bool i8042_write_data(struct i8042 *k, uint8_t byte)
{
	uint8_t command = k->command;

	k->last_was_command = false;
	k->command = 0;
	switch (command) {
	case CMD_WRITE_CTR:
		k->ctr = byte;
		break;
	case CMD_WRITE_OUTPUTS:
		return !(byte & OUTPUT_NO_RESET);
	case CMD_WRITE_OUTPUT:
		i8042_reply(k, byte, 0);
		k->out.from_keyboard = true;
		break;
	case CMD_AUX_LOOP:
		/* Not marked as the second port's: so a driver knows at once that there is none. */
		i8042_reply(k, byte, 0);
		break;
	case CMD_AUX_WRITE:
		i8042_reply(k, 0xfe, STATUS_AUX | STATUS_TIMEOUT);
		break;
	default:
		k->ctr &= (uint8_t)~CTR_DISABLED; /* it must be on to take the byte */
		ps2_keyboard_write(&k->keyboard, byte);
		break;
	}
	return false;
}

/* The keyboard's LEDs where they changed, else -1: the seat is told without the lock. */
static int i8042_new_leds(struct i8042 *k)
{
	if (k->leds == k->keyboard.leds)
		return -1;
	k->leds = k->keyboard.leds;
	return (int)k->leds;
}

static void i8042_tell_leds(struct i8042 *k, int leds)
{
	if (leds >= 0)
		seat_device_leds(k->config.seat, (unsigned)leds);
}

static uint64_t i8042_data_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i8042 *k = opaque;
	uint8_t byte;

	pthread_mutex_lock(&k->lock);
	byte = i8042_read_data(k);
	pthread_mutex_unlock(&k->lock);
	return byte;
}

static uint64_t i8042_status_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i8042 *k = opaque;
	uint8_t status;

	pthread_mutex_lock(&k->lock);
	status = i8042_status(k);
	pthread_mutex_unlock(&k->lock);
	return status;
}

static void i8042_write(struct i8042 *k, uint8_t byte, bool (*take)(struct i8042 *, uint8_t))
{
	bool reset;
	int leds;

	pthread_mutex_lock(&k->lock);
	reset = take(k, byte);
	i8042_update(k);
	leds = i8042_new_leds(k);
	pthread_mutex_unlock(&k->lock);
	i8042_tell_leds(k, leds);
	if (reset)
		k->config.power.request(k->config.power.opaque, POWER_RESET, "i8042");
}

static void i8042_data_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	i8042_write(opaque, (uint8_t)value, i8042_write_data);
}

static void i8042_command_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	i8042_write(opaque, (uint8_t)value, i8042_command);
}

static const struct bus_ops data_ops = { .read = i8042_data_read, .write = i8042_data_write };
static const struct bus_ops command_ops = { .read = i8042_status_read,
	.write = i8042_command_write };

/* ---- the seat's calls: service loop ---- */

static bool i8042_active(void *opaque)
{
	struct i8042 *k = opaque;
	bool active;

	pthread_mutex_lock(&k->lock);
	active = k->keyboard.scanning && !(k->ctr & CTR_DISABLED);
	pthread_mutex_unlock(&k->lock);
	return active;
}

static void i8042_key(void *opaque, uint16_t code, bool down)
{
	struct i8042 *k = opaque;

	pthread_mutex_lock(&k->lock);
	ps2_keyboard_key(&k->keyboard, code, down);
	i8042_update(k);
	pthread_mutex_unlock(&k->lock);
}

static const struct seat_device_ops seat_ops = { .active = i8042_active, .key = i8042_key };

/* ---- the machine's calls ---- */

/* Lock held. */
static void i8042_power_on(struct i8042 *k)
{
	ps2_keyboard_reset(&k->keyboard);
	k->out = k->next = (struct output){ 0 };
	k->ctr = CTR_BIOS;
	k->command = 0;
	k->last_was_command = k->breaks = false;
}

static void i8042_reset(void *opaque)
{
	struct i8042 *k = opaque;
	int leds;

	pthread_mutex_lock(&k->lock);
	i8042_power_on(k);
	i8042_update(k);
	leds = i8042_new_leds(k);
	pthread_mutex_unlock(&k->lock);
	i8042_tell_leds(k, leds);
}

static void save_output(const struct output *o, struct state_writer *w)
{
	state_put_u8(w, o->full);
	state_put_u8(w, o->from_keyboard);
	state_put_u8(w, o->byte);
	state_put_u8(w, o->status);
}

static void load_output(struct output *o, struct state_reader *r)
{
	o->full = state_get_u8(r);
	o->from_keyboard = state_get_u8(r);
	o->byte = state_get_u8(r);
	o->status = state_get_u8(r) & (STATUS_AUX | STATUS_TIMEOUT);
}

static void i8042_save(void *opaque, struct state_writer *w)
{
	struct i8042 *k = opaque;
	size_t mark = state_begin(w, "i8042", STATE_VERSION);

	pthread_mutex_lock(&k->lock);
	save_output(&k->out, w);
	save_output(&k->next, w);
	state_put_u8(w, k->ctr);
	state_put_u8(w, k->command);
	state_put_u8(w, k->last_was_command);
	state_put_u8(w, k->breaks);
	ps2_keyboard_save(&k->keyboard, w);
	pthread_mutex_unlock(&k->lock);
	state_end(w, mark);
}

static int i8042_load(void *opaque, struct state_reader *r)
{
	struct i8042 *k = opaque;
	struct state_reader body;
	int leds, err = -EINVAL;

	pthread_mutex_lock(&k->lock);
	if (state_section(r, "i8042", STATE_VERSION, &body)) {
		load_output(&k->out, &body);
		load_output(&k->next, &body);
		k->ctr = state_get_u8(&body);
		k->command = state_get_u8(&body);
		k->last_was_command = state_get_u8(&body);
		k->breaks = state_get_u8(&body);
		err = ps2_keyboard_load(&k->keyboard, &body);
		if (!state_reader_done(&body))
			err = -EINVAL;
	}
	if (err)
		i8042_power_on(k);
	i8042_update(k);
	leds = i8042_new_leds(k);
	pthread_mutex_unlock(&k->lock);
	i8042_tell_leds(k, leds);
	if (err)
		log_error("i8042: its saved state does not fit this device");
	return err;
}

static const struct device_ops device_ops = {
	.reset = i8042_reset,
	.save = i8042_save,
	.load = i8042_load,
};

struct device i8042_device(struct i8042 *k)
{
	return (struct device){ .name = "i8042", .ops = &device_ops, .opaque = k };
}

/* ---- life ---- */

struct i8042 *i8042_create(const struct i8042_config *config)
{
	struct i8042 *k = calloc(1, sizeof *k);
	int err = k ? 0 : -ENOMEM;

	if (!err)
		err = bus_add(config->ports,
			&(struct bus_range){ PORT_I8042_DATA, 1, &data_ops, k, "i8042" });
	if (!err) {
		err = bus_add(config->ports,
			&(struct bus_range){ PORT_I8042_CMD, 1, &command_ops, k, "i8042" });
		if (err)
			bus_remove(config->ports, PORT_I8042_DATA, 1);
	}
	if (err) {
		log_error("i8042: ports 0x%x and 0x%x: %s", PORT_I8042_DATA, PORT_I8042_CMD,
			strerror(-err));
		free(k);
		return NULL;
	}
	k->config = *config;
	pthread_mutex_init(&k->lock, NULL);
	i8042_power_on(k);
	k->seat_device = (struct seat_device){
		.kind = SEAT_KEYBOARD, .name = "i8042", .ops = &seat_ops, .opaque = k
	};
	seat_add_device(config->seat, &k->seat_device);
	return k;
}

void i8042_destroy(struct i8042 *k)
{
	if (!k)
		return;
	bus_remove(k->config.ports, PORT_I8042_DATA, 1);
	bus_remove(k->config.ports, PORT_I8042_CMD, 1);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
