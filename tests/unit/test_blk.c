/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-blk over a disk in memory, and once over a real file. */
#include "vmm/virtio/blk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fakes/disk_rig.h"
#include "tests/fakes/fake_disk.h"
#include "tests/fakes/fake_driver.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/state.h"

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, SECURE_ERASE = 14, WRITE_ZEROES = 13 };
enum { S_OK, S_IOERR, S_UNSUPP, S_NOTHING = 0xff };
enum { SECTORS = 256, F_FLUSH = 9, F_MQ = 12, F_DISCARD = 13 };

struct rig {
	struct fake_driver d;
	struct fake_disk disk;
	struct vblk *b;
	struct virtio_device *dev;
	uint8_t *header, *status;
	char line[256];
};

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	struct rig *g = opaque;

	strncpy(g->line, line, sizeof g->line - 1);
}

static void rig_init_with(struct rig *g, bool readonly, const char *serial, uint64_t features)
{
	memset(g, 0, sizeof *g);
	log_set_sink(keep_line, g);
	fake_driver_init(&g->d, 4 * MIB);
	fake_disk_init(&g->disk, SECTORS * 512, readonly, serial);
	g->b = vblk_create(3, "disk3", &g->disk.disk, 2, g->d.loop, &g->d.mem);
	g->dev = vblk_device(g->b);
	g->header = fake_driver_alloc(&g->d, 16, 1);
	g->status = fake_driver_alloc(&g->d, 1, 1);
	fake_driver_start(&g->d, g->dev, features);
}

static void rig_init(struct rig *g)
{
	rig_init_with(g, false, NULL, ~0ull);
}

static void rig_finish(struct rig *g)
{
	vblk_destroy(g->b);
	fake_disk_finish(&g->disk);
	fake_driver_finish(&g->d);
	log_set_sink(NULL, NULL);
}

static bool needs_reset(struct rig *g)
{
	return virtio_read_status(g->dev) & VIRTIO_STATUS_NEEDS_RESET;
}

static void put_header(struct rig *g, uint32_t type, uint64_t sector)
{
	le32_put(g->header, type);
	le32_put(g->header + 4, 0);
	le64_put(g->header + 8, sector);
	*g->status = S_NOTHING;
}

/* header, data, status: the usual three pieces; what used said in *len. */
static unsigned ask_len(struct rig *g, uint32_t type, uint64_t sector, void *data, size_t size,
	bool to_guest, uint32_t *len)
{
	struct iovec iov[] = { { g->header, 16 }, { data ? data : g->header, size },
		{ g->status, 1 } };
	int64_t n;

	put_header(g, type, sector);
	n = fake_driver_do(&g->d, 0, iov, to_guest ? 1 : 2, to_guest ? 2 : 1);
	assert_true(n >= 0);
	*len = (uint32_t)n;
	return *g->status;
}

static unsigned ask(
	struct rig *g, uint32_t type, uint64_t sector, void *data, size_t size, bool to_guest)
{
	uint32_t len;

	return ask_len(g, type, sector, data, size, to_guest, &len);
}

static void test_config(void **state)
{
	struct rig g;
	uint8_t c[60];

	rig_init(&g);
	assert_int_equal(g.dev->config_len, sizeof c);
	virtio_config_read(g.dev, 0, c, sizeof c);
	assert_int_equal(le64_get(c), SECTORS);
	assert_int_equal(le32_get(c + 12), 254);
	assert_int_equal(le32_get(c + 20), 512);
	assert_int_equal(c[24], 3);
	assert_int_equal(le16_get(c + 34), 2);
	assert_int_equal(le32_get(c + 40), 32);
	assert_int_equal(le32_get(c + 44), 8);
	assert_int_equal(c[56], 1);
	assert_true(virtio_has_feature(g.dev, F_MQ));
	rig_finish(&g);
}

static void test_read_write_flush(void **state)
{
	struct rig g;
	uint8_t *data;
	uint32_t len;

	rig_init(&g);
	data = fake_driver_alloc(&g.d, 4096, 1);
	assert_int_equal(ask_len(&g, IN, 7, data, 4096, true, &len), S_OK);
	assert_int_equal(len, 4097);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(data[i], 7 + i / 512);
	memset(data, 0xab, 1024);
	assert_int_equal(ask_len(&g, OUT, SECTORS - 2, data, 1024, false, &len), S_OK);
	assert_int_equal(len, 1);
	assert_memory_equal(g.disk.bytes + (SECTORS - 2) * 512, data, 1024);
	assert_int_equal(g.disk.nops, 2); /* the driver flushes by itself */
	assert_int_equal(ask(&g, FLUSH, 0, NULL, 0, false), S_OK);
	assert_int_equal(g.disk.ops[2], DISK_FLUSH);
	assert_int_equal(ask(&g, IN, SECTORS, data, 0, true), S_OK); /* nothing, at the end */
	rig_finish(&g);
}

/* No assumption about pieces: the header in three, the data's end and the status in one. */
static void test_any_layout(void **state)
{
	struct rig g;
	uint8_t *p;

	rig_init(&g);
	p = fake_driver_alloc(&g.d, 4096, 1);
	put_header(&g, IN, 5);
	p[1024 + 1] = S_NOTHING;
	assert_int_equal(fake_driver_do(&g.d, 1,
				 (struct iovec[]){ { g.header, 1 }, { g.header + 1, 10 }, { p, 0 },
					 { g.header + 11, 5 }, { p, 1 }, { p, 0 }, { p + 1, 1024 },
					 { p, 0 } },
				 4, 4),
		1025);
	for (unsigned i = 0; i < 1024; i++)
		assert_int_equal(p[i], 5 + i / 512);
	assert_int_equal(p[1024], S_OK);
	assert_int_equal(p[1025], S_NOTHING);

	memcpy(p, g.header, 16);
	le32_put(p, OUT);
	memset(p + 16, 0xcd, 512);
	assert_int_equal(
		fake_driver_do(&g.d, 1,
			(struct iovec[]){ { p, 20 }, { p + 20, 508 }, { g.status, 1 } }, 2, 1),
		1);
	assert_int_equal(*g.status, S_OK);
	assert_memory_equal(g.disk.bytes + 5 * 512, p + 16, 512);
	rig_finish(&g);
}

static void test_ranges_and_lengths(void **state)
{
	static const struct {
		uint64_t sector;
		size_t len;
	} bad[] = { { SECTORS, 512 }, { SECTORS - 1, 1024 }, { 0, 511 }, { 0, 513 },
		{ UINT64_MAX, 512 }, { UINT64_MAX / 512 + 1, 512 }, { 1ull << 55, 512 } };
	struct rig g;
	uint8_t *data;
	uint32_t len;

	rig_init(&g);
	data = fake_driver_alloc(&g.d, 1024, 1);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(
			ask_len(&g, IN, bad[i].sector, data, bad[i].len, true, &len), S_IOERR);
		assert_int_equal(len, 0);
		assert_int_equal(
			ask_len(&g, OUT, bad[i].sector, data, bad[i].len, false, &len), S_IOERR);
		assert_int_equal(len, 1);
	}
	assert_int_equal(g.disk.nops, 0);
	assert_false(needs_reset(&g));
	rig_finish(&g);
}

static void test_unknown_types(void **state)
{
	static const uint32_t types[] = { 2, 3, 5, 10, 12, SECURE_ERASE, 0x80000000, UINT32_MAX };
	struct rig g;

	rig_init(&g);
	for (unsigned i = 0; i < ARRAY_LEN(types); i++)
		assert_int_equal(ask(&g, types[i], 0, NULL, 0, false), S_UNSUPP);
	rig_finish(&g);
	rig_init_with(&g, false, NULL, ~(3ull << F_DISCARD)); /* not negotiated */
	assert_int_equal(ask(&g, DISCARD, 0, g.header, 16, false), S_UNSUPP);
	assert_int_equal(ask(&g, WRITE_ZEROES, 0, g.header, 16, false), S_UNSUPP);
	rig_finish(&g);
}

static void test_io_errors(void **state)
{
	struct rig g;
	uint8_t *data;
	uint32_t len;

	rig_init(&g);
	data = fake_driver_alloc(&g.d, 512, 1);
	g.disk.fail = -ENOSPC;
	assert_int_equal(ask_len(&g, IN, 0, data, 512, true, &len), S_IOERR);
	assert_int_equal(len, 0);
	assert_int_equal(ask(&g, OUT, 0, data, 512, false), S_IOERR);
	assert_int_equal(ask(&g, FLUSH, 0, NULL, 0, false), S_IOERR);
	rig_finish(&g);
}

static void test_readonly(void **state)
{
	struct rig g;
	uint8_t *data;

	rig_init_with(&g, true, NULL, ~0ull);
	data = fake_driver_alloc(&g.d, 512, 1);
	assert_true(virtio_has_feature(g.dev, 5));
	assert_false(virtio_has_feature(g.dev, F_DISCARD));
	assert_int_equal(ask(&g, IN, 0, data, 512, true), S_OK);
	assert_int_equal(ask(&g, OUT, 0, data, 512, false), S_IOERR);
	assert_int_equal(ask(&g, DISCARD, 0, data, 16, false), S_UNSUPP);
	assert_int_equal(g.disk.nops, 1);
	rig_finish(&g);
}

static void test_id(void **state)
{
	struct rig g;
	uint8_t *data;
	uint32_t len;

	rig_init(&g);
	data = fake_driver_alloc(&g.d, 64, 1);
	memset(data, 'x', 64);
	assert_int_equal(ask_len(&g, GET_ID, 0, data, 20, true, &len), S_OK);
	assert_int_equal(len, 21);
	assert_memory_equal(data, "disk3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	assert_int_equal(ask_len(&g, GET_ID, 0, data, 64, true, &len), S_OK);
	assert_int_equal(len, 20);
	assert_int_equal(data[20], 'x');
	assert_int_equal(ask_len(&g, GET_ID, 0, data, 2, true, &len), S_OK);
	assert_int_equal(len, 3);
	rig_finish(&g);
	rig_init_with(&g, false, "12345678901234567890", ~0ull);
	data = fake_driver_alloc(&g.d, 64, 1);
	assert_int_equal(ask(&g, GET_ID, 0, data, 20, true), S_OK);
	assert_memory_equal(data, "12345678901234567890", 20);
	rig_finish(&g);
}

static void put_segment(uint8_t *to, uint64_t sector, uint32_t count, uint32_t flags)
{
	le64_put(to, sector);
	le32_put(to + 8, count);
	le32_put(to + 12, flags);
}

static void test_discard_and_write_zeroes(void **state)
{
	struct rig g;
	uint8_t *seg;

	rig_init(&g);
	seg = fake_driver_alloc(&g.d, 33 * 16, 1);
	put_segment(seg, 1, 2, 0);
	put_segment(seg + 16, SECTORS - 1, 1, 0);
	put_segment(seg + 32, SECTORS, 0, 0);
	assert_int_equal(ask(&g, DISCARD, 0, seg, 48, false), S_OK);
	assert_int_equal(g.disk.bytes[512] | g.disk.bytes[3 * 512 - 1], 0);
	assert_int_equal(g.disk.bytes[3 * 512], 3);
	assert_int_equal(g.disk.bytes[SECTORS * 512 - 1], 0);
	put_segment(seg, 9, 1, 1);
	assert_int_equal(ask(&g, WRITE_ZEROES, 0, seg, 16, false), S_OK);
	assert_int_equal(g.disk.bytes[9 * 512], 0);
	assert_int_equal(g.disk.bytes[10 * 512], 10);

	g.disk.nops = 0;
	assert_int_equal(ask(&g, DISCARD, 0, seg, 16, false), S_UNSUPP); /* unmap on a discard */
	put_segment(seg + 16, 9, 1, 2);
	assert_int_equal(ask(&g, WRITE_ZEROES, 0, seg, 32, false), S_UNSUPP);
	assert_int_equal(ask(&g, WRITE_ZEROES, 0, NULL, 0, false), S_IOERR);
	assert_int_equal(ask(&g, WRITE_ZEROES, 0, seg, 15, false), S_IOERR);
	memset(seg, 0, 33 * 16);
	assert_int_equal(ask(&g, DISCARD, 0, seg, 33 * 16, false), S_IOERR);
	put_segment(seg + 16, SECTORS - 1, 2, 0); /* the second: the first is not done either */
	assert_int_equal(ask(&g, DISCARD, 0, seg, 32, false), S_IOERR);
	put_segment(seg + 16, UINT64_MAX, 2, 0);
	assert_int_equal(ask(&g, DISCARD, 0, seg, 32, false), S_IOERR);
	put_segment(seg + 16, 0, UINT32_MAX, 0);
	assert_int_equal(ask(&g, DISCARD, 0, seg, 32, false), S_IOERR);
	assert_int_equal(g.disk.nops, 0);
	assert_int_equal(ask(&g, DISCARD, 0, seg, 16, false), S_OK);
	rig_finish(&g);
}

/* A driver that cannot flush takes completed for stable. */
static void test_write_through_without_flush(void **state)
{
	static const enum disk_op wanted[] = { DISK_WRITE, DISK_FLUSH, DISK_WRITE_ZEROES,
		DISK_WRITE_ZEROES, DISK_FLUSH, DISK_READ };
	struct rig g;
	uint8_t *data;

	rig_init_with(&g, false, NULL, ~(1ull << F_FLUSH));
	data = fake_driver_alloc(&g.d, 512, 1);
	assert_int_equal(ask(&g, OUT, 0, data, 512, false), S_OK);
	put_segment(data, 0, 1, 0);
	put_segment(data + 16, 1, 1, 0);
	assert_int_equal(ask(&g, WRITE_ZEROES, 0, data, 32, false), S_OK);
	assert_int_equal(ask(&g, IN, 0, data, 512, true), S_OK);
	assert_int_equal(g.disk.nops, ARRAY_LEN(wanted));
	assert_memory_equal(g.disk.ops, wanted, sizeof wanted);
	rig_finish(&g);
}

static void send_broken(struct rig *g, const struct iovec *iov, unsigned nout, unsigned nin)
{
	fake_driver_request(&g->d, 0, iov, nout, nin);
	fake_driver_kick(&g->d, 0);
	assert_true(needs_reset(g));
	assert_false(fake_driver_used(&g->d, 0, NULL, NULL));
	fake_driver_reset(&g->d);
	fake_driver_start(&g->d, g->dev, ~0ull);
}

static void test_broken_requests(void **state)
{
	struct rig g;

	rig_init(&g);
	put_header(&g, IN, 0);
	send_broken(&g, (struct iovec[]){ { g.header, 16 } }, 1, 0); /* no status */
	assert_non_null(strstr(g.line, "virtio-blk 3: "));
	send_broken(&g, (struct iovec[]){ { g.header, 16 }, { g.status, 0 } }, 1, 1);
	send_broken(&g, (struct iovec[]){ { g.header, 15 }, { g.status, 1 } }, 1, 1);
	send_broken(&g, (struct iovec[]){ { g.status, 1 } }, 0, 1);
	assert_int_equal(ask(&g, FLUSH, 0, NULL, 0, false), S_OK);
	rig_finish(&g);
}

/* Several requests in one pass are one interrupt. */
static void test_interrupts_are_batched(void **state)
{
	struct rig g;
	struct iovec iov[2];

	rig_init_with(&g, false, NULL, ~(1ull << VIRTIO_F_EVENT_IDX));
	iov[0] = (struct iovec){ g.header, 16 };
	iov[1] = (struct iovec){ g.status, 1 };
	put_header(&g, FLUSH, 0);
	for (int i = 0; i < 20; i++)
		fake_driver_request(&g.d, 0, iov, 1, 1);
	fake_driver_kick(&g.d, 0);
	for (int i = 0; i < 20; i++)
		assert_true(fake_driver_used(&g.d, 0, NULL, NULL));
	assert_int_equal(g.d.rings[0].interrupts, 1);
	rig_finish(&g);
}

/* Makes n reads available in queue q, all into the same place. */
static void request_reads(struct rig *g, unsigned q, unsigned n)
{
	uint8_t *data = fake_driver_alloc(&g->d, 512, 1);
	struct iovec iov[] = { { g->header, 16 }, { data, 512 }, { g->status, 1 } };

	put_header(g, IN, 1);
	for (unsigned i = 0; i < n; i++)
		fake_driver_request(&g->d, q, iov, 1, 2);
}

static unsigned count_used(struct rig *g, unsigned q)
{
	unsigned n = 0;

	while (fake_driver_used(&g->d, q, NULL, NULL))
		n++;
	return n;
}

static void test_what_is_in_flight_is_bounded(void **state)
{
	struct rig g;

	rig_init(&g);
	g.disk.hold = true;
	request_reads(&g, 0, 80);
	request_reads(&g, 1, 80);
	fake_driver_kick(&g.d, 0);
	fake_driver_kick(&g.d, 1);
	assert_int_equal(g.disk.nheld, 128);
	assert_false(vq_has_work(&g.dev->queues[0]));
	assert_true(vq_has_work(&g.dev->queues[1]));
	fake_disk_release(&g.disk);
	loop_step(g.d.loop, 0); /* no further kick is needed */
	assert_int_equal(g.disk.nheld, 32);
	fake_disk_release(&g.disk);
	loop_step(g.d.loop, 0);
	assert_int_equal(count_used(&g, 0), 80);
	assert_int_equal(count_used(&g, 1), 80);
	rig_finish(&g);
}

static void test_a_reset_waits_for_the_disk(void **state)
{
	struct rig g;

	rig_init(&g);
	g.disk.hold = true;
	request_reads(&g, 0, 80);
	request_reads(&g, 1, 80);
	fake_driver_kick(&g.d, 0);
	fake_driver_kick(&g.d, 1);
	virtio_write_status(g.dev, 0);
	loop_step(g.d.loop, 0);
	assert_int_not_equal(virtio_read_status(g.dev), 0);
	fake_disk_release(&g.disk);
	loop_step(g.d.loop, 0);
	assert_int_equal(virtio_read_status(g.dev), 0);
	assert_int_equal(g.disk.nheld, 0); /* and nothing more was taken */
	g.disk.hold = false;
	fake_driver_start(&g.d, g.dev, ~0ull);
	assert_int_equal(ask(&g, FLUSH, 0, NULL, 0, false), S_OK);
	rig_finish(&g);
}

static void test_broken_while_in_flight(void **state)
{
	struct rig g;

	rig_init(&g);
	g.disk.hold = true;
	request_reads(&g, 0, 5);
	fake_driver_request(&g.d, 0, &(struct iovec){ g.status, 1 }, 0, 1);
	fake_driver_kick(&g.d, 0);
	assert_true(needs_reset(&g));
	assert_int_equal(g.disk.nheld, 5);
	fake_disk_release(&g.disk);
	assert_int_equal(count_used(&g, 0), 0);
	fake_driver_reset(&g.d);
	assert_int_equal(virtio_read_status(g.dev), 0);
	rig_finish(&g);
}

static void note(void *opaque, struct virtio_device *dev)
{
	++*(unsigned *)opaque;
}

static void test_state_there_and_back(void **state)
{
	struct rig g;
	struct vblk *clone;
	struct virtio_device *dev;
	struct state_writer w;
	struct state_reader r;
	unsigned quiesced = 0;

	rig_init(&g);
	g.disk.hold = true;
	request_reads(&g, 0, 80); /* together more than the pool */
	request_reads(&g, 1, 80);
	fake_driver_kick(&g.d, 0);
	fake_driver_kick(&g.d, 1);
	assert_false(virtio_quiesce(g.dev, note, &quiesced));
	loop_step(g.d.loop, 0);
	assert_int_equal(quiesced, 0);
	fake_disk_release(&g.disk);
	assert_int_equal(quiesced, 1);
	assert_int_equal(count_used(&g, 0) + count_used(&g, 1), 128);
	assert_true(g.d.rings[0].interrupts > 0); /* said before it stopped */
	state_writer_init(&w);
	virtio_save(g.dev, &w);

	g.disk.hold = false;
	clone = vblk_create(3, "disk3", &g.disk.disk, 2, g.d.loop, &g.d.mem);
	dev = vblk_device(clone);
	dev->transport = g.dev->transport;
	dev->transport_opaque = &g.d;
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(virtio_load(dev, &r), 0);
	g.d.dev = dev;
	virtio_resume(dev);
	loop_step(g.d.loop, 0);
	assert_int_equal(count_used(&g, 1), 32);
	vblk_destroy(clone);

	g.disk.disk.info.size += 512; /* the guest knows another capacity */
	clone = vblk_create(3, "disk3", &g.disk.disk, 2, g.d.loop, &g.d.mem);
	vblk_device(clone)->transport = g.dev->transport;
	vblk_device(clone)->transport_opaque = &g.d;
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(virtio_load(vblk_device(clone), &r), -EINVAL);
	vblk_destroy(clone);
	state_writer_finish(&w);

	virtio_resume(g.dev); /* and the first goes on, too */
	loop_step(g.d.loop, 0);
	rig_finish(&g);
}

static void test_over_a_file(void **state)
{
	struct rig g;
	struct disk_rig files;
	struct fake_driver d;
	struct disk *disk;
	struct vblk *b;
	uint8_t *data;

	disk_rig_init(&files);
	disk_rig_file(&files, 65536);
	assert_int_equal(disk_rig_open(&files, &(struct disk_config){ 0 }, &disk), 0);
	fake_driver_init(&d, 4 * MIB);
	loop_destroy(d.loop);
	d.loop = files.loop;
	b = vblk_create(0, "disk0", disk, 1, files.loop, &d.mem);
	fake_driver_start(&d, vblk_device(b), ~0ull);
	assert_false(virtio_has_feature(vblk_device(b), F_MQ));
	memset(&g, 0, sizeof g);
	g.d = d;
	g.header = fake_driver_alloc(&g.d, 16, 1);
	g.status = fake_driver_alloc(&g.d, 1, 1);
	data = fake_driver_alloc(&g.d, 8192, 1);
	vblk_device(b)->transport_opaque = &g.d;
	assert_int_equal(ask(&g, IN, 3, data, 8192, true), S_OK);
	for (unsigned i = 0; i < 8192; i++)
		assert_int_equal(data[i], disk_rig_pattern(3 * 512 + i));
	memset(data, 9, 4096);
	assert_int_equal(ask(&g, OUT, 8, data, 4096, false), S_OK);
	assert_int_equal(ask(&g, FLUSH, 0, NULL, 0, false), S_OK);
	assert_int_equal(ask(&g, IN, 8, data + 4096, 4096, true), S_OK);
	assert_memory_equal(data, data + 4096, 4096);
	put_header(&g, IN, 0); /* closing waits, and the device hears of it */
	for (int i = 0; i < 10; i++)
		fake_driver_request(&g.d, 0,
			(struct iovec[]){ { g.header, 16 }, { data, 512 }, { g.status, 1 } }, 1, 2);
	virtio_kick(vblk_device(b), 0);
	disk_close(disk);
	assert_int_equal(count_used(&g, 0), 10);
	vblk_destroy(b);
	memory_finish(&g.d.mem);
	disk_rig_finish(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_read_write_flush),
		cmocka_unit_test(test_any_layout),
		cmocka_unit_test(test_ranges_and_lengths),
		cmocka_unit_test(test_unknown_types),
		cmocka_unit_test(test_io_errors),
		cmocka_unit_test(test_readonly),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_discard_and_write_zeroes),
		cmocka_unit_test(test_write_through_without_flush),
		cmocka_unit_test(test_broken_requests),
		cmocka_unit_test(test_interrupts_are_batched),
		cmocka_unit_test(test_what_is_in_flight_is_bounded),
		cmocka_unit_test(test_a_reset_waits_for_the_disk),
		cmocka_unit_test(test_broken_while_in_flight),
		cmocka_unit_test(test_state_there_and_back),
		cmocka_unit_test(test_over_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
