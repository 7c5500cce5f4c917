/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where everything stands in the guest's address space and which interrupt line is whose.
 * ACPI, E820, the bus and the devices all read this one file.
 */
#pragma once

/* Physical memory */
#define MEMORY_LOW_MAX     0xc0000000ull /* RAM below 4 GiB ends here at the latest */
#define LAYOUT_EBDA        0x0009fc00ull /* reserved from here to 1 MiB */
#define LAYOUT_GDT         0x00001000ull
#define LAYOUT_PVH_INFO    0x00006000ull
#define LAYOUT_ZERO_PAGE   0x00007000ull
#define LAYOUT_SETUP_DATA  0x00008000ull
#define LAYOUT_PAGE_TABLES 0x00009000ull /* up to the command line */
#define LAYOUT_CMDLINE     0x00020000ull
#define LAYOUT_CMDLINE_MAX 4096u
#define LAYOUT_RSDP        0x000e0000ull
#define LAYOUT_ACPI        0x000e0040ull /* tables, up to: */
#define LAYOUT_ACPI_END    0x000f8000ull
#define LAYOUT_VMGENID     0x000f8000ull /* one page, 16 bytes used at its start */
#define LAYOUT_SMBIOS      0x000f9000ull
#define LAYOUT_KERNEL      0x01000000ull

#define LAYOUT_PCI32      0xc0000000ull /* 32-bit BARs, 512 MiB */
#define LAYOUT_PCI32_SIZE 0x20000000ull
#define LAYOUT_ECAM       0xe0000000ull /* 256 buses */
#define LAYOUT_ECAM_SIZE  0x00100000ull /* bus 0: Linux scans by ports as many buses as there are */
#define LAYOUT_IOAPIC     0xfec00000ull
#define LAYOUT_LAPIC      0xfee00000ull
#define LAYOUT_IDMAP      0xfffbc000ull /* KVM's identity map and TSS on Intel */
#define LAYOUT_TSS        0xfffbd000ull
#define LAYOUT_PCI64_SIZE 0x400000000ull /* 16 GiB of 64-bit BARs, placed by vm_pci64_base() */

/* Ports */
#define PORT_I8042_DATA  0x60
#define PORT_I8042_CMD   0x64
#define PORT_RTC         0x70
#define PORT_SERIAL      0x3f8
#define PORT_PM1_EVT     0x600 /* PM1a event block: status, enable; 4 bytes */
#define PORT_PM1_CNT     0x604 /* PM1a control: 2 bytes */
#define PORT_PM_TIMER    0x608
#define PORT_GED         0x60c /* pending events of the generic event device, read to clear; 4 bytes */
#define PORT_PCI_ADDRESS 0xcf8
#define PORT_RESET       0xcf9 /* inside the address register, as on PCs; bytes only */
#define PORT_PCI_DATA    0xcfc

/* Global system interrupts */
#define GSI_KEYBOARD  1
#define GSI_TIMER     2 /* ISA's line 0, on the IOAPIC pin that PCs have it on */
#define GSI_SERIAL    4
#define GSI_RTC       8
#define GSI_SCI       9 /* level, active high */
#define GSI_GED       10
#define GSI_MOUSE     12
#define GSI_MSI_FIRST 24 /* routes above the IOAPIC's pins belong to MSI */

/* Slots of PCI bus 0: fixed, so that a template fits every clone. */
#define PCI_SLOT_HOST     0
#define PCI_SLOT_GPU      1
#define PCI_SLOT_KEYBOARD 2
#define PCI_SLOT_TABLET   3
#define PCI_SLOT_MOUSE    4
#define PCI_SLOT_NET      5
#define PCI_SLOT_RNG      6
#define PCI_SLOT_CONSOLE  7
#define PCI_SLOT_BALLOON  8
#define PCI_SLOT_SOUND    9
#define PCI_SLOT_XHCI     10
#define PCI_SLOT_WATCHDOG 11
#define PCI_SLOT_DISK     16 /* and up: */
#define PCI_DISKS_MAX     8
