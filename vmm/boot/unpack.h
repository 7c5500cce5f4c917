/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decompresses the payload of a bzImage: gzip, xz (with its x86 filter), lzma, zstd, lz4. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The size that a payload says it unpacks to: its last four bytes. 0 where it is too short or
 * packed by something that we do not know.
 */
uint32_t unpack_size(const uint8_t *payload, size_t len);

/*
 * Unpacks into out, which has the room of unpack_size(). 0; -EBADMSG where the payload is broken
 * or unpacks to another size; -ENOTSUP where the packer is unknown; -ENOMEM.
 */
int unpack(const uint8_t *payload, size_t len, uint8_t *out, size_t size);
