/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the first vCPU enters a loaded kernel. */
#pragma once

#include <stdint.h>

enum boot_mode {
	BOOT_LONG, /* 64-bit, paging on: Linux's 64-bit boot protocol */
	BOOT_PVH,  /* 32-bit, paging off: the x86/HVM direct boot ABI */
};

struct boot_entry {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t cr3;  /* BOOT_LONG: a page table that maps at least kernel, info and command line 1:1 */
	uint64_t info; /* BOOT_LONG: the zero page, in rsi; BOOT_PVH: hvm_start_info, in ebx */
};
