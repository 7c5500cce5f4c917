/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The DSDT: what a guest can only learn from ACPI's name space.
 *
 * There is no _PRT, since every PCI function signals by MSI. Nothing here makes a guest wait: the
 * only method that touches hardware is the event device's.
 */
#include "vmm/boot/acpi.h"

#include <stdio.h>

#include "vmm/boot/aml.h"
#include "vmm/layout.h"
#include "vmm/legacy/pm.h"

/* PCI Firmware Specification 3.3, 4.5: who owns which feature of the host bridge. */
#define OSC_UUID_PCI "33db4d5b-1ff7-401c-9657-7441c03dd766"
enum {
	OSC_UNKNOWN_UUID = 1 << 2,
	OSC_UNKNOWN_REVISION = 1 << 3,
	OSC_MASKED = 1 << 4,
	/* hot-plug, SHPC, PME, AER and the capability structure: all of them native */
	OSC_PCI_GRANTED = 0x1f,
};

static void dsdt_or_into(struct aml *a, const char *field, unsigned bits)
{
	aml_op(a, AML_OR);
	aml_ref(a, field);
	aml_int(a, bits);
	aml_ref(a, field);
}

static void dsdt_dword_field(struct aml *a, unsigned at, const char *name)
{
	aml_op(a, AML_CREATE_DWORD_FIELD);
	aml_arg(a, 3);
	aml_int(a, at);
	aml_path(a, name);
}

/* Serialized, since it creates names. */
static void dsdt_pci_osc(struct aml *a)
{
	aml_method(a, "_OSC", 4, true);
	dsdt_dword_field(a, 0, "CDW1");
	aml_if(a);
	aml_op(a, AML_EQUAL);
	aml_arg(a, 0);
	aml_uuid(a, OSC_UUID_PCI);
	{
		dsdt_dword_field(a, 8, "CDW3");
		aml_op(a, AML_AND);
		aml_ref(a, "CDW3");
		aml_int(a, OSC_PCI_GRANTED);
		aml_local(a, 0);

		aml_if(a);
		aml_op(a, AML_LOGICAL_NOT);
		aml_op(a, AML_EQUAL);
		aml_arg(a, 1);
		aml_int(a, 1);
		dsdt_or_into(a, "CDW1", OSC_UNKNOWN_REVISION);
		aml_end(a);

		aml_if(a);
		aml_op(a, AML_LOGICAL_NOT);
		aml_op(a, AML_EQUAL);
		aml_ref(a, "CDW3");
		aml_local(a, 0);
		dsdt_or_into(a, "CDW1", OSC_MASKED);
		aml_end(a);

		aml_op(a, AML_STORE);
		aml_local(a, 0);
		aml_ref(a, "CDW3");
	}
	aml_end(a);
	aml_else(a);
	dsdt_or_into(a, "CDW1", OSC_UNKNOWN_UUID);
	aml_end(a);
	aml_op(a, AML_RETURN);
	aml_arg(a, 3);
	aml_end(a);
}

static void dsdt_pci(struct aml *a, const struct acpi_wish *w)
{
	aml_device(a, "PCI0");
	aml_name_eisaid(a, "_HID", "PNP0A08");
	aml_name_eisaid(a, "_CID", "PNP0A03");
	aml_name_int(a, "_SEG", 0);
	aml_name_int(a, "_UID", 0);
	aml_name_int(a, "_BBN", 0);
	aml_name_int(a, "_CCA", 1);
	aml_resources(a, "_CRS");
	aml_res_bus_window(a, 0, LAYOUT_ECAM_SIZE / (1 << 20) - 1);
	aml_res_ports(a, PORT_PCI_ADDRESS, 8);
	aml_res_window32(a, LAYOUT_PCI32, LAYOUT_PCI32_SIZE);
	if (w->pci64_size)
		aml_res_window64(a, w->pci64_base, w->pci64_size);
	aml_resources_end(a);
	dsdt_pci_osc(a);
	aml_end(a);
}

/* ECAM and the ports that no device claims. Linux uses ECAM only where this reserves it. */
static void dsdt_motherboard(struct aml *a)
{
	aml_device(a, "MBRD");
	aml_name_eisaid(a, "_HID", "PNP0C02");
	aml_name_int(a, "_UID", 0);
	aml_resources(a, "_CRS");
	aml_res_memory32(a, LAYOUT_ECAM, LAYOUT_ECAM_SIZE);
	aml_res_ports(a, PORT_GED, 4);
	aml_resources_end(a);
	aml_end(a);
}

static void dsdt_legacy(struct aml *a)
{
	aml_device(a, "COM1");
	aml_name_eisaid(a, "_HID", "PNP0501");
	aml_name_int(a, "_UID", 1);
	aml_resources(a, "_CRS");
	aml_res_ports(a, PORT_SERIAL, 8);
	aml_res_irq(a, GSI_SERIAL);
	aml_resources_end(a);
	aml_end(a);

	aml_device(a, "RTC");
	aml_name_eisaid(a, "_HID", "PNP0B00");
	aml_resources(a, "_CRS");
	aml_res_ports(a, PORT_RTC, 2);
	aml_res_irq(a, GSI_RTC);
	aml_resources_end(a);
	aml_end(a);

	/* A keyboard controller without the second port: pointers are virtio's. */
	aml_device(a, "KBD");
	aml_name_eisaid(a, "_HID", "PNP0303");
	aml_resources(a, "_CRS");
	aml_res_ports(a, PORT_I8042_DATA, 1);
	aml_res_ports(a, PORT_I8042_CMD, 1);
	aml_res_irq(a, GSI_KEYBOARD);
	aml_resources_end(a);
	aml_end(a);
}

/* Microsoft's "Virtual Machine Generation ID" paper; Linux matches the _CID. */
static void dsdt_vmgenid(struct aml *a)
{
	aml_device(a, "VGEN");
	aml_name_string(a, "_HID", "HOTD0001");
	aml_name_string(a, "_CID", "VM_Gen_Counter");
	aml_name_string(a, "_DDN", "VM_Gen_Counter");
	aml_name(a, "ADDR");
	aml_package(a, 2);
	aml_int(a, LAYOUT_VMGENID & UINT32_MAX);
	aml_int(a, LAYOUT_VMGENID >> 32);
	aml_end(a);
	aml_end(a);
}

/* The generic event device (5.6.9): reading PORT_GED gives the pending bits and clears them. */
static void dsdt_events(struct aml *a)
{
	aml_device(a, "GED");
	aml_name_string(a, "_HID", "ACPI0013");
	aml_name_int(a, "_UID", 0);
	aml_resources(a, "_CRS");
	aml_res_interrupt_edge(a, GSI_GED);
	aml_resources_end(a);
	aml_port_region32(a, "EVTR", "EVTS", PORT_GED);
	aml_method(a, "_EVT", 1, true);
	aml_op(a, AML_STORE);
	aml_ref(a, "EVTS");
	aml_local(a, 0);
	aml_if(a);
	aml_op(a, AML_AND);
	aml_local(a, 0);
	aml_int(a, 1 << ACPI_GED_VMGENID);
	aml_op(a, AML_NOWHERE);
	aml_op(a, AML_NOTIFY);
	aml_ref(a, "VGEN");
	aml_int(a, 0x80);
	aml_end(a);
	aml_end(a);
	aml_end(a);
}

static void dsdt_cpus(struct aml *a, unsigned ncpus)
{
	for (unsigned i = 0; i < ncpus; i++) {
		char name[5];

		snprintf(name, sizeof name, "C%03X", i & 0xfff);
		aml_device(a, name);
		aml_name_string(a, "_HID", "ACPI0007");
		aml_name_int(a, "_UID", i);
		aml_end(a);
	}
}

void acpi_dsdt(struct aml *a, const struct acpi_wish *w)
{
	aml_name(a, "_S5");
	aml_package(a, 4);
	aml_int(a, PM_SLP_TYP_S5);
	aml_int(a, PM_SLP_TYP_S5);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_end(a);

	aml_scope(a, "_SB");
	dsdt_cpus(a, w->ncpus);
	dsdt_pci(a, w);
	dsdt_motherboard(a);
	dsdt_legacy(a);
	dsdt_vmgenid(a);
	dsdt_events(a);
	aml_end(a);
}
