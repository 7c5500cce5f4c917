/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes in a stated order, and arithmetic that says when it overflows. Everything is inline.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif
#define ARRAY_LEN(a)          (sizeof(a) / sizeof *(a))
#define ALIGN_UP(n, to)       (((n) + (to)-1) / (to) * (to))
#define CONTAINER(p, type, m) ((type *)((char *)(p)-offsetof(type, m)))
#define KIB                   (1024ull)
#define MIB                   (1024ull * KIB)
#define GIB                   (1024ull * MIB)

/* Little-endian loads and stores at any alignment. x86 hosts only, so these are plain copies. */
#define BYTES_LE(bits)                                               \
	static inline uint##bits##_t le##bits##_get(const void *p)   \
	{                                                            \
		uint##bits##_t v;                                    \
		memcpy(&v, p, sizeof v);                             \
		return v;                                            \
	}                                                            \
	static inline void le##bits##_put(void *p, uint##bits##_t v) \
	{                                                            \
		memcpy(p, &v, sizeof v);                             \
	}
BYTES_LE(16)
BYTES_LE(32)
BYTES_LE(64)
#undef BYTES_LE

static inline uint16_t be16_get(const void *p)
{
	return __builtin_bswap16(le16_get(p));
}
static inline uint32_t be32_get(const void *p)
{
	return __builtin_bswap32(le32_get(p));
}
static inline void be16_put(void *p, uint16_t v)
{
	le16_put(p, __builtin_bswap16(v));
}
static inline void be32_put(void *p, uint32_t v)
{
	le32_put(p, __builtin_bswap32(v));
}

/* True where [at, at + len) lies inside [0, size), overflow counted as outside. */
static inline bool range_inside(uint64_t at, uint64_t len, uint64_t size)
{
	return at <= size && len <= size - at;
}
