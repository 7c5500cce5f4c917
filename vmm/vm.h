/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual machine as KVM knows it: RAM, interrupt controllers, vCPUs and the two address
 * spaces that their accesses go to. Devices are hung into it by vmm/machine.h.
 */
#pragma once

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/cpuid.h"
#include "vmm/irqchip.h"
#include "vmm/memory.h"
#include "vmm/power.h"

#define VM_CPUS_MAX 64

struct vcpu;
struct boot_entry;

/* What vCPU threads report; called on them, must only post. */
struct vm_events {
	/* A vCPU cannot go on; what happened has been logged. */
	void (*failed)(void *opaque);
	void *opaque;
	struct power_sink power;
};

struct vm {
	int kvm, fd;
	struct memory mem;
	struct bus *mmio, *ports;
	struct irqchip *irqchip;
	struct vm_events events;
	uint64_t pci64_base; /* where 64-bit BARs go: below the end of what the CPU can address */

	struct cpuid_table cpuid; /* what --cpu chose; kept as state */
	unsigned ncpus;
	struct vcpu *cpus[VM_CPUS_MAX];

	/* The controllers as they were before the guest ran, for a reset in place. */
	struct kvm_irqchip pristine_chips[3];
	struct kvm_pit_state2 pristine_pit;

	/* Whether vCPUs run: changed by the machine loop, obeyed by the vCPU threads. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum { VM_STOPPED, VM_RUNNING, VM_ENDING } wish;
	unsigned parked; /* vCPU threads that stand still */
};

struct vm_config {
	uint64_t memory;     /* bytes */
	const char *run_dir; /* or NULL: see memory_init() */
	unsigned cpus;
	const char *cpu; /* as --cpu */
};

void vm_init(struct vm *vm); /* nothing is made yet */

/*
 * Opens /dev/kvm and makes everything, vCPU threads included: they stand still until vm_run().
 * 0 or -errno with one line logged; nothing is left behind then.
 */
int vm_create(struct vm *vm, const struct vm_config *c, const struct vm_events *events);

/* Ends the vCPU threads, so that devices can be taken apart; then all the rest. */
void vm_end(struct vm *vm);
void vm_destroy(struct vm *vm); /* one that was only vm_init()ed, or destroyed already, is fine */

/* Lets the vCPUs run; stops them, and returns when all stand still. Machine loop, no lock held. */
void vm_run(struct vm *vm);
void vm_stop(struct vm *vm);

/*
 * As vm_stop() without waiting: for a vCPU that asks for power-off or reset, so that the guest does
 * nothing after its request. Any thread; the machine loop's vm_stop() or vm_run() follows.
 */
void vm_freeze(struct vm *vm);

/*
 * Puts interrupt controllers and vCPUs back to power-on, for a start and for a reset in place; then
 * the first vCPU is put at a loaded kernel's entry. In this order: until its reset a vCPU's
 * paravirtual areas lie in RAM, and KVM writes to them even while the vCPU stands still. Stopped.
 * 0 or -errno with one line logged.
 */
int vm_reset(struct vm *vm);
int vm_set_entry(struct vm *vm, const struct boot_entry *entry);

/* Kicks of virtio queues: a 32-bit or any other write to address becomes an event. 0 or -errno. */
int vm_ioeventfd(struct vm *vm, int fd, uint64_t address, bool attach);
