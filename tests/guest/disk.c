/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk (virtio 1.2, 5.2) on a disk whose every 8 bytes hold their own offset / 8.
 *
 * mode=rw leaves: sectors 16-31 written, 64-127 discarded, 128-191 zero; the harness compares the
 * file. mode=ro: the device must refuse. The serial number is printed.
 */
#include "lib/blk.h"

const char guest_name[] = "disk";

enum { WORDS = BLK_SECTOR / 8, MANY = 5 };

static struct virtio blk;
static uint64_t data[16 * WORDS];

static void expect_pattern(uint64_t sector, unsigned sectors)
{
	CHECK_EQ(blk_do(&blk, BLK_IN, sector, data, sectors * BLK_SECTOR), BLK_OK);
	for (unsigned i = 0; i < sectors * WORDS; i++)
		if (data[i] != sector * WORDS + i)
			fail("sector %lu, word %u: 0x%lx", sector, i, data[i]);
}

static void expect_zeroes(uint64_t sector, unsigned sectors)
{
	CHECK_EQ(blk_do(&blk, BLK_IN, sector, data, sectors * BLK_SECTOR), BLK_OK);
	for (unsigned i = 0; i < sectors * WORDS; i++)
		CHECK_EQ(data[i], 0);
}

/* All in the ring before the first kick. */
static void read_many_at_once(void)
{
	static struct blk_header headers[MANY];
	static uint8_t statuses[MANY];
	static uint64_t sectors[MANY][WORDS];
	struct vq *q = &blk.queues[0];
	unsigned back = 0;
	uint16_t head;
	uint32_t written;

	for (unsigned i = 0; i < MANY; i++) {
		struct buf b[] = { { &headers[i], sizeof headers[i], false },
			{ sectors[i], BLK_SECTOR, true }, { &statuses[i], 1, true } };

		headers[i] = (struct blk_header){ .type = BLK_IN, .sector = 2 * i };
		statuses[i] = 0xff;
		vq_add(q, b, ARRAY_LEN(b));
	}
	vq_kick(q);
	while (back < MANY) {
		CHECK(WAIT(vq_take(q, &head, &written), 2000));
		CHECK_EQ(written, BLK_SECTOR + 1);
		back++;
	}
	for (unsigned i = 0; i < MANY; i++) {
		CHECK_EQ(statuses[i], BLK_OK);
		CHECK_EQ(sectors[i][1], 2 * i * WORDS + 1);
	}
}

/* Requests that the device answers with an error and goes on. */
static void refusals(uint64_t capacity)
{
	CHECK_EQ(blk_do(&blk, BLK_IN, capacity, data, BLK_SECTOR), BLK_IOERR);
	CHECK_EQ(blk_do(&blk, BLK_IN, capacity - 1, data, 2 * BLK_SECTOR), BLK_IOERR);
	CHECK_EQ(blk_do(&blk, BLK_IN, ~0ull, data, BLK_SECTOR), BLK_IOERR);
	CHECK_EQ(blk_do(&blk, BLK_OUT, ~0ull / BLK_SECTOR, data, BLK_SECTOR), BLK_IOERR);
	CHECK_EQ(blk_do(&blk, 99, 0, NULL, 0), BLK_UNSUPP);
}

static void discard_and_zero(void)
{
	struct blk_range r = { 64, 64, 0 };

	CHECK_EQ(blk_do(&blk, BLK_DISCARD, 0, &r, sizeof r), BLK_OK);
	r = (struct blk_range){ 128, 32, 0 };
	CHECK_EQ(blk_do(&blk, BLK_WRITE_ZEROES, 0, &r, sizeof r), BLK_OK);
	r = (struct blk_range){ 160, 32, 1 }; /* may unmap */
	CHECK_EQ(blk_do(&blk, BLK_WRITE_ZEROES, 0, &r, sizeof r), BLK_OK);
	expect_zeroes(128, 8);
	expect_zeroes(184, 8);
	r = (struct blk_range){ ~0ull, 8, 0 };
	CHECK_EQ(blk_do(&blk, BLK_WRITE_ZEROES, 0, &r, sizeof r), BLK_IOERR);
}

static void write_and_read_back(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(data); i++)
		data[i] = ~(16ull * WORDS + i);
	CHECK_EQ(blk_do(&blk, BLK_OUT, 16, data, sizeof data), BLK_OK);
	CHECK_EQ(blk_do(&blk, BLK_FLUSH, 0, NULL, 0), BLK_OK);
	memset(data, 0, sizeof data);
	CHECK_EQ(blk_do(&blk, BLK_IN, 16, data, sizeof data), BLK_OK);
	for (unsigned i = 0; i < ARRAY_LEN(data); i++)
		CHECK_EQ(data[i], ~(16ull * WORDS + i));
}

void guest_main(void)
{
	const char *mode = arg("mode");
	char id[BLK_ID_BYTES + 1] = { 0 };
	uint64_t capacity;

	virtio_open(&blk, "disk", VIRTIO_BLOCK, (unsigned)arg_u64("disk", 0),
		1ull << BLK_F_RO | 1ull << BLK_F_FLUSH | 1ull << BLK_F_DISCARD |
			1ull << BLK_F_WRITE_ZEROES | 1ull << F_EVENT_IDX);
	capacity = read64(blk.config);
	CHECK_EQ(blk_do(&blk, BLK_GET_ID, 0, id, BLK_ID_BYTES), BLK_OK);
	print("serial \"%s\", %lu sectors\n", id, capacity);
	expect_pattern(0, 8);
	expect_pattern(capacity - 1, 1);
	read_many_at_once();
	refusals(capacity);
	if (mode && !strcmp(mode, "ro")) {
		CHECK(virtio_has(&blk, BLK_F_RO));
		CHECK_EQ(blk_do(&blk, BLK_OUT, 16, data, BLK_SECTOR), BLK_IOERR);
		expect_pattern(16, 1);
		return;
	}
	CHECK(!virtio_has(&blk, BLK_F_RO));
	CHECK(virtio_has(&blk, BLK_F_FLUSH));
	write_and_read_back();
	CHECK(virtio_has(&blk, BLK_F_DISCARD) && virtio_has(&blk, BLK_F_WRITE_ZEROES));
	discard_and_zero();
	expect_pattern(15, 1);
	expect_pattern(32, 1);
}
