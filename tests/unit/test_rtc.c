/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock chip by a fake clock: formats, setting, leap days, alarms, flags, and no idle timers. */
#include "vmm/legacy/rtc.h"

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

#define SECOND 1000000000ll
#define MS     1000000ll

enum { SEC, SEC_ALARM, MIN_, MIN_ALARM, HOUR, HOUR_ALARM, WEEKDAY, DAY, MONTH, YEAR, A, B, C, D };
enum { SET = 0x80, PIE = 0x40, AIE = 0x20, UIE = 0x10, BINARY = 4, H24 = 2 };

struct bench {
	int64_t now;
	struct loop *loop;
	struct bus *ports;
	struct rtc *rtc;
	bool level;
	unsigned rises, looks; /* looks: how often the chip asked for the time */
};

static int64_t fake_now(void *opaque)
{
	return ((struct bench *)opaque)->now;
}

static int64_t chip_now(void *opaque)
{
	struct bench *b = opaque;

	b->looks++;
	return b->now;
}

static void set_line(void *opaque, unsigned gsi, bool level)
{
	struct bench *b = opaque;

	assert_int_equal(gsi, GSI_RTC);
	b->level = level;
	b->rises += level;
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	const struct rtc_clock clock = { chip_now, b };

	b->now = 951782399 * SECOND; /* 2000-02-28 23:59:59 UTC, a Monday */
	b->loop = loop_create();
	loop_set_clock(b->loop, fake_now, b);
	b->ports = bus_create();
	b->rtc = rtc_create(b->ports, (struct irq_line){ set_line, b, GSI_RTC }, b->loop, &clock);
	*state = b;
	return b->rtc ? 0 : -1;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	rtc_destroy(b->rtc);
	bus_destroy(b->ports);
	loop_destroy(b->loop);
	free(b);
	return 0;
}

static uint8_t get(struct bench *b, uint8_t reg)
{
	bus_write(b->ports, PORT_RTC, 1, reg);
	return (uint8_t)bus_read(b->ports, PORT_RTC + 1, 1);
}

static void put(struct bench *b, uint8_t reg, uint8_t v)
{
	bus_write(b->ports, PORT_RTC, 2, (uint64_t)v << 8 | reg);
}

/* Lets time pass in steps, so that timers set timers. */
static void pass(struct bench *b, int64_t ns)
{
	int64_t end = b->now + ns, step = MAX(ns / 1000, 1);

	loop_step(b->loop, 0);
	while (b->now < end) {
		b->now = MIN(b->now + step, end);
		loop_step(b->loop, 0);
		loop_step(b->loop, 0);
	}
}

static void assert_time(struct bench *b, unsigned century, unsigned year, unsigned month,
	unsigned day, unsigned weekday, unsigned hour, unsigned minute, unsigned second)
{
	assert_int_equal(get(b, RTC_CENTURY), century);
	assert_int_equal(get(b, YEAR), year);
	assert_int_equal(get(b, MONTH), month);
	assert_int_equal(get(b, DAY), day);
	assert_int_equal(get(b, WEEKDAY), weekday);
	assert_int_equal(get(b, HOUR), hour);
	assert_int_equal(get(b, MIN_), minute);
	assert_int_equal(get(b, SEC), second);
}

static void test_time_in_every_format(void **state)
{
	struct bench *b = *state;

	assert_time(b, 0x20, 0x00, 0x02, 0x28, 2, 0x23, 0x59, 0x59);
	put(b, B, H24 | BINARY);
	assert_time(b, 20, 0, 2, 28, 2, 23, 59, 59);
	put(b, B, BINARY);
	assert_int_equal(get(b, HOUR), 0x80 | 11);
	put(b, B, 0);
	assert_int_equal(get(b, HOUR), 0x80 | 0x11);
	b->now += SECOND; /* midnight */
	assert_int_equal(get(b, HOUR), 0x12);
	b->now += 12 * 3600 * SECOND; /* noon */
	assert_int_equal(get(b, HOUR), 0x92);
	b->now += 3600 * SECOND;
	assert_int_equal(get(b, HOUR), 0x81);
}

static void test_leap_days(void **state)
{
	struct bench *b = *state;

	b->now += SECOND;
	assert_time(b, 0x20, 0x00, 0x02, 0x29, 3, 0, 0, 0); /* 2000 is one */
	b->now += 86400 * SECOND;
	assert_time(b, 0x20, 0x00, 0x03, 0x01, 4, 0, 0, 0);
	b->now += 366 * 86400 * SECOND - 86400 * SECOND;
	assert_time(b, 0x20, 0x01, 0x03, 0x01, 5, 0, 0, 0);
}

static void test_setting_as_linux_does(void **state)
{
	struct bench *b = *state;
	uint8_t control = get(b, B), select = get(b, A);

	b->now += 300 * MS;
	put(b, B, control | SET);
	put(b, A, select | 0x70); /* the divider in reset */
	put(b, RTC_CENTURY, 0x21);
	put(b, YEAR, 0x00);
	put(b, MONTH, 0x02);
	put(b, DAY, 0x28);
	put(b, HOUR, 0x12);
	put(b, MIN_, 0x34);
	put(b, SEC, 0x56);
	b->now += 5 * SECOND; /* it stands still */
	assert_int_equal(get(b, SEC), 0x56);
	put(b, B, control);
	put(b, A, select);
	b->now += 499 * MS;
	assert_int_equal(get(b, SEC), 0x56);
	b->now += 1 * MS; /* half a second to the first update */
	assert_int_equal(get(b, SEC), 0x57);
	b->now += 86400 * SECOND;
	assert_time(b, 0x21, 0x00, 0x03, 0x01, 2, 0x12, 0x34, 0x57); /* 2100 is no leap year */
}

static void test_setting_while_it_runs(void **state)
{
	struct bench *b = *state;

	b->now += 700 * MS;
	put(b, HOUR, 0x01);
	assert_time(b, 0x20, 0x00, 0x02, 0x28, 2, 0x01, 0x59, 0x59);
	b->now += 300 * MS; /* the seconds go on as they went */
	assert_time(b, 0x20, 0x00, 0x02, 0x28, 2, 0x02, 0x00, 0x00);
}

static void test_set_keeps_the_phase(void **state)
{
	struct bench *b = *state;

	put(b, B, SET | H24 | UIE);
	assert_int_equal(get(b, B), SET | H24); /* SET clears UIE */
	put(b, SEC, 0x30);
	b->now += 2300 * MS;
	put(b, B, H24);
	assert_int_equal(get(b, SEC), 0x30);
	b->now += 700 * MS;
	assert_int_equal(get(b, SEC), 0x31);
}

static void test_nonsense_becomes_the_nearest_time(void **state)
{
	struct bench *b = *state;

	put(b, B, SET | H24);
	for (uint8_t reg = 0; reg <= YEAR; reg++)
		put(b, reg, 0xff);
	put(b, RTC_CENTURY, 0xff);
	assert_int_equal(get(b, MONTH), 0xff);
	put(b, B, H24);
	assert_time(b, 0x65, 0x65, 0x12, 0x31, 3, 0x23, 0x59, 0x59);
	put(b, B, SET | H24);
	for (uint8_t reg = 0; reg <= YEAR; reg++)
		put(b, reg, 0);
	put(b, RTC_CENTURY, 0);
	put(b, B, H24);
	assert_time(b, 0, 0x01, 0x01, 0x01, 2, 0, 0, 0); /* the calendar begins with year 1 */
	put(b, B, SET | H24);
	put(b, RTC_CENTURY, 0x20);
	put(b, YEAR, 0x26);
	put(b, MONTH, 0x02);
	put(b, DAY, 0x30); /* counts on into March */
	put(b, B, H24);
	assert_time(b, 0x20, 0x26, 0x03, 0x02, 2, 0, 0, 0);
}

static void test_update_in_progress(void **state)
{
	struct bench *b = *state;

	assert_int_equal(get(b, A), 0x26);
	b->now += SECOND - 244001;
	assert_int_equal(get(b, A), 0x26);
	b->now += 1;
	assert_int_equal(get(b, A), 0xa6);
	b->now += 244000;
	assert_int_equal(get(b, A), 0x26);
	put(b, A, 0xff); /* UIP is read-only, and the divider is held */
	assert_int_equal(get(b, A), 0x7f);
	b->now += SECOND - 1;
	assert_int_equal(get(b, A), 0x7f);
}

static void test_the_rest_is_memory(void **state)
{
	struct bench *b = *state;

	for (unsigned reg = 0x0e; reg < 0x80; reg++)
		if (reg != RTC_CENTURY)
			put(b, (uint8_t)reg | 0x80,
				(uint8_t)(reg * 3)); /* the NMI's mask is no matter */
	for (unsigned reg = 0x0e; reg < 0x80; reg++)
		if (reg != RTC_CENTURY)
			assert_int_equal(get(b, (uint8_t)reg), (uint8_t)(reg * 3));
	put(b, C, 0xff);
	put(b, D, 0);
	assert_int_equal(get(b, C), 0);
	assert_int_equal(get(b, D), 0x80);
	assert_int_equal(bus_read(b->ports, PORT_RTC, 1), 0xff);
}

static void test_flags_come_without_interrupts(void **state)
{
	struct bench *b = *state;

	put(b, A, 0x20);         /* no period */
	put(b, SEC_ALARM, 0x75); /* and no alarm at midnight */
	assert_int_equal(get(b, C), 0);
	b->now += SECOND;
	assert_int_equal(get(b, C), 0x10);
	assert_int_equal(get(b, C), 0);
	put(b, A, 0x26);
	b->now += 977 * 1000;
	assert_int_equal(get(b, C), 0x40);
	assert_int_equal(b->rises, 0);
	b->now -= 10 * SECOND; /* somebody set the host's clock */
	assert_int_equal(get(b, C), 0);
}

static void test_update_interrupt(void **state)
{
	struct bench *b = *state;

	put(b, A, 0x20);
	put(b, SEC_ALARM, 0x75);
	put(b, B, H24 | UIE);
	pass(b, 999 * MS);
	assert_false(b->level);
	pass(b, 1 * MS);
	assert_true(b->level);
	pass(b, 5 * SECOND); /* up until register C is read */
	assert_int_equal(b->rises, 1);
	assert_int_equal(get(b, C), 0x90);
	assert_false(b->level);
	pass(b, SECOND);
	assert_int_equal(b->rises, 2);
	put(b, B, H24); /* off: the line falls, the flag stays */
	assert_false(b->level);
	assert_int_equal(get(b, C), 0x10);
	pass(b, 3 * SECOND);
	assert_int_equal(b->rises, 2);
}

static void test_periodic_interrupt(void **state)
{
	static const struct {
		uint8_t rate;
		int64_t ns;
	} cases[] = { { 1, 3906250 }, { 2, 7812500 }, { 3, 122071 }, { 6, 976563 },
		{ 15, 500000000 } };
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		b->now -= b->now % SECOND;
		put(b, A, 0x20 | cases[i].rate);
		get(b, C);
		put(b, B, H24 | PIE);
		pass(b, cases[i].ns - 1000);
		assert_false(b->level);
		pass(b, 1000);
		assert_true(b->level);
		assert_int_equal(get(b, C) & 0xc0, 0xc0);
		put(b, B, H24);
	}
	put(b, A, 0x20); /* rate 0: never */
	put(b, B, H24 | PIE);
	pass(b, 2 * SECOND);
	assert_false(b->level);
}

static void test_alarm(void **state)
{
	struct bench *b = *state;

	put(b, HOUR_ALARM, 0x00);
	put(b, MIN_ALARM, 0x01);
	put(b, SEC_ALARM, 0x30);
	put(b, B, H24 | AIE);
	pass(b, 90 * SECOND); /* it is 00:01:29 */
	assert_false(b->level);
	pass(b, SECOND);
	assert_true(b->level);
	assert_int_equal(get(b, C) & 0xa0, 0xa0);
	pass(b, 86399 * SECOND);
	assert_false(b->level);
	pass(b, SECOND); /* every day */
	assert_true(b->level);
	get(b, C);

	put(b, HOUR_ALARM, 0xff); /* every hour and minute, at :15 */
	put(b, MIN_ALARM, 0xc0);
	put(b, SEC_ALARM, 0x15);
	pass(b, 44 * SECOND);
	assert_false(b->level);
	pass(b, SECOND);
	assert_true(b->level);
	get(b, C);

	put(b, SEC_ALARM, 0x75); /* never */
	pass(b, 3 * 86400 * SECOND);
	assert_false(b->level);
}

static void test_alarm_with_twelve_hours(void **state)
{
	struct bench *b = *state;

	put(b, B, BINARY | AIE);
	put(b, HOUR_ALARM, 0x80 | 1); /* 1 pm */
	put(b, MIN_ALARM, 0);
	put(b, SEC_ALARM, 0);
	pass(b, 13 * 3600 * SECOND);
	assert_false(b->level);
	pass(b, SECOND);
	assert_true(b->level);
}

static void test_idle_costs_nothing(void **state)
{
	struct bench *b = *state;
	unsigned looks;

	for (uint8_t reg = 0; reg < 0x40; reg++)
		get(b, reg);
	put(b, HOUR, 0x05);
	put(b, B, H24 | UIE | PIE | AIE);
	put(b, B, H24);
	pass(b, SECOND);
	looks = b->looks;
	pass(b, 3 * 86400 * SECOND); /* with nothing enabled no timer calls the chip */
	assert_int_equal(b->looks, looks);
	put(b, B, H24 | UIE);
	pass(b, SECOND);
	looks = b->looks;
	assert_true(b->level);
	pass(b, 3 * 86400 * SECOND); /* nor while the guest leaves an interrupt unread */
	assert_int_equal(b->looks, looks);
}

static void test_reset_keeps_time_and_memory(void **state)
{
	struct bench *b = *state;
	struct device d = rtc_device(b->rtc);

	put(b, HOUR, 0x05);
	put(b, 0x40, 0x77);
	put(b, B, H24 | UIE | AIE | PIE | 0x08);
	pass(b, SECOND);
	assert_true(b->level);
	d.ops->reset(d.opaque);
	assert_false(b->level);
	assert_int_equal(get(b, B), H24);
	assert_int_equal(get(b, C), 0);
	assert_int_equal(get(b, HOUR), 0x06);
	assert_int_equal(get(b, 0x40), 0x77);
}

static void test_the_hosts_clock_by_default(void **state)
{
	struct bench *b = *state;

	assert_null(rtc_create(b->ports, (struct irq_line){ 0 }, b->loop, NULL)); /* taken */
	rtc_destroy(b->rtc);
	b->rtc = rtc_create(b->ports, (struct irq_line){ 0 }, b->loop, NULL);
	assert_true(get(b, RTC_CENTURY) >= 0x20);
}

static void test_state_round_trip(void **state)
{
	struct bench *a = *state, *b;
	struct device from = rtc_device(a->rtc), to;
	struct state_writer w;
	struct state_reader r;
	void *other;

	set_up(&other);
	b = other;
	to = rtc_device(b->rtc);
	a->now += 123 * MS;
	put(a, A, 0x76);
	put(a, A, 0x26); /* a phase of its own */
	put(a, YEAR, 0x42);
	put(a, HOUR_ALARM, 0x01);
	put(a, 0x50, 0x11);
	put(a, B, H24 | AIE);
	get(a, C);
	bus_write(a->ports, PORT_RTC, 1, 0x50);

	state_writer_init(&w);
	from.ops->save(from.opaque, &w);
	b->now = a->now + 3 * SECOND;
	a->now = b->now;
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(to.ops->load(to.opaque, &r), 0);
	assert_true(state_reader_done(&r));
	assert_int_equal(bus_read(b->ports, PORT_RTC + 1, 1), 0x11);
	for (uint8_t reg = 0; reg < 0x80; reg++)
		assert_int_equal(get(a, reg), get(b, reg));
	pass(b, 2 * 3600 * SECOND);
	assert_true(b->level); /* the alarm is set there too */

	for (size_t len = 0; len < w.len; len++) {
		state_reader_init(&r, w.data, len);
		assert_int_not_equal(to.ops->load(to.opaque, &r), 0);
	}
	assert_int_equal(get(b, 0x50), 0x11);
	state_writer_finish(&w);
	tear_down(&other);
}

static void test_a_missed_alarm_goes_off_after_loading(void **state)
{
	struct bench *b = *state;
	struct device d = rtc_device(b->rtc);
	struct state_writer w;
	struct state_reader r;

	put(b, HOUR_ALARM, 0x01);
	put(b, B, H24 | AIE);
	state_writer_init(&w);
	d.ops->save(d.opaque, &w);
	b->now += 86400 * SECOND;
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(d.ops->load(d.opaque, &r), 0);
	assert_true(b->level);
	state_writer_finish(&w);
}

static void test_impossible_states_are_refused(void **state)
{
	static const struct {
		uint8_t index;
		int64_t offset;
		uint32_t phase;
		int64_t seen;
	} cases[] = {
		{ 128, 0, 0, 0 },
		{ 0, INT64_MAX, 0, 0 },
		{ 0, INT64_MIN, 0, 0 },
		{ 0, 0, 1000000000, 0 },
		{ 0, 0, 0, -1 },
		{ 0, 0, 0, INT64_MAX },
	};
	struct bench *b = *state;
	struct device d = rtc_device(b->rtc);
	uint8_t bytes[128] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct state_writer w;
		struct state_reader r;
		size_t mark;

		state_writer_init(&w);
		mark = state_begin(&w, "rtc", 1);
		state_put_u8(&w, cases[i].index);
		state_put_bytes(&w, bytes, sizeof bytes);
		state_put_u64(&w, (uint64_t)cases[i].offset);
		state_put_u32(&w, cases[i].phase);
		state_put_u64(&w, (uint64_t)cases[i].seen);
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
		TEST(test_time_in_every_format),
		TEST(test_leap_days),
		TEST(test_setting_as_linux_does),
		TEST(test_setting_while_it_runs),
		TEST(test_set_keeps_the_phase),
		TEST(test_nonsense_becomes_the_nearest_time),
		TEST(test_update_in_progress),
		TEST(test_the_rest_is_memory),
		TEST(test_flags_come_without_interrupts),
		TEST(test_update_interrupt),
		TEST(test_periodic_interrupt),
		TEST(test_alarm),
		TEST(test_alarm_with_twelve_hours),
		TEST(test_idle_costs_nothing),
		TEST(test_reset_keeps_time_and_memory),
		TEST(test_the_hosts_clock_by_default),
		TEST(test_state_round_trip),
		TEST(test_a_missed_alarm_goes_off_after_loading),
		TEST(test_impossible_states_are_refused),
	};
	log_set_sink(swallow, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
