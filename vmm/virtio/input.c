/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/input.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <linux/input-event-codes.h>

#include "util/bytes.h"
#include "util/log.h"
#include "util/loop.h"
#include "vmm/state.h"
#include "vmm/virtio/input_config.h"
#include "vmm/virtio/input_report.h"
#include "vmm/virtio/virtio.h"

enum {
	QUEUE_EVENT,
	QUEUE_STATUS,
	QUEUES,
	QUEUE_SIZE = 64,
	STATUS_PASS = 2 * QUEUE_SIZE, /* before others have their turn */
};

struct vinput {
	struct virtio_device dev;
	enum seat_kind kind;
	struct seat *seat;
	struct seat_device seat_device;
	struct virtio_input_config config; /* guarded by dev.lock */
	struct loop_work work;

	/* Machine loop */
	unsigned leds; /* as the guest set them */
	int rest[2];   /* of a notch of the wheels, vertical and horizontal */
	bool too_small;
	struct vq_chain chain;

	pthread_mutex_t lock; /* guards what follows; taken before dev.lock */
	bool live;
	struct vinput_ring ring;
};

/* ---- the seat's calls: service loop ---- */

static bool vinput_active(void *opaque)
{
	struct vinput *v = opaque;
	bool live;

	pthread_mutex_lock(&v->lock);
	live = v->live;
	pthread_mutex_unlock(&v->lock);
	return live && !virtio_is_broken(&v->dev);
}

static void vinput_key(void *opaque, uint16_t code, bool down)
{
	struct vinput *v = opaque;

	if (!vinput_has_key(v->kind, code))
		return;
	pthread_mutex_lock(&v->lock);
	if (v->live && down)
		vinput_ring_press(&v->ring, code, v->kind == SEAT_KEYBOARD);
	else if (v->live)
		vinput_ring_release(&v->ring, code);
	pthread_mutex_unlock(&v->lock);
	loop_post(v->dev.loop, &v->work);
}

static void submit_motion(struct vinput *v, enum vinput_report_kind kind, int x, int y)
{
	struct vinput_report r = { kind, 0, x, y };

	pthread_mutex_lock(&v->lock);
	if (v->live)
		vinput_ring_motion(&v->ring, &r);
	pthread_mutex_unlock(&v->lock);
	loop_post(v->dev.loop, &v->work);
}

static void vinput_move_abs(void *opaque, unsigned x, unsigned y)
{
	submit_motion(opaque, VINPUT_ABS, (int)x, (int)y);
}

static void vinput_move_rel(void *opaque, int dx, int dy)
{
	submit_motion(opaque, VINPUT_REL, dx, dy);
}

static void vinput_wheel(void *opaque, int vertical, int horizontal)
{
	submit_motion(opaque, VINPUT_WHEEL, vertical, horizontal);
}

/* Each call is a report of its own, so there is nothing left to do at a sync. */
static const struct seat_device_ops keyboard_ops = {
	.active = vinput_active,
	.key = vinput_key,
};

static const struct seat_device_ops tablet_ops = {
	.active = vinput_active,
	.key = vinput_key,
	.move_abs = vinput_move_abs,
	.wheel = vinput_wheel,
};

static const struct seat_device_ops mouse_ops = {
	.active = vinput_active,
	.key = vinput_key,
	.move_rel = vinput_move_rel,
	.wheel = vinput_wheel,
};

/* ---- eventq: machine loop ---- */

/*
 * Writes the group into as many buffers, or none: a driver must not see half of it. Buffers are
 * written as they are popped, but nobody looks at them before they are pushed.
 */
static bool put_group(struct vinput *v, const struct vinput_group *g)
{
	struct virtqueue *vq = &v->dev.queues[QUEUE_EVENT];
	uint16_t heads[VINPUT_EVENTS];
	unsigned n;

	if (g->n > vq->size) {
		log_once(v->too_small, LOG_WARNING,
			"%s: its queue of %u is too small for %u events, which are lost",
			v->dev.name, vq->size, g->n);
		return true;
	}
	for (n = 0; n < g->n && vq_pop(vq, &v->chain); n++) {
		if (v->chain.nout || v->chain.in_len < sizeof *g->events) {
			virtio_broken(&v->dev,
				"queue %u: a buffer of %zu bytes, %u of them to read", vq->index,
				v->chain.in_len, v->chain.nout);
			return false;
		}
		heads[n] = v->chain.head;
		vq_chain_write(&v->chain, 0, &g->events[n], sizeof *g->events);
	}
	if (n < g->n) {
		while (n--)
			vq_unpop(vq);
		return false;
	}
	for (n = 0; n < g->n; n++)
		vq_push(vq, heads[n], sizeof *g->events);
	return true;
}

static void serve_events(struct vinput *v)
{
	struct vinput_report r;
	struct vinput_group g;
	int rest[2];

	pthread_mutex_lock(&v->lock);
	while (vinput_ring_next(&v->ring, &r)) {
		vinput_group_make(&g, &r, v->rest, rest);
		if (!put_group(v, &g))
			break;
		memcpy(v->rest, rest, sizeof rest);
		vinput_ring_drop(&v->ring);
	}
	pthread_mutex_unlock(&v->lock);
	vq_notify(&v->dev.queues[QUEUE_EVENT]);
}

/* ---- statusq: machine loop ---- */

static void take_status(struct vinput *v, const struct virtio_input_event *e)
{
	static const struct {
		uint16_t code;
		unsigned led;
	} leds[] = {
		{ LED_NUML, SEAT_LED_NUM },
		{ LED_CAPSL, SEAT_LED_CAPS },
		{ LED_SCROLLL, SEAT_LED_SCROLL },
	};

	if (e->type != EV_LED || v->kind != SEAT_KEYBOARD)
		return; /* Linux sends other types too, to be ignored */
	for (size_t i = 0; i < ARRAY_LEN(leds); i++)
		if (leds[i].code == e->code)
			v->leds = e->value ? v->leds | leds[i].led : v->leds & ~leds[i].led;
}

static void serve_status(struct vinput *v)
{
	struct virtqueue *vq = &v->dev.queues[QUEUE_STATUS];
	unsigned before = v->leds, n;
	struct virtio_input_event e;

	for (n = 0; n < STATUS_PASS && vq_pop(vq, &v->chain); n++) {
		if (v->chain.out_len != sizeof e || v->chain.nin) {
			virtio_broken(&v->dev, "queue %u: a status of %zu bytes, %u to be written",
				vq->index, v->chain.out_len, v->chain.nin);
			return;
		}
		vq_chain_read(&v->chain, 0, &e, sizeof e);
		take_status(v, &e);
		vq_push(vq, v->chain.head, 0);
	}
	vq_notify(vq);
	if (v->leds != before)
		seat_device_leds(v->seat, v->leds);
	if (n == STATUS_PASS)
		loop_post(v->dev.loop, &v->work);
}

/* ---- virtio's calls ---- */

static void vinput_kick(struct virtio_device *dev, unsigned q)
{
	struct vinput *v = CONTAINER(dev, struct vinput, dev);

	if (q == QUEUE_EVENT)
		serve_events(v);
	else
		serve_status(v);
}

/* Something waits in the ring or the status queue; virtio_kick() knows whether now is the time. */
static void vinput_work(void *opaque)
{
	struct vinput *v = opaque;

	for (unsigned q = 0; q < QUEUES; q++)
		virtio_kick(&v->dev, q);
}

/* Only the two selectors can be written (5.8.4); the rest follows from them. dev.lock held. */
static void vinput_config_write(
	struct virtio_device *dev, uint32_t offset, const void *buf, uint32_t len)
{
	struct vinput *v = CONTAINER(dev, struct vinput, dev);
	const uint8_t *from = buf;

	for (uint32_t i = 0; i < len; i++) {
		if (offset + i == offsetof(struct virtio_input_config, select))
			v->config.select = from[i];
		else if (offset + i == offsetof(struct virtio_input_config, subsel))
			v->config.subsel = from[i];
	}
	vinput_config_answer(&v->config, v->kind);
}

static void set_selectors(struct vinput *v, uint8_t select, uint8_t subsel)
{
	pthread_mutex_lock(&v->dev.lock);
	v->config.select = select;
	v->config.subsel = subsel;
	vinput_config_answer(&v->config, v->kind);
	pthread_mutex_unlock(&v->dev.lock);
}

static void set_leds(struct vinput *v, unsigned leds)
{
	if (v->leds == leds)
		return;
	v->leds = leds;
	seat_device_leds(v->seat, leds);
}

static void vinput_start(struct virtio_device *dev)
{
	struct vinput *v = CONTAINER(dev, struct vinput, dev);

	pthread_mutex_lock(&v->lock);
	v->live = true;
	pthread_mutex_unlock(&v->lock);
}

static void vinput_reset(struct virtio_device *dev)
{
	struct vinput *v = CONTAINER(dev, struct vinput, dev);

	pthread_mutex_lock(&v->lock);
	v->live = false;
	memset(&v->ring, 0, sizeof v->ring);
	pthread_mutex_unlock(&v->lock);
	memset(v->rest, 0, sizeof v->rest);
	set_selectors(v, VIRTIO_INPUT_CFG_UNSET, 0);
	set_leds(v, 0);
}

/*
 * Of the keys only those that the guest believes to be down are kept: whoever held them will not
 * be there when the state is loaded, so they are released then. What waits in the ring is lost.
 */
static void vinput_save(struct virtio_device *dev, struct state_writer *w)
{
	struct vinput *v = CONTAINER(dev, struct vinput, dev);
	uint8_t keys[KEY_CNT / 8];

	pthread_mutex_lock(&v->lock);
	vinput_ring_held(&v->ring, keys);
	pthread_mutex_unlock(&v->lock);
	state_put_u32(w, (uint32_t)v->rest[0]);
	state_put_u32(w, (uint32_t)v->rest[1]);
	state_put_bytes(w, keys, sizeof keys);
	state_put_u8(w, (uint8_t)v->leds);
	pthread_mutex_lock(&dev->lock);
	state_put_u8(w, v->config.select);
	state_put_u8(w, v->config.subsel);
	pthread_mutex_unlock(&dev->lock);
}

static bool is_rest(int rest)
{
	return rest > -VINPUT_NOTCH && rest < VINPUT_NOTCH;
}

static int vinput_load(struct virtio_device *dev, struct state_reader *r)
{
	struct vinput *v = CONTAINER(dev, struct vinput, dev);
	uint8_t keys[KEY_CNT / 8], select, subsel;
	int rest[2];
	unsigned leds;
	bool fits;

	rest[0] = (int)state_get_u32(r);
	rest[1] = (int)state_get_u32(r);
	state_get_bytes(r, keys, sizeof keys);
	leds = state_get_u8(r);
	select = state_get_u8(r);
	subsel = state_get_u8(r);
	fits = !r->failed && is_rest(rest[0]) && is_rest(rest[1]) &&
	       leds <= (SEAT_LED_NUM | SEAT_LED_CAPS | SEAT_LED_SCROLL);
	for (unsigned code = 0; code < KEY_CNT; code++)
		if (keys[code / 8] >> code % 8 & 1)
			fits &= vinput_has_key(v->kind, (uint16_t)code);
	if (!fits)
		return -EINVAL;

	memcpy(v->rest, rest, sizeof rest);
	pthread_mutex_lock(&v->lock);
	v->live = dev->live;
	vinput_ring_release_held(&v->ring, keys);
	pthread_mutex_unlock(&v->lock);
	set_selectors(v, select, subsel);
	set_leds(v, leds);
	return 0;
}

static const struct virtio_ops vinput_ops = {
	.config_write = vinput_config_write,
	.start = vinput_start,
	.kick = vinput_kick,
	.reset = vinput_reset,
	.save = vinput_save,
	.load = vinput_load,
};

static const struct {
	const char *name;
	const struct seat_device_ops *ops;
} kinds[] = {
	[SEAT_KEYBOARD] = { "virtio-keyboard", &keyboard_ops },
	[SEAT_TABLET] = { "virtio-tablet", &tablet_ops },
	[SEAT_MOUSE] = { "virtio-mouse", &mouse_ops },
};

struct vinput *vinput_create(
	enum seat_kind kind, struct loop *loop, const struct memory *mem, struct seat *seat)
{
	struct vinput *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->kind = kind;
	v->seat = seat;
	v->dev.name = kinds[kind].name;
	v->dev.ops = &vinput_ops;
	v->dev.id = VIRTIO_ID_INPUT;
	v->dev.nqueues = QUEUES;
	v->dev.config = &v->config;
	v->dev.config_len = sizeof v->config;
	virtio_init(&v->dev, loop, mem, QUEUE_SIZE);
	pthread_mutex_init(&v->lock, NULL);
	v->work = (struct loop_work){ .fn = vinput_work, .opaque = v };
	v->seat_device = (struct seat_device){
		.kind = kind, .name = v->dev.name, .ops = kinds[kind].ops, .opaque = v
	};
	seat_add_device(seat, &v->seat_device);
	return v;
}

void vinput_destroy(struct vinput *v)
{
	if (!v)
		return;
	loop_unpost(v->dev.loop, &v->work);
	pthread_mutex_destroy(&v->lock);
	virtio_finish(&v->dev);
	free(v);
}

struct virtio_device *vinput_device(struct vinput *v)
{
	return &v->dev;
}
