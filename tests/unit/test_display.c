/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Surface, damage, scanout and consumers: whatever the order of painting, flushing, collecting and
 * resizing, a consumer that follows its damage ends with exactly the source's pixels.
 */
#include "display/consumer.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

#include "display/damage.h"
#include "display/screenshot.h"
#include "tests/fakes/fake_source.h"
#include "util/bytes.h"

/* A consumer with a picture of its own, kept by damage alone. */
struct viewer {
	struct display_consumer *consumer;
	unsigned width, height, wakes, layouts;
	uint32_t *px;
	uint64_t pixels; /* damaged, in all */
};

static void viewer_wake(void *opaque)
{
	((struct viewer *)opaque)->wakes++;
}

static const struct display_consumer_ops viewer_ops = { .wake = viewer_wake };

static void viewer_open(struct viewer *v, struct display *d)
{
	*v = (struct viewer){ 0 };
	v->consumer = display_consumer_create(d, &viewer_ops, v);
}

static void viewer_close(struct viewer *v)
{
	display_consumer_destroy(v->consumer);
	free(v->px);
}

static void viewer_update(struct viewer *v)
{
	struct display_changes c;
	pixman_box32_t *boxes;
	int n;

	display_consumer_collect(v->consumer, &c);
	if (c.layout_changed) {
		v->layouts++;
		v->width = c.layout.width;
		v->height = c.layout.height;
		free(v->px);
		v->px = malloc(MAX(1, (size_t)v->width * v->height * 4));
		memset(v->px, 0x55, (size_t)v->width * v->height * 4);
	}
	boxes = pixman_region32_rectangles(&c.damage, &n);
	assert_true(n <= DAMAGE_RECTS_MAX);
	for (int i = 0; i < n; i++) {
		struct snapshot s;

		assert_true(boxes[i].x1 >= 0 && boxes[i].x2 <= (int)v->width);
		assert_true(boxes[i].y1 >= 0 && boxes[i].y2 <= (int)v->height);
		v->pixels += (uint64_t)(boxes[i].x2 - boxes[i].x1) * (boxes[i].y2 - boxes[i].y1);
		display_consumer_snapshot(v->consumer, &boxes[i], &s);
		snapshot_read(&s, &boxes[i], v->px + (size_t)boxes[i].y1 * v->width + boxes[i].x1,
			v->width);
		snapshot_finish(&s);
	}
	display_changes_finish(&c);
}

static void assert_shows(const struct viewer *v, const struct fake_source *s, unsigned left)
{
	for (unsigned y = 0; y < s->height; y++)
		for (unsigned x = 0; x < s->width; x++) {
			uint32_t want = s->px[(size_t)y * s->width + x] & 0xffffff;
			uint32_t got = v->px[(size_t)y * v->width + left + x];

			if (want != got)
				fail_msg("pixel %u,%u is %06x, not %06x", x, y, got, want);
		}
}

static void attach(struct display *d, unsigned head, struct fake_source *s)
{
	scanout_set_source(d, head, s->width, s->height, &fake_source_ops, s);
}

static void test_damage_stays_bounded_and_covers(void **state)
{
	pixman_region32_t r;
	unsigned seed = 1;

	for (int round = 0; round < 20; round++) {
		pixman_box32_t added[300];

		pixman_region32_init(&r);
		for (int i = 0; i < 300; i++) {
			int x = rand_r(&seed) % 1900, y = rand_r(&seed) % 1000;

			added[i] = (pixman_box32_t){ x, y, x + 1 + rand_r(&seed) % 20,
				y + 1 + rand_r(&seed) % 20 };
			if (round % 2)
				damage_add(&r, &added[i], 1);
		}
		if (!(round % 2))
			damage_add(&r, added, 300);
		assert_in_range(pixman_region32_n_rects(&r), 1, DAMAGE_RECTS_MAX);
		for (int i = 0; i < 300; i++)
			assert_int_equal(pixman_region32_contains_rectangle(&r, &added[i]),
				PIXMAN_REGION_IN);
		damage_remove(&r, &added[0]);
		assert_int_equal(
			pixman_region32_contains_rectangle(&r, &added[0]), PIXMAN_REGION_OUT);
		pixman_region32_fini(&r);
	}
	pixman_region32_init(&r);
	damage_add(&r, NULL, 0);
	assert_false(pixman_region32_not_empty(&r));
	pixman_region32_fini(&r);
}

static void test_damage_is_tight(void **state)
{
	struct display *d = display_create(1);
	struct fake_source s;
	struct viewer v;
	const pixman_box32_t all = { 0, 0, 300, 200 };

	fake_source_init(&s, 300, 200);
	fake_source_paint(&s, 0);
	attach(d, 0, &s);
	viewer_open(&v, d);
	viewer_update(&v);
	assert_shows(&v, &s, 0);

	/* The guest flushes everything although only 3 x 2 pixels over a tile's corner changed. */
	v.pixels = 0;
	fake_source_fill(&s, &(pixman_box32_t){ 63, 127, 66, 129 }, 0x123456);
	scanout_damage(d, 0, &all);
	assert_int_equal(v.wakes, 1);
	scanout_damage(d, 0, &all);
	assert_int_equal(v.wakes, 1);
	viewer_update(&v);
	assert_int_equal(v.pixels, 6);
	assert_shows(&v, &s, 0);

	/* Flushes that change nothing, or only the unused byte, wake nobody. */
	for (int i = 0; i < 300 * 200; i++)
		s.px[i] ^= 0xff000000u;
	scanout_damage(d, 0, &all);
	scanout_damage(d, 0, &(pixman_box32_t){ 400, 0, 500, 10 });
	scanout_damage(d, 0, &(pixman_box32_t){ 10, 10, 10, 20 });
	scanout_damage(d, 0, &(pixman_box32_t){ INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX });
	assert_int_equal(v.wakes, 1);
	viewer_close(&v);
	display_destroy(d);
	fake_source_finish(&s);
}

static void test_without_consumers_nothing_is_read(void **state)
{
	struct display *d = display_create(1);
	struct fake_source s;
	struct viewer v;

	fake_source_init(&s, 100, 100);
	attach(d, 0, &s);
	fake_source_paint(&s, 1);
	scanout_damage(d, 0, &(pixman_box32_t){ 0, 0, 100, 100 });
	assert_int_equal(s.reads, 0);
	viewer_open(&v, d);
	assert_int_equal(s.reads, 0);
	viewer_update(&v);
	assert_shows(&v, &s, 0);
	viewer_close(&v);
	s.reads = 0;
	scanout_damage(d, 0, &(pixman_box32_t){ 0, 0, 100, 100 });
	assert_int_equal(s.reads, 0);
	viewer_open(&v, d);
	viewer_update(&v);
	assert_shows(&v, &s, 0);
	viewer_close(&v);
	display_destroy(d);
	fake_source_finish(&s);
}

static void test_a_source_of_the_same_size_is_only_compared(void **state)
{
	struct display *d = display_create(1);
	struct fake_source a, b;
	struct viewer v;

	fake_source_init(&a, 130, 70);
	fake_source_init(&b, 130, 70);
	fake_source_paint(&a, 3);
	fake_source_paint(&b, 3);
	fake_source_fill(&b, &(pixman_box32_t){ 5, 6, 7, 9 }, 0xffffff);
	attach(d, 0, &a);
	viewer_open(&v, d);
	viewer_update(&v);
	v.pixels = 0;
	attach(d, 0, &b); /* a page flip */
	assert_int_equal(v.wakes, 1);
	viewer_update(&v);
	assert_int_equal(v.pixels, 6);
	assert_int_equal(v.layouts, 1);
	assert_shows(&v, &b, 0);
	a.reads = 0;
	scanout_damage(d, 0, &(pixman_box32_t){ 0, 0, 130, 70 });
	assert_int_equal(a.reads, 0); /* the old source is used no more */
	viewer_close(&v);
	display_destroy(d);
	fake_source_finish(&a);
	fake_source_finish(&b);
}

/* Random painting, flushing, late and early readers, over odd sizes; two viewers. */
static void test_any_sequence_gives_back_the_source(void **state)
{
	static const unsigned sizes[][2] = { { 32, 32 }, { 64, 64 }, { 65, 127 }, { 1100, 70 },
		{ 333, 257 } };
	unsigned seed = 42;

	for (size_t round = 0; round < ARRAY_LEN(sizes); round++) {
		struct display *d = display_create(1);
		struct fake_source s;
		struct viewer v[2];

		fake_source_init(&s, sizes[round][0], sizes[round][1]);
		attach(d, 0, &s);
		viewer_open(&v[0], d);
		viewer_open(&v[1], d);
		viewer_update(&v[0]);
		for (int step = 0; step < 400; step++) {
			int w = s.width, h = s.height, x = rand_r(&seed) % w, y = rand_r(&seed) % h;
			int x2 = x + 1 + rand_r(&seed) % 90, y2 = y + 1 + rand_r(&seed) % 90;
			pixman_box32_t box = { x, y, MIN(x2, w), MIN(y2, h) };

			switch (rand_r(&seed) % 4) {
			case 0:
				fake_source_fill(&s, &box, rand_r(&seed));
				break;
			case 1:
				fake_source_noise(&s, &box, rand_r(&seed));
				break;
			case 2:
				viewer_update(&v[rand_r(&seed) % 2]);
				continue;
			}
			scanout_damage(d, 0, &box);
		}
		for (int i = 0; i < 2; i++) {
			viewer_update(&v[i]);
			assert_shows(&v[i], &s, 0);
			viewer_close(&v[i]);
		}
		display_destroy(d);
		fake_source_finish(&s);
	}
}

/* Damage between collecting and reading is in the pixels, and does not come again. */
static void test_a_snapshot_takes_its_damage_along(void **state)
{
	struct display *d = display_create(1);
	const pixman_box32_t dot = { 10, 10, 20, 20 }, all = { 0, 0, 128, 128 };
	struct display_changes c;
	struct fake_source s;
	struct snapshot shot, old;
	struct viewer v;
	uint32_t px[100];

	fake_source_init(&s, 128, 128);
	attach(d, 0, &s);
	viewer_open(&v, d);
	viewer_update(&v);
	display_consumer_snapshot(v.consumer, &dot, &old);
	fake_source_fill(&s, &dot, 0xaabbcc);
	scanout_damage(d, 0, &all);
	display_consumer_snapshot(v.consumer, &dot, &shot);
	snapshot_read(&shot, &dot, px, 10);
	assert_int_equal(px[99], 0xaabbcc);
	snapshot_read(&old, &dot, px, 10);
	assert_int_equal(px[99], 0); /* frozen */
	display_consumer_collect(v.consumer, &c);
	assert_false(pixman_region32_not_empty(&c.damage));
	display_changes_finish(&c);

	/* Outside of the desktop all is black. */
	memset(px, 1, sizeof px);
	snapshot_read(&shot, &(pixman_box32_t){ -5, -5, 5, 5 }, px, 10);
	assert_int_equal(px[0], 0);
	snapshot_finish(&shot);
	snapshot_finish(&old);
	viewer_close(&v);
	display_destroy(d);
	fake_source_finish(&s);
}

static void test_heads_stand_side_by_side(void **state)
{
	struct display *d = display_create(3);
	struct fake_source a, b, c;
	struct viewer v;

	fake_source_init(&a, 100, 80);
	fake_source_init(&b, 70, 120);
	fake_source_init(&c, 90, 60);
	fake_source_paint(&a, 1);
	fake_source_paint(&b, 2);
	fake_source_paint(&c, 3);
	attach(d, 0, &a);
	attach(d, 2, &c);
	viewer_open(&v, d);
	viewer_update(&v);
	assert_int_equal(v.width, 190);
	assert_int_equal(v.height, 80);
	assert_shows(&v, &a, 0);
	assert_shows(&v, &c, 100);
	assert_int_equal(v.px[79 * 190 + 150], 0); /* below the shorter head */

	attach(d, 1, &b);
	assert_int_equal(v.wakes, 1);
	viewer_update(&v);
	assert_int_equal(v.width, 260);
	assert_int_equal(v.height, 120);
	assert_shows(&v, &b, 100);
	assert_shows(&v, &c, 170);

	fake_source_fill(&c, &(pixman_box32_t){ 0, 0, 5, 5 }, 0x777777);
	scanout_damage(d, 2, &(pixman_box32_t){ 0, 0, 5, 5 });
	viewer_update(&v);
	assert_shows(&v, &c, 170);

	scanout_set_source(d, 0, 0, 0, NULL, NULL);
	viewer_update(&v);
	assert_int_equal(v.width, 160);
	assert_shows(&v, &b, 0);
	scanout_set_source(d, 1, 0, 0, NULL, NULL);
	scanout_set_source(d, 2, 0, 0, NULL, NULL);
	viewer_update(&v);
	assert_int_equal(v.width, 0);
	assert_int_equal(v.height, 0);
	viewer_close(&v);
	display_destroy(d);
	fake_source_finish(&a);
	fake_source_finish(&b);
	fake_source_finish(&c);
}

static void test_the_cursor_of_the_head_that_set_it_last(void **state)
{
	struct display *d = display_create(2);
	uint32_t argb[64 * 64] = { 0xff112233 };
	struct display_changes c;
	struct fake_source s;
	struct viewer v;

	fake_source_init(&s, 100, 100);
	attach(d, 0, &s);
	attach(d, 1, &s);
	scanout_set_cursor(d, 0, argb, 3, 4);
	scanout_move_cursor(d, 0, 10, 20);
	viewer_open(&v, d);
	display_consumer_collect(v.consumer, &c);
	assert_true(c.cursor_changed);
	assert_int_equal(c.cursor->hot_x, 3);
	assert_int_equal(c.cursor_x, 10);
	display_changes_finish(&c);

	scanout_set_cursor(d, 0, argb, 3, 4); /* the same again */
	scanout_move_cursor(d, 0, 11, 20);    /* of no interest to this consumer */
	assert_int_equal(v.wakes, 0);
	argb[0] = 0xff445566;
	scanout_set_cursor(d, 1, argb, 1000, 2);
	scanout_move_cursor(d, 1, -5, 7);
	assert_int_equal(v.wakes, 1);
	display_consumer_collect(v.consumer, &c);
	assert_true(c.cursor_changed && c.cursor_moved);
	assert_int_equal(c.cursor->argb[0], 0xff445566);
	assert_int_equal(c.cursor->hot_x, 63); /* clamped */
	assert_int_equal(c.cursor_x, 95);
	display_changes_finish(&c);

	scanout_set_cursor(d, 1, NULL, 0, 0);
	display_consumer_collect(v.consumer, &c);
	assert_int_equal(c.cursor->argb[0], 0xff112233);
	display_changes_finish(&c);
	scanout_set_source(d, 0, 0, 0, NULL, NULL);
	display_consumer_collect(v.consumer, &c);
	assert_true(c.cursor_changed);
	assert_null(c.cursor);
	display_changes_finish(&c);
	viewer_close(&v);
	display_destroy(d);
	fake_source_finish(&s);
}

static void on_resize(void *opaque, unsigned head, unsigned width, unsigned height)
{
	unsigned *seen = opaque;

	seen[0]++;
	seen[1] = head;
	seen[2] = width;
	seen[3] = height;
}

static void test_resize_requests_are_checked(void **state)
{
	static const struct display_guest_ops guest = { .resize = on_resize };
	struct display *d = display_create(2);
	unsigned seen[4] = { 0 };

	assert_int_equal(display_request_resize(d, 0, 640, 480), -ENOTSUP);
	display_set_guest(d, &guest, seen);
	assert_int_equal(display_request_resize(d, 2, 640, 480), -EINVAL);
	assert_int_equal(display_request_resize(d, 0, 640, 8193), -EINVAL);
	assert_int_equal(display_request_resize(d, 0, 0, 480), -EINVAL);
	assert_int_equal(display_request_resize(d, 0, 31, 480), -EINVAL);
	assert_int_equal(seen[0], 0);
	assert_int_equal(display_request_resize(d, 1, 640, 480), 0);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1] * 10000 + seen[2], 10640);
	assert_int_equal(seen[3], 480);
	assert_int_equal(display_request_resize(d, 1, 0, 0), 0);
	assert_int_equal(seen[2] + seen[3], 0);
	display_destroy(d);
}

static void test_screenshots(void **state)
{
	struct display *d = display_create(2);
	uint32_t argb[64 * 64] = { 0x80ffffff, 0xffffffff };
	const char *error = NULL;
	struct fake_source s;
	GByteArray *png;
	png_image image = { .version = PNG_IMAGE_VERSION };
	uint8_t rgb[100 * 50 * 3];

	assert_null(screenshot_png(d, -1, true, &error));
	assert_string_equal(error, "the screen is off");
	assert_null(screenshot_png(d, 5, true, &error));
	assert_string_equal(error, "there is no such head");
	fake_source_init(&s, 100, 50);
	fake_source_paint(&s, 9);
	attach(d, 1, &s);
	scanout_set_cursor(d, 1, argb, 0, 0);
	scanout_move_cursor(d, 1, 98, 10);
	assert_null(screenshot_png(d, 0, true, &error));
	png = screenshot_png(d, 1, true, &error);
	assert_non_null(png);
	assert_true(png_image_begin_read_from_memory(&image, png->data, png->len));
	assert_int_equal(image.width, 100);
	assert_int_equal(image.height, 50);
	image.format = PNG_FORMAT_RGB;
	assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
	for (int i = 0; i < 100 * 50; i++) {
		uint32_t got = rgb[3 * i] << 16 | rgb[3 * i + 1] << 8 | rgb[3 * i + 2];
		uint32_t red = s.px[i] >> 16 & 255;

		if (i == 10 * 100 + 99)
			assert_int_equal(got, 0xffffff);
		else if (i == 10 * 100 + 98)
			assert_int_equal(got >> 16, (255 * 128 + red * 127 + 127) / 255);
		else
			assert_int_equal(got, s.px[i] & 0xffffff);
	}
	g_byte_array_unref(png);
	display_destroy(d);
	fake_source_finish(&s);
}

/* The machine loop paints while two consumers read, come and go. For the thread sanitizer. */
struct race {
	struct display *d;
	struct fake_source *s;
	bool stop;
};

static void *paint_thread(void *opaque)
{
	struct race *r = opaque;
	unsigned seed = 7;

	for (int i = 0; i < 300; i++) {
		int x = rand_r(&seed) % 200, y = rand_r(&seed) % 100;
		pixman_box32_t box = { x, y, x + 50, y + 50 };

		fake_source_noise(r->s, &box, rand_r(&seed));
		scanout_damage(r->d, 0, &box);
		if (i % 50 == 0)
			attach(r->d, 0, r->s);
	}
	__atomic_store_n(&r->stop, true, __ATOMIC_RELEASE);
	return NULL;
}

static void quiet_wake(void *opaque)
{
	__atomic_add_fetch((unsigned *)opaque, 1, __ATOMIC_RELAXED);
}

static void test_painting_while_consumers_come_and_go(void **state)
{
	static const struct display_consumer_ops ops = { .wake = quiet_wake };
	const pixman_box32_t all = { 0, 0, 250, 150 };
	struct display *d = display_create(1);
	struct fake_source s;
	struct race r = { d, &s };
	struct viewer v;
	pthread_t t;
	unsigned wakes = 0;

	fake_source_init(&s, 250, 150);
	attach(d, 0, &s);
	pthread_create(&t, NULL, paint_thread, &r);
	while (!__atomic_load_n(&r.stop, __ATOMIC_ACQUIRE)) {
		struct display_consumer *c = display_consumer_create(d, &ops, &wakes);
		uint32_t px[50 * 50];

		for (int i = 0; i < 5; i++) {
			struct display_changes changes;
			struct snapshot shot;

			display_consumer_collect(c, &changes);
			display_consumer_snapshot(c, &all, &shot);
			snapshot_read(&shot, &(pixman_box32_t){ 90, 40, 140, 90 }, px, 50);
			snapshot_finish(&shot);
			display_changes_finish(&changes);
		}
		display_consumer_destroy(c);
	}
	pthread_join(t, NULL);
	viewer_open(&v, d);
	viewer_update(&v);
	assert_shows(&v, &s, 0);
	viewer_close(&v);
	display_destroy(d);
	fake_source_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damage_stays_bounded_and_covers),
		cmocka_unit_test(test_damage_is_tight),
		cmocka_unit_test(test_without_consumers_nothing_is_read),
		cmocka_unit_test(test_a_source_of_the_same_size_is_only_compared),
		cmocka_unit_test(test_any_sequence_gives_back_the_source),
		cmocka_unit_test(test_a_snapshot_takes_its_damage_along),
		cmocka_unit_test(test_heads_stand_side_by_side),
		cmocka_unit_test(test_the_cursor_of_the_head_that_set_it_last),
		cmocka_unit_test(test_resize_requests_are_checked),
		cmocka_unit_test(test_screenshots),
		cmocka_unit_test(test_painting_while_consumers_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
