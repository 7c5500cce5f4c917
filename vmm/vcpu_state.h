/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All of a vCPU that KVM keeps, as one struct, read and written in the orders that KVM needs.
 *
 * Reading: the run state first and pending events last. Writing: registers before the local APIC,
 * that before the MSRs (or KVM drops a TSC deadline), events last.
 */
#pragma once

#include <linux/kvm.h>
#include <stdint.h>

#define VCPU_MSRS_MAX 512

struct vcpu_state {
	struct kvm_mp_state mp;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	uint32_t nmsrs;
	struct kvm_msr_entry msrs[VCPU_MSRS_MAX];
};

/* kvm_fd is /dev/kvm's: it lists the MSRs. 0 or -errno. The vCPU stands still. */
int vcpu_state_read(struct vcpu_state *s, int kvm_fd, int vcpu_fd);

/* The TSC is left alone: it must stay in step with the other vCPUs'. */
int vcpu_state_write(const struct vcpu_state *s, int vcpu_fd);
