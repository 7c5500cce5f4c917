/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/kvm_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "util/bytes.h"

/*
 * The guest, in 64 KiB at address 0: page tables at 0x1000, code at 0x4000, stack below 0x8000,
 * scratch at 0x8000. It writes a letter to a port after each step and halts.
 */
enum {
	PROBE_PML4 = 0x1000,
	PROBE_PDPT = 0x2000,
	PROBE_PD = 0x3000,
	PROBE_CODE = 0x4000,
	PROBE_GDT = 0x7000,
	PROBE_STACK = 0x7000,
	PROBE_SIZE = 0x10000,
	PROBE_PORT = 0x10,
	PROBE_MAX_CPUID = 256,
};

extern const char probe_code[], probe_code_end[];
__asm__(".pushsection .rodata\n"
	"probe_code:\n"
	/* SSE: two packed additions, and the sum is looked at. */
	"	mov $0x8000, %edi\n"
	"	movl $40, (%rdi)\n"
	"	movd (%rdi), %xmm0\n"
	"	paddd %xmm0, %xmm0\n"
	"	movdqu %xmm0, (%rdi)\n"
	"	cmpl $80, (%rdi)\n"
	"	jne 1f\n"
	"	mov $'s', %al\n"
	"	out %al, $0x10\n"
	/* cmpxchg16b: the value is as expected, so it is replaced and ZF is set. */
	"	xor %eax, %eax\n"
	"	xor %edx, %edx\n"
	"	mov $7, %ebx\n"
	"	mov $9, %ecx\n"
	"	movq $0, 16(%rdi)\n"
	"	movq $0, 24(%rdi)\n"
	"	lock cmpxchg16b 16(%rdi)\n"
	"	jne 1f\n"
	"	cmpq $9, 24(%rdi)\n"
	"	jne 1f\n"
	"	mov $'c', %al\n"
	"	out %al, $0x10\n"
	/* iretq to the next instruction: SS, RSP, RFLAGS, CS, RIP. */
	"	mov %rsp, %rcx\n"
	"	pushq $0x10\n"
	"	push %rcx\n"
	"	pushfq\n"
	"	pushq $0x08\n"
	"	lea 2f(%rip), %rax\n"
	"	push %rax\n"
	"	iretq\n"
	"2:	mov $'i', %al\n"
	"	out %al, $0x10\n"
	"1:	hlt\n"
	"probe_code_end:\n"
	".popsection\n");

struct probe {
	int kvm, vm, vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	size_t run_size;
};

static struct kvm_segment probe_segment(uint16_t selector, bool code)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = code ? 11 : 3,
		.present = 1,
		.s = 1,
		.l = code,
		.db = !code,
		.g = 1,
	};
}

/* Long mode with the first 2 MiB mapped onto themselves and SSE switched on. */
static int probe_enter_long_mode(struct probe *p)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rip = PROBE_CODE, .rsp = PROBE_STACK, .rflags = 2 };

	le64_put(p->memory + PROBE_PML4, PROBE_PDPT | 3);
	le64_put(p->memory + PROBE_PDPT, PROBE_PD | 3);
	le64_put(p->memory + PROBE_PD, 0x83);
	le64_put(p->memory + PROBE_GDT + 0x08, 0x00af9b000000ffff);
	le64_put(p->memory + PROBE_GDT + 0x10, 0x00cf93000000ffff);
	memcpy(p->memory + PROBE_CODE, probe_code,
		(uintptr_t)probe_code_end - (uintptr_t)probe_code);

	if (ioctl(p->vcpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cr0 = 0x80000033; /* PG, NE, ET, MP, PE */
	sregs.cr3 = PROBE_PML4;
	sregs.cr4 = 0x620;  /* OSXMMEXCPT, OSFXSR, PAE */
	sregs.efer = 0x500; /* LMA, LME */
	sregs.cs = probe_segment(0x08, true);
	sregs.ss = probe_segment(0x10, false);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss;
	sregs.gdt.base = PROBE_GDT;
	sregs.gdt.limit = 0x17;
	if (ioctl(p->vcpu, KVM_SET_SREGS, &sregs) || ioctl(p->vcpu, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

static int probe_give_cpuid(struct probe *p)
{
	struct kvm_cpuid2 *cpuid;
	int ret = 0;

	cpuid = calloc(1, sizeof *cpuid + PROBE_MAX_CPUID * sizeof cpuid->entries[0]);
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = PROBE_MAX_CPUID;
	if (ioctl(p->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) || ioctl(p->vcpu, KVM_SET_CPUID2, cpuid))
		ret = -errno;
	free(cpuid);
	return ret;
}

static int probe_build(struct probe *p)
{
	struct kvm_userspace_memory_region slot = { .memory_size = PROBE_SIZE };
	int size;

	p->vm = ioctl(p->kvm, KVM_CREATE_VM, 0);
	if (p->vm < 0)
		return -errno;
	p->memory =
		mmap(NULL, PROBE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->memory == MAP_FAILED)
		return -errno;
	slot.userspace_addr = (uintptr_t)p->memory;
	if (ioctl(p->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul) ||
		ioctl(p->vm, KVM_SET_USER_MEMORY_REGION, &slot))
		return -errno;
	p->vcpu = ioctl(p->vm, KVM_CREATE_VCPU, 0);
	size = ioctl(p->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (p->vcpu < 0 || size < 0)
		return -errno;
	p->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu, 0);
	if (p->run == MAP_FAILED)
		return -errno;
	p->run_size = (size_t)size;
	return probe_give_cpuid(p) ?: probe_enter_long_mode(p);
}

/* Runs until the guest halts or fails; `steps` gets its letters. */
static void probe_run(struct probe *p, char *steps, size_t size)
{
	size_t n = 0;

	/* Three letters and a halt: more exits than that mean that something else is wrong. */
	for (int exits = 0; exits < 8; exits++) {
		if (ioctl(p->vcpu, KVM_RUN, 0) || p->run->exit_reason != KVM_EXIT_IO)
			return;
		if (p->run->io.port == PROBE_PORT && n + 1 < size)
			steps[n++] = ((char *)p->run)[p->run->io.data_offset];
	}
}

static void probe_finish(struct probe *p)
{
	if (p->run != MAP_FAILED)
		munmap(p->run, p->run_size);
	if (p->memory != MAP_FAILED)
		munmap(p->memory, PROBE_SIZE);
	if (p->vcpu >= 0)
		close(p->vcpu);
	if (p->vm >= 0)
		close(p->vm);
	close(p->kvm);
}

bool kvm_probe(const char *device, char *why, size_t size)
{
	struct probe p = { .vm = -1, .vcpu = -1, .memory = MAP_FAILED, .run = MAP_FAILED };
	char steps[8] = "";
	int err;

	p.kvm = open(device, O_RDWR | O_CLOEXEC);
	if (p.kvm < 0) {
		snprintf(why, size, "%s: %s%s", device, strerror(errno),
			errno == EACCES   ? "; join the group kvm"
			: errno == ENOENT ? "; load kvm_intel or kvm_amd"
					  : "");
		return false;
	}
	err = probe_build(&p);
	if (err)
		snprintf(why, size, "%s: cannot make a guest: %s", device, strerror(-err));
	else
		probe_run(&p, steps, sizeof steps);
	probe_finish(&p);
	if (err)
		return false;
	if (!strcmp(steps, "sci"))
		return true;
	snprintf(why, size, "%s: guests are only emulated here: no %s", device,
		!strchr(steps, 's')   ? "SSE"
		: !strchr(steps, 'c') ? "cmpxchg16b"
				      : "iretq");
	return false;
}
