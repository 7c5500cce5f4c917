/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI tables: found the way a guest finds them, sums right, and iasl has nothing to say. */
#include "vmm/boot/acpi.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib.h>

#include "util/bytes.h"
#include "vmm/boot/aml.h"
#include "vmm/layout.h"
#include "vmm/memory.h"

static struct memory ram_create(uint64_t size)
{
	return (struct memory){
		.fd = -1,
		.size = size,
		.nregions = 1,
		.regions = { { .size = size, .host = calloc(1, size) } },
	};
}

static void assert_sum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += p[i];
	assert_int_equal(sum, 0);
}

/* A table's address by its signature, through RSDP and XSDT; its sum is checked. */
static const uint8_t *find_table(const struct memory *m, const char *signature)
{
	const uint8_t *rsdp = memory_ptr(m, LAYOUT_RSDP, 36);
	const uint8_t *xsdt, *table;
	unsigned n;

	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_sum(rsdp, 20);
	assert_sum(rsdp, 36);
	xsdt = memory_ptr(m, le64_get(rsdp + 24), 36);
	assert_non_null(xsdt);
	assert_sum(xsdt, le32_get(xsdt + 4));
	n = (le32_get(xsdt + 4) - 36) / 8;
	for (unsigned i = 0; i < n; i++) {
		table = memory_ptr(m, le64_get(xsdt + 36 + 8 * i), 36);
		assert_non_null(table);
		assert_sum(table, le32_get(table + 4));
		if (!memcmp(table, signature, 4))
			return table;
	}
	if (memcmp(signature, "DSDT", 4))
		return NULL;
	table = memory_ptr(m, le64_get(find_table(m, "FACP") + 140), 36);
	assert_sum(table, le32_get(table + 4));
	return table;
}

static const struct acpi_wish usual = {
	.ncpus = 2,
	.pci64_base = 0x4000000000,
	.pci64_size = LAYOUT_PCI64_SIZE,
};

static void test_fadt_names_our_ports(void **state)
{
	struct memory m = ram_create(MIB);
	const uint8_t *fadt, *facs;

	assert_int_equal(acpi_write(&m, &usual), 0);
	fadt = find_table(&m, "FACP");
	assert_int_equal(le32_get(fadt + 4), 276);
	assert_int_equal(le16_get(fadt + 46), GSI_SCI);
	assert_int_equal(le32_get(fadt + 48), 0); /* SMI_CMD: always in ACPI mode */
	assert_int_equal(le32_get(fadt + 56), PORT_PM1_EVT);
	assert_int_equal(le32_get(fadt + 64), PORT_PM1_CNT);
	assert_int_equal(le32_get(fadt + 76), PORT_PM_TIMER);
	assert_int_equal(le64_get(fadt + 120), PORT_RESET);
	assert_int_equal(fadt[128], 6);
	assert_true(le32_get(fadt + 112) & 1 << 10);
	assert_false(le32_get(fadt + 112) & 1 << 4); /* the power button is fixed hardware */
	assert_true(le16_get(fadt + 109) & 1 << 1);
	facs = memory_ptr(&m, le32_get(fadt + 36), 64);
	assert_memory_equal(facs, "FACS", 4);
	assert_int_equal(le32_get(fadt + 36) % 64, 0);
	free(m.regions[0].host);
}

static unsigned count_madt(const uint8_t *madt, uint8_t type)
{
	unsigned n = 0;

	for (uint32_t at = 44; at < le32_get(madt + 4); at += madt[at + 1]) {
		assert_true(madt[at + 1] >= 2);
		n += madt[at] == type;
	}
	return n;
}

static void test_madt_counts_cpus(void **state)
{
	struct memory m = ram_create(MIB);
	struct acpi_wish w = usual;
	const uint8_t *madt;

	assert_int_equal(acpi_write(&m, &w), 0);
	madt = find_table(&m, "APIC");
	assert_int_equal(count_madt(madt, 0), 2);
	assert_int_equal(count_madt(madt, 1), 1);
	assert_int_equal(count_madt(madt, 2), 2); /* the timer and the SCI */
	assert_int_equal(count_madt(madt, 9), 0);
	w.ncpus = 300;
	assert_int_equal(acpi_write(&m, &w), 0);
	madt = find_table(&m, "APIC");
	assert_int_equal(count_madt(madt, 0), 255);
	assert_int_equal(count_madt(madt, 9), 45);
	assert_int_equal(count_madt(madt, 10), 1);
	free(m.regions[0].host);
}

static void test_mcfg_is_the_ecam(void **state)
{
	struct memory m = ram_create(MIB);
	const uint8_t *mcfg;

	assert_int_equal(acpi_write(&m, &usual), 0);
	mcfg = find_table(&m, "MCFG");
	assert_int_equal(le64_get(mcfg + 44), LAYOUT_ECAM);
	assert_int_equal(mcfg[54], 0);
	assert_int_equal(mcfg[55], LAYOUT_ECAM_SIZE / MIB - 1);
	free(m.regions[0].host);
}

static void test_too_many_cpus_and_too_little_ram(void **state)
{
	struct memory m = ram_create(MIB), tiny = ram_create(64 * KIB);
	struct acpi_wish w = usual;
	uint8_t id[16] = "generation one.";

	w.ncpus = 100000;
	assert_int_equal(acpi_write(&m, &w), -E2BIG);
	assert_int_equal(acpi_write(&tiny, &usual), -EFAULT);
	assert_int_equal(vmgenid_write(&tiny, id), -EFAULT);
	assert_int_equal(vmgenid_write(&m, id), 0);
	assert_memory_equal(memory_ptr(&m, LAYOUT_VMGENID, 16), id, 16);
	free(m.regions[0].host);
	free(tiny.regions[0].host);
}

static void test_aml_says_when_it_fails(void **state)
{
	uint8_t buf[64];
	struct aml a;

	aml_init(&a, buf, sizeof buf);
	aml_scope(&a, "\\_SB");
	assert_int_equal(aml_done(&a), 0); /* still open */
	aml_end(&a);
	assert_int_equal(aml_done(&a), 7);
	aml_end(&a); /* nothing is open */
	assert_int_equal(aml_done(&a), 0);

	aml_init(&a, buf, sizeof buf);
	aml_name_int(&a, "LONGER", 1);
	assert_int_equal(aml_done(&a), 0);
	aml_init(&a, buf, sizeof buf);
	aml_name_int(&a, "A..B", 1);
	assert_int_equal(aml_done(&a), 0);
	aml_init(&a, buf, sizeof buf);
	aml_eisaid(&a, "PNP05G1");
	assert_int_equal(aml_done(&a), 0);
	aml_init(&a, buf, sizeof buf);
	aml_eisaid(&a, "PNP");
	assert_int_equal(aml_done(&a), 0);
	aml_init(&a, buf, sizeof buf);
	aml_uuid(&a, "33db4d5b");
	assert_int_equal(aml_done(&a), 0);
	aml_init(&a, buf, 4);
	aml_string(&a, "does not fit");
	assert_int_equal(aml_done(&a), 0);
	aml_init(&a, buf, 8);
	aml_package(&a, 1);
	for (int i = 0; i < 6; i++)
		aml_int(&a, 0);
	aml_end(&a); /* no room for the length */
	assert_int_equal(aml_done(&a), 0);
	aml_init(&a, buf, sizeof buf);
	for (int i = 0; i <= AML_DEPTH_MAX; i++)
		aml_package(&a, 0);
	assert_true(a.failed);
}

/* Lengths of one, two and three bytes, as 20.2.4 draws them. */
static void test_aml_lengths(void **state)
{
	static const struct {
		size_t body;
		uint8_t head[3];
		size_t n;
	} rows[] = {
		{ 62, { 0x3f }, 1 },
		{ 63, { 0x41, 0x04 }, 2 },
		{ 4093, { 0x4f, 0xff }, 2 },
		{ 4094, { 0x81, 0x00, 0x01 }, 3 },
	};
	static uint8_t buf[8192];
	struct aml a;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		aml_init(&a, buf, sizeof buf);
		aml_if(&a);
		for (size_t n = 0; n < rows[i].body; n++)
			aml_int(&a, 0);
		aml_end(&a);
		assert_int_equal(aml_done(&a), 1 + rows[i].n + rows[i].body);
		assert_memory_equal(buf + 1, rows[i].head, rows[i].n);
	}
}

static int run(const char *dir, const char *command)
{
	g_autofree char *line = g_strdup_printf("cd %s && { %s; } >log 2>&1", dir, command);

	return system(line);
}

/* iasl takes every table apart and puts it together again without a word. */
static void test_iasl_agrees(void **state)
{
	static const char *const names[] = { "DSDT", "FACP", "APIC", "MCFG", "WAET" };
	char dir[] = "/tmp/test_acpi.XXXXXX";
	struct memory m = ram_create(MIB);
	g_autofree char *log = NULL, *again = NULL, *path = NULL;
	const uint8_t *dsdt;
	gsize len;

	if (system("command -v iasl >/dev/null 2>&1"))
		skip();
	assert_int_equal(acpi_write(&m, &usual), 0);
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const uint8_t *t = find_table(&m, names[i]);
		g_autofree char *file = g_strdup_printf("%s/%s.aml", dir, names[i]);

		assert_non_null(t);
		assert_true(g_file_set_contents(file, (const char *)t, le32_get(t + 4), NULL));
	}
	if (run(dir, "for t in *.aml; do iasl -d $t && iasl -we -p again-${t%.aml} "
		     "${t%.aml}.dsl || exit 1; done; ! grep -E '(Warning|Error) +[0-9]+ -' log")) {
		path = g_strdup_printf("%s/log", dir);
		g_file_get_contents(path, &log, NULL, NULL);
		print_error("%s\n", log);
		fail();
	}
	/* The same byte code comes out, but for the compiler's own name in the header. */
	path = g_strdup_printf("%s/again-DSDT.aml", dir);
	assert_true(g_file_get_contents(path, &again, &len, NULL));
	dsdt = find_table(&m, "DSDT");
	assert_int_equal(len, le32_get(dsdt + 4));
	assert_memory_equal(again + 36, dsdt + 36, len - 36);
	run(dir, "rm -rf \"$PWD\"");
	free(m.regions[0].host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fadt_names_our_ports),
		cmocka_unit_test(test_madt_counts_cpus),
		cmocka_unit_test(test_mcfg_is_the_ecam),
		cmocka_unit_test(test_too_many_cpus_and_too_little_ram),
		cmocka_unit_test(test_aml_says_when_it_fails),
		cmocka_unit_test(test_aml_lengths),
		cmocka_unit_test(test_iasl_agrees),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
