/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is needed of an ELF64 executable for x86-64: where its segments go, where to enter. */
#pragma once

#include <stdint.h>

struct memory;

enum { ELF_SEGMENTS_MAX = 16 };

struct elf_segment {
	uint64_t offset, filesz; /* in the file */
	uint64_t paddr, memsz;   /* in RAM; what filesz does not fill is zero */
};

struct elf_image {
	uint64_t entry;     /* physical, as Linux has it */
	uint32_t pvh_entry; /* of the note XEN_ELFNOTE_PHYS32_ENTRY, or 0 */
	uint64_t low, high; /* all segments' memory lies in [low, high) */
	uint64_t end;       /* of what headers and segments describe of the file */
	unsigned nsegments;
	struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/* 0, -ENOEXEC where it is no such file or breaks the format, or -errno. Nothing is logged. */
int elf_parse(struct elf_image *e, int fd, uint64_t size);

/* Copies the segments to their physical address + shift (wrapping): 0, -EFAULT or -errno. */
int elf_copy(const struct elf_image *e, int fd, const struct memory *m, uint64_t shift);
