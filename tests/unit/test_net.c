/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-net on a cable whose other end is the test. */
#include "vmm/virtio/net.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fakes/fake_driver.h"
#include "util/bytes.h"
#include "util/iov.h"
#include "util/log.h"
#include "vmm/net/mac.h"
#include "vmm/net/net.h"
#include "vmm/state.h"

enum { RX, TX, HEADER = 12, F_MRG_RXBUF = 15, F_STATUS = 16 };

struct rig {
	struct fake_driver d;
	struct net_backend cable;
	struct vnet *n;
	struct virtio_device *dev;
	uint8_t sent[NET_FRAME_MAX]; /* the last one */
	size_t sent_len;
	unsigned nsent;
	bool full;
	char line[256];
};

static bool cable_send(struct net_backend *b, const struct iovec *iov, unsigned niov, size_t len)
{
	struct rig *g = CONTAINER(b, struct rig, cable);
	size_t at = 0;

	if (g->full)
		return false;
	assert_int_equal(iov_bytes(iov, niov), len);
	for (unsigned i = 0; i < niov; i++) {
		memcpy(g->sent + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	g->sent_len = len;
	g->nsent++;
	return true;
}

static const struct net_backend_ops cable_ops = { .send = cable_send };

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	snprintf(((struct rig *)opaque)->line, sizeof((struct rig *)opaque)->line, "%s", line);
}

static const uint8_t mac[6] = { 0x52, 0x54, 1, 2, 3, 4 };

static void rig_init(struct rig *g, uint64_t features)
{
	memset(g, 0, sizeof *g);
	log_set_sink(keep_line, g);
	fake_driver_init(&g->d, 4 * MIB);
	g->cable.ops = &cable_ops;
	g->n = vnet_create(mac, &g->cable, g->d.loop, &g->d.mem);
	g->dev = vnet_device(g->n);
	fake_driver_start(&g->d, g->dev, features);
}

static void rig_finish(struct rig *g)
{
	vnet_destroy(g->n);
	net_receive(&g->cable, "nobody there", 12);
	fake_driver_finish(&g->d);
	log_set_sink(NULL, NULL);
}

static bool needs_reset(struct rig *g)
{
	return virtio_read_status(g->dev) & VIRTIO_STATUS_NEEDS_RESET;
}

static void fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + i / 256);
}

/* A frame from the network, and the pass that takes it. */
static void arrive(struct rig *g, size_t len)
{
	uint8_t frame[NET_FRAME_MAX + 1];

	fill(frame, len);
	net_receive(&g->cable, frame, len);
	loop_step(g->d.loop, 0);
}

static uint8_t *add_buffer(struct rig *g, size_t len)
{
	uint8_t *p = fake_driver_alloc(&g->d, len, 1);

	memset(p, 0xee, len);
	fake_driver_request(&g->d, RX, &(struct iovec){ p, len }, 0, 1);
	return p;
}

static void check_bytes(const uint8_t *p, size_t offset, size_t len)
{
	uint8_t wanted[NET_FRAME_MAX];

	fill(wanted, sizeof wanted);
	assert_memory_equal(p, wanted + offset, len);
}

static void test_config(void **state)
{
	struct rig g;
	uint8_t c[8];

	rig_init(&g, ~0ull);
	virtio_config_read(g.dev, 0, c, sizeof c);
	assert_memory_equal(c, mac, 6);
	assert_int_equal(le16_get(c + 6), 1);
	assert_int_equal(g.dev->nqueues, 2);
	rig_finish(&g);
}

static void test_a_frame_arrives(void **state)
{
	struct rig g;
	uint8_t *p;
	uint32_t len;

	rig_init(&g, ~0ull);
	p = add_buffer(&g, 1600);
	arrive(&g, 1514);
	assert_true(fake_driver_used(&g.d, RX, NULL, &len));
	assert_int_equal(len, HEADER + 1514);
	assert_memory_equal(p, ((uint8_t[HEADER]){ [10] = 1 }), HEADER);
	check_bytes(p + HEADER, 0, 1514);
	assert_int_equal(p[HEADER + 1514], 0xee);
	assert_int_equal(g.d.rings[RX].interrupts, 1);
	assert_int_equal(vnet_stats(g.n)->rx_frames, 1);
	assert_int_equal(vnet_stats(g.n)->rx_bytes, 1514);
	rig_finish(&g);
}

static void test_a_frame_over_several_buffers(void **state)
{
	struct rig g;
	uint8_t *p[3];
	uint32_t len;

	rig_init(&g, ~0ull);
	for (int i = 0; i < 3; i++)
		p[i] = add_buffer(&g, 600);
	arrive(&g, 1514);
	assert_int_equal(le16_get(p[0] + 10), 3);
	check_bytes(p[0] + HEADER, 0, 588);
	check_bytes(p[1], 588, 600);
	check_bytes(p[2], 1188, 326);
	for (int i = 0; i < 3; i++) {
		assert_true(fake_driver_used(&g.d, RX, NULL, &len));
		assert_int_equal(len, i < 2 ? 600 : 326);
	}
	rig_finish(&g);
}

/* The smallest buffers there may be, and not enough of them at first. */
static void test_tiny_buffers(void **state)
{
	struct rig g;
	uint32_t len;
	unsigned n = 0, sum = 0;

	rig_init(&g, ~0ull);
	for (int i = 0; i < 100; i++)
		add_buffer(&g, HEADER);
	arrive(&g, NET_FRAME_MAX);
	assert_false(fake_driver_used(&g.d, RX, NULL, NULL));
	assert_true(vq_has_work(&g.dev->queues[RX])); /* they were put back */
	for (int i = 0; i < 28; i++)
		add_buffer(&g, HEADER);
	fake_driver_kick(&g.d, RX);
	while (fake_driver_used(&g.d, RX, NULL, &len)) {
		n++;
		sum += len;
	}
	assert_int_equal(n, 128);
	assert_int_equal(sum, HEADER + NET_FRAME_MAX);
	assert_int_equal(g.dev->queues[RX].in_flight, 0);
	rig_finish(&g);
}

static void test_frames_wait_for_buffers_in_a_bounded_line(void **state)
{
	struct rig g;
	uint32_t len;

	rig_init(&g, ~0ull);
	for (unsigned i = 0; i < VNET_WAITING_MAX + 10; i++)
		arrive(&g, 60 + i);
	assert_int_equal(vnet_stats(g.n)->rx_dropped, 10);
	for (int i = 0; i < 5; i++)
		add_buffer(&g, 1600);
	fake_driver_kick(&g.d, RX);
	for (unsigned i = 0; i < 5; i++) { /* in order */
		assert_true(fake_driver_used(&g.d, RX, NULL, &len));
		assert_int_equal(len, HEADER + 60 + i);
	}
	add_buffer(&g, 1600); /* no kick: a new frame goes behind those that wait */
	arrive(&g, 61);
	assert_false(fake_driver_used(&g.d, RX, NULL, &len));
	fake_driver_kick(&g.d, RX);
	assert_true(fake_driver_used(&g.d, RX, NULL, &len));
	assert_int_equal(len, HEADER + 65);
	fake_driver_reset(&g.d);
	fake_driver_start(&g.d, g.dev, ~0ull);
	add_buffer(&g, 1600);
	fake_driver_kick(&g.d, RX);
	assert_false(fake_driver_used(&g.d, RX, NULL, NULL)); /* forgotten */
	rig_finish(&g);
}

static void test_what_is_no_frame_is_dropped(void **state)
{
	struct rig g;

	rig_init(&g, ~0ull);
	add_buffer(&g, 4096);
	arrive(&g, NET_FRAME_MIN - 1);
	arrive(&g, NET_FRAME_MAX + 1);
	assert_int_equal(vnet_stats(g.n)->rx_dropped, 2);
	fake_driver_reset(&g.d);
	arrive(&g, 60); /* nobody is there */
	assert_int_equal(vnet_stats(g.n)->rx_dropped, 3);
	rig_finish(&g);
}

static void expect_broken(struct rig *g)
{
	assert_true(needs_reset(g));
	assert_non_null(strstr(g->line, "virtio-net: "));
	fake_driver_reset(&g->d);
	g->d.next_gpa = ALIGN_UP(g->d.next_gpa, 16);
	fake_driver_start(&g->d, g->dev, ~0ull);
}

static void test_broken_receive_buffers(void **state)
{
	struct rig g;
	uint8_t *p;

	rig_init(&g, ~0ull);
	p = fake_driver_alloc(&g.d, 4096, 1);
	add_buffer(&g, HEADER - 1);
	arrive(&g, 60);
	expect_broken(&g);
	fake_driver_request(&g.d, RX, (struct iovec[]){ { p, 10 }, { p + 10, 1600 } }, 1, 1);
	arrive(&g, 60);
	expect_broken(&g);
	add_buffer(&g, HEADER);
	add_buffer(&g, 0); /* the second has no room at all */
	arrive(&g, 60);
	expect_broken(&g);
	for (int i = 0; i < 128; i++) /* more pieces than the smallest legal ones need */
		add_buffer(&g, i ? 11 : HEADER);
	arrive(&g, NET_FRAME_MAX);
	expect_broken(&g);
	fake_driver_reset(&g.d);
	fake_driver_start(&g.d, g.dev, ~(1ull << F_MRG_RXBUF));
	add_buffer(&g, 100);
	add_buffer(&g, 1600);
	arrive(&g, 100);
	expect_broken(&g);
	add_buffer(&g, 1600);
	arrive(&g, 60);
	assert_true(fake_driver_used(&g.d, RX, NULL, NULL));
	rig_finish(&g);
}

static uint8_t *put_frame(struct rig *g, size_t len)
{
	uint8_t *p = fake_driver_alloc(&g->d, HEADER + len, 1);

	fill(p + HEADER, len);
	return p;
}

static void test_a_frame_is_sent(void **state)
{
	struct rig g;
	uint8_t *p;

	rig_init(&g, ~0ull);
	p = put_frame(&g, 1514);
	assert_int_equal(fake_driver_do(&g.d, TX, &(struct iovec){ p, HEADER + 1514 }, 1, 0), 0);
	assert_int_equal(g.sent_len, 1514);
	check_bytes(g.sent, 0, 1514);
	assert_int_equal(
		fake_driver_do(&g.d, TX,
			(struct iovec[]){ { p, 5 }, { p + 5, 0 }, { p + 5, 10 }, { p + 15, 100 } },
			4, 0),
		0);
	assert_int_equal(g.sent_len, 103);
	check_bytes(g.sent, 0, 103);
	assert_int_equal(vnet_stats(g.n)->tx_frames, 2);
	assert_int_equal(vnet_stats(g.n)->tx_bytes, 1617);
	rig_finish(&g);
}

static void test_lengths_that_are_no_frame_are_taken_and_lost(void **state)
{
	struct rig g;
	uint8_t *p;

	rig_init(&g, ~0ull);
	p = put_frame(&g, 70000);
	assert_int_equal(fake_driver_do(&g.d, TX, &(struct iovec){ p, HEADER }, 1, 0), 0);
	assert_int_equal(fake_driver_do(&g.d, TX, &(struct iovec){ p, HEADER + 13 }, 1, 0), 0);
	assert_int_equal(fake_driver_do(&g.d, TX, &(struct iovec){ p, HEADER + 1519 }, 1, 0), 0);
	assert_int_equal(fake_driver_do(&g.d, TX, &(struct iovec){ p, HEADER + 70000 }, 1, 0), 0);
	assert_int_equal(g.nsent, 0);
	assert_int_equal(vnet_stats(g.n)->tx_dropped, 4);
	assert_false(needs_reset(&g));
	rig_finish(&g);
}

static void test_broken_sends(void **state)
{
	struct rig g;
	uint8_t *p;

	rig_init(&g, ~0ull);
	p = put_frame(&g, 1514);
	fake_driver_request(&g.d, TX, &(struct iovec){ p, HEADER - 1 }, 1, 0);
	fake_driver_kick(&g.d, TX);
	expect_broken(&g);
	fake_driver_request(&g.d, TX, (struct iovec[]){ { p, 100 }, { p + 100, 4 } }, 1, 1);
	fake_driver_kick(&g.d, TX);
	expect_broken(&g);
	p[0] = 1; /* a checksum is needed */
	fake_driver_request(&g.d, TX, &(struct iovec){ p, 100 }, 1, 0);
	fake_driver_kick(&g.d, TX);
	expect_broken(&g);
	p[0] = 0;
	p[1] = 1; /* TCP over IPv4 */
	fake_driver_request(&g.d, TX, &(struct iovec){ p, 100 }, 1, 0);
	fake_driver_kick(&g.d, TX);
	expect_broken(&g);
	assert_int_equal(g.nsent, 0);
	rig_finish(&g);
}

static void request_sends(struct rig *g, unsigned n)
{
	uint8_t *p = put_frame(g, 60);

	for (unsigned i = 0; i < n; i++)
		fake_driver_request(&g->d, TX, &(struct iovec){ p, HEADER + 60 }, 1, 0);
}

static void test_a_full_cable_holds_frames_back(void **state)
{
	struct rig g;

	rig_init(&g, ~0ull);
	g.full = true;
	request_sends(&g, 3);
	fake_driver_kick(&g.d, TX);
	fake_driver_kick(&g.d, TX);
	assert_false(fake_driver_used(&g.d, TX, NULL, NULL));
	assert_int_equal(g.dev->queues[TX].in_flight, 0);
	g.full = false;
	g.cable.port.writable(g.cable.port.opaque);
	assert_int_equal(g.nsent, 3);
	rig_finish(&g);
}

static void test_a_flood_is_served_over_several_passes(void **state)
{
	struct rig g;

	rig_init(&g, ~0ull);
	request_sends(&g, 200);
	virtio_kick(g.dev, TX);
	assert_int_equal(g.nsent, 128);
	loop_step(g.d.loop, 0);
	assert_int_equal(g.nsent, 200);
	rig_finish(&g);
}

static void test_the_link(void **state)
{
	struct rig g;
	uint8_t c[2];

	rig_init(&g, ~0ull);
	vnet_set_link(g.n, false);
	assert_int_equal(g.d.config_interrupts, 1);
	virtio_config_read(g.dev, 6, c, 2);
	assert_int_equal(le16_get(c), 0);
	add_buffer(&g, 1600);
	arrive(&g, 60);
	assert_false(fake_driver_used(&g.d, RX, NULL, NULL));
	request_sends(&g, 1);
	fake_driver_kick(&g.d, TX);
	assert_true(fake_driver_used(&g.d, TX, NULL, NULL));
	assert_int_equal(g.nsent, 0);
	vnet_set_link(g.n, true);
	arrive(&g, 60);
	assert_true(fake_driver_used(&g.d, RX, NULL, NULL));
	rig_finish(&g);
}

static void test_state_there_and_back(void **state)
{
	static const uint8_t other_mac[6] = { 0x52, 0x54, 9, 9, 9, 9 };
	struct rig g;
	struct net_backend cable = { .ops = &cable_ops };
	struct vnet *clone;
	struct virtio_device *dev;
	struct state_writer w;
	struct state_reader r;
	uint8_t c[8];

	rig_init(&g, ~0ull);
	vnet_set_link(g.n, false);
	assert_true(virtio_quiesce(g.dev, NULL, NULL));
	state_writer_init(&w);
	virtio_save(g.dev, &w);
	clone = vnet_create(other_mac, &cable, g.d.loop, &g.d.mem);
	dev = vnet_device(clone);
	dev->transport = g.dev->transport;
	dev->transport_opaque = &g.d;
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(virtio_load(dev, &r), 0);
	virtio_config_read(dev, 0, c, sizeof c);
	assert_memory_equal(c, mac, 6); /* what the guest goes by */
	assert_int_equal(le16_get(c + 6), 0);
	vnet_set_link(clone, true);
	net_receive(&cable, "before it is resumed", 20);
	g.d.dev = dev;
	add_buffer(&g, 1600);
	assert_false(fake_driver_used(&g.d, RX, NULL, NULL));
	virtio_resume(dev);
	assert_true(fake_driver_used(&g.d, RX, NULL, NULL));
	vnet_destroy(clone);
	state_writer_finish(&w);
	rig_finish(&g);
}

static void test_addresses(void **state)
{
	uint8_t a[6], b[6];

	mac_make("desk-1", a);
	mac_make("desk-1", b);
	assert_memory_equal(a, b, 6);
	mac_make("desk-2", b);
	assert_memory_not_equal(a, b, 6);
	assert_int_equal(a[0] & 3, 2); /* local, unicast */
	mac_make("", a);
	mac_make(NULL, b);
	assert_memory_not_equal(a, b, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_a_frame_arrives),
		cmocka_unit_test(test_a_frame_over_several_buffers),
		cmocka_unit_test(test_tiny_buffers),
		cmocka_unit_test(test_frames_wait_for_buffers_in_a_bounded_line),
		cmocka_unit_test(test_what_is_no_frame_is_dropped),
		cmocka_unit_test(test_broken_receive_buffers),
		cmocka_unit_test(test_a_frame_is_sent),
		cmocka_unit_test(test_lengths_that_are_no_frame_are_taken_and_lost),
		cmocka_unit_test(test_broken_sends),
		cmocka_unit_test(test_a_full_cable_holds_frames_back),
		cmocka_unit_test(test_a_flood_is_served_over_several_passes),
		cmocka_unit_test(test_the_link),
		cmocka_unit_test(test_state_there_and_back),
		cmocka_unit_test(test_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
