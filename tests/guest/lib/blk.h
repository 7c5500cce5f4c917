/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-blk requests (virtio 1.2, 5.2.6). */
#pragma once

#include "virtio.h"

enum {
	BLK_F_RO = 5,
	BLK_F_FLUSH = 9,
	BLK_F_DISCARD = 13,
	BLK_F_WRITE_ZEROES = 14,

	BLK_IN = 0,
	BLK_OUT = 1,
	BLK_FLUSH = 4,
	BLK_GET_ID = 8,
	BLK_DISCARD = 11,
	BLK_WRITE_ZEROES = 13,

	BLK_OK = 0,
	BLK_IOERR = 1,
	BLK_UNSUPP = 2,

	BLK_SECTOR = 512,
	BLK_ID_BYTES = 20,
};

struct blk_header {
	uint32_t type, reserved;
	uint64_t sector;
};

/* One range of a discard or of zeroes to write. */
struct blk_range {
	uint64_t sector;
	uint32_t sectors, flags;
};

/* Does one request and returns its status; data may be NULL with len 0. */
uint8_t blk_do(struct virtio *v, uint32_t type, uint64_t sector, void *data, uint32_t len);
