/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session seen by a client written for the purpose: updates, sizes, cursor, LEDs, input. */
#include "tests/unit/vnc_fixture.h"

#include <linux/input-event-codes.h>
#include <sys/socket.h>

static const int32_t plain[] = { 0, -312 };

static void assert_shows(const struct rfb_client *c, const struct fake_source *s)
{
	assert_int_equal(c->width, s->width);
	assert_int_equal(c->height, s->height);
	for (unsigned i = 0; i < s->width * s->height; i++)
		if (c->px[i] != (s->px[i] & 0xffffff))
			fail_msg("pixel %u,%u is %06x, not %06x", i % s->width, i / s->width,
				c->px[i], s->px[i] & 0xffffff);
}

/* Takes messages until the picture is right. */
static void wait_until_shown(struct rfb_client *c, const struct fake_source *s)
{
	for (;;) {
		unsigned i = 0, n = s->width * s->height;

		if (c->width == s->width && c->height == s->height)
			for (; i < n && c->px[i] == (s->px[i] & 0xffffff); i++)
				;
		if (i == n)
			return;
		assert_true(rfb_client_next(c) >= 0);
	}
}

static void test_an_update_for_each_change(void **state)
{
	struct fixture f;
	struct rfb_client c;
	uint64_t before;

	fixture_start(&f, &(struct vnc_config){ .name = "desk 7" }, 1, 1100, 300);
	fixture_open(&f, &c, plain, ARRAY_LEN(plain));
	assert_string_equal(c.name, "desk 7");
	assert_shows(&c, &f.source);
	for (unsigned i = 0; i < 20; i++) {
		pixman_box32_t box = { i * 50, i * 10, i * 50 + 7, i * 10 + 90 };

		rfb_client_request(&c, true);
		fixture_paint(&f, &box, i * 0x070503 + 1);
		before = c.received;
		assert_true(rfb_client_update(&c));
		assert_shows(&c, &f.source);
		assert_true(c.received - before < 7 * 90 * 4 + 200);
	}
	/* Two changes before a request: one update. */
	fixture_paint(&f, &(pixman_box32_t){ 0, 0, 10, 10 }, 1);
	fixture_paint(&f, &(pixman_box32_t){ 500, 200, 510, 210 }, 2);
	before = c.updates;
	rfb_client_request(&c, true);
	assert_true(rfb_client_update(&c));
	assert_shows(&c, &f.source);
	/* Nothing changed: nothing is sent. */
	rfb_client_request(&c, true);
	scanout_damage(f.display, 0, &(pixman_box32_t){ 0, 0, 1100, 300 });
	assert_true(rfb_client_sync(&c));
	assert_int_equal(c.updates, before + 1);
	rfb_client_finish(&c);
	fixture_stop(&f);
}

static void test_continuous_updates(void **state)
{
	static const int32_t encodings[] = { 0, -312, -313 };
	struct fixture f;
	struct rfb_client c;

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &c, encodings, ARRAY_LEN(encodings));
	assert_int_equal(c.end_of_continuous, 1);
	assert_true(c.fence_requests >= 1);
	rfb_client_continuous(&c, true);
	for (unsigned i = 0; i < 10; i++) {
		fixture_paint(&f, &(pixman_box32_t){ i, i, i + 20, i + 20 }, i + 100);
		assert_true(rfb_client_update(&c));
		assert_shows(&c, &f.source);
	}
	/* A client that confirms nothing gets two updates, and the rest in one when it does. */
	assert_true(rfb_client_sync(&c));
	c.mute = true;
	for (unsigned i = 0; i < 2; i++) {
		fixture_paint(&f, &(pixman_box32_t){ 0, 0, 20, 20 }, i + 200);
		assert_true(rfb_client_update(&c));
	}
	for (unsigned i = 0; i < 5; i++)
		fixture_paint(&f, &(pixman_box32_t){ 0, 0, 20, 20 }, i + 300);
	c.updates = 0;
	assert_true(rfb_client_sync(&c));
	assert_int_equal(c.updates, 0);
	rfb_client_encodings(&c, encodings, 1); /* no fence any more */
	assert_true(rfb_client_update(&c));
	assert_shows(&c, &f.source);
	rfb_client_continuous(&c, false);
	while (c.end_of_continuous < 2)
		assert_true(rfb_client_next(&c) >= 0);
	rfb_client_finish(&c);
	fixture_stop(&f);
}

static void test_the_guest_resizes(void **state)
{
	static const int32_t extended[] = { 0, -312, -308 }, simple[] = { 0, -312, -223 };
	struct fixture f;
	struct fake_source big;
	struct rfb_client a, b, c;

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &a, extended, ARRAY_LEN(extended));
	assert_int_equal(a.sizes, 1);
	assert_int_equal(a.screens, 1);
	assert_int_equal(a.screen[0].width, 200);
	assert_true(rfb_client_update(&a));
	fixture_open(&f, &b, simple, ARRAY_LEN(simple));
	assert_int_equal(b.sizes, 0);
	fixture_open(&f, &c, plain, ARRAY_LEN(plain));
	assert_shows(&c, &f.source);
	rfb_client_request(&a, true);
	rfb_client_request(&b, true);
	rfb_client_request(&c, true);

	fake_source_init(&big, 300, 150);
	fake_source_paint(&big, 2);
	scanout_set_source(f.display, 0, 300, 150, &fake_source_ops, &big);
	assert_true(rfb_client_update(&a));
	assert_int_equal(a.sizes, 2);
	assert_int_equal(a.size_reason, 0);
	assert_int_equal(a.screen[0].height, 150);
	rfb_client_request(&a, false); /* the old request was for the old size */
	wait_until_shown(&a, &big);
	while (a.sizes < 3)
		assert_true(rfb_client_update(&a));
	assert_true(rfb_client_update(&b));
	assert_int_equal(b.sizes, 1);
	rfb_client_request(&b, false);
	wait_until_shown(&b, &big);
	/* One that cannot be told sees the top left part. */
	assert_true(rfb_client_update(&c));
	assert_int_equal(c.width, 200);
	assert_int_equal(c.px[99 * 200 + 199], big.px[99 * 300 + 199] & 0xffffff);

	/* The head goes off: black, and no new size. */
	rfb_client_request(&b, true);
	scanout_set_source(f.display, 0, 0, 0, NULL, NULL);
	assert_true(rfb_client_update(&b));
	assert_int_equal(b.width, 300);
	assert_int_equal(b.px[0] | b.px[300 * 150 - 1], 0);
	rfb_client_finish(&a);
	rfb_client_finish(&b);
	rfb_client_finish(&c);
	fixture_stop(&f);
	fake_source_finish(&big);
}

static void set_desktop_size(struct rfb_client *c, unsigned width, unsigned height,
	const unsigned (*screens)[4], unsigned count)
{
	uint8_t m[8 + 16 * 255] = { 251 };

	be16_put(m + 2, width);
	be16_put(m + 4, height);
	m[6] = count;
	for (unsigned i = 0; i < count; i++) {
		be32_put(m + 8 + 16 * i, 77 + i);
		for (unsigned k = 0; k < 4; k++)
			be16_put(m + 12 + 16 * i + 2 * k, screens[i][k]);
	}
	rfb_client_send(c, m, 8 + 16 * count);
}

/* Sends the wish; returns the status that came back. */
static unsigned wish(struct rfb_client *c, unsigned width, unsigned height,
	const unsigned (*screens)[4], unsigned count)
{
	unsigned before = c->sizes;

	set_desktop_size(c, width, height, screens, count);
	rfb_client_request(c, true);
	while (c->sizes == before)
		assert_true(rfb_client_update(c));
	assert_int_equal(c->size_reason, 1);
	return c->size_status;
}

static void test_the_client_resizes(void **state)
{
	static const int32_t extended[] = { 0, -312, -308 };
	static const unsigned one[][4] = { { 0, 0, 800, 600 } }, same[][4] = { { 0, 0, 200, 100 } },
			      small[][4] = { { 0, 0, 10, 10 } },
			      two[][4] = { { 640, 0, 800, 600 }, { 0, 0, 640, 480 } },
			      gap[][4] = { { 0, 0, 640, 480 }, { 700, 0, 640, 480 } },
			      lower[][4] = { { 0, 0, 640, 480 }, { 640, 20, 640, 480 } };
	unsigned many[255][4] = { { 0 } };
	struct fixture f;
	struct rfb_client c;

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &c, extended, ARRAY_LEN(extended));
	assert_int_equal(wish(&c, 200, 100, same, 1), 0);
	assert_int_equal(f.resizes, 0);
	assert_int_equal(wish(&c, 800, 600, one, 1), 4);
	assert_int_equal(f.resizes, 1);
	assert_int_equal(f.resize_width, 800);
	assert_int_equal(f.resize_height, 600);
	assert_int_equal(wish(&c, 1440, 600, two, 2), 4); /* one head takes it all */
	assert_int_equal(f.resize_width, 1440);
	assert_int_equal(wish(&c, 10, 10, small, 1), 3);
	assert_int_equal(wish(&c, 800, 600, NULL, 0), 3);
	assert_int_equal(wish(&c, 65535, 600, one, 1), 3);
	assert_int_equal(f.resizes, 2);
	rfb_client_finish(&c);
	fixture_stop(&f);

	fixture_start(&f, NULL, 2, 200, 100);
	fixture_open(&f, &c, extended, ARRAY_LEN(extended));
	assert_int_equal(wish(&c, 1440, 600, two, 2), 4);
	assert_int_equal(f.resizes, 2);
	assert_int_equal(f.resize_head, 1);
	assert_int_equal(f.resize_width, 800);
	assert_int_equal(wish(&c, 1340, 480, gap, 2), 3);
	assert_int_equal(wish(&c, 1280, 500, lower, 2), 3);
	assert_int_equal(wish(&c, 1280, 500, (const unsigned(*)[4])many, 255), 3);
	assert_int_equal(f.resizes, 2);
	rfb_client_finish(&c);
	fixture_stop(&f);
}

/* The guest was quicker than the answer: which must not hide its size. */
static void test_a_wish_and_the_guest_at_once(void **state)
{
	static const int32_t extended[] = { 0, -312, -308 };
	static const unsigned wished[][4] = { { 0, 0, 300, 150 } }, bad[][4] = { { 0, 0, 9, 9 } };
	struct fixture f;
	struct fake_source big;
	struct rfb_client c;

	fixture_start(&f, NULL, 1, 200, 100);
	fake_source_init(&big, 300, 150);
	fixture_open(&f, &c, extended, ARRAY_LEN(extended));
	assert_true(rfb_client_update(&c));
	set_desktop_size(&c, 300, 150, wished, 1);
	assert_true(rfb_client_sync(&c));
	scanout_set_source(f.display, 0, 300, 150, &fake_source_ops, &big);
	rfb_client_request(&c, true);
	assert_true(rfb_client_update(&c));
	assert_int_equal(c.size_reason, 1);
	assert_int_equal(c.size_status, 0);
	assert_int_equal(c.width, 300);
	rfb_client_request(&c, false);
	wait_until_shown(&c, &big);

	/* Refused, and the guest takes another size meanwhile: one after the other. */
	while (c.sizes < 3)
		assert_true(rfb_client_update(&c));
	set_desktop_size(&c, 9, 9, bad, 1);
	assert_true(rfb_client_sync(&c));
	fixture_attach(&f);
	rfb_client_request(&c, true);
	assert_true(rfb_client_update(&c));
	assert_int_equal(c.size_reason, 1);
	assert_int_equal(c.size_status, 3);
	assert_int_equal(c.width, 300);
	assert_int_equal(c.screen[0].width, 300);
	assert_true(rfb_client_update(&c));
	assert_int_equal(c.size_reason, 0);
	assert_int_equal(c.width, 200);
	rfb_client_finish(&c);
	fixture_stop(&f);
	fake_source_finish(&big);
}

static void test_several_heads(void **state)
{
	static const int32_t extended[] = { 0, -312, -308 };
	static const unsigned whole[][4] = { { 0, 0, 290, 120 } };
	struct fixture f;
	struct fake_source right;
	struct rfb_client c;

	fixture_start(&f, NULL, 2, 200, 100);
	fake_source_init(&right, 90, 120);
	fake_source_paint(&right, 5);
	scanout_set_source(f.display, 1, 90, 120, &fake_source_ops, &right);
	fixture_open(&f, &c, extended, ARRAY_LEN(extended));
	assert_int_equal(c.width, 290);
	assert_int_equal(c.height, 120);
	assert_int_equal(c.screens, 2);
	assert_int_equal(c.screen[1].id, 2);
	assert_int_equal(c.screen[1].x, 200);
	assert_int_equal(c.screen[1].height, 120);
	assert_true(rfb_client_update(&c));
	assert_int_equal(c.px[119 * 290 + 289], right.px[90 * 120 - 1] & 0xffffff);
	assert_int_equal(c.px[119 * 290], 0);
	/* A window of the same size is no wish for one head. */
	assert_int_equal(wish(&c, 290, 120, whole, 1), 0);
	assert_int_equal(f.resizes, 0);
	assert_int_equal(c.screens, 2);
	/* The tablet spans both. */
	rfb_client_pointer(&c, 0, 289, 119);
	assert_true(rfb_client_sync(&c));
	assert_int_equal(f.x, SEAT_ABS_MAX);
	assert_int_equal(f.y, SEAT_ABS_MAX);
	rfb_client_finish(&c);
	fixture_stop(&f);
	fake_source_finish(&right);
}

static void test_cursors(void **state)
{
	static const int32_t masked[] = { 0, -312, -239 }, alpha[] = { 0, -312, -239, -314 };
	uint32_t argb[64 * 64] = { 0x80ff0000 };
	struct fixture f;
	struct rfb_client a, b;

	fixture_start(&f, NULL, 1, 200, 100);
	argb[5 * 64 + 9] = 0xffffffff;
	scanout_set_cursor(f.display, 0, argb, 2, 3);
	fixture_open(&f, &a, masked, ARRAY_LEN(masked));
	fixture_open(&f, &b, alpha, ARRAY_LEN(alpha));
	assert_int_equal(a.cursors, 1);
	assert_int_equal(a.cursor_encoding, -239);
	assert_int_equal(a.cursor_width, 10);
	assert_int_equal(a.cursor_height, 6);
	assert_int_equal(a.hot_x * 10 + a.hot_y, 23);
	assert_int_equal(a.cursor_first, 0xff0000);
	assert_int_equal(b.cursor_encoding, -314);
	assert_int_equal(b.cursor_first, 0x80000080); /* R, G, B, A in memory, premultiplied */

	/* Hidden. A move alone says nothing. */
	rfb_client_request(&a, true);
	rfb_client_request(&b, true);
	scanout_move_cursor(f.display, 0, 40, 50);
	assert_true(rfb_client_sync(&a));
	assert_int_equal(a.cursors, 1);
	scanout_set_cursor(f.display, 0, NULL, 0, 0);
	assert_true(rfb_client_update(&a));
	assert_true(rfb_client_update(&b));
	assert_int_equal(a.cursors + b.cursors, 4);
	assert_int_equal(a.cursor_width + a.cursor_height + b.cursor_width, 0);
	rfb_client_finish(&a);
	rfb_client_finish(&b);
	fixture_stop(&f);
}

static void test_leds_and_acknowledgements(void **state)
{
	static const int32_t qemu[] = { 0, -312, -261, -258, -316 },
			     vmware[] = { 0, -312, 0x574d5668, -307 };
	char long_name[201];
	struct fixture f;
	struct rfb_client a, b;

	memset(long_name, 'n', 200);
	long_name[200] = 0;
	fixture_start(&f, &(struct vnc_config){ .name = long_name }, 1, 200, 100);
	seat_device_leds(f.seat, SEAT_LED_NUM);
	fixture_open(&f, &a, qemu, ARRAY_LEN(qemu));
	fixture_open(&f, &b, vmware, ARRAY_LEN(vmware));
	assert_true(a.qemu_keys && a.extended_buttons && !b.qemu_keys);
	assert_string_equal(b.name, long_name);
	assert_int_equal(strlen(a.name), 127);
	rfb_client_request(&a, true);
	rfb_client_request(&b, true);
	seat_device_leds(f.seat, SEAT_LED_CAPS | SEAT_LED_SCROLL);
	while (a.leds != 5)
		assert_true(rfb_client_next(&a) >= 0);
	while (b.leds != 5)
		assert_true(rfb_client_next(&b) >= 0);
	rfb_client_finish(&a);
	rfb_client_finish(&b);
	fixture_stop(&f);
}

static void extended_key(struct rfb_client *c, uint32_t keysym, uint32_t xt, bool down)
{
	uint8_t m[12] = { 255, 0, 0, down };

	be32_put(m + 4, keysym);
	be32_put(m + 8, xt);
	rfb_client_send(c, m, sizeof m);
}

static void assert_key(struct fixture *f, unsigned at, uint16_t code, bool down)
{
	assert_true(at < f->key_count);
	assert_int_equal(f->keys[at].code, code);
	assert_int_equal(f->keys[at].down, down);
}

static void test_keys(void **state)
{
	static const int32_t qemu[] = { 0, -312, -258 };
	struct fixture f;
	struct rfb_client c, other;

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &c, qemu, ARRAY_LEN(qemu));
	rfb_client_key(&c, 'a', true);
	rfb_client_key(&c, 'a', false);
	extended_key(&c, 0xffe4, 0x9d, true); /* right Ctrl: E0 1D */
	extended_key(&c, 'z', 0x15, true);    /* the key, not the letter: a German keyboard's Z */
	extended_key(&c, 'b', 0, true);       /* no scancode: the keysym */
	assert_true(rfb_client_sync(&c));
	assert_int_equal(f.key_count, 5);
	assert_key(&f, 0, KEY_A, true);
	assert_key(&f, 1, KEY_A, false);
	assert_key(&f, 2, KEY_RIGHTCTRL, true);
	assert_key(&f, 3, KEY_Y, true);
	assert_key(&f, 4, KEY_B, true);

	/* What was held is let go when the client disappears, with everything it sent before. */
	rfb_client_key(&c, 'c', true);
	rfb_client_finish(&c);
	fixture_open(&f, &other, plain, 2);
	for (unsigned up = 0; up != 4;) {
		assert_true(rfb_client_sync(&other));
		pthread_mutex_lock(&f.lock);
		up = 0;
		for (unsigned i = 5; i < f.key_count; i++)
			up += !f.keys[i].down;
		pthread_mutex_unlock(&f.lock);
	}
	assert_key(&f, 5, KEY_C, true);
	rfb_client_finish(&other);
	fixture_stop(&f);
}

static void test_pointer(void **state)
{
	static const int32_t buttons[] = { 0, -312, -316 };
	struct fixture f;
	struct rfb_client c;

	fixture_start(&f, NULL, 1, 201, 101);
	fixture_open(&f, &c, buttons, ARRAY_LEN(buttons));
	rfb_client_pointer(&c, 0, 100, 50);
	assert_true(rfb_client_sync(&c));
	assert_int_equal(f.x, (SEAT_ABS_MAX + 1) / 2);
	assert_int_equal(f.y, (SEAT_ABS_MAX + 1) / 2);
	rfb_client_pointer(&c, 0, 60000, 100); /* outside */
	rfb_client_pointer(&c, 7, 0, 0);
	rfb_client_pointer(&c, 0, 0, 0);
	rfb_client_pointer(&c, 0x180, 0, 0);
	rfb_client_pointer(&c, 0x08, 0, 0); /* wheel up */
	rfb_client_pointer(&c, 0x40, 0, 0); /* right */
	rfb_client_pointer(&c, 0x40, 1, 1); /* still held: no further notch */
	assert_true(rfb_client_sync(&c));
	assert_int_equal(f.key_count, 10);
	assert_key(&f, 0, BTN_LEFT, true);
	assert_key(&f, 1, BTN_MIDDLE, true);
	assert_key(&f, 2, BTN_RIGHT, true);
	assert_key(&f, 5, BTN_RIGHT, false);
	assert_key(&f, 6, BTN_SIDE, true);
	assert_key(&f, 7, BTN_EXTRA, true);
	assert_key(&f, 9, BTN_EXTRA, false);
	assert_int_equal(f.vertical, 120);
	assert_int_equal(f.horizontal, 120);
	rfb_client_finish(&c);
	fixture_stop(&f);
}

static void test_figures(void **state)
{
	struct vnc_server_stats sums;
	struct vnc_client_stats clients[2];
	struct fixture f;
	struct rfb_client c;
	int pair[2];

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &c, plain, ARRAY_LEN(plain));
	assert_true(rfb_client_sync(&c));
	g_idle_add(fixture_quit, f.loop);
	g_thread_join(f.thread);
	assert_int_equal(vnc_server_stats(f.server, &sums, clients, 2), 1);
	assert_int_equal(sums.clients, 1);
	assert_int_equal(sums.accepted, 1);
	assert_int_equal(sums.refused, 0);
	assert_int_equal(sums.updates, 1);
	assert_int_equal(sums.bytes, c.received);
	assert_true(clients[0].ready);
	assert_int_equal(clients[0].width, 200);
	assert_true(g_str_has_prefix(clients[0].peer, "unix socket, process "));
	assert_true(g_str_has_prefix(vnc_server_address(f.server), "unix:/"));

	/* A descriptor from elsewhere is a client like any other. */
	rfb_client_finish(&c);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	vnc_server_adopt(f.server, pair[0]);
	f.thread = g_thread_new("service", fixture_run, &f);
	rfb_client_init(&c, pair[1]);
	assert_true(rfb_client_handshake(&c));
	rfb_client_finish(&c);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_update_for_each_change),
		cmocka_unit_test(test_continuous_updates),
		cmocka_unit_test(test_the_guest_resizes),
		cmocka_unit_test(test_the_client_resizes),
		cmocka_unit_test(test_a_wish_and_the_guest_at_once),
		cmocka_unit_test(test_several_heads),
		cmocka_unit_test(test_cursors),
		cmocka_unit_test(test_leds_and_acknowledgements),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_pointer),
		cmocka_unit_test(test_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
