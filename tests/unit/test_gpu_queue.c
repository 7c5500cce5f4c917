/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-gpu's queues and config space: order, fences, merging, bounds, broken rules, wishes. */
#include "tests/unit/gpu_rig.h"

#include <pthread.h>

#define BGRX VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM

/* ---- requests that stand in the queue together ---- */

struct batch {
	struct rig *g;
	unsigned n;
	uint16_t heads[256];
	uint8_t *replies[256];
};

static void batch_add(struct batch *b, const void *request, size_t len)
{
	struct iovec iov[2] = { { fake_driver_alloc(&b->g->d, len, 8), len },
		{ fake_driver_alloc(&b->g->d, 24, 8), 24 } };

	memcpy(iov[0].iov_base, request, len);
	b->replies[b->n] = iov[1].iov_base;
	b->heads[b->n++] = fake_driver_request(&b->g->d, CONTROLQ, iov, 1, 1);
}

static void batch_add_flush(struct batch *b, uint32_t id, struct virtio_gpu_rect r, uint64_t fence)
{
	struct virtio_gpu_resource_flush c = flush_of(id, r);

	c.hdr.flags = fence ? VIRTIO_GPU_FLAG_FENCE : 0;
	c.hdr.fence_id = fence;
	c.hdr.ctx_id = fence ? 5 : 0;
	batch_add(b, &c, sizeof c);
}

/* All came back, in order, and all went well. */
static void assert_batch_done(struct batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		uint16_t head;
		uint32_t len;

		assert_true(fake_driver_used(&b->g->d, CONTROLQ, &head, &len));
		assert_int_equal(head, b->heads[i]);
		assert_int_equal(len, 24);
		assert_int_equal(le32_get(b->replies[i]), OK);
	}
	assert_false(fake_driver_used(&b->g->d, CONTROLQ, NULL, NULL));
}

static void show_300x100(struct rig *g)
{
	make_2d(g, 1, BGRX, 300, 100);
	assert_int_equal(set_scanout(g, 0, 1, rect(0, 0, 300, 100)), OK);
}

/* What the driver had got back when a capture took place. */
struct moment {
	struct rig *g;
	unsigned captures;
	uint16_t used[8];
};

static void note_used(void *opaque)
{
	struct moment *m = opaque;

	m->used[m->captures++ % 8] = le16_get(m->g->d.rings[CONTROLQ].used + 2);
}

static void test_unfenced_flushes_cost_one_capture(void **state)
{
	struct moment m = { 0 };
	struct batch b = { 0 };
	uint16_t before;
	struct rig g;

	rig_init(&g, 1);
	show_300x100(&g);
	before = le16_get(g.d.rings[CONTROLQ].used + 2);
	b.g = m.g = &g;
	g.display.on_damage = note_used;
	g.display.on_damage_opaque = &m;
	for (unsigned i = 0; i < 40; i++)
		batch_add_flush(&b, 1, rect(i, 10, 100, 20), 0);
	fake_driver_kick(&g.d, CONTROLQ);
	assert_batch_done(&b);
	assert_int_equal(g.display.heads[0].captures, 1);
	assert_memory_equal(&g.display.heads[0].last, &((pixman_box32_t){ 0, 10, 139, 30 }),
		sizeof(pixman_box32_t));
	assert_int_equal(m.used[0], before); /* none was answered before its pixels were taken */
	rig_finish(&g);
}

static void test_far_apart_damage_is_captured_apart(void **state)
{
	struct batch b = { 0 };
	struct rig g;

	rig_init(&g, 1);
	show_300x100(&g);
	b.g = &g;
	batch_add_flush(&b, 1, rect(0, 0, 10, 10), 0);
	batch_add_flush(&b, 1, rect(200, 50, 10, 10), 0);
	fake_driver_kick(&g.d, CONTROLQ);
	assert_batch_done(&b);
	assert_int_equal(g.display.heads[0].captures, 2);

	/* But not into crumbs. */
	g.display.heads[0].captures = 0;
	b.n = 0;
	for (unsigned i = 0; i < 30; i++)
		batch_add_flush(&b, 1, rect(i * 10, i * 3, 2, 2), 0);
	fake_driver_kick(&g.d, CONTROLQ);
	assert_batch_done(&b);
	assert_int_equal(g.display.heads[0].captures, 1);
	assert_memory_equal(&g.display.heads[0].last, &((pixman_box32_t){ 0, 0, 292, 89 }),
		sizeof(pixman_box32_t));
	rig_finish(&g);
}

static void test_a_fence_is_answered_after_its_capture(void **state)
{
	struct moment m = { 0 };
	struct batch b = { 0 };
	uint16_t before;
	struct rig g;

	rig_init(&g, 1);
	show_300x100(&g);
	before = le16_get(g.d.rings[CONTROLQ].used + 2);
	b.g = m.g = &g;
	g.display.on_damage = note_used;
	g.display.on_damage_opaque = &m;
	batch_add_flush(&b, 1, rect(0, 0, 10, 10), 0);
	batch_add_flush(&b, 1, rect(0, 0, 20, 20), 0x1234567890);
	batch_add_flush(&b, 1, rect(0, 0, 30, 30), 0x1234567891);
	fake_driver_kick(&g.d, CONTROLQ);
	assert_batch_done(&b);
	assert_int_equal(m.captures, 2);
	assert_int_equal(m.used[0], before);
	assert_int_equal(m.used[1], before + 2);
	assert_int_equal(le32_get(b.replies[0] + 4), 0); /* flags, fence_id, ctx_id */
	assert_int_equal(le64_get(b.replies[0] + 8), 0);
	assert_int_equal(le32_get(b.replies[1] + 4), VIRTIO_GPU_FLAG_FENCE);
	assert_int_equal(le64_get(b.replies[1] + 8), 0x1234567890);
	assert_int_equal(le32_get(b.replies[1] + 16), 5);
	assert_int_equal(le64_get(b.replies[2] + 8), 0x1234567891);
	rig_finish(&g);
}

static void test_errors_keep_their_fence(void **state)
{
	struct virtio_gpu_resource_flush c = flush_of(77, rect(0, 0, 1, 1));
	struct rig g;

	rig_init(&g, 1);
	c.hdr.flags = VIRTIO_GPU_FLAG_FENCE | 0x80000000;
	c.hdr.fence_id = 42;
	assert_int_equal(COMMAND(&g, c), ERR_INVALID_RESOURCE);
	assert_int_equal(le32_get(g.reply + 4), VIRTIO_GPU_FLAG_FENCE);
	assert_int_equal(le64_get(g.reply + 8), 42);
	rig_finish(&g);
}

static void test_flushed_pixels_are_taken_before_the_scene_changes(void **state)
{
	struct virtio_gpu_set_scanout off = { .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT };
	struct virtio_gpu_resource_unref gone = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = 1 };
	struct batch b = { 0 };
	struct rig g;

	rig_init(&g, 1);
	show_300x100(&g);
	b.g = &g;
	batch_add_flush(&b, 1, rect(0, 0, 10, 10), 0);
	batch_add(&b, &off, sizeof off);
	batch_add_flush(&b, 1, rect(0, 0, 10, 10), 0); /* shown by no head */
	batch_add(&b, &gone, sizeof gone);
	fake_driver_kick(&g.d, CONTROLQ);
	assert_batch_done(&b);
	assert_int_equal(g.display.heads[0].captures, 1);
	assert_true(head_is_off(&g, 0));
	rig_finish(&g);
}

static void count(void *opaque)
{
	++*(unsigned *)opaque;
}

/* Runs in the loop when its turn comes: notes how far the queue was then. */
static void note_turn(void *opaque)
{
	struct moment *m = opaque;

	note_used(m);
}

static void test_a_pass_leaves_others_their_turn(void **state)
{
	struct moment m = { 0 };
	struct loop_work other = { .fn = note_turn, .opaque = &m };
	unsigned captures = 0;
	struct batch b = { 0 };
	uint16_t before;
	struct rig g;

	rig_init(&g, 1);
	show_300x100(&g);
	before = le16_get(g.d.rings[CONTROLQ].used + 2);
	b.g = m.g = &g;
	g.display.on_damage = count;
	g.display.on_damage_opaque = &captures;
	for (unsigned i = 0; i < 100; i++)
		batch_add_flush(&b, 1, rect(0, 0, 10, 10), 0);
	virtio_kick(vgpu_device(g.gpu), CONTROLQ);
	assert_int_equal((uint16_t)(le16_get(g.d.rings[CONTROLQ].used + 2) - before), 64);
	assert_int_equal(captures, 1);
	loop_post(g.d.loop, &other);
	for (int i = 0; i < 10; i++)
		loop_step(g.d.loop, 0);
	assert_int_equal(m.captures, 1);
	assert_batch_done(&b);
	assert_int_equal(captures, 2);
	rig_finish(&g);
}

static void test_a_pass_is_bounded_in_bytes(void **state)
{
	struct virtio_gpu_transfer_to_host_2d c = {
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
		.r = { 0, 0, 2048, 2048 },
		.resource_id = 1,
	};
	struct virtio_gpu_mem_entry entry = { 0x1000000, 2048 * 2048 * 4 };
	struct batch b = { 0 };
	uint16_t before;
	struct rig g;

	rig_init(&g, 1);
	b.g = &g;
	assert_int_equal(create_2d(&g, 1, BGRX, 2048, 2048), OK);
	assert_int_equal(attach(&g, 1, &entry, 1), OK);
	before = le16_get(g.d.rings[CONTROLQ].used + 2);
	for (int i = 0; i < 6; i++)
		batch_add(&b, &c, sizeof c);
	virtio_kick(vgpu_device(g.gpu), CONTROLQ);
	assert_int_equal((uint16_t)(le16_get(g.d.rings[CONTROLQ].used + 2) - before), 4);
	loop_step(g.d.loop, 0);
	assert_batch_done(&b);
	rig_finish(&g);
}

static void test_many_cursor_moves_take_several_passes(void **state)
{
	struct virtio_gpu_update_cursor c = { .hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR };
	struct rig g;

	rig_init(&g, 1);
	for (uint32_t i = 1; i <= 150; i++) {
		struct iovec iov = { fake_driver_alloc(&g.d, sizeof c, 8), sizeof c };

		c.pos.x = i;
		memcpy(iov.iov_base, &c, sizeof c);
		fake_driver_request(&g.d, CURSORQ, &iov, 1, 0); /* Linux leaves no room either */
	}
	virtio_kick(vgpu_device(g.gpu), CURSORQ);
	assert_int_equal(g.display.heads[0].x, 64);
	for (int i = 0; i < 5; i++)
		loop_step(g.d.loop, 0);
	assert_int_equal(g.display.heads[0].x, 150);
	for (int i = 0; i < 150; i++) {
		uint32_t len;

		assert_true(fake_driver_used(&g.d, CURSORQ, NULL, &len));
		assert_int_equal(len, 0);
	}
	rig_finish(&g);
}

/* ---- broken rules ---- */

static void broken_by(unsigned q, size_t len, size_t room, bool broken)
{
	struct virtio_gpu_update_cursor c = {
		.hdr.type =
			q == CURSORQ ? VIRTIO_GPU_CMD_MOVE_CURSOR : VIRTIO_GPU_CMD_GET_DISPLAY_INFO
	};
	struct virtio_gpu_ctrl_hdr again = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct rig g;

	rig_init(&g, 1);
	show_300x100(&g);
	rig_send(&g, q, &c, len, room);
	assert_int_equal(needs_reset(&g), broken);
	if (broken) {
		assert_int_equal(rig_send(&g, CONTROLQ, &again, sizeof again, 1024), -1);
		fake_driver_reset(&g.d);
		assert_true(head_is_off(&g, 0));
		fake_driver_start(&g.d, vgpu_device(g.gpu), ~0ull);
		assert_int_equal(rig_send(&g, CONTROLQ, &again, sizeof again, 1024),
			sizeof(struct virtio_gpu_resp_display_info));
	}
	rig_finish(&g);
}

static void test_requests_without_a_header_break_the_device(void **state)
{
	broken_by(CONTROLQ, 23, 24, true);
	broken_by(CONTROLQ, 24, 23, true);
	broken_by(CONTROLQ, 24, 0, true);
	broken_by(CURSORQ, 23, 24, true);
	broken_by(CURSORQ, 56, 0, false);
	broken_by(CURSORQ, 56, 23, false);
}

/* What was answered but not returned when the rule was broken does not come after the reset. */
static void test_a_rule_broken_in_mid_pass(void **state)
{
	struct batch b = { 0 };
	struct rig g;

	rig_init(&g, 1);
	show_300x100(&g);
	b.g = &g;
	batch_add_flush(&b, 1, rect(0, 0, 10, 10), 0);
	fake_driver_avail(&g.d, CONTROLQ, 9999);
	fake_driver_kick(&g.d, CONTROLQ);
	assert_true(needs_reset(&g));
	assert_false(fake_driver_used(&g.d, CONTROLQ, NULL, NULL));
	fake_driver_reset(&g.d);
	fake_driver_start(&g.d, vgpu_device(g.gpu), ~0ull);
	assert_false(fake_driver_used(&g.d, CONTROLQ, NULL, NULL));
	show_300x100(&g);
	assert_int_equal(flush(&g, 1, rect(0, 0, 300, 100)), OK);
	rig_finish(&g);
}

static void test_a_command_in_small_pieces(void **state)
{
	struct virtio_gpu_resource_create_2d c = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.resource_id = 1,
		.format = BGRX,
		.width = 64,
		.height = 64 };
	struct iovec iov[40 + 24];
	struct rig g;

	rig_init(&g, 1);
	memcpy(g.request, &c, sizeof c);
	for (size_t i = 0; i < 40; i++)
		iov[i] = (struct iovec){ g.request + i, 1 };
	for (size_t i = 0; i < 24; i++)
		iov[40 + i] = (struct iovec){ g.reply + i, 1 };
	assert_int_equal(sizeof c, 40);
	assert_int_equal(fake_driver_do(&g.d, CONTROLQ, iov, 40, 24), 24);
	assert_int_equal(le32_get(g.reply), OK);
	assert_int_equal(unref(&g, 1), OK);
	rig_finish(&g);
}

/* ---- config space and wishes ---- */

static uint32_t events(struct rig *g)
{
	uint8_t config[16];

	virtio_config_read(vgpu_device(g->gpu), 0, config, sizeof config);
	return le32_get(config);
}

static void clear_events(struct rig *g, uint32_t bits)
{
	virtio_config_write(vgpu_device(g->gpu), 4, &bits, sizeof bits);
	loop_step(g->d.loop, 0);
}

/* The user's window asks, and the loop has its turn. */
static void wish(struct rig *g, unsigned head, unsigned width, unsigned height)
{
	g->display.guest->resize(g->display.guest_opaque, head, width, height);
	loop_step(g->d.loop, 0);
}

static struct virtio_gpu_display_one ask(struct rig *g, unsigned head)
{
	struct virtio_gpu_ctrl_hdr c = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct virtio_gpu_resp_display_info info;

	assert_int_equal(rig_send(g, CONTROLQ, &c, sizeof c, RIG_REPLY_MAX), sizeof info);
	memcpy(&info, g->reply, sizeof info);
	return info.pmodes[head];
}

static void assert_asks(struct rig *g, unsigned head, bool enabled, unsigned width, unsigned height)
{
	struct virtio_gpu_display_one mode = ask(g, head);

	assert_int_equal(mode.enabled, enabled);
	assert_int_equal(mode.r.width, width);
	assert_int_equal(mode.r.height, height);
}

static void test_config_space(void **state)
{
	uint8_t config[16], garbage[16];
	struct rig g;

	rig_init(&g, 3);
	memset(garbage, 0xff, sizeof garbage);
	virtio_config_write(vgpu_device(g.gpu), 0, garbage, sizeof garbage);
	virtio_config_read(vgpu_device(g.gpu), 0, config, sizeof config);
	assert_int_equal(le32_get(config), 0);
	assert_int_equal(le32_get(config + 4), 0);
	assert_int_equal(le32_get(config + 8), 3);
	assert_int_equal(le32_get(config + 12), 0);
	wish(&g, 0, 640, 480);
	assert_int_equal(events(&g), VIRTIO_GPU_EVENT_DISPLAY);
	virtio_config_write(vgpu_device(g.gpu), 5, garbage, 3); /* not the bit's byte */
	assert_int_equal(events(&g), VIRTIO_GPU_EVENT_DISPLAY);
	ask(&g, 0);
	virtio_config_write(vgpu_device(g.gpu), 4, garbage, 1);
	assert_int_equal(events(&g), 0);
	rig_finish(&g);
}

static void test_a_wish_becomes_an_event(void **state)
{
	struct rig g;

	rig_init(&g, 2);
	wish(&g, 1, 1001, 701); /* any size, exactly */
	assert_int_equal(events(&g), VIRTIO_GPU_EVENT_DISPLAY);
	assert_int_equal(g.d.config_interrupts, 1);
	assert_asks(&g, 1, true, 1001, 701);
	assert_int_equal(ask(&g, 1).r.x, 1280);
	clear_events(&g, VIRTIO_GPU_EVENT_DISPLAY);
	assert_int_equal(events(&g), 0);
	wish(&g, 1, 1001, 701); /* nothing new */
	assert_int_equal(events(&g), 0);
	assert_int_equal(g.d.config_interrupts, 1);
	wish(&g, 2, 640, 480); /* no such head */
	assert_int_equal(events(&g), 0);
	wish(&g, 0, 9000, 20); /* as far as it goes */
	assert_asks(&g, 0, true, 8192, 32);
	rig_finish(&g);
}

static void test_wishes_merge_before_the_loop_sees_them(void **state)
{
	struct rig g;

	rig_init(&g, 2);
	for (unsigned i = 0; i < 100; i++)
		g.display.guest->resize(g.display.guest_opaque, i % 2, 800 + i, 600);
	loop_step(g.d.loop, 0);
	assert_int_equal(g.d.config_interrupts, 1);
	assert_asks(&g, 0, true, 898, 600);
	assert_asks(&g, 1, true, 899, 600);
	rig_finish(&g);
}

static void test_heads_are_unplugged_but_the_last(void **state)
{
	struct virtio_gpu_cmd_get_edid edid = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	struct rig g;

	rig_init(&g, 2);
	wish(&g, 0, 0, 0);
	assert_asks(&g, 0, false, 0, 0);
	assert_int_equal(ask(&g, 1).r.x, 0);
	assert_int_equal(rig_send(&g, CONTROLQ, &edid, sizeof edid, RIG_REPLY_MAX),
		sizeof(struct virtio_gpu_resp_edid));
	clear_events(&g, VIRTIO_GPU_EVENT_DISPLAY);
	wish(&g, 0, 0, 0);
	wish(&g, 1, 0, 0);
	assert_int_equal(events(&g), 0);
	assert_asks(&g, 1, true, 1280, 800);
	wish(&g, 0, 1280, 800); /* plugged in again at the size it had */
	assert_int_equal(events(&g), VIRTIO_GPU_EVENT_DISPLAY);
	assert_asks(&g, 0, true, 1280, 800);
	rig_finish(&g);
}

/* Linux reads the event, asks for sizes, then clears it; a wish in between must not be lost. */
static void test_a_wish_between_answer_and_clear_is_told_again(void **state)
{
	struct rig g;

	rig_init(&g, 1);
	wish(&g, 0, 1000, 700);
	assert_asks(&g, 0, true, 1000, 700);
	wish(&g, 0, 1010, 700);
	assert_int_equal(g.d.config_interrupts, 2);
	clear_events(&g, VIRTIO_GPU_EVENT_DISPLAY);
	assert_int_equal(g.d.config_interrupts, 3);
	assert_int_equal(events(&g), VIRTIO_GPU_EVENT_DISPLAY);
	/* A driver that never asks is reminded once, not for ever. */
	clear_events(&g, VIRTIO_GPU_EVENT_DISPLAY);
	assert_int_equal(events(&g), 0);
	assert_int_equal(g.d.config_interrupts, 3);
	rig_finish(&g);
}

static void *wish_often(void *opaque)
{
	struct rig *g = opaque;

	for (unsigned i = 0; i < 2000; i++)
		g->display.guest->resize(g->display.guest_opaque, i % 2, 640 + i % 97, 480);
	return NULL;
}

static void *read_config_often(void *opaque)
{
	for (unsigned i = 0; i < 2000; i++) {
		const uint32_t clear = VIRTIO_GPU_EVENT_DISPLAY;

		events(opaque);
		virtio_config_write(vgpu_device(((struct rig *)opaque)->gpu), 4, &clear, 4);
	}
	return NULL;
}

static void test_wishes_and_registers_from_other_threads(void **state)
{
	pthread_t service, vcpu;
	struct rig g;

	rig_init(&g, 2);
	pthread_create(&service, NULL, wish_often, &g);
	pthread_create(&vcpu, NULL, read_config_often, &g);
	for (int i = 0; i < 200; i++) {
		ask(&g, 0);
		loop_step(g.d.loop, 0);
	}
	pthread_join(service, NULL);
	pthread_join(vcpu, NULL);
	loop_step(g.d.loop, 0);
	assert_asks(&g, 1, true, 640 + 1999 % 97, 480);
	rig_finish(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unfenced_flushes_cost_one_capture),
		cmocka_unit_test(test_far_apart_damage_is_captured_apart),
		cmocka_unit_test(test_a_fence_is_answered_after_its_capture),
		cmocka_unit_test(test_errors_keep_their_fence),
		cmocka_unit_test(test_flushed_pixels_are_taken_before_the_scene_changes),
		cmocka_unit_test(test_a_pass_leaves_others_their_turn),
		cmocka_unit_test(test_a_pass_is_bounded_in_bytes),
		cmocka_unit_test(test_many_cursor_moves_take_several_passes),
		cmocka_unit_test(test_requests_without_a_header_break_the_device),
		cmocka_unit_test(test_a_rule_broken_in_mid_pass),
		cmocka_unit_test(test_a_command_in_small_pieces),
		cmocka_unit_test(test_config_space),
		cmocka_unit_test(test_a_wish_becomes_an_event),
		cmocka_unit_test(test_wishes_merge_before_the_loop_sees_them),
		cmocka_unit_test(test_heads_are_unplugged_but_the_last),
		cmocka_unit_test(test_a_wish_between_answer_and_clear_is_told_again),
		cmocka_unit_test(test_wishes_and_registers_from_other_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
