/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-rng: bytes come, bounded by request and by pass; broken rules; state there and back. */
#include "vmm/virtio/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fakes/fake_driver.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/state.h"

struct rig {
	struct fake_driver d;
	struct vrng *rng;
};

static void rig_init(struct rig *g)
{
	fake_driver_init(&g->d, 4 * MIB);
	g->rng = vrng_create(g->d.loop, &g->d.mem);
	fake_driver_start(&g->d, vrng_device(g->rng), ~0ull);
}

static void rig_finish(struct rig *g)
{
	vrng_destroy(g->rng);
	fake_driver_finish(&g->d);
}

static struct iovec guest_piece(struct rig *g, size_t len)
{
	return (struct iovec){ fake_driver_alloc(&g->d, len, 1), len };
}

static bool needs_reset(struct rig *g)
{
	return virtio_read_status(vrng_device(g->rng)) & VIRTIO_STATUS_NEEDS_RESET;
}

static unsigned count_zeros(const struct iovec *iov)
{
	const uint8_t *p = iov->iov_base;
	unsigned n = 0;

	for (size_t i = 0; i < iov->iov_len; i++)
		n += !p[i];
	return n;
}

static void test_every_piece_is_filled(void **state)
{
	struct rig g;
	struct iovec iov[3];

	rig_init(&g);
	for (int i = 0; i < 3; i++)
		iov[i] = guest_piece(&g, 1000u * (unsigned)(i + 1));
	assert_int_equal(fake_driver_do(&g.d, 0, iov, 0, 3), 6000);
	for (int i = 0; i < 3; i++) /* 1 in 256 is expected to be zero */
		assert_true(count_zeros(&iov[i]) < iov[i].iov_len / 16);
	rig_finish(&g);
}

static void test_a_large_request_gets_a_bounded_answer(void **state)
{
	struct rig g;
	struct iovec iov;

	rig_init(&g);
	iov = guest_piece(&g, VRNG_REQUEST_MAX + 5000);
	assert_int_equal(fake_driver_do(&g.d, 0, &iov, 0, 1), VRNG_REQUEST_MAX);
	iov.iov_base = (uint8_t *)iov.iov_base + VRNG_REQUEST_MAX;
	iov.iov_len = 5000;
	assert_int_equal(count_zeros(&iov), 5000);
	rig_finish(&g);
}

static void test_a_flood_is_served_over_several_passes(void **state)
{
	struct rig g;
	struct iovec iov;
	int n = 0;

	rig_init(&g);
	iov = guest_piece(&g, VRNG_REQUEST_MAX);
	for (int i = 0; i < 10; i++)
		fake_driver_request(&g.d, 0, &iov, 0, 1);
	virtio_kick(vrng_device(g.rng), 0);
	while (fake_driver_used(&g.d, 0, NULL, NULL))
		n++;
	assert_int_equal(n, 4);
	while (n < 10 && fake_driver_wait(&g.d, 0, NULL, NULL))
		n++;
	assert_int_equal(n, 10);
	rig_finish(&g);
}

static void test_it_goes_with_work_posted(void **state)
{
	struct rig g;
	struct iovec iov;

	rig_init(&g);
	iov = guest_piece(&g, VRNG_REQUEST_MAX);
	for (int i = 0; i < 10; i++)
		fake_driver_request(&g.d, 0, &iov, 0, 1);
	virtio_kick(vrng_device(g.rng), 0);
	vrng_destroy(g.rng);
	loop_step(g.d.loop, 0);
	fake_driver_finish(&g.d);
}

static void ignore_line(void *opaque, enum log_level level, const char *line)
{
}

static void test_rules(void **state)
{
	struct rig g;
	struct iovec iov[2];

	log_set_sink(ignore_line, NULL);
	rig_init(&g);
	iov[0] = guest_piece(&g, 16);
	iov[1] = guest_piece(&g, 16);
	fake_driver_request(&g.d, 0, iov, 1, 1); /* a readable piece */
	fake_driver_kick(&g.d, 0);
	assert_true(needs_reset(&g));
	assert_false(fake_driver_used(&g.d, 0, NULL, NULL));

	fake_driver_reset(&g.d);
	fake_driver_start(&g.d, vrng_device(g.rng), ~0ull);
	assert_int_equal(fake_driver_do(&g.d, 0, iov, 0, 1), 16);
	iov[0].iov_len = 0;
	fake_driver_request(&g.d, 0, iov, 0, 1); /* no room */
	fake_driver_kick(&g.d, 0);
	assert_true(needs_reset(&g));
	rig_finish(&g);
	log_set_sink(NULL, NULL);
}

static void test_state_there_and_back(void **state)
{
	struct rig g;
	struct vrng *clone;
	struct virtio_device *dev;
	struct state_writer w;
	struct state_reader r;
	struct iovec iov;

	rig_init(&g);
	iov = guest_piece(&g, 16);
	assert_int_equal(fake_driver_do(&g.d, 0, &iov, 0, 1), 16);
	assert_true(virtio_quiesce(vrng_device(g.rng), NULL, NULL));
	state_writer_init(&w);
	virtio_save(vrng_device(g.rng), &w);

	clone = vrng_create(g.d.loop, &g.d.mem);
	dev = vrng_device(clone);
	dev->transport = vrng_device(g.rng)->transport;
	dev->transport_opaque = &g.d;
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(virtio_load(dev, &r), 0);
	assert_true(state_reader_done(&r));
	g.d.dev = dev;
	fake_driver_request(&g.d, 0, &iov, 0, 1);
	virtio_resume(dev); /* a kick that got lost is made up for */
	assert_true(fake_driver_wait(&g.d, 0, NULL, NULL));
	vrng_destroy(clone);
	state_writer_finish(&w);
	rig_finish(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_piece_is_filled),
		cmocka_unit_test(test_a_large_request_gets_a_bounded_answer),
		cmocka_unit_test(test_a_flood_is_served_over_several_passes),
		cmocka_unit_test(test_it_goes_with_work_posted),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_state_there_and_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
