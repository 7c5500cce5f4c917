/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One virtual CPU and its thread.
 *
 * The thread runs the guest and serves its register accesses through the machine's buses. It
 * stands still while vm->wish says so; then, and only then, others may read and write its state.
 */
#pragma once

#include <linux/kvm.h>
#include <stdint.h>

struct boot_entry;
struct vcpu;
struct vm;

/*
 * Makes vCPU number index with its CPUID and starts its thread, standing still. NULL with one line
 * logged. vm is complete but for its vCPUs.
 */
struct vcpu *vcpu_create(struct vm *vm, unsigned index, const struct kvm_cpuid2 *cpuid);

/* vm->wish is VM_ENDING: waits for the thread and frees all. NULL is fine. */
void vcpu_destroy(struct vcpu *v);

/* Takes it out of the guest, so that it looks at vm->wish. vm->lock is held. */
void vcpu_kick(struct vcpu *v);

/* Back to power-on; 0 or -errno. Standing still. */
int vcpu_reset(struct vcpu *v);

/* Where the first vCPU starts; 0 or -errno. Standing still, after vcpu_reset(). */
int vcpu_set_entry(struct vcpu *v, const struct boot_entry *entry);

/* Shifts this vCPU's TSC to the first one's. 0 or -errno. Before it ran. */
int vcpu_copy_tsc_offset(struct vcpu *v, const struct vcpu *first);
