/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/boot/entry.h"
#include "vmm/cpuid.h"
#include "vmm/layout.h"
#include "vmm/vcpu.h"

/* BARs stay below what a guest with four levels of page tables can map to itself. */
enum { PCI64_ADDRESS_BITS = 46 };

/* ---- making it ---- */

/* What the monitor stands on; every one is in Linux since 4.20. */
static const struct {
	int cap;
	const char *name;
} needed[] = {
	{ KVM_CAP_USER_MEMORY, "USER_MEMORY" },
	{ KVM_CAP_IRQCHIP, "IRQCHIP" },
	{ KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING" },
	{ KVM_CAP_IRQFD, "IRQFD" },
	{ KVM_CAP_IOEVENTFD, "IOEVENTFD" },
	{ KVM_CAP_PIT2, "PIT2" },
	{ KVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR" },
	{ KVM_CAP_EXT_CPUID, "EXT_CPUID" },
	{ KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" },
	{ KVM_CAP_XCRS, "XCRS" },
};

static int open_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), err;

	if (fd < 0) {
		err = -errno;
		if (err == -ENOENT)
			log_error("/dev/kvm: not there; load kvm_intel or kvm_amd, or switch on "
				  "virtualization in the firmware");
		else if (err == -EACCES || err == -EPERM)
			log_error("/dev/kvm: not allowed; join the group kvm and log in again");
		else
			log_error("/dev/kvm: %s", strerror(-err));
		return err;
	}
	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		log_error(
			"/dev/kvm: it does not speak KVM's API version %d; another kernel is needed",
			KVM_API_VERSION);
		close(fd);
		return -ENOTSUP;
	}
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0) {
			log_error("/dev/kvm: it lacks KVM_CAP_%s; a kernel from 4.20 on is needed",
				needed[i].name);
			close(fd);
			return -ENOTSUP;
		}
	return fd;
}

/* Slots before the irqchip: after it each one costs milliseconds. */
static int add_memory(struct vm *vm)
{
	for (unsigned i = 0; i < vm->mem.nregions; i++) {
		const struct memory_region *r = &vm->mem.regions[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = r->gpa,
			.memory_size = r->size,
			.userspace_addr = (uint64_t)(uintptr_t)r->host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return -errno;
	}
	return 0;
}

static int add_controllers(struct vm *vm)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity = LAYOUT_IDMAP;

	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
		ioctl(vm->fd, KVM_SET_TSS_ADDR, LAYOUT_TSS) < 0 ||
		ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0 ||
		ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return -errno;
	for (unsigned i = 0; i < ARRAY_LEN(vm->pristine_chips); i++) {
		vm->pristine_chips[i].chip_id = i;
		if (ioctl(vm->fd, KVM_GET_IRQCHIP, &vm->pristine_chips[i]) < 0)
			return -errno;
	}
	return ioctl(vm->fd, KVM_GET_PIT2, &vm->pristine_pit) < 0 ? -errno : 0;
}

static int fail(const char *what, int err)
{
	log_error("virtual machine: %s: %s", what, strerror(-err));
	return err;
}

/* RAM and the window of 64-bit BARs must both fit into what the CPU can address. Logs by itself. */
static int place_pci64(struct vm *vm)
{
	const struct memory_region *last = &vm->mem.regions[vm->mem.nregions - 1];
	unsigned bits = MIN(cpuid_physical_bits(&vm->cpuid), (unsigned)PCI64_ADDRESS_BITS);

	if (1ull << bits < MAX(last->gpa + last->size, 4 * GIB) + LAYOUT_PCI64_SIZE) {
		log_error("guest memory: %llu MiB and the devices do not fit into the CPU's %u "
			  "address bits; lower --memory or choose another --cpu",
			(unsigned long long)(vm->mem.size / MIB), bits);
		return -ENOMEM;
	}
	vm->pci64_base = (1ull << bits) - LAYOUT_PCI64_SIZE;
	return 0;
}

/* Logs by itself. */
static int add_cpus(struct vm *vm, const struct vm_config *c)
{
	struct cpuid_table *mine = malloc(sizeof *mine);
	int err = mine ? cpuid_choose(&vm->cpuid, vm->kvm, c->cpu) : fail("CPUID", -ENOMEM);

	if (!err)
		err = place_pci64(vm);
	for (unsigned i = 0; i < c->cpus && !err; i++) {
		cpuid_vcpu(mine, &vm->cpuid, i, c->cpus);
		vm->cpus[i] = vcpu_create(vm, i, cpuid_for_kvm(mine));
		if (!vm->cpus[i]) {
			err = -errno;
			break;
		}
		vm->ncpus++;
		if (i)
			err = vcpu_copy_tsc_offset(vm->cpus[i], vm->cpus[0]);
		if (err)
			log_error("vCPUs: one TSC for all: %s", strerror(-err));
	}
	free(mine);
	return err;
}

static int create(struct vm *vm, const struct vm_config *c)
{
	int err;

	err = memory_init(&vm->mem, c->memory, c->run_dir);
	if (err)
		return err;
	do {
		vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	} while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return fail("KVM_CREATE_VM", -errno);
	err = add_memory(vm);
	if (err)
		return fail("memory slots", err);
	err = add_controllers(vm);
	if (err)
		return fail("interrupt controllers", err);
	vm->mmio = bus_create();
	vm->ports = bus_create();
	vm->irqchip = irqchip_create(vm->fd);
	if (!vm->irqchip)
		return fail("interrupt routes", -errno);
	if (!vm->mmio || !vm->ports)
		return fail("buses", -ENOMEM);
	return add_cpus(vm, c);
}

void vm_init(struct vm *vm)
{
	*vm = (struct vm){ .kvm = -1, .fd = -1, .mem.fd = -1, .wish = VM_STOPPED };
}

int vm_create(struct vm *vm, const struct vm_config *c, const struct vm_events *events)
{
	int err;

	vm_init(vm);
	vm->events = *events;
	vm->kvm = open_kvm();
	if (vm->kvm < 0) {
		err = vm->kvm;
		vm->kvm = -1;
		return err;
	}
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->changed, NULL);
	err = create(vm, c);
	if (err)
		vm_destroy(vm);
	return err;
}

/* ---- running ---- */

/* The lock is held. */
static void set_wish(struct vm *vm, int what)
{
	vm->wish = what;
	pthread_cond_broadcast(&vm->changed);
	if (what != VM_RUNNING)
		for (unsigned i = 0; i < vm->ncpus; i++)
			vcpu_kick(vm->cpus[i]);
}

static void wish(struct vm *vm, int what)
{
	pthread_mutex_lock(&vm->lock);
	set_wish(vm, what);
	pthread_mutex_unlock(&vm->lock);
}

void vm_run(struct vm *vm)
{
	wish(vm, VM_RUNNING);
}

void vm_freeze(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	if (vm->wish == VM_RUNNING)
		set_wish(vm, VM_STOPPED);
	pthread_mutex_unlock(&vm->lock);
}

void vm_stop(struct vm *vm)
{
	wish(vm, VM_STOPPED);
	pthread_mutex_lock(&vm->lock);
	while (vm->parked < vm->ncpus)
		pthread_cond_wait(&vm->changed, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
}

void vm_end(struct vm *vm)
{
	if (vm->kvm < 0)
		return;
	wish(vm, VM_ENDING);
	while (vm->ncpus)
		vcpu_destroy(vm->cpus[--vm->ncpus]);
}

void vm_destroy(struct vm *vm)
{
	if (vm->kvm < 0)
		return;
	vm_end(vm);
	irqchip_destroy(vm->irqchip);
	bus_destroy(vm->mmio);
	bus_destroy(vm->ports);
	if (vm->fd >= 0)
		close(vm->fd);
	memory_finish(&vm->mem);
	close(vm->kvm);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	vm_init(vm);
}

/* ---- reset, kicks ---- */

static int reset_controllers(struct vm *vm)
{
	for (unsigned i = 0; i < ARRAY_LEN(vm->pristine_chips); i++)
		if (ioctl(vm->fd, KVM_SET_IRQCHIP, &vm->pristine_chips[i]) < 0)
			return -errno;
	return ioctl(vm->fd, KVM_SET_PIT2, &vm->pristine_pit) < 0 ? -errno : 0;
}

int vm_reset(struct vm *vm)
{
	int err = reset_controllers(vm);

	for (unsigned i = 0; i < vm->ncpus && !err; i++)
		err = vcpu_reset(vm->cpus[i]);
	return err ? fail("reset", err) : 0;
}

int vm_set_entry(struct vm *vm, const struct boot_entry *entry)
{
	int err = vcpu_set_entry(vm->cpus[0], entry);

	return err ? fail("registers of the first vCPU", err) : 0;
}

int vm_ioeventfd(struct vm *vm, int fd, uint64_t address, bool attach)
{
	struct kvm_ioeventfd arg = {
		.addr = address, .fd = fd, .flags = attach ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &arg) < 0 ? -errno : 0;
}
