/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keyboard controller as Linux probes it, every command, keys as scancodes, bounds, state. */
#include "vmm/legacy/i8042.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/input-event-codes.h>

#include "input/keytable.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/legacy/ps2_keyboard.h"
#include "vmm/state.h"

enum { OBF = 1, SYSTEM = 4, COMMAND = 8, AUX = 0x20, TIMEOUT = 0x40 };

struct rig {
	struct bus *bus;
	struct seat *seat;
	struct seat_user *user;
	struct i8042 *k;
	bool line;
	unsigned edges, resets;
	char got[8192];
};

static void set_line(void *opaque, unsigned gsi, bool level)
{
	struct rig *g = opaque;

	assert_int_equal(gsi, GSI_KEYBOARD);
	g->edges += level && !g->line;
	g->line = level;
}

static void power(void *opaque, enum power_request what, const char *by)
{
	struct rig *g = opaque;

	assert_int_equal(what, POWER_RESET);
	g->resets++;
}

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof *g);
	struct i8042_config c;

	g->bus = bus_create();
	g->seat = seat_create();
	c = (struct i8042_config){
		.ports = g->bus,
		.irq = { set_line, g, GSI_KEYBOARD },
		.power = { power, g },
		.seat = g->seat,
	};
	g->k = i8042_create(&c);
	g->user = seat_user_create(g->seat, "test", NULL, NULL);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;

	seat_user_destroy(g->user);
	seat_destroy(g->seat);
	i8042_destroy(g->k);
	bus_destroy(g->bus);
	free(g);
	return 0;
}

static void data(struct rig *g, uint8_t byte)
{
	bus_write(g->bus, PORT_I8042_DATA, 1, byte);
}

static void command(struct rig *g, uint8_t byte)
{
	bus_write(g->bus, PORT_I8042_CMD, 1, byte);
}

static uint8_t status(struct rig *g)
{
	return (uint8_t)bus_read(g->bus, PORT_I8042_CMD, 1);
}

/* All that waits, in hexadecimal. */
static const char *drain(struct rig *g)
{
	char *at = g->got;

	*at = 0;
	while (status(g) & OBF) {
		assert_true(at < g->got + sizeof g->got - 4);
		at += sprintf(at, "%02x ", (unsigned)bus_read(g->bus, PORT_I8042_DATA, 1));
	}
	if (at > g->got)
		at[-1] = 0;
	return g->got;
}

#define assert_output(g, what) assert_string_equal(drain(g), what)

static void enable(struct rig *g)
{
	data(g, 0xf4);
	assert_output(g, "fa");
}

static void quiet(void *opaque, enum log_level level, const char *line)
{
}

static void test_as_linux_probes(void **state)
{
	struct rig *g = *state;

	assert_int_equal(status(g) & OBF, 0); /* flushed at once */
	command(g, 0x20);
	assert_output(g, "65");
	command(g, 0x60); /* keyboard off, no interrupts */
	data(g, 0x74);
	command(g, 0xd3); /* loop: not from the second port, so there is none */
	data(g, 0x5a);
	assert_int_equal(status(g) & (OBF | AUX), OBF);
	assert_output(g, "5a");
	command(g, 0xa9); /* and the port's test fails */
	assert_output(g, "01");
	assert_int_equal(g->edges, 0);
	command(g, 0x60);
	data(g, 0x65);
	data(g, 0xf2);
	assert_int_equal(g->edges, 1);
	assert_output(g, "fa ab 41");
	assert_int_equal(g->edges, 3);
	assert_false(g->line);
	data(g, 0xed);
	assert_output(g, "fa");
	data(g, 0x00);
	assert_output(g, "fa");
	assert_false(seat_listens(g->seat, SEAT_KEYBOARD));
	enable(g);
	assert_true(seat_listens(g->seat, SEAT_KEYBOARD));
}

static void test_controller_commands(void **state)
{
	struct rig *g = *state;

	command(g, 0xaa);
	assert_int_equal(status(g), 0x10 | OBF | SYSTEM | COMMAND);
	assert_output(g, "55");
	command(g, 0xab);
	assert_output(g, "00");
	command(g, 0xc0);
	assert_output(g, "80");
	command(g, 0xd0);
	assert_output(g, "c3");
	command(g, 0xe0);
	assert_output(g, "00");
	command(g, 0xa8);
	command(g, 0x20);
	assert_output(g, "45");
	command(g, 0xa7);
	command(g, 0xad);
	command(g, 0x20);
	assert_output(g, "75");
	command(g, 0xae);
	command(g, 0x20);
	assert_output(g, "65");
	command(g, 0xdd);
	command(g, 0xdf);
	command(g, 0x00);
	command(g, 0xff);
	assert_output(g, "");
	command(g, 0xd4);
	data(g, 0xf2);
	assert_int_equal(status(g) & (OBF | AUX | TIMEOUT), OBF | AUX | TIMEOUT);
	assert_output(g, "fe");
	assert_int_equal(g->edges, 0);
	command(g, 0xd2);
	data(g, 0x1e);
	assert_int_equal(g->edges, 1);
	assert_output(g, "1e");
	assert_int_equal(status(g) & COMMAND, 0);
	assert_int_equal(bus_read(g->bus, PORT_I8042_DATA, 1), 0x1e); /* once more: the latch */
	command(g, 0x60);
	command(g, 0x20); /* a command instead of the parameter */
	assert_output(g, "65");
}

static void test_resets(void **state)
{
	struct rig *g = *state;

	command(g, 0xff);
	command(g, 0xf1);
	assert_int_equal(g->resets, 0);
	command(g, 0xfe);
	command(g, 0xf0);
	assert_int_equal(g->resets, 2);
	command(g, 0xd1);
	data(g, 0xdf);
	assert_int_equal(g->resets, 2);
	command(g, 0xd1);
	data(g, 0xfe);
	assert_int_equal(g->resets, 3);
}

static void test_keyboard_commands(void **state)
{
	struct rig *g = *state;

	data(g, 0xff);
	assert_output(g, "fa aa");
	data(g, 0xee);
	assert_output(g, "ee");
	data(g, 0xfe);
	assert_output(g, "ee");
	data(g, 0xf0);
	data(g, 0x00);
	assert_output(g, "fa fa 41"); /* set 2, translated */
	data(g, 0xf0);
	assert_output(g, "fa");
	data(g, 0x02);
	assert_output(g, "fa");
	data(g, 0xf0);
	assert_output(g, "fa");
	data(g, 0x03);
	assert_output(g, "fe");
	data(g, 0xfe);
	assert_output(g, "fa"); /* what came before the refusal */
	data(g, 0xf3);
	assert_output(g, "fa");
	data(g, 0x2b);
	assert_output(g, "fa");
	data(g, 0xed);
	assert_output(g, "fa");
	data(g, 0xf2); /* a command instead of the parameter */
	assert_output(g, "fa ab 41");
	data(g, 0x07);
	assert_output(g, "fe");
	data(g, 0xf8);
	assert_output(g, "fe");
	data(g, 0xf6);
	assert_output(g, "fa");
	assert_true(seat_listens(g->seat, SEAT_KEYBOARD));
	data(g, 0xf5);
	assert_output(g, "fa");
	assert_false(seat_listens(g->seat, SEAT_KEYBOARD));
}

static void test_leds(void **state)
{
	struct rig *g = *state;

	data(g, 0xed);
	data(g, 0x05);
	assert_int_equal(seat_leds(g->seat), SEAT_LED_CAPS | SEAT_LED_SCROLL);
	data(g, 0xed);
	data(g, 0x02);
	assert_int_equal(seat_leds(g->seat), SEAT_LED_NUM);
	data(g, 0xff);
	assert_int_equal(seat_leds(g->seat), 0);
	drain(g);
}

static void test_keys(void **state)
{
	struct rig *g = *state;

	enable(g);
	seat_user_key(g->user, KEY_A, true);
	assert_true(g->line);
	seat_user_key(g->user, KEY_A, false);
	assert_output(g, "1e 9e");
	assert_false(g->line);
	seat_user_key(g->user, KEY_DELETE, true);
	seat_user_key(g->user, KEY_DELETE, false);
	assert_output(g, "e0 53 e0 d3");
	seat_user_key(g->user, KEY_F7, true);
	seat_user_key(g->user, KEY_F7, false);
	assert_output(g, "41 c1");
	seat_user_key(g->user, KEY_SYSRQ, true);
	seat_user_key(g->user, KEY_SYSRQ, false);
	assert_output(g, "e0 37 e0 b7");
	seat_user_key(g->user, KEY_PAUSE, true);
	seat_user_key(g->user, KEY_PAUSE, false);
	assert_output(g, "e1 1d 45 e1 9d c5");
	seat_user_key(g->user, KEY_B, true);
	assert_output(g, "30");
	seat_user_key(g->user, KEY_B, true); /* repeats */
	assert_output(g, "30");
	seat_user_key(g->user, 84, true);
	seat_user_key(g->user, KEY_MAX, true);
	assert_output(g, "");
}

/* What the guest reads, translated, is the code of the one table. */
static void test_every_key(void **state)
{
	struct rig *g = *state;

	enable(g);
	for (unsigned i = 0; key_at(i); i++) {
		uint16_t code = key_at(i), xt = key_to_xt(code);
		char expected[32];

		if (code == KEY_PAUSE)
			continue;
		if (xt > 0xff)
			snprintf(expected, sizeof expected, "e0 %02x e0 %02x", xt & 0x7f,
				0x80 | (xt & 0x7f));
		else
			snprintf(expected, sizeof expected, "%02x %02x", xt, 0x80 | xt);
		seat_user_key(g->user, code, true);
		seat_user_key(g->user, code, false);
		assert_output(g, expected);
	}
}

static void test_without_translation(void **state)
{
	struct rig *g = *state;

	command(g, 0x60);
	data(g, 0x05);
	enable(g);
	seat_user_key(g->user, KEY_A, true);
	seat_user_key(g->user, KEY_A, false);
	seat_user_key(g->user, KEY_F7, true);
	assert_output(g, "1c f0 1c 83");
}

static void test_no_interrupt_unless_enabled(void **state)
{
	struct rig *g = *state;

	command(g, 0x60);
	data(g, 0x64);
	data(g, 0xf4);
	seat_user_key(g->user, KEY_A, true);
	assert_false(g->line);
	command(g, 0x60);
	data(g, 0x65);
	assert_true(g->line); /* the answer waits */
	assert_output(g, "fa 1e");
	assert_int_equal(g->edges, 2);
}

static void test_disabled(void **state)
{
	struct rig *g = *state;

	seat_user_key(g->user, KEY_A, true); /* not enabled yet */
	seat_user_key(g->user, KEY_A, false);
	enable(g);
	command(g, 0xad);
	seat_user_key(g->user, KEY_A, true);
	assert_output(g, "");
	command(g, 0xae);
	assert_output(g, "");
	seat_user_key(g->user, KEY_A, true);
	command(g, 0xad); /* after the byte has come over */
	assert_output(g, "1e");
	seat_user_key(g->user, KEY_A, false);
	assert_output(g, "");
	command(g, 0xae);
	assert_output(g, "9e");
	command(g, 0xad);
	data(g, 0xee); /* a byte for the keyboard turns it on */
	assert_output(g, "ee");
}

/* A reply of the controller comes first, and the key that waited is not lost. */
static void test_replies_go_before_keys(void **state)
{
	struct rig *g = *state;

	enable(g);
	seat_user_key(g->user, KEY_A, true);
	seat_user_key(g->user, KEY_B, true);
	command(g, 0x20);
	assert_output(g, "65 1e 30");
	seat_user_key(g->user, KEY_A, false);
	command(g, 0x20);
	command(g, 0xaa);
	assert_output(g, "55 9e");
}

/* An answer may stand between the two bytes of a release, which stays one. */
static void test_an_answer_inside_a_release(void **state)
{
	struct rig *g = *state;

	enable(g);
	seat_user_key(g->user, KEY_RIGHTCTRL, true);
	assert_output(g, "e0 1d");
	seat_user_key(g->user, KEY_RIGHTCTRL, false); /* e0 is out, f0 14 wait */
	data(g, 0xee);
	assert_output(g, "e0 ee 9d");
}

static void test_bounds(void **state)
{
	struct rig *g = *state;
	bool down[256] = { false };
	unsigned presses = 0, n = 0;

	enable(g);
	for (int round = 0; round < 4; round++) {
		for (uint16_t code = 1; code < 84; code++)
			seat_user_key(g->user, code, true);
		for (uint16_t code = 1; code < 84; code++)
			seat_user_key(g->user, code, false);
	}
	while (status(g) & OBF) {
		uint8_t b = (uint8_t)bus_read(g->bus, PORT_I8042_DATA, 1);

		assert_int_not_equal(down[b & 0x7f], !(b & 0x80));
		down[b & 0x7f] = !(b & 0x80);
		presses += !(b & 0x80);
		n++;
	}
	assert_in_range(presses, PS2_SCAN_PRESSES, PS2_SCAN_PRESSES + 1);
	assert_int_equal(n, 2 * presses);
	for (int i = 0; i < 10000; i++) /* answers that nobody reads */
		data(g, 0xf2);
	assert_true(strlen(drain(g)) <= 3 * 5);
	for (int i = 0; i < 1000; i++) {
		seat_user_key(g->user, KEY_A, true);
		command(g, 0x20);
	}
	seat_user_key(g->user, KEY_A, false);
	assert_true(strlen(drain(g)) <= 3 * 6);
}

static void *type_a(void *opaque)
{
	struct rig *g = opaque;

	for (int i = 0; i < 5000; i++)
		seat_user_key(g->user, KEY_A, i % 2 == 0);
	return NULL;
}

/* A user types while a vCPU reads: presses and releases alternate, whatever is dropped. */
static void test_threads(void **state)
{
	struct rig *g = *state;
	pthread_t service;
	bool down = false;

	enable(g);
	pthread_create(&service, NULL, type_a, g);
	for (int i = 0; i < 20000; i++) {
		if (!(status(g) & OBF))
			continue;
		assert_int_equal(bus_read(g->bus, PORT_I8042_DATA, 1), down ? 0x9e : 0x1e);
		down = !down;
	}
	pthread_join(service, NULL);
}

/* ---- the machine ---- */

static void save(struct rig *g, struct state_writer *w)
{
	struct device d = i8042_device(g->k);

	state_writer_init(w);
	d.ops->save(d.opaque, w);
}

static int load(struct rig *g, const void *p, size_t len)
{
	struct device d = i8042_device(g->k);
	struct state_reader r;

	state_reader_init(&r, p, len);
	return d.ops->load(d.opaque, &r);
}

static void reset(struct rig *g)
{
	struct device d = i8042_device(g->k);

	assert_string_equal(d.name, "i8042");
	d.ops->reset(d.opaque);
}

static void test_reset(void **state)
{
	struct rig *g = *state;

	command(g, 0x60);
	data(g, 0x05);
	data(g, 0xed);
	data(g, 0x07);
	data(g, 0xf4);
	seat_user_key(g->user, KEY_A, true);
	assert_true(g->line);
	command(g, 0xd1);
	reset(g);
	assert_false(g->line);
	assert_int_equal(seat_leds(g->seat), 0);
	assert_false(seat_listens(g->seat, SEAT_KEYBOARD));
	assert_output(g, "");
	data(g, 0x00); /* no parameter of the command before */
	assert_int_equal(g->resets, 0);
	assert_output(g, "fe");
	command(g, 0x20);
	assert_output(g, "65");
}

static void test_state_there_and_back(void **state)
{
	struct rig *g = *state;
	struct state_writer first, second;

	data(g, 0xed);
	data(g, 0x04);
	drain(g);
	enable(g);
	seat_user_key(g->user, KEY_A, true);
	seat_user_key(g->user, KEY_A, false);
	seat_user_key(g->user, KEY_DELETE, true);
	seat_user_key(g->user, KEY_DELETE, false);
	command(g, 0x20); /* pushes the first byte aside */
	command(g, 0x60); /* waits for its parameter */
	save(g, &first);
	reset(g);
	assert_false(g->line);
	assert_int_equal(load(g, first.data, first.len), 0);
	save(g, &second);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
	assert_int_equal(seat_leds(g->seat), SEAT_LED_CAPS);
	assert_true(seat_listens(g->seat, SEAT_KEYBOARD));
	assert_int_equal(bus_read(g->bus, PORT_I8042_DATA, 1), 0x65);
	assert_true(g->line);
	data(g, 0x64);
	assert_false(g->line);
	assert_output(g, "1e 9e e0 53 e0 d3");
	state_writer_finish(&first);
	state_writer_finish(&second);
}

static void test_held_keys_are_released_by_a_load(void **state)
{
	struct rig *g = *state;
	struct state_writer w;

	enable(g);
	seat_user_key(g->user, KEY_A, true);
	seat_user_key(g->user, KEY_RIGHTCTRL, true);
	assert_output(g, "1e e0 1d");
	save(g, &w);
	reset(g);
	assert_int_equal(load(g, w.data, w.len), 0);
	assert_output(g, "9e e0 9d");
	state_writer_finish(&w);
}

static void test_state_that_does_not_fit(void **state)
{
	struct rig *g = *state;
	struct state_writer w;

	log_set_sink(quiet, NULL);
	enable(g);
	seat_user_key(g->user, KEY_A, true);
	save(g, &w);
	for (size_t len = 0; len < w.len; len++)
		assert_int_equal(load(g, w.data, len), -22);
	w.data[w.len - 1] = 8; /* LEDs */
	assert_int_equal(load(g, w.data, w.len), -22);
	w.data[w.len - 1] = 0;
	w.data[w.len - 3] = 0xf4; /* a command without parameter */
	assert_int_equal(load(g, w.data, w.len), -22);
	assert_false(g->line);
	assert_output(g, "");
	w.data[w.len - 3] = 0xf3;
	assert_int_equal(load(g, w.data, w.len), 0);
	log_set_sink(NULL, NULL);
	state_writer_finish(&w);
}

static void test_ports_that_are_taken(void **state)
{
	static const struct bus_ops none = { 0 };
	struct rig *g = *state;
	struct i8042_config c = { .seat = g->seat };

	log_set_sink(quiet, NULL);
	c.ports = g->bus;
	assert_null(i8042_create(&c));
	c.ports = bus_create();
	assert_int_equal(
		bus_add(c.ports, &(struct bus_range){ PORT_I8042_CMD, 1, &none, NULL, "x" }), 0);
	assert_null(i8042_create(&c));
	assert_int_equal(
		bus_add(c.ports, &(struct bus_range){ PORT_I8042_DATA, 1, &none, NULL, "x" }), 0);
	bus_destroy(c.ports);
	i8042_destroy(NULL);
	log_set_sink(NULL, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_as_linux_probes),
		TEST(test_controller_commands),
		TEST(test_resets),
		TEST(test_keyboard_commands),
		TEST(test_leds),
		TEST(test_keys),
		TEST(test_every_key),
		TEST(test_without_translation),
		TEST(test_no_interrupt_unless_enabled),
		TEST(test_disabled),
		TEST(test_replies_go_before_keys),
		TEST(test_an_answer_inside_a_release),
		TEST(test_bounds),
		TEST(test_threads),
		TEST(test_reset),
		TEST(test_state_there_and_back),
		TEST(test_held_keys_are_released_by_a_load),
		TEST(test_state_that_does_not_fit),
		TEST(test_ports_that_are_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
