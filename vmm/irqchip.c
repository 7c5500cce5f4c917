/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/irqchip.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "vmm/layout.h"

enum { MSI_ROUTES_MAX = 1024, PIC_PINS = 16, PINS_PER_PIC = 8 };

struct irqchip {
	int vm_fd;
	pthread_mutex_t lock;
	unsigned nmsi;
	struct kvm_irq_routing *table; /* pins, then every attached vector */
	struct {
		uint64_t address;
		uint32_t data;
		bool routed;
	} msi[MSI_ROUTES_MAX];
};

static void add_pin(struct kvm_irq_routing *t, unsigned gsi, unsigned chip, unsigned pin)
{
	t->entries[t->nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/* The pins are what KVM starts with, except that line 0, the timer, is the IOAPIC's pin 2. */
static void add_pins(struct kvm_irq_routing *t)
{
	for (unsigned gsi = 0; gsi < PIC_PINS; gsi++)
		if (gsi != 2)
			add_pin(t, gsi,
				gsi < PINS_PER_PIC ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				gsi % PINS_PER_PIC);
	for (unsigned gsi = 0; gsi < GSI_MSI_FIRST; gsi++)
		if (gsi != 2)
			add_pin(t, gsi, KVM_IRQCHIP_IOAPIC, gsi ? gsi : 2);
}

static int set_routes(struct irqchip *ic)
{
	struct kvm_irq_routing *t = ic->table;

	t->nr = 0;
	t->flags = 0;
	add_pins(t);
	for (unsigned i = 0; i < ic->nmsi; i++)
		if (ic->msi[i].routed)
			t->entries[t->nr++] = (struct kvm_irq_routing_entry){
				.gsi = GSI_MSI_FIRST + i,
				.type = KVM_IRQ_ROUTING_MSI,
				.u.msi = { .address_lo = (uint32_t)ic->msi[i].address,
					.address_hi = (uint32_t)(ic->msi[i].address >> 32),
					.data = ic->msi[i].data },
			};
	return ioctl(ic->vm_fd, KVM_SET_GSI_ROUTING, t) < 0 ? -errno : 0;
}

struct irqchip *irqchip_create(int vm_fd)
{
	struct irqchip *ic = calloc(1, sizeof *ic);
	size_t entries = PIC_PINS + GSI_MSI_FIRST + MSI_ROUTES_MAX;
	int err;

	if (!ic)
		return NULL;
	ic->vm_fd = vm_fd;
	pthread_mutex_init(&ic->lock, NULL);
	ic->table = calloc(1, sizeof *ic->table + entries * sizeof ic->table->entries[0]);
	/* At once, since KVM's own routes have the timer on pin 0. */
	err = ic->table ? set_routes(ic) : -ENOMEM;
	if (!err)
		return ic;
	irqchip_destroy(ic);
	errno = -err;
	return NULL;
}

void irqchip_destroy(struct irqchip *ic)
{
	if (!ic)
		return;
	pthread_mutex_destroy(&ic->lock);
	free(ic->table);
	free(ic);
}

static void line_set(void *opaque, unsigned gsi, bool level)
{
	struct irqchip *ic = opaque;
	struct kvm_irq_level l = { .irq = gsi, .level = level };

	ioctl(ic->vm_fd, KVM_IRQ_LINE, &l);
}

struct irq_line irqchip_line(struct irqchip *ic, unsigned gsi)
{
	return (struct irq_line){ .set = line_set, .opaque = ic, .gsi = gsi };
}

static int msi_alloc(void *opaque)
{
	struct irqchip *ic = opaque;
	int route = -ENOSPC;

	pthread_mutex_lock(&ic->lock);
	if (ic->nmsi < MSI_ROUTES_MAX)
		route = (int)ic->nmsi++;
	pthread_mutex_unlock(&ic->lock);
	return route;
}

static int irqfd(struct irqchip *ic, int route, int fd, unsigned flags)
{
	struct kvm_irqfd arg = { .fd = fd, .gsi = GSI_MSI_FIRST + route, .flags = flags };

	return ioctl(ic->vm_fd, KVM_IRQFD, &arg) < 0 ? -errno : 0;
}

/*
 * KVM makes a new table of all routes for each change and waits until nobody uses the old one, so
 * a vector that is masked and unmasked with the same message changes nothing here.
 */
static int msi_attach(void *opaque, int route, int fd, uint64_t address, uint32_t data)
{
	struct irqchip *ic = opaque;
	int err = 0;

	pthread_mutex_lock(&ic->lock);
	if (!ic->msi[route].routed || ic->msi[route].address != address ||
		ic->msi[route].data != data) {
		ic->msi[route].routed = true;
		ic->msi[route].address = address;
		ic->msi[route].data = data;
		err = set_routes(ic);
		if (err) /* or KVM would refuse every other device's next route with it */
			ic->msi[route].routed = false;
	}
	pthread_mutex_unlock(&ic->lock);
	return err ? err : irqfd(ic, route, fd, 0);
}

static void msi_detach(void *opaque, int route, int fd)
{
	irqfd(opaque, route, fd, KVM_IRQFD_FLAG_DEASSIGN);
}

struct msi_target irqchip_msi(struct irqchip *ic)
{
	static const struct msi_ops ops = {
		.alloc = msi_alloc,
		.attach = msi_attach,
		.detach = msi_detach,
	};

	return (struct msi_target){ .ops = &ops, .opaque = ic };
}
