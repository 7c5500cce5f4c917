/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One io_uring on the machine loop, shared by all disks of a machine.
 *
 *   uring_start(op) ──► queue ──► end of the pass: prep(op, sqe), one submission for all of them
 *   ring readable   ──► done(op, res) for each completion
 *
 * No more than URING_DEPTH operations are in the kernel's hands; the rest wait in order. All of it
 * runs on the machine loop's thread.
 */
#pragma once

#include <stdbool.h>

struct io_uring_sqe;
struct loop;
struct uring;

enum { URING_DEPTH = 128 };

/* Embedded by its owner, who keeps it and what its sqe names until done() was called. */
struct uring_op {
	/* Fills in a fresh sqe; called once, some time after uring_start(). */
	void (*prep)(struct uring_op *op, struct io_uring_sqe *sqe);
	/* res is the operation's result or -errno. The op may be started again in here. */
	void (*done)(struct uring_op *op, int res);
	struct uring_op *next; /* private */
};

/*
 * 0, or -errno with one line logged. There is no fallback where the kernel refuses a ring: a
 * thread pool would be a second, slower path that hardly anybody tests.
 */
int uring_create(struct loop *loop, struct uring **out);
void uring_destroy(struct uring *u); /* nothing is in flight; NULL is fine */

void uring_start(struct uring *u, struct uring_op *op);

/* Sleeps until at least one operation in flight has completed, and serves what has. */
void uring_wait(struct uring *u);
