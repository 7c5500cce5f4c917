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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_in_order_and_once),
		cmocka_unit_test(test_posted_work_runs_once_per_post),
		cmocka_unit_test(test_a_callback_may_delete_the_other_watch),
		cmocka_unit_test(test_call_returns_after_it_ran),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
