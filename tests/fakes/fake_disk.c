/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/fake_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

static void carry_out(struct fake_disk *f, struct disk_request *r)
{
	uint8_t *at = f->bytes + (r->op == DISK_FLUSH ? 0 : r->offset); /* a flush has no place */

	for (unsigned i = 0; i < r->niov && !f->fail; i++) {
		if (r->op == DISK_READ)
			memcpy(r->iov[i].iov_base, at, r->iov[i].iov_len);
		else if (r->op == DISK_WRITE)
			memcpy(at, r->iov[i].iov_base, r->iov[i].iov_len);
		at += r->iov[i].iov_len;
	}
	if (!f->fail && (r->op == DISK_DISCARD || r->op == DISK_WRITE_ZEROES))
		memset(at, 0, r->len);
	disk_done(r, f->fail);
}

static void submit(struct disk *d, struct disk_request *r)
{
	struct fake_disk *f = CONTAINER(d, struct fake_disk, disk);

	if (f->nops < FAKE_DISK_LOG)
		f->ops[f->nops++] = r->op;
	if (!f->hold)
		carry_out(f, r);
	else if (f->nheld < ARRAY_LEN(f->held))
		f->held[f->nheld++] = r;
	else
		abort();
}

static const struct disk_ops ops = { .submit = submit };

void fake_disk_init(struct fake_disk *f, uint64_t size, bool readonly, const char *serial)
{
	memset(f, 0, sizeof *f);
	f->bytes = malloc(size);
	for (uint64_t i = 0; i < size; i++)
		f->bytes[i] = (uint8_t)(i / 512);
	f->disk.ops = &ops;
	f->disk.info.size = size;
	f->disk.info.physical_block = 4096;
	f->disk.info.readonly = readonly;
	if (serial)
		snprintf(f->disk.info.serial, sizeof f->disk.info.serial, "%s", serial);
}

void fake_disk_finish(struct fake_disk *f)
{
	free(f->bytes);
}

void fake_disk_release(struct fake_disk *f)
{
	while (f->nheld) {
		struct disk_request *r = f->held[--f->nheld];

		carry_out(f, r);
	}
}
