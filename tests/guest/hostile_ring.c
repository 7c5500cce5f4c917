/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breaks the rules of rings (virtio 1.2, 2.7) on every queue of device=. */
#include "lib/target.h"

#include "vmm/layout.h"

const char guest_name[] = "hostile_ring";

static uint8_t byte;
static struct vring_desc table[2 * VIRTIO_QUEUE_SIZE] __attribute__((aligned(16)));

static void offer_one(struct vq *q, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	raw_desc(q, 0, addr, len, flags, next);
	raw_offer(q, 0);
}

/* ---- indices ---- */

static void head_outside(struct target *t, struct vq *q)
{
	raw_offer(q, (uint16_t)q->size);
}

static void head_far_outside(struct target *t, struct vq *q)
{
	raw_offer(q, 0xffff);
}

static void next_outside(struct target *t, struct vq *q)
{
	offer_one(q, physical(&byte), 1, DESC_NEXT, q->size);
}

static void loop_of_one(struct target *t, struct vq *q)
{
	offer_one(q, physical(&byte), 1, DESC_NEXT, 0);
}

static void loop_of_all(struct target *t, struct vq *q)
{
	for (unsigned i = 0; i < q->size; i++)
		raw_desc(q, i, physical(&byte), 1, DESC_NEXT, (i + 1) % q->size);
	raw_offer(q, 0);
}

static void index_jump(struct target *t, struct vq *q)
{
	raw_desc(q, 0, physical(&byte), 1, 0, 0);
	q->next_avail += q->size;
	raw_offer(q, 0);
}

static void index_back(struct target *t, struct vq *q)
{
	q->next_avail -= 2;
	raw_offer(q, 0);
}

/* ---- addresses ---- */

static void own_bar(struct target *t, struct vq *q)
{
	offer_one(q, physical(t->v.common), 4, 0, 0);
}

static void own_bar_written(struct target *t, struct vq *q)
{
	offer_one(q, physical(t->v.notify), 4, DESC_WRITE, 0);
}

static void local_apic(struct target *t, struct vq *q)
{
	offer_one(q, LAYOUT_LAPIC, 0x400, DESC_WRITE, 0);
}

static void config_space(struct target *t, struct vq *q)
{
	offer_one(q, LAYOUT_ECAM, 0x1000, 0, 0);
}

static void hole(struct target *t, struct vq *q)
{
	offer_one(q, 0xd0000000, 0x1000, DESC_WRITE, 0);
}

static void across_ram_end(struct target *t, struct vq *q)
{
	offer_one(q, ram_end() - 1, 2, DESC_WRITE, 0);
}

static void address_wraps(struct target *t, struct vq *q)
{
	offer_one(q, ~0ull - 7, 0x1000, DESC_WRITE, 0);
}

static void length_wraps(struct target *t, struct vq *q)
{
	offer_one(q, physical(&byte), 0xffffffff, DESC_WRITE, 0);
}

static void second_piece_bad(struct target *t, struct vq *q)
{
	raw_desc(q, 1, 1ull << 60, 16, DESC_WRITE, 0);
	offer_one(q, physical(&byte), 1, DESC_NEXT, 1);
}

static void readable_after_writable(struct target *t, struct vq *q)
{
	raw_desc(q, 1, physical(&byte), 1, 0, 0);
	offer_one(q, physical(&byte), 1, DESC_WRITE | DESC_NEXT, 1);
}

/* ---- indirect tables ---- */

static void indirect_unasked(struct target *t, struct vq *q)
{
	table[0] = (struct vring_desc){ physical(&byte), 1, 0, 0 };
	offer_one(q, physical(table), 16, DESC_INDIRECT, 0);
}

static void offer_table(struct vq *q, uint32_t len)
{
	offer_one(q, physical(table), len, DESC_INDIRECT, 0);
}

static void indirect_empty(struct target *t, struct vq *q)
{
	offer_table(q, 0);
}

static void indirect_odd_length(struct target *t, struct vq *q)
{
	offer_table(q, 17);
}

static void indirect_too_long(struct target *t, struct vq *q)
{
	table[0] = (struct vring_desc){ physical(&byte), 1, 0, 0 };
	offer_table(q, 16 * (q->size + 1));
}

static void indirect_huge(struct target *t, struct vq *q)
{
	offer_table(q, 0xfffffff0);
}

static void indirect_outside(struct target *t, struct vq *q)
{
	offer_one(q, 1ull << 40, 32, DESC_INDIRECT, 0);
}

static void indirect_in_bar(struct target *t, struct vq *q)
{
	offer_one(q, physical(t->v.common), 32, DESC_INDIRECT, 0);
}

static void indirect_with_next(struct target *t, struct vq *q)
{
	table[0] = (struct vring_desc){ physical(&byte), 1, 0, 0 };
	raw_desc(q, 1, physical(&byte), 1, 0, 0);
	offer_one(q, physical(table), 16, DESC_INDIRECT | DESC_NEXT, 1);
}

static void indirect_nested(struct target *t, struct vq *q)
{
	table[0] = (struct vring_desc){ physical(&table[1]), 16, DESC_INDIRECT, 0 };
	table[1] = (struct vring_desc){ physical(&byte), 1, 0, 0 };
	offer_table(q, 16);
}

static void indirect_next_outside(struct target *t, struct vq *q)
{
	table[0] = (struct vring_desc){ physical(&byte), 1, DESC_NEXT, 2 };
	offer_table(q, 32);
}

static void indirect_loop(struct target *t, struct vq *q)
{
	table[0] = (struct vring_desc){ physical(&byte), 1, DESC_NEXT, 1 };
	table[1] = (struct vring_desc){ physical(&byte), 1, DESC_NEXT, 0 };
	offer_table(q, 32);
}

static void indirect_bad_address(struct target *t, struct vq *q)
{
	table[0] = (struct vring_desc){ ~0ull - 1, 4, DESC_WRITE, 0 };
	offer_table(q, 16);
}

/* ---- what may or may not be noticed ---- */

static void same_head_many_times(struct target *t, struct vq *q)
{
	raw_desc(q, 0, physical(&byte), 1, 0, 0);
	for (unsigned i = 0; i < 3 * q->size; i++)
		raw_offer(q, 0);
}

static void empty_descriptor(struct target *t, struct vq *q)
{
	offer_one(q, physical(&byte), 0, 0, 0);
}

static void unknown_flags(struct target *t, struct vq *q)
{
	offer_one(q, physical(&byte), 1, 0xfff8, 0);
}

/* The device reads what it copied, or what stands there now, but never more than RAM. */
static void changed_under_way(struct target *t, struct vq *q)
{
	for (unsigned i = 0; i < 50; i++) {
		offer_one(q, physical(&byte), 1, i & 1 ? DESC_WRITE : 0, 0);
		raw_desc(q, 0, ~0ull << (i & 31), 0xffffffff, DESC_NEXT | DESC_INDIRECT, 0xffff);
	}
}

static void ring_over_itself(struct target *t, struct vq *q)
{
	offer_one(q, physical(q->desc), 16 * q->size, DESC_WRITE, 0);
	nap();
	offer_one(q, physical(q->used), 4 + 8 * q->size, DESC_WRITE, 0);
	nap();
	offer_one(q, physical(q->avail), 4 + 2 * q->size, 0, 0);
}

static void reset_under_way(struct target *t, struct vq *q)
{
	for (unsigned i = 0; i < 8; i++) {
		raw_desc(q, 0, physical(&byte), 1, i & 1 ? DESC_WRITE : 0, 0);
		raw_offer(q, 0);
		write8(t->v.common + C_STATUS, 0);
		vq_kick_always(q);
		virtio_start(&t->v, t->features);
	}
}

static void kick_absent_queues(struct target *t, struct vq *q)
{
	unsigned n = read16(t->v.common + C_NUM_QUEUES);

	for (unsigned i = n; i < n + 8; i++)
		write16(t->v.notify + t->v.notify_multiplier * i, (uint16_t)i);
	write16(t->v.notify, 0xffff);
	write8(t->v.notify + 1, 0xff);
	write64(t->v.notify, ~0ull);
}

static void kick_storm(struct target *t, struct vq *q)
{
	for (unsigned i = 0; i < 500; i++)
		vq_kick_always(q);
}

#define BROKEN(what)                                                   \
	{                                                              \
#what, EXPECT_BROKEN, STAGE_LIVE, QUEUES_EACH, 0, what \
	}
#define INDIRECT(what)                                                                  \
	{                                                                               \
#what, EXPECT_BROKEN, STAGE_LIVE, QUEUES_EACH, 1ull << F_INDIRECT, what \
	}
#define ANY(what)                                                   \
	{                                                           \
#what, EXPECT_ANY, STAGE_LIVE, QUEUES_EACH, 0, what \
	}
#define FINE(what)                                                   \
	{                                                            \
#what, EXPECT_FINE, STAGE_LIVE, QUEUES_NONE, 0, what \
	}

static const struct rule rules[] = {
	BROKEN(head_outside),
	BROKEN(head_far_outside),
	BROKEN(next_outside),
	BROKEN(loop_of_one),
	BROKEN(loop_of_all),
	BROKEN(index_jump),
	BROKEN(index_back),
	BROKEN(own_bar),
	BROKEN(own_bar_written),
	BROKEN(local_apic),
	BROKEN(config_space),
	BROKEN(hole),
	BROKEN(across_ram_end),
	BROKEN(address_wraps),
	BROKEN(length_wraps),
	BROKEN(second_piece_bad),
	BROKEN(readable_after_writable),
	BROKEN(indirect_unasked),
	INDIRECT(indirect_empty),
	INDIRECT(indirect_odd_length),
	INDIRECT(indirect_too_long),
	INDIRECT(indirect_huge),
	INDIRECT(indirect_outside),
	INDIRECT(indirect_in_bar),
	INDIRECT(indirect_with_next),
	INDIRECT(indirect_nested),
	INDIRECT(indirect_next_outside),
	INDIRECT(indirect_loop),
	INDIRECT(indirect_bad_address),
	ANY(same_head_many_times),
	ANY(empty_descriptor),
	ANY(unknown_flags),
	ANY(changed_under_way),
	ANY(ring_over_itself),
	ANY(reset_under_way),
	FINE(kick_absent_queues),
	FINE(kick_storm),
};

void guest_main(void)
{
	rules_run(target_chosen(), rules, ARRAY_LEN(rules));
}
