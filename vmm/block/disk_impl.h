/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For those who implement a kind of disk; users include disk.h. */
#pragma once

#include "vmm/block/disk.h"

struct disk_ops {
	/* The range has been checked. Ends with disk_done(). */
	void (*submit)(struct disk *d, struct disk_request *r);
	void (*close)(struct disk *d); /* nothing is in flight; frees d */
};

struct disk {
	const struct disk_ops *ops;
	struct disk_info info;
	struct disk_stats stats;
	struct uring *uring;
	unsigned in_flight;
};

void disk_done(struct disk_request *r, int err);

/* Takes the descriptor over, of a file or block device. NULL, the descriptor closed: no memory. */
struct disk *raw_create(int fd, const struct disk_info *info, struct uring *uring);

/*
 * Takes base over and keeps changes in a nameless file below dir (the path is for messages).
 * 0, or -errno with one line logged and base closed.
 */
int snapshot_create(struct disk *base, const char *path, const char *dir, struct disk **out);
