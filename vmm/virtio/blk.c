/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/blk.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/bytes.h"
#include "util/iov.h"
#include "util/loop.h"
#include "vmm/block/disk.h"
#include "vmm/state.h"
#include "vmm/virtio/virtio.h"

/* 5.2.3 */
#define VBLK_F_SEG_MAX      (1ull << 2)
#define VBLK_F_RO           (1ull << 5)
#define VBLK_F_BLK_SIZE     (1ull << 6)
#define VBLK_F_FLUSH        (1ull << 9)
#define VBLK_F_TOPOLOGY     (1ull << 10)
#define VBLK_F_MQ           (1ull << 12)
#define VBLK_F_DISCARD      (1ull << 13)
#define VBLK_F_WRITE_ZEROES (1ull << 14)

/* 5.2.4 */
struct vblk_config {
	uint64_t capacity; /* sectors of 512 bytes, as everywhere in this device */
	uint32_t size_max, seg_max;
	uint8_t geometry[4];
	uint32_t blk_size;
	uint8_t physical_block_exp, alignment_offset;
	uint16_t min_io_size;
	uint32_t opt_io_size;
	uint8_t writeback, unused0;
	uint16_t num_queues;
	uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
	uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
} __attribute__((packed));

/* 5.2.6 */
enum vblk_type {
	VBLK_T_IN = 0,
	VBLK_T_OUT = 1,
	VBLK_T_FLUSH = 4,
	VBLK_T_GET_ID = 8,
	VBLK_T_DISCARD = 11,
	VBLK_T_WRITE_ZEROES = 13,
};
enum vblk_status { VBLK_S_OK, VBLK_S_IOERR, VBLK_S_UNSUPP };
enum { VBLK_ID_LEN = 20, VBLK_SEGMENT_UNMAP = 1 };

struct vblk_header {
	uint32_t type, ioprio;
	uint64_t sector;
};

struct vblk_segment {
	uint64_t sector;
	uint32_t count, flags;
};

enum {
	QUEUE_SIZE = VQ_SIZE_MAX,
	POOL_MAX = 128, /* requests in flight; the rest waits in the rings */
	PASS_MAX = 256, /* requests taken from a queue before others have their turn */
	SEGMENTS_MAX = 32,
	RANGE_MAX =
		256 * MIB / DISK_SECTOR, /* sectors of a segment; bounds how long a drain takes */
};

struct vblk_request {
	struct vblk_request *next; /* in the free list */
	struct vblk *b;
	struct virtqueue *vq;
	struct disk_request disk;
	uint8_t *status;
	uint32_t written; /* bytes of the in area that the caller gets if all is well */
	bool sync;        /* a flush is to follow: the driver does not flush by itself */
	unsigned nsegments, segment;
	struct vblk_segment segments[SEGMENTS_MAX];
	struct vq_chain chain;
};

struct vblk {
	struct virtio_device dev;
	char name[24];
	char id[VBLK_ID_LEN];
	struct vblk_config config;
	struct disk *disk;

	struct vblk_request *pool, *free; /* POOL_MAX; memory is touched as far as it was used */
	unsigned fresh;                   /* of the pool, never used so far */
	unsigned in_flight;
	bool drain_waits; /* virtio_drained() is owed */
	unsigned notify;  /* bit a queue: requests were returned in this pass */
	unsigned starved; /* bit a queue: work was left in the ring */
	struct loop_work later;
};

/* ---- requests ---- */

static struct vblk_request *vblk_get(struct vblk *b)
{
	struct vblk_request *r = b->free;

	if (r)
		b->free = r->next;
	else if (b->fresh < POOL_MAX)
		r = &b->pool[b->fresh++];
	return r;
}

static void vblk_put(struct vblk *b, struct vblk_request *r)
{
	r->next = b->free;
	b->free = r;
}

static void vblk_notify(struct vblk *b)
{
	for (unsigned q = 0; q < b->dev.nqueues; q++)
		if (b->notify >> q & 1)
			vq_notify(&b->dev.queues[q]);
	b->notify = 0;
}

/* The end of a request, whether it was returned or not. */
static void vblk_release(struct vblk *b, struct vblk_request *r)
{
	vblk_put(b, r);
	b->in_flight--;
	if (b->drain_waits && !b->in_flight) {
		b->drain_waits = false;
		vblk_notify(b);
		virtio_drained(&b->dev);
	}
}

static void vblk_return(struct vblk_request *r, enum vblk_status status)
{
	struct vblk *b = r->b;
	uint32_t written = status == VBLK_S_OK ? r->written : 0;

	*r->status = (uint8_t)status;
	if (written == r->chain.in_len - 1) /* no gap before the status */
		written++;
	vq_push(r->vq, r->chain.head, written);
	b->notify |= 1u << r->vq->index;
	loop_post(b->dev.loop, &b->later); /* one interrupt for all of this pass */
	vblk_release(b, r);
}

/* ---- what is asked of the disk ---- */

static void vblk_submit_segment(struct vblk_request *r)
{
	const struct vblk_segment *s = &r->segments[r->segment++];

	r->disk.unmap = s->flags & VBLK_SEGMENT_UNMAP;
	r->disk.offset = s->sector * DISK_SECTOR;
	r->disk.len = (uint64_t)s->count * DISK_SECTOR;
	disk_submit(r->b->disk, &r->disk);
}

static void vblk_disk_done(struct disk_request *d, int err)
{
	struct vblk_request *r = CONTAINER(d, struct vblk_request, disk);

	if (err) {
		vblk_return(r, VBLK_S_IOERR);
	} else if (r->segment < r->nsegments) {
		vblk_submit_segment(r);
	} else if (r->sync) {
		r->sync = false;
		r->disk.op = DISK_FLUSH;
		disk_submit(r->b->disk, &r->disk);
	} else {
		vblk_return(r, VBLK_S_OK);
	}
}

/* Without FLUSH the driver takes what is completed for stable (5.2.6.2). */
static bool vblk_write_through(const struct vblk *b)
{
	return !(b->dev.driver_features & VBLK_F_FLUSH);
}

/* The disk checks the range and whether it may be written. */
static void vblk_transfer(
	struct vblk_request *r, enum disk_op op, uint64_t sector, struct iovec *iov, unsigned n)
{
	uint64_t len = iov_bytes(iov, n);

	if (__builtin_mul_overflow(sector, DISK_SECTOR, &r->disk.offset) || len % DISK_SECTOR) {
		vblk_return(r, VBLK_S_IOERR);
		return;
	}
	r->disk.op = op;
	r->disk.iov = iov;
	r->disk.niov = n;
	r->disk.len = len;
	r->written = op == DISK_READ ? (uint32_t)len : 0;
	r->sync = op == DISK_WRITE && vblk_write_through(r->b);
	disk_submit(r->b->disk, &r->disk);
}

/* 5.2.6.2: unknown flags, and unmap on a discard, are unsupported. */
static enum vblk_status vblk_judge_segment(
	const struct vblk *b, const struct vblk_segment *s, enum disk_op op)
{
	if (s->flags & ~(op == DISK_DISCARD ? 0u : (unsigned)VBLK_SEGMENT_UNMAP))
		return VBLK_S_UNSUPP;
	if (s->count > RANGE_MAX || !range_inside(s->sector, s->count, b->config.capacity))
		return VBLK_S_IOERR;
	return VBLK_S_OK;
}

/* All segments are copied and judged before the first is carried out. */
static void vblk_ranges(struct vblk_request *r, enum disk_op op)
{
	size_t len = r->chain.out_len - sizeof(struct vblk_header);
	enum vblk_status status = VBLK_S_OK;

	if (!len || len % sizeof r->segments[0] || len > sizeof r->segments) {
		vblk_return(r, VBLK_S_IOERR);
		return;
	}
	vq_chain_read(&r->chain, sizeof(struct vblk_header), r->segments, len);
	r->nsegments = (unsigned)(len / sizeof r->segments[0]);
	for (unsigned i = 0; i < r->nsegments && status == VBLK_S_OK; i++)
		status = vblk_judge_segment(r->b, &r->segments[i], op);
	if (disk_info(r->b->disk)->readonly)
		status = VBLK_S_IOERR;
	if (status != VBLK_S_OK) {
		vblk_return(r, status);
		return;
	}
	r->disk.op = op;
	r->disk.niov = 0;
	r->sync = vblk_write_through(r->b);
	vblk_submit_segment(r);
}

static void vblk_flush(struct vblk_request *r)
{
	r->disk.op = DISK_FLUSH;
	disk_submit(r->b->disk, &r->disk);
}

static void vblk_get_id(struct vblk_request *r)
{
	size_t room = r->chain.in_len - 1;

	r->written = (uint32_t)vq_chain_write(&r->chain, 0, r->b->id, MIN(room, sizeof r->b->id));
	vblk_return(r, VBLK_S_OK);
}

/* ---- taking requests ---- */

/* The last byte of the in area, which is not empty. */
static uint8_t *vblk_status_byte(struct vq_chain *c)
{
	unsigned i = c->nout + c->nin - 1u;

	while (!c->iov[i].iov_len)
		i--;
	return (uint8_t *)c->iov[i].iov_base + c->iov[i].iov_len - 1;
}

static void vblk_dispatch(struct vblk_request *r, const struct vblk_header *h)
{
	struct vq_chain *c = &r->chain;
	uint64_t features = r->b->dev.driver_features;
	struct iovec *iov = c->iov;
	unsigned n = c->nout;

	switch (h->type) {
	case VBLK_T_IN:
		iov += c->nout;
		n = c->nin;
		iov_truncate(iov, &n, c->in_len - 1);
		vblk_transfer(r, DISK_READ, h->sector, iov, n);
		return;
	case VBLK_T_OUT:
		iov_skip(&iov, &n, sizeof *h);
		vblk_transfer(r, DISK_WRITE, h->sector, iov, n);
		return;
	case VBLK_T_FLUSH:
		vblk_flush(r);
		return;
	case VBLK_T_GET_ID:
		vblk_get_id(r);
		return;
	case VBLK_T_DISCARD:
		if (!(features & VBLK_F_DISCARD))
			break;
		vblk_ranges(r, DISK_DISCARD);
		return;
	case VBLK_T_WRITE_ZEROES:
		if (!(features & VBLK_F_WRITE_ZEROES))
			break;
		vblk_ranges(r, DISK_WRITE_ZEROES);
		return;
	}
	vblk_return(r, VBLK_S_UNSUPP);
}

static void vblk_begin(struct vblk *b, struct virtqueue *vq, struct vblk_request *r)
{
	struct vblk_header h;

	r->b = b;
	r->vq = vq;
	r->written = 0;
	r->sync = false;
	r->nsegments = r->segment = 0;
	r->disk.done = vblk_disk_done;
	b->in_flight++;
	if (vq_chain_read(&r->chain, 0, &h, sizeof h) < sizeof h || !r->chain.in_len) {
		virtio_broken(&b->dev, "a request has %zu bytes of header and %zu for its status",
			r->chain.out_len, r->chain.in_len);
		vblk_release(b, r);
		return;
	}
	r->status = vblk_status_byte(&r->chain);
	vblk_dispatch(r, &h);
}

static void vblk_kick(struct virtio_device *dev, unsigned q)
{
	struct vblk *b = CONTAINER(dev, struct vblk, dev);
	struct vblk_request *r = NULL;

	b->starved &= ~(1u << q);
	for (unsigned n = 0; n < PASS_MAX; n++) {
		r = vblk_get(b);
		if (!r)
			break; /* the next one returned will look here again */
		if (!vq_pop(&dev->queues[q], &r->chain)) {
			vblk_put(b, r);
			return;
		}
		vblk_begin(b, &dev->queues[q], r);
	}
	b->starved |= 1u << q;
	if (r)
		loop_post(dev->loop, &b->later);
}

static void vblk_later(void *opaque)
{
	struct vblk *b = opaque;

	vblk_notify(b);
	for (unsigned q = 0; q < b->dev.nqueues; q++)
		if (b->starved >> q & 1)
			virtio_kick(&b->dev, q);
}

/* ---- life ---- */

static bool vblk_drain(struct virtio_device *dev)
{
	struct vblk *b = CONTAINER(dev, struct vblk, dev);

	vblk_notify(b);
	b->drain_waits = b->in_flight > 0;
	return !b->drain_waits;
}

static void vblk_reset(struct virtio_device *dev)
{
	struct vblk *b = CONTAINER(dev, struct vblk, dev);

	b->notify = b->starved = 0;
}

/* What the guest believes of the disk must be true of this one. */
static void vblk_save(struct virtio_device *dev, struct state_writer *w)
{
	struct vblk *b = CONTAINER(dev, struct vblk, dev);

	state_put_u64(w, b->config.capacity);
	state_put_u8(w, disk_info(b->disk)->readonly);
}

static int vblk_load(struct virtio_device *dev, struct state_reader *r)
{
	struct vblk *b = CONTAINER(dev, struct vblk, dev);
	uint64_t capacity = state_get_u64(r);
	bool readonly = state_get_u8(r);

	return capacity == b->config.capacity && readonly == disk_info(b->disk)->readonly ? 0
											  : -EINVAL;
}

static const struct virtio_ops vblk_ops = {
	.kick = vblk_kick,
	.drain = vblk_drain,
	.reset = vblk_reset,
	.save = vblk_save,
	.load = vblk_load,
};

static void vblk_fill_config(struct vblk *b, const struct disk_info *i)
{
	unsigned blocks = i->physical_block / DISK_SECTOR;

	b->config = (struct vblk_config){
		.capacity = i->size / DISK_SECTOR,
		.seg_max = VQ_SIZE_MAX - 2, /* header and status */
		.blk_size = DISK_SECTOR,
		.physical_block_exp = (uint8_t)__builtin_ctz(blocks),
		.min_io_size = (uint16_t)blocks,
		.num_queues = (uint16_t)b->dev.nqueues,
		.max_discard_sectors = RANGE_MAX,
		.max_discard_seg = SEGMENTS_MAX,
		.discard_sector_alignment = blocks,
		.max_write_zeroes_sectors = RANGE_MAX,
		.max_write_zeroes_seg = SEGMENTS_MAX,
		.write_zeroes_may_unmap = 1,
	};
}

static void vblk_init_device(struct vblk *b, unsigned queues)
{
	const struct disk_info *i = disk_info(b->disk);

	b->dev.name = b->name;
	b->dev.ops = &vblk_ops;
	b->dev.id = VIRTIO_ID_BLOCK;
	b->dev.nqueues = queues;
	b->dev.config = &b->config;
	b->dev.config_len = sizeof b->config;
	b->dev.features = VBLK_F_SEG_MAX | VBLK_F_BLK_SIZE | VBLK_F_FLUSH | VBLK_F_TOPOLOGY;
	b->dev.features |= queues > 1 ? VBLK_F_MQ : 0;
	b->dev.features |= i->readonly ? VBLK_F_RO : VBLK_F_DISCARD | VBLK_F_WRITE_ZEROES;
	vblk_fill_config(b, i);
}

struct vblk *vblk_create(unsigned index, const char *id, struct disk *disk, unsigned queues,
	struct loop *loop, const struct memory *mem)
{
	struct vblk *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->pool = calloc(POOL_MAX, sizeof *b->pool);
	if (!b->pool) {
		free(b);
		return NULL;
	}
	if (*disk_info(disk)->serial)
		id = disk_info(disk)->serial;
	memcpy(b->id, id, strnlen(id, sizeof b->id)); /* not terminated where it is full */
	snprintf(b->name, sizeof b->name, "virtio-blk %u", index);
	b->disk = disk;
	b->later = (struct loop_work){ .fn = vblk_later, .opaque = b };
	vblk_init_device(b, MAX(1, MIN(queues, VBLK_QUEUES_MAX)));
	virtio_init(&b->dev, loop, mem, QUEUE_SIZE);
	return b;
}

void vblk_destroy(struct vblk *b)
{
	if (!b)
		return;
	assert(!b->in_flight);
	loop_unpost(b->dev.loop, &b->later);
	virtio_finish(&b->dev);
	free(b->pool);
	free(b);
}

struct virtio_device *vblk_device(struct vblk *b)
{
	return &b->dev;
}
