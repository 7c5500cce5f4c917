/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring and the status machine, driven by a fake driver that obeys or breaks each rule. */
#include "vmm/virtio/virtqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fakes/fake_driver.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/state.h"

enum { NEXT = 1, WRITE = 2, INDIRECT = 4, SIZE = 8 };

/* A device that echoes: what it reads from a request it writes back into it. */
struct echo {
	struct virtio_device dev;
	unsigned kicks, starts, resets, served;
	bool lazy; /* takes nothing on a kick */
	bool slow; /* a drain does not end at once */
	struct vq_chain chain;
};

static void echo_kick(struct virtio_device *dev, unsigned q)
{
	struct echo *e = CONTAINER(dev, struct echo, dev);
	uint8_t buf[512];

	e->kicks++;
	while (!e->lazy && vq_pop(&dev->queues[q], &e->chain)) {
		size_t n = vq_chain_read(&e->chain, 0, buf, sizeof buf);

		e->served++;
		vq_push(&dev->queues[q], e->chain.head,
			(uint32_t)vq_chain_write(&e->chain, 0, buf, n));
	}
	vq_notify(&dev->queues[q]);
}

static void echo_start(struct virtio_device *dev)
{
	CONTAINER(dev, struct echo, dev)->starts++;
}

static void echo_reset(struct virtio_device *dev)
{
	CONTAINER(dev, struct echo, dev)->resets++;
}

static bool echo_drain(struct virtio_device *dev)
{
	return !CONTAINER(dev, struct echo, dev)->slow;
}

static const struct virtio_ops echo_ops = {
	.kick = echo_kick, .start = echo_start, .reset = echo_reset, .drain = echo_drain
};

struct rig {
	struct fake_driver d;
	struct echo e;
	unsigned lines;
};

static void count_line(void *opaque, enum log_level level, const char *line)
{
	++*(unsigned *)opaque;
}

static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof *r);
	log_set_sink(count_line, &r->lines);
	fake_driver_init(&r->d, 2 * MIB);
	r->e.dev =
		(struct virtio_device){ .name = "echo", .ops = &echo_ops, .id = 42, .nqueues = 2 };
	virtio_init(&r->e.dev, r->d.loop, &r->d.mem, SIZE);
}

static void rig_start(struct rig *r, uint64_t features)
{
	rig_init(r);
	fake_driver_start(&r->d, &r->e.dev, features);
}

static void rig_finish(struct rig *r)
{
	virtio_finish(&r->e.dev);
	fake_driver_finish(&r->d);
	log_set_sink(NULL, NULL);
}

static void assert_broken_once(struct rig *r)
{
	assert_true(virtio_is_broken(&r->e.dev));
	assert_true(virtio_read_status(&r->e.dev) & VIRTIO_STATUS_NEEDS_RESET);
	assert_int_equal(r->lines, 1);
	assert_true(r->d.config_interrupts);
	/* Nothing more is served until a reset, and then everything is again. */
	r->e.served = 0;
	fake_driver_kick(&r->d, 0);
	assert_int_equal(r->e.served, 0);
	fake_driver_reset(&r->d);
	assert_int_equal(virtio_read_status(&r->e.dev), 0);
	fake_driver_start(&r->d, &r->e.dev, ~0ull);
	struct iovec iov[2] = { { fake_driver_alloc(&r->d, 4, 1), 4 },
		{ fake_driver_alloc(&r->d, 4, 1), 4 } };
	assert_int_equal(fake_driver_do(&r->d, 0, iov, 1, 1), 4);
}

/* ---- what works ---- */

static void echo_many(uint64_t features)
{
	struct rig r;
	struct iovec iov[4];

	rig_start(&r, features);
	for (int i = 0; i < 4; i++)
		iov[i] = (struct iovec){ fake_driver_alloc(&r.d, 8, 1), 8 };
	/* More rounds than 16 bits hold, so that every index wraps. */
	for (uint32_t round = 0; round < 70000; round++) {
		le32_put(iov[0].iov_base, round);
		le32_put(iov[1].iov_base, ~round);
		assert_int_equal(fake_driver_do(&r.d, 0, iov, 2, 2), 16);
		assert_int_equal(le32_get(iov[2].iov_base), round);
		assert_int_equal(le32_get(iov[3].iov_base), ~round);
	}
	assert_int_equal(r.d.rings[0].interrupts, (features >> VIRTIO_F_EVENT_IDX & 1) ? 2 : 70000);
	assert_int_equal(r.lines, 0);
	rig_finish(&r);
}

static void test_requests_go_round_and_wrap(void **state)
{
	echo_many(1ull << VIRTIO_F_VERSION_1);
}

/* Nobody moves the wished index here, so an interrupt comes once in 65536 entries. */
static void test_event_index_saves_interrupts(void **state)
{
	echo_many(~0ull);
}

static void test_event_index_interrupts_when_wished(void **state)
{
	struct rig r;
	struct iovec iov[2];

	rig_start(&r, ~0ull);
	for (int i = 0; i < 2; i++)
		iov[i] = (struct iovec){ fake_driver_alloc(&r.d, 8, 1), 8 };
	for (uint16_t round = 0; round < 20; round++) {
		le16_put(r.d.rings[0].avail + 4 + 2 * SIZE, round);
		fake_driver_do(&r.d, 0, iov, 1, 1);
		assert_int_equal(r.d.rings[0].interrupts, round + 1);
	}
	rig_finish(&r);
}

static void test_no_interrupt_flag_is_honoured(void **state)
{
	struct rig r;
	struct iovec iov = { NULL, 8 };

	rig_start(&r, 1ull << VIRTIO_F_VERSION_1);
	iov.iov_base = fake_driver_alloc(&r.d, 8, 1);
	le16_put(r.d.rings[0].avail, 1);
	fake_driver_do(&r.d, 0, &iov, 1, 0);
	assert_int_equal(r.d.rings[0].interrupts, 0);
	rig_finish(&r);
}

static void test_indirect_table_is_one_chain(void **state)
{
	struct rig r;
	uint8_t *table, *out, *in;

	rig_start(&r, ~0ull);
	table = fake_driver_alloc(&r.d, 32, 16);
	out = fake_driver_alloc(&r.d, 5, 1);
	in = fake_driver_alloc(&r.d, 5, 1);
	memcpy(out, "hello", 5);
	le64_put(table, fake_driver_gpa(&r.d, out));
	le32_put(table + 8, 5);
	le16_put(table + 12, NEXT);
	le16_put(table + 14, 1);
	le64_put(table + 16, fake_driver_gpa(&r.d, in));
	le32_put(table + 24, 5);
	le16_put(table + 28, WRITE);
	fake_driver_desc(&r.d, 0, 3, fake_driver_gpa(&r.d, table), 32, INDIRECT, 0);
	fake_driver_avail(&r.d, 0, 3);
	fake_driver_kick(&r.d, 0);
	assert_true(fake_driver_used(&r.d, 0, NULL, NULL));
	assert_memory_equal(in, "hello", 5);
	rig_finish(&r);
}

static void test_unpop_gives_it_again(void **state)
{
	struct rig r;
	struct iovec iov = { NULL, 8 };
	struct vq_chain c;
	struct virtqueue *vq;

	rig_start(&r, ~0ull);
	r.e.lazy = true;
	vq = &r.e.dev.queues[0];
	iov.iov_base = fake_driver_alloc(&r.d, 8, 1);
	fake_driver_request(&r.d, 0, &iov, 1, 0);
	assert_true(vq_has_work(vq));
	assert_true(vq_pop(vq, &c));
	assert_false(vq_has_work(vq));
	vq_unpop(vq);
	assert_true(vq_pop(vq, &c));
	assert_int_equal(c.out_len, 8);
	assert_false(vq_pop(vq, &c));
	rig_finish(&r);
}

/* ---- broken rings ---- */

static uint64_t spare(struct rig *r)
{
	return fake_driver_gpa(&r->d, fake_driver_alloc(&r->d, 64, 16));
}

static void test_loop(void **state)
{
	struct rig r;

	rig_start(&r, ~0ull);
	uint64_t at = spare(&r);
	fake_driver_desc(&r.d, 0, 0, at, 8, NEXT, 1);
	fake_driver_desc(&r.d, 0, 1, at, 8, NEXT, 0);
	fake_driver_avail(&r.d, 0, 0);
	fake_driver_kick(&r.d, 0);
	assert_broken_once(&r);
	rig_finish(&r);
}

static void one_bad_desc(
	uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next, uint64_t features)
{
	struct rig r;

	rig_start(&r, features);
	fake_driver_desc(&r.d, 0, 0, gpa ? gpa : spare(&r), len, flags, next);
	fake_driver_avail(&r.d, 0, 0);
	fake_driver_kick(&r.d, 0);
	assert_int_equal(r.e.served, 0);
	assert_broken_once(&r);
	rig_finish(&r);
}

static void test_descriptors_outside_ram(void **state)
{
	one_bad_desc(2 * MIB, 1, 0, 0, ~0ull);
	one_bad_desc(2 * MIB - 4, 8, WRITE, 0, ~0ull);
	one_bad_desc(~0ull - 3, 8, 0, 0, ~0ull);
	one_bad_desc(0x1000, UINT32_MAX, 0, 0, ~0ull);
	one_bad_desc(0xe0000000, 8, WRITE, 0, ~0ull);
}

static void test_next_outside_the_table(void **state)
{
	one_bad_desc(0, 8, NEXT, SIZE, ~0ull);
	one_bad_desc(0, 8, NEXT, 0xffff, ~0ull);
}

static void test_indirect_rules(void **state)
{
	one_bad_desc(0, 32, INDIRECT, 0, 1ull << VIRTIO_F_VERSION_1); /* not negotiated */
	one_bad_desc(0, 32, INDIRECT | NEXT, 1, ~0ull);
	one_bad_desc(0, 32, INDIRECT | WRITE, 0, ~0ull);
	one_bad_desc(0, 0, INDIRECT, 0, ~0ull);
	one_bad_desc(0, 24, INDIRECT, 0, ~0ull);
	one_bad_desc(0, 16 * (SIZE + 1), INDIRECT, 0, ~0ull);
	one_bad_desc(2 * MIB - 16, 32, INDIRECT, 0, ~0ull);
}

static void test_indirect_in_indirect(void **state)
{
	struct rig r;
	uint8_t *table;

	rig_start(&r, ~0ull);
	table = fake_driver_alloc(&r.d, 16, 16);
	le64_put(table, fake_driver_gpa(&r.d, table));
	le32_put(table + 8, 16);
	le16_put(table + 12, INDIRECT);
	fake_driver_desc(&r.d, 0, 0, fake_driver_gpa(&r.d, table), 16, INDIRECT, 0);
	fake_driver_avail(&r.d, 0, 0);
	fake_driver_kick(&r.d, 0);
	assert_broken_once(&r);
	rig_finish(&r);
}

static void test_readable_after_writable(void **state)
{
	struct rig r;

	rig_start(&r, ~0ull);
	fake_driver_desc(&r.d, 0, 0, spare(&r), 8, NEXT | WRITE, 1);
	fake_driver_desc(&r.d, 0, 1, spare(&r), 8, 0, 0);
	fake_driver_avail(&r.d, 0, 0);
	fake_driver_kick(&r.d, 0);
	assert_broken_once(&r);
	rig_finish(&r);
}

static void test_head_outside_the_table(void **state)
{
	struct rig r;

	rig_start(&r, ~0ull);
	fake_driver_avail(&r.d, 0, SIZE);
	fake_driver_kick(&r.d, 0);
	assert_broken_once(&r);
	rig_finish(&r);
}

static void test_index_jump(void **state)
{
	struct rig r;

	rig_start(&r, ~0ull);
	le16_put(r.d.rings[0].avail + 2, SIZE + 1);
	fake_driver_kick(&r.d, 0);
	assert_broken_once(&r);
	rig_finish(&r);
}

static void test_a_head_made_available_for_ever(void **state)
{
	struct rig r;
	struct vq_chain c;
	unsigned popped = 0;

	rig_start(&r, ~0ull);
	r.e.lazy = true;
	fake_driver_desc(&r.d, 0, 0, spare(&r), 8, 0, 0);
	for (int i = 0; i < 3 * SIZE; i++) {
		fake_driver_avail(&r.d, 0, 0);
		popped += vq_pop(&r.e.dev.queues[0], &c);
	}
	assert_int_equal(popped, SIZE);
	r.e.lazy = false;
	assert_broken_once(&r);
	rig_finish(&r);
}

static void bad_ring(unsigned what, uint64_t gpa)
{
	struct rig r;
	struct virtqueue *vq;

	rig_init(&r);
	fake_driver_attach(&r.d, &r.e.dev);
	vq = &r.e.dev.queues[0];
	*(what == 0 ? &vq->desc_gpa : what == 1 ? &vq->avail_gpa : &vq->used_gpa) = gpa;
	virtio_write_status(&r.e.dev, 3);
	virtio_write_features(&r.e.dev, 1, 1);
	virtio_write_status(&r.e.dev, 11);
	virtio_write_status(&r.e.dev, 15);
	loop_step(r.d.loop, 0);
	assert_broken_once(&r);
	rig_finish(&r);
}

static void test_rings_misaligned_or_outside_ram(void **state)
{
	for (unsigned what = 0; what < 3; what++) {
		bad_ring(what, 0x1001);
		bad_ring(what, 0xfee00000);
		bad_ring(what, 2 * MIB - 16);
		bad_ring(what, ~0ull & ~15ull);
	}
}

/* ---- the status machine ---- */

static void test_features_must_be_offered(void **state)
{
	struct rig r;

	rig_init(&r);
	fake_driver_attach(&r.d, &r.e.dev);
	virtio_write_status(&r.e.dev, 3);
	virtio_write_features(&r.e.dev, 0, 1); /* feature 0 is not ours */
	virtio_write_features(&r.e.dev, 1, 1);
	virtio_write_status(&r.e.dev, 11);
	assert_int_equal(virtio_read_status(&r.e.dev), 3);
	virtio_write_features(&r.e.dev, 0, 0);
	virtio_write_features(&r.e.dev, 1, 0); /* and VERSION_1 is needed */
	virtio_write_status(&r.e.dev, 11);
	assert_int_equal(virtio_read_status(&r.e.dev), 3);
	virtio_write_features(&r.e.dev, 1, 1);
	virtio_write_status(&r.e.dev, 11);
	assert_int_equal(virtio_read_status(&r.e.dev), 11);
	assert_int_equal(r.lines, 0);
	rig_finish(&r);
}

static void test_status_rules(void **state)
{
	struct rig r;

	rig_init(&r);
	fake_driver_attach(&r.d, &r.e.dev);
	virtio_write_status(&r.e.dev, 3);
	virtio_write_status(&r.e.dev, 7); /* DRIVER_OK too early */
	assert_int_equal(virtio_read_status(&r.e.dev), 3 | VIRTIO_STATUS_NEEDS_RESET);
	virtio_write_status(&r.e.dev, 0);
	assert_int_equal(virtio_read_status(&r.e.dev), 0);
	virtio_write_status(&r.e.dev, 3);
	virtio_write_status(&r.e.dev, 1); /* a bit cleared */
	assert_int_equal(virtio_read_status(&r.e.dev), 3 | VIRTIO_STATUS_NEEDS_RESET);
	assert_int_equal(r.e.starts, 0);
	assert_int_equal(r.lines, 1); /* one line a device */
	rig_finish(&r);
}

static void test_features_are_final(void **state)
{
	struct rig r;

	rig_start(&r, 1ull << VIRTIO_F_VERSION_1);
	virtio_write_features(&r.e.dev, 0, 1u << VIRTIO_F_EVENT_IDX);
	assert_false(virtio_has_feature(&r.e.dev, VIRTIO_F_EVENT_IDX));
	assert_broken_once(&r);
	rig_finish(&r);
}

static void test_reset_waits_for_what_is_in_flight(void **state)
{
	struct rig r;

	rig_start(&r, ~0ull);
	r.e.slow = true;
	virtio_write_status(&r.e.dev, 0);
	loop_step(r.d.loop, 0);
	assert_int_not_equal(virtio_read_status(&r.e.dev), 0);
	virtio_write_status(&r.e.dev, 3); /* nothing to say before it is done */
	fake_driver_kick(&r.d, 0);
	assert_int_equal(r.e.resets, 0);
	virtio_drained(&r.e.dev);
	assert_int_equal(virtio_read_status(&r.e.dev), 0);
	assert_int_equal(r.e.resets, 1);
	assert_int_equal(r.d.resets, 1);
	rig_finish(&r);
}

static void note(void *opaque, struct virtio_device *dev)
{
	++*(int *)opaque;
}

static void test_quiesce_holds_kicks_back(void **state)
{
	struct rig r;
	struct iovec iov = { NULL, 4 };
	int quiesced = 0;

	rig_start(&r, ~0ull);
	iov.iov_base = fake_driver_alloc(&r.d, 4, 1);
	r.e.slow = true;
	assert_false(virtio_quiesce(&r.e.dev, note, &quiesced));
	virtio_drained(&r.e.dev);
	assert_int_equal(quiesced, 1);
	fake_driver_request(&r.d, 0, &iov, 1, 0);
	fake_driver_kick(&r.d, 0);
	assert_int_equal(r.e.served, 0);
	virtio_resume(&r.e.dev);
	assert_int_equal(r.e.served, 1);
	rig_finish(&r);
}

static void test_the_machines_reset_takes_the_drivers_along(void **state)
{
	struct rig r;

	rig_start(&r, ~0ull);
	virtio_write_status(&r.e.dev, 0);
	assert_true(virtio_reset_now(&r.e.dev, NULL, NULL));
	/* The next driver is there before the loop comes to what the last one has posted. */
	virtio_write_status(&r.e.dev, VIRTIO_STATUS_ACKNOWLEDGE);
	loop_step(r.d.loop, 0);
	assert_int_equal(virtio_read_status(&r.e.dev), VIRTIO_STATUS_ACKNOWLEDGE);
	assert_int_equal(r.e.resets, 1);
	rig_finish(&r);
}

static void test_quiesce_carries_out_what_was_posted(void **state)
{
	struct rig r;

	rig_start(&r, ~0ull);
	virtio_write_status(&r.e.dev, 0);
	assert_true(virtio_quiesce(&r.e.dev, note, NULL));
	assert_int_equal(virtio_read_status(&r.e.dev), 0);
	assert_int_equal(r.e.resets, 1);
	virtio_resume(&r.e.dev);
	loop_step(r.d.loop, 0);
	assert_int_equal(r.e.resets, 1);
	rig_finish(&r);
}

static void test_state_goes_round(void **state)
{
	struct rig a, b;
	struct state_writer w;
	struct state_reader rd;
	struct iovec iov[2];

	rig_start(&a, ~0ull);
	for (int i = 0; i < 2; i++)
		iov[i] = (struct iovec){ fake_driver_alloc(&a.d, 4, 1), 4 };
	for (int i = 0; i < 5; i++)
		fake_driver_do(&a.d, 0, iov, 1, 1);
	assert_true(virtio_quiesce(&a.e.dev, note, NULL));
	state_writer_init(&w);
	virtio_save(&a.e.dev, &w);

	/* The same memory, a new device: the driver goes on where it was. */
	rig_init(&b);
	b.e.dev.mem = &a.d.mem;
	for (unsigned q = 0; q < 2; q++)
		b.e.dev.queues[q].mem = &a.d.mem;
	b.e.dev.transport = a.e.dev.transport;
	b.e.dev.transport_opaque = &a.d;
	state_reader_init(&rd, w.data, w.len);
	assert_int_equal(virtio_load(&b.e.dev, &rd), 0);
	assert_true(state_reader_done(&rd));
	a.d.dev = &b.e.dev;
	virtio_resume(&b.e.dev);
	assert_int_equal(fake_driver_do(&a.d, 0, iov, 1, 1), 4);
	assert_int_equal(b.e.served, 1);

	/* Every cut of the state is refused. */
	for (size_t len = 0; len < w.len; len++) {
		state_reader_init(&rd, w.data, len);
		assert_int_not_equal(virtio_load(&b.e.dev, &rd), 0);
		assert_int_equal(virtio_read_status(&b.e.dev), 0);
	}
	state_writer_finish(&w);
	rig_finish(&b);
	log_set_sink(NULL, NULL);
	virtio_finish(&a.e.dev);
	fake_driver_finish(&a.d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_go_round_and_wrap),
		cmocka_unit_test(test_event_index_saves_interrupts),
		cmocka_unit_test(test_event_index_interrupts_when_wished),
		cmocka_unit_test(test_no_interrupt_flag_is_honoured),
		cmocka_unit_test(test_indirect_table_is_one_chain),
		cmocka_unit_test(test_unpop_gives_it_again),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_descriptors_outside_ram),
		cmocka_unit_test(test_next_outside_the_table),
		cmocka_unit_test(test_indirect_rules),
		cmocka_unit_test(test_indirect_in_indirect),
		cmocka_unit_test(test_readable_after_writable),
		cmocka_unit_test(test_head_outside_the_table),
		cmocka_unit_test(test_index_jump),
		cmocka_unit_test(test_a_head_made_available_for_ever),
		cmocka_unit_test(test_rings_misaligned_or_outside_ram),
		cmocka_unit_test(test_features_must_be_offered),
		cmocka_unit_test(test_status_rules),
		cmocka_unit_test(test_features_are_final),
		cmocka_unit_test(test_reset_waits_for_what_is_in_flight),
		cmocka_unit_test(test_quiesce_holds_kicks_back),
		cmocka_unit_test(test_the_machines_reset_takes_the_drivers_along),
		cmocka_unit_test(test_quiesce_carries_out_what_was_posted),
		cmocka_unit_test(test_state_goes_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
