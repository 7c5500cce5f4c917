/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proper chains with requests that break their device's own rules: rng, disk, net, input (virtio
 * 1.2, 5.4.6, 5.2.6, 5.1.6, 5.8.6). For gpu see hostile_gpu.c.
 */
#include "lib/target.h"

#include "lib/blk.h"

const char guest_name[] = "hostile_requests";

enum { NET_HEADER = 12, NET_FRAME = 60, GSO_TCPV4 = 1, NEEDS_CSUM = 1 };

static uint8_t scratch[0x10000];

static void submit(struct vq *q, const struct buf *b, unsigned n)
{
	vq_add(q, b, n);
	vq_kick_always(q);
}

static void submit_one(struct vq *q, uint32_t len, bool write)
{
	struct buf b = { scratch, len, write };

	submit(q, &b, 1);
}

/* ---- rng ---- */

static void rng_readable(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[0], 16, false);
}

static void rng_of_no_bytes(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[0], 0, true);
}

static void rng_of_all_memory(struct target *t, struct vq *q)
{
	struct buf b = { (void *)(ram_end() - 0x400000), 0x400000, true };

	CHECK(vq_do(&t->v.queues[0], &b, 1) > 0);
}

/* ---- disk ---- */

static void disk_header_short(struct target *t, struct vq *q)
{
	struct buf b[] = { { scratch, 15, false }, { scratch + 512, 1, true } };

	submit(&t->v.queues[0], b, 2);
}

static void disk_without_status(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[0], 16, false);
}

static void disk_without_header(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[0], 513, true);
}

static void disk_status_of_no_bytes(struct target *t, struct vq *q)
{
	struct buf b[] = { { scratch, 16, false }, { scratch + 512, 0, true } };

	submit(&t->v.queues[0], b, 2);
}

static void disk_odd_lengths(struct target *t, struct vq *q)
{
	static const uint32_t lengths[] = { 1, 511, 513, 0xffff };

	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		CHECK_EQ(blk_do(&t->v, BLK_IN, 0, scratch, lengths[i]), BLK_IOERR);
		CHECK_EQ(blk_do(&t->v, BLK_OUT, 0, scratch, lengths[i]), BLK_IOERR);
	}
	/* Nothing to transfer is answered, one way or the other. */
	blk_do(&t->v, BLK_IN, 0, NULL, 0);
	blk_do(&t->v, BLK_OUT, 0, NULL, 0);
	blk_do(&t->v, BLK_GET_ID, 0, NULL, 0);
	blk_do(&t->v, BLK_GET_ID, 0, scratch, 3);
	blk_do(&t->v, BLK_GET_ID, 0, scratch, 0x1000);
	blk_do(&t->v, BLK_FLUSH, ~0ull, scratch, 512);
}

static void disk_far_sectors(struct target *t, struct vq *q)
{
	uint64_t capacity = read64(t->v.config);
	const uint64_t sectors[] = { capacity, capacity + 1, ~0ull, 1ull << 55, (1ull << 55) - 1,
		1ull << 63, ~0ull / 512 };

	for (unsigned i = 0; i < ARRAY_LEN(sectors); i++) {
		CHECK_EQ(blk_do(&t->v, BLK_IN, sectors[i], scratch, 512), BLK_IOERR);
		CHECK_EQ(blk_do(&t->v, BLK_OUT, sectors[i], scratch, 512), BLK_IOERR);
	}
}

static void disk_unknown_types(struct target *t, struct vq *q)
{
	for (unsigned type = 14; type < 40; type++)
		CHECK_EQ(blk_do(&t->v, type, 0, scratch, 512), BLK_UNSUPP);
	CHECK_EQ(blk_do(&t->v, 0xffffffff, 0, scratch, 512), BLK_UNSUPP);
}

static void disk_bad_ranges(struct target *t, struct vq *q)
{
	static const struct blk_range bad[] = { { ~0ull, 1, 0 }, { 0, 0xffffffff, 0 },
		{ ~0ull, 0xffffffff, 0 }, { 1ull << 55, 8, 0 }, { 0, 8, 0xffffffff } };
	static const uint32_t types[] = { BLK_DISCARD, BLK_WRITE_ZEROES };

	for (unsigned k = 0; k < ARRAY_LEN(types); k++) {
		for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
			memcpy(scratch, &bad[i], sizeof bad[i]);
			CHECK(blk_do(&t->v, types[k], 0, scratch, sizeof bad[i]) != BLK_OK);
		}
		CHECK(blk_do(&t->v, types[k], 0, scratch, 15) != BLK_OK);
		CHECK(blk_do(&t->v, types[k], 0, scratch, 17) != BLK_OK);
		CHECK(blk_do(&t->v, types[k], 0, NULL, 0) != BLK_OK);
		memset(scratch, 0, sizeof scratch);
		blk_do(&t->v, types[k], 0, scratch, 0x10000); /* 4096 ranges of nothing */
	}
}

static void disk_reset_under_way(struct target *t, struct vq *q)
{
	static struct blk_header h;
	static uint8_t status;
	struct buf b[] = { { &h, sizeof h, false }, { scratch, sizeof scratch, true },
		{ &status, 1, true } };

	for (unsigned i = 0; i < 10; i++) {
		for (unsigned k = 0; k < 5; k++)
			vq_add(&t->v.queues[0], b, 3);
		vq_kick_always(&t->v.queues[0]);
		virtio_start(&t->v, t->features); /* which resets first */
	}
}

/* ---- net ---- */

static void net_header_short(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[1], NET_HEADER - 1, false);
}

static void net_writable(struct target *t, struct vq *q)
{
	struct buf b[] = { { scratch, NET_HEADER + NET_FRAME, false }, { scratch, 16, true } };

	submit(&t->v.queues[1], b, 2);
}

static void net_segmentation_unasked(struct target *t, struct vq *q)
{
	scratch[1] = GSO_TCPV4;
	submit_one(&t->v.queues[1], NET_HEADER + NET_FRAME, false);
}

static void net_checksum_unasked(struct target *t, struct vq *q)
{
	scratch[0] = NEEDS_CSUM;
	submit_one(&t->v.queues[1], NET_HEADER + NET_FRAME, false);
}

/* Any length and content: a network takes them or drops them. */
static void net_odd_frames(struct target *t, struct vq *q)
{
	static const uint32_t lengths[] = { 0, 1, 13, 14, 15, 59, 1514, 1515, 9000, 0xff00 };
	uint64_t seed = 7;
	struct buf b = { scratch, 0, false };

	for (unsigned i = 0; i < 60; i++) {
		for (unsigned k = 0; k < 128; k += 8)
			*(uint64_t *)(scratch + 16 + k) = random_next(&seed);
		scratch[24] = 8; /* IP or ARP */
		scratch[25] = i & 1 ? 6 : 0;
		if (!(i & 1))
			scratch[26] = 0x45;
		memset(scratch, 0, NET_HEADER);
		b.len = NET_HEADER + lengths[i % ARRAY_LEN(lengths)];
		vq_do(&t->v.queues[1], &b, 1);
	}
}

/* The receive queue is looked at when a frame comes; judge() sees to it that one does. */
static void net_receives_into_readable(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[0], 1526, false);
}

static void net_receives_into_little(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[0], NET_HEADER - 1, true);
}

static void net_receives_too_little(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[0], NET_HEADER + 8, true);
}

/* ---- input ---- */

static void status_short(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[1], 7, false);
}

static void status_long(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[1], 4096, false);
}

static void status_writable(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[1], 8, true);
}

static void statuses_at_random(struct target *t, struct vq *q)
{
	struct buf b = { scratch, 8, false };
	uint64_t seed = 3;

	for (unsigned i = 0; i < 50; i++) {
		*(uint64_t *)scratch = random_next(&seed) & 0xffffffff001f001full;
		vq_do(&t->v.queues[1], &b, 1);
	}
}

static void event_into_little(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[0], 7, true);
	submit_one(&t->v.queues[0], 7, true);
}

static void event_into_readable(struct target *t, struct vq *q)
{
	submit_one(&t->v.queues[0], 8, false);
	submit_one(&t->v.queues[0], 8, false);
}

#define RULE(expect, what)                                               \
	{                                                                \
#what, EXPECT_##expect, STAGE_LIVE, QUEUES_NONE, 0, what \
	}

#define EVENT(what)                                                      \
	{                                                                \
#what, EXPECT_BROKEN, STAGE_LIVE, QUEUES_EVENTS, 0, what \
	}

static const struct rule rng_rules[] = {
	RULE(BROKEN, rng_readable),
	RULE(BROKEN, rng_of_no_bytes),
	RULE(FINE, rng_of_all_memory),
};
static const struct rule disk_rules[] = {
	RULE(BROKEN, disk_header_short),
	RULE(BROKEN, disk_without_status),
	RULE(BROKEN, disk_without_header),
	RULE(BROKEN, disk_status_of_no_bytes),
	RULE(FINE, disk_odd_lengths),
	RULE(FINE, disk_far_sectors),
	RULE(FINE, disk_unknown_types),
	RULE(FINE, disk_bad_ranges),
	RULE(FINE, disk_reset_under_way),
};
static const struct rule net_rules[] = {
	RULE(BROKEN, net_header_short),
	RULE(BROKEN, net_writable),
	RULE(BROKEN, net_segmentation_unasked),
	RULE(BROKEN, net_checksum_unasked),
	RULE(FINE, net_odd_frames),
	EVENT(net_receives_into_readable),
	EVENT(net_receives_into_little),
	EVENT(net_receives_too_little),
};
static const struct rule input_rules[] = {
	RULE(BROKEN, status_short),
	RULE(BROKEN, status_long),
	RULE(BROKEN, status_writable),
	RULE(FINE, statuses_at_random),
	EVENT(event_into_little),
	EVENT(event_into_readable),
};

void guest_main(void)
{
	struct target *t = target_chosen();

	switch (t->type) {
	case VIRTIO_RNG:
		rules_run(t, rng_rules, ARRAY_LEN(rng_rules));
		break;
	case VIRTIO_BLOCK:
		rules_run(t, disk_rules, ARRAY_LEN(disk_rules));
		break;
	case VIRTIO_NET:
		rules_run(t, net_rules, ARRAY_LEN(net_rules));
		break;
	case VIRTIO_INPUT:
		rules_run(t, input_rules, ARRAY_LEN(input_rules));
		break;
	default:
		fail("no rules for %s", t->name);
	}
}
