/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk as a device sees it: bytes by offset, asynchronous, on the machine loop.
 *
 *   virtio-blk ──► disk_submit() ──┬──► raw file or block device ──► io_uring
 *                                  └──► snapshot: changes in a nameless file over a raw one
 *
 * Requests in flight may be served in any order. A completed write is in the file but not
 * necessarily on the medium before a flush that was submitted later has completed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/block/uring.h"

struct disk;

enum { DISK_SECTOR = 512, DISK_SERIAL_MAX = 20 };

enum disk_format { DISK_RAW, DISK_QCOW2 };

struct disk_config {
	const char *path;
	enum disk_format format; /* named, never probed */
	bool readonly;
	bool snapshot;       /* changes are thrown away at the end, and path is only read */
	const char *serial;  /* up to DISK_SERIAL_MAX bytes; NULL or "": none */
	const char *tmp_dir; /* for the changes of a snapshot; on a disk rather than in memory */
};

/*
 * Opens and locks: a monitor that writes holds the file alone, readers (readonly, or the file
 * below a snapshot) share it. 0, or -errno with one line logged. The uring outlives the disk.
 */
int disk_open(const struct disk_config *c, struct uring *uring, struct disk **out);

/* Waits for what is in flight, then closes. NULL is fine. */
void disk_close(struct disk *d);

struct disk_info {
	uint64_t size;           /* bytes, a multiple of DISK_SECTOR */
	uint32_t physical_block; /* what the medium likes as unit, a power of two */
	bool readonly;
	char serial[DISK_SERIAL_MAX + 1]; /* "" where none was given */
};
const struct disk_info *disk_info(const struct disk *d);

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_WRITE_ZEROES, DISK_OPS };

struct disk_stats {
	uint64_t requests[DISK_OPS], bytes[DISK_OPS]; /* completed well */
	uint64_t errors;
};
const struct disk_stats *disk_stats(const struct disk *d);

/* Embedded by its owner, who keeps it and all it names until done(). */
struct disk_request {
	enum disk_op op;
	bool unmap;           /* WRITE_ZEROES: the space may be given back */
	uint64_t offset, len; /* bytes, multiples of DISK_SECTOR; not for FLUSH */
	struct iovec *iov;    /* READ and WRITE: len bytes; the disk may change the array */
	unsigned niov;
	/* 0 or -errno. May come before disk_submit() returns. The request may be used anew in here. */
	void (*done)(struct disk_request *r, int err);

	/* Private to the disk */
	struct disk *disk;
	struct uring_op uring_op;
	uint64_t at, left;
	unsigned how, retries;
};

/*
 * A range beyond the end gives -EINVAL, a change of a read-only disk -EROFS. What a discard
 * leaves behind is undefined: old bytes or zeros.
 */
void disk_submit(struct disk *d, struct disk_request *r);
