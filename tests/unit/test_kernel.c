/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel on its way into RAM: each kind, each thing that can be wrong with its file. */
#include "vmm/boot/kernel.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <asm/bootparam.h>
#include <cmocka.h>
#include <glib.h>
#include <linux/kvm.h>

#include "tests/fakes/fake_kernel.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/boot/bzimage.h"
#include "vmm/layout.h"
#include "vmm/memory.h"

static struct memory ram_create(uint64_t low, uint64_t high)
{
	struct memory m = { .fd = -1, .size = low + high, .nregions = high ? 2 : 1 };

	m.regions[0] = (struct memory_region){ 0, low, 0, NULL };
	m.regions[1] = (struct memory_region){ 4 * GIB, high, low, NULL };
	for (unsigned i = 0; i < m.nregions; i++) {
		m.regions[i].host = mmap(NULL, m.regions[i].size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		assert_ptr_not_equal(m.regions[i].host, MAP_FAILED);
	}
	return m;
}

static void ram_free(struct memory *m)
{
	for (unsigned i = 0; i < m->nregions; i++)
		munmap(m->regions[i].host, m->regions[i].size);
}

/* --- files */

struct place {
	char dir[32];
	char kernel[64], initrd[64], cache[64];
	char line[1024]; /* the last that was logged */
};

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	struct place *p = opaque;

	g_strlcpy(p->line, line, sizeof p->line);
}

static int setup(void **state)
{
	struct place *p = g_new0(struct place, 1);

	strcpy(p->dir, "/tmp/test_kernel.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->kernel, sizeof p->kernel, "%s/vmlinuz", p->dir);
	snprintf(p->initrd, sizeof p->initrd, "%s/initrd", p->dir);
	snprintf(p->cache, sizeof p->cache, "%s/cache", p->dir);
	log_set_sink(keep_line, p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	g_autofree char *command = g_strdup_printf("rm -rf %s", p->dir);

	log_set_sink(NULL, NULL);
	g_free(p);
	return system(command);
}

static void put(const char *path, const GByteArray *bytes)
{
	assert_true(g_file_set_contents(path, (const char *)bytes->data, bytes->len, NULL));
}

static void put_bzimage(struct place *p, gboolean relocs)
{
	g_autoptr(GByteArray) plain = fake_vmlinux(FALSE, relocs);
	g_autoptr(GByteArray) packed = fake_packed(plain, FAKE_ZSTD);
	g_autoptr(GByteArray) bz = fake_bzimage(packed);

	put(p->kernel, bz);
}

static struct kernel *must_open(struct place *p, bool initrd, bool cache, const char *cmdline)
{
	struct kernel_wish w = {
		.path = p->kernel,
		.initrd = initrd ? p->initrd : NULL,
		.cache = cache ? p->cache : NULL,
		.cmdline = cmdline,
	};
	struct kernel *k = NULL;

	assert_int_equal(kernel_open(&k, &w), 0);
	assert_string_equal(p->line, "");
	return k;
}

static void must_refuse(struct place *p, const char *cmdline, int err, const char *says)
{
	struct kernel_wish w = { .path = p->kernel, .initrd = p->initrd, .cmdline = cmdline };
	struct kernel *k = NULL;

	p->line[0] = 0;
	assert_int_equal(kernel_open(&k, &w), err);
	if (!strstr(p->line, says))
		fail_msg("'%s' does not say '%s'", p->line, says);
}

/* --- what was loaded */

static const struct boot_params *zero_page(const struct memory *m)
{
	return memory_ptr(m, LAYOUT_ZERO_PAGE, sizeof(struct boot_params));
}

static void assert_zero_page(const struct memory *m, const char *cmdline)
{
	const struct boot_params *z = zero_page(m);

	assert_int_equal(z->hdr.header, 0x53726448);
	assert_int_equal(z->hdr.type_of_loader, 0xff);
	assert_int_equal(z->hdr.cmd_line_ptr, LAYOUT_CMDLINE);
	assert_string_equal(memory_ptr(m, LAYOUT_CMDLINE, 1), cmdline);
	assert_int_equal(z->acpi_rsdp_addr, LAYOUT_RSDP);
	assert_int_equal(z->e820_table[0].addr, 0);
	assert_int_equal(z->e820_table[0].size, LAYOUT_EBDA);
	assert_int_equal(z->e820_table[2].addr, MIB);
	assert_int_equal(z->e820_table[2].size, m->regions[0].size - MIB);
	assert_int_equal(z->e820_table[3].addr, LAYOUT_ECAM);
	assert_int_equal(z->e820_table[3].type, 2);
	if (m->nregions > 1) {
		const struct boot_e820_entry *last = &z->e820_table[z->e820_entries - 1];
		assert_int_equal(last->addr, 4 * GIB);
		assert_int_equal(last->size, m->regions[1].size);
	}
	for (int i = 1; i < z->e820_entries; i++)
		assert_true(z->e820_table[i - 1].addr + z->e820_table[i - 1].size <=
			    z->e820_table[i].addr);
}

/* What an address is translated to by the page tables of the entry. */
static uint64_t walk(const struct memory *m, const struct kvm_sregs *s, uint64_t address)
{
	uint64_t entry = s->cr3 | 1;

	for (int level = 3; level >= 1; level--) {
		const uint64_t *table = memory_ptr(m, entry & ~0xfffull, 4096);

		assert_non_null(table);
		entry = table[address >> (12 + 9 * level) & 511];
		if (!(entry & 1))
			return UINT64_MAX;
		if (entry & 0x80)
			return (entry & ~0x1fffffull) | (address & 0x1fffff);
	}
	return UINT64_MAX;
}

static void assert_entry(const struct memory *m, const struct boot_entry *e)
{
	struct kvm_sregs s = { .apic_base = 0xfee00900 };
	struct kvm_regs r;
	const uint64_t *gdt;

	boot_entry_regs(e, &r, &s);
	assert_int_equal(r.rip, e->rip);
	assert_int_equal(r.rflags, 2);
	assert_int_equal(s.apic_base, 0xfee00900);
	assert_int_equal(s.cs.selector, 0x10);
	gdt = memory_ptr(m, s.gdt.base, s.gdt.limit + 1);
	assert_non_null(gdt);
	if (e->mode == BOOT_PVH) {
		assert_int_equal(gdt[2], 0x00cf9b000000ffff);
		assert_int_equal(r.rbx, LAYOUT_PVH_INFO);
		assert_int_equal(s.cr0 & 0x80000001, 1);
		return;
	}
	assert_int_equal(gdt[2], 0x00af9b000000ffff);
	assert_int_equal(gdt[3], 0x00cf93000000ffff);
	assert_int_equal(r.rsi, LAYOUT_ZERO_PAGE);
	assert_int_equal(s.cr0 & 0x80000001, 0x80000001);
	assert_int_equal(s.efer, 0x500);
	assert_int_equal(walk(m, &s, 0), 0);
	assert_int_equal(walk(m, &s, 0xfee00000), 0xfee00000);
	assert_int_equal(walk(m, &s, e->physical + 0x12345), e->physical + 0x12345);
	assert_int_equal(walk(m, &s, 500 * GIB), UINT64_MAX);
}

static void assert_vmlinux_loaded(const struct memory *m, const struct boot_entry *e)
{
	g_autoptr(GByteArray) plain = fake_vmlinux(FALSE, FALSE);
	uint64_t shift = e->virtual_shift;
	uint8_t *text = plain->data + 4096, *at = memory_ptr(m, e->physical, FAKE_TEXT);
	uint8_t *data = memory_ptr(m, e->physical + FAKE_DATA_AT - FAKE_LOAD, FAKE_DATA + FAKE_BSS);

	le64_put(text + FAKE_PLACE64, le64_get(text + FAKE_PLACE64) + shift);
	le32_put(text + FAKE_PLACE_INVERSE, le32_get(text + FAKE_PLACE_INVERSE) - shift);
	for (int i = 0; i < 2; i++)
		le32_put(
			text + FAKE_PLACE32 + 4 * i, le32_get(text + FAKE_PLACE32 + 4 * i) + shift);
	assert_memory_equal(at, text, FAKE_TEXT);
	assert_memory_equal(data, text + FAKE_TEXT, FAKE_DATA);
	for (unsigned i = 0; i < FAKE_BSS; i++)
		assert_int_equal(data[FAKE_DATA + i], 0);
}

static void test_bzimage_unpacks_itself(void **state)
{
	struct place *p = *state;
	struct memory m = ram_create(64 * MIB, 0);
	struct boot_entry e;
	struct kernel *k;

	put_bzimage(p, TRUE);
	k = must_open(p, false, false, "console=ttyS0");
	assert_false(kernel_is_unpacked(k));
	assert_int_equal(kernel_load(k, &m, &e), 0);
	assert_int_equal(e.mode, BOOT_LONG);
	assert_int_equal(e.rip, FAKE_LOAD + 0x200);
	assert_int_equal(*(uint8_t *)memory_ptr(&m, e.rip, 1), 0xc0);
	assert_zero_page(&m, "console=ttyS0");
	assert_entry(&m, &e);
	assert_int_equal(zero_page(&m)->hdr.code32_start, FAKE_LOAD);
	assert_int_equal(zero_page(&m)->hdr.loadflags & KASLR_FLAG, 0);
	kernel_close(k);
	ram_free(&m);
}

static void test_unpacked_is_moved(void **state)
{
	struct place *p = *state;
	struct memory m = ram_create(256 * MIB, 64 * MIB);
	bool physical_differs = false, virtual_differs = false, high = false;
	uint64_t first_physical = 0, first_shift = 0;
	struct kernel *k;

	put_bzimage(p, TRUE);
	k = must_open(p, false, true, NULL);
	assert_true(kernel_is_unpacked(k));
	for (int i = 0; i < 64; i++) { /* each reset loads again */
		struct boot_entry e;

		/* a guest leaves its bytes behind */
		memset(memory_ptr(&m, 32 * MIB, 64 * MIB), 0x77, 64 * MIB);
		assert_int_equal(kernel_load(k, &m, &e), 0);
		assert_int_equal(e.rip, e.physical + FAKE_ENTRY - FAKE_LOAD);
		assert_int_equal(e.physical % FAKE_ALIGN, 0);
		assert_int_equal(e.virtual_shift % FAKE_ALIGN, 0);
		assert_true(e.physical >= 16 * MIB);
		assert_true(e.virtual_shift < GIB);
		assert_true(zero_page(&m)->hdr.loadflags & KASLR_FLAG);
		assert_vmlinux_loaded(&m, &e);
		assert_zero_page(&m, "");
		assert_entry(&m, &e);
		if (!i) {
			first_physical = e.physical;
			first_shift = e.virtual_shift;
		}
		physical_differs |= e.physical != first_physical;
		virtual_differs |= e.virtual_shift != first_shift;
		high |= e.physical >= 4 * GIB;
	}
	assert_true(physical_differs && virtual_differs && high);
	kernel_close(k);
	ram_free(&m);
}

static void test_nokaslr_and_kernels_that_cannot_move(void **state)
{
	static const struct {
		const char *cmdline;
		bool relocs, kaslr, physical;
	} rows[] = {
		{ "quiet nokaslr", true, false, false },
		{ "nokaslrx", true, true, true },
		{ "mem=64M", true, true, false },
		{ "quiet memmap=1M!2M", true, true, false },
		{ "", false, false, false },
	};
	struct place *p = *state;
	struct memory m = ram_create(1024 * MIB, 0);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct boot_entry e;
		struct kernel *k;

		put_bzimage(p, rows[i].relocs);
		k = must_open(p, false, true, rows[i].cmdline);
		assert_true(kernel_is_unpacked(k));
		assert_int_equal(kernel_load(k, &m, &e), 0);
		assert_int_equal(!!(zero_page(&m)->hdr.loadflags & KASLR_FLAG), rows[i].kaslr);
		if (!rows[i].kaslr)
			assert_int_equal(e.virtual_shift, 0);
		if (!rows[i].physical)
			assert_int_equal(e.physical, FAKE_LOAD);
		assert_vmlinux_loaded(&m, &e);
		kernel_close(k);
	}
	ram_free(&m);
}

/* What the cache cannot make sense of starts by its own decompressor. */
static void test_falls_back(void **state)
{
	struct place *p = *state;
	g_autoptr(GByteArray) plain = fake_vmlinux(FALSE, TRUE);
	struct kernel_wish w = { .path = p->kernel, .cache = p->cache };

	for (int broken = 0; broken < 6; broken++) {
		g_autoptr(GByteArray) copy = g_byte_array_new(), packed = NULL, bz = NULL;
		struct kernel *k = NULL;
		Elf64_Ehdr *h;
		Elf64_Phdr *ph;

		g_byte_array_append(copy, plain->data, plain->len);
		h = (Elf64_Ehdr *)copy->data;
		ph = (Elf64_Phdr *)(copy->data + h->e_phoff);
		if (broken == 0)
			h->e_machine = EM_AARCH64;
		else if (broken == 1)
			h->e_entry = FAKE_LOAD - 1;
		else if (broken == 2)
			ph[0].p_paddr = ph[1].p_paddr; /* not where the bzImage says */
		else if (broken == 3)                  /* a place outside the kernel */
			le32_put(copy->data + copy->len - 4, 0x7fffffff);
		else if (broken == 4) /* four lists */
			le32_put(copy->data + copy->len - 8, 0);
		else
			ph[1].p_memsz = 2 * GIB; /* more than Linux can map */
		packed = fake_packed(copy, FAKE_ZSTD);
		bz = fake_bzimage(packed);
		put(p->kernel, bz);
		p->line[0] = 0;
		assert_int_equal(kernel_open(&k, &w), 0);
		assert_non_null(strstr(p->line, "starts slower"));
		assert_false(kernel_is_unpacked(k));
		kernel_close(k);
	}
	put_bzimage(p, TRUE);
	w.cache = "/proc/no/such";
	p->line[0] = 0;
	for (int i = 0; i < 2; i++) {
		struct kernel *k = NULL;

		assert_int_equal(kernel_open(&k, &w), 0);
		assert_non_null(strstr(p->line, "No such file"));
		kernel_close(k);
	}
}

static void test_initrd_goes_high(void **state)
{
	struct place *p = *state;
	struct memory m = ram_create(96 * MIB, 0);
	g_autofree char *content = g_malloc(3 * MIB + 5);

	memset(content, 'i', 3 * MIB + 5);
	assert_true(g_file_set_contents(p->initrd, content, 3 * MIB + 5, NULL));
	put_bzimage(p, TRUE);
	for (int i = 0; i < 20; i++) {
		struct kernel *k = must_open(p, true, i, NULL);
		uint64_t at = (96 * MIB - 3 * MIB - 5) & ~0xfffull;
		struct boot_entry e;

		assert_int_equal(kernel_load(k, &m, &e), 0);
		assert_int_equal(zero_page(&m)->hdr.ramdisk_image, at);
		assert_int_equal(zero_page(&m)->hdr.ramdisk_size, 3 * MIB + 5);
		assert_memory_equal(memory_ptr(&m, at, 3 * MIB + 5), content, 3 * MIB + 5);
		assert_true(e.physical + 4 * MIB <= at);
		kernel_close(k);
	}
	ram_free(&m);
}

static void test_initrd_stays_below_the_kernels_limit(void **state)
{
	struct place *p = *state;
	struct memory m = ram_create(3 * GIB, GIB);
	struct boot_entry e;
	struct kernel *k;

	assert_true(g_file_set_contents(p->initrd, "tiny", 4, NULL));
	put_bzimage(p, TRUE);
	k = must_open(p, true, true, NULL);
	assert_int_equal(kernel_load(k, &m, &e), 0);
	assert_int_equal(zero_page(&m)->hdr.ramdisk_image, 2 * GIB - 4096);
	kernel_close(k);
	ram_free(&m);
}

static void test_too_little_memory(void **state)
{
	struct place *p = *state;
	struct memory tiny = ram_create(16 * MIB, 0), small = ram_create(32 * MIB, 0);
	g_autofree char *content = g_malloc0(20 * MIB);
	struct boot_entry e;

	put_bzimage(p, TRUE);
	for (int cached = 0; cached < 2; cached++) {
		struct kernel *k = must_open(p, false, cached, NULL);

		assert_int_equal(kernel_load(k, &tiny, &e), -ENOMEM);
		assert_non_null(strstr(p->line, "raise --memory"));
		p->line[0] = 0;
		assert_int_equal(kernel_load(k, &small, &e), 0);
		kernel_close(k);
		/* the kernel alone would fit, and the initrd alone */
		assert_true(g_file_set_contents(p->initrd, content, 20 * MIB, NULL));
		k = must_open(p, true, cached, cached ? "nokaslr" : "");
		assert_int_equal(kernel_load(k, &small, &e), -ENOMEM);
		p->line[0] = 0;
		assert_int_equal(kernel_load(k, &tiny, &e), -ENOMEM);
		p->line[0] = 0;
		kernel_close(k);
	}
	ram_free(&tiny);
	ram_free(&small);
}

static void test_files_that_change(void **state)
{
	struct place *p = *state;
	struct memory m = ram_create(64 * MIB, 0);
	struct boot_entry e;
	struct kernel *k;

	assert_true(g_file_set_contents(p->initrd, "initrd", 6, NULL));
	put_bzimage(p, TRUE);
	k = must_open(p, true, false, NULL);
	assert_int_equal(truncate(p->initrd, 3), 0);
	assert_int_equal(kernel_load(k, &m, &e), -ENODATA);
	assert_non_null(strstr(p->line, "must not change"));
	assert_int_equal(truncate(p->kernel, 1500), 0);
	assert_int_equal(kernel_load(k, &m, &e), -ENODATA);
	kernel_close(k);
	ram_free(&m);
}

static void test_pvh(void **state)
{
	struct place *p = *state;
	struct memory m = ram_create(64 * MIB, 64 * MIB);
	g_autoptr(GByteArray) elf = fake_vmlinux(TRUE, FALSE);
	const uint8_t *info;
	struct boot_entry e;
	struct kernel *k;

	put(p->kernel, elf);
	assert_true(g_file_set_contents(p->initrd, "module", 6, NULL));
	k = must_open(p, true, true, "pvh");
	memset(memory_ptr(&m, 16 * MIB, 8 * MIB), 0x77, 8 * MIB);
	assert_int_equal(kernel_load(k, &m, &e), 0);
	assert_int_equal(e.mode, BOOT_PVH);
	assert_int_equal(e.rip, FAKE_PVH_ENTRY);
	assert_vmlinux_loaded(&m, &e);
	assert_entry(&m, &e);
	info = memory_ptr(&m, e.info, 56);
	assert_int_equal(le32_get(info), 0x336ec578);
	assert_int_equal(le32_get(info + 4), 1);
	assert_int_equal(le32_get(info + 12), 1);
	assert_string_equal(memory_ptr(&m, le64_get(info + 24), 4), "pvh");
	assert_int_equal(le64_get(info + 32), LAYOUT_RSDP);
	assert_int_equal(le32_get(info + 48), 6);
	assert_int_equal(le64_get(memory_ptr(&m, le64_get(info + 40), 6 * 24)), 0);
	info = memory_ptr(&m, le64_get(info + 16), 32);
	assert_int_equal(le64_get(info + 8), 6);
	assert_memory_equal(memory_ptr(&m, le64_get(info), 6), "module", 6);
	kernel_close(k);
	ram_free(&m);
}

static void test_elf_without_a_note(void **state)
{
	struct place *p = *state;
	struct memory m = ram_create(64 * MIB, 0);
	g_autoptr(GByteArray) elf = fake_vmlinux(FALSE, FALSE);
	struct boot_entry e;
	struct kernel *k;

	put(p->kernel, elf);
	k = must_open(p, false, false, "x");
	assert_int_equal(kernel_load(k, &m, &e), 0);
	assert_int_equal(e.mode, BOOT_LONG);
	assert_int_equal(e.rip, FAKE_ENTRY);
	assert_vmlinux_loaded(&m, &e);
	assert_zero_page(&m, "x");
	assert_entry(&m, &e);
	kernel_close(k);
	ram_free(&m);
}

static void test_files_that_are_refused(void **state)
{
	struct place *p = *state;
	g_autofree char *longest = g_strnfill(LAYOUT_CMDLINE_MAX - 1, 'x');
	g_autofree char *too_long = g_strnfill(LAYOUT_CMDLINE_MAX, 'x');

	must_refuse(p, "", -ENOENT, "No such file");
	assert_true(g_file_set_contents(p->kernel, "", 0, NULL));
	must_refuse(p, "", -EINVAL, "empty");
	assert_true(g_file_set_contents(p->kernel, "#!/bin/sh\n", -1, NULL));
	must_refuse(p, "", -ENOEXEC, "neither a bzImage nor an ELF");
	put_bzimage(p, TRUE);
	must_refuse(p, "", -ENOENT, "initrd");
	assert_true(g_file_set_contents(p->initrd, "", 0, NULL));
	must_refuse(p, "", -EINVAL, "--initrd");
	must_refuse(p, too_long, -E2BIG, "--append");
	must_refuse(p, longest, -E2BIG, "2047");
	snprintf(p->kernel, sizeof p->kernel, "%s", p->dir);
	must_refuse(p, "", -EINVAL, "not a regular file");
}

static void test_headers_that_are_refused(void **state)
{
	struct place *p = *state;
	static const struct {
		size_t at;
		uint64_t value;
		unsigned width;
		int err;
		const char *says;
	} rows[] = {
		{ offsetof(struct setup_header, header), 0, 4, -ENOEXEC, "neither" },
		{ offsetof(struct setup_header, boot_flag), 0, 2, -ENOEXEC, "neither" },
		{ offsetof(struct setup_header, version), 0x20b, 2, -ENOTSUP, "older" },
		{ offsetof(struct setup_header, xloadflags), 0, 2, -ENOTSUP, "64-bit" },
		{ offsetof(struct setup_header, loadflags), 0, 1, -ENOTSUP, "1 MiB" },
		{ offsetof(struct setup_header, relocatable_kernel), 0, 1, -ENOTSUP, "reloc" },
		{ offsetof(struct setup_header, kernel_alignment), 3, 4, -ENOTSUP, "align" },
		{ offsetof(struct setup_header, kernel_alignment), 0, 4, -ENOTSUP, "align" },
		{ offsetof(struct setup_header, kernel_alignment), 1u << 31, 4, -ENOTSUP, "align" },
		{ offsetof(struct setup_header, pref_address), 4096, 8, -ENOTSUP, "load address" },
		{ offsetof(struct setup_header, pref_address), MIB, 8, -ENOTSUP, "load address" },
		{ offsetof(struct setup_header, pref_address), -FAKE_ALIGN, 8, -ENOTSUP, "load" },
		{ offsetof(struct setup_header, init_size), 0, 4, -ENOTSUP, "load address" },
		{ offsetof(struct setup_header, init_size), 16, 4, -ENOTSUP, "contradict" },
		{ offsetof(struct setup_header, syssize), UINT32_MAX, 4, -ENOTSUP, "cut short" },
		{ offsetof(struct setup_header, syssize), 0, 4, -ENOTSUP, "cut short" },
		{ offsetof(struct setup_header, setup_sects), 255, 1, -ENOTSUP, "cut short" },
	};
	g_autoptr(GByteArray) plain = fake_vmlinux(FALSE, TRUE);
	g_autoptr(GByteArray) packed = fake_packed(plain, FAKE_GZIP);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		g_autoptr(GByteArray) bz = fake_bzimage(packed);

		memcpy(bz->data + 0x1f1 + rows[i].at, &rows[i].value, rows[i].width);
		put(p->kernel, bz);
		must_refuse(p, "", rows[i].err, rows[i].says);
	}
}

/* A payload outside the file is no payload: the kernel still starts by itself. */
static void test_payload_outside(void **state)
{
	struct place *p = *state;
	g_autoptr(GByteArray) plain = fake_vmlinux(FALSE, TRUE);
	g_autoptr(GByteArray) packed = fake_packed(plain, FAKE_GZIP);
	g_autoptr(GByteArray) bz = fake_bzimage(packed);
	struct kernel_wish w = { .path = p->kernel, .cache = p->cache };
	struct kernel *k;

	le32_put(bz->data + 0x1f1 + offsetof(struct setup_header, payload_offset), UINT32_MAX);
	put(p->kernel, bz);
	assert_int_equal(kernel_open(&k, &w), 0);
	assert_false(kernel_is_unpacked(k));
	kernel_close(k);
}

static void test_elf_files_that_are_refused(void **state)
{
	struct place *p = *state;
	Elf64_Ehdr *h;
	Elf64_Phdr *ph;

	for (int broken = 0; broken < 15; broken++) {
		g_autoptr(GByteArray) elf = fake_vmlinux(TRUE, FALSE);

		h = (Elf64_Ehdr *)elf->data;
		ph = (Elf64_Phdr *)(elf->data + h->e_phoff);
		switch (broken) {
		case 0:
			h->e_ident[EI_CLASS] = ELFCLASS32;
			break;
		case 1:
			h->e_ident[EI_DATA] = ELFDATA2MSB;
			break;
		case 2:
			h->e_machine = EM_386;
			break;
		case 3:
			h->e_type = ET_REL;
			break;
		case 4:
			h->e_phentsize = 32;
			break;
		case 5:
			h->e_phoff = UINT64_MAX - 8;
			break;
		case 6:
			h->e_phnum = UINT16_MAX;
			break;
		case 7:
			h->e_phnum = 0;
			break;
		case 8:
			ph[0].p_offset = UINT64_MAX - 100;
			break;
		case 9:
			ph[0].p_filesz = FAKE_TEXT + 1; /* more than its memory */
			break;
		case 10:
			ph[0].p_paddr = UINT64_MAX - 100;
			break;
		case 11:
			ph[2].p_offset = UINT64_MAX; /* the note */
			break;
		case 12:
			ph[0].p_memsz = ph[0].p_filesz = elf->len; /* past the end */
			break;
		case 13:
			g_byte_array_set_size(elf, 40);
			break;
		default:
			/* more segments than any kernel has */
			h->e_phnum = 30;
			for (int i = 0; i < 30; i++)
				ph[i] = ph[0];
		}
		put(p->kernel, elf);
		must_refuse(p, "", -ENOEXEC, "neither");
	}
	for (int broken = 0; broken < 3; broken++) {
		g_autoptr(GByteArray) elf = fake_vmlinux(broken == 2, FALSE);

		h = (Elf64_Ehdr *)elf->data;
		ph = (Elf64_Phdr *)(elf->data + h->e_phoff);
		if (broken == 0)
			h->e_entry = 0;
		else if (broken == 1)
			ph[0].p_paddr = 0x7000; /* over the zero page */
		else
			ph[0].p_paddr = 8 * MIB,
			ph[0].p_memsz = FAKE_TEXT; /* the note's entry is outside */
		if (broken == 2)
			ph[1].p_paddr = 9 * MIB;
		put(p->kernel, elf);
		must_refuse(p, "", -ENOTSUP, "between 1 MiB and 4 GiB");
	}
}

/* Notes that break off are no notes. */
static void test_hostile_notes(void **state)
{
	struct place *p = *state;
	struct memory m = ram_create(64 * MIB, 0);

	for (int broken = 0; broken < 5; broken++) {
		g_autoptr(GByteArray) elf = fake_vmlinux(TRUE, FALSE);
		uint8_t *note = elf->data + 2048;
		struct boot_entry e;
		struct kernel *k;

		if (broken == 0)
			le32_put(note, UINT32_MAX); /* name */
		else if (broken == 1)
			le32_put(note + 4, UINT32_MAX); /* description */
		else if (broken == 2)
			le32_put(note + 4, 2);
		else if (broken == 3)
			memcpy(note + 12, "GNU", 4);
		else
			le32_put(note + 8, 17);
		put(p->kernel, elf);
		k = must_open(p, false, false, NULL);
		assert_int_equal(kernel_load(k, &m, &e), 0);
		assert_int_equal(e.mode, BOOT_LONG);
		kernel_close(k);
	}
	ram_free(&m);
}

static void test_default_cache(void **state)
{
	g_autofree char *path = kernel_cache_default();

	assert_true(g_str_has_suffix(path, "hotdesk/kernels"));
	kernel_close(NULL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_bzimage_unpacks_itself),
		CASE(test_unpacked_is_moved),
		CASE(test_nokaslr_and_kernels_that_cannot_move),
		CASE(test_falls_back),
		CASE(test_initrd_goes_high),
		CASE(test_initrd_stays_below_the_kernels_limit),
		CASE(test_too_little_memory),
		CASE(test_files_that_change),
		CASE(test_pvh),
		CASE(test_elf_without_a_note),
		CASE(test_files_that_are_refused),
		CASE(test_headers_that_are_refused),
		CASE(test_payload_outside),
		CASE(test_elf_files_that_are_refused),
		CASE(test_hostile_notes),
		cmocka_unit_test(test_default_cache),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
