/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables that tell a guest what this machine is (ACPI 6.5, chapter 5):
 *
 *   RSDP (LAYOUT_RSDP) -> XSDT -> FADT -> FACS, DSDT
 *                              -> MADT, MCFG, WAET
 *
 * Full ACPI hardware, always in ACPI mode. Where things stand comes from vmm/layout.h alone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct aml;
struct memory;

struct acpi_wish {
	unsigned ncpus;                  /* 1 and up; APIC id = index */
	uint64_t pci64_base, pci64_size; /* the window of 64-bit BARs; size 0: none */
};

/* The event device's pending bits (PORT_GED). */
enum { ACPI_GED_VMGENID };

/*
 * Writes all tables into RAM at LAYOUT_RSDP and LAYOUT_ACPI. 0, or -errno with one line logged.
 * To be called again after a reset, since a guest may have written over them.
 */
int acpi_write(const struct memory *m, const struct acpi_wish *w);

/*
 * Puts a new generation id at LAYOUT_VMGENID; a running guest is then told by
 * pm_ged_raise(ACPI_GED_VMGENID). 0 or -EFAULT.
 */
int vmgenid_write(const struct memory *m, const uint8_t id[16]);

/* The body of the DSDT, for acpi.c: device names, resources, sleep states, events. */
void acpi_dsdt(struct aml *a, const struct acpi_wish *w);
