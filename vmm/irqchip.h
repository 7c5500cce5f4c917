/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's interrupt controllers: two PICs, an IOAPIC, and GSI routes for MSI.
 *
 * The first GSI_MSI_FIRST routes are the pins, as KVM sets them up by itself; the rest belong to
 * vectors of devices.
 */
#pragma once

#include "vmm/irq.h"
#include "vmm/msi.h"

struct irqchip;

/* After KVM_CREATE_IRQCHIP. NULL with errno set. */
struct irqchip *irqchip_create(int vm_fd);
void irqchip_destroy(struct irqchip *ic);

struct irq_line irqchip_line(struct irqchip *ic, unsigned gsi);
struct msi_target irqchip_msi(struct irqchip *ic);
