/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that break the rules, and beside each of them one that keeps them and is served all the
 * time.
 */
#include "tests/unit/vnc_fixture.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static const int32_t plain[] = { 0, -312 };

/* The good client sees a change, whatever the others do. */
static void assert_served(struct fixture *f, struct rfb_client *good)
{
	static uint32_t colour = 1;
	const pixman_box32_t box = { 10, 10, 30, 30 };

	rfb_client_request(good, true);
	fixture_paint(f, &box, ++colour);
	while (good->px[15 * good->width + 15] != colour)
		assert_true(rfb_client_next(good) >= 0);
}

static void test_bad_greetings(void **state)
{
	static const char *const greetings[] = { "RFB 004.000\n", "RFB 000.000\n", "GET / HTTP/1.",
		"\0\0\0\0\0\0\0\0\0\0\0\0", "RFB abc.def\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x9d" };
	struct fixture f;
	struct rfb_client good, bad;

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &good, plain, ARRAY_LEN(plain));
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		fixture_connect(&f, &bad);
		rfb_client_send(&bad, greetings[i], 12);
		assert_true(rfb_client_closed(&bad));
		rfb_client_finish(&bad);
		assert_served(&f, &good);
	}
	rfb_client_finish(&good);
	fixture_stop(&f);
}

/* At each stage: some bytes, and then nothing. */
static void test_unfinished_handshakes_end(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} parts[] = { { "", 0 }, { "R", 1 }, { "RFB 003.008", 11 }, { "RFB 003.008\n", 12 },
		{ "RFB 003.008\n\1", 13 }, { "RFB 003.003\n", 12 }, { "RFB 003.007\n\1", 13 } };
	struct rfb_client bad[ARRAY_LEN(parts)], good;
	struct fixture f;

	fixture_start(&f, &(struct vnc_config){ .handshake_ms = 300 }, 1, 200, 100);
	fixture_open(&f, &good, plain, ARRAY_LEN(plain));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		fixture_connect(&f, &bad[i]);
		rfb_client_send(&bad[i], parts[i].bytes, parts[i].len);
	}
	assert_served(&f, &good);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		assert_true(rfb_client_closed(&bad[i]));
		rfb_client_finish(&bad[i]);
	}
	assert_served(&f, &good); /* whose own time has run out long ago */
	rfb_client_finish(&good);
	fixture_stop(&f);
}

static void test_security_that_was_not_offered(void **state)
{
	static const char types[] = { 0, 2, 16, 19, (char)255 };
	struct fixture f;
	struct rfb_client bad;
	char buf[16];

	fixture_start(&f, NULL, 1, 200, 100);
	for (size_t i = 0; i < sizeof types; i++) {
		fixture_connect(&f, &bad);
		assert_true(rfb_client_read(&bad, buf, 12));
		rfb_client_send(&bad, buf, 12);
		rfb_client_send(&bad, &types[i], 1);
		assert_true(rfb_client_closed(&bad));
		rfb_client_finish(&bad);
	}
	fixture_stop(&f);
}

static void test_messages_that_are_not_let_through(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} messages[] = {
		{ "\1", 1 },                                            /* FixColourMapEntries */
		{ "\7\0\0\0\0\0\0\0\0\0\0\0", 12 },                     /* file transfer */
		{ "\xb\0\0\0\xff\xff\xff\xff", 8 },                     /* chat */
		{ "\x8\2\0\0", 4 },                                     /* scaling */
		{ "\xfa\0\1\2", 4 },                                    /* xvp: power off */
		{ "\xff\1\0\0", 4 },                                    /* QEMU: audio */
		{ "\2\0\xff\xff", 4 },                                  /* 65535 encodings */
		{ "\6\0\0\0\x7f\xff\xff\xff", 8 },                      /* a text of 2 GiB */
		{ "\xf8\0\0\0\x80\0\0\0\xff", 9 },                      /* a fence of 255 bytes */
		{ "\0\0\0\0\x08\x08\0\0\0\7\0\7\0\3\0\3\6\0\0\0", 20 }, /* a colour map */
		{ "\0\0\0\0\x18\x18\0\1\0\xff\0\xff\0\xff\x10\x08\0\0\0\0", 20 }, /* 24 bits */
		{ "\0\0\0\0\x20\x18\0\1\xff\xff\0\xff\0\xff\x1f\x08\0\0\0\0", 20 },
	};
	struct fixture f;
	struct rfb_client good, bad;

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &good, plain, ARRAY_LEN(plain));
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		fixture_open(&f, &bad, plain, ARRAY_LEN(plain));
		rfb_client_send(&bad, messages[i].bytes, messages[i].len);
		if (!rfb_client_closed(&bad))
			fail_msg("message %zu was let through", i);
		rfb_client_finish(&bad);
		assert_served(&f, &good);
	}
	rfb_client_finish(&good);
	fixture_stop(&f);
}

/* Half of each message, and then nothing: only its sender waits. */
static void test_half_a_message(void **state)
{
	static const uint8_t types[] = { 0, 2, 3, 4, 5, 6, 150, 248, 251, 255 };
	struct rfb_client bad[ARRAY_LEN(types)], good;
	struct fixture f;

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &good, plain, ARRAY_LEN(plain));
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		fixture_open(&f, &bad[i], plain, ARRAY_LEN(plain));
		rfb_client_send(&bad[i], &types[i], 1);
		assert_served(&f, &good);
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		rfb_client_finish(&bad[i]);
	assert_served(&f, &good);
	rfb_client_finish(&good);
	fixture_stop(&f);
}

static void test_a_megabyte_of_clipboard(void **state)
{
	static uint8_t text[8 + (1 << 20)] = { 6 };
	struct fixture f;
	struct rfb_client good, bad;

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &good, plain, ARRAY_LEN(plain));
	fixture_open(&f, &bad, plain, ARRAY_LEN(plain));
	be32_put(text + 4, 1 << 20);
	memset(text + 8, 4, 1 << 20); /* which, taken for messages, would be keys */
	assert_true(rfb_client_send(&bad, text, sizeof text));
	assert_true(rfb_client_sync(&bad));
	assert_int_equal(f.key_count, 0);
	/* Half of one, and then silence. */
	assert_true(rfb_client_send(&bad, text, sizeof text / 2));
	assert_served(&f, &good);
	rfb_client_finish(&bad);
	rfb_client_finish(&good);
	fixture_stop(&f);
}

/* Sends as long as the server takes it, reads nothing. */
static void flood(struct rfb_client *c, const uint8_t *message, size_t len, size_t limit)
{
	static uint8_t block[64 * 1024];
	size_t n = sizeof block / len * len;

	for (size_t i = 0; i < n; i++)
		block[i] = message[i % len];
	for (size_t sent = 0, phase = 0; sent < limit;) {
		ssize_t k = send(c->fd, block + phase, n - phase, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k > 0) {
			sent += k;
			phase = (phase + k) % n;
		} else if (errno != EAGAIN ||
			   poll(&(struct pollfd){ .fd = c->fd, .events = POLLOUT }, 1, 200) == 0) {
			return; /* closed, or held off */
		}
	}
}

static void test_floods(void **state)
{
	static const struct {
		uint8_t bytes[24];
		size_t len;
	} floods[] = {
		{ { 248, 0, 0, 0, 0x80, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8 }, 17 }, /* fences */
		{ { 3, 0, 0, 0, 0, 0, 0, 200, 0, 100 }, 10 }, /* full requests */
		{ { 5, 1, 0, 50, 0, 50 }, 6 },                /* the pointer */
		{ { 0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0 }, 20 },
		{ { 2, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xc8 }, 12 }, /* encodings */
		{ { 251, 0, 3, 32, 2, 88, 0, 0 }, 8 },                      /* sizes */
	};
	struct vnc_client_stats stats[4];
	struct vnc_server_stats sums;
	struct fixture f;
	struct rfb_client good, bad[ARRAY_LEN(floods)];

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &good, plain, ARRAY_LEN(plain));
	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		fixture_open(&f, &bad[i], plain, ARRAY_LEN(plain));
		flood(&bad[i], floods[i].bytes, floods[i].len, 1 << 20);
		assert_served(&f, &good);
	}
	g_idle_add(fixture_quit, f.loop);
	g_thread_join(f.thread);
	for (unsigned i = vnc_server_stats(f.server, &sums, stats, ARRAY_LEN(stats)); i-- > 0;)
		assert_true(stats[i].queued < 512 * 1024);
	f.thread = g_thread_new("service", fixture_run, &f);
	for (size_t i = 0; i < ARRAY_LEN(floods); i++)
		rfb_client_finish(&bad[i]);
	assert_served(&f, &good);
	rfb_client_finish(&good);
	fixture_stop(&f);
}

/* Wants everything at once and reads nothing of it, while the other sees every frame. */
static void test_a_client_that_stops_reading(void **state)
{
	static const int32_t continuous[] = { 0, -313 };
	struct fixture f;
	struct rfb_client good, bad;
	const pixman_box32_t all = { 0, 0, 1000, 700 };

	fixture_start(&f, NULL, 1, 1000, 700);
	fixture_open(&f, &good, plain, ARRAY_LEN(plain));
	fixture_open(&f, &bad, continuous, ARRAY_LEN(continuous));
	rfb_client_continuous(&bad, true);
	for (unsigned i = 0; i < 20; i++) {
		rfb_client_request(&good, true);
		fixture_paint(&f, &all, 0x010203 * i + 5);
		while (good.px[1000 * 700 - 1] != 0x010203 * i + 5)
			assert_true(rfb_client_next(&good) >= 0);
	}
	/* It reads again: what it gets ends with the newest pixels, not with all that it missed. */
	while (bad.px[1000 * 700 - 1] != 0x010203 * 19 + 5 || bad.px[0] != 0x010203 * 19 + 5)
		assert_true(rfb_client_next(&bad) >= 0);
	assert_true(bad.updates < 15);
	rfb_client_finish(&good);
	rfb_client_finish(&bad);
	fixture_stop(&f);
}

static void test_one_client_too_many(void **state)
{
	struct fixture f;
	struct rfb_client c[3], more;
	char answer[64] = { 0 };

	fixture_start(&f, &(struct vnc_config){ .clients_max = 3 }, 1, 200, 100);
	for (int i = 0; i < 3; i++)
		fixture_open(&f, &c[i], plain, ARRAY_LEN(plain));
	fixture_connect(&f, &more);
	assert_true(rfb_client_read(&more, answer, 12 + 1 + 4 + 24));
	assert_memory_equal(answer, "RFB 003.008\n\0\0\0\0\030", 17);
	assert_string_equal(answer + 17, "There are too many users");
	assert_true(rfb_client_closed(&more));
	rfb_client_finish(&more);
	assert_served(&f, &c[0]);
	rfb_client_finish(&c[2]);
	for (;;) { /* its place is free as soon as the server has seen it go */
		fixture_connect(&f, &more);
		if (rfb_client_handshake(&more))
			break;
		rfb_client_finish(&more);
	}
	rfb_client_finish(&more);
	rfb_client_finish(&c[0]);
	rfb_client_finish(&c[1]);
	fixture_stop(&f);
}

/* Random bytes behind a good handshake. */
static void test_garbage(void **state)
{
	struct fixture f;
	struct rfb_client good, bad;
	unsigned seed = 3;

	fixture_start(&f, NULL, 1, 200, 100);
	fixture_open(&f, &good, plain, ARRAY_LEN(plain));
	for (int i = 0; i < 100; i++) {
		uint8_t junk[3000];

		fixture_connect(&f, &bad);
		assert_true(rfb_client_handshake(&bad));
		for (size_t k = 0; k < sizeof junk; k++)
			junk[k] = rand_r(&seed) % (i % 2 ? 256 : 8);
		rfb_client_send(&bad, junk, sizeof junk);
		rfb_client_finish(&bad);
	}
	assert_served(&f, &good);
	rfb_client_finish(&good);
	fixture_stop(&f);
}

/* Leaves in the middle of an update, again and again. */
static void test_clients_that_vanish(void **state)
{
	struct fixture f;
	struct rfb_client good, bad;

	fixture_start(&f, NULL, 1, 1000, 700);
	fixture_open(&f, &good, plain, ARRAY_LEN(plain));
	for (int i = 0; i < 20; i++) {
		char some[1000];

		fixture_connect(&f, &bad);
		assert_true(rfb_client_handshake(&bad));
		rfb_client_request(&bad, false);
		assert_true(rfb_client_read(&bad, some, sizeof some));
		rfb_client_finish(&bad);
	}
	assert_served(&f, &good);
	rfb_client_finish(&good);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_greetings),
		cmocka_unit_test(test_unfinished_handshakes_end),
		cmocka_unit_test(test_security_that_was_not_offered),
		cmocka_unit_test(test_messages_that_are_not_let_through),
		cmocka_unit_test(test_half_a_message),
		cmocka_unit_test(test_a_megabyte_of_clipboard),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_a_client_that_stops_reading),
		cmocka_unit_test(test_one_client_too_many),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_clients_that_vanish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
