/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-gpu's commands: what each does, and every way in which each is refused. */
#include "tests/unit/gpu_rig.h"

#include "vmm/virtio/gpu_edid.h"
#include "vmm/virtio/gpu_resource.h"

#define BGRX VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM

/* ---- displays ---- */

static void test_display_info_lists_heads_side_by_side(void **state)
{
	struct virtio_gpu_ctrl_hdr c = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct virtio_gpu_resp_display_info info;
	struct rig g;

	rig_init(&g, 2);
	assert_int_equal(rig_send(&g, CONTROLQ, &c, sizeof c, RIG_REPLY_MAX), sizeof info);
	memcpy(&info, g.reply, sizeof info);
	assert_int_equal(info.hdr.type, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(info.pmodes[i].enabled, 1);
		assert_int_equal(info.pmodes[i].r.x, i * 1280);
		assert_int_equal(info.pmodes[i].r.width, 1280);
		assert_int_equal(info.pmodes[i].r.height, 800);
	}
	assert_int_equal(info.pmodes[2].enabled, 0);
	/* Too little room for all of it: an error, not a part. */
	assert_int_equal(rig_send(&g, CONTROLQ, &c, sizeof c, sizeof info - 1), sizeof c);
	assert_int_equal(le32_get(g.reply), ERR_UNSPEC);
	assert_false(needs_reset(&g));
	rig_finish(&g);
}

static void test_edid_agrees_with_display_info(void **state)
{
	struct virtio_gpu_cmd_get_edid c = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID, .scanout = 1 };
	struct virtio_gpu_resp_edid resp;
	uint8_t edid[VGPU_EDID_MAX];
	struct rig g;

	rig_init(&g, 2);
	assert_int_equal(rig_send(&g, CONTROLQ, &c, sizeof c, RIG_REPLY_MAX), sizeof resp);
	memcpy(&resp, g.reply, sizeof resp);
	assert_int_equal(resp.hdr.type, VIRTIO_GPU_RESP_OK_EDID);
	assert_int_equal(resp.size, vgpu_edid(1, 1280, 800, edid));
	assert_memory_equal(resp.edid, edid, resp.size);
	c.scanout = 2;
	assert_int_equal(rig_send(&g, CONTROLQ, &c, sizeof c, RIG_REPLY_MAX), sizeof c.hdr);
	assert_int_equal(le32_get(g.reply), ERR_INVALID_SCANOUT);
	c.scanout = 0;
	assert_int_equal(rig_send(&g, CONTROLQ, &c, sizeof c - 1, RIG_REPLY_MAX), sizeof c.hdr);
	assert_int_equal(le32_get(g.reply), ERR_INVALID_PARAM);
	rig_finish(&g);
}

static void test_features_that_were_not_negotiated(void **state)
{
	struct virtio_gpu_cmd_get_edid edid = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	struct virtio_gpu_set_scanout_blob show = scanout_blob(0, 1, BGRX, 64, 64);
	struct rig g;

	rig_init_features(&g, 1, 1ull << VIRTIO_F_VERSION_1);
	assert_int_equal(COMMAND(&g, edid), ERR_UNSPEC);
	assert_int_equal(create_blob(&g, 1, 4096, NULL, 0), ERR_UNSPEC);
	assert_int_equal(COMMAND(&g, show), ERR_UNSPEC);
	rig_finish(&g);
}

static void test_commands_that_are_not_ours(void **state)
{
	static const uint32_t types[] = { 0, VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID,
		VIRTIO_GPU_CMD_CTX_CREATE, VIRTIO_GPU_CMD_SUBMIT_3D,
		VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, VIRTIO_GPU_RESP_OK_NODATA, ~0u };
	struct virtio_gpu_get_capset_info info = { .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO };
	struct virtio_gpu_get_capset capset = { .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET };
	struct virtio_gpu_ctrl_hdr c = { 0 };
	struct rig g;

	rig_init(&g, 1);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		c.type = types[i];
		assert_int_equal(rig_send(&g, CONTROLQ, &c, sizeof c, sizeof c), sizeof c);
		assert_int_equal(le32_get(g.reply), ERR_UNSPEC);
	}
	assert_int_equal(COMMAND(&g, info), ERR_INVALID_PARAM);
	assert_int_equal(COMMAND(&g, capset), ERR_INVALID_PARAM);
	/* Each queue has its own commands. */
	c.type = VIRTIO_GPU_CMD_MOVE_CURSOR;
	rig_send(&g, CONTROLQ, &c, sizeof c, sizeof c);
	assert_int_equal(le32_get(g.reply), ERR_UNSPEC);
	c.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO;
	rig_send(&g, CURSORQ, &c, sizeof c, RIG_REPLY_MAX);
	assert_int_equal(le32_get(g.reply), ERR_UNSPEC);
	assert_false(needs_reset(&g));
	rig_finish(&g);
}

/* ---- resources ---- */

static void test_create_2d_refuses(void **state)
{
	struct virtio_gpu_resource_create_2d c = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = 1, .format = BGRX
	};
	struct rig g;

	rig_init(&g, 1);
	assert_int_equal(create_2d(&g, 0, BGRX, 64, 64), ERR_INVALID_RESOURCE);
	assert_int_equal(create_2d(&g, 1, 5, 64, 64), ERR_INVALID_PARAM);
	assert_int_equal(create_2d(&g, 1, 0, 64, 64), ERR_INVALID_PARAM);
	assert_int_equal(create_2d(&g, 1, BGRX, 0, 64), ERR_INVALID_PARAM);
	assert_int_equal(create_2d(&g, 1, BGRX, 64, 0), ERR_INVALID_PARAM);
	assert_int_equal(create_2d(&g, 1, BGRX, 8193, 64), ERR_INVALID_PARAM);
	assert_int_equal(create_2d(&g, 1, BGRX, 64, 8193), ERR_INVALID_PARAM);
	assert_int_equal(create_2d(&g, 1, BGRX, 0x40000000, 0x40000000), ERR_INVALID_PARAM);
	assert_int_equal(rig_command(&g, &c, sizeof c - 4), ERR_INVALID_PARAM); /* no height */
	assert_int_equal(create_2d(&g, 1, BGRX, 64, 64), OK);
	assert_int_equal(create_2d(&g, 1, BGRX, 64, 64), ERR_INVALID_RESOURCE);
	assert_int_equal(create_blob(&g, 1, 4096, NULL, 0), ERR_INVALID_RESOURCE);
	assert_int_equal(unref(&g, 2), ERR_INVALID_RESOURCE);
	assert_int_equal(unref(&g, 0), ERR_INVALID_RESOURCE);
	assert_int_equal(unref(&g, 1), OK);
	assert_int_equal(unref(&g, 1), ERR_INVALID_RESOURCE);
	rig_finish(&g);
}

static void test_memory_for_pixels_is_bounded(void **state)
{
	struct rig g;

	rig_init(&g, 1);
	assert_int_equal(create_2d(&g, 1, BGRX, 8192, 8191), OK);
	assert_int_equal(create_2d(&g, 2, BGRX, 8192, 2), ERR_OUT_OF_MEMORY);
	assert_int_equal(create_2d(&g, 2, BGRX, 8192, 1), OK);
	assert_int_equal(create_2d(&g, 3, BGRX, 1, 1), ERR_OUT_OF_MEMORY);
	assert_int_equal(unref(&g, 1), OK);
	assert_int_equal(create_2d(&g, 3, BGRX, 8192, 8191), OK);
	rig_finish(&g);
}

static void test_number_of_resources_is_bounded(void **state)
{
	struct rig g;

	rig_init(&g, 1);
	for (uint32_t id = 1; id <= VGPU_RESOURCES_MAX; id++)
		assert_int_equal(create_blob(&g, id * 512, 4096, NULL, 0), OK);
	assert_int_equal(create_blob(&g, 1, 4096, NULL, 0), ERR_OUT_OF_MEMORY);
	assert_int_equal(create_2d(&g, 1, BGRX, 64, 64), ERR_OUT_OF_MEMORY);
	assert_int_equal(unref(&g, 512 * 7), OK);
	assert_int_equal(create_2d(&g, 1, BGRX, 64, 64), OK);
	rig_finish(&g);
}

static void test_attach_refuses(void **state)
{
	struct virtio_gpu_mem_entry good = { 0x100000, 64 * 64 * 4 };
	struct virtio_gpu_mem_entry outside = { 64 * MIB - 4096, 8192 };
	struct virtio_gpu_mem_entry hole = { 0xd0000000, 4096 };
	struct virtio_gpu_mem_entry wraps = { ~0ull - 4095, 8192 };
	struct virtio_gpu_mem_entry empty = { 0x100000, 0 };
	struct virtio_gpu_resource_attach_backing c = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		.resource_id = 1,
		.nr_entries = 2,
	};
	struct rig g;

	rig_init(&g, 1);
	assert_int_equal(attach(&g, 1, &good, 1), ERR_INVALID_RESOURCE);
	assert_int_equal(detach(&g, 1), ERR_INVALID_RESOURCE);
	assert_int_equal(create_2d(&g, 1, BGRX, 64, 64), OK);
	assert_int_equal(detach(&g, 1), ERR_UNSPEC);
	assert_int_equal(attach(&g, 1, &good, 0), ERR_INVALID_PARAM);
	assert_int_equal(attach(&g, 1, &outside, 1), ERR_INVALID_PARAM);
	assert_int_equal(attach(&g, 1, &hole, 1), ERR_INVALID_PARAM);
	assert_int_equal(attach(&g, 1, &wraps, 1), ERR_INVALID_PARAM);
	assert_int_equal(attach(&g, 1, &empty, 1), ERR_INVALID_PARAM);
	/* Two entries are announced, one is there; then far more than can be. */
	assert_int_equal(command_with_entries(&g, &c, sizeof c, &good, 1), ERR_INVALID_PARAM);
	c.nr_entries = VGPU_ENTRIES_MAX + 1;
	assert_int_equal(command_with_entries(&g, &c, sizeof c, &good, 1), ERR_OUT_OF_MEMORY);
	c.nr_entries = ~0u;
	assert_int_equal(command_with_entries(&g, &c, sizeof c, &good, 1), ERR_OUT_OF_MEMORY);
	assert_int_equal(attach(&g, 1, &good, 1), OK);
	assert_int_equal(attach(&g, 1, &good, 1), ERR_UNSPEC);
	assert_int_equal(detach(&g, 1), OK);
	assert_int_equal(attach(&g, 1, &good, 1), OK);
	rig_finish(&g);
}

static void test_backing_pieces_are_bounded(void **state)
{
	static struct virtio_gpu_mem_entry entries[VGPU_ENTRIES_MAX];
	struct rig g;

	rig_init(&g, 1);
	for (size_t i = 0; i < VGPU_ENTRIES_MAX; i++) /* every second page: none are neighbours */
		entries[i] = (struct virtio_gpu_mem_entry){ i % 4096 * 8192, 4096 };
	for (uint32_t id = 1; id <= 5; id++)
		assert_int_equal(create_blob(&g, id, 4096, NULL, 0), OK);
	for (uint32_t id = 1; id <= 4; id++)
		assert_int_equal(attach(&g, id, entries, VGPU_ENTRIES_MAX), OK);
	assert_int_equal(attach(&g, 5, entries, 1), ERR_OUT_OF_MEMORY);
	assert_int_equal(detach(&g, 1), OK);
	assert_int_equal(attach(&g, 5, entries, 1), OK);
	assert_int_equal(attach(&g, 1, entries, VGPU_ENTRIES_MAX), ERR_OUT_OF_MEMORY);
	assert_int_equal(attach(&g, 1, entries, VGPU_ENTRIES_MAX - 1), OK);
	rig_finish(&g);
}

static void test_transfer_copies_the_rectangle_from_its_offset(void **state)
{
	enum { W = 100, H = 66 };
	struct scattered s;
	struct rig g;

	rig_init(&g, 1);
	s = scatter(&g, W * H * 4);
	paint(&s, BGRX, 0, W * 4, W, H);
	assert_int_equal(create_2d(&g, 1, BGRX, W, H), OK);
	assert_int_equal(transfer(&g, 1, rect(0, 0, W, H), 0), ERR_UNSPEC); /* no backing */
	assert_int_equal(attach(&g, 1, s.entries, 2), OK);
	assert_int_equal(set_scanout(&g, 0, 1, rect(0, 0, W, H)), OK);
	/* The parts of a jigsaw: a narrow one at an offset of its own, and full rows. */
	assert_int_equal(transfer(&g, 1, rect(0, 0, W, 10), 0), OK);
	assert_int_equal(transfer(&g, 1, rect(0, 10, 30, H - 10), 10 * W * 4), OK);
	assert_int_equal(transfer(&g, 1, rect(30, 10, W - 30, H - 10), (10 * W + 30) * 4), OK);
	assert_int_equal(transfer(&g, 1, rect(5, 5, 0, 9), 0), OK); /* nothing */
	assert_int_equal(transfer(&g, 1, rect(5, 5, 9, 0), ~0ull), OK);
	assert_head_shows(&g, 0, 0, 0);
	rig_finish(&g);
}

/* Linux lists pages one by one; the neighbours among them count as one piece. */
static void test_neighbouring_pages_are_one_piece(void **state)
{
	enum { W = 128, H = 128, PAGES = W * H * 4 / 4096 };
	static struct virtio_gpu_mem_entry entries[VGPU_ENTRIES_MAX];
	struct scattered s;
	struct rig g;

	rig_init(&g, 1);
	s = scatter(&g, W * H * 4);
	paint(&s, BGRX, 0, W * 4, W, H);
	for (unsigned i = 0; i < PAGES; i++)
		entries[i] = (struct virtio_gpu_mem_entry){
			s.entries[i / (PAGES / 2)].addr + i % (PAGES / 2) * 4096, 4096
		};
	assert_int_equal(create_2d(&g, 1, BGRX, W, H), OK);
	assert_int_equal(attach(&g, 1, entries, PAGES), OK);
	assert_int_equal(transfer(&g, 1, rect(0, 0, W, H), 0), OK);
	assert_int_equal(set_scanout(&g, 0, 1, rect(0, 0, W, H)), OK);
	assert_head_shows(&g, 0, 0, 0);

	/* So this many entries are far below the bound on pieces. */
	for (size_t i = 0; i < VGPU_ENTRIES_MAX; i++)
		entries[i] = (struct virtio_gpu_mem_entry){ 0x10000 + i * 64, 64 };
	for (uint32_t id = 2; id < 2 + 2 * VGPU_PIECES_MAX / VGPU_ENTRIES_MAX; id++)
		assert_int_equal(
			create_blob(&g, id, 64 * VGPU_ENTRIES_MAX, entries, VGPU_ENTRIES_MAX), OK);
	rig_finish(&g);
}

static void test_transfer_refuses(void **state)
{
	struct scattered s;
	struct rig g;

	rig_init(&g, 1);
	s = scatter(&g, 64 * 64 * 4);
	assert_int_equal(transfer(&g, 1, rect(0, 0, 64, 64), 0), ERR_INVALID_RESOURCE);
	assert_int_equal(create_2d(&g, 1, BGRX, 64, 64), OK);
	assert_int_equal(attach(&g, 1, s.entries, 2), OK);
	assert_int_equal(transfer(&g, 1, rect(1, 0, 64, 64), 0), ERR_INVALID_PARAM);
	assert_int_equal(transfer(&g, 1, rect(0, 1, 64, 64), 0), ERR_INVALID_PARAM);
	assert_int_equal(transfer(&g, 1, rect(~0u, 0, 2, 1), 0), ERR_INVALID_PARAM);
	assert_int_equal(transfer(&g, 1, rect(0, ~0u - 1, 1, 3), 0), ERR_INVALID_PARAM);
	assert_int_equal(transfer(&g, 1, rect(0, 0, ~0u, ~0u), 0), ERR_INVALID_PARAM);
	assert_int_equal(transfer(&g, 1, rect(0, 0, 64, 64), 1), ERR_INVALID_PARAM);
	assert_int_equal(transfer(&g, 1, rect(0, 0, 64, 64), ~0ull), ERR_INVALID_PARAM);
	assert_int_equal(transfer(&g, 1, rect(0, 0, 64, 64), 0), OK);
	assert_int_equal(transfer(&g, 1, rect(0, 0, 1, 1), 64 * 64 * 4 - 4), OK);
	assert_int_equal(transfer(&g, 1, rect(0, 0, 1, 1), 64 * 64 * 4 - 3), ERR_INVALID_PARAM);
	rig_finish(&g);
}

/* ---- scanouts ---- */

static void test_every_format_is_shown_right(void **state)
{
	struct rig g;

	rig_init(&g, 1);
	for (uint32_t i = 0; i < ARRAY_LEN(all_formats); i++) {
		make_2d(&g, i + 1, all_formats[i], 97, 35 + 1);
		assert_int_equal(set_scanout(&g, 0, i + 1, rect(0, 0, 97, 36)), OK);
		assert_head_shows(&g, 0, 0, 0);
	}
	rig_finish(&g);
}

static void test_every_format_of_a_blob_is_shown_right(void **state)
{
	enum { W = 65, H = 40, STRIDE = W * 4 + 20, OFFSET = 52, SIZE = OFFSET + STRIDE * H };
	struct rig g;

	rig_init(&g, 2);
	for (uint32_t i = 0; i < ARRAY_LEN(all_formats); i++) {
		struct virtio_gpu_set_scanout_blob c = scanout_blob(1, i + 1, all_formats[i], W, H);
		struct scattered s = scatter(&g, SIZE);

		c.strides[0] = STRIDE;
		c.offsets[0] = OFFSET;
		c.r = rect(1, 2, W - 3, H - 4);
		assert_int_equal(create_blob(&g, i + 1, SIZE, s.entries, 2), OK);
		assert_int_equal(COMMAND(&g, c), OK);
		paint(&s, all_formats[i], OFFSET, STRIDE, W, H); /* in place: no transfer */
		assert_int_equal(transfer(&g, i + 1, rect(0, 0, W, H), 0), OK);
		assert_int_equal(g.display.heads[1].width, W - 3);
		assert_head_shows(&g, 1, 1, 2);
	}
	rig_finish(&g);
}

static void test_heads_show_parts_of_one_framebuffer(void **state)
{
	struct rig g;

	rig_init(&g, 3);
	make_2d(&g, 9, BGRX, 300, 100);
	assert_int_equal(set_scanout(&g, 0, 9, rect(0, 0, 100, 100)), OK);
	assert_int_equal(set_scanout(&g, 1, 9, rect(100, 10, 120, 90)), OK);
	assert_int_equal(set_scanout(&g, 2, 9, rect(50, 0, 100, 100)), OK); /* overlaps both */
	assert_head_shows(&g, 0, 0, 0);
	assert_head_shows(&g, 1, 100, 10);
	assert_head_shows(&g, 2, 50, 0);

	/* A flush is cut to each head, in its own coordinates. */
	assert_int_equal(flush(&g, 9, rect(90, 5, 20, 15)), OK);
	assert_int_equal(g.display.heads[0].captures, 1);
	assert_memory_equal(&g.display.heads[0].last, &((pixman_box32_t){ 90, 5, 100, 20 }),
		sizeof(pixman_box32_t));
	assert_memory_equal(&g.display.heads[1].last, &((pixman_box32_t){ 0, 0, 10, 10 }),
		sizeof(pixman_box32_t));
	assert_memory_equal(&g.display.heads[2].last, &((pixman_box32_t){ 40, 5, 60, 20 }),
		sizeof(pixman_box32_t));
	assert_int_equal(flush(&g, 9, rect(250, 0, 50, 100)), OK); /* nobody shows it */
	assert_int_equal(flush(&g, 9, rect(0, 0, 0, 0)), OK);
	assert_int_equal(g.display.heads[0].captures, 1);

	/* Disabled, and when the resource goes, the others too. */
	assert_int_equal(set_scanout(&g, 1, 0, rect(0, 0, 0, 0)), OK);
	assert_true(head_is_off(&g, 1));
	assert_int_equal(set_scanout(&g, 1, 0, rect(0, 0, 0, 0)), OK);
	assert_false(head_is_off(&g, 0));
	assert_int_equal(unref(&g, 9), OK);
	assert_true(head_is_off(&g, 0));
	assert_true(head_is_off(&g, 2));
	rig_finish(&g);
}

static void test_set_scanout_refuses(void **state)
{
	struct rig g;

	rig_init(&g, 2);
	make_2d(&g, 1, BGRX, 100, 80);
	assert_int_equal(create_blob(&g, 2, 4096, NULL, 0), OK);
	assert_int_equal(set_scanout(&g, 2, 1, rect(0, 0, 100, 80)), ERR_INVALID_SCANOUT);
	assert_int_equal(set_scanout(&g, ~0u, 0, rect(0, 0, 0, 0)), ERR_INVALID_SCANOUT);
	assert_int_equal(set_scanout(&g, 0, 7, rect(0, 0, 100, 80)), ERR_INVALID_RESOURCE);
	assert_int_equal(set_scanout(&g, 0, 2, rect(0, 0, 32, 32)), ERR_INVALID_RESOURCE);
	assert_int_equal(set_scanout(&g, 0, 1, rect(1, 0, 100, 80)), ERR_INVALID_PARAM);
	assert_int_equal(set_scanout(&g, 0, 1, rect(0, 1, 100, 80)), ERR_INVALID_PARAM);
	assert_int_equal(set_scanout(&g, 0, 1, rect(0, 0, 31, 80)), ERR_INVALID_PARAM);
	assert_int_equal(set_scanout(&g, 0, 1, rect(0, 0, 100, 31)), ERR_INVALID_PARAM);
	assert_int_equal(set_scanout(&g, 0, 1, rect(~0u - 30, 0, 64, 64)), ERR_INVALID_PARAM);
	assert_int_equal(set_scanout(&g, 0, 1, rect(0, ~0u - 30, 64, 64)), ERR_INVALID_PARAM);
	assert_int_equal(g.display.heads[0].sources, 0);
	assert_int_equal(set_scanout(&g, 0, 1, rect(68, 48, 32, 32)), OK);
	assert_head_shows(&g, 0, 68, 48);
	/* A refused one leaves what is shown. */
	assert_int_equal(set_scanout(&g, 0, 1, rect(90, 48, 32, 32)), ERR_INVALID_PARAM);
	assert_head_shows(&g, 0, 68, 48);
	rig_finish(&g);
}

static void test_flush_refuses(void **state)
{
	struct rig g;

	rig_init(&g, 1);
	make_2d(&g, 1, BGRX, 100, 80);
	assert_int_equal(flush(&g, 2, rect(0, 0, 1, 1)), ERR_INVALID_RESOURCE);
	assert_int_equal(flush(&g, 1, rect(0, 0, 101, 80)), ERR_INVALID_PARAM);
	assert_int_equal(flush(&g, 1, rect(99, 0, 2, 80)), ERR_INVALID_PARAM);
	assert_int_equal(flush(&g, 1, rect(0, ~0u, 1, 2)), ERR_INVALID_PARAM);
	assert_int_equal(create_blob(&g, 2, 4096, NULL, 0), OK);
	assert_int_equal(flush(&g, 2, rect(~0u, 0, 2, 2)), ERR_INVALID_PARAM);
	assert_int_equal(flush(&g, 2, rect(0, 0, 4000, 4000)), OK); /* off any head */
	assert_int_equal(g.display.heads[0].captures, 0);
	rig_finish(&g);
}

/* ---- blobs ---- */

static void test_create_blob_refuses(void **state)
{
	struct virtio_gpu_mem_entry page = { 0x100000, 4096 }, hole = { 0xd0000000, 4096 };
	struct rig g;

	rig_init(&g, 1);
	assert_int_equal(create_blob_kind(&g, 1, 0, 0, 4096, &page, 1), ERR_INVALID_PARAM);
	assert_int_equal(create_blob_kind(&g, 1, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, 4096, &page, 1),
		ERR_INVALID_PARAM);
	assert_int_equal(
		create_blob_kind(&g, 1, VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST, 0, 4096, &page, 1),
		ERR_INVALID_PARAM);
	assert_int_equal(create_blob_kind(&g, 1, VIRTIO_GPU_BLOB_MEM_GUEST,
				 VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE, 4096, &page, 1),
		ERR_INVALID_PARAM);
	assert_int_equal(create_blob_kind(&g, 1, VIRTIO_GPU_BLOB_MEM_GUEST, 8, 4096, &page, 1),
		ERR_INVALID_PARAM);
	assert_int_equal(create_blob(&g, 0, 4096, &page, 1), ERR_INVALID_RESOURCE);
	assert_int_equal(create_blob(&g, 1, 0, &page, 1), ERR_INVALID_PARAM);
	assert_int_equal(create_blob(&g, 1, 4097, &page, 1), ERR_INVALID_PARAM); /* too few pages */
	assert_int_equal(create_blob(&g, 1, 4096, &hole, 1), ERR_INVALID_PARAM);
	/* Nothing is left of a failed one. */
	assert_int_equal(unref(&g, 1), ERR_INVALID_RESOURCE);
	assert_int_equal(
		create_blob_kind(&g, 1, VIRTIO_GPU_BLOB_MEM_GUEST,
			VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE,
			4096, &page, 1),
		OK);
	/* Created without pages, given them later. */
	assert_int_equal(create_blob(&g, 2, 8192, NULL, 0), OK);
	assert_int_equal(attach(&g, 2, &page, 1), ERR_INVALID_PARAM);
	page.length = 8192;
	assert_int_equal(attach(&g, 2, &page, 1), OK);
	rig_finish(&g);
}

static void test_set_scanout_blob_refuses(void **state)
{
	enum { W = 64, H = 64, SIZE = W * H * 4 };
	struct virtio_gpu_set_scanout_blob good = scanout_blob(0, 1, BGRX, W, H), c;
	struct scattered s;
	struct rig g;

#define REFUSED(change, error)                           \
	do {                                             \
		c = good;                                \
		change;                                  \
		assert_int_equal(COMMAND(&g, c), error); \
		assert_true(head_is_off(&g, 0));         \
	} while (0)

	rig_init(&g, 1);
	s = scatter(&g, SIZE);
	REFUSED(, ERR_INVALID_RESOURCE);
	assert_int_equal(create_blob(&g, 1, SIZE, NULL, 0), OK);
	REFUSED(, ERR_UNSPEC); /* no pages yet */
	assert_int_equal(attach(&g, 1, s.entries, 2), OK);
	make_2d(&g, 2, BGRX, W, H);
	REFUSED(c.resource_id = 2, ERR_INVALID_RESOURCE);
	REFUSED(c.scanout_id = 1, ERR_INVALID_SCANOUT);
	REFUSED(c.format = 7, ERR_INVALID_PARAM);
	REFUSED(c.width = 0, ERR_INVALID_PARAM);
	REFUSED(c.height = 0, ERR_INVALID_PARAM);
	REFUSED(c.height = H + 1, ERR_INVALID_PARAM);
	REFUSED(c.strides[0] = W * 4 - 1, ERR_INVALID_PARAM);
	REFUSED(c.strides[0] = W * 4 + 1, ERR_INVALID_PARAM);
	REFUSED(c.strides[0] = ~0u, ERR_INVALID_PARAM);
	REFUSED(c.offsets[0] = 1, ERR_INVALID_PARAM);
	REFUSED(c.offsets[0] = ~0u, ERR_INVALID_PARAM);
	REFUSED((c.width = c.strides[0] = 0x40000000, c.height = ~0u), ERR_INVALID_PARAM);
	REFUSED((c.width = 1, c.strides[0] = ~0u, c.height = ~0u), ERR_INVALID_PARAM);
	REFUSED(c.r.x = 1, ERR_INVALID_PARAM);
	REFUSED(c.r.height = H + 1, ERR_INVALID_PARAM);
	REFUSED(c.r.width = 16, ERR_INVALID_PARAM);
	REFUSED((c.r.x = ~0u - 10, c.r.width = 42), ERR_INVALID_PARAM);
#undef REFUSED
	assert_int_equal(COMMAND(&g, good), OK);
	/* Without its pages nothing is left to show. */
	assert_int_equal(detach(&g, 1), OK);
	assert_true(head_is_off(&g, 0));
	assert_int_equal(attach(&g, 1, s.entries, 2), OK);
	assert_int_equal(COMMAND(&g, good), OK);
	assert_int_equal(unref(&g, 1), OK);
	assert_true(head_is_off(&g, 0));
	rig_finish(&g);
}

static void test_a_2d_resource_is_shown_without_its_pages(void **state)
{
	struct rig g;

	rig_init(&g, 1);
	make_2d(&g, 1, BGRX, 64, 64);
	assert_int_equal(set_scanout(&g, 0, 1, rect(0, 0, 64, 64)), OK);
	assert_int_equal(detach(&g, 1), OK);
	assert_head_shows(&g, 0, 0, 0);
	rig_finish(&g);
}

/* ---- cursors ---- */

/* A 64x64 resource all of one pixel value. */
static void make_cursor(struct rig *g, uint32_t id, uint32_t format, uint32_t argb)
{
	struct scattered s = scatter(g, 64 * 64 * 4);
	uint8_t p[4];

	pixel_in_format(format, argb, p);
	for (size_t i = 0; i < 64 * 64; i++)
		scattered_put(&s, i * 4, p, 4);
	assert_int_equal(create_2d(g, id, format, 64, 64), OK);
	assert_int_equal(attach(g, id, s.entries, 2), OK);
	assert_int_equal(transfer(g, id, rect(0, 0, 64, 64), 0), OK);
}

static void test_cursor_is_shown_moved_and_hidden(void **state)
{
	struct virtio_gpu_update_cursor move = { .hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR,
		.pos = { 1, (uint32_t)-5, 300 } };
	struct fake_head *h;
	struct rig g;

	rig_init(&g, 2);
	h = &g.display.heads[1];
	make_cursor(&g, 1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0x80402010); /* premultiplied */
	make_cursor(&g, 2, VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 0x80ff2010); /* cannot be so */
	make_cursor(&g, 3, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 0x00112233);
	assert_int_equal(update_cursor(&g, 1, 1, 10, 20, 3), OK);
	assert_true(h->cursor);
	assert_int_equal(h->argb[0], 0x80804020);
	assert_int_equal(h->argb[64 * 64 - 1], 0x80804020);
	assert_int_equal(h->hot_x, 3);
	assert_int_equal(h->x, 10);
	assert_int_equal(h->y, 20);
	assert_int_equal(update_cursor(&g, 1, 2, 10, 20, 1000), OK);
	assert_int_equal(h->argb[77], 0x80ff2010);
	assert_int_equal(h->hot_y, 63);
	assert_int_equal(update_cursor(&g, 1, 3, 10, 20, 0), OK);
	assert_int_equal(h->argb[77], 0xff112233);
	assert_int_equal(COMMAND(&g, move), OK);
	assert_int_equal(h->x, -5);
	assert_int_equal(h->y, 300);
	move.pos.x = 0x80000000;
	move.pos.y = 0x7fffffff;
	assert_int_equal(COMMAND(&g, move), OK);
	assert_true(h->x < -8192 && h->y > 8192);
	/* The picture was copied: its resource may go. */
	assert_int_equal(unref(&g, 3), OK);
	assert_true(h->cursor);
	assert_int_equal(update_cursor(&g, 1, 0, 0, 0, 0), OK);
	assert_false(h->cursor);
	assert_false(g.display.heads[0].cursor);
	rig_finish(&g);
}

static void test_cursor_in_a_blob(void **state)
{
	struct scattered s;
	uint8_t p[4] = { 0x10, 0x20, 0x40, 0x80 };
	struct rig g;

	rig_init(&g, 1);
	s = scatter(&g, 64 * 64 * 4);
	for (size_t i = 0; i < 64 * 64; i++)
		scattered_put(&s, i * 4, p, 4);
	assert_int_equal(create_blob(&g, 1, 64 * 64 * 4, s.entries, 2), OK);
	assert_int_equal(update_cursor(&g, 0, 1, 0, 0, 0), OK);
	assert_int_equal(g.display.heads[0].argb[4095], 0x80804020);
	rig_finish(&g);
}

static void test_cursor_refuses(void **state)
{
	struct virtio_gpu_update_cursor move = { .hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR,
		.pos = { 1, 0, 0 } };
	struct virtio_gpu_mem_entry page = { 0x100000, 4096 };
	struct rig g;

	rig_init(&g, 1);
	make_cursor(&g, 1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0xff000000);
	make_2d(&g, 2, BGRX, 63, 64);
	make_2d(&g, 3, BGRX, 64, 128);
	assert_int_equal(create_blob(&g, 4, 4096, &page, 1), OK);
	assert_int_equal(create_blob(&g, 5, 64 * 64 * 4, NULL, 0), OK);
	assert_int_equal(update_cursor(&g, 0, 1, 0, 0, 0), OK);
	assert_int_equal(update_cursor(&g, 1, 1, 0, 0, 0), ERR_INVALID_SCANOUT);
	assert_int_equal(update_cursor(&g, 0, 9, 0, 0, 0), ERR_INVALID_RESOURCE);
	for (uint32_t id = 2; id <= 5; id++)
		assert_int_equal(update_cursor(&g, 0, id, 0, 0, 0), ERR_INVALID_PARAM);
	assert_int_equal(COMMAND(&g, move), ERR_INVALID_SCANOUT);
	assert_int_equal(rig_command(&g, &move, sizeof move - 1), ERR_INVALID_PARAM);
	assert_true(g.display.heads[0].cursor); /* the good one is still there */
	rig_finish(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_display_info_lists_heads_side_by_side),
		cmocka_unit_test(test_edid_agrees_with_display_info),
		cmocka_unit_test(test_features_that_were_not_negotiated),
		cmocka_unit_test(test_commands_that_are_not_ours),
		cmocka_unit_test(test_create_2d_refuses),
		cmocka_unit_test(test_memory_for_pixels_is_bounded),
		cmocka_unit_test(test_number_of_resources_is_bounded),
		cmocka_unit_test(test_attach_refuses),
		cmocka_unit_test(test_backing_pieces_are_bounded),
		cmocka_unit_test(test_transfer_copies_the_rectangle_from_its_offset),
		cmocka_unit_test(test_neighbouring_pages_are_one_piece),
		cmocka_unit_test(test_transfer_refuses),
		cmocka_unit_test(test_every_format_is_shown_right),
		cmocka_unit_test(test_every_format_of_a_blob_is_shown_right),
		cmocka_unit_test(test_heads_show_parts_of_one_framebuffer),
		cmocka_unit_test(test_set_scanout_refuses),
		cmocka_unit_test(test_flush_refuses),
		cmocka_unit_test(test_create_blob_refuses),
		cmocka_unit_test(test_set_scanout_blob_refuses),
		cmocka_unit_test(test_a_2d_resource_is_shown_without_its_pages),
		cmocka_unit_test(test_cursor_is_shown_moved_and_hidden),
		cmocka_unit_test(test_cursor_in_a_blob),
		cmocka_unit_test(test_cursor_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
