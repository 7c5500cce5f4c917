/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"

/* More than the host has would end in its OOM killer instead of in a message. */
static int check_host(uint64_t size, const char *dir)
{
	struct statfs fs;
	struct sysinfo host;

	if (dir && statfs(dir, &fs) < 0) {
		int err = errno;
		log_error("guest memory: folder %s: %s; choose another with --run", dir,
			strerror(err));
		return -err;
	}
	if (sysinfo(&host) < 0)
		return -errno;
	if (size > (uint64_t)host.totalram * host.mem_unit) {
		log_error(
			"guest memory: %llu MiB asked for and the host has %llu MiB; lower --memory",
			(unsigned long long)(size / MIB),
			(unsigned long long)(host.totalram * host.mem_unit / MIB));
		return -ENOMEM;
	}
	if (dir && size > (uint64_t)fs.f_bavail * fs.f_bsize) {
		log_error("guest memory: %llu MiB asked for and %s has %llu MiB free; "
			  "lower --memory or mount a larger tmpfs",
			(unsigned long long)(size / MIB), dir,
			(unsigned long long)((uint64_t)fs.f_bavail * fs.f_bsize / MIB));
		return -ENOSPC;
	}
	return 0;
}

static int map_region(struct memory *m, uint64_t gpa, uint64_t size)
{
	struct memory_region *r = &m->regions[m->nregions];
	uint64_t offset = m->nregions ? m->regions[0].size : 0;

	r->host =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m->fd, offset);
	if (r->host == MAP_FAILED)
		return -errno;
	r->gpa = gpa;
	r->size = size;
	r->offset = offset;
	m->nregions++;
	/* A core file of a desktop is a leak of everything in it. */
	madvise(r->host, size, MADV_DONTDUMP);
	madvise(r->host, size, MADV_HUGEPAGE);
	return 0;
}

/*
 * A tmpfs that is mounted nowhere and gives huge pages, which save a guest most of its first page
 * faults. Needs the right to mount, and nothing is left of it when the file is closed. -1 where
 * it cannot be had.
 */
static int open_private(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mount = -1, fd = -1;

	if (fs >= 0 && fsconfig(fs, FSCONFIG_SET_STRING, "huge", "within_size", 0) == 0 &&
		fsconfig(fs, FSCONFIG_SET_STRING, "size", "100%", 0) == 0 &&
		fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (mount >= 0)
		fd = openat(mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (mount >= 0)
		close(mount);
	if (fs >= 0)
		close(fs);
	return fd;
}

static int open_file(const char *dir)
{
	int fd = dir ? -1 : open_private();

	if (fd < 0)
		fd = open(dir ? dir : MEMORY_DIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int memory_init(struct memory *m, uint64_t size, const char *dir)
{
	uint64_t low = MIN(size, MEMORY_LOW_MAX);
	int err;

	*m = (struct memory){ .fd = -1, .size = size };
	err = check_host(size, dir);
	if (err)
		return err;
	err = open_file(dir);
	if (err < 0) {
		log_error(
			"guest memory: no unnamed file in %s: %s; choose a tmpfs folder with --run",
			dir ? dir : MEMORY_DIR, strerror(-err));
		return err;
	}
	m->fd = err;
	if (ftruncate(m->fd, size) < 0) {
		err = -errno;
		goto fail;
	}
	err = map_region(m, 0, low);
	if (!err && size > low)
		err = map_region(m, 4 * GIB, size - low);
	if (!err)
		return 0;
fail:
	log_error("guest memory: %llu MiB in %s: %s", (unsigned long long)(size / MIB),
		dir ? dir : "memory", strerror(-err));
	memory_finish(m);
	return err;
}

void memory_finish(struct memory *m)
{
	while (m->nregions) {
		struct memory_region *r = &m->regions[--m->nregions];
		munmap(r->host, r->size);
	}
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

void *memory_ptr(const struct memory *m, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		const struct memory_region *r = &m->regions[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size)
			return len <= r->size - (gpa - r->gpa) ? r->host + (gpa - r->gpa) : NULL;
	}
	return NULL;
}

int memory_read(const struct memory *m, uint64_t gpa, void *buf, uint64_t len)
{
	const void *p = memory_ptr(m, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

int memory_write(const struct memory *m, uint64_t gpa, const void *buf, uint64_t len)
{
	void *p = memory_ptr(m, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	return 0;
}
