/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder, a loop and a ring for tests that open real disks, and requests that are waited for. */
#pragma once

#include <limits.h>
#include <stdint.h>

#include "util/loop.h"
#include "vmm/block/disk.h"

struct disk_rig {
	char dir[64], path[128]; /* path: a file "disk" in dir */
	struct loop *loop;
	struct uring *uring;
	char line[512]; /* the last that was logged */
	unsigned lines;
};

void disk_rig_init(struct disk_rig *g);
void disk_rig_finish(struct disk_rig *g); /* all disks are closed; removes the folder */

/* (Re)creates path with size bytes, each byte i of it the pattern's. */
void disk_rig_file(struct disk_rig *g, uint64_t size);
uint8_t disk_rig_pattern(uint64_t i);

int disk_rig_open(struct disk_rig *g, const struct disk_config *c, struct disk **out);

struct disk_wait {
	struct disk_request r;
	struct iovec iov;
	int err; /* INT_MAX: not yet */
};

/* Starts a request of one piece and returns. */
void disk_rig_start(struct disk *d, struct disk_wait *w, enum disk_op op, uint64_t offset,
	void *buf, uint64_t len);
/* Runs the loop until it is done. */
int disk_rig_wait(struct disk_rig *g, struct disk_wait *w);
/* Both. */
int disk_rig_do(struct disk_rig *g, struct disk *d, enum disk_op op, uint64_t offset, void *buf,
	uint64_t len);
