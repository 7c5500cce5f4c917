/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target.h"

#include "blk.h"
#include "gpu.h"

enum { BROKEN_MS = 2000, FINE_NAPS = 3, NET_HEADER = 12, ARP_FRAME = 42, RX_BYTES = 1526 };

static struct target targets[];

/* ---- does it work? ---- */

static void sane_rng(struct target *t)
{
	static uint8_t bytes[16];
	struct buf b = { bytes, sizeof bytes, true };

	CHECK(vq_do(&t->v.queues[0], &b, 1) > 0);
}

static void sane_disk(struct target *t)
{
	static uint64_t sector[BLK_SECTOR / 8];

	sector[1] = 0;
	CHECK_EQ(blk_do(&t->v, BLK_IN, 0, sector, sizeof sector), BLK_OK);
	CHECK_EQ(sector[1], 1);
}

static void sane_gpu(struct target *t)
{
	static struct gpu_display_info info;
	struct gpu_header ask = { .type = GPU_GET_DISPLAY_INFO };

	CHECK_EQ(gpu_ask(&t->v, &ask, sizeof ask, &info, sizeof info), GPU_OK_DISPLAY_INFO);
	CHECK(info.modes[0].enabled);
}

static void sane_input(struct target *t)
{
	static const uint16_t led[4] = { 0x11, 1, 0, 0 };
	struct buf b = { led, sizeof led, false };

	vq_do(&t->v.queues[1], &b, 1);
}

/* Asks the gateway for its address, in words of any Ethernet driver. */
static void arp(struct target *t)
{
	static const uint8_t frame[NET_HEADER + ARP_FRAME] = {
		[12] = 255,
		255,
		255,
		255,
		255,
		255,
		0x52,
		0x54,
		0,
		1,
		2,
		3,
		8,
		6,
		0,
		1,
		8,
		0,
		6,
		4,
		0,
		1,
		0x52,
		0x54,
		0,
		1,
		2,
		3,
		10,
		0,
		2,
		15,
		0,
		0,
		0,
		0,
		0,
		0,
		10,
		0,
		2,
		2,
	};
	struct buf b = { frame, sizeof frame, false };

	vq_do(&t->v.queues[1], &b, 1);
}

static void sane_net(struct target *t)
{
	static uint8_t answer[RX_BYTES];
	struct buf b = { answer, sizeof answer, true };
	uint16_t head;
	uint32_t written;

	vq_add(&t->v.queues[0], &b, 1);
	vq_kick(&t->v.queues[0]);
	arp(t);
	CHECK(WAIT(vq_take(&t->v.queues[0], &head, &written), 2000));
	CHECK(written >= NET_HEADER + ARP_FRAME);
}

static void poke_net(struct target *t)
{
	/* The frame may go out of a device that is broken by now, so no answer is waited for. */
	struct vq *q = &t->v.queues[1];
	static uint8_t frame[NET_HEADER + ARP_FRAME];
	struct buf b = { frame, sizeof frame, false };
	static const uint8_t wanted[] = { 255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 1, 2, 3, 8,
		6, 0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 1, 2, 3, 10, 0, 2, 15 };

	memcpy(frame + NET_HEADER, wanted, sizeof wanted);
	frame[NET_HEADER + 38] = 10;
	frame[NET_HEADER + 40] = 2;
	frame[NET_HEADER + 41] = 2;
	vq_add(q, &b, 1);
	vq_kick_always(q);
}

static struct target targets[] = {
	{ "rng", VIRTIO_RNG, 0, 0, sane_rng },
	{ "disk", VIRTIO_BLOCK, 0,
		1ull << BLK_F_FLUSH | 1ull << BLK_F_DISCARD | 1ull << BLK_F_WRITE_ZEROES,
		sane_disk },
	{ "gpu", VIRTIO_GPU, 0, 1ull << GPU_F_EDID | 1ull << GPU_F_BLOB, sane_gpu },
	{ "keyboard", VIRTIO_INPUT, 0, 0, sane_input, .poked_from_outside = true },
	{ "tablet", VIRTIO_INPUT, 1, 0, sane_input, .poked_from_outside = true },
	{ "mouse", VIRTIO_INPUT, 2, 0, sane_input, .poked_from_outside = true },
	{ "net", VIRTIO_NET, 0, 0, sane_net, .poke = poke_net },
};

struct target *target_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(targets); i++) {
		struct target *t = &targets[i];

		if (!strcmp(t->name, name))
			return t->v.common || virtio_find(&t->v, t->name, t->type, t->nth) ? t
											   : NULL;
	}
	return NULL;
}

struct target *target_chosen(void)
{
	const char *name = arg("device");
	struct target *t = target_find(name ? name : "rng");

	if (!t)
		fail("there is no device %s", name);
	return t;
}

void target_revive(struct target *t)
{
	virtio_start(&t->v, t->features);
	t->sanity(t);
}

void targets_revive(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(targets); i++)
		if (target_find(targets[i].name))
			target_revive(&targets[i]);
}

/* ---- rules ---- */

void raw_desc(struct vq *q, unsigned i, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	q->desc[i].addr = addr;
	q->desc[i].len = len;
	q->desc[i].flags = (uint16_t)flags;
	q->desc[i].next = (uint16_t)next;
}

void raw_offer(struct vq *q, uint16_t head)
{
	q->avail[2 + q->next_avail % q->size] = head;
	q->next_avail++;
	fence();
	q->avail[1] = q->next_avail;
	fence();
	vq_kick_always(q);
}

void touch(volatile void *at, uint64_t r)
{
	switch (r & 7) {
	case 0:
		write8(at, (uint8_t)(r >> 8));
		break;
	case 1:
		write16(at, (uint16_t)(r >> 8));
		break;
	case 2:
		write32(at, (uint32_t)(r >> 8));
		break;
	case 3:
		write64(at, r >> 8 | 1ull << 62);
		break;
	case 4:
		read8(at);
		break;
	case 5:
		read16(at);
		break;
	case 6:
		read32(at);
		break;
	case 7:
		read64(at);
		break;
	}
}

uint64_t ram_end(void)
{
	unsigned n;
	const struct pvh_memory *map = pvh_memory_map(&n);
	uint64_t end = 0;

	for (unsigned i = 0; i < n; i++)
		if (map[i].type == PVH_RAM && map[i].addr + map[i].size <= 1ull << 32)
			end = map[i].addr + map[i].size;
	return end;
}

/* Brings the device to where the rule begins. */
static void enter_stage(struct target *t, const struct rule *r)
{
	uint64_t wanted = t->features | r->features | 1ull << F_VERSION_1;

	if (r->stage == STAGE_LIVE) {
		virtio_start(&t->v, t->features | r->features);
		return;
	}
	virtio_reset(&t->v);
	virtio_add_status(&t->v, STATUS_ACKNOWLEDGE);
	virtio_add_status(&t->v, STATUS_DRIVER);
	if (r->stage == STAGE_RESET)
		return;
	CHECK(virtio_negotiate(&t->v, virtio_offered(&t->v) & wanted));
	for (unsigned q = 0; q < t->v.nqueues; q++)
		virtio_make_queue(&t->v, q);
}

static void judge(struct target *t, const struct rule *r, const struct vq *q, unsigned had)
{
	bool needs = r->expect == EXPECT_BROKEN;

	/* Queues of events are read only when there is an event. */
	if (r->stage == STAGE_LIVE && r->queues != QUEUES_NONE && q->index == 0) {
		if (t->poke)
			t->poke(t);
		if (t->poked_from_outside && !arg_u64("poke", 0))
			needs = false;
	}
	if (!needs) {
		for (unsigned i = 0; i < FINE_NAPS; i++)
			nap();
		if (r->expect == EXPECT_FINE && virtio_status(&t->v) & STATUS_NEEDS_RESET)
			fail("%s: %s, queue %u: needs a reset", t->name, r->name, q->index);
		return;
	}
	if (!WAIT(virtio_status(&t->v) & STATUS_NEEDS_RESET, BROKEN_MS))
		fail("%s: %s, queue %u: accepted, status 0x%x", t->name, r->name, q->index,
			virtio_status(&t->v));
	if (r->stage == STAGE_LIVE && !WAIT(interrupts(t->v.config_vector) != had, BROKEN_MS))
		fail("%s: %s, queue %u: no config interrupt", t->name, r->name, q->index);
}

static void run_rule(struct target *t, struct target *bystander, const struct rule *r, unsigned q)
{
	unsigned had;

	print("rule %s %u\n", r->name, q);
	enter_stage(t, r);
	had = interrupts(t->v.config_vector);
	r->run(t, &t->v.queues[q]);
	judge(t, r, &t->v.queues[q], had);
	if (bystander)
		bystander->sanity(bystander);
	target_revive(t);
}

void rules_run(struct target *t, const struct rule *rules, unsigned n)
{
	struct target *bystander = target_find(t->type == VIRTIO_RNG ? "disk" : "rng");
	const char *only = arg("rule");

	if (bystander)
		target_revive(bystander);
	target_revive(t);
	for (unsigned i = 0; i < n; i++) {
		if ((only && strcmp(only, rules[i].name)) ||
			rules[i].features & ~virtio_offered(&t->v))
			continue;
		for (unsigned q = 0; q < (rules[i].queues == QUEUES_EACH ? t->v.nqueues : 1); q++)
			run_rule(t, bystander, &rules[i], q);
	}
}
