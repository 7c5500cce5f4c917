/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "util/bytes.h"

enum { EVENTS_PER_WAIT = 32 };

struct loop_watch {
	struct loop *loop;
	int fd;
	loop_watch_fn fn;
	void *opaque;
	bool dead; /* deleted while events of this round may still name it */
	struct loop_watch *prev, *next;
};

struct loop_timer {
	struct loop *loop;
	loop_fn fn;
	void *opaque;
	int64_t at; /* ns */
	bool set;
	struct loop_timer *next;
};

struct loop {
	int epoll, wake, timer;
	struct loop_watch *watches, *dead;
	struct loop_timer *timers; /* the set ones, soonest first */
	int64_t armed;             /* what the timer descriptor is set to; 0: nothing */
	int64_t (*now)(void *);
	void *now_opaque;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t called;
	struct loop_work *head, **tail;
	unsigned calls; /* threads that wait in loop_call() */
	bool stopping, running;
	pthread_t thread;
	bool dispatching; /* dispatcher serves events and timers, and will run posted work itself */
	pthread_t dispatcher;
};

struct loop *loop_create(void)
{
	struct loop *l = calloc(1, sizeof *l);
	struct epoll_event ev = { .events = EPOLLIN };

	if (!l)
		return NULL;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->called, NULL);
	l->tail = &l->head;
	ev.data.ptr = &l->wake;
	if (l->epoll < 0 || l->wake < 0 || l->timer < 0 ||
		epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->wake, &ev) < 0)
		goto fail;
	ev.data.ptr = &l->timer;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &ev) < 0)
		goto fail;
	return l;
fail:
	loop_destroy(l);
	return NULL;
}

static void free_watches(struct loop_watch **list)
{
	while (*list) {
		struct loop_watch *w = *list;
		*list = w->next;
		free(w);
	}
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	free_watches(&l->watches);
	free_watches(&l->dead);
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->wake >= 0)
		close(l->wake);
	if (l->timer >= 0)
		close(l->timer);
	pthread_cond_destroy(&l->called);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* ---- watches ---- */

struct loop_watch *loop_watch_add(
	struct loop *l, int fd, uint32_t events, loop_watch_fn fn, void *opaque)
{
	struct loop_watch *w = calloc(1, sizeof *w);
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (!w)
		return NULL;
	w->loop = l;
	w->fd = fd;
	w->fn = fn;
	w->opaque = opaque;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		free(w);
		return NULL;
	}
	w->next = l->watches;
	if (w->next)
		w->next->prev = w;
	l->watches = w;
	return w;
}

void loop_watch_set(struct loop_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	epoll_ctl(w->loop->epoll, EPOLL_CTL_MOD, w->fd, &ev);
}

void loop_watch_del(struct loop_watch *w)
{
	struct loop *l;

	if (!w || w->dead)
		return;
	l = w->loop;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	if (w->prev)
		w->prev->next = w->next;
	else
		l->watches = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->dead = true;
	w->next = l->dead;
	l->dead = w;
}

/* ---- timers ---- */

int64_t loop_now(const struct loop *l)
{
	struct timespec t;

	if (l->now)
		return l->now(l->now_opaque);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

void loop_set_clock(struct loop *l, int64_t (*now)(void *opaque), void *opaque)
{
	l->now = now;
	l->now_opaque = opaque;
}

struct loop_timer *loop_timer_create(struct loop *l, loop_fn fn, void *opaque)
{
	struct loop_timer *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->loop = l;
	t->fn = fn;
	t->opaque = opaque;
	return t;
}

static void timer_unlink(struct loop_timer *t)
{
	struct loop_timer **at = &t->loop->timers;

	if (!t->set)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->set = false;
}

/*
 * Only ever moved earlier: a cancelled timer costs one empty wake-up at most, and setting a timer
 * again and again to later times costs no system call.
 */
static void timer_arm(struct loop *l)
{
	struct itimerspec spec = { 0 };
	int64_t at = l->timers ? MAX(l->timers->at, 1) : 0;

	if (!at || (l->armed && l->armed <= at))
		return;
	l->armed = at;
	spec.it_value.tv_sec = at / 1000000000;
	spec.it_value.tv_nsec = at % 1000000000;
	timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

void loop_timer_set(struct loop_timer *t, int64_t at_ns)
{
	struct loop_timer **at;

	timer_unlink(t);
	for (at = &t->loop->timers; *at && (*at)->at <= at_ns; at = &(*at)->next)
		;
	t->at = at_ns;
	t->next = *at;
	t->set = true;
	*at = t;
	timer_arm(t->loop);
}

void loop_timer_cancel(struct loop_timer *t)
{
	timer_unlink(t);
}

void loop_timer_destroy(struct loop_timer *t)
{
	if (!t)
		return;
	timer_unlink(t);
	free(t);
}

static void run_timers(struct loop *l)
{
	int64_t now = loop_now(l);

	while (l->timers && l->timers->at <= now) {
		struct loop_timer *t = l->timers;
		timer_unlink(t);
		t->fn(t->opaque);
	}
	timer_arm(l);
}

/* ---- work from elsewhere ---- */

static void wake(struct loop *l)
{
	uint64_t one = 1;

	/* Fails only where the counter is full, and then the loop is awake anyway. */
	if (write(l->wake, &one, sizeof one) < 0)
		return;
}

/* The lock is held. True where the loop must be woken for it. */
static bool enqueue(struct loop *l, struct loop_work *w)
{
	bool first = !l->head && !(l->dispatching && pthread_equal(l->dispatcher, pthread_self()));

	if (w->pending)
		return false;
	w->pending = true;
	w->next = NULL;
	*l->tail = w;
	l->tail = &w->next;
	return first;
}

void loop_post(struct loop *l, struct loop_work *w)
{
	bool first;

	pthread_mutex_lock(&l->lock);
	first = enqueue(l, w);
	pthread_mutex_unlock(&l->lock);
	if (first)
		wake(l);
}

void loop_unpost(struct loop *l, struct loop_work *w)
{
	struct loop_work **at;

	pthread_mutex_lock(&l->lock);
	if (w->pending) {
		for (at = &l->head; *at != w; at = &(*at)->next)
			;
		*at = w->next;
		if (!*at)
			l->tail = at;
		w->pending = false;
	}
	pthread_mutex_unlock(&l->lock);
}

/* Runs as much as is there now; work posted meanwhile has its turn after the events. */
static void run_work(struct loop *l)
{
	unsigned count = 0;

	pthread_mutex_lock(&l->lock);
	for (struct loop_work *w = l->head; w; w = w->next)
		count++;
	while (count-- && l->head) {
		struct loop_work *w = l->head;
		loop_fn fn = w->fn;
		void *opaque = w->opaque;

		l->head = w->next;
		if (!l->head)
			l->tail = &l->head;
		w->pending = false;
		pthread_mutex_unlock(&l->lock);
		fn(opaque); /* w may be gone after this */
		pthread_mutex_lock(&l->lock);
	}
	l->dispatching = false;
	if (l->head)
		wake(l);
	pthread_mutex_unlock(&l->lock);
}

struct loop_sync {
	struct loop_work work;
	struct loop *loop;
	loop_fn fn;
	void *opaque;
	bool done;
};

static void sync_run(void *opaque)
{
	struct loop_sync *s = opaque;

	s->fn(s->opaque);
	pthread_mutex_lock(&s->loop->lock);
	s->done = true;
	s->loop->calls--;
	pthread_cond_broadcast(&s->loop->called);
	pthread_mutex_unlock(&s->loop->lock);
}

void loop_call(struct loop *l, loop_fn fn, void *opaque)
{
	struct loop_sync s = { .loop = l, .fn = fn, .opaque = opaque };

	s.work.fn = sync_run;
	s.work.opaque = &s;
	pthread_mutex_lock(&l->lock);
	if (!l->running || pthread_equal(l->thread, pthread_self())) {
		pthread_mutex_unlock(&l->lock);
		fn(opaque);
		return;
	}
	l->calls++;
	if (enqueue(l, &s.work))
		wake(l);
	while (!s.done)
		pthread_cond_wait(&l->called, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

/* ---- running ---- */

static void drain_fd(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof n) < 0)
		return;
}

void loop_step(struct loop *l, int timeout_ms)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	int n = epoll_wait(l->epoll, events, EVENTS_PER_WAIT, timeout_ms);

	pthread_mutex_lock(&l->lock);
	l->dispatching = true;
	l->dispatcher = pthread_self();
	pthread_mutex_unlock(&l->lock);
	for (int i = 0; i < n; i++) {
		void *p = events[i].data.ptr;

		if (p == &l->wake) {
			drain_fd(l->wake);
		} else if (p == &l->timer) {
			drain_fd(l->timer);
			l->armed = 0;
		} else {
			struct loop_watch *w = p;
			if (!w->dead)
				w->fn(w->opaque, events[i].events);
		}
	}
	run_timers(l);
	run_work(l);
	free_watches(&l->dead);
}

void loop_run(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->thread = pthread_self();
	l->running = true;
	while (!l->stopping) {
		pthread_mutex_unlock(&l->lock);
		loop_step(l, -1);
		pthread_mutex_lock(&l->lock);
	}
	while (l->calls) { /* only they: other work may be posted again and again */
		pthread_mutex_unlock(&l->lock);
		run_work(l);
		pthread_mutex_lock(&l->lock);
	}
	l->running = false;
	l->stopping = false;
	pthread_mutex_unlock(&l->lock);
}

void loop_stop(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_mutex_unlock(&l->lock);
	wake(l);
}
