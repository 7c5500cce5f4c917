/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/acpi.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <glib.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/boot/aml.h"
#include "vmm/layout.h"
#include "vmm/legacy/pm.h"
#include "vmm/legacy/rtc.h"
#include "vmm/memory.h"

/* Tables as the specification draws them; all little-endian, none of them aligned. */
struct acpi_rsdp { /* 5.2.5.3 */
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct acpi_header { /* 5.2.6 */
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct acpi_address { /* 5.2.3.2, generic address structure */
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} __attribute__((packed));

struct acpi_fadt { /* 5.2.9 */
	struct acpi_header h;
	uint32_t facs, dsdt;
	uint8_t reserved0;
	uint8_t profile;
	uint16_t sci;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate_cnt;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_timer, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_timer_len, gpe0_len, gpe1_len, gpe1_base;
	uint8_t cst_cnt;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct acpi_address x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_timer;
	struct acpi_address x_gpe0, x_gpe1, sleep_control, sleep_status;
	char hypervisor[8];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_fadt) == 276, "revision 6 of the FADT");

struct acpi_facs { /* 5.2.10 */
	char signature[4];
	uint32_t length, hardware_signature, waking, global_lock, flags;
	uint64_t x_waking;
	uint8_t version;
	uint8_t reserved[31];
} __attribute__((packed));

struct madt_lapic { /* 5.2.12.2 */
	uint8_t type, length, uid, id;
	uint32_t flags;
} __attribute__((packed));

struct madt_x2apic { /* 5.2.12.12 */
	uint8_t type, length;
	uint16_t reserved;
	uint32_t id, flags, uid;
} __attribute__((packed));

struct madt_ioapic { /* 5.2.12.3 */
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} __attribute__((packed));

struct madt_override { /* 5.2.12.5 */
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct madt_lapic_nmi { /* 5.2.12.7 */
	uint8_t type, length, uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

struct madt_x2apic_nmi { /* 5.2.12.13 */
	uint8_t type, length;
	uint16_t flags;
	uint32_t uid;
	uint8_t lint, reserved[3];
} __attribute__((packed));

struct mcfg_segment { /* PCI Firmware Specification 3.3, 4.1.2 */
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved;
} __attribute__((packed));

enum {
	FADT_PROFILE_DESKTOP = 1,
	FADT_LEGACY_DEVICES = 1 << 0,
	FADT_8042 = 1 << 1,
	FADT_NO_VGA = 1 << 2,

	FADT_WBINVD = 1 << 0,
	FADT_PROC_C1 = 1 << 2,
	FADT_NO_FIXED_SLEEP_BUTTON = 1 << 5,
	FADT_NO_FIXED_RTC_WAKE = 1 << 6,
	FADT_TIMER_32_BITS = 1 << 8,
	FADT_RESET_REGISTER = 1 << 10,
	FADT_LATENCY_NONE = 0xffff, /* above 100 and 1000: there is no C2 and no C3 */

	ACPI_SPACE_IO = 1,
	MADT_PCAT = 1 << 0,
	MADT_ENABLED = 1 << 0,
	MADT_HIGH_LEVEL = 1 | 3 << 2,
	MADT_LAPIC_IDS = 255, /* ids from here on need an x2APIC entry */
	WAET_RTC_GOOD = 1 << 0,
	WAET_PM_TIMER_GOOD = 1 << 1,
};

/* Tables are made in a buffer that stands for LAYOUT_ACPI .. LAYOUT_ACPI_END. */
struct acpi_area {
	uint8_t *data;
	uint32_t len;
	bool failed;
};

enum { AREA_SIZE = LAYOUT_ACPI_END - LAYOUT_ACPI };

static void *area_add(struct acpi_area *a, uint32_t size)
{
	uint32_t at = a->len;

	if (a->failed || size > AREA_SIZE - at) {
		a->failed = true;
		return NULL;
	}
	a->len += size;
	return a->data + at;
}

static void area_put(struct acpi_area *a, const void *p, uint32_t size)
{
	void *to = area_add(a, size);

	if (to)
		memcpy(to, p, size);
}

static uint64_t area_address(const struct acpi_area *a)
{
	return LAYOUT_ACPI + a->len;
}

static void area_align(struct acpi_area *a)
{
	area_add(a, ALIGN_UP(area_address(a), 64) - area_address(a));
}

static uint8_t acpi_checksum(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (len--)
		sum += *b++;
	return -sum;
}

/* Opens a table: its header; table_end() fills in length and checksum. Returns its offset. */
static uint32_t table_begin(struct acpi_area *a, const char signature[4], uint8_t revision)
{
	struct acpi_header h = {
		.revision = revision,
		.oem_id = { 'H', 'O', 'T', 'D', 'S', 'K' },
		.oem_table_id = { 'D', 'E', 'S', 'K', 'T', 'O', 'P', ' ' },
		.oem_revision = 1,
		.creator_id = { 'H', 'O', 'T', 'D' },
		.creator_revision = 1,
	};
	uint32_t at;

	area_align(a);
	at = a->len;
	memcpy(h.signature, signature, sizeof h.signature);
	area_put(a, &h, sizeof h);
	return at;
}

static uint64_t table_end(struct acpi_area *a, uint32_t at)
{
	struct acpi_header *h = (struct acpi_header *)(a->data + at);

	if (a->failed)
		return 0;
	h->length = a->len - at;
	h->checksum = acpi_checksum(h, h->length);
	return LAYOUT_ACPI + at;
}

static uint64_t add_dsdt(struct acpi_area *a, const struct acpi_wish *w)
{
	uint32_t at = table_begin(a, "DSDT", 2);
	struct aml aml;

	if (a->failed)
		return 0;
	aml_init(&aml, a->data + a->len, AREA_SIZE - a->len);
	acpi_dsdt(&aml, w);
	if (!aml_done(&aml))
		a->failed = true;
	else
		a->len += aml_done(&aml);
	return table_end(a, at);
}

static uint64_t add_facs(struct acpi_area *a)
{
	struct acpi_facs f = { .signature = "FACS", .length = sizeof f, .version = 2 };
	uint64_t at;

	area_align(a);
	at = area_address(a);
	area_put(a, &f, sizeof f);
	return at;
}

static struct acpi_address port_address(uint16_t port, uint8_t bytes)
{
	uint8_t access = bytes == 1 ? 1 : bytes == 2 ? 2 : 3;

	return (struct acpi_address){ ACPI_SPACE_IO, bytes * 8, 0, access, port };
}

static uint64_t add_fadt(struct acpi_area *a, uint64_t facs, uint64_t dsdt)
{
	struct acpi_fadt f = {
		.facs = facs,
		.dsdt = dsdt,
		.profile = FADT_PROFILE_DESKTOP,
		.sci = GSI_SCI,
		.pm1a_evt = PORT_PM1_EVT,
		.pm1a_cnt = PORT_PM1_CNT,
		.pm_timer = PORT_PM_TIMER,
		.pm1_evt_len = 4,
		.pm1_cnt_len = 2,
		.pm_timer_len = 4,
		.c2_latency = FADT_LATENCY_NONE,
		.c3_latency = FADT_LATENCY_NONE,
		.century = RTC_CENTURY,
		.boot_arch = FADT_LEGACY_DEVICES | FADT_8042 | FADT_NO_VGA,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_FIXED_SLEEP_BUTTON |
			 FADT_NO_FIXED_RTC_WAKE | FADT_TIMER_32_BITS | FADT_RESET_REGISTER,
		.reset = port_address(PORT_RESET, 1),
		.reset_value = PM_RESET_VALUE,
		.minor = 3,
		.x_dsdt = dsdt,
		.x_pm1a_evt = port_address(PORT_PM1_EVT, 4),
		.x_pm1a_cnt = port_address(PORT_PM1_CNT, 2),
		.x_pm_timer = port_address(PORT_PM_TIMER, 4),
		.hypervisor = { 'H', 'O', 'T', 'D', 'E', 'S', 'K', ' ' },
	};
	uint32_t at;

	/* Events are read and written 16 bits at a time: status and enable are two registers. */
	f.x_pm1a_evt.access = 2;
	at = table_begin(a, "FACP", 6);
	area_put(a, &f.facs, sizeof f - sizeof f.h);
	return table_end(a, at);
}

static void madt_cpu(struct acpi_area *a, uint32_t id)
{
	if (id < MADT_LAPIC_IDS) {
		struct madt_lapic e = { 0, sizeof e, id, id, MADT_ENABLED };
		area_put(a, &e, sizeof e);
	} else {
		struct madt_x2apic e = { 9, sizeof e, 0, id, MADT_ENABLED, id };
		area_put(a, &e, sizeof e);
	}
}

static uint64_t add_madt(struct acpi_area *a, unsigned ncpus)
{
	struct madt_override timer = { 2, sizeof timer, 0, 0, GSI_TIMER, 0 };
	struct madt_override sci = { 2, sizeof sci, 0, GSI_SCI, GSI_SCI, MADT_HIGH_LEVEL };
	struct madt_ioapic ioapic = { 1, sizeof ioapic, 0, 0, LAYOUT_IOAPIC, 0 };
	struct madt_lapic_nmi nmi = { 4, sizeof nmi, 0xff, 0, 1 };
	struct madt_x2apic_nmi x2nmi = { 10, sizeof x2nmi, 0, UINT32_MAX, 1, { 0 } };
	uint32_t head[2] = { LAYOUT_LAPIC, MADT_PCAT };
	uint32_t at = table_begin(a, "APIC", 5);

	area_put(a, head, sizeof head);
	for (unsigned i = 0; i < ncpus; i++)
		madt_cpu(a, i);
	area_put(a, &ioapic, sizeof ioapic);
	area_put(a, &timer, sizeof timer);
	area_put(a, &sci, sizeof sci);
	area_put(a, &nmi, sizeof nmi);
	if (ncpus > MADT_LAPIC_IDS)
		area_put(a, &x2nmi, sizeof x2nmi);
	return table_end(a, at);
}

static uint64_t add_mcfg(struct acpi_area *a)
{
	struct mcfg_segment s = {
		.base = LAYOUT_ECAM,
		.last_bus = LAYOUT_ECAM_SIZE / MIB - 1,
	};
	uint64_t reserved = 0;
	uint32_t at = table_begin(a, "MCFG", 1);

	area_put(a, &reserved, sizeof reserved);
	area_put(a, &s, sizeof s);
	return table_end(a, at);
}

/* "Windows ACPI Emulated Devices Table": clocks need no work-arounds of real chips. */
static uint64_t add_waet(struct acpi_area *a)
{
	uint32_t flags = WAET_RTC_GOOD | WAET_PM_TIMER_GOOD;
	uint32_t at = table_begin(a, "WAET", 1);

	area_put(a, &flags, sizeof flags);
	return table_end(a, at);
}

int acpi_write(const struct memory *m, const struct acpi_wish *w)
{
	struct acpi_rsdp rsdp = {
		.signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' },
		.oem_id = { 'H', 'O', 'T', 'D', 'S', 'K' },
		.revision = 2,
		.length = sizeof rsdp,
	};
	g_autofree uint8_t *buf = g_malloc0(AREA_SIZE);
	struct acpi_area a = { .data = buf };
	uint64_t dsdt, facs, tables[4];
	uint32_t xsdt;
	int err;

	dsdt = add_dsdt(&a, w);
	facs = add_facs(&a);
	tables[0] = add_fadt(&a, facs, dsdt);
	tables[1] = add_madt(&a, w->ncpus);
	tables[2] = add_mcfg(&a);
	tables[3] = add_waet(&a);
	xsdt = table_begin(&a, "XSDT", 1);
	area_put(&a, tables, sizeof tables);
	rsdp.xsdt = table_end(&a, xsdt);
	if (a.failed) {
		log_error("acpi: tables of %u CPUs need more than %u bytes; lower --cpus", w->ncpus,
			(unsigned)AREA_SIZE);
		return -E2BIG;
	}
	rsdp.checksum = acpi_checksum(&rsdp, offsetof(struct acpi_rsdp, length));
	rsdp.extended_checksum = acpi_checksum(&rsdp, sizeof rsdp);
	err = memory_write(m, LAYOUT_ACPI, a.data, a.len);
	if (!err)
		err = memory_write(m, LAYOUT_RSDP, &rsdp, sizeof rsdp);
	if (err)
		log_error("acpi: no RAM below 1 MiB for the tables; raise --memory");
	return err;
}

int vmgenid_write(const struct memory *m, const uint8_t id[16])
{
	return memory_write(m, LAYOUT_VMGENID, id, 16);
}
