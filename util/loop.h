/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A loop over epoll for one thread: watched descriptors, timers and work posted from elsewhere.
 *
 * The machine loop is one of these; the service loop is GLib's, because libspice-server needs
 * that one. Nothing wakes the loop but an event, a timer that is due or posted work: a loop with
 * nothing to do costs no wake-up.
 *
 * Threads: loop_post(), loop_call() and loop_stop() from any thread; the rest on the loop's own
 * thread, or from anywhere before it runs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;
struct loop_watch;
struct loop_timer;

typedef void (*loop_fn)(void *opaque);
typedef void (*loop_watch_fn)(void *opaque, uint32_t events);

/* Embedded by its owner, and zeroed before its first use. */
struct loop_work {
	loop_fn fn;
	void *opaque;
	struct loop_work *next; /* private to the loop, as is: */
	bool pending;
};

/* Returns NULL with errno set where the kernel refuses an epoll or event descriptor. */
struct loop *loop_create(void);
void loop_destroy(struct loop *l); /* NULL is fine; leftover watches and timers are freed */

/*
 * Serves events until loop_stop(). Returns at once if that came before. Nobody is left waiting in
 * loop_call(); other posted work may stay undone.
 */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Serves what is due now and waits at most timeout_ms (-1: until something comes). For tests. */
void loop_step(struct loop *l, int timeout_ms);

/*
 * Watches a descriptor for EPOLLIN, EPOLLOUT (level-triggered). The descriptor stays the
 * caller's. A watch may be deleted inside its own callback or any other. NULL with errno set.
 */
struct loop_watch *loop_watch_add(
	struct loop *l, int fd, uint32_t events, loop_watch_fn fn, void *opaque);
void loop_watch_set(struct loop_watch *w, uint32_t events);
void loop_watch_del(struct loop_watch *w); /* NULL is fine */

/* Timers fire once, at or after a time of loop_now(). Setting one again moves it. */
struct loop_timer *loop_timer_create(struct loop *l, loop_fn fn, void *opaque);
void loop_timer_set(struct loop_timer *t, int64_t at_ns);
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_destroy(struct loop_timer *t); /* NULL is fine */

/* CLOCK_MONOTONIC in ns, or what a test's clock says. */
int64_t loop_now(const struct loop *l);
void loop_set_clock(struct loop *l, int64_t (*now)(void *opaque), void *opaque);

/*
 * Runs w->fn once on the loop. Posting pending work again does nothing; a callback may re-post.
 * Work that a watch or a timer posts runs at the end of that same pass and costs no system call,
 * which makes it the place to submit or notify in batches.
 */
void loop_post(struct loop *l, struct loop_work *w);

/* Takes posted work back before its owner goes; fine where none is pending. The loop's thread. */
void loop_unpost(struct loop *l, struct loop_work *w);

/*
 * Runs fn on the loop and returns when it has run; on the loop's own thread, or while nobody
 * runs the loop, it is called directly. Never from a vCPU thread, never with a lock held that
 * the loop may want.
 */
void loop_call(struct loop *l, loop_fn fn, void *opaque);
