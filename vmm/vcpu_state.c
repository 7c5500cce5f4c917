/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vcpu_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/bytes.h"

enum { MSR_TSC = 0x10, MSR_TSC_ADJUST = 0x3b, MSR_CHUNK = 64 };

struct msr_chunk {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[MSR_CHUNK];
};

/* Reads or writes n MSRs. One that KVM refuses ends a call early: it is left out, the rest goes on. */
static uint32_t transfer_msrs(int fd, unsigned long request, struct kvm_msr_entry *msrs, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t at = 0; at < n;) {
		struct msr_chunk c = { .head.nmsrs = MIN(n - at, (uint32_t)MSR_CHUNK) };
		int done;

		memcpy(c.entries, msrs + at, c.head.nmsrs * sizeof *msrs);
		done = ioctl(fd, request, &c);
		if (done < 0)
			done = 0;
		memmove(msrs + kept, c.entries, (size_t)done * sizeof *msrs);
		kept += (uint32_t)done;
		at += (uint32_t)done < c.head.nmsrs ? (uint32_t)done + 1 : (uint32_t)done;
	}
	return kept;
}

static int list_msrs(struct vcpu_state *s, int kvm_fd)
{
	struct kvm_msr_list *list =
		calloc(1, sizeof *list + VCPU_MSRS_MAX * sizeof list->indices[0]);
	int err = 0;

	if (!list)
		return -ENOMEM;
	list->nmsrs = VCPU_MSRS_MAX;
	if (ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, list) < 0)
		err = -errno;
	s->nmsrs = 0;
	for (uint32_t i = 0; !err && i < list->nmsrs; i++)
		if (list->indices[i] != MSR_TSC && list->indices[i] != MSR_TSC_ADJUST)
			s->msrs[s->nmsrs++].index = list->indices[i];
	free(list);
	return err;
}

int vcpu_state_read(struct vcpu_state *s, int kvm_fd, int vcpu_fd)
{
	int err = list_msrs(s, kvm_fd);

	if (err)
		return err;
	if (ioctl(vcpu_fd, KVM_GET_MP_STATE, &s->mp) < 0 ||
		ioctl(vcpu_fd, KVM_GET_REGS, &s->regs) < 0 ||
		ioctl(vcpu_fd, KVM_GET_SREGS, &s->sregs) < 0 ||
		ioctl(vcpu_fd, KVM_GET_XSAVE, &s->xsave) < 0 ||
		ioctl(vcpu_fd, KVM_GET_XCRS, &s->xcrs) < 0 ||
		ioctl(vcpu_fd, KVM_GET_DEBUGREGS, &s->debugregs) < 0 ||
		ioctl(vcpu_fd, KVM_GET_LAPIC, &s->lapic) < 0)
		return -errno;
	s->nmsrs = transfer_msrs(vcpu_fd, KVM_GET_MSRS, s->msrs, s->nmsrs);
	return ioctl(vcpu_fd, KVM_GET_VCPU_EVENTS, &s->events) < 0 ? -errno : 0;
}

int vcpu_state_write(const struct vcpu_state *s, int vcpu_fd)
{
	struct kvm_msr_entry *msrs = malloc(sizeof s->msrs);

	if (!msrs)
		return -ENOMEM;
	memcpy(msrs, s->msrs, sizeof s->msrs);
	if (ioctl(vcpu_fd, KVM_SET_MP_STATE, &s->mp) < 0 ||
		ioctl(vcpu_fd, KVM_SET_REGS, &s->regs) < 0 ||
		ioctl(vcpu_fd, KVM_SET_SREGS, &s->sregs) < 0 ||
		ioctl(vcpu_fd, KVM_SET_XSAVE, &s->xsave) < 0 ||
		ioctl(vcpu_fd, KVM_SET_XCRS, &s->xcrs) < 0 ||
		ioctl(vcpu_fd, KVM_SET_DEBUGREGS, &s->debugregs) < 0 ||
		ioctl(vcpu_fd, KVM_SET_LAPIC, &s->lapic) < 0) {
		free(msrs);
		return -errno;
	}
	transfer_msrs(vcpu_fd, KVM_SET_MSRS, msrs, s->nmsrs);
	free(msrs);
	return ioctl(vcpu_fd, KVM_SET_VCPU_EVENTS, &s->events) < 0 ? -errno : 0;
}
