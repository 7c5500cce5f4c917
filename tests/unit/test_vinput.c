/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-input: what it says of itself, events in whole groups, bounds, LEDs, broken rules, state. */
#include "vmm/virtio/input.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/input-event-codes.h>
#include <linux/virtio_input.h>

#include "tests/fakes/fake_driver.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/state.h"
#include "vmm/virtio/input_report.h"

enum { EVENTQ, STATUSQ };

struct rig {
	struct fake_driver d;
	struct seat *seat;
	struct vinput *v;
	struct virtio_device *dev;
	struct seat_user *user;
	uint8_t *buffer[65536]; /* of an event, by head */
	unsigned given;
	char got[8192];
};

static struct rig *rig_create(enum seat_kind kind)
{
	struct rig *g = calloc(1, sizeof *g);

	fake_driver_init(&g->d, 4 * MIB);
	g->seat = seat_create();
	g->v = vinput_create(kind, g->d.loop, &g->d.mem, g->seat);
	g->dev = vinput_device(g->v);
	g->user = seat_user_create(g->seat, "test", NULL, NULL);
	return g;
}

static void rig_start(struct rig *g)
{
	fake_driver_start(&g->d, g->dev, ~0ull);
}

static void rig_destroy(struct rig *g)
{
	seat_user_destroy(g->user);
	seat_destroy(g->seat);
	vinput_destroy(g->v);
	fake_driver_finish(&g->d);
	free(g);
}

/* Gives the device n empty buffers for events. */
static void give(struct rig *g, unsigned n)
{
	while (n--) {
		struct iovec iov = { fake_driver_alloc(&g->d, 8, 8), 8 };

		g->given++;
		g->buffer[fake_driver_request(&g->d, EVENTQ, &iov, 0, 1)] = iov.iov_base;
	}
	fake_driver_kick(&g->d, EVENTQ);
}

/* What has come, "k30=1 a0=5 r8=-1 ." with a dot for each SYN_REPORT. */
static const char *events(struct rig *g)
{
	char *at = g->got;
	uint32_t len;
	uint16_t head;

	loop_step(g->d.loop, 0);
	*at = 0;
	while (fake_driver_used(&g->d, EVENTQ, &head, &len)) {
		const uint8_t *e = g->buffer[head];
		int type = le16_get(e), code = le16_get(e + 2), value = (int)le32_get(e + 4);

		g->given--;
		assert_int_equal(len, 8);
		if (type == EV_SYN)
			at += sprintf(at, ". ");
		else
			at += sprintf(at, "%c%d=%d ",
				type == EV_KEY   ? 'k'
				: type == EV_ABS ? 'a'
				: type == EV_REL ? 'r'
						 : '?',
				code, value);
	}
	if (at > g->got)
		at[-1] = 0;
	return g->got;
}

#define assert_events(g, what) assert_string_equal(events(g), what)

static bool needs_reset(struct rig *g)
{
	return virtio_read_status(g->dev) & VIRTIO_STATUS_NEEDS_RESET;
}

static void quiet(void *opaque, enum log_level level, const char *line)
{
}

/* ---- config space ---- */

static struct virtio_input_config ask(struct rig *g, uint8_t select, uint8_t subsel)
{
	struct virtio_input_config c;

	virtio_config_write(g->dev, 0, &select, 1);
	virtio_config_write(g->dev, 1, &subsel, 1);
	virtio_config_read(g->dev, 0, &c, sizeof c);
	assert_int_equal(c.select, select);
	assert_int_equal(c.subsel, subsel);
	for (size_t i = c.size; i < sizeof c.u; i++)
		assert_int_equal(c.u.bitmap[i], 0);
	return c;
}

static bool has(struct rig *g, uint8_t type, unsigned bit)
{
	struct virtio_input_config c = ask(g, VIRTIO_INPUT_CFG_EV_BITS, type);

	return bit / 8 < c.size && c.u.bitmap[bit / 8] >> bit % 8 & 1;
}

static void test_names_and_ids(void **state)
{
	static const char *const names[] = { "Hotdesk Keyboard", "Hotdesk Tablet",
		"Hotdesk Mouse" };

	for (int kind = SEAT_KEYBOARD; kind <= SEAT_MOUSE; kind++) {
		struct rig *g = rig_create((enum seat_kind)kind);
		struct virtio_input_config c = ask(g, VIRTIO_INPUT_CFG_ID_NAME, 0);

		assert_int_equal(g->dev->id, VIRTIO_ID_INPUT);
		assert_int_equal(c.size, strlen(names[kind]));
		assert_memory_equal(c.u.string, names[kind], c.size);
		c = ask(g, VIRTIO_INPUT_CFG_ID_DEVIDS, 0);
		assert_int_equal(c.size, 8);
		assert_int_equal(c.u.ids.bustype, 6);
		assert_int_equal(c.u.ids.product, kind + 1);
		rig_destroy(g);
	}
}

/* Every select and subsel: what is not there has size 0. */
static void test_all_selectors(void **state)
{
	for (int kind = SEAT_KEYBOARD; kind <= SEAT_MOUSE; kind++) {
		struct rig *g = rig_create((enum seat_kind)kind);
		unsigned answered = 0;

		for (unsigned select = 0; select < 256; select++)
			for (unsigned subsel = 0; subsel < 256; subsel++)
				answered += ask(g, (uint8_t)select, (uint8_t)subsel).size > 0;
		/* name, ids, and: KEY LED; KEY REL ABS and two axes; KEY REL */
		assert_int_equal(answered, kind == SEAT_TABLET ? 7 : 4);
		rig_destroy(g);
	}
}

static void test_what_each_device_has(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);
	struct virtio_input_config c;

	assert_true(has(g, EV_KEY, KEY_A));
	assert_true(has(g, EV_KEY, KEY_RIGHTMETA));
	assert_false(has(g, EV_KEY, 84));
	assert_false(has(g, EV_KEY, BTN_LEFT));
	assert_true(has(g, EV_LED, LED_CAPSL));
	assert_false(has(g, EV_REP, 0));
	assert_false(has(g, EV_REL, REL_WHEEL));
	rig_destroy(g);

	g = rig_create(SEAT_TABLET);
	assert_true(has(g, EV_KEY, BTN_LEFT));
	assert_true(has(g, EV_KEY, BTN_EXTRA));
	assert_false(has(g, EV_KEY, BTN_TOUCH));
	assert_true(has(g, EV_ABS, ABS_Y));
	assert_true(has(g, EV_REL, REL_HWHEEL_HI_RES));
	assert_false(has(g, EV_REL, REL_X));
	c = ask(g, VIRTIO_INPUT_CFG_ABS_INFO, ABS_Y);
	assert_int_equal(c.size, 20);
	assert_int_equal(c.u.abs.max, SEAT_ABS_MAX);
	assert_int_equal(ask(g, VIRTIO_INPUT_CFG_PROP_BITS, 0).size, 0);
	rig_destroy(g);

	g = rig_create(SEAT_MOUSE);
	assert_true(has(g, EV_REL, REL_X));
	assert_true(has(g, EV_REL, REL_WHEEL_HI_RES));
	assert_false(has(g, EV_ABS, ABS_X));
	assert_false(has(g, EV_LED, LED_CAPSL));
	rig_destroy(g);
}

static void test_writes_of_other_sizes_and_places(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);
	uint8_t both[2] = { VIRTIO_INPUT_CFG_EV_BITS, EV_LED }, junk[136];
	struct virtio_input_config before, c;

	virtio_config_write(g->dev, 0, both, 2);
	virtio_config_read(g->dev, 0, &before, sizeof before);
	assert_int_equal(before.size, 1);
	assert_int_equal(before.u.bitmap[0], 7);
	memset(junk, 0xff, sizeof junk);
	virtio_config_write(g->dev, 2, junk, 134); /* read-only */
	virtio_config_write(g->dev, 136, junk, 1); /* outside */
	virtio_config_write(g->dev, 0xffffffff, junk, 4);
	virtio_config_read(g->dev, 0, &c, sizeof c);
	assert_memory_equal(&c, &before, sizeof c);
	virtio_config_write(g->dev, 1, junk, 4);
	virtio_config_read(g->dev, 0, &c, sizeof c);
	assert_int_equal(c.subsel, 0xff);
	assert_int_equal(c.size, 0);
	rig_destroy(g);
}

/* ---- events ---- */

static void test_keys_arrive(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);

	assert_false(seat_listens(g->seat, SEAT_KEYBOARD));
	rig_start(g);
	assert_true(seat_listens(g->seat, SEAT_KEYBOARD));
	give(g, 16);
	seat_user_key(g->user, KEY_A, true);
	assert_events(g, "k30=1 .");
	seat_user_key(g->user, KEY_A, true);
	assert_events(g, "k30=2 .");
	seat_user_key(g->user, KEY_A, false);
	seat_user_key(g->user, KEY_B, true);
	assert_events(g, "k30=0 . k48=1 .");
	seat_user_key(g->user, 84, true); /* no such key */
	seat_user_key(g->user, KEY_MAX, true);
	assert_events(g, "");
	assert_true(g->d.rings[EVENTQ].interrupts > 0);
	rig_destroy(g);
}

static void test_tablet_and_wheels(void **state)
{
	struct rig *g = rig_create(SEAT_TABLET);

	rig_start(g);
	give(g, 40);
	seat_user_move_abs(g->user, 5, 99999);
	seat_user_button(g->user, BTN_LEFT, true);
	seat_user_button(g->user, BTN_LEFT, false);
	assert_events(g, "a0=5 a1=32767 . k272=1 . k272=0 .");
	seat_user_wheel(g->user, 120, 0);
	assert_events(g, "r8=1 r11=120 .");
	seat_user_wheel(g->user, -60, 0);
	assert_events(g, "r11=-60 .");
	seat_user_wheel(g->user, -60, 30);
	assert_events(g, "r8=-1 r11=-60 r12=30 .");
	seat_user_wheel(g->user, -100, 0);
	assert_events(g, "r11=-100 .");
	seat_user_wheel(g->user, 40, 0); /* turned round: a new notch */
	assert_events(g, "r11=40 .");
	seat_user_wheel(g->user, 200, 250);
	assert_events(g, "r8=2 r11=200 r6=2 r12=250 .");
	seat_user_button(g->user, BTN_EXTRA + 1, true);
	seat_user_button(g->user, KEY_A, true);
	assert_events(g, "");
	rig_destroy(g);
}

static void test_mouse(void **state)
{
	struct rig *g = rig_create(SEAT_MOUSE);

	rig_start(g);
	give(g, 20);
	seat_user_move_rel(g->user, 3, 0);
	assert_events(g, "r0=3 .");
	seat_user_move_rel(g->user, -3, 4);
	seat_user_move_rel(g->user, -3, 4); /* in one pass: melts */
	assert_events(g, "r0=-6 r1=8 .");
	seat_user_move_rel(g->user, INT32_MAX, INT32_MIN);
	seat_user_move_rel(g->user, INT32_MAX, INT32_MIN);
	assert_events(g, "r0=1048576 r1=-1048576 .");
	rig_destroy(g);
}

static void test_a_group_is_whole_or_not_there(void **state)
{
	struct rig *g = rig_create(SEAT_TABLET);

	rig_start(g);
	give(g, 2);
	seat_user_move_abs(g->user, 1, 2); /* wants three */
	assert_events(g, "");
	give(g, 1);
	assert_events(g, "a0=1 a1=2 .");
	seat_user_button(g->user, BTN_LEFT, true);
	assert_events(g, "");
	give(g, 1);
	assert_events(g, "");
	give(g, 1);
	assert_events(g, "k272=1 .");
	rig_destroy(g);
}

static void test_waiting_motion_melts(void **state)
{
	struct rig *g = rig_create(SEAT_TABLET);

	rig_start(g);
	for (unsigned i = 0; i < 1000; i++)
		seat_user_move_abs(g->user, i, i);
	seat_user_button(g->user, BTN_LEFT, true);
	for (unsigned i = 0; i < 1000; i++)
		seat_user_move_abs(g->user, i + 5, i);
	for (unsigned i = 0; i < 1000; i++)
		seat_user_wheel(g->user, 12, 0);
	give(g, 20);
	assert_events(g, "a0=999 a1=999 . k272=1 . a0=1004 a1=999 . r8=100 r11=12000 .");
	rig_destroy(g);
}

/* A guest that never looks: bounded, and each key that was taken as pressed is released. */
static void test_releases_are_never_lost(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);
	bool down[KEY_CNT] = { false };
	unsigned presses = 0;

	rig_start(g);
	for (int round = 0; round < 3; round++) {
		for (uint16_t code = 1; code < 84; code++)
			seat_user_key(g->user, code, true);
		for (uint16_t code = 1; code < 84; code++)
			seat_user_key(g->user, code, false);
	}
	for (int i = 0; i < 20; i++) {
		char *words, *word;

		give(g, 64 - g->given);
		words = strdup(events(g));
		for (word = strtok(words, " "); word; word = strtok(NULL, " ")) {
			unsigned code, value;

			if (sscanf(word, "k%u=%u", &code, &value) != 2)
				continue;
			assert_int_not_equal(down[code], value);
			down[code] = value;
			presses += value;
		}
		free(words);
	}
	assert_int_equal(presses, VINPUT_RING_PRESSES);
	for (unsigned code = 0; code < KEY_CNT; code++)
		assert_false(down[code]);
	seat_user_key(g->user, KEY_A, true);
	assert_events(g, "k30=1 .");
	rig_destroy(g);
}

static void test_repeats_are_not_saved_up(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);

	rig_start(g);
	for (int i = 0; i < 100; i++)
		seat_user_key(g->user, KEY_A, true);
	seat_user_key(g->user, KEY_A, false);
	give(g, 20);
	assert_events(g, "k30=1 . k30=0 .");
	rig_destroy(g);
}

static void test_nobody_there(void **state)
{
	struct rig *g = rig_create(SEAT_TABLET);

	seat_user_button(g->user, BTN_LEFT, true); /* before the driver */
	rig_start(g);
	give(g, 20);
	assert_events(g, "");
	seat_user_button(g->user, BTN_LEFT, false);
	assert_events(g, "");
	seat_user_button(g->user, BTN_RIGHT, true);
	seat_user_move_abs(g->user, 1, 1);
	fake_driver_reset(&g->d);
	assert_false(seat_listens(g->seat, SEAT_TABLET));
	rig_start(g);
	give(g, 20);
	seat_user_button(g->user, BTN_RIGHT, false); /* this driver never saw it go down */
	assert_events(g, "");
	seat_user_move_abs(g->user, 7, 7);
	assert_events(g, "a0=7 a1=7 .");
	rig_destroy(g);
}

static void test_a_queue_that_is_too_small(void **state)
{
	struct rig *g = rig_create(SEAT_TABLET);

	log_set_sink(quiet, NULL);
	rig_start(g);
	g->dev->queues[EVENTQ].size = 2; /* as a driver may choose */
	seat_user_move_abs(g->user, 1, 1);
	seat_user_move_abs(g->user, 2, 2);
	loop_step(g->d.loop, 0);
	assert_false(needs_reset(g));
	log_set_sink(NULL, NULL);
	rig_destroy(g);
}

static void test_not_while_paused(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);

	rig_start(g);
	give(g, 8);
	assert_true(virtio_quiesce(g->dev, NULL, NULL));
	seat_user_key(g->user, KEY_A, true);
	assert_events(g, "");
	virtio_resume(g->dev);
	assert_events(g, "k30=1 .");
	rig_destroy(g);
}

static void test_bad_event_buffers(void **state)
{
	for (int bad = 0; bad < 2; bad++) {
		struct rig *g = rig_create(SEAT_KEYBOARD);
		struct iovec iov[2] = { { NULL, 8 }, { NULL, bad ? 8 : 7 } };

		log_set_sink(quiet, NULL);
		rig_start(g);
		iov[0].iov_base = fake_driver_alloc(&g->d, 8, 8);
		iov[1].iov_base = fake_driver_alloc(&g->d, 8, 8);
		if (bad) /* a readable piece before it */
			fake_driver_request(&g->d, EVENTQ, iov, 1, 1);
		else
			fake_driver_request(&g->d, EVENTQ, &iov[1], 0, 1);
		fake_driver_kick(&g->d, EVENTQ);
		assert_false(needs_reset(g)); /* not before it is looked at */
		seat_user_key(g->user, KEY_A, true);
		loop_step(g->d.loop, 0);
		assert_true(needs_reset(g));
		assert_false(seat_listens(g->seat, SEAT_KEYBOARD));
		seat_user_key(g->user, KEY_A, false);
		assert_events(g, "");
		log_set_sink(NULL, NULL);
		rig_destroy(g);
	}
}

/* ---- status queue ---- */

static int64_t send_status(struct rig *g, uint16_t type, uint16_t code, uint32_t value, size_t len)
{
	struct iovec iov = { fake_driver_alloc(&g->d, 16, 8), len };
	struct virtio_input_event e = { type, code, value };

	memcpy(iov.iov_base, &e, sizeof e);
	return fake_driver_do(&g->d, STATUSQ, &iov, 1, 0);
}

static void test_leds(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);

	rig_start(g);
	assert_int_equal(send_status(g, EV_LED, LED_CAPSL, 1, 8), 0);
	assert_int_equal(send_status(g, EV_LED, LED_NUML, 77, 8), 0);
	assert_int_equal(send_status(g, EV_LED, LED_MUTE, 1, 8), 0);
	assert_int_equal(send_status(g, EV_MSC, LED_SCROLLL, 1, 8), 0);
	assert_int_equal(seat_leds(g->seat), SEAT_LED_CAPS | SEAT_LED_NUM);
	assert_int_equal(send_status(g, EV_LED, LED_CAPSL, 0, 8), 0);
	assert_int_equal(send_status(g, EV_LED, LED_SCROLLL, 1, 8), 0);
	assert_int_equal(seat_leds(g->seat), SEAT_LED_SCROLL | SEAT_LED_NUM);
	fake_driver_reset(&g->d);
	assert_int_equal(seat_leds(g->seat), 0);
	rig_destroy(g);

	g = rig_create(SEAT_MOUSE);
	rig_start(g);
	assert_int_equal(send_status(g, EV_LED, LED_CAPSL, 1, 8), 0);
	assert_int_equal(seat_leds(g->seat), 0);
	rig_destroy(g);
}

static void test_bad_status(void **state)
{
	static const size_t lengths[] = { 1, 7, 9, 16 };

	log_set_sink(quiet, NULL);
	for (size_t i = 0; i <= ARRAY_LEN(lengths); i++) {
		struct rig *g = rig_create(SEAT_KEYBOARD);

		rig_start(g);
		if (i < ARRAY_LEN(lengths)) {
			assert_int_equal(send_status(g, EV_LED, LED_CAPSL, 1, lengths[i]), -1);
		} else {
			struct iovec iov = { fake_driver_alloc(&g->d, 8, 8), 8 };

			assert_int_equal(fake_driver_do(&g->d, STATUSQ, &iov, 0, 1), -1);
		}
		assert_true(needs_reset(g));
		assert_int_equal(seat_leds(g->seat), 0);
		rig_destroy(g);
	}
	log_set_sink(NULL, NULL);
}

static void test_many_statuses(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);
	struct virtio_input_event e = { EV_LED, LED_CAPSL, 1 };
	struct iovec iov;
	unsigned back = 0;

	rig_start(g);
	iov = (struct iovec){ fake_driver_alloc(&g->d, 8, 8), 8 };
	memcpy(iov.iov_base, &e, sizeof e);
	for (int i = 0; i < 64; i++)
		fake_driver_request(&g->d, STATUSQ, &iov, 1, 0);
	fake_driver_kick(&g->d, STATUSQ);
	while (fake_driver_used(&g->d, STATUSQ, NULL, NULL))
		back++;
	assert_int_equal(back, 64);
	rig_destroy(g);
}

/* ---- threads ---- */

static void *run_loop(void *opaque)
{
	loop_run(opaque);
	return NULL;
}

static void *read_config(void *opaque)
{
	struct rig *g = opaque;

	for (int i = 0; i < 2000; i++)
		assert_int_equal(ask(g, VIRTIO_INPUT_CFG_ID_NAME, 0).size, 16);
	return NULL;
}

/* A user types while the machine loop delivers and a vCPU reads config space. */
static void test_threads(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);
	pthread_t loop, vcpu;

	rig_start(g);
	give(g, 64);
	pthread_create(&loop, NULL, run_loop, g->d.loop);
	pthread_create(&vcpu, NULL, read_config, g);
	for (int i = 0; i < 2000; i++) {
		seat_user_key(g->user, KEY_A, true);
		seat_user_key(g->user, KEY_A, false);
		assert_true(seat_listens(g->seat, SEAT_KEYBOARD));
	}
	pthread_join(vcpu, NULL);
	loop_stop(g->d.loop);
	pthread_join(loop, NULL);
	assert_int_equal(strncmp(events(g), "k30=1 . k30=0 .", 15), 0);
	rig_destroy(g);
}

/* ---- state ---- */

static void save(struct rig *g, struct state_writer *w)
{
	state_writer_init(w);
	assert_true(virtio_quiesce(g->dev, NULL, NULL));
	virtio_save(g->dev, w);
}

static void test_state_there_and_back(void **state)
{
	struct rig *g = rig_create(SEAT_KEYBOARD);
	struct state_writer first, second;
	struct state_reader r;

	rig_start(g);
	give(g, 4);
	send_status(g, EV_LED, LED_CAPSL, 1, 8);
	ask(g, VIRTIO_INPUT_CFG_ID_NAME, 0);
	seat_user_key(g->user, KEY_A, true);
	seat_user_key(g->user, KEY_B, true);
	assert_events(g, "k30=1 . k48=1 .");
	seat_user_key(g->user, KEY_B, false); /* waits: no buffers */
	save(g, &first);

	/* another life of the same machine, where nobody holds a key any more */
	assert_true(virtio_reset_now(g->dev, NULL, NULL));
	assert_int_equal(seat_leds(g->seat), 0);
	seat_user_release_all(g->user);
	state_reader_init(&r, first.data, first.len);
	assert_int_equal(virtio_load(g->dev, &r), 0);
	assert_true(state_reader_done(&r));
	save(g, &second);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
	assert_int_equal(seat_leds(g->seat), SEAT_LED_CAPS);
	assert_int_equal(ask(g, VIRTIO_INPUT_CFG_ID_NAME, 0).size, 16);
	assert_true(seat_listens(g->seat, SEAT_KEYBOARD));
	virtio_resume(g->dev);
	give(g, 8);
	assert_events(g, "k30=0 . k48=0 .");
	state_writer_finish(&first);
	state_writer_finish(&second);
	rig_destroy(g);
}

static void test_state_that_does_not_fit(void **state)
{
	struct rig *g = rig_create(SEAT_TABLET);
	struct state_writer w;
	struct state_reader r;
	size_t body = 8 + 4 + KEY_CNT / 8 + 3; /* what the device adds at the end */
	const struct {
		size_t at;
		uint8_t value;
	} spoilt[] = {
		{ 0, 120 },                         /* more than a notch */
		{ 7, 0x80 },                        /* less than one */
		{ 8, 1 },                           /* another length of the keys */
		{ 12 + BTN_LEFT / 8, 0x80 },        /* BTN_TASK */
		{ 12 + KEY_A / 8, 1 << KEY_A % 8 }, /* a key on a tablet */
		{ 12 + KEY_CNT / 8, 8 },            /* LEDs */
	};

	log_set_sink(quiet, NULL);
	rig_start(g);
	save(g, &w);
	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		uint8_t *p = w.data + w.len - body + spoilt[i].at, was = *p;

		*p = spoilt[i].value;
		state_reader_init(&r, w.data, w.len);
		assert_int_equal(virtio_load(g->dev, &r), -22);
		assert_false(seat_listens(g->seat, SEAT_TABLET));
		*p = was;
	}
	for (size_t len = 0; len < w.len; len++) {
		state_reader_init(&r, w.data, len);
		assert_int_equal(virtio_load(g->dev, &r), -22);
	}
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(virtio_load(g->dev, &r), 0);
	log_set_sink(NULL, NULL);
	state_writer_finish(&w);
	rig_destroy(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_ids),
		cmocka_unit_test(test_all_selectors),
		cmocka_unit_test(test_what_each_device_has),
		cmocka_unit_test(test_writes_of_other_sizes_and_places),
		cmocka_unit_test(test_keys_arrive),
		cmocka_unit_test(test_tablet_and_wheels),
		cmocka_unit_test(test_mouse),
		cmocka_unit_test(test_a_group_is_whole_or_not_there),
		cmocka_unit_test(test_waiting_motion_melts),
		cmocka_unit_test(test_releases_are_never_lost),
		cmocka_unit_test(test_repeats_are_not_saved_up),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_a_queue_that_is_too_small),
		cmocka_unit_test(test_not_while_paused),
		cmocka_unit_test(test_bad_event_buffers),
		cmocka_unit_test(test_leds),
		cmocka_unit_test(test_bad_status),
		cmocka_unit_test(test_many_statuses),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_state_there_and_back),
		cmocka_unit_test(test_state_that_does_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
