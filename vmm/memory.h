/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM: one unlinked file in a tmpfs folder, mapped shared, with a hole below 4 GiB.
 *
 *   0 ........ MEMORY_LOW_MAX   RAM, file offset = address
 *   3 GiB .... 4 GiB            devices (see vmm/layout.h)
 *   4 GiB ....                  the rest of RAM
 *
 * The file can be linked into the file system later, which makes a template without a copy.
 * Guest addresses are hostile: everything outside the vCPUs reaches RAM by memory_ptr() and its
 * relatives and by nothing else.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MEMORY_DIR "/dev/shm"

struct memory_region {
	uint64_t gpa, size; /* bytes */
	uint64_t offset;    /* of the region in the file */
	uint8_t *host;
};

struct memory {
	int fd;
	uint64_t size;
	unsigned nregions;
	struct memory_region regions[2];
};

/*
 * Makes size bytes of zeroed RAM (a multiple of 2 MiB, at least 2 MiB) in a file below dir; dir
 * NULL: in a tmpfs of its own with huge pages, or in MEMORY_DIR where that is not allowed.
 * 0 or -errno, with one line logged that names the mend.
 */
int memory_init(struct memory *m, uint64_t size, const char *dir);
void memory_finish(struct memory *m);

/*
 * The host address of [gpa, gpa + len), or NULL unless all of it is RAM and contiguous here.
 * len 0 is fine at any RAM address. The pointer lives as long as the memory. Any thread. The
 * guest can change the bytes at any time: copy, then validate, then use.
 */
void *memory_ptr(const struct memory *m, uint64_t gpa, uint64_t len);

/* Copies; 0, or -EFAULT and nothing copied unless the whole range is RAM. */
int memory_read(const struct memory *m, uint64_t gpa, void *buf, uint64_t len);
int memory_write(const struct memory *m, uint64_t gpa, const void *buf, uint64_t len);
