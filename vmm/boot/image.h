/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a kernel or initrd file on their way into RAM.
 *
 * Files are read, never mapped: one that shrinks under us then gives an error and no SIGBUS.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Reads exactly [at, at + len): 0, -ENODATA where the file ends before, or -errno. */
int image_read(int fd, uint64_t at, void *buf, size_t len);

/*
 * The same into fresh or used guest RAM; the file's holes become zeros without touching pages
 * where that can be had.
 */
int image_copy(int fd, uint64_t at, uint8_t *to, uint64_t len);

/* Zeroes guest RAM; huge pages of a shared mapping are given back to the host instead. */
void image_zero(uint8_t *to, uint64_t len);
