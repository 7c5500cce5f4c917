/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/entry.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "util/bytes.h"
#include "vmm/layout.h"
#include "vmm/memory.h"

enum {
	/* What Linux calls __BOOT_CS and __BOOT_DS; its boot protocol asks for these numbers. */
	ENTRY_CS = 0x10,
	ENTRY_DS = 0x18,
	ENTRY_TR = 0x20,
	ENTRY_GDT_SIZE = 0x28,

	PT_PRESENT = 1 << 0,
	PT_WRITE = 1 << 1,
	PT_LARGE = 1 << 7,
	PT_TABLE = PT_PRESENT | PT_WRITE,
	PT_ENTRIES = 512,

	CR0_PE = 1 << 0,
	CR0_ET = 1 << 4,
	CR4_PAE = 1 << 5,
	EFER_LME = 1 << 8,
	EFER_LMA = 1 << 10,
	RFLAGS_FIXED = 1 << 1,
};
static const uint64_t CR0_PG = 1u << 31;

/* The page tables, in this order at LAYOUT_PAGE_TABLES. */
struct entry_tables {
	uint64_t pml4[PT_ENTRIES];
	uint64_t pdpt[PT_ENTRIES];
	uint64_t low[4][PT_ENTRIES];    /* the first 4 GiB */
	uint64_t kernel[2][PT_ENTRIES]; /* the kernel where it stands above them */
};
_Static_assert(LAYOUT_PAGE_TABLES + sizeof(struct entry_tables) <= LAYOUT_CMDLINE,
	"page tables end before the command line");

static void map_gigabyte(
	struct entry_tables *t, uint64_t *directory, uint64_t directory_at, uint64_t gigabyte)
{
	for (unsigned i = 0; i < PT_ENTRIES; i++)
		directory[i] = (gigabyte * GIB + i * 2 * MIB) | PT_TABLE | PT_LARGE;
	t->pdpt[gigabyte] = directory_at | PT_TABLE;
}

static int write_page_tables(const struct boot_entry *e, const struct memory *m, uint64_t size)
{
	struct entry_tables *t = memory_ptr(m, LAYOUT_PAGE_TABLES, sizeof *t);
	uint64_t first = e->physical / GIB, last;

	if (!t || size > GIB || !range_inside(e->physical, size, ENTRY_PHYSICAL_MAX))
		return -EFAULT;
	memset(t, 0, sizeof *t);
	t->pml4[0] = (LAYOUT_PAGE_TABLES + offsetof(struct entry_tables, pdpt)) | PT_TABLE;
	for (unsigned i = 0; i < 4; i++)
		map_gigabyte(t, t->low[i],
			LAYOUT_PAGE_TABLES + offsetof(struct entry_tables, low[i]), i);
	last = (e->physical + MAX(size, 1) - 1) / GIB;
	for (uint64_t g = MAX(first, 4); g <= last; g++)
		map_gigabyte(t, t->kernel[g - first],
			LAYOUT_PAGE_TABLES + offsetof(struct entry_tables, kernel[g - first]), g);
	return 0;
}

static struct kvm_segment code_segment(const struct boot_entry *e)
{
	bool is_long = e->mode == BOOT_LONG;

	return (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = ENTRY_CS,
		.type = 0xb, /* execute, read, accessed */
		.present = 1,
		.s = 1,
		.l = is_long,
		.db = !is_long,
		.g = 1,
	};
}

static struct kvm_segment data_segment(void)
{
	return (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = ENTRY_DS,
		.type = 0x3, /* read, write, accessed */
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1,
	};
}

static struct kvm_segment task_segment(void)
{
	return (struct kvm_segment){
		.limit = 0x67,
		.selector = ENTRY_TR,
		.type = 0xb, /* busy TSS */
		.present = 1,
	};
}

/* The same as bytes of the table (Intel SDM 3A, 3.4.5); bases are 0. */
static uint64_t descriptor(const struct kvm_segment *s)
{
	uint64_t limit = s->g ? s->limit >> 12 : s->limit;

	return (limit & 0xffff) | (uint64_t)s->type << 40 | (uint64_t)s->s << 44 |
	       (uint64_t)s->present << 47 | (limit >> 16 & 0xf) << 48 | (uint64_t)s->l << 53 |
	       (uint64_t)s->db << 54 | (uint64_t)s->g << 55;
}

int boot_entry_write(struct boot_entry *e, const struct memory *m, uint64_t size)
{
	struct kvm_segment code = code_segment(e), data = data_segment(), task = task_segment();
	uint64_t gdt[ENTRY_GDT_SIZE / 8] = {
		[ENTRY_CS / 8] = descriptor(&code),
		[ENTRY_DS / 8] = descriptor(&data),
		[ENTRY_TR / 8] = descriptor(&task),
	};
	int err = memory_write(m, LAYOUT_GDT, gdt, sizeof gdt);

	if (!err && e->mode == BOOT_LONG)
		err = write_page_tables(e, m, size);
	e->cr3 = !err && e->mode == BOOT_LONG ? LAYOUT_PAGE_TABLES : 0;
	return err;
}

void boot_entry_regs(const struct boot_entry *e, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	memset(regs, 0, sizeof *regs);
	regs->rip = e->rip;
	regs->rflags = RFLAGS_FIXED;
	sregs->cs = code_segment(e);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data_segment();
	sregs->tr = task_segment();
	sregs->gdt.base = LAYOUT_GDT;
	sregs->gdt.limit = ENTRY_GDT_SIZE - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	sregs->cr0 = CR0_PE | CR0_ET;
	sregs->cr3 = sregs->cr4 = sregs->efer = 0;
	if (e->mode == BOOT_PVH) {
		regs->rbx = e->info;
		return;
	}
	regs->rsi = e->info;
	sregs->cr0 |= CR0_PG;
	sregs->cr3 = e->cr3;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
}
