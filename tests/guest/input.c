/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-input (virtio 1.2, 5.8): says what each device is, lights a keyboard's LED, and prints
 * every event until the key End comes up. led=1 lights Caps Lock and not Scroll Lock. screen=1 shows a
 * picture of no colour, since without one there is nothing to point at.
 */
#include "lib/gpu.h"

const char guest_name[] = "input";

enum {
	DEVICES = 3,
	BUFFERS = VIRTIO_QUEUE_SIZE,
	CFG_ID_NAME = 0x01,
	CFG_EV_BITS = 0x11,
	CFG_ABS_INFO = 0x12,
	EV_SYN = 0,
	EV_KEY = 1,
	EV_REL = 2,
	EV_ABS = 3,
	EV_LED = 0x11,
	LED_SCROLLL = 2,
	KEY_END = 107,
};

struct event {
	uint16_t type, code;
	uint32_t value;
};

static struct input {
	struct virtio v;
	const char *kind;
	struct event events[BUFFERS];
} inputs[DEVICES];

/* Config space behind a selector: how many bytes there are. */
static unsigned query(struct input *in, uint8_t select, uint8_t subsel)
{
	write8(in->v.config, select);
	write8(in->v.config + 1, subsel);
	return read8(in->v.config + 2);
}

static void describe(struct input *in)
{
	char name[129] = { 0 };
	unsigned n = query(in, CFG_ID_NAME, 0);

	for (unsigned i = 0; i < n && i < sizeof name - 1; i++)
		name[i] = (char)read8(in->v.config + 8 + i);
	in->kind = query(in, CFG_EV_BITS, EV_ABS)   ? "tablet"
		   : query(in, CFG_EV_BITS, EV_REL) ? "mouse"
						    : "keyboard";
	print("%s \"%s\"\n", in->kind, name);
	if (query(in, CFG_ABS_INFO, 0) >= 8)
		print("abs %u to %u\n", read32(in->v.config + 8), read32(in->v.config + 12));
	CHECK(query(in, CFG_EV_BITS, EV_KEY) > 0);
	CHECK_EQ(query(in, 0xee, 0xee), 0);
}

static void give_buffer(struct input *in, unsigned i)
{
	struct buf b = { &in->events[i], sizeof in->events[i], true };

	/* One buffer a descriptor, so the head tells which. */
	CHECK_EQ(vq_add(&in->v.queues[0], &b, 1), i);
}

static void light(struct input *in)
{
	static struct event led = { EV_LED, 0, 1 };
	struct buf b = { &led, sizeof led, false };

	led.code = (uint16_t)arg_u64("led", LED_SCROLLL);

	CHECK(query(in, CFG_EV_BITS, EV_LED) > 0);
	vq_do(&in->v.queues[1], &b, 1);
}

/* False once End is up. */
static bool show(struct input *in, const struct event *e)
{
	print("event %s %u %u %d\n", in->kind, e->type, e->code, (int)e->value);
	return !(e->type == EV_KEY && e->code == KEY_END && !e->value);
}

/* Prints what has come to one device; false once End is up. */
static bool poll(struct input *in)
{
	bool more = true;
	uint16_t head;
	uint32_t written;

	while (vq_take(&in->v.queues[0], &head, &written)) {
		CHECK(head < BUFFERS);
		CHECK_EQ(written, sizeof(struct event));
		more &= show(in, &in->events[head]);
		give_buffer(in, head);
		vq_kick(&in->v.queues[0]);
	}
	return more;
}

static void show_screen(void)
{
	static struct virtio gpu;
	static struct gpu_display_info info;
	struct gpu_header ask = { .type = GPU_GET_DISPLAY_INFO };
	struct gpu_create_2d create = { { .type = GPU_CREATE_2D }, 1, GPU_FORMAT_BGRX, 0, 0 };
	struct gpu_set_scanout show = { .h.type = GPU_SET_SCANOUT, .resource = 1 };

	virtio_open(&gpu, "gpu", VIRTIO_GPU, 0, 0);
	CHECK_EQ(gpu_ask(&gpu, &ask, sizeof ask, &info, sizeof info), GPU_OK_DISPLAY_INFO);
	create.width = info.modes[0].r.width;
	create.height = info.modes[0].r.height;
	gpu_must(&gpu, 0, &create, sizeof create);
	show.r = info.modes[0].r;
	gpu_must(&gpu, 0, &show, sizeof show);
}

void guest_main(void)
{
	unsigned n = 0;
	bool more = true;

	if (arg_u64("screen", 0))
		show_screen();

	while (n < DEVICES && virtio_find(&inputs[n].v, "input", VIRTIO_INPUT, n)) {
		struct input *in = &inputs[n++];

		virtio_start(&in->v, 0);
		describe(in);
		for (unsigned i = 0; i < BUFFERS; i++)
			give_buffer(in, i);
		vq_kick(&in->v.queues[0]);
		if (!strcmp(in->kind, "keyboard"))
			light(in);
	}
	CHECK(n > 0);
	print("STEP listening\n");
	while (more) {
		for (unsigned i = 0; i < n; i++)
			more &= poll(&inputs[i]);
		nap();
	}
}
