/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scattered memory, cut without copying. Pieces may be empty. Everything is pure arithmetic. */
#pragma once

#include <stddef.h>
#include <sys/uio.h>

size_t iov_bytes(const struct iovec *iov, unsigned n);

/* Drops the first bytes (no more than there are) in place, and the empty pieces before the rest. */
void iov_skip(struct iovec **iov, unsigned *n, size_t bytes);

/* Keeps the first bytes (no more than there are) in place. */
void iov_truncate(struct iovec *iov, unsigned *n, size_t bytes);

/* Writes the pieces of [offset, offset + len) to dst, which has room for n: how many there are. */
unsigned iov_slice(
	const struct iovec *iov, unsigned n, size_t offset, size_t len, struct iovec *dst);
