/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the first vCPU enters a loaded kernel. */
#pragma once

#include <stdint.h>

struct kvm_regs;
struct kvm_sregs;
struct memory;

enum boot_mode {
	BOOT_LONG, /* 64-bit, paging on: Linux's 64-bit boot protocol */
	BOOT_PVH,  /* 32-bit, paging off: the x86/HVM direct boot ABI */
};

struct boot_entry {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t
		cr3; /* BOOT_LONG: a page table that maps at least kernel, info and command line 1:1 */
	uint64_t info; /* BOOT_LONG: the zero page, in rsi; BOOT_PVH: hvm_start_info, in ebx */
	/* Where the kernel stands, and by how much its virtual addresses were shifted: for tests. */
	uint64_t physical, virtual_shift;
};

/*
 * Writes the descriptor table (LAYOUT_GDT) and, for BOOT_LONG, page tables that map the first
 * 4 GiB and [physical, physical + size) to themselves (LAYOUT_PAGE_TABLES), and sets cr3. size is
 * at most 1 GiB, and its end below ENTRY_PHYSICAL_MAX. 0 or -EFAULT.
 */
#define ENTRY_PHYSICAL_MAX (512ull << 30)
int boot_entry_write(struct boot_entry *e, const struct memory *m, uint64_t size);

/*
 * Sets registers for the entry. sregs holds what KVM_GET_SREGS gave, so that the APIC's base and
 * the like stay.
 */
void boot_entry_regs(const struct boot_entry *e, struct kvm_regs *regs, struct kvm_sregs *sregs);
