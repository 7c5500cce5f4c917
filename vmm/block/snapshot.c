/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot=on: a disk whose changes are thrown away.
 *
 *   base (read only)   | A | B | C | D |      clusters of 4 KiB
 *   map                  0   1   1   0        1: look in the top
 *   top (nameless)     |   | b | c |   |      same offsets, sparse
 *
 * A write takes whole clusters to the top: what it leaves of its first and last cluster is read
 * from the base and written along. The bits are set when that write has landed, so a read finds
 * the old bytes or the new ones and never the hole between.
 *
 * While a request is about to set bits, another that changes any of its clusters waits: were both
 * to fill up the same cluster from the base, the later one would undo the earlier. Reads wait for
 * nobody, since the driver that has both in flight asked for no order.
 */
#include "vmm/block/disk_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/iov.h"
#include "util/log.h"

enum { CLUSTER = 4096, CLUSTER_SHIFT = 12 };

struct snapshot {
	struct disk disk;
	struct disk *base, *top;
	uint64_t *map;              /* one bit a cluster */
	struct snapshot_op *active; /* those about to set bits */
	struct snapshot_op *waiting, **waiting_tail;
};

/* What is next. A read repeats SNAP_RUN; a write goes from SNAP_FILL_HEAD on to the end. */
enum snapshot_step {
	SNAP_RUN,       /* read, discard: the next clusters that are in one place */
	SNAP_FILL_HEAD, /* read what stands before the write in its first cluster */
	SNAP_FILL_TAIL, /* … and behind it in its last */
	SNAP_BODY,      /* write, with the fills around it; or zero */
	SNAP_PUT_HEAD,  /* zero only: write the fills */
	SNAP_PUT_TAIL,
	SNAP_SET, /* set the bits */
	SNAP_END,
};

struct snapshot_op {
	struct snapshot_op *next;
	struct snapshot *s;
	struct disk_request *parent;
	struct disk_request child;
	enum snapshot_step step;
	uint64_t at, end;        /* bytes of the parent that are still to do */
	uint64_t first, last;    /* clusters, the last one excluded */
	bool allocating;         /* in the list of active ones */
	uint8_t *fill;           /* two clusters, where needed */
	struct iovec head, tail; /* of fill; empty where nothing is to be filled */
	struct iovec iov[];      /* room for the parent's pieces and both fills */
};

static void snapshot_go(struct snapshot_op *op);

/* ---- the map ---- */

static bool map_get(const struct snapshot *s, uint64_t cluster)
{
	return s->map[cluster / 64] >> cluster % 64 & 1;
}

static void map_set(struct snapshot *s, uint64_t first, uint64_t last)
{
	for (uint64_t c = first; c < last; c++) {
		if (c % 64 == 0 && last - c >= 64) {
			s->map[c / 64] = UINT64_MAX;
			c += 63;
		} else {
			s->map[c / 64] |= 1ull << c % 64;
		}
	}
}

/* The first cluster of [first, last) whose bit is not value, or last. */
static uint64_t map_run(const struct snapshot *s, uint64_t first, uint64_t last, bool value)
{
	uint64_t same = value ? UINT64_MAX : 0;

	while (first < last) {
		if (first % 64 == 0 && last - first >= 64 && s->map[first / 64] == same)
			first += 64;
		else if (map_get(s, first) == value)
			first++;
		else
			break;
	}
	return first;
}

/* ---- who waits for whom ---- */

static bool snapshot_must_wait(const struct snapshot_op *op)
{
	for (const struct snapshot_op *a = op->s->active; a; a = a->next)
		if (op->first < a->last && a->first < op->last)
			return true;
	return false;
}

static void snapshot_unlink(struct snapshot_op **list, struct snapshot_op *op)
{
	while (*list != op)
		list = &(*list)->next;
	*list = op->next;
}

/* Decides, once nobody stands in its way, whether the op sets bits. */
static void snapshot_begin(struct snapshot_op *op)
{
	struct snapshot *s = op->s;

	op->allocating = map_run(s, op->first, op->last, true) < op->last;
	if (op->allocating) {
		op->next = s->active;
		s->active = op;
	}
	snapshot_go(op);
}

/* Starts one that may go now; false: none. */
static bool snapshot_wake_one(struct snapshot *s)
{
	for (struct snapshot_op **at = &s->waiting; *at; at = &(*at)->next) {
		struct snapshot_op *op = *at;

		if (snapshot_must_wait(op))
			continue;
		*at = op->next;
		if (!*at)
			s->waiting_tail = at;
		snapshot_begin(op);
		return true;
	}
	return false;
}

static void snapshot_finish(struct snapshot_op *op, int err)
{
	struct snapshot *s = op->s;
	struct disk_request *parent = op->parent;
	bool allocating = op->allocating;

	if (allocating)
		snapshot_unlink(&s->active, op);
	free(op->fill);
	free(op);
	if (allocating)
		while (snapshot_wake_one(s))
			;
	disk_done(parent, err);
}

/* ---- steps ---- */

static void snapshot_child_done(struct disk_request *child, int err)
{
	struct snapshot_op *op = CONTAINER(child, struct snapshot_op, child);

	if (err)
		snapshot_finish(op, err);
	else
		snapshot_go(op);
}

static void snapshot_child(struct snapshot_op *op, struct disk *d, enum disk_op kind,
	uint64_t offset, uint64_t len, struct iovec *iov, unsigned niov)
{
	op->child.op = kind;
	op->child.unmap = true;
	op->child.offset = offset;
	op->child.len = len;
	op->child.iov = iov;
	op->child.niov = niov;
	disk_submit(d, &op->child);
}

/* One piece of fill; the array is a copy, since the child may change it. */
static void snapshot_child_fill(struct snapshot_op *op, struct disk *d, enum disk_op kind,
	uint64_t offset, const struct iovec *fill)
{
	op->iov[0] = *fill;
	snapshot_child(op, d, kind, offset, fill->iov_len, op->iov, 1);
}

/* The next clusters that are all in the top, or all not. */
static void snapshot_run(struct snapshot_op *op)
{
	struct snapshot *s = op->s;
	uint64_t start = op->at;
	bool in_top = map_get(s, start >> CLUSTER_SHIFT);
	uint64_t cluster = map_run(s, start >> CLUSTER_SHIFT, op->last, in_top);
	uint64_t len = MIN(cluster << CLUSTER_SHIFT, op->end) - start;
	unsigned n;

	op->at += len;
	op->step = op->at == op->end ? SNAP_END : SNAP_RUN;
	if (op->parent->op == DISK_READ) {
		n = iov_slice(op->parent->iov, op->parent->niov, start - op->parent->offset, len,
			op->iov);
		snapshot_child(op, in_top ? s->top : s->base, DISK_READ, start, len, op->iov, n);
	} else if (in_top) {
		snapshot_child(op, s->top, DISK_DISCARD, start, len, NULL, 0);
	} else { /* the base keeps what it has */
		snapshot_go(op);
	}
}

/* Sets head and tail to what must be read from the base. */
static int snapshot_plan_fills(struct snapshot_op *op)
{
	struct snapshot *s = op->s;
	uint64_t before = op->at - (op->first << CLUSTER_SHIFT);
	uint64_t behind = MIN(op->last << CLUSTER_SHIFT, s->disk.info.size) - op->end;

	if (map_get(s, op->first))
		before = 0;
	if (map_get(s, op->last - 1))
		behind = 0;
	if (!before && !behind)
		return 0;
	op->fill = malloc(2 * CLUSTER);
	if (!op->fill)
		return -ENOMEM;
	op->head = (struct iovec){ op->fill, before };
	op->tail = (struct iovec){ op->fill + CLUSTER, behind };
	return 0;
}

static void snapshot_body(struct snapshot_op *op)
{
	struct disk_request *p = op->parent;
	unsigned n = 0;

	if (p->op == DISK_WRITE_ZEROES) {
		op->step = SNAP_PUT_HEAD;
		snapshot_child(op, op->s->top, DISK_WRITE_ZEROES, op->at, p->len, NULL, 0);
		return;
	}
	op->step = SNAP_SET;
	op->iov[n++] = op->head;
	memcpy(op->iov + n, p->iov, p->niov * sizeof *p->iov);
	n += p->niov;
	op->iov[n++] = op->tail;
	snapshot_child(op, op->s->top, DISK_WRITE, op->at - op->head.iov_len,
		p->len + op->head.iov_len + op->tail.iov_len, op->iov, n);
}

/* Takes steps until one has to wait for its child, or the op has ended. */
static void snapshot_go(struct snapshot_op *op)
{
	struct snapshot *s = op->s;

	for (;;) {
		switch (op->step) {
		case SNAP_RUN:
			snapshot_run(op);
			return;
		case SNAP_FILL_HEAD:
			op->step = SNAP_FILL_TAIL;
			if (snapshot_plan_fills(op) < 0) {
				snapshot_finish(op, -ENOMEM);
				return;
			}
			if (op->head.iov_len) {
				snapshot_child_fill(op, s->base, DISK_READ,
					op->at - op->head.iov_len, &op->head);
				return;
			}
			break;
		case SNAP_FILL_TAIL:
			op->step = SNAP_BODY;
			if (op->tail.iov_len) {
				snapshot_child_fill(op, s->base, DISK_READ, op->end, &op->tail);
				return;
			}
			break;
		case SNAP_BODY:
			snapshot_body(op);
			return;
		case SNAP_PUT_HEAD:
			op->step = SNAP_PUT_TAIL;
			if (op->head.iov_len) {
				snapshot_child_fill(op, s->top, DISK_WRITE,
					op->at - op->head.iov_len, &op->head);
				return;
			}
			break;
		case SNAP_PUT_TAIL:
			op->step = SNAP_SET;
			if (op->tail.iov_len) {
				snapshot_child_fill(op, s->top, DISK_WRITE, op->end, &op->tail);
				return;
			}
			break;
		case SNAP_SET:
			map_set(s, op->first, op->last);
			op->step = SNAP_END;
			break;
		case SNAP_END:
			snapshot_finish(op, 0);
			return;
		}
	}
}

/* ---- ops ---- */

static void snapshot_submit(struct disk *d, struct disk_request *r)
{
	struct snapshot *s = CONTAINER(d, struct snapshot, disk);
	bool changes = r->op == DISK_WRITE || r->op == DISK_WRITE_ZEROES;
	struct snapshot_op *op;

	if (r->op == DISK_FLUSH) { /* nothing of this outlives the monitor */
		disk_done(r, 0);
		return;
	}
	op = calloc(1, sizeof *op + (r->niov + 2) * sizeof *op->iov);
	if (!op) {
		disk_done(r, -ENOMEM);
		return;
	}
	op->s = s;
	op->parent = r;
	op->child.done = snapshot_child_done;
	op->step = changes ? SNAP_FILL_HEAD : SNAP_RUN;
	op->at = r->offset;
	op->end = r->offset + r->len;
	op->first = op->at >> CLUSTER_SHIFT;
	op->last = (op->end + CLUSTER - 1) >> CLUSTER_SHIFT;
	if (!changes) {
		snapshot_go(op);
	} else if (snapshot_must_wait(op)) {
		*s->waiting_tail = op;
		s->waiting_tail = &op->next;
	} else {
		snapshot_begin(op);
	}
}

static void snapshot_close(struct disk *d)
{
	struct snapshot *s = CONTAINER(d, struct snapshot, disk);

	disk_close(s->top);
	disk_close(s->base);
	free(s->map);
	free(s);
}

static const struct disk_ops snapshot_ops = { .submit = snapshot_submit, .close = snapshot_close };

/* Some file systems have no O_TMPFILE; a name that is gone at once does there. */
static int open_nameless(const char *dir)
{
	char name[4096];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if ((size_t)snprintf(name, sizeof name, "%s/hotdesk-XXXXXX", dir) >= sizeof name) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

static struct disk *create_top(const struct disk_info *info, struct uring *uring, const char *dir)
{
	int fd = open_nameless(dir);

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, (off_t)info->size) < 0) {
		int err = errno;

		close(fd);
		errno = err;
		return NULL;
	}
	return raw_create(fd, info, uring);
}

int snapshot_create(struct disk *base, const char *path, const char *dir, struct disk **out)
{
	uint64_t clusters = (base->info.size + CLUSTER - 1) >> CLUSTER_SHIFT;
	struct snapshot *s = calloc(1, sizeof *s);
	int err = ENOMEM;

	if (!s)
		goto fail;
	s->disk.ops = &snapshot_ops;
	s->disk.uring = base->uring;
	s->disk.info = base->info;
	s->disk.info.readonly = false;
	s->base = base;
	s->waiting_tail = &s->waiting;
	s->map = calloc((clusters + 63) / 64, sizeof *s->map);
	if (!s->map)
		goto fail;
	s->top = create_top(&s->disk.info, base->uring, dir);
	if (!s->top) {
		err = errno;
		goto fail;
	}
	*out = &s->disk;
	return 0;
fail:
	log_error("disk %s: no file for its snapshot's changes below %s: %s", path, dir,
		strerror(err));
	if (s)
		free(s->map);
	free(s);
	disk_close(base);
	return -err;
}
