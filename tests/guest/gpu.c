/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-gpu (virtio 1.2, 5.7) in steps; after each the harness compares what the screen shows.
 *
 * A picture is (seed + x * PATTERN_X + y * PATTERN_Y) & 0xffffff, so that one number tells it.
 */
#include "lib/gpu.h"

const char guest_name[] = "gpu";

enum {
	PATTERN_X = 0x030201,
	PATTERN_Y = 0x010507,
	PIXELS_MAX = 256 * 256,
	SEED_2D = 0x112233,
	SEED_PART = 0xabcdef,
	SEED_BLOB = 0x445566,
	SEED_RESIZED = 0x778899,
	BLOB_PADDING = 64, /* bytes: a stride that is not the width */
};
enum { RES_2D = 1, RES_BLOB = 2, RES_CURSOR = 3, RES_RESIZED = 4 };

static struct virtio gpu;
static unsigned width, height;
static uint32_t pixels[PIXELS_MAX], cursor[GPU_CURSOR_SIZE * GPU_CURSOR_SIZE];

static void draw(uint32_t *to, unsigned stride, struct gpu_rect r, uint32_t seed)
{
	for (unsigned y = r.y; y < r.y + r.height; y++) {
		uint32_t *p = (uint32_t *)((char *)to + (size_t)stride * y) + r.x;
		uint32_t colour = seed + y * PATTERN_Y + r.x * PATTERN_X;

		for (uint32_t *end = p + r.width; p < end; colour += PATTERN_X)
			*p++ = colour;
	}
}

static struct gpu_rect whole(void)
{
	return (struct gpu_rect){ 0, 0, width, height };
}

static void read_display_info(void)
{
	static struct gpu_display_info info;
	struct gpu_header ask = { .type = GPU_GET_DISPLAY_INFO };

	CHECK_EQ(gpu_ask(&gpu, &ask, sizeof ask, &info, sizeof info), GPU_OK_DISPLAY_INFO);
	CHECK(info.modes[0].enabled);
	width = info.modes[0].r.width;
	height = info.modes[0].r.height;
	print("size %u %u\n", width, height);
	CHECK(width * height + BLOB_PADDING * height / 4 <= PIXELS_MAX);
}

static void check_edid(void)
{
	static struct gpu_edid edid;
	struct {
		struct gpu_header h;
		uint32_t scanout, padding;
	} ask = { .h.type = GPU_GET_EDID };
	const uint8_t *timing = edid.bytes + 54; /* the preferred mode (EDID 1.4, 3.10.2) */
	uint8_t sum = 0;

	CHECK(virtio_has(&gpu, GPU_F_EDID));
	CHECK_EQ(gpu_ask(&gpu, &ask, sizeof ask, &edid, sizeof edid), GPU_OK_EDID);
	CHECK(edid.size >= 128 && edid.size % 128 == 0);
	for (unsigned i = 0; i < 128; i++)
		sum += edid.bytes[i];
	CHECK_EQ(sum, 0);
	print("edid %u %u\n", timing[2] | (timing[4] & 0xf0u) << 4,
		timing[5] | (timing[7] & 0xf0u) << 4);
}

/* In pieces that do not fill rows, as pages do not. */
static unsigned scatter(struct gpu_entry *entries, const void *at, uint32_t bytes)
{
	uint32_t first = 4096, second = 5000;

	entries[0] = (struct gpu_entry){ physical(at), first, 0 };
	entries[1] = (struct gpu_entry){ physical(at) + first, second, 0 };
	entries[2] = (struct gpu_entry){ physical(at) + first + second, bytes - first - second, 0 };
	return 3;
}

static void create_2d(uint32_t resource, uint32_t format, unsigned w, unsigned h)
{
	struct gpu_create_2d c = { { .type = GPU_CREATE_2D }, resource, format, w, h };

	gpu_must(&gpu, 0, &c, sizeof c);
}

static void attach(uint32_t resource, const void *at, uint32_t bytes)
{
	struct gpu_attach a = { .h.type = GPU_ATTACH_BACKING, .resource = resource };

	a.count = scatter(a.entries, at, bytes);
	gpu_must(&gpu, 0, &a, (uint32_t)offsetof(struct gpu_attach, entries[a.count]));
}

static void transfer(uint32_t resource, struct gpu_rect r, uint64_t offset)
{
	struct gpu_transfer t = {
		.h.type = GPU_TRANSFER, .r = r, .offset = offset, .resource = resource
	};

	gpu_must(&gpu, 0, &t, sizeof t);
}

static void flush(uint32_t resource, struct gpu_rect r, uint64_t fence)
{
	struct gpu_flush f = {
		.h = { .type = GPU_FLUSH, .flags = fence ? GPU_FLAG_FENCE : 0, .fence = fence },
		.r = r,
		.resource = resource,
	};

	gpu_must(&gpu, 0, &f, sizeof f);
}

static void set_scanout(uint32_t head, uint32_t resource)
{
	struct gpu_set_scanout s = {
		.h.type = GPU_SET_SCANOUT, .r = whole(), .scanout = head, .resource = resource
	};

	gpu_must(&gpu, 0, &s, sizeof s);
}

static void unref(uint32_t resource)
{
	struct gpu_resource u = { .h.type = GPU_UNREF, .resource = resource };

	gpu_must(&gpu, 0, &u, sizeof u);
}

static void show_2d(uint32_t resource, uint32_t seed)
{
	create_2d(resource, GPU_FORMAT_BGRX, width, height);
	attach(resource, pixels, 4 * width * height);
	draw(pixels, 4 * width, whole(), seed);
	transfer(resource, whole(), 0);
	set_scanout(0, resource);
	flush(resource, whole(), seed);
}

/* The same picture on every head there is; then the others are switched off again. */
static void show_on_all_heads(void)
{
	unsigned heads = read32(gpu.config + GPU_CONFIG_SCANOUTS);

	if (heads == 1)
		return;
	for (unsigned i = 1; i < heads; i++)
		set_scanout(i, RES_2D);
	flush(RES_2D, whole(), 0);
	step("heads");
	for (unsigned i = 1; i < heads; i++)
		set_scanout(i, 0);
}

/* Only what was transferred and flushed may change, though all of the backing did. */
static void show_part(void)
{
	struct gpu_rect part = { 21, 9, 33, 17 };

	draw(pixels, 4 * width, whole(), SEED_PART);
	transfer(RES_2D, part, 4 * (part.y * width + part.x));
	flush(RES_2D, part, 0);
}

static void show_blob(void)
{
	unsigned stride = 4 * width + BLOB_PADDING;
	struct gpu_create_blob c = { .h.type = GPU_CREATE_BLOB,
		.resource = RES_BLOB,
		.memory = GPU_BLOB_GUEST,
		.flags = GPU_BLOB_MAPPABLE,
		.size = stride * height };
	struct gpu_set_scanout_blob s = { .h.type = GPU_SET_SCANOUT_BLOB,
		.r = whole(),
		.resource = RES_BLOB,
		.width = width,
		.height = height,
		.format = GPU_FORMAT_BGRX,
		.strides = { stride } };

	c.count = scatter(c.entries, pixels, stride * height);
	gpu_must(&gpu, 0, &c, (uint32_t)offsetof(struct gpu_create_blob, entries[c.count]));
	draw(pixels, stride, whole(), SEED_BLOB);
	gpu_must(&gpu, 0, &s, sizeof s);
	transfer(RES_BLOB, whole(), 0); /* does nothing, and is allowed */
	flush(RES_BLOB, whole(), SEED_BLOB);
}

/* Top half red, bottom half clear. */
static void show_cursor(unsigned x, unsigned y)
{
	struct gpu_cursor c = { .h.type = GPU_UPDATE_CURSOR,
		.x = x,
		.y = y,
		.resource = RES_CURSOR,
		.hot_x = 3,
		.hot_y = 5 };

	for (unsigned i = 0; i < ARRAY_LEN(cursor) / 2; i++)
		cursor[i] = 0xffff0000;
	create_2d(RES_CURSOR, GPU_FORMAT_BGRA, GPU_CURSOR_SIZE, GPU_CURSOR_SIZE);
	attach(RES_CURSOR, cursor, sizeof cursor);
	transfer(RES_CURSOR, (struct gpu_rect){ 0, 0, GPU_CURSOR_SIZE, GPU_CURSOR_SIZE }, 0);
	gpu_must(&gpu, 1, &c, sizeof c);
}

static void move_cursor(unsigned x, unsigned y)
{
	struct gpu_cursor c = { .h.type = GPU_MOVE_CURSOR, .x = x, .y = y, .resource = RES_CURSOR };

	gpu_must(&gpu, 1, &c, sizeof c);
}

static void await_resize(void)
{
	print("STEP resize\n");
	CHECK(WAIT(read32(gpu.config + GPU_CONFIG_EVENTS_READ) & GPU_EVENT_DISPLAY, 10000));
	CHECK(WAIT(interrupts(gpu.config_vector) > 0, 1000));
	read_display_info(); /* before the event is cleared, as Linux does */
	check_edid();
	write32(gpu.config + GPU_CONFIG_EVENTS_CLEAR, GPU_EVENT_DISPLAY);
	CHECK_EQ(read32(gpu.config + GPU_CONFIG_EVENTS_READ) & GPU_EVENT_DISPLAY, 0);
}

void guest_main(void)
{
	virtio_open(&gpu, "gpu", VIRTIO_GPU, 0,
		1ull << GPU_F_EDID | 1ull << GPU_F_BLOB | 1ull << F_EVENT_IDX);
	CHECK(read32(gpu.config + GPU_CONFIG_SCANOUTS) >= 1);
	read_display_info();
	check_edid();
	show_2d(RES_2D, SEED_2D);
	step("2d");
	show_on_all_heads();
	show_part();
	step("part");
	if (virtio_has(&gpu, GPU_F_BLOB)) {
		show_blob();
		step("blob");
	}
	show_cursor(10, 20);
	step("cursor");
	move_cursor(60, 30);
	step("moved");
	await_resize();
	show_2d(RES_RESIZED, SEED_RESIZED);
	step("resized");
	set_scanout(0, 0);
	unref(RES_2D);
	unref(RES_CURSOR);
	unref(RES_RESIZED);
	CHECK_EQ(virtio_status(&gpu) & STATUS_NEEDS_RESET, 0);
	step("off");
}
