/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-gpu: what a reset leaves, a snapshot there and back, and snapshots that lie. */
#include "tests/unit/gpu_rig.h"

#include <errno.h>

#include "vmm/state.h"

#define BGRX VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM
#define RGBA VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM

/* Head 0 shows a 2D resource, head 1 a part of a blob; each has a cursor. */
static void set_a_scene(struct rig *g)
{
	struct virtio_gpu_set_scanout_blob show = scanout_blob(1, 513, RGBA, 80, 60);
	struct scattered s = scatter(g, 80 * 60 * 4 + 8);
	struct virtio_gpu_update_cursor move = { .hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR,
		.pos = { 1, (uint32_t)-9, 8 } };

	make_2d(g, 1, RGBA, 50, 40); /* in one bucket with the blob */
	assert_int_equal(set_scanout(g, 0, 1, rect(2, 3, 40, 32)), OK);
	show.offsets[0] = 8;
	show.r = rect(4, 5, 70, 50);
	paint(&s, RGBA, 8, 80 * 4, 80, 60);
	assert_int_equal(create_blob(g, 513, 80 * 60 * 4 + 8, s.entries, 2), OK);
	assert_int_equal(COMMAND(g, show), OK);
	make_2d(g, 2, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 64, 64);
	assert_int_equal(update_cursor(g, 0, 2, 11, 12, 5), OK);
	assert_int_equal(COMMAND(g, move), OK);
	assert_int_equal(create_blob(g, 77, 12345, NULL, 0), OK);
	g->display.guest->resize(g->display.guest_opaque, 1, 1111, 777);
	loop_step(g->d.loop, 0);
}

static void assert_scene(struct rig *g)
{
	struct fake_head *h = g->display.heads;
	struct virtio_gpu_ctrl_hdr ask = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct virtio_gpu_resp_display_info info;

	assert_head_shows(g, 0, 2, 3);
	assert_head_shows(g, 1, 4, 5);
	assert_int_equal(h[0].width, 40);
	assert_int_equal(h[1].height, 50);
	assert_true(h[0].cursor);
	assert_int_equal(h[0].hot_x, 5);
	assert_int_equal(h[0].x, 11);
	assert_false(h[1].cursor);
	assert_int_equal(h[1].x, -9);
	assert_int_equal(h[1].y, 8);
	assert_int_equal(le32_get(vgpu_device(g->gpu)->config), VIRTIO_GPU_EVENT_DISPLAY);
	/* The backing is there: transfer works; and the empty blob is. */
	assert_int_equal(transfer(g, 1, rect(0, 0, 50, 40), 0), OK);
	assert_head_shows(g, 0, 2, 3);
	assert_int_equal(detach(g, 77), ERR_UNSPEC);
	assert_int_equal(rig_send(g, CONTROLQ, &ask, sizeof ask, RIG_REPLY_MAX), sizeof info);
	memcpy(&info, g->reply, sizeof info);
	assert_int_equal(info.pmodes[0].r.width, 1280);
	assert_int_equal(info.pmodes[1].r.width, 1111);
	assert_int_equal(info.pmodes[1].r.height, 777);
}

static void test_reset_frees_all_but_wishes(void **state)
{
	struct virtio_gpu_ctrl_hdr ask = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct virtio_gpu_resp_display_info info;
	struct rig g;

	rig_init(&g, 2);
	set_a_scene(&g);
	fake_driver_reset(&g.d);
	assert_true(head_is_off(&g, 0));
	assert_true(head_is_off(&g, 1));
	assert_false(g.display.heads[0].cursor);
	assert_int_equal(le32_get(vgpu_device(g.gpu)->config), 0);
	fake_driver_start(&g.d, vgpu_device(g.gpu), ~0ull);
	assert_int_equal(unref(&g, 1), ERR_INVALID_RESOURCE);
	assert_int_equal(unref(&g, 513), ERR_INVALID_RESOURCE);
	assert_int_equal(create_2d(&g, 1, BGRX, 8192, 8192), OK); /* the whole bound is free */
	assert_int_equal(rig_send(&g, CONTROLQ, &ask, sizeof ask, RIG_REPLY_MAX), sizeof info);
	memcpy(&info, g.reply, sizeof info);
	assert_int_equal(info.pmodes[1].r.width, 1111);
	rig_finish(&g);
}

static void save(struct rig *g, struct state_writer *w)
{
	state_writer_init(w);
	assert_true(virtio_quiesce(vgpu_device(g->gpu), NULL, NULL));
	virtio_save(vgpu_device(g->gpu), w);
}

/* A second device over the same memory takes the first one's place, and loads. */
static int replace(struct rig *g, unsigned heads, const void *data, size_t len)
{
	const struct virtio_transport_ops *transport = vgpu_device(g->gpu)->transport;
	struct virtio_device *dev;
	struct state_reader r;

	vgpu_destroy(g->gpu);
	memset(&g->display, 0, sizeof g->display);
	g->gpu = vgpu_create(&g->display, heads, 640, 480, g->d.loop, &g->d.mem);
	dev = g->d.dev = vgpu_device(g->gpu);
	dev->transport = transport;
	dev->transport_opaque = &g->d;
	state_reader_init(&r, data, len);
	return virtio_load(dev, &r);
}

static void test_there_and_back(void **state)
{
	struct state_writer w, again;
	struct rig g;

	rig_init(&g, 2);
	set_a_scene(&g);
	save(&g, &w);
	assert_int_equal(replace(&g, 2, w.data, w.len), 0);
	save(&g, &again);
	assert_int_equal(w.len, again.len);
	assert_memory_equal(w.data, again.data, w.len);
	virtio_resume(vgpu_device(g.gpu));
	assert_scene(&g);
	state_writer_finish(&w);
	state_writer_finish(&again);
	rig_finish(&g);
}

/* A wish that the guest had not asked about is one that it is still reminded of. */
static void test_an_untold_wish_survives(void **state)
{
	const uint32_t clear = VIRTIO_GPU_EVENT_DISPLAY;
	struct state_writer w;
	struct rig g;

	rig_init(&g, 1);
	g.display.guest->resize(g.display.guest_opaque, 0, 1111, 777);
	loop_step(g.d.loop, 0);
	save(&g, &w);
	assert_int_equal(replace(&g, 1, w.data, w.len), 0);
	virtio_resume(vgpu_device(g.gpu));
	g.d.config_interrupts = 0;
	virtio_config_write(vgpu_device(g.gpu), 4, &clear, sizeof clear);
	loop_step(g.d.loop, 0);
	assert_int_equal(g.d.config_interrupts, 1);
	state_writer_finish(&w);
	rig_finish(&g);
}

static void quiet(void *opaque, enum log_level level, const char *line)
{
}

/* What a refused snapshot leaves: a device that is as after a reset, and works. */
static void assert_empty_and_alive(struct rig *g)
{
	assert_true(head_is_off(g, 0));
	assert_true(head_is_off(g, 1));
	assert_int_equal(virtio_read_status(vgpu_device(g->gpu)), 0);
}

static void test_snapshots_cut_short_are_refused(void **state)
{
	struct state_writer w;
	struct rig g;

	rig_init(&g, 2);
	set_a_scene(&g);
	save(&g, &w);
	log_set_sink(quiet, NULL);
	for (size_t len = 0; len < w.len; len += len < 400 || len > w.len - 200 ? 1 : 997) {
		uint8_t *copy = malloc(len + 1);
		size_t body = 4 + strlen("virtio-gpu") + 2; /* where the section's length stands */

		memcpy(copy, w.data, len);
		if (len > body + 4) /* so that it is the device that runs out of bytes */
			le32_put(copy + body, (uint32_t)(len - body - 4));
		assert_int_equal(replace(&g, 2, copy, len), -EINVAL);
		assert_empty_and_alive(&g);
		free(copy);
	}
	assert_int_equal(replace(&g, 1, w.data, w.len), -EINVAL); /* fewer heads */
	log_set_sink(NULL, NULL);
	state_writer_finish(&w);
	rig_finish(&g);
}

/* Every byte in turn is another: it loads or not, and whatever is shown can be read. */
static void test_snapshots_that_lie_do_no_harm(void **state)
{
	struct state_writer w;
	struct rig g;

	rig_init(&g, 2);
	set_a_scene(&g);
	save(&g, &w);
	log_set_sink(quiet, NULL);
	for (size_t at = 0; at < w.len; at += at < 400 || at > w.len - 200 ? 1 : 499)
		for (unsigned flip = 1; flip < 256; flip = flip * 2 + 1) {
			w.data[at] ^= flip;
			replace(&g, 2, w.data, w.len);
			w.data[at] ^= flip;
			for (unsigned head = 0; head < 2; head++) {
				struct fake_head *h = &g.display.heads[head];
				pixman_box32_t all = { 0, 0, (int)h->width, (int)h->height };
				uint8_t *px = malloc((size_t)h->width * h->height * 4 + 1);

				if (h->ops)
					h->ops->copy_rows(h->opaque, &all, px, h->width * 4);
				free(px);
			}
		}
	log_set_sink(NULL, NULL);
	state_writer_finish(&w);
	rig_finish(&g);
}

/* Bodies made by hand: each one wrong in one place. */
struct forged {
	uint32_t id, format, width, height, pixel_bytes;
	uint64_t gpa, len;
	uint32_t wish_width;
	uint32_t shown_id, stride;
};

static int load_forged(struct rig *g, const struct forged *f)
{
	static const uint8_t zeros[64 * 64 * 4];
	struct state_writer w;
	struct virtio_device *dev;
	struct state_reader r;
	int err;

	state_writer_init(&w);
	state_put_u32(&w, 0); /* events */
	state_put_u8(&w, 1);  /* told */
	state_put_u32(&w, 1); /* resources */
	state_put_u32(&w, f->id);
	state_put_u8(&w, 0);
	state_put_u32(&w, f->format);
	state_put_u32(&w, f->width);
	state_put_u32(&w, f->height);
	state_put_bytes(&w, zeros, f->pixel_bytes);
	state_put_u32(&w, 1);
	state_put_u64(&w, f->gpa);
	state_put_u64(&w, f->len);
	state_put_u8(&w, 1); /* heads */
	state_put_u8(&w, 1);
	state_put_u32(&w, f->wish_width);
	state_put_u32(&w, 480);
	state_put_u32(&w, f->shown_id);
	state_put_u32(&w, BGRX);
	state_put_u32(&w, 64);
	state_put_u32(&w, 64);
	state_put_u32(&w, f->stride);
	state_put_u64(&w, 0);
	for (int i = 0; i < 2; i++)
		state_put_u32(&w, 0);
	for (int i = 0; i < 2; i++)
		state_put_u32(&w, 64);
	state_put_u8(&w, 0); /* cursor: hidden */
	state_put_u8(&w, 200);
	state_put_u8(&w, 0);
	state_put_u32(&w, 0x7fffffff);
	state_put_u32(&w, 0);
	state_reader_init(&r, w.data, w.len);
	dev = vgpu_device(g->gpu);
	err = dev->ops->load(dev, &r);
	state_writer_finish(&w);
	return err;
}

/* A blob of no bytes is not to be made by a command, nor by a snapshot. */
static void test_an_empty_blob_is_refused(void **state)
{
	struct state_writer w;
	struct state_reader r;
	struct virtio_device *dev;
	struct rig g;

	rig_init(&g, 1);
	dev = vgpu_device(g.gpu);
	state_writer_init(&w);
	state_put_u32(&w, 0);
	state_put_u8(&w, 1);
	state_put_u32(&w, 1);
	state_put_u32(&w, 7); /* id */
	state_put_u8(&w, 1);
	state_put_u64(&w, 0);
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(dev->ops->load(dev, &r), -EINVAL);
	state_writer_finish(&w);
	rig_finish(&g);
}

static void test_each_lie_is_refused(void **state)
{
	const struct forged good = { 1, BGRX, 64, 64, 64 * 64 * 4, 0x100000, 4096, 640, 1, 256 };
	struct forged f;
	struct rig g;

#define LIE(change)                                             \
	do {                                                    \
		f = good;                                       \
		change;                                         \
		assert_int_equal(load_forged(&g, &f), -EINVAL); \
	} while (0)

	rig_init(&g, 1);
	assert_int_equal(load_forged(&g, &good), 0);
	assert_int_equal(g.display.heads[0].hot_x, 63);
	assert_in_range(g.display.heads[0].x, 8192, 1 << 20);
	LIE(f.id = 0);
	LIE(f.format = 9);
	LIE(f.width = 8193);
	LIE(f.height = 0);
	LIE(f.width = 65);
	LIE(f.pixel_bytes = 64 * 64 * 4 - 4);
	LIE(f.gpa = 0xd0000000);
	LIE(f.len = 0);
	LIE(f.len = ~0ull);
	LIE(f.wish_width = 31);
	LIE(f.wish_width = 8193);
	LIE(f.shown_id = 2);
	LIE(f.stride = 255);
	LIE(f.stride = 257);
#undef LIE
	rig_finish(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset_frees_all_but_wishes),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_an_untold_wish_survives),
		cmocka_unit_test(test_snapshots_cut_short_are_refused),
		cmocka_unit_test(test_snapshots_that_lie_do_no_harm),
		cmocka_unit_test(test_an_empty_blob_is_refused),
		cmocka_unit_test(test_each_lie_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
