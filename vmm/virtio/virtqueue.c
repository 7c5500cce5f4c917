/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/virtqueue.h"

#include <errno.h>
#include <stdatomic.h>

#include "util/bytes.h"
#include "vmm/memory.h"
#include "vmm/state.h"
#include "vmm/virtio/virtio.h"

/* 2.7.5 */
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

/* Rings, 2.7.6 and 2.7.8: flags, idx, then the entries; the event index stands behind them. */
enum { RING_FLAGS = 0, RING_IDX = 2, RING_ENTRIES = 4, AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };

static uint16_t *avail_u16(const struct virtqueue *vq, unsigned offset)
{
	return (uint16_t *)(vq->avail + offset);
}

static uint16_t *used_u16(const struct virtqueue *vq, unsigned offset)
{
	return (uint16_t *)(vq->used + offset);
}

/* The driver's wish for an interrupt, behind its ring; ours for a kick, behind the used ring. */
static uint16_t *used_event(const struct virtqueue *vq)
{
	return avail_u16(vq, RING_ENTRIES + 2 * vq->size);
}

static uint16_t *avail_event(const struct virtqueue *vq)
{
	return used_u16(vq, RING_ENTRIES + 8 * vq->size);
}

int vq_start(struct virtqueue *vq, bool event_idx, bool indirect)
{
	if (!vq->size || vq->size > vq->size_max || (vq->size & (vq->size - 1)))
		return -EINVAL;
	if (vq->desc_gpa % 16 || vq->avail_gpa % 2 || vq->used_gpa % 4)
		return -EINVAL;
	vq->desc = memory_ptr(vq->mem, vq->desc_gpa, 16ull * vq->size);
	vq->avail = memory_ptr(vq->mem, vq->avail_gpa, 6ull + 2 * vq->size);
	vq->used = memory_ptr(vq->mem, vq->used_gpa, 6ull + 8 * vq->size);
	if (!vq->desc || !vq->avail || !vq->used)
		return -EINVAL;
	vq->event_idx = event_idx;
	vq->indirect = indirect;
	return 0;
}

void vq_reset(struct virtqueue *vq)
{
	*vq = (struct virtqueue){
		.dev = vq->dev,
		.mem = vq->mem,
		.index = vq->index,
		.size_max = vq->size_max,
		.size = vq->size_max,
		.vector = VIRTIO_NO_VECTOR,
	};
}

static bool usable(const struct virtqueue *vq)
{
	return vq->avail && !virtio_is_broken(vq->dev);
}

/* Acquire: entries and descriptors that the index covers are visible once it is. */
static uint16_t load_avail_idx(const struct virtqueue *vq)
{
	return __atomic_load_n(avail_u16(vq, RING_IDX), __ATOMIC_ACQUIRE);
}

bool vq_has_work(const struct virtqueue *vq)
{
	return usable(vq) && load_avail_idx(vq) != vq->next_avail;
}

/*
 * Tells the driver that it must kick for what it adds from here, then looks again: without the
 * fence both sides could miss each other (2.7.10).
 */
static bool ask_for_kick(struct virtqueue *vq)
{
	if (vq->event_idx)
		__atomic_store_n(avail_event(vq), vq->next_avail, __ATOMIC_RELAXED);
	else
		__atomic_store_n(used_u16(vq, RING_FLAGS), 0, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
	return load_avail_idx(vq) != vq->next_avail;
}

static void broken(struct virtqueue *vq, const char *what, unsigned value)
{
	virtio_broken(vq->dev, "queue %u: %s (%u)", vq->index, what, value);
}

/* Adds one piece; writable pieces follow all readable ones (2.7.4.2). */
static bool add_piece(struct virtqueue *vq, struct vq_chain *c, const struct desc *d)
{
	unsigned n = c->nout + c->nin;
	void *host;

	if (n == VQ_SIZE_MAX) {
		broken(vq, "a request has too many descriptors", n + 1);
		return false;
	}
	host = memory_ptr(vq->mem, d->addr, d->len);
	if (!host) {
		virtio_broken(vq->dev, "queue %u: a descriptor is not in RAM (0x%llx, %u bytes)",
			vq->index, (unsigned long long)d->addr, d->len);
		return false;
	}
	c->iov[n] = (struct iovec){ host, d->len };
	if (d->flags & DESC_WRITE) {
		c->nin++;
		c->in_len += d->len;
	} else if (c->nin) {
		broken(vq, "a readable descriptor follows a writable one", n);
		return false;
	} else {
		c->nout++;
		c->out_len += d->len;
	}
	if (c->in_len + c->out_len > UINT32_MAX) {
		broken(vq, "a request is longer than 4 GiB, descriptors", n + 1);
		return false;
	}
	return true;
}

/* Walks a table of count descriptors from index at; each is copied before it is looked at. */
static bool walk(struct virtqueue *vq, struct vq_chain *c, const uint8_t *table, unsigned count,
	unsigned at, bool is_indirect)
{
	for (unsigned steps = 0;; steps++) {
		struct desc d;

		if (at >= count) {
			broken(vq, "a descriptor index is outside its table", at);
			return false;
		}
		if (steps == count) {
			broken(vq, "a chain loops, descriptors", steps);
			return false;
		}
		memcpy(&d, table + 16ull * at, sizeof d);
		if (d.flags & DESC_INDIRECT) {
			const uint8_t *inner;

			if (is_indirect || !vq->indirect || d.flags & (DESC_NEXT | DESC_WRITE)) {
				broken(vq, "an indirect descriptor where none may be, flags",
					d.flags);
				return false;
			}
			if (!d.len || d.len % 16 || d.len / 16 > vq->size) {
				broken(vq, "an indirect table has a bad length", d.len);
				return false;
			}
			inner = memory_ptr(vq->mem, d.addr, d.len);
			if (!inner) {
				broken(vq, "an indirect table is not in RAM, bytes", d.len);
				return false;
			}
			return walk(vq, c, inner, d.len / 16, 0, true);
		}
		if (!add_piece(vq, c, &d))
			return false;
		if (!(d.flags & DESC_NEXT))
			return true;
		at = d.next;
	}
}

bool vq_pop(struct virtqueue *vq, struct vq_chain *c)
{
	uint16_t pending;

	if (!usable(vq))
		return false;
	pending = load_avail_idx(vq) - vq->next_avail;
	if (!pending) {
		if (!ask_for_kick(vq))
			return false;
		pending = load_avail_idx(vq) - vq->next_avail;
	}
	if (pending > vq->size) {
		broken(vq, "the available index jumped ahead", pending);
		return false;
	}
	/* More in flight than the queue has entries: some head was made available twice. */
	if (vq->in_flight >= vq->size) {
		broken(vq, "more requests than entries", vq->in_flight + 1u);
		return false;
	}
	c->head =
		__atomic_load_n(avail_u16(vq, RING_ENTRIES + 2 * (vq->next_avail & (vq->size - 1))),
			__ATOMIC_RELAXED);
	c->nout = c->nin = 0;
	c->out_len = c->in_len = 0;
	if (!walk(vq, c, vq->desc, vq->size, c->head, false))
		return false;
	vq->next_avail++;
	vq->in_flight++;
	return true;
}

void vq_unpop(struct virtqueue *vq)
{
	vq->next_avail--;
	vq->in_flight--;
}

void vq_push_together(struct virtqueue *vq, const struct vq_used *used, unsigned n)
{
	if (!usable(vq))
		return;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *entry = vq->used + RING_ENTRIES + 8u * (vq->next_used & (vq->size - 1));

		le32_put(entry, used[i].head);
		le32_put(entry + 4, used[i].written);
		vq->next_used++;
		vq->in_flight--;
	}
	/* Release: the entries and the data they speak of are visible before the index. */
	__atomic_store_n(used_u16(vq, RING_IDX), vq->next_used, __ATOMIC_RELEASE);
}

void vq_push(struct virtqueue *vq, uint16_t head, uint32_t written)
{
	vq_push_together(vq, &(struct vq_used){ head, written }, 1);
}

void vq_notify(struct virtqueue *vq)
{
	uint16_t old = vq->signalled_used, new = vq->next_used;

	if (!usable(vq) || old == new)
		return;
	vq->signalled_used = new;
	/* Pairs with the driver's fence between its wish and its look at the used index. */
	atomic_thread_fence(memory_order_seq_cst);
	if (vq->event_idx) {
		uint16_t wish = __atomic_load_n(used_event(vq), __ATOMIC_RELAXED);

		/* 2.7.7.2: the wish lies among the entries of this round */
		if ((uint16_t)(new - wish - 1) >= (uint16_t)(new - old))
			return;
	} else if (__atomic_load_n(avail_u16(vq, RING_FLAGS), __ATOMIC_RELAXED) &
		   AVAIL_NO_INTERRUPT) {
		return;
	}
	vq->dev->transport->interrupt_queue(vq->dev->transport_opaque, vq);
}

/* ---- copies ---- */

static size_t copy_pieces(
	const struct iovec *iov, unsigned n, size_t offset, uint8_t *buf, size_t len, bool to_guest)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t part;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = MIN(iov[i].iov_len - offset, len - done);
		if (to_guest)
			memcpy((uint8_t *)iov[i].iov_base + offset, buf + done, part);
		else
			memcpy(buf + done, (uint8_t *)iov[i].iov_base + offset, part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t vq_chain_read(const struct vq_chain *c, size_t offset, void *buf, size_t len)
{
	return copy_pieces(c->iov, c->nout, offset, buf, len, false);
}

size_t vq_chain_write(const struct vq_chain *c, size_t offset, const void *buf, size_t len)
{
	return copy_pieces(c->iov + c->nout, c->nin, offset, (uint8_t *)buf, len, true);
}

/* ---- state ---- */

void vq_save(const struct virtqueue *vq, struct state_writer *w)
{
	state_put_u16(w, vq->size);
	state_put_u16(w, vq->vector);
	state_put_u8(w, vq->enabled);
	state_put_u64(w, vq->desc_gpa);
	state_put_u64(w, vq->avail_gpa);
	state_put_u64(w, vq->used_gpa);
	state_put_u16(w, vq->next_avail);
	state_put_u16(w, vq->next_used);
	state_put_u16(w, vq->signalled_used);
}

int vq_load(struct virtqueue *vq, struct state_reader *r)
{
	vq_reset(vq);
	vq->size = state_get_u16(r);
	vq->vector = state_get_u16(r);
	vq->enabled = state_get_u8(r);
	vq->desc_gpa = state_get_u64(r);
	vq->avail_gpa = state_get_u64(r);
	vq->used_gpa = state_get_u64(r);
	vq->next_avail = state_get_u16(r);
	vq->next_used = state_get_u16(r);
	vq->signalled_used = state_get_u16(r);
	return r->failed ? -EINVAL : 0;
}
