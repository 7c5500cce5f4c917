/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file or block device as it is, through io_uring and the page cache.
 *
 * How a request is carried out can change on its way: a short transfer goes on where it stopped,
 * and what a file system does not know is done by the next best means:
 *
 *   discard        punch ──► nothing (it is a hint)
 *   write zeroes   punch (may unmap) ──► zero range ──► write zeros
 */
#include "vmm/block/disk_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <liburing.h>

#include "util/bytes.h"
#include "util/iov.h"

enum raw_how { RAW_READ, RAW_WRITE, RAW_SYNC, RAW_PUNCH, RAW_ZERO_RANGE, RAW_WRITE_ZEROS };

enum {
	ZEROS_LEN = 1 << 20,
	RETRIES_MAX = 100, /* of EINTR and EAGAIN, without progress */
};

struct raw {
	struct disk disk;
	int fd;
	void *zeros; /* ZEROS_LEN, never written: all of it is the kernel's one zero page */
	bool no_punch, no_zero_range; /* learnt */
};

static void raw_prep(struct uring_op *op, struct io_uring_sqe *sqe)
{
	struct disk_request *r = CONTAINER(op, struct disk_request, uring_op);
	struct raw *w = CONTAINER(r->disk, struct raw, disk);

	switch ((enum raw_how)r->how) {
	case RAW_READ:
		io_uring_prep_readv(sqe, w->fd, r->iov, r->niov, r->at);
		break;
	case RAW_WRITE:
		io_uring_prep_writev(sqe, w->fd, r->iov, r->niov, r->at);
		break;
	case RAW_SYNC:
		io_uring_prep_fsync(sqe, w->fd, IORING_FSYNC_DATASYNC);
		break;
	case RAW_PUNCH:
		io_uring_prep_fallocate(sqe, w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)r->at, (off_t)r->left);
		break;
	case RAW_ZERO_RANGE:
		io_uring_prep_fallocate(sqe, w->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			(off_t)r->at, (off_t)r->left);
		break;
	case RAW_WRITE_ZEROS:
		io_uring_prep_write(sqe, w->fd, w->zeros, (unsigned)MIN(r->left, ZEROS_LEN), r->at);
		break;
	}
}

/* EINVAL: a block device whose sectors are larger than the request's unit. */
static bool raw_unsupported(int err)
{
	return err == -EOPNOTSUPP || err == -ENOSYS || err == -ENOTTY || err == -EINVAL;
}

static void raw_learn(struct raw *w, enum raw_how how, int err)
{
	if (err == -EINVAL)
		return; /* this range only */
	if (how == RAW_PUNCH)
		w->no_punch = true;
	else
		w->no_zero_range = true;
}

static void raw_start(struct disk_request *r, enum raw_how how)
{
	r->how = how;
	uring_start(r->disk->uring, &r->uring_op);
}

static void raw_zero(struct disk_request *r, enum raw_how how)
{
	struct raw *w = CONTAINER(r->disk, struct raw, disk);

	if (how == RAW_PUNCH && w->no_punch)
		how = RAW_ZERO_RANGE;
	if (how == RAW_ZERO_RANGE && w->no_zero_range)
		how = RAW_WRITE_ZEROS;
	raw_start(r, how);
}

/* fallocate() is all or nothing. */
static void raw_allocated(struct disk_request *r, int res)
{
	struct raw *w = CONTAINER(r->disk, struct raw, disk);

	if (!raw_unsupported(res)) {
		disk_done(r, res);
		return;
	}
	raw_learn(w, r->how, res);
	if (r->op == DISK_DISCARD)
		disk_done(r, 0);
	else
		raw_zero(r, r->how == RAW_PUNCH ? RAW_ZERO_RANGE : RAW_WRITE_ZEROS);
}

static void raw_transferred(struct disk_request *r, int res)
{
	if (res <= 0) { /* 0: somebody made the file shorter */
		disk_done(r, res ? res : -EIO);
		return;
	}
	r->retries = 0;
	r->at += (unsigned)res;
	r->left -= MIN((unsigned)res, r->left);
	if (!r->left) {
		disk_done(r, 0);
		return;
	}
	if (r->how != RAW_WRITE_ZEROS)
		iov_skip(&r->iov, &r->niov, (unsigned)res);
	raw_start(r, r->how);
}

static void raw_completed(struct uring_op *op, int res)
{
	struct disk_request *r = CONTAINER(op, struct disk_request, uring_op);

	if ((res == -EINTR || res == -EAGAIN) && r->retries++ < RETRIES_MAX)
		raw_start(r, r->how);
	else if (r->how == RAW_SYNC)
		disk_done(r, res);
	else if (r->how == RAW_PUNCH || r->how == RAW_ZERO_RANGE)
		raw_allocated(r, res);
	else
		raw_transferred(r, res);
}

static void raw_submit(struct disk *d, struct disk_request *r)
{
	struct raw *w = CONTAINER(d, struct raw, disk);

	r->at = r->offset;
	r->left = r->len;
	r->retries = 0;
	r->uring_op.prep = raw_prep;
	r->uring_op.done = raw_completed;
	switch (r->op) {
	case DISK_READ:
		raw_start(r, RAW_READ);
		break;
	case DISK_WRITE:
		raw_start(r, RAW_WRITE);
		break;
	case DISK_FLUSH:
		raw_start(r, RAW_SYNC);
		break;
	case DISK_DISCARD:
		if (w->no_punch)
			disk_done(r, 0);
		else
			raw_start(r, RAW_PUNCH);
		break;
	default:
		raw_zero(r, r->unmap ? RAW_PUNCH : RAW_ZERO_RANGE);
		break;
	}
}

static void raw_close(struct disk *d)
{
	struct raw *w = CONTAINER(d, struct raw, disk);

	munmap(w->zeros, ZEROS_LEN);
	close(w->fd); /* and with it the lock */
	free(w);
}

static const struct disk_ops raw_ops = { .submit = raw_submit, .close = raw_close };

struct disk *raw_create(int fd, const struct disk_info *info, struct uring *uring)
{
	struct raw *w = calloc(1, sizeof *w);
	void *zeros = mmap(NULL, ZEROS_LEN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!w || zeros == MAP_FAILED) {
		if (zeros != MAP_FAILED)
			munmap(zeros, ZEROS_LEN);
		free(w);
		close(fd);
		return NULL;
	}
	w->disk.ops = &raw_ops;
	w->disk.info = *info;
	w->disk.uring = uring;
	w->fd = fd;
	w->zeros = zeros;
	return &w->disk;
}
