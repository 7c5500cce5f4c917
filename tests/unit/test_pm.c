/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI's fixed registers by a fake clock: button, sleep, timer, event device, reset port. */
#include "vmm/legacy/pm.h"

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

enum { TIMER = 1, GLOBAL = 1 << 5, POWER = 1 << 8, SLEEP = 1 << 9, RTC = 1 << 10 };

struct bench {
	int64_t now;
	struct loop *loop;
	struct bus *ports;
	struct pm *pm;
	bool sci;
	unsigned ged_edges, offs, resets, warnings;
};

static int64_t fake_now(void *opaque)
{
	return ((struct bench *)opaque)->now;
}

static void set_line(void *opaque, unsigned gsi, bool level)
{
	struct bench *b = opaque;

	if (gsi == GSI_SCI)
		b->sci = level;
	else if (gsi == GSI_GED)
		b->ged_edges += level;
	else
		fail_msg("line %u", gsi);
}

static void request(void *opaque, enum power_request what, const char *by)
{
	struct bench *b = opaque;

	*(what == POWER_OFF ? &b->offs : &b->resets) += 1;
}

static void count_line(void *opaque, enum log_level level, const char *line)
{
	((struct bench *)opaque)->warnings++;
}

static struct pm *create(struct bench *b)
{
	const struct pm_clock clock = { fake_now, b };
	const struct pm_config config = {
		.ports = b->ports,
		.sci = { set_line, b, GSI_SCI },
		.ged = { set_line, b, GSI_GED },
		.power = { request, b },
		.loop = b->loop,
		.clock = &clock,
	};

	return pm_create(&config);
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);

	log_set_sink(count_line, b);
	b->now = 77 * SECOND; /* any origin */
	b->loop = loop_create();
	loop_set_clock(b->loop, fake_now, b);
	b->ports = bus_create();
	b->pm = create(b);
	*state = b;
	return b->pm ? 0 : -1;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	pm_destroy(b->pm);
	bus_destroy(b->ports);
	loop_destroy(b->loop);
	free(b);
	log_set_sink(NULL, NULL);
	return 0;
}

static uint32_t in(struct bench *b, unsigned port, unsigned size)
{
	return (uint32_t)bus_read(b->ports, port, size);
}

static void out(struct bench *b, unsigned port, unsigned size, uint32_t v)
{
	bus_write(b->ports, port, size, v);
}

static void test_power_button(void **state)
{
	struct bench *b = *state;

	assert_false(pm_power_button(b->pm)); /* nobody listens */
	assert_false(b->sci);
	out(b, PORT_PM1_EVT, 2, 0xffff);
	out(b, PORT_PM1_EVT + 2, 2, POWER | GLOBAL);
	assert_false(b->sci);
	assert_true(pm_power_button(b->pm));
	assert_true(b->sci);
	assert_int_equal(in(b, PORT_PM1_EVT, 2), POWER);
	out(b, PORT_PM1_EVT, 2, (uint16_t)~POWER); /* zeros leave it */
	assert_true(b->sci);
	out(b, PORT_PM1_EVT + 1, 1, POWER >> 8); /* by its byte alone */
	assert_false(b->sci);
	assert_int_equal(in(b, PORT_PM1_EVT, 4), (uint32_t)(POWER | GLOBAL) << 16);
	pm_power_button(b->pm);
	out(b, PORT_PM1_EVT + 2, 2, 0); /* masked: the level falls, the status stays */
	assert_false(b->sci);
	assert_int_equal(in(b, PORT_PM1_EVT, 2), POWER);
}

static void test_enable_holds_known_events_only(void **state)
{
	struct bench *b = *state;

	out(b, PORT_PM1_EVT + 2, 2, 0xffff);
	assert_int_equal(in(b, PORT_PM1_EVT + 2, 2), TIMER | GLOBAL | POWER | SLEEP | RTC);
}

static void test_soft_off(void **state)
{
	struct bench *b = *state;

	assert_int_equal(in(b, PORT_PM1_CNT, 2), 1); /* SCI_EN */
	out(b, PORT_PM1_CNT, 2, PM_SLP_TYP_S5 << 10);
	assert_int_equal(b->offs, 0);
	assert_int_equal(in(b, PORT_PM1_CNT, 2), PM_SLP_TYP_S5 << 10 | 1);
	out(b, PORT_PM1_CNT, 2, PM_SLP_TYP_S5 << 10 | 1 << 13);
	assert_int_equal(b->offs, 1);
	assert_int_equal(in(b, PORT_PM1_CNT, 2), PM_SLP_TYP_S5 << 10 | 1); /* SLP_EN reads 0 */
	out(b, PORT_PM1_CNT, 2, 3 << 10 | 1 << 13); /* S3 or the like: not offered */
	out(b, PORT_PM1_CNT, 2, 3 << 10 | 1 << 13);
	assert_int_equal(b->offs, 1);
	assert_int_equal(b->warnings, 1);
}

static void test_reset_port(void **state)
{
	struct bench *b = *state;

	pm_reset_port_write(b->pm, 2);
	assert_int_equal(pm_reset_port_read(b->pm), 2);
	assert_int_equal(b->resets, 0);
	pm_reset_port_write(b->pm, PM_RESET_VALUE);
	pm_reset_port_write(b->pm, 0xe);
	assert_int_equal(b->resets, 2);
	assert_int_equal(b->offs, 0);
	assert_int_equal(pm_reset_port_read(b->pm), 0xa);
}

static void test_timer_counts(void **state)
{
	struct bench *b = *state;

	assert_int_equal(in(b, PORT_PM_TIMER, 4), 0);
	b->now += SECOND;
	assert_int_equal(in(b, PORT_PM_TIMER, 4), PM_TIMER_HZ);
	assert_int_equal(in(b, PORT_PM_TIMER + 1, 1), PM_TIMER_HZ >> 8 & 0xff);
	b->now -= 10 * SECOND; /* never back */
	assert_int_equal(in(b, PORT_PM_TIMER, 4), PM_TIMER_HZ);
	b->now += 9 * SECOND + 3600 * SECOND;
	assert_int_equal(in(b, PORT_PM_TIMER, 4), (uint32_t)(3600ull * PM_TIMER_HZ));
	out(b, PORT_PM_TIMER, 4, 0); /* read-only */
	assert_int_equal(in(b, PORT_PM_TIMER, 4), (uint32_t)(3600ull * PM_TIMER_HZ));
	assert_int_equal(in(b, PORT_PM1_CNT + 2, 2), 0xffff); /* nobody there */
}

static void test_overflow_needs_no_timer_for_its_status(void **state)
{
	struct bench *b = *state;

	b->now += 599 * SECOND;
	assert_int_equal(in(b, PORT_PM1_EVT, 2), 0);
	b->now += SECOND; /* 2^31 ticks are 599.93 s */
	assert_int_equal(in(b, PORT_PM1_EVT, 2), TIMER);
	out(b, PORT_PM1_EVT, 2, TIMER);
	assert_int_equal(in(b, PORT_PM1_EVT, 2), 0);
	loop_step(b->loop, 0);
	assert_false(b->sci);
}

static void test_overflow_interrupts_where_enabled(void **state)
{
	struct bench *b = *state;

	out(b, PORT_PM1_EVT + 2, 2, TIMER);
	for (int round = 1; round <= 3; round++) {
		loop_step(b->loop, 0); /* sets the timer */
		b->now = 77 * SECOND + round * 599930000000ll;
		loop_step(b->loop, 0);
		assert_false(b->sci);
		b->now += SECOND;
		loop_step(b->loop, 0);
		assert_true(b->sci);
		out(b, PORT_PM1_EVT, 2, TIMER);
		assert_false(b->sci);
	}
	out(b, PORT_PM1_EVT + 2, 2, 0);
	loop_step(b->loop, 0);
	b->now += 700 * SECOND;
	loop_step(b->loop, 0);
	assert_false(b->sci);
}

static void test_event_device(void **state)
{
	struct bench *b = *state;

	pm_ged_raise(b->pm, 0);
	pm_ged_raise(b->pm, 31);
	assert_int_equal(b->ged_edges, 2);
	assert_int_equal(in(b, PORT_GED, 4), 0x80000001);
	assert_int_equal(in(b, PORT_GED, 4), 0); /* reading cleared it */
	pm_ged_raise(b->pm, 9);
	assert_int_equal(in(b, PORT_GED, 1), 0);
	assert_int_equal(in(b, PORT_GED + 1, 1), 2);
	out(b, PORT_GED, 4, 0xffffffff); /* read-only */
	assert_int_equal(in(b, PORT_GED, 4), 0);
}

static void test_reset(void **state)
{
	struct bench *b = *state;
	struct device d = pm_device(b->pm);

	out(b, PORT_PM1_EVT + 2, 2, POWER);
	pm_power_button(b->pm);
	pm_ged_raise(b->pm, 1);
	b->now += SECOND;
	d.ops->reset(d.opaque);
	assert_false(b->sci);
	assert_int_equal(in(b, PORT_PM1_EVT, 4), 0);
	assert_int_equal(in(b, PORT_GED, 4), 0);
	assert_int_equal(in(b, PORT_PM_TIMER, 4), 0);
}

static void test_ports_taken(void **state)
{
	struct bench *b = *state;

	assert_null(create(b));
	assert_int_equal(b->warnings, 1);
}

static void test_state_round_trip(void **state)
{
	struct bench *a = *state, *b;
	struct device from = pm_device(a->pm), to;
	struct state_writer w;
	struct state_reader r;
	void *other;

	set_up(&other);
	b = other;
	to = pm_device(b->pm);
	out(a, PORT_PM1_EVT + 2, 2, POWER | TIMER);
	out(a, PORT_PM1_CNT, 2, 2 << 10);
	pm_power_button(a->pm);
	pm_ged_raise(a->pm, 5);
	pm_reset_port_write(a->pm, 2);
	a->now += 500 * SECOND;

	state_writer_init(&w);
	from.ops->save(from.opaque, &w);
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(to.ops->load(to.opaque, &r), 0);
	assert_true(state_reader_done(&r));
	assert_true(b->sci);
	assert_int_equal(pm_reset_port_read(b->pm), 2);
	a->now += SECOND; /* clocks of different origins go on alike */
	b->now += SECOND;
	for (unsigned port = PORT_PM1_EVT; port < PORT_GED; port += 2)
		assert_int_equal(in(a, port, 2), in(b, port, 2));
	assert_int_equal(in(b, PORT_GED, 4), 1 << 5);
	out(b, PORT_PM1_EVT, 2, POWER);
	loop_step(b->loop, 0);
	b->now += 100 * SECOND;
	loop_step(b->loop, 0);
	assert_true(b->sci); /* the overflow comes there too */

	for (size_t len = 0; len < w.len; len++) {
		state_reader_init(&r, w.data, len);
		assert_int_not_equal(to.ops->load(to.opaque, &r), 0);
	}
	state_writer_finish(&w);
	tear_down(&other);
	log_set_sink(count_line, a);
}

static void test_impossible_states_are_refused(void **state)
{
	static const struct {
		uint16_t status, enable, control;
		uint64_t ticks;
	} cases[] = { { 2, 0, 0, 0 }, { 0, 2, 0, 0 }, { 0, 0, 1 << 13, 0 },
		{ 0, 0, 0, 1ull << 54 } };
	struct bench *b = *state;
	struct device d = pm_device(b->pm);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct state_writer w;
		struct state_reader r;
		size_t mark;

		state_writer_init(&w);
		mark = state_begin(&w, "pm", 1);
		state_put_u16(&w, cases[i].status);
		state_put_u16(&w, cases[i].enable);
		state_put_u16(&w, cases[i].control);
		state_put_u32(&w, 0);
		state_put_u8(&w, 0);
		state_put_u64(&w, cases[i].ticks);
		state_end(&w, mark);
		state_reader_init(&r, w.data, w.len);
		if (d.ops->load(d.opaque, &r) == 0)
			fail_msg("case %zu was taken", i);
		state_writer_finish(&w);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_power_button),
		TEST(test_enable_holds_known_events_only),
		TEST(test_soft_off),
		TEST(test_reset_port),
		TEST(test_timer_counts),
		TEST(test_overflow_needs_no_timer_for_its_status),
		TEST(test_overflow_interrupts_where_enabled),
		TEST(test_event_device),
		TEST(test_reset),
		TEST(test_ports_taken),
		TEST(test_state_round_trip),
		TEST(test_impossible_states_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
