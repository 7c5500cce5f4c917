/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/block/uring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <liburing.h>

#include "util/log.h"
#include "util/loop.h"

enum { RETRY_NS = 1000000 };

struct uring {
	struct io_uring ring;
	struct loop *loop;
	struct loop_watch *watch;
	struct loop_timer *retry;
	struct loop_work submit;
	struct uring_op *head, **tail; /* not yet in the ring */
	unsigned in_ring;
};

/* Moves what waits into the ring while there is room: the completion ring then never overflows. */
static void uring_fill(struct uring *u)
{
	while (u->head && u->in_ring < URING_DEPTH) {
		struct uring_op *op = u->head;
		struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

		if (!sqe) /* the kernel has not taken the last ones yet */
			return;
		u->head = op->next;
		if (!u->head)
			u->tail = &u->head;
		op->prep(op, sqe);
		io_uring_sqe_set_data(sqe, op);
		u->in_ring++;
	}
}

static void uring_submit(void *opaque)
{
	struct uring *u = opaque;
	int n = 0;

	uring_fill(u);
	while (io_uring_sq_ready(&u->ring)) {
		n = io_uring_submit(&u->ring);
		if (n <= 0 && n != -EINTR)
			break;
	}
	if (io_uring_sq_ready(&u->ring)) /* short of memory: it says so and keeps the entries */
		loop_timer_set(u->retry, loop_now(u->loop) + RETRY_NS);
}

static void uring_reap(struct uring *u)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
		struct uring_op *op = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe);
		u->in_ring--;
		op->done(op, res);
	}
	if (u->head || io_uring_sq_ready(&u->ring))
		loop_post(u->loop, &u->submit);
}

static void uring_event(void *opaque, uint32_t events)
{
	uring_reap(opaque);
}

void uring_start(struct uring *u, struct uring_op *op)
{
	op->next = NULL;
	*u->tail = op;
	u->tail = &op->next;
	loop_post(u->loop, &u->submit);
}

void uring_wait(struct uring *u)
{
	struct io_uring_cqe *cqe;

	uring_submit(u);
	if (!u->in_ring)
		return;
	if (!io_uring_sq_ready(&u->ring))
		while (io_uring_wait_cqe(&u->ring, &cqe) == -EINTR)
			;
	uring_reap(u);
}

static int uring_refused(int err)
{
	if (err == -EPERM)
		log_error(
			"disks: io_uring is forbidden here: sysctl kernel.io_uring_disabled=0, or "
			"allow io_uring in the container's seccomp profile");
	else if (err == -ENOSYS)
		log_error("disks: this kernel has no io_uring: use one built with CONFIG_IO_URING");
	else if (err == -ENOMEM)
		log_error("disks: io_uring gets no memory: raise the limit of locked memory "
			  "(ulimit -l)");
	else
		log_error("disks: io_uring cannot be set up: %s", strerror(-err));
	return err;
}

int uring_create(struct loop *loop, struct uring **out)
{
	struct uring *u = calloc(1, sizeof *u);
	int err;

	*out = NULL;
	if (!u)
		return -ENOMEM;
	u->loop = loop;
	u->tail = &u->head;
	u->submit = (struct loop_work){ .fn = uring_submit, .opaque = u };
	err = io_uring_queue_init(URING_DEPTH, &u->ring, 0);
	if (err < 0) {
		free(u);
		return uring_refused(err);
	}
	/* The ring itself is readable while completions are there: no event descriptor to read. */
	u->watch = loop_watch_add(loop, u->ring.ring_fd, EPOLLIN, uring_event, u);
	u->retry = loop_timer_create(loop, uring_submit, u);
	if (!u->watch || !u->retry) {
		uring_destroy(u);
		log_error("disks: io_uring cannot be watched: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	*out = u;
	return 0;
}

void uring_destroy(struct uring *u)
{
	if (!u)
		return;
	assert(!u->in_ring && !u->head);
	loop_unpost(u->loop, &u->submit);
	loop_timer_destroy(u->retry);
	loop_watch_del(u->watch);
	io_uring_queue_exit(&u->ring);
	free(u);
}
