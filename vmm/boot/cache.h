/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unpacked kernels, kept from one start to the next:
 *
 *   SHA256.vmlinux             what the payload of the bzImage with this hash unpacks to, sparse,
 *                              with the trailer of struct cache_trailer behind it
 *   DEV-INODE-SIZE-MTIME-CTIME.key   the hash of a file seen before, so that it is not read again
 *
 * Every file is made under another name and renamed, so that a reader sees all of it or nothing.
 * What is not ours or root's, or what others may write to, is not used; what is broken is made
 * again. The oldest go when there are many.
 */
#pragma once

#include <stdint.h>

struct bzimage;

/*
 * The unpacked kernel of the bzImage in fd: a descriptor for reading, with *size the bytes of it.
 * Made now where it is not kept yet. Or -errno, nothing logged: the bzImage then unpacks itself.
 */
int cache_open(const char *dir, int fd, const struct bzimage *b, uint64_t *size);

/* Forgets what cache_open() gave last, since it makes no sense; it will be made again. */
void cache_drop(const char *dir, int fd);
