/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fuzzer's input, taken from the front; zeros once it is used up. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fuzz_bytes {
	const uint8_t *at;
	size_t left;
};

static inline void fuzz_take(struct fuzz_bytes *f, void *to, size_t len)
{
	size_t n = len < f->left ? len : f->left;

	memset(to, 0, len);
	if (n)
		memcpy(to, f->at, n);
	f->at += n;
	f->left -= n;
}

static inline uint8_t fuzz_u8(struct fuzz_bytes *f)
{
	uint8_t v;

	fuzz_take(f, &v, sizeof v);
	return v;
}

static inline uint16_t fuzz_u16(struct fuzz_bytes *f)
{
	uint16_t v;

	fuzz_take(f, &v, sizeof v);
	return v;
}

static inline uint32_t fuzz_u32(struct fuzz_bytes *f)
{
	uint32_t v;

	fuzz_take(f, &v, sizeof v);
	return v;
}

static inline uint64_t fuzz_u64(struct fuzz_bytes *f)
{
	uint64_t v;

	fuzz_take(f, &v, sizeof v);
	return v;
}
