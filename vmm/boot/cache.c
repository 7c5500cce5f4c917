/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "util/bytes.h"
#include "vmm/boot/bzimage.h"
#include "vmm/boot/image.h"
#include "vmm/boot/unpack.h"

enum {
	CACHE_HASH = 64, /* hex digits of SHA-256 */
	CACHE_NAME_MAX = 160,
	CACHE_KERNELS_MAX = 8,
	CACHE_KEYS_MAX = 64,
	CACHE_TEMPORARY_AGE = 3600, /* seconds after which nobody is writing it any more */
	CACHE_BLOCK = 4096,
};
static const uint64_t CACHE_UNPACKED_MAX = 1 * GIB; /* the window Linux maps its image in */
static const char CACHE_MAGIC[8] = { 'H', 'O', 'T', 'K', 'E', 'R', 'N', '1' };

struct cache_trailer {
	char magic[8];
	uint64_t size;
	char hash[CACHE_HASH];
};

/* --- files that may be trusted */

static bool trusted(const struct stat *st, mode_t type)
{
	return (st->st_mode & S_IFMT) == type && !(st->st_mode & (S_IWGRP | S_IWOTH)) &&
	       (st->st_uid == geteuid() || st->st_uid == 0);
}

static int cache_dir_open(const char *path)
{
	struct stat st;
	int dir;

	g_mkdir_with_parents(path, 0755);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	if (fstat(dir, &st) == 0 && trusted(&st, S_IFDIR))
		return dir;
	close(dir);
	return -EPERM;
}

static int cache_file_open(int dir, const char *name, uint64_t *size)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && trusted(&st, S_IFREG)) {
		*size = st.st_size;
		return fd;
	}
	close(fd);
	return -EPERM;
}

/* --- writing */

/* A new file under a name that nobody reads; it is dropped or renamed. */
static int temporary_create(int dir, char name[CACHE_NAME_MAX])
{
	uint64_t r;
	int fd;

	if (getrandom(&r, sizeof r, 0) != sizeof r)
		return -EIO;
	snprintf(name, CACHE_NAME_MAX, "%016llx.tmp", (unsigned long long)r);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const void *buf, size_t len, uint64_t at)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		p += n;
		at += n;
		len -= n;
	}
	return 0;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* Blocks of zeros become holes: half of a Linux image is its cleared memory. */
static int write_sparse(int fd, const uint8_t *p, size_t len)
{
	size_t from = 0, at = 0;
	int err = 0;

	while (!err && at < len) {
		size_t n = MIN(len - at, (size_t)CACHE_BLOCK);

		if (is_zero(p + at, n)) {
			err = write_all(fd, p + from, at - from, from);
			from = at + n;
		}
		at += n;
	}
	return err ? err : write_all(fd, p + from, at - from, from);
}

static int publish(int dir, int fd, const char *temporary, const char *name)
{
	/* Else a crash could leave a file with its name and without its bytes. */
	if (fdatasync(fd) < 0 || renameat(dir, temporary, dir, name) < 0)
		return -errno;
	return 0;
}

/* --- not for ever */

struct cache_entry {
	char name[CACHE_NAME_MAX];
	time_t used;
};

static int newest_first(const void *a, const void *b)
{
	const struct cache_entry *x = a, *y = b;

	return (x->used < y->used) - (x->used > y->used);
}

static void prune_suffix(int dir, const char *suffix, unsigned keep, time_t older_than)
{
	g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct cache_entry));
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;

	if (!d) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((de = readdir(d))) {
		struct cache_entry e;
		struct stat st;

		if (!g_str_has_suffix(de->d_name, suffix) || strlen(de->d_name) >= sizeof e.name ||
			fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		g_strlcpy(e.name, de->d_name, sizeof e.name);
		e.used = st.st_mtime;
		g_array_append_val(entries, e);
	}
	closedir(d);
	g_array_sort(entries, newest_first);
	for (unsigned i = keep; i < entries->len; i++) {
		const struct cache_entry *e = &g_array_index(entries, struct cache_entry, i);

		if (e->used < older_than)
			unlinkat(dir, e->name, 0);
	}
}

static void cache_prune(int dir)
{
	time_t now = time(NULL);

	prune_suffix(dir, ".vmlinux", CACHE_KERNELS_MAX, now + 1);
	prune_suffix(dir, ".key", CACHE_KEYS_MAX, now + 1);
	prune_suffix(dir, ".tmp", 0, now - CACHE_TEMPORARY_AGE);
}

/* --- keys: a file's hash without reading it */

static void key_name(char name[CACHE_NAME_MAX], const struct stat *st)
{
	snprintf(name, CACHE_NAME_MAX, "%llx-%llx-%llx-%llx.%lx-%llx.%lx.key",
		(unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
		(unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec,
		st->st_mtim.tv_nsec, (unsigned long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static bool key_read(int dir, const char *name, char hash[CACHE_HASH + 1])
{
	uint64_t size;
	int fd = cache_file_open(dir, name, &size);
	bool good;

	if (fd < 0)
		return false;
	hash[CACHE_HASH] = 0;
	good = size == CACHE_HASH && !image_read(fd, 0, hash, CACHE_HASH) &&
	       strspn(hash, "0123456789abcdef") == CACHE_HASH;
	close(fd);
	return good;
}

static void key_write(int dir, const char *name, const char *hash)
{
	char temporary[CACHE_NAME_MAX];
	int fd = temporary_create(dir, temporary);

	if (fd < 0)
		return;
	if (write_all(fd, hash, CACHE_HASH, 0) || publish(dir, fd, temporary, name))
		unlinkat(dir, temporary, 0);
	close(fd);
}

static int hash_file(int fd, uint64_t size, char hash[CACHE_HASH + 1])
{
	enum { CHUNK = 256 * 1024 };
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_autofree uint8_t *buf = g_malloc(CHUNK);

	for (uint64_t at = 0; at < size;) {
		size_t n = MIN(size - at, (uint64_t)CHUNK);
		int err = image_read(fd, at, buf, n);

		if (err)
			return err;
		g_checksum_update(sum, buf, n);
		at += n;
	}
	g_strlcpy(hash, g_checksum_get_string(sum), CACHE_HASH + 1);
	return 0;
}

/* The name under which fd's unpacked kernel is kept. */
static int cache_name(int dir, int fd, char name[CACHE_NAME_MAX], char hash[CACHE_HASH + 1])
{
	char key[CACHE_NAME_MAX];
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0)
		return -errno;
	key_name(key, &st);
	if (!key_read(dir, key, hash)) {
		err = hash_file(fd, st.st_size, hash);
		if (err)
			return err;
		key_write(dir, key, hash);
		cache_prune(dir);
	}
	snprintf(name, CACHE_NAME_MAX, "%s.vmlinux", hash);
	return 0;
}

/* --- unpacked kernels */

static int kernel_find(int dir, const char *name, const char *hash, uint64_t *size)
{
	struct cache_trailer t;
	uint64_t whole;
	int fd = cache_file_open(dir, name, &whole);

	if (fd < 0)
		return fd;
	if (whole >= sizeof t && !image_read(fd, whole - sizeof t, &t, sizeof t) &&
		!memcmp(t.magic, CACHE_MAGIC, sizeof t.magic) && t.size == whole - sizeof t &&
		!memcmp(t.hash, hash, sizeof t.hash)) {
		futimens(fd, NULL); /* used just now; may fail on another user's file */
		*size = t.size;
		return fd;
	}
	close(fd);
	return -EBADMSG;
}

static int kernel_write(int dir, const char *name, const char *hash, const uint8_t *p, size_t len)
{
	struct cache_trailer t = { .size = len };
	char temporary[CACHE_NAME_MAX];
	int err, fd = temporary_create(dir, temporary);

	if (fd < 0)
		return fd;
	memcpy(t.magic, CACHE_MAGIC, sizeof t.magic);
	memcpy(t.hash, hash, sizeof t.hash);
	err = write_sparse(fd, p, len);
	if (!err)
		err = write_all(fd, &t, sizeof t, len);
	if (!err)
		err = publish(dir, fd, temporary, name);
	if (err)
		unlinkat(dir, temporary, 0);
	close(fd);
	return err;
}

static int kernel_make(int dir, const char *name, const char *hash, int fd, const struct bzimage *b)
{
	g_autofree uint8_t *payload = g_try_malloc(b->payload_size);
	uint8_t *out;
	uint64_t len;
	int err;

	if (!payload)
		return -ENOMEM;
	err = image_read(fd, b->payload, payload, b->payload_size);
	if (err)
		return err;
	len = unpack_size(payload, b->payload_size);
	/* The kernel must have the room to unpack itself, so that init_size is a bound. */
	if (!len || len > MIN(b->init_size, CACHE_UNPACKED_MAX))
		return -ENOTSUP;
	out = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (out == MAP_FAILED)
		return -errno;
	err = unpack(payload, b->payload_size, out, len);
	if (!err)
		err = kernel_write(dir, name, hash, out, len);
	munmap(out, len);
	return err;
}

int cache_open(const char *path, int fd, const struct bzimage *b, uint64_t *size)
{
	char name[CACHE_NAME_MAX], hash[CACHE_HASH + 1];
	int dir, err, found;

	if (!b->payload_size)
		return -ENOTSUP;
	dir = cache_dir_open(path);
	if (dir < 0)
		return dir;
	found = err = cache_name(dir, fd, name, hash);
	if (!err)
		found = kernel_find(dir, name, hash, size);
	if (!err && found < 0) {
		err = kernel_make(dir, name, hash, fd, b);
		cache_prune(dir);
		found = err ? err : kernel_find(dir, name, hash, size);
	}
	close(dir);
	return found;
}

void cache_drop(const char *path, int fd)
{
	char name[CACHE_NAME_MAX], hash[CACHE_HASH + 1];
	int dir = cache_dir_open(path);

	if (dir < 0)
		return;
	if (!cache_name(dir, fd, name, hash))
		unlinkat(dir, name, 0);
	close(dir);
}
