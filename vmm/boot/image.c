/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/image.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/bytes.h"

/* Holes of whole huge pages: a smaller one would split the huge page that it lies in. */
enum { HOLE = 2 << 20 };

int image_read(int fd, uint64_t at, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(fd, to, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		to += n;
		at += n;
		len -= n;
	}
	return 0;
}

void image_zero(uint8_t *to, uint64_t len)
{
	uint8_t *first = (uint8_t *)ALIGN_UP((uintptr_t)to, HOLE);
	uint8_t *last = (uint8_t *)((uintptr_t)(to + len) & ~(uintptr_t)(HOLE - 1));

	/* Private mappings (clones) refuse this, and are written. */
	if (first >= last || madvise(first, last - first, MADV_REMOVE) < 0) {
		memset(to, 0, len);
		return;
	}
	memset(to, 0, first - to);
	memset(last, 0, to + len - last);
}

int image_copy(int fd, uint64_t at, uint8_t *to, uint64_t len)
{
	uint64_t end;

	if (__builtin_add_overflow(at, len, &end) || end > INT64_MAX)
		return -EOVERFLOW;
	while (at < end) {
		off_t data = lseek(fd, at, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		uint64_t zeros, bytes;
		int err;

		if (data < 0 && errno != ENXIO)
			data = at; /* a file system that knows no holes */
		/* Past the last data: a hole up to the end of the file, if the file is so long. */
		if (data < 0 && lseek(fd, 0, SEEK_END) < (off_t)end)
			return -ENODATA;
		zeros = data < 0 ? end - at : MIN((uint64_t)data, end) - at;
		if (zeros)
			image_zero(to, zeros);
		at += zeros;
		to += zeros;
		bytes = hole < 0 ? end - at : MIN((uint64_t)hole, end) - MIN(at, (uint64_t)hole);
		err = bytes ? image_read(fd, at, to, bytes) : 0;
		if (err)
			return err;
		at += bytes;
		to += bytes;
	}
	return 0;
}
