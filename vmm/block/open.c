/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening, judging and locking what --disk names. Each failure is one line with its mend. */
#include "vmm/block/disk_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"

static int open_failed(const struct disk_config *c, bool writes, int err)
{
	const char *mend = "";

	switch (err) {
	case ENOENT:
		mend = ": create it with qemu-img create -f raw FILE 20G";
		break;
	case EACCES:
	case EPERM:
		mend = writes ? ": let this user read and write it, or say readonly=on"
			      : ": let this user read it";
		break;
	case EROFS:
		mend = ": say readonly=on or snapshot=on";
		break;
	case EBUSY:
		mend = ": unmount it, or say readonly=on";
		break;
	}
	log_error("disk %s: %s%s", c->path, strerror(err), mend);
	return -err;
}

/* Before open(), which would wait for a FIFO's other end and might set a device to work. */
static int judge_kind(const struct disk_config *c, bool writes, bool *block_device)
{
	struct stat st;

	if (stat(c->path, &st) < 0)
		return open_failed(c, writes, errno);
	*block_device = S_ISBLK(st.st_mode);
	if (*block_device || S_ISREG(st.st_mode))
		return 0;
	log_error("disk %s: %s: name an image file or a block device", c->path,
		S_ISDIR(st.st_mode) ? "this is a directory" : "this is no file");
	return -EINVAL;
}

/*
 * A lock of the open file, so that it goes when the last descriptor does and several disks of
 * one process exclude each other too. All bytes: QEMU's own locks are bytes of the same file.
 */
static int lock(const struct disk_config *c, int fd, bool writes)
{
	struct flock fl = { .l_type = writes ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

	int err = fcntl(fd, F_OFD_SETLK, &fl) < 0 ? errno : 0;

	if (err == EAGAIN || err == EACCES) {
		log_error(
			"disk %s: another monitor holds it%s: end that one, or say readonly=on or "
			"snapshot=on for both",
			c->path, writes ? "" : " for writing");
		return -EBUSY;
	}
	if (err)
		log_error("disk %s: it cannot be locked (%s): move it to a file system with locks",
			c->path, strerror(err));
	return -err;
}

static int judge_size(const struct disk_config *c, int fd, bool block_device, struct disk_info *i)
{
	unsigned physical = 0;
	struct stat st;

	if (block_device) {
		if (ioctl(fd, BLKGETSIZE64, &i->size) < 0)
			return open_failed(c, false, errno);
		if (ioctl(fd, BLKPBSZGET, &physical) < 0)
			physical = DISK_SECTOR;
	} else {
		if (fstat(fd, &st) < 0)
			return open_failed(c, false, errno);
		i->size = (uint64_t)st.st_size;
		physical = (unsigned)st.st_blksize;
	}
	/* st_blksize can be a wish for huge transfers; a page is what writes cost then. */
	if (physical < DISK_SECTOR || (physical & (physical - 1)))
		physical = DISK_SECTOR;
	i->physical_block = MIN(physical, 4096);
	if (!i->size) {
		log_error("disk %s: it is empty: give it a size with truncate -s 20G", c->path);
		return -EINVAL;
	}
	if (i->size % DISK_SECTOR) {
		log_error("disk %s: %llu bytes are not whole sectors of %d: truncate -s %llu",
			c->path, (unsigned long long)i->size, DISK_SECTOR,
			(unsigned long long)ALIGN_UP(i->size, DISK_SECTOR));
		return -EINVAL;
	}
	return 0;
}

static int open_raw(const struct disk_config *c, struct uring *uring, struct disk **out)
{
	bool writes = !c->readonly && !c->snapshot, block_device = false;
	struct disk_info info = { .readonly = !writes };
	int fd, flags = (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY;
	int err = judge_kind(c, writes, &block_device);

	if (err < 0)
		return err;
	if (block_device && writes)
		flags |= O_EXCL; /* refuses a mounted one */
	fd = open(c->path, flags);
	if (fd < 0)
		return open_failed(c, writes, errno);
	err = lock(c, fd, writes);
	if (!err)
		err = judge_size(c, fd, block_device, &info);
	if (err < 0) {
		close(fd);
		return err;
	}
	if (c->serial)
		snprintf(info.serial, sizeof info.serial, "%s", c->serial);
	*out = raw_create(fd, &info, uring);
	if (*out)
		return 0;
	log_error("disk %s: %s", c->path, strerror(ENOMEM));
	return -ENOMEM;
}

int disk_open(const struct disk_config *c, struct uring *uring, struct disk **out)
{
	struct disk *raw = NULL;
	int err;

	*out = NULL;
	if (c->format != DISK_RAW) {
		log_error("disk %s: format qcow2 is not supported by this version: convert it with "
			  "qemu-img convert -O raw",
			c->path);
		return -ENOTSUP;
	}
	err = open_raw(c, uring, &raw);
	if (err < 0)
		return err;
	if (!c->snapshot || c->readonly) {
		*out = raw;
		return 0;
	}
	return snapshot_create(raw, c->path, c->tmp_dir, out);
}
