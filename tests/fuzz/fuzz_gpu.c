/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver that mostly keeps to the rules of virtio-gpu and breaks them at any place, while the
 * display is looked at, windows are resized, and snapshots are taken, spoilt and loaded.
 */
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_gpu.h>

#include "display/consumer.h"
#include "tests/fakes/fake_driver.h"
#include "tests/fakes/fuzz_bytes.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/state.h"
#include "vmm/virtio/gpu.h"

enum { REQUEST = 4096, REPLY = 2048, PAGES = 256, HEADS = 2, IDS = 8, ENTRIES = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
	struct fake_driver d;
	struct display *display;
	struct display_consumer *consumer;
	struct vgpu *gpu;
	uint8_t *request, *reply, *pages;
	uint64_t rings_gpa;     /* where each start lays out its rings anew */
	uint32_t sides[IDS][2]; /* what a resource was last created with */
	union {
		struct virtio_gpu_ctrl_hdr hdr;
		struct virtio_gpu_resource_create_2d create_2d;
		struct virtio_gpu_resource_unref id_only; /* as DETACH_BACKING too */
		struct virtio_gpu_set_scanout set_scanout;
		struct virtio_gpu_resource_flush flush;
		struct virtio_gpu_transfer_to_host_2d transfer;
		struct virtio_gpu_resource_attach_backing attach;
		struct virtio_gpu_cmd_get_edid get_edid;
		struct virtio_gpu_resource_create_blob create_blob;
		struct virtio_gpu_set_scanout_blob set_scanout_blob;
		struct virtio_gpu_update_cursor cursor;
		uint8_t bytes[REQUEST];
	} cmd;
	size_t len;
};

static void ignore_line(void *opaque, enum log_level level, const char *line)
{
}

static void ignore_wake(void *opaque)
{
}

static const struct display_consumer_ops consumer_ops = { .wake = ignore_wake,
	.wants_cursor_moves = true };

static struct rig *rig_get(void)
{
	static struct rig *g;

	if (g)
		return g;
	g = calloc(1, sizeof *g);
	log_set_sink(ignore_line, NULL);
	fake_driver_init(&g->d, 4 * MIB);
	g->display = display_create(HEADS);
	g->gpu = vgpu_create(g->display, HEADS, 1280, 800, g->d.loop, &g->d.mem);
	g->request = fake_driver_alloc(&g->d, REQUEST, 4096);
	g->reply = fake_driver_alloc(&g->d, REPLY, 4096);
	g->pages = fake_driver_alloc(&g->d, PAGES * 4096, 4096);
	g->rings_gpa = g->d.next_gpa;
	return g;
}

static void start(struct rig *g, uint64_t features)
{
	g->d.next_gpa = g->rings_gpa;
	fake_driver_start(&g->d, vgpu_device(g->gpu), features | 1ull << VIRTIO_F_VERSION_1);
}

static void reset(struct rig *g)
{
	fake_driver_reset(&g->d);
	if (virtio_read_status(vgpu_device(g->gpu)))
		abort(); /* it must come to an end */
}

/* ---- commands ---- */

static uint32_t some_side(struct fuzz_bytes *f)
{
	static const uint32_t sides[] = { 64, 64, 32, 100, 200, 31, 1, 8192, 8193, 0 };

	return sides[fuzz_u8(f) % ARRAY_LEN(sides)];
}

static uint32_t some_format(struct fuzz_bytes *f)
{
	static const uint32_t formats[] = { 1, 2, 3, 4, 67, 68, 121, 134, 5 };

	return formats[fuzz_u8(f) % ARRAY_LEN(formats)];
}

/* Inside width x height, but for one in sixteen. */
static struct virtio_gpu_rect some_rect(struct fuzz_bytes *f, const uint32_t sides[2])
{
	uint32_t width = MAX(sides[0], 1u), height = MAX(sides[1], 1u);
	uint32_t x = fuzz_u8(f) % width, y = fuzz_u8(f) % height;
	struct virtio_gpu_rect r = { x, y, 1 + fuzz_u8(f) % (width - x),
		1 + fuzz_u8(f) % (height - y) };
	uint8_t how = fuzz_u8(f) % 16;

	if (how < 6)
		r = (struct virtio_gpu_rect){ 0, 0, width, height };
	else if (how == 15)
		fuzz_take(f, &r, sizeof r);
	return r;
}

/* Pages of ours, but for one in thirty-two; their number. */
static uint32_t put_entries(struct rig *g, struct fuzz_bytes *f)
{
	uint32_t n = fuzz_u8(f) % (ENTRIES + 1);

	for (uint32_t i = 0; i < n; i++) {
		struct virtio_gpu_mem_entry e = {
			.addr = fake_driver_gpa(&g->d, g->pages) + fuzz_u8(f) % (PAGES / 2) * 4096u,
			.length = fuzz_u8(f) % 4 ? 65536u : 4096u,
		};

		if (fuzz_u8(f) % 32 == 0)
			fuzz_take(f, &e, sizeof e);
		memcpy(g->cmd.bytes + g->len, &e, sizeof e);
		g->len += sizeof e;
	}
	return n;
}

static void make_control(struct rig *g, struct fuzz_bytes *f)
{
	uint32_t id = fuzz_u8(f) % IDS, head = fuzz_u8(f) % (HEADS + 1);
	uint32_t *sides = g->sides[id];

	switch (g->cmd.hdr.type) {
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
		g->len = sizeof g->cmd.create_2d;
		g->cmd.create_2d.resource_id = id;
		g->cmd.create_2d.format = some_format(f);
		g->cmd.create_2d.width = sides[0] = some_side(f);
		g->cmd.create_2d.height = sides[1] = some_side(f);
		break;
	case VIRTIO_GPU_CMD_SET_SCANOUT:
		g->len = sizeof g->cmd.set_scanout;
		g->cmd.set_scanout.r = some_rect(f, sides);
		g->cmd.set_scanout.scanout_id = head;
		g->cmd.set_scanout.resource_id = id;
		break;
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		g->len = sizeof g->cmd.flush;
		g->cmd.flush.r = some_rect(f, sides);
		g->cmd.flush.resource_id = id;
		break;
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
		g->len = sizeof g->cmd.transfer;
		g->cmd.transfer.r = some_rect(f, sides);
		g->cmd.transfer.offset = fuzz_u8(f) % 8 ? fuzz_u16(f) : fuzz_u64(f);
		g->cmd.transfer.resource_id = id;
		break;
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		g->len = sizeof g->cmd.attach;
		g->cmd.attach.resource_id = id;
		g->cmd.attach.nr_entries = put_entries(g, f);
		if (fuzz_u8(f) % 32 == 0)
			g->cmd.attach.nr_entries = fuzz_u32(f);
		break;
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB:
		g->len = sizeof g->cmd.create_blob;
		g->cmd.create_blob.resource_id = id;
		g->cmd.create_blob.blob_mem = fuzz_u8(f) % 8 ? 1 : fuzz_u8(f);
		g->cmd.create_blob.blob_flags = fuzz_u8(f) % 8 ? 2 : fuzz_u8(f);
		g->cmd.create_blob.size = fuzz_u8(f) % 8 ? fuzz_u16(f) : fuzz_u64(f);
		g->cmd.create_blob.nr_entries = put_entries(g, f);
		sides[0] = sides[1] = 64;
		break;
	case VIRTIO_GPU_CMD_SET_SCANOUT_BLOB:
		g->len = sizeof g->cmd.set_scanout_blob;
		g->cmd.set_scanout_blob.r = some_rect(f, sides);
		g->cmd.set_scanout_blob.scanout_id = head;
		g->cmd.set_scanout_blob.resource_id = id;
		g->cmd.set_scanout_blob.width = fuzz_u8(f) % 8 ? sides[0] : fuzz_u32(f);
		g->cmd.set_scanout_blob.height = fuzz_u8(f) % 8 ? sides[1] : fuzz_u32(f);
		g->cmd.set_scanout_blob.format = some_format(f);
		g->cmd.set_scanout_blob.strides[0] =
			fuzz_u8(f) % 8 ? sides[0] * 4 + fuzz_u8(f) % 16 : fuzz_u32(f);
		g->cmd.set_scanout_blob.offsets[0] = fuzz_u8(f) % 8 ? fuzz_u8(f) : fuzz_u32(f);
		break;
	case VIRTIO_GPU_CMD_GET_EDID:
		g->len = sizeof g->cmd.get_edid;
		g->cmd.get_edid.scanout = head;
		break;
	default: /* a resource's id, or nothing, stands behind the header */
		g->len = sizeof g->cmd.id_only;
		g->cmd.id_only.resource_id = id;
		break;
	}
}

static void make_cursor(struct rig *g, struct fuzz_bytes *f)
{
	g->len = sizeof g->cmd.cursor;
	g->cmd.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR + fuzz_u8(f) % 3;
	g->cmd.cursor.pos.scanout_id = fuzz_u8(f) % (HEADS + 1);
	g->cmd.cursor.pos.x = fuzz_u32(f);
	g->cmd.cursor.pos.y = fuzz_u8(f);
	g->cmd.cursor.resource_id = fuzz_u8(f) % IDS;
	g->cmd.cursor.hot_x = fuzz_u32(f);
	g->cmd.cursor.hot_y = fuzz_u8(f);
}

/* One request, in one to three pieces, with a reply that is mostly large enough. */
static void request(struct rig *g, struct fuzz_bytes *f, unsigned q)
{
	size_t room = fuzz_u8(f) % 16 ? REPLY : fuzz_u8(f), cut;
	struct iovec iov[3];
	unsigned nout = 1;

	memset(&g->cmd, 0, sizeof g->cmd);
	g->cmd.hdr.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO + fuzz_u8(f) % 15;
	if (q == 0)
		make_control(g, f);
	else
		make_cursor(g, f);
	if (fuzz_u8(f) % 4 == 0) {
		g->cmd.hdr.flags = VIRTIO_GPU_FLAG_FENCE;
		g->cmd.hdr.fence_id = fuzz_u16(f);
	}
	if (fuzz_u8(f) % 32 == 0)
		g->len = fuzz_u8(f) % (g->len + 1);
	if (fuzz_u8(f) % 32 == 0)
		fuzz_take(f, g->cmd.bytes + fuzz_u8(f) % 64, 4);
	memcpy(g->request, g->cmd.bytes, g->len);
	cut = fuzz_u8(f) % 4 ? g->len : fuzz_u8(f) % (g->len + 1);
	iov[0] = (struct iovec){ g->request, cut };
	if (cut < g->len)
		iov[nout++] = (struct iovec){ g->request + cut, g->len - cut };
	iov[nout] = (struct iovec){ g->reply, room };
	fake_driver_request(&g->d, q, iov, nout, room ? 1 : 0);
}

/* ---- what happens around the driver ---- */

static void look(struct rig *g, struct fuzz_bytes *f)
{
	static uint32_t px[256 * 256];
	struct display_changes changes;
	struct snapshot shot;
	pixman_box32_t box = { fuzz_u8(f), fuzz_u8(f), 256, 256 };
	unsigned width, height;

	if (fuzz_u8(f) % 8 == 0) {
		display_consumer_destroy(g->consumer);
		g->consumer = g->consumer
				      ? NULL
				      : display_consumer_create(g->display, &consumer_ops, NULL);
	}
	if (!g->consumer) {
		if (display_capture(g->display, 0, &shot, &width, &height, NULL) == 0)
			snapshot_finish(&shot);
		return;
	}
	display_consumer_collect(g->consumer, &changes);
	display_changes_finish(&changes);
	display_consumer_snapshot(g->consumer, &box, &shot);
	snapshot_read(&shot, &box, px, 256);
	snapshot_finish(&shot);
}

/* Saves, spoils up to two bytes, and loads. */
static void snapshot_there_and_back(struct rig *g, struct fuzz_bytes *f)
{
	struct virtio_device *dev = vgpu_device(g->gpu);
	struct state_writer w;
	struct state_reader r;

	if (!virtio_quiesce(dev, NULL, NULL))
		abort(); /* it keeps nothing in flight */
	state_writer_init(&w);
	virtio_save(dev, &w);
	for (unsigned n = fuzz_u8(f) % 3; n; n--) {
		size_t at = fuzz_u8(f) % 4 ? fuzz_u16(f) % 512 : fuzz_u32(f);

		w.data[at % w.len] ^= fuzz_u8(f);
	}
	state_reader_init(&r, w.data, w.len);
	if (virtio_load(dev, &r) < 0) {
		virtio_resume(dev);
		start(g, ~0ull);
	} else {
		virtio_resume(dev);
	}
	state_writer_finish(&w);
}

static void step(struct rig *g, struct fuzz_bytes *f)
{
	uint32_t word;

	switch (fuzz_u8(f) % 20) {
	case 0:
		fake_driver_desc(&g->d, fuzz_u8(f) % 2, fuzz_u8(f), fuzz_u64(f), fuzz_u32(f),
			fuzz_u16(f) % 8, fuzz_u16(f));
		break;
	case 1:
		fake_driver_avail(&g->d, fuzz_u8(f) % 2, fuzz_u16(f));
		break;
	case 2:
		display_request_resize(
			g->display, fuzz_u8(f) % HEADS, fuzz_u16(f) % 9000, fuzz_u16(f) % 9000);
		break;
	case 3:
		word = fuzz_u32(f);
		virtio_config_write(vgpu_device(g->gpu), fuzz_u8(f) % 16, &word, 1 + word % 4);
		break;
	case 4:
		reset(g);
		start(g, fuzz_u64(f));
		break;
	case 5:
		snapshot_there_and_back(g, f);
		break;
	case 6:
		memset(g->pages, fuzz_u8(f), 4096ul * (1 + fuzz_u8(f) % (PAGES - 1)));
		break;
	case 7:
	case 8:
		look(g, f);
		break;
	case 9:
	case 10:
		request(g, f, 1);
		fake_driver_kick(&g->d, 1);
		break;
	case 11:
	case 12:
	case 13: /* waits in the queue, in which the next one overwrites it */
		request(g, f, 0);
		break;
	default:
		request(g, f, 0);
		fake_driver_kick(&g->d, 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes f = { data, size };
	struct rig *g = rig_get();

	memset(g->sides, 0, sizeof g->sides);
	start(g, fuzz_u8(&f) % 8 ? ~0ull : fuzz_u64(&f));
	while (f.left)
		step(g, &f);
	reset(g);
	display_consumer_destroy(g->consumer);
	g->consumer = NULL;
	return 0;
}
