/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 16550A as Linux's 8250 driver probes and uses it, with a console that can be full. */
#include "vmm/legacy/serial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/state.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };

/* The fake console, in place of the real one. */
struct console {
	struct console_client client;
	char out[256], in[256];
	size_t out_len, room, in_at, in_len;
};

void console_attach(struct console *c, const struct console_client *client)
{
	c->client = client ? *client : (struct console_client){ 0 };
}

bool console_put(struct console *c, uint8_t byte)
{
	if (c->out_len >= c->room)
		return false;
	c->out[c->out_len++] = (char)byte;
	return true;
}

bool console_get(struct console *c, uint8_t *byte)
{
	if (c->in_at == c->in_len)
		return false;
	*byte = (uint8_t)c->in[c->in_at++];
	return true;
}

struct bench {
	struct bus *ports;
	struct serial *serial;
	struct console console;
	bool level;
	unsigned rises;
};

static void set_line(void *opaque, unsigned gsi, bool level)
{
	struct bench *b = opaque;

	assert_int_equal(gsi, GSI_SERIAL);
	assert_int_not_equal(level, b->level); /* changes only */
	b->level = level;
	b->rises += level;
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	b->ports = bus_create();
	b->console.room = sizeof b->console.out - 1;
	b->serial =
		serial_create(b->ports, (struct irq_line){ set_line, b, GSI_SERIAL }, &b->console);
	*state = b;
	return b->serial ? 0 : -1;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	serial_destroy(b->serial);
	bus_destroy(b->ports);
	free(b);
	return 0;
}

static uint8_t in(struct bench *b, unsigned port)
{
	return (uint8_t)bus_read(b->ports, PORT_SERIAL + port, 1);
}

static void out(struct bench *b, unsigned port, uint8_t v)
{
	bus_write(b->ports, PORT_SERIAL + port, 1, v);
}

static void arrive(struct bench *b, const char *text)
{
	memcpy(b->console.in + b->console.in_len, text, strlen(text));
	b->console.in_len += strlen(text);
	b->console.client.input(b->console.client.opaque);
}

static void test_registers_hold_what_they_should(void **state)
{
	struct bench *b = *state;

	out(b, IER, 0xff);
	assert_int_equal(in(b, IER), 0x0f);
	out(b, IER, 0);
	out(b, MCR, 0xef);
	assert_int_equal(in(b, MCR), 0x0f);
	out(b, SCR, 0x5a);
	assert_int_equal(in(b, SCR), 0x5a);
	out(b, LCR, 0x83); /* the divisor */
	out(b, 0, 0x34);
	out(b, 1, 0x12);
	assert_int_equal(bus_read(b->ports, PORT_SERIAL, 2), 0x1234);
	out(b, LCR, 0x03);
	assert_int_equal(in(b, LCR), 0x03);
	assert_int_equal(in(b, IER), 0);
	assert_int_equal(in(b, LSR), 0x60);
	assert_int_equal(in(b, MSR), 0xb0);
	out(b, LSR, 0xff); /* read-only, both */
	out(b, MSR, 0xff);
	assert_int_equal(in(b, LSR), 0x60);
	assert_int_equal(in(b, MSR), 0xb0);
	assert_int_equal(in(b, RBR), 0);
}

/* What drivers/tty/serial/8250 does to find out which chip this is. */
static void test_autoconfig_finds_a_16550a(void **state)
{
	struct bench *b = *state;

	out(b, IER, 0);
	assert_int_equal(in(b, IER), 0);
	out(b, IER, 0x0f);
	assert_int_equal(in(b, IER), 0x0f);
	out(b, IER, 0);

	out(b, MCR, 0x10 | 0x0a); /* loop, OUT2, RTS */
	assert_int_equal(in(b, MSR) & 0xf0, 0x90);
	out(b, MCR, 0);

	out(b, LCR, 0xbf); /* no extended features behind it */
	out(b, IIR, 0);
	out(b, LCR, 0);
	out(b, IIR, 0x01);
	assert_int_equal(in(b, IIR) >> 6, 3);
	out(b, IIR, 0x21); /* nor a 64-byte FIFO */
	assert_int_equal(in(b, IIR) >> 5 & 1, 0);
	out(b, LCR, 0x80);
	out(b, IIR, 0x21);
	assert_int_equal(in(b, IIR) >> 5 & 1, 0);
	out(b, LCR, 0);
	out(b, IER, 0x40); /* nor an XScale's enable bit */
	assert_int_equal(in(b, IER), 0);
}

static void test_transmitter_interrupts_on_enable_and_after_each_write(void **state)
{
	struct bench *b = *state;

	out(b, IER, 2);
	assert_true(b->level);
	assert_int_equal(in(b, IIR), 0x02); /* reading it acknowledges */
	assert_false(b->level);
	assert_int_equal(in(b, IIR), 0x01);
	out(b, IER, 0);
	out(b, IER, 2); /* the driver's THRE test: it must come again */
	assert_true(b->level);
	assert_int_equal(in(b, IIR), 0x02);
	out(b, RBR, 'a');
	assert_true(b->level);
	out(b, RBR, 'b');
	assert_int_equal(in(b, LSR), 0x60);
	assert_int_equal(in(b, IIR), 0x02);
	assert_false(b->level);
	assert_string_equal(b->console.out, "ab");
	out(b, IER, 2); /* no change: nothing new */
	assert_false(b->level);
}

static void test_a_full_console_keeps_the_transmitter_busy(void **state)
{
	struct bench *b = *state;

	b->console.room = 2;
	out(b, IIR, 0x01);
	out(b, IER, 2);
	in(b, IIR);
	for (int i = 0; i < 20; i++) /* two out, 16 in the FIFO, the rest was not asked for */
		out(b, RBR, (uint8_t)('a' + i));
	assert_int_equal(in(b, LSR), 0);
	assert_int_equal(in(b, IIR), 0xc1);
	assert_false(b->level);
	b->console.room = 10;
	b->console.client.output(b->console.client.opaque);
	assert_int_equal(in(b, LSR), 0);
	assert_false(b->level);
	b->console.room = 100;
	b->console.client.output(b->console.client.opaque);
	assert_int_equal(in(b, LSR), 0x60);
	assert_true(b->level);
	assert_int_equal(in(b, IIR), 0xc2);
	assert_string_equal(b->console.out, "abcdefghijklmnopqr");
}

static void test_without_fifo_one_byte_waits(void **state)
{
	struct bench *b = *state;

	b->console.room = 0;
	out(b, RBR, 'a');
	out(b, RBR, 'b');
	assert_int_equal(in(b, LSR), 0);
	out(b, IIR, 0x01); /* turning the FIFO on empties it */
	assert_int_equal(in(b, LSR), 0x60);
	b->console.room = 9;
	b->console.client.output(b->console.client.opaque);
	assert_string_equal(b->console.out, "");
}

static void test_input_fills_the_fifo_and_waits_behind_it(void **state)
{
	struct bench *b = *state;
	char got[33] = { 0 };

	out(b, IIR, 0xc1); /* trigger at 14 */
	out(b, IER, 1);
	arrive(b, "hello");
	assert_true(b->level);
	assert_int_equal(in(b, IIR), 0xcc); /* below the trigger: its timeout */
	arrive(b, " this is longer than the FIFO");
	assert_int_equal(in(b, IIR), 0xc4);
	assert_int_equal(b->console.in_at, 16);
	assert_int_equal(in(b, LSR), 0x61);
	for (int i = 0; in(b, LSR) & 1; i++)
		got[i < 32 ? i : 32] = (char)in(b, RBR);
	assert_memory_equal(got, "hello this is longer than the FI", 32);
	assert_false(b->level);
	assert_int_equal(in(b, IIR), 0xc1);
}

static void test_clearing_the_fifo_drops_input_and_takes_the_next(void **state)
{
	struct bench *b = *state;

	out(b, IIR, 0x01);
	arrive(b, "0123456789abcdefXYZ");
	out(b, IIR, 0x03);
	assert_int_equal(in(b, RBR), 'X');
	out(b, IIR, 0x00); /* off: one byte at a time */
	assert_int_equal(in(b, LSR) & 1, 0);
	arrive(b, "pq");
	assert_int_equal(in(b, RBR), 'p');
	assert_int_equal(in(b, RBR), 'q');
}

static void test_loopback(void **state)
{
	struct bench *b = *state;

	out(b, IIR, 0x01);
	out(b, MCR, 0x1f);
	assert_int_equal(in(b, MSR), 0xf0); /* RI rose, which is no event */
	out(b, MCR, 0x10);
	assert_int_equal(in(b, MSR), 0x0f); /* all fell */
	assert_int_equal(in(b, MSR), 0x00);
	for (int i = 0; i < 17; i++)
		out(b, RBR, (uint8_t)('a' + i));
	assert_string_equal(b->console.out, "");
	arrive(b, "Z"); /* the line is cut off */
	assert_int_equal(in(b, LSR), 0x63);
	assert_int_equal(in(b, LSR), 0x61); /* the overrun was told */
	for (int i = 0; i < 16; i++)
		assert_int_equal(in(b, RBR), 'a' + i);
	assert_int_equal(in(b, LSR), 0x60);
	out(b, MCR, 0);
	assert_int_equal(in(b, RBR), 'Z');
	assert_int_equal(in(b, MSR), 0xbb);
}

static void test_causes_by_urgency(void **state)
{
	struct bench *b = *state;

	out(b, MCR, 0x10); /* modem lines change, and the loop lets us overrun */
	out(b, RBR, 'a');
	out(b, RBR, 'b');
	out(b, IER, 0x0f);
	assert_int_equal(in(b, IIR), 0x06);
	in(b, LSR);
	assert_int_equal(in(b, IIR), 0x04);
	in(b, RBR);
	assert_int_equal(in(b, IIR), 0x02);
	assert_int_equal(in(b, IIR), 0x00);
	assert_true(b->level);
	in(b, MSR);
	assert_int_equal(in(b, IIR), 0x01);
	assert_false(b->level);
	assert_int_equal(b->rises, 1);
}

static void test_wide_accesses_are_bytes(void **state)
{
	struct bench *b = *state;

	bus_write(b->ports, PORT_SERIAL + SCR, 1, 0x77);
	assert_int_equal(bus_read(b->ports, PORT_SERIAL + 4, 4), 0x77b06000);
	bus_write(b->ports, PORT_SERIAL, 2, 0x0241); /* 'A', and IER */
	assert_string_equal(b->console.out, "A");
	assert_int_equal(in(b, IER), 2);
}

static void test_reset(void **state)
{
	struct bench *b = *state;
	struct device d = serial_device(b->serial);

	out(b, IER, 3);
	out(b, LCR, 0x80);
	assert_true(b->level);
	d.ops->reset(d.opaque);
	assert_false(b->level);
	assert_int_equal(in(b, LCR), 0);
	assert_int_equal(in(b, IER), 0);
	assert_int_equal(in(b, IIR), 1);
}

static void test_no_console_and_no_second_port(void **state)
{
	struct bench *b = *state;

	assert_null(serial_create(b->ports, (struct irq_line){ 0 }, NULL));
	serial_destroy(b->serial);
	b->serial = serial_create(b->ports, (struct irq_line){ 0 }, NULL);
	out(b, RBR, 'x');
	assert_int_equal(in(b, LSR), 0x60);
	assert_int_equal(in(b, RBR), 0);
}

/* ---- state ---- */

static void test_state_round_trip(void **state)
{
	struct bench *a = *state, *b;
	struct device from = serial_device(a->serial), to;
	struct state_writer w;
	struct state_reader r;
	void *other;

	set_up(&other);
	b = other;
	to = serial_device(b->serial);
	out(a, LCR, 0x80);
	out(a, 0, 7);
	out(a, LCR, 0x1b);
	out(a, IIR, 0x41);
	out(a, SCR, 9);
	out(a, IER, 0x0d);
	out(a, MCR, 0x0b);
	a->console.room = 0;
	out(a, RBR, 'x');
	out(a, RBR, 'y');
	arrive(a, "in");

	state_writer_init(&w);
	from.ops->save(from.opaque, &w);
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(to.ops->load(to.opaque, &r), 0);
	assert_true(state_reader_done(&r));
	assert_string_equal(b->console.out, "xy"); /* what waited goes out on the new console */
	assert_true(b->level);
	for (unsigned port = IIR; port <= SCR; port++)
		if (port != LSR)
			assert_int_equal(in(a, port), in(b, port));
	assert_int_equal(in(b, RBR), 'i');
	assert_int_equal(in(b, RBR), 'n');
	out(b, LCR, 0x80);
	assert_int_equal(in(b, 0), 7);

	/* Every shorter text is refused, and leaves the port as it was. */
	for (size_t len = 0; len < w.len; len++) {
		state_reader_init(&r, w.data, len);
		assert_int_not_equal(to.ops->load(to.opaque, &r), 0);
	}
	assert_int_equal(in(b, SCR), 9);
	state_writer_finish(&w);
	tear_down(&other);
}

static void test_impossible_states_are_refused(void **state)
{
	/* ier fcr lcr mcr msr scr errors, rx and tx lengths */
	static const uint8_t cases[][9] = {
		{ 0x10, 0, 0, 0, 0, 0, 0, 0, 0 },
		{ 0, 0, 0, 0x20, 0, 0, 0, 0, 0 },
		{ 0, 0, 0, 0, 0, 0, 1, 0, 0 },
		{ 0, 0, 0, 0, 0, 0, 0, 2, 0 },
		{ 0, 0, 0, 0, 0, 0, 0, 0, 2 },
		{ 0, 1, 0, 0, 0, 0, 0, 17, 0 },
		{ 0, 1, 0, 0, 0, 0, 0, 16, 17 },
	};
	struct bench *b = *state;
	struct device d = serial_device(b->serial);
	uint8_t bytes[32] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct state_writer w;
		struct state_reader r;
		size_t mark;

		state_writer_init(&w);
		mark = state_begin(&w, "serial", 1);
		for (int k = 0; k < 7; k++)
			state_put_u8(&w, cases[i][k]);
		state_put_bytes(&w, bytes, 2);
		state_put_u8(&w, 0);
		state_put_bytes(&w, bytes, cases[i][7]);
		state_put_bytes(&w, bytes, cases[i][8]);
		state_end(&w, mark);
		state_reader_init(&r, w.data, w.len);
		if (d.ops->load(d.opaque, &r) == 0)
			fail_msg("case %zu was taken", i);
		state_writer_finish(&w);
	}
}

static void swallow(void *opaque, enum log_level level, const char *line)
{
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_registers_hold_what_they_should),
		TEST(test_autoconfig_finds_a_16550a),
		TEST(test_transmitter_interrupts_on_enable_and_after_each_write),
		TEST(test_a_full_console_keeps_the_transmitter_busy),
		TEST(test_without_fifo_one_byte_waits),
		TEST(test_input_fills_the_fifo_and_waits_behind_it),
		TEST(test_clearing_the_fifo_drops_input_and_takes_the_next),
		TEST(test_loopback),
		TEST(test_causes_by_urgency),
		TEST(test_wide_accesses_are_bytes),
		TEST(test_reset),
		TEST(test_no_console_and_no_second_port),
		TEST(test_state_round_trip),
		TEST(test_impossible_states_are_refused),
	};
	log_set_sink(swallow, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
