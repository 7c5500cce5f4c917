/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-gpu commands that make no sense (virtio 1.2, 5.7.6). A command is answered with an error
 * and the device goes on; only chains that cannot be answered break it.
 */
#include "lib/gpu.h"
#include "lib/target.h"

const char guest_name[] = "hostile_gpu";

enum { RES = 7, ABSENT = 0x7777, SIDE = 64, BYTES = 4 * SIDE * SIDE };

static uint8_t memory[BYTES];
static const struct gpu_rect all = { 0, 0, SIDE, SIDE };

/* Any error will do, but an error it must be. */
static void refused(struct virtio *v, const void *command, uint32_t len)
{
	uint32_t answer = gpu_command(v, 0, command, len);

	if (answer < GPU_ERR_UNSPEC || answer > GPU_ERR_LAST)
		fail("gpu command 0x%x of %u bytes got 0x%x", *(const uint32_t *)command, len,
			answer);
}

static uint32_t create(struct virtio *v, uint32_t id, uint32_t format, uint32_t w, uint32_t h)
{
	struct gpu_create_2d c = { { .type = GPU_CREATE_2D }, id, format, w, h };

	return gpu_command(v, 0, &c, sizeof c);
}

static uint32_t attach(struct virtio *v, uint32_t id, uint32_t count, uint64_t addr, uint32_t len)
{
	struct gpu_attach a = { { .type = GPU_ATTACH_BACKING }, id, count, { { addr, len, 0 } } };

	return gpu_command(v, 0, &a, (uint32_t)offsetof(struct gpu_attach, entries[1]));
}

static void make(struct virtio *v)
{
	CHECK_EQ(create(v, RES, GPU_FORMAT_BGRX, SIDE, SIDE), GPU_OK);
	CHECK_EQ(attach(v, RES, 1, physical(memory), BYTES), GPU_OK);
}

static uint32_t with_resource(struct virtio *v, uint32_t type, uint32_t id)
{
	struct gpu_resource r = { { .type = type }, id, 0 };

	return gpu_command(v, 0, &r, sizeof r);
}

static uint32_t transfer(struct virtio *v, uint32_t id, struct gpu_rect r, uint64_t offset)
{
	struct gpu_transfer t = { { .type = GPU_TRANSFER }, r, offset, id, 0 };

	return gpu_command(v, 0, &t, sizeof t);
}

static uint32_t flush(struct virtio *v, uint32_t id, struct gpu_rect r)
{
	struct gpu_flush f = { { .type = GPU_FLUSH }, r, id, 0 };

	return gpu_command(v, 0, &f, sizeof f);
}

static uint32_t scanout(struct virtio *v, uint32_t head, uint32_t id, struct gpu_rect r)
{
	struct gpu_set_scanout s = { { .type = GPU_SET_SCANOUT }, r, head, id };

	return gpu_command(v, 0, &s, sizeof s);
}

#define ERROR(call) CHECK((call) >= GPU_ERR_UNSPEC)

static const struct gpu_rect bad_rects[] = {
	{ 1, 0, SIDE, SIDE },
	{ 0, 1, SIDE, SIDE },
	{ 0, 0, SIDE + 1, 1 },
	{ 0xffffffff, 0, 1, 1 },
	{ 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
	{ 0, 0, 0x80000000, 0x80000000 },
	{ 0xfffffff0, 0, 0x20, SIDE },
};

static void unknown_commands(struct target *t, struct vq *q)
{
	static const uint32_t types[] = { 0, 1, 0xff, 0x10e, 0x200, 0x207, 0x302, 0x1100, ~0u };
	struct gpu_cursor longest = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		longest.h.type = types[i];
		refused(&t->v, &longest, sizeof longest);
	}
}

static void short_commands(struct target *t, struct vq *q)
{
	for (uint32_t type = GPU_CREATE_2D; type <= GPU_SET_SCANOUT_BLOB; type++) {
		struct gpu_header h = { .type = type };

		if (type == 0x10b) /* ASSIGN_UUID, not offered */
			continue;
		refused(&t->v, &h, sizeof h);
	}
}

static void bad_resources(struct target *t, struct vq *q)
{
	struct virtio *v = &t->v;

	make(v);
	ERROR(create(v, RES, GPU_FORMAT_BGRX, SIDE, SIDE));
	ERROR(create(v, 0, GPU_FORMAT_BGRX, SIDE, SIDE));
	ERROR(create(v, 9, 0, SIDE, SIDE));
	ERROR(create(v, 9, 999, SIDE, SIDE));
	ERROR(create(v, 9, GPU_FORMAT_BGRX, 0, SIDE));
	ERROR(create(v, 9, GPU_FORMAT_BGRX, SIDE, 0));
	ERROR(create(v, 9, GPU_FORMAT_BGRX, 0x10000, 0x10000));
	ERROR(create(v, 9, GPU_FORMAT_BGRX, 0x40000001, 4));
	ERROR(create(v, 9, GPU_FORMAT_BGRX, ~0u, ~0u));
	ERROR(with_resource(v, GPU_UNREF, 0));
	ERROR(with_resource(v, GPU_UNREF, ABSENT));
	ERROR(with_resource(v, GPU_DETACH_BACKING, ABSENT));
}

static void bad_backing(struct target *t, struct vq *q)
{
	struct virtio *v = &t->v;

	CHECK_EQ(create(v, RES, GPU_FORMAT_BGRX, SIDE, SIDE), GPU_OK);
	ERROR(attach(v, ABSENT, 1, physical(memory), BYTES));
	ERROR(attach(v, RES, 2, physical(memory), BYTES)); /* more than was sent */
	ERROR(attach(v, RES, 0xffffffff, physical(memory), BYTES));
	ERROR(attach(v, RES, 0x10000001, physical(memory), BYTES));
	ERROR(attach(v, RES, 1, 0xd0000000, BYTES));
	ERROR(attach(v, RES, 1, physical(v->common), 0x1000));
	ERROR(attach(v, RES, 1, ~0ull - 4, BYTES));
	ERROR(attach(v, RES, 1, ram_end() - 16, 32));
	ERROR(transfer(v, RES, all, 0)); /* nothing is attached so far */
	CHECK_EQ(attach(v, RES, 1, physical(memory), BYTES), GPU_OK);
	ERROR(attach(v, RES, 1, physical(memory), BYTES));
}

static void bad_transfers(struct target *t, struct vq *q)
{
	struct virtio *v = &t->v;

	make(v);
	for (unsigned i = 0; i < ARRAY_LEN(bad_rects); i++)
		ERROR(transfer(v, RES, bad_rects[i], 0));
	ERROR(transfer(v, ABSENT, all, 0));
	/* Outside the backing: refused, or as much as there is. */
	transfer(v, RES, all, 1);
	transfer(v, RES, all, BYTES);
	transfer(v, RES, all, ~0ull);
	transfer(v, RES, all, ~0ull - 4 * SIDE);
	transfer(v, RES, all, 1ull << 63);
}

static void bad_flushes(struct target *t, struct vq *q)
{
	struct virtio *v = &t->v;

	make(v);
	CHECK_EQ(scanout(v, 0, RES, all), GPU_OK);
	for (unsigned i = 0; i < ARRAY_LEN(bad_rects); i++)
		ERROR(flush(v, RES, bad_rects[i]));
	ERROR(flush(v, ABSENT, all));
}

static void bad_scanouts(struct target *t, struct vq *q)
{
	struct virtio *v = &t->v;

	make(v);
	for (unsigned i = 0; i < ARRAY_LEN(bad_rects); i++)
		ERROR(scanout(v, 0, RES, bad_rects[i]));
	ERROR(scanout(v, 0, RES, (struct gpu_rect){ 0, 0, 0, 0 }));
	ERROR(scanout(v, 0, ABSENT, all));
	ERROR(scanout(v, GPU_SCANOUTS, RES, all));
	ERROR(scanout(v, 0xffffffff, RES, all));
}

/* A resource that is shown goes away; then its memory, then the whole device. */
static void unref_while_shown(struct target *t, struct vq *q)
{
	struct virtio *v = &t->v;

	make(v);
	CHECK_EQ(scanout(v, 0, RES, all), GPU_OK);
	CHECK_EQ(flush(v, RES, all), GPU_OK);
	CHECK_EQ(with_resource(v, GPU_DETACH_BACKING, RES), GPU_OK);
	flush(v, RES, all);
	CHECK_EQ(with_resource(v, GPU_UNREF, RES), GPU_OK);
	ERROR(flush(v, RES, all));
	make(v);
	CHECK_EQ(scanout(v, 0, RES, all), GPU_OK);
}

static uint32_t blob(struct virtio *v, struct gpu_create_blob c)
{
	c.h.type = GPU_CREATE_BLOB;
	return gpu_command(v, 0, &c, (uint32_t)offsetof(struct gpu_create_blob, entries[1]));
}

static void bad_blobs(struct target *t, struct vq *q)
{
	struct virtio *v = &t->v;
	struct gpu_create_blob good = { .resource = RES,
		.memory = GPU_BLOB_GUEST,
		.flags = GPU_BLOB_MAPPABLE,
		.count = 1,
		.size = BYTES,
		.entries = { { physical(memory), BYTES, 0 } } },
			       c;

	if (!virtio_has(v, GPU_F_BLOB))
		return;
	c = good, c.resource = 0;
	ERROR(blob(v, c));
	c = good, c.memory = 2; /* the host's 3D memory */
	ERROR(blob(v, c));
	c = good, c.memory = 99;
	ERROR(blob(v, c));
	c = good, c.size = 0;
	ERROR(blob(v, c));
	c = good, c.size = ~0ull;
	ERROR(blob(v, c));
	c = good, c.count = 0xffffffff;
	ERROR(blob(v, c));
	c = good, c.count = 2;
	ERROR(blob(v, c));
	c = good, c.entries[0].addr = 0xd0000000;
	ERROR(blob(v, c));
	c = good, c.entries[0].len = 0xffffffff;
	ERROR(blob(v, c));
	CHECK_EQ(blob(v, good), GPU_OK);
	ERROR(blob(v, good));
}

static void bad_blob_scanouts(struct target *t, struct vq *q)
{
	struct virtio *v = &t->v;
	struct gpu_create_blob c = { .resource = RES,
		.memory = GPU_BLOB_GUEST,
		.flags = GPU_BLOB_MAPPABLE,
		.count = 1,
		.size = BYTES,
		.entries = { { physical(memory), BYTES, 0 } } };
	struct gpu_set_scanout_blob good = { { .type = GPU_SET_SCANOUT_BLOB }, all, 0, RES, SIDE,
		SIDE, GPU_FORMAT_BGRX, 0, { 4 * SIDE }, { 0 } },
				    s;

	if (!virtio_has(v, GPU_F_BLOB))
		return;
	CHECK_EQ(blob(v, c), GPU_OK);
	s = good, s.strides[0] = 4 * SIDE - 1;
	refused(v, &s, sizeof s);
	s = good, s.strides[0] = 0xffffffff;
	refused(v, &s, sizeof s);
	s = good, s.strides[0] = 0;
	refused(v, &s, sizeof s);
	s = good, s.offsets[0] = 4;
	refused(v, &s, sizeof s);
	s = good, s.offsets[0] = 0xffffffff;
	refused(v, &s, sizeof s);
	s = good, s.height = SIDE + 1, s.r.height = SIDE + 1;
	refused(v, &s, sizeof s);
	s = good, s.width = 0x40000000, s.r.width = 0x40000000;
	refused(v, &s, sizeof s);
	s = good, s.format = 0;
	refused(v, &s, sizeof s);
	s = good, s.scanout = GPU_SCANOUTS;
	refused(v, &s, sizeof s);
	s = good, s.resource = ABSENT;
	refused(v, &s, sizeof s);
	for (unsigned i = 0; i < ARRAY_LEN(bad_rects); i++) {
		s = good, s.r = bad_rects[i];
		refused(v, &s, sizeof s);
	}
	gpu_must(v, 0, &good, sizeof good);
	CHECK_EQ(with_resource(v, GPU_UNREF, RES), GPU_OK); /* while shown */
}

static void bad_edids(struct target *t, struct vq *q)
{
	struct gpu_resource ask = { { .type = GPU_GET_EDID }, 0, 0 };

	ask.resource = GPU_SCANOUTS; /* stands where the scanout's number is */
	refused(&t->v, &ask, sizeof ask);
	ask.resource = 0xffffffff;
	refused(&t->v, &ask, sizeof ask);
}

/* What a cursor command asks for that is not there is not shown; nothing else happens. */
static void bad_cursors(struct target *t, struct vq *q)
{
	static const struct gpu_cursor bad[] = {
		{ .h.type = GPU_UPDATE_CURSOR, .resource = ABSENT },
		{ .h.type = GPU_UPDATE_CURSOR, .resource = RES, .scanout = GPU_SCANOUTS },
		{ .h.type = GPU_UPDATE_CURSOR, .resource = RES, .scanout = ~0u },
		{ .h.type = GPU_UPDATE_CURSOR, .resource = RES, .hot_x = ~0u, .hot_y = ~0u },
		{ .h.type = GPU_UPDATE_CURSOR, .resource = RES, .x = ~0u, .y = ~0u },
		{ .h.type = GPU_MOVE_CURSOR, .x = 0x7fffffff, .y = 0x80000000 },
		{ .h.type = GPU_MOVE_CURSOR, .scanout = ~0u },
		{ .h.type = GPU_UPDATE_CURSOR, .resource = 9 },
	};

	make(&t->v);
	CHECK_EQ(create(&t->v, 9, GPU_FORMAT_BGRA, 63, 65), GPU_OK); /* no cursor's size */
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		gpu_command(&t->v, 1, &bad[i], sizeof bad[i]);
}

/* Host memory that a guest may take has an end. */
static void resources_without_end(struct target *t, struct vq *q)
{
	unsigned n = 0;

	while (n < 300 && create(&t->v, 100 + n, GPU_FORMAT_BGRX, 8192, 8192) == GPU_OK)
		n++;
	print("resources of 256 MiB: %u\n", n);
	CHECK(n < 300);
	for (n = 0; n < 20000 && create(&t->v, 1000 + n, GPU_FORMAT_BGRX, 1, 1) == GPU_OK;)
		n++;
	print("resources of 4 bytes: %u\n", n);
	CHECK(n < 20000);
}

/* ---- chains that cannot be answered ---- */

static void header_short(struct target *t, struct vq *q)
{
	struct buf b[] = { { memory, sizeof(struct gpu_header) - 1, false }, { memory, 64, true } };

	vq_add(&t->v.queues[0], b, 2);
	vq_kick_always(&t->v.queues[0]);
}

static void no_room_for_the_answer(struct target *t, struct vq *q)
{
	struct gpu_header h = { .type = GPU_GET_DISPLAY_INFO };
	struct buf b[] = { { &h, sizeof h, false }, { memory, 8, true } };

	vq_add(&t->v.queues[0], b, 2);
	vq_kick_always(&t->v.queues[0]);
	for (unsigned i = 0; i < 3; i++)
		nap();
}

static void commands_at_random(struct target *t, struct vq *q)
{
	static uint64_t command[16];
	static uint8_t answer[2048];
	uint64_t seed = arg_u64("seed", 1);

	make(&t->v);
	for (unsigned i = 0; i < 250; i++) {
		uint64_t r = random_next(&seed);
		uint32_t *h = (uint32_t *)command;
		struct buf b[] = { { command, 24 + r % 100, false },
			{ answer, sizeof answer, true } };

		for (unsigned k = 0; k < ARRAY_LEN(command); k++) {
			uint64_t v = random_next(&seed);

			command[k] = v & 1 ? v & 0x0000007f0000007full : v;
		}
		h[0] = r >> 40 & 7 ? GPU_GET_DISPLAY_INFO + (r >> 32 & 0xf)
				   : GPU_UPDATE_CURSOR + (r & 3);
		h[1] = (uint32_t)(r >> 50 & 1);
		vq_do(&t->v.queues[r >> 60 == 0], b, 2);
	}
}

#define FINE(what)                                                   \
	{                                                            \
#what, EXPECT_FINE, STAGE_LIVE, QUEUES_NONE, 0, what \
	}
#define ANY(what)                                                   \
	{                                                           \
#what, EXPECT_ANY, STAGE_LIVE, QUEUES_NONE, 0, what \
	}
#define BROKEN(what)                                                   \
	{                                                              \
#what, EXPECT_BROKEN, STAGE_LIVE, QUEUES_NONE, 0, what \
	}

static const struct rule rules[] = {
	FINE(unknown_commands),
	FINE(short_commands),
	FINE(bad_resources),
	FINE(bad_backing),
	FINE(bad_transfers),
	FINE(bad_flushes),
	FINE(bad_scanouts),
	FINE(unref_while_shown),
	FINE(bad_blobs),
	FINE(bad_blob_scanouts),
	FINE(bad_edids),
	FINE(bad_cursors),
	FINE(resources_without_end),
	BROKEN(header_short),
	ANY(no_room_for_the_answer),
	ANY(commands_at_random),
};

void guest_main(void)
{
	struct target *t = target_find("gpu");

	CHECK(t);
	rules_run(t, rules, ARRAY_LEN(rules));
}
