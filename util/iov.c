/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/iov.h"

#include <stdint.h>

#include "util/bytes.h"

size_t iov_bytes(const struct iovec *iov, unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

void iov_skip(struct iovec **iov, unsigned *n, size_t bytes)
{
	while (*n && (*iov)->iov_len <= bytes) {
		bytes -= (*iov)->iov_len;
		++*iov;
		--*n;
	}
	if (*n) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + bytes;
		(*iov)->iov_len -= bytes;
	}
}

void iov_truncate(struct iovec *iov, unsigned *n, size_t bytes)
{
	unsigned kept = 0;

	while (kept < *n && bytes) {
		iov[kept].iov_len = MIN(iov[kept].iov_len, bytes);
		bytes -= iov[kept++].iov_len;
	}
	*n = kept;
}

unsigned iov_slice(
	const struct iovec *iov, unsigned n, size_t offset, size_t len, struct iovec *dst)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n && len; i++) {
		size_t part;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = MIN(iov[i].iov_len - offset, len);
		dst[count++] = (struct iovec){ (uint8_t *)iov[i].iov_base + offset, part };
		len -= part;
		offset = 0;
	}
	return count;
}
