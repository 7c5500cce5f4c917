/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "blk.h"

uint8_t blk_do(struct virtio *v, uint32_t type, uint64_t sector, void *data, uint32_t len)
{
	static struct blk_header header;
	static uint8_t status;
	bool reads = type == BLK_IN || type == BLK_GET_ID;
	struct buf b[3] = { { &header, sizeof header, false } };
	unsigned n = 1;

	header = (struct blk_header){ .type = type, .sector = sector };
	status = 0xff;
	if (len)
		b[n++] = (struct buf){ data, len, reads };
	b[n++] = (struct buf){ &status, 1, true };
	vq_do(&v->queues[0], b, n);
	return status;
}
