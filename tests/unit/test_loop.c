/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop: timers by a fake clock, posted work, watches that vanish, calls from other threads. */
#include "util/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t fake_now(void *opaque)
{
	return *(int64_t *)opaque;
}

static void append(void *opaque)
{
	**(char **)opaque = 'x';
	++*(char **)opaque;
}

static void count(void *opaque)
{
	++*(int *)opaque;
}

static void test_timers_fire_in_order_and_once(void **state)
{
	int64_t now = 1000;
	int a = 0, b = 0;
	struct loop *l = loop_create();
	struct loop_timer *ta, *tb;

	loop_set_clock(l, fake_now, &now);
	ta = loop_timer_create(l, count, &a);
	tb = loop_timer_create(l, count, &b);
	loop_timer_set(ta, 3000);
	loop_timer_set(tb, 2000);
	loop_step(l, 0);
	assert_int_equal(a + b, 0);
	now = 2000;
	loop_step(l, 0);
	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	loop_timer_set(ta, 4000); /* moved */
	now = 3500;
	loop_step(l, 0);
	assert_int_equal(a, 0);
	loop_timer_cancel(ta);
	now = 5000;
	loop_step(l, 0);
	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	loop_timer_destroy(ta);
	loop_timer_destroy(tb);
	loop_destroy(l);
}

static void test_posted_work_runs_once_per_post(void **state)
{
	char buf[4] = { 0 }, *at = buf;
	struct loop *l = loop_create();
	struct loop_work w = { append, &at };

	loop_post(l, &w);
	loop_post(l, &w);
	loop_step(l, 0);
	assert_string_equal(buf, "x");
	loop_post(l, &w);
	loop_step(l, 0);
	assert_string_equal(buf, "xx");
	loop_step(l, 0);
	assert_string_equal(buf, "xx");
	loop_destroy(l);
}

static void test_work_can_be_taken_back(void **state)
{
	char buf[4] = { 0 }, *at = buf;
	struct loop *l = loop_create();
	struct loop_work w[3] = { { append, &at }, { append, &at }, { append, &at } };

	for (int i = 0; i < 3; i++)
		loop_post(l, &w[i]);
	loop_unpost(l, &w[2]); /* the last, the first, and one that is not posted */
	loop_unpost(l, &w[0]);
	loop_unpost(l, &w[0]);
	loop_post(l, &w[2]);
	loop_step(l, 0);
	assert_string_equal(buf, "xx");
	loop_destroy(l);
}

struct batch {
	struct loop *loop;
	struct loop_work work;
	struct loop_timer *timer;
	int runs;
};

static void batch_run(void *opaque)
{
	((struct batch *)opaque)->runs++;
}

static void batch_event(void *opaque, uint32_t events)
{
	struct batch *b = opaque;

	loop_post(b->loop, &b->work);
}

static void batch_timer(void *opaque)
{
	batch_event(opaque, 0);
}

static void test_work_posted_by_events_runs_in_the_same_pass(void **state)
{
	struct batch b = { .loop = loop_create() };
	struct loop_watch *one, *two;
	int64_t now = 1000;
	int fds[2], other[2];

	b.work = (struct loop_work){ batch_run, &b };
	loop_set_clock(b.loop, fake_now, &now);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(other), 0);
	one = loop_watch_add(b.loop, fds[0], EPOLLIN, batch_event, &b);
	two = loop_watch_add(b.loop, other[0], EPOLLIN, batch_event, &b);
	b.timer = loop_timer_create(b.loop, batch_timer, &b);
	loop_timer_set(b.timer, 1000);
	assert_int_equal(write(fds[1], "", 1), 1);
	assert_int_equal(write(other[1], "", 1), 1);
	loop_step(b.loop, 100);
	assert_int_equal(b.runs, 1);
	loop_watch_del(one);
	loop_watch_del(two);
	loop_step(b.loop, 0);
	assert_int_equal(b.runs, 1);
	loop_timer_destroy(b.timer);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(other[i]);
	}
	loop_destroy(b.loop);
}

struct pair {
	struct loop_watch *a, *b;
	int called;
};

static void delete_both(void *opaque, uint32_t events)
{
	struct pair *p = opaque;

	p->called++;
	loop_watch_del(p->a);
	loop_watch_del(p->b);
}

static void test_a_callback_may_delete_the_other_watch(void **state)
{
	struct loop *l = loop_create();
	struct pair p = { 0 };
	int one[2], two[2];

	assert_int_equal(pipe(one), 0);
	assert_int_equal(pipe(two), 0);
	p.a = loop_watch_add(l, one[0], EPOLLIN, delete_both, &p);
	p.b = loop_watch_add(l, two[0], EPOLLIN, delete_both, &p);
	assert_int_equal(write(one[1], "", 1), 1);
	assert_int_equal(write(two[1], "", 1), 1);
	loop_step(l, 100);
	loop_step(l, 0);
	assert_int_equal(p.called, 1);
	for (int i = 0; i < 2; i++) {
		close(one[i]);
		close(two[i]);
	}
	loop_destroy(l);
}

static void *run(void *opaque)
{
	loop_run(opaque);
	return NULL;
}

static void test_call_returns_after_it_ran(void **state)
{
	struct loop *l = loop_create();
	pthread_t thread;
	int n = 0;

	loop_call(l, count, &n); /* nobody runs it: directly */
	assert_int_equal(n, 1);
	pthread_create(&thread, NULL, run, l);
	for (int i = 0; i < 1000; i++)
		loop_call(l, count, &n);
	assert_int_equal(n, 1001);
	loop_stop(l);
	pthread_join(thread, NULL);
	loop_call(l, count, &n);
	assert_int_equal(n, 1002);
	loop_destroy(l);
}

struct endless {
	struct loop *loop;
	struct loop_work work;
};

static void post_again(void *opaque)
{
	struct endless *e = opaque;

	loop_post(e->loop, &e->work);
}

static void test_work_without_end_does_not_hold_the_end_up(void **state)
{
	struct endless e = { .loop = loop_create() };
	pthread_t thread;
	int n = 0;

	e.work = (struct loop_work){ .fn = post_again, .opaque = &e };
	loop_post(e.loop, &e.work);
	pthread_create(&thread, NULL, run, e.loop);
	loop_call(e.loop, count, &n);
	assert_int_equal(n, 1);
	loop_stop(e.loop);
	pthread_join(thread, NULL);
	loop_unpost(e.loop, &e.work);
	loop_destroy(e.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_in_order_and_once),
		cmocka_unit_test(test_posted_work_runs_once_per_post),
		cmocka_unit_test(test_work_can_be_taken_back),
		cmocka_unit_test(test_work_posted_by_events_runs_in_the_same_pass),
		cmocka_unit_test(test_a_callback_may_delete_the_other_watch),
		cmocka_unit_test(test_call_returns_after_it_ran),
		cmocka_unit_test(test_work_without_end_does_not_hold_the_end_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
