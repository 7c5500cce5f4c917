/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/block/disk_impl.h"

#include <errno.h>
#include <stddef.h>

#include "util/bytes.h"

const struct disk_info *disk_info(const struct disk *d)
{
	return &d->info;
}

const struct disk_stats *disk_stats(const struct disk *d)
{
	return &d->stats;
}

static int disk_check(const struct disk *d, const struct disk_request *r)
{
	if (r->op != DISK_READ && r->op != DISK_FLUSH && d->info.readonly)
		return -EROFS;
	if (r->op == DISK_FLUSH)
		return 0;
	if (!range_inside(r->offset, r->len, d->info.size))
		return -EINVAL;
	return r->offset % DISK_SECTOR || r->len % DISK_SECTOR ? -EINVAL : 0;
}

void disk_submit(struct disk *d, struct disk_request *r)
{
	int err = disk_check(d, r);

	r->disk = d;
	d->in_flight++;
	if (err || (!r->len && r->op != DISK_FLUSH))
		disk_done(r, err);
	else
		d->ops->submit(d, r);
}

void disk_done(struct disk_request *r, int err)
{
	struct disk *d = r->disk;

	d->in_flight--;
	if (err) {
		d->stats.errors++;
	} else {
		d->stats.requests[r->op]++;
		d->stats.bytes[r->op] += r->op == DISK_FLUSH ? 0 : r->len;
	}
	r->done(r, err);
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	while (d->in_flight)
		uring_wait(d->uring);
	d->ops->close(d);
}
