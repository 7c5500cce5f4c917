/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/boot/entry.h"
#include "vmm/vcpu_state.h"
#include "vmm/vm.h"

/* Ends KVM_RUN early; its handler does nothing. */
#define KICK_SIGNAL (SIGRTMIN + 1)

enum { INSTRUCTION_BYTES = 16 };

struct vcpu {
	struct vm *vm;
	unsigned index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool has_thread;
	bool access_served;         /* and not yet seen by the guest */
	bool failed;                /* it will never run again */
	struct vcpu_state pristine; /* as made, for a reset in place */
};

/* ---- what went wrong ---- */

/* Walks the guest's page tables by KVM; false where the address is mapped to no RAM. */
static bool read_instruction(struct vcpu *v, uint64_t address, uint8_t bytes[INSTRUCTION_BYTES])
{
	struct kvm_translation t = { .linear_address = address };

	return ioctl(v->fd, KVM_TRANSLATE, &t) == 0 && t.valid &&
	       memory_read(&v->vm->mem, t.physical_address, bytes, INSTRUCTION_BYTES) == 0;
}

static void report(struct vcpu *v, const char *what)
{
	struct kvm_regs r = { 0 };
	struct kvm_sregs s = { 0 };
	uint8_t bytes[INSTRUCTION_BYTES];
	char text[3 * INSTRUCTION_BYTES + 1] = "not readable";

	ioctl(v->fd, KVM_GET_REGS, &r);
	ioctl(v->fd, KVM_GET_SREGS, &s);
	if (read_instruction(v, s.cs.base + r.rip, bytes))
		for (int i = 0; i < INSTRUCTION_BYTES; i++)
			snprintf(text + 3 * i, 4, "%02x ", bytes[i]);
	log_error("vCPU %u: %s", v->index, what);
	log_error("  rip %016llx rsp %016llx rflags %08llx", r.rip, r.rsp, r.rflags);
	log_error("  rax %016llx rbx %016llx rcx %016llx rdx %016llx", r.rax, r.rbx, r.rcx, r.rdx);
	log_error("  rsi %016llx rdi %016llx rbp %016llx r8  %016llx", r.rsi, r.rdi, r.rbp, r.r8);
	log_error("  r9  %016llx r10 %016llx r11 %016llx r12 %016llx", r.r9, r.r10, r.r11, r.r12);
	log_error("  r13 %016llx r14 %016llx r15 %016llx efer %llx", r.r13, r.r14, r.r15, s.efer);
	log_error("  cr0 %llx cr2 %llx cr3 %llx cr4 %llx cs %x ss %x", s.cr0, s.cr2, s.cr3, s.cr4,
		s.cs.selector, s.ss.selector);
	log_error("  instructions at rip: %s", text);
}

static void fail(struct vcpu *v, const char *what)
{
	struct vm_events *e = &v->vm->events;

	report(v, what);
	v->failed = true;
	e->failed(e->opaque);
}

/* ---- exits ---- */

static void serve_port(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	/* A repeated string instruction hands over several at once. */
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		uint64_t value = 0;

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&value, data, run->io.size);
			bus_write(v->vm->ports, run->io.port, run->io.size, value);
		} else {
			value = bus_read(v->vm->ports, run->io.port, run->io.size);
			memcpy(data, &value, run->io.size);
		}
	}
}

static void serve_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint32_t len = MIN(run->mmio.len, 8u);
	uint64_t value = 0;

	/* An access of odd length goes bytewise, as nobody's registers have such a size. */
	unsigned step = (len & (len - 1)) ? 1 : len;

	for (uint32_t at = 0; at < len; at += step) {
		if (run->mmio.is_write) {
			value = 0;
			memcpy(&value, run->mmio.data + at, step);
			bus_write(v->vm->mmio, run->mmio.phys_addr + at, step, value);
		} else {
			value = bus_read(v->vm->mmio, run->mmio.phys_addr + at, step);
			memcpy(run->mmio.data + at, &value, step);
		}
	}
}

static void serve_exit(struct vcpu *v)
{
	struct power_sink *power = &v->vm->events.power;
	char what[128];

	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		serve_port(v);
		v->access_served = true;
		return;
	case KVM_EXIT_MMIO:
		serve_mmio(v);
		v->access_served = true;
		return;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return;
	case KVM_EXIT_SYSTEM_EVENT:
		power->request(power->opaque,
			v->run->system_event.type == KVM_SYSTEM_EVENT_RESET ? POWER_RESET
									    : POWER_OFF,
			"KVM");
		return;
	case KVM_EXIT_SHUTDOWN:
		fail(v, "triple fault: the guest's kernel crashed; see its console");
		return;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(what, sizeof what,
			"KVM could not enter the guest, hardware's reason 0x%llx",
			v->run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(what, sizeof what, "KVM's internal error %u%s", v->run->internal.suberror,
			v->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
				? ": an instruction that it cannot emulate"
				: "");
		break;
	default:
		snprintf(what, sizeof what, "KVM left the guest for reason %u, which is not served",
			v->run->exit_reason);
	}
	fail(v, what);
}

/* ---- the thread ---- */

/* Written by this thread and by those that kick it, read by KVM. */
static void leave_at_once(struct vcpu *v, bool wanted)
{
	__atomic_store_n(&v->run->immediate_exit, wanted, __ATOMIC_RELAXED);
}

/*
 * Lets the guest see an access that has been served, so that its state is whole. One that crosses
 * a page comes in two parts, and the second is served here.
 */
static void complete_access(struct vcpu *v)
{
	leave_at_once(v, true);
	while (v->access_served && !v->failed) {
		v->access_served = false;
		if (ioctl(v->fd, KVM_RUN, 0) == 0)
			serve_exit(v);
	}
}

/* Stands still while it must. False: the thread ends. */
static bool may_run(struct vcpu *v)
{
	struct vm *vm = v->vm;
	bool run;

	pthread_mutex_lock(&vm->lock);
	if (vm->wish != VM_RUNNING || v->failed) {
		pthread_mutex_unlock(&vm->lock);
		complete_access(v);
		pthread_mutex_lock(&vm->lock);
		vm->parked++;
		pthread_cond_broadcast(&vm->changed);
		while (vm->wish == VM_STOPPED || (v->failed && vm->wish != VM_ENDING))
			pthread_cond_wait(&vm->changed, &vm->lock);
		vm->parked--;
		leave_at_once(v, false);
	}
	run = vm->wish == VM_RUNNING;
	pthread_mutex_unlock(&vm->lock);
	return run;
}

static void *thread_main(void *opaque)
{
	struct vcpu *v = opaque;

	while (may_run(v)) {
		v->access_served = false;
		if (ioctl(v->fd, KVM_RUN, 0) == 0) {
			serve_exit(v);
		} else if (errno != EINTR && errno != EAGAIN) {
			char what[64];

			snprintf(what, sizeof what, "KVM_RUN: %s", strerror(errno));
			fail(v, what);
		}
	}
	return NULL;
}

void vcpu_kick(struct vcpu *v)
{
	/* Whoever is on the way in sees immediate_exit, whoever is inside the signal. */
	leave_at_once(v, true);
	pthread_kill(v->thread, KICK_SIGNAL);
}

static void kicked(int signal)
{
	(void)signal;
}

/* ---- life ---- */

static int start_thread(struct vcpu *v)
{
	struct sigaction action = { .sa_handler = kicked };
	char name[16];
	int err;

	sigaction(KICK_SIGNAL, &action, NULL);
	err = pthread_create(&v->thread, NULL, thread_main, v);
	if (err)
		return -err;
	v->has_thread = true;
	snprintf(name, sizeof name, "vcpu/%u", v->index);
	pthread_setname_np(v->thread, name);
	return 0;
}

struct vcpu *vcpu_create(struct vm *vm, unsigned index, const struct kvm_cpuid2 *cpuid)
{
	struct vcpu *v = calloc(1, sizeof *v);
	const char *step = "memory";
	int size, err = -ENOMEM;

	if (!v)
		goto fail;
	v->vm = vm;
	v->fd = -1;
	v->index = index;
	step = "KVM_CREATE_VCPU";
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (v->fd < 0)
		goto fail_errno;
	size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		goto fail_errno;
	v->run_size = (size_t)size;
	v->run = mmap(NULL, v->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		goto fail_errno;
	}
	step = "KVM_SET_CPUID2";
	if (ioctl(v->fd, KVM_SET_CPUID2, cpuid) < 0)
		goto fail_errno;
	step = "reading its first state";
	err = vcpu_state_read(&v->pristine, vm->kvm, v->fd);
	if (err)
		goto fail;
	step = "its thread";
	err = start_thread(v);
	if (!err)
		return v;
	goto fail;
fail_errno:
	err = -errno;
fail:
	log_error("vCPU %u: cannot be made: %s: %s", index, step, strerror(-err));
	vcpu_destroy(v);
	errno = -err;
	return NULL;
}

void vcpu_destroy(struct vcpu *v)
{
	if (!v)
		return;
	if (v->has_thread)
		pthread_join(v->thread, NULL);
	if (v->run)
		munmap(v->run, v->run_size);
	if (v->fd >= 0)
		close(v->fd);
	free(v);
}

/* ---- state ---- */

int vcpu_reset(struct vcpu *v)
{
	return vcpu_state_write(&v->pristine, v->fd);
}

int vcpu_set_entry(struct vcpu *v, const struct boot_entry *entry)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs;

	if (ioctl(v->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	boot_entry_regs(entry, &regs, &sregs);
	if (ioctl(v->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(v->fd, KVM_SET_REGS, &regs) < 0)
		return -errno;
	return 0;
}

int vcpu_copy_tsc_offset(struct vcpu *v, const struct vcpu *first)
{
	uint64_t offset;
	struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uint64_t)(uintptr_t)&offset };

	if (ioctl(first->fd, KVM_HAS_DEVICE_ATTR, &attr) < 0)
		return 0; /* kernels before 5.16: KVM itself matches vCPUs made within a second */
	if (ioctl(first->fd, KVM_GET_DEVICE_ATTR, &attr) < 0 ||
		ioctl(v->fd, KVM_SET_DEVICE_ATTR, &attr) < 0)
		return -errno;
	return 0;
}
