/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk in memory that completes at once, on demand, or with an error. */
#pragma once

#include "vmm/block/disk_impl.h"

enum { FAKE_DISK_LOG = 64 };

struct fake_disk {
	struct disk disk;
	uint8_t *bytes;
	bool hold; /* requests wait for fake_disk_release() */
	int fail;  /* what the next requests end with, or 0 */
	struct disk_request *held[512];
	unsigned nheld;
	enum disk_op ops[FAKE_DISK_LOG]; /* the first that were submitted */
	unsigned nops;
};

/* size in bytes; byte i is (uint8_t)(i / 512). serial may be NULL. */
void fake_disk_init(struct fake_disk *f, uint64_t size, bool readonly, const char *serial);
void fake_disk_finish(struct fake_disk *f); /* held requests are forgotten */

/* Carries out what is held, newest first: the order is the disk's own. */
void fake_disk_release(struct fake_disk *f);
