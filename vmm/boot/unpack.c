/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/unpack.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "util/bytes.h"

enum {
	UNPACK_TRAILER = 4, /* the size, appended by all packers but gzip, which has it */
	UNPACK_MEMORY_MAX = 512 << 20, /* xz: dictionaries of kernels are up to 128 MiB */
	LZ4_BLOCK_MAX = 8 << 20,       /* of the legacy frame format */
	GZIP_WINDOW = 16 + MAX_WBITS,  /* zlib: expect gzip's header */
};

static int unpack_gzip(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	z_stream z = {
		.next_in = (uint8_t *)in, .avail_in = len, .next_out = out, .avail_out = size
	};
	int status = inflateInit2(&z, GZIP_WINDOW);
	bool whole;

	if (status != Z_OK)
		return -ENOMEM;
	status = inflate(&z, Z_FINISH);
	whole = status == Z_STREAM_END && !z.avail_out;
	inflateEnd(&z);
	return whole ? 0 : status == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static int unpack_lzma_stream(
	lzma_ret status, lzma_stream *s, const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	bool whole;

	if (status != LZMA_OK)
		return -ENOMEM;
	s->next_in = in;
	s->avail_in = len;
	s->next_out = out;
	s->avail_out = size;
	do
		status = lzma_code(s, LZMA_FINISH);
	while (status == LZMA_OK && s->avail_out);
	/* The end's check may need one call more, without a byte coming out. */
	if (status == LZMA_OK)
		status = lzma_code(s, LZMA_FINISH);
	whole = status == LZMA_STREAM_END && !s->avail_out;
	lzma_end(s);
	return whole ? 0 : status == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

static int unpack_xz(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	lzma_stream s = LZMA_STREAM_INIT;

	return unpack_lzma_stream(
		lzma_stream_decoder(&s, UNPACK_MEMORY_MAX, 0), &s, in, len, out, size);
}

static int unpack_lzma(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	lzma_stream s = LZMA_STREAM_INIT;

	return unpack_lzma_stream(
		lzma_alone_decoder(&s, UNPACK_MEMORY_MAX), &s, in, len, out, size);
}

static int unpack_zstd(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	size_t n = ZSTD_decompress(out, size, in, len);

	return !ZSTD_isError(n) && n == size ? 0 : -EBADMSG;
}

/* Legacy frames: a magic number, then blocks, each behind its packed size. */
static int unpack_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	size_t at = 4, made = 0;

	while (at < len) {
		uint32_t packed;
		int n;

		if (!range_inside(at, 4, len))
			return -EBADMSG;
		packed = le32_get(in + at);
		at += 4;
		if (packed > LZ4_COMPRESSBOUND(LZ4_BLOCK_MAX) || !range_inside(at, packed, len))
			return -EBADMSG;
		n = LZ4_decompress_safe((const char *)in + at, (char *)out + made, packed,
			MIN(size - made, (size_t)LZ4_BLOCK_MAX));
		if (n < 0)
			return -EBADMSG;
		made += n;
		at += packed;
	}
	return made == size ? 0 : -EBADMSG;
}

static const struct packer {
	uint8_t magic[6];
	uint8_t magic_len, trailer;
	int (*unpack)(const uint8_t *in, size_t len, uint8_t *out, size_t size);
} packers[] = {
	{ { 0x1f, 0x8b }, 2, 0, unpack_gzip },
	{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, UNPACK_TRAILER, unpack_xz },
	{ { 0x5d, 0, 0 }, 3, UNPACK_TRAILER, unpack_lzma },
	{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, UNPACK_TRAILER, unpack_zstd },
	{ { 0x02, 0x21, 0x4c, 0x18 }, 4, UNPACK_TRAILER, unpack_lz4 },
};

static const struct packer *packer_of(const uint8_t *payload, size_t len)
{
	if (len < sizeof packers[0].magic + UNPACK_TRAILER)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(packers); i++)
		if (!memcmp(payload, packers[i].magic, packers[i].magic_len))
			return &packers[i];
	return NULL;
}

uint32_t unpack_size(const uint8_t *payload, size_t len)
{
	return packer_of(payload, len) ? le32_get(payload + len - 4) : 0;
}

int unpack(const uint8_t *payload, size_t len, uint8_t *out, size_t size)
{
	const struct packer *p = packer_of(payload, len);

	return p ? p->unpack(payload, len - p->trailer, out, size) : -ENOTSUP;
}
