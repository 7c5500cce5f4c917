/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/machine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "util/bytes.h"
#include "util/log.h"
#include "util/loop.h"
#include "vmm/block/disk.h"
#include "vmm/block/uring.h"
#include "vmm/boot/acpi.h"
#include "vmm/boot/kernel.h"
#include "vmm/device.h"
#include "vmm/layout.h"
#include "vmm/legacy/console.h"
#include "vmm/legacy/i8042.h"
#include "vmm/legacy/pm.h"
#include "vmm/legacy/rtc.h"
#include "vmm/legacy/serial.h"
#include "vmm/net/mac.h"
#include "vmm/net/usernet.h"
#include "vmm/options.h"
#include "vmm/pci/pci.h"
#include "vmm/virtio/blk.h"
#include "vmm/virtio/gpu.h"
#include "vmm/virtio/input.h"
#include "vmm/virtio/net.h"
#include "vmm/virtio/rng.h"
#include "vmm/virtio/virtio_pci.h"
#include "vmm/vm.h"

enum { VIRTIO_MAX = 8 + PCI_DISKS_MAX, LEGACY_MAX = 4 };

struct machine {
	const struct vmm_options *options;
	struct display *display;
	struct seat *seat;
	struct machine_events events;

	struct loop *loop;
	pthread_t thread;
	bool threaded;

	struct vm vm;
	struct kernel *kernel;
	struct pci_bus *pci;
	struct pci_device host_bridge;
	struct virtio_pci *virtio[VIRTIO_MAX];
	unsigned nvirtio;
	struct device legacy[LEGACY_MAX];
	unsigned nlegacy;

	struct uring *uring;
	unsigned ndisks;
	struct disk *disks[PCI_DISKS_MAX];
	struct vblk *blks[PCI_DISKS_MAX];
	struct vgpu *gpu;
	struct vinput *inputs[3];
	struct net_backend *network;
	struct vnet *net;
	struct vrng *rng;
	struct console *console;
	struct serial *serial;
	struct rtc *rtc;
	struct pm *pm;
	struct i8042 *i8042;

	/* Machine loop; state is read by all. */
	enum machine_state state;
	bool paused; /* asked for by a user, and kept over a reset */
	unsigned
		resets_to_wait; /* virtio devices whose reset is still draining; 0: no reset is on */
	struct loop_work off_work, reset_work, failed_work;
};

static void set_state(struct machine *m, enum machine_state s)
{
	__atomic_store_n(&m->state, s, __ATOMIC_RELEASE);
}

enum machine_state machine_state(const struct machine *m)
{
	return __atomic_load_n(&m->state, __ATOMIC_ACQUIRE);
}

static void changed(struct machine *m, const char *what)
{
	m->events.changed(m->events.opaque, what);
}

/* ---- the end: machine loop ---- */

static void end(struct machine *m, int status)
{
	if (m->state == MACHINE_ENDED)
		return;
	vm_stop(&m->vm);
	set_state(m, MACHINE_ENDED);
	m->events.ended(m->events.opaque, status);
}

static void power_off(void *opaque)
{
	end(opaque, 0);
}

static void failed(void *opaque)
{
	end(opaque, 1);
}

/* ---- start and reset: machine loop ---- */

/* Fresh random bytes make a desktop another one than before, for whoever keys on it. */
static int write_generation(struct machine *m)
{
	uint8_t id[16];

	if (getrandom(id, sizeof id, 0) != sizeof id)
		return -errno;
	return vmgenid_write(&m->vm.mem, id);
}

/* Puts kernel and tables into RAM and the vCPUs at the entry. Logs by itself. */
static int load_guest(struct machine *m)
{
	struct acpi_wish wish = { .ncpus = m->vm.ncpus,
		.pci64_base = m->vm.pci64_base,
		.pci64_size = LAYOUT_PCI64_SIZE };
	struct boot_entry entry;
	int err = vm_reset(&m->vm);

	if (!err)
		err = kernel_load(m->kernel, &m->vm.mem, &entry);
	if (!err)
		err = acpi_write(&m->vm.mem, &wish);
	if (!err)
		err = write_generation(m);
	return err ? err : vm_set_entry(&m->vm, &entry);
}

static void finish_reset(struct machine *m)
{
	pci_bus_reset(m->pci);
	for (unsigned i = 0; i < m->nlegacy; i++)
		m->legacy[i].ops->reset(m->legacy[i].opaque);
	if (load_guest(m)) {
		end(m, 1);
		return;
	}
	changed(m, "reset");
	if (!m->paused)
		vm_run(&m->vm);
}

static void one_is_reset(void *opaque, struct virtio_device *dev)
{
	struct machine *m = opaque;

	/* The machine may have ended meanwhile: the disks' last requests come back at its teardown. */
	if (!--m->resets_to_wait && m->state != MACHINE_ENDED)
		finish_reset(m);
}

/* Devices may have requests in flight; when the last has come back, the machine starts anew. */
static void reset(void *opaque)
{
	struct machine *m = opaque;

	if (m->state == MACHINE_ENDED || m->resets_to_wait)
		return;
	vm_stop(&m->vm);
	m->resets_to_wait = 1; /* this function's own, so that it cannot end half-way */
	for (unsigned i = 0; i < m->nvirtio; i++)
		if (!virtio_reset_now(virtio_pci_device(m->virtio[i]), one_is_reset, m))
			m->resets_to_wait++;
	one_is_reset(m, NULL);
}

/* Any thread */
static void power_request(void *opaque, enum power_request what, const char *by)
{
	struct machine *m = opaque;

	log_debug("%s asks for %s", by, what == POWER_OFF ? "power off" : "a reset");
	vm_freeze(&m->vm);
	loop_post(m->loop, what == POWER_OFF ? &m->off_work : &m->reset_work);
}

static void vcpu_failed(void *opaque)
{
	struct machine *m = opaque;

	loop_post(m->loop, &m->failed_work);
}

/* ---- what the service loop asks for ---- */

struct call {
	struct machine *m;
	bool done;
};

static void pause_run(void *opaque)
{
	struct call *c = opaque;
	struct machine *m = c->m;

	if (m->state == MACHINE_ENDED)
		return;
	c->done = true;
	if (m->paused)
		return;
	m->paused = true;
	vm_stop(&m->vm);
	set_state(m, MACHINE_PAUSED);
	changed(m, "paused");
}

static void resume_run(void *opaque)
{
	struct call *c = opaque;
	struct machine *m = c->m;

	if (m->state == MACHINE_ENDED)
		return;
	c->done = true;
	if (!m->paused)
		return;
	m->paused = false;
	set_state(m, MACHINE_RUNNING);
	if (!m->resets_to_wait)
		vm_run(&m->vm);
	changed(m, "resumed");
}

bool machine_pause(struct machine *m)
{
	struct call c = { m, false };

	loop_call(m->loop, pause_run, &c);
	return c.done;
}

bool machine_resume(struct machine *m)
{
	struct call c = { m, false };

	loop_call(m->loop, resume_run, &c);
	return c.done;
}

bool machine_reset(struct machine *m)
{
	if (machine_state(m) == MACHINE_ENDED)
		return false;
	power_request(m, POWER_RESET, "the user");
	return true;
}

bool machine_power_button(struct machine *m)
{
	return machine_state(m) != MACHINE_ENDED && pm_power_button(m->pm);
}

unsigned machine_disk_stats(struct machine *m, struct machine_disk_stats *out, unsigned max)
{
	unsigned n = MIN(m->ndisks, max);

	for (unsigned i = 0; i < n; i++) {
		const struct disk_stats *s = disk_stats(m->disks[i]);

		out[i] = (struct machine_disk_stats){
			.path = m->options->disks[i].path,
			.read_bytes = __atomic_load_n(&s->bytes[DISK_READ], __ATOMIC_RELAXED),
			.written_bytes = __atomic_load_n(&s->bytes[DISK_WRITE], __ATOMIC_RELAXED),
			.errors = __atomic_load_n(&s->errors, __ATOMIC_RELAXED),
		};
	}
	return m->ndisks;
}

/* ---- devices ---- */

static int doorbell_attach(void *opaque, int fd, uint64_t address)
{
	return vm_ioeventfd(opaque, fd, address, true);
}

static void doorbell_detach(void *opaque, int fd, uint64_t address)
{
	vm_ioeventfd(opaque, fd, address, false);
}

static int add_virtio(struct machine *m, struct virtio_device *dev, unsigned slot, uint32_t class)
{
	static const struct doorbell_ops doorbells = { doorbell_attach, doorbell_detach };
	struct virtio_pci *p = virtio_pci_create(
		dev, m->pci, slot, class, irqchip_msi(m->vm.irqchip), &doorbells, &m->vm);

	if (!p)
		return -ENOMEM;
	m->virtio[m->nvirtio++] = p;
	return 0;
}

static int no_memory(const char *what)
{
	log_error("%s: not enough memory for it", what);
	return -ENOMEM;
}

static int add_gpu(struct machine *m)
{
	const struct vmm_options *o = m->options;

	m->gpu = vgpu_create(m->display, o->heads, o->width, o->height, m->loop, &m->vm.mem);
	if (!m->gpu)
		return no_memory("virtio-gpu");
	return add_virtio(m, vgpu_device(m->gpu), PCI_SLOT_GPU, 0x038000);
}

static int add_inputs(struct machine *m)
{
	static const struct {
		enum seat_kind kind;
		unsigned slot;
		uint32_t class;
	} all[] = {
		{ SEAT_KEYBOARD, PCI_SLOT_KEYBOARD, 0x090000 },
		{ SEAT_TABLET, PCI_SLOT_TABLET, 0x098000 },
		{ SEAT_MOUSE, PCI_SLOT_MOUSE, 0x090200 },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int err;

		m->inputs[i] = vinput_create(all[i].kind, m->loop, &m->vm.mem, m->seat);
		if (!m->inputs[i])
			return no_memory("virtio-input");
		err = add_virtio(m, vinput_device(m->inputs[i]), all[i].slot, all[i].class);
		if (err)
			return err;
	}
	return 0;
}

static int add_net(struct machine *m)
{
	const struct options_net *o = &m->options->net;
	struct usernet_forward forwards[OPTIONS_FORWARDS_MAX];
	struct usernet_config c = {
		.loopback = o->loopback, .forwards = forwards, .nforwards = o->nforwards
	};
	uint8_t mac[6];
	int err;

	if (o->kind == OPT_NET_NONE)
		return 0;
	for (unsigned i = 0; i < o->nforwards; i++)
		forwards[i] = (struct usernet_forward){
			.udp = o->forwards[i].udp,
			.host = o->forwards[i].host,
			.guest = o->forwards[i].guest,
			.host_port = o->forwards[i].host_port,
			.guest_port = o->forwards[i].guest_port,
		};
	err = usernet_create(&c, m->loop, &m->network);
	if (err)
		return err;
	mac_make(m->options->name, mac);
	m->net = vnet_create(mac, m->network, m->loop, &m->vm.mem);
	if (!m->net)
		return no_memory("virtio-net");
	return add_virtio(m, vnet_device(m->net), PCI_SLOT_NET, 0x020000);
}

static int add_rng(struct machine *m)
{
	m->rng = vrng_create(m->loop, &m->vm.mem);
	if (!m->rng)
		return no_memory("virtio-rng");
	return add_virtio(m, vrng_device(m->rng), PCI_SLOT_RNG, 0x00ff00);
}

static int add_disks(struct machine *m)
{
	for (unsigned i = 0; i < m->options->ndisks; i++) {
		int err;

		m->blks[i] = vblk_create(i, "", m->disks[i], MIN(m->options->cpus, VBLK_QUEUES_MAX),
			m->loop, &m->vm.mem);
		if (!m->blks[i])
			return no_memory("virtio-blk");
		err = add_virtio(m, vblk_device(m->blks[i]), PCI_SLOT_DISK + i, 0x018000);
		if (err)
			return err;
	}
	return 0;
}

static int add_legacy(struct machine *m)
{
	struct irqchip *ic = m->vm.irqchip;
	struct bus *ports = m->vm.ports;
	struct i8042_config keyboard = {
		.ports = ports,
		.irq = irqchip_line(ic, GSI_KEYBOARD),
		.power = m->vm.events.power,
		.seat = m->seat,
	};

	m->serial = serial_create(ports, irqchip_line(ic, GSI_SERIAL), m->console);
	m->rtc = rtc_create(ports, irqchip_line(ic, GSI_RTC), m->loop, NULL);
	m->i8042 = i8042_create(&keyboard);
	if (!m->serial || !m->rtc || !m->i8042)
		return -ENOMEM;
	m->legacy[m->nlegacy++] = serial_device(m->serial);
	m->legacy[m->nlegacy++] = rtc_device(m->rtc);
	m->legacy[m->nlegacy++] = i8042_device(m->i8042);
	m->legacy[m->nlegacy++] = pm_device(m->pm);
	return 0;
}

static void reset_port(void *opaque, uint8_t value)
{
	pm_reset_port_write(opaque, value);
}

/* Before PCI, whose address register the reset port lies in. */
static int add_pm(struct machine *m)
{
	struct pm_config c = {
		.ports = m->vm.ports,
		.sci = irqchip_line(m->vm.irqchip, GSI_SCI),
		.ged = irqchip_line(m->vm.irqchip, GSI_GED),
		.power = m->vm.events.power,
		.loop = m->loop,
	};

	m->pm = pm_create(&c);
	return m->pm ? 0 : -ENOMEM;
}

/* 8086:0d57 is what firmware built for direct boot looks for. */
static int add_pci(struct machine *m)
{
	m->pci = pci_bus_create(m->vm.mmio, m->vm.ports, m->vm.pci64_base, reset_port, m->pm);
	if (!m->pci)
		return no_memory("PCI");
	pci_device_init(&m->host_bridge, "host bridge", PCI_SLOT_HOST, 0x8086, 0x0d57, 0x060000);
	return pci_bus_add(m->pci, &m->host_bridge);
}

static int add_devices(struct machine *m)
{
	static int (*const all[])(struct machine *) = {
		add_pm,
		add_pci,
		add_gpu,
		add_inputs,
		add_net,
		add_rng,
		add_disks,
		add_legacy,
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int err = all[i](m);

		if (err)
			return err;
	}
	return 0;
}

/* ---- life ---- */

static int open_disks(struct machine *m)
{
	const struct vmm_options *o = m->options;
	int err = o->ndisks ? uring_create(m->loop, &m->uring) : 0;

	while (!err && m->ndisks < o->ndisks) {
		const struct options_disk *d = &o->disks[m->ndisks];
		struct disk_config c = {
			.path = d->path,
			.format = DISK_RAW,
			.readonly = d->readonly,
			.snapshot = d->snapshot,
			.serial = d->serial,
			.tmp_dir = "/var/tmp",
		};

		err = disk_open(&c, m->uring, &m->disks[m->ndisks]);
		if (!err)
			m->ndisks++;
	}
	return err;
}

/* Files first: they are what a user gets wrong, and none of them needs the machine. */
static int create(struct machine *m)
{
	const struct vmm_options *o = m->options;
	struct vm_config vm = {
		.memory = o->memory, .run_dir = o->run_dir, .cpus = o->cpus, .cpu = o->cpu
	};
	struct vm_events events = {
		.failed = vcpu_failed, .opaque = m, .power = { power_request, m }
	};
	struct kernel_wish kernel = {
		.path = o->kernel,
		.initrd = o->initrd,
		.cmdline = o->append,
		.cache = o->cache_dir,
	};
	int err;

	m->loop = loop_create();
	if (!m->loop)
		return no_memory("machine loop");
	err = kernel_open(&m->kernel, &kernel);
	if (!err)
		err = open_disks(m);
	if (!err)
		err = console_create(
			&m->console, m->loop, o->serial, o->serial_path, &events.power);
	if (!err)
		err = vm_create(&m->vm, &vm, &events);
	if (!err)
		err = add_devices(m);
	return err ? err : load_guest(m);
}

int machine_create(struct machine **out, const struct vmm_options *o, struct display *display,
	struct seat *seat, const struct machine_events *events)
{
	struct machine *m = calloc(1, sizeof *m);
	int err;

	if (!m)
		return no_memory("machine");
	m->options = o;
	m->display = display;
	m->seat = seat;
	m->events = *events;
	m->off_work = (struct loop_work){ .fn = power_off, .opaque = m };
	m->reset_work = (struct loop_work){ .fn = reset, .opaque = m };
	m->failed_work = (struct loop_work){ .fn = failed, .opaque = m };
	vm_init(&m->vm);
	err = create(m);
	if (err) {
		machine_destroy(m);
		return err;
	}
	*out = m;
	return 0;
}

static void *loop_main(void *opaque)
{
	struct machine *m = opaque;

	vm_run(&m->vm);
	loop_run(m->loop);
	return NULL;
}

int machine_start(struct machine *m)
{
	int err = pthread_create(&m->thread, NULL, loop_main, m);

	if (err) {
		log_error("machine loop: no thread for it: %s", strerror(err));
		return -err;
	}
	m->threaded = true;
	pthread_setname_np(m->thread, "machine");
	return 0;
}

void machine_stop(struct machine *m)
{
	if (!m->threaded)
		return;
	loop_stop(m->loop);
	pthread_join(m->thread, NULL);
	m->threaded = false;
	vm_stop(&m->vm);
	set_state(m, MACHINE_ENDED);
}

void machine_destroy(struct machine *m)
{
	if (!m)
		return;
	machine_stop(m);
	/* vCPUs first: they may be inside any device. */
	vm_end(&m->vm);
	for (unsigned i = 0; i < m->ndisks; i++)
		disk_close(m->disks[i]);
	for (unsigned i = 0; i < m->nvirtio; i++)
		virtio_pci_destroy(m->virtio[i]);
	for (unsigned i = 0; i < PCI_DISKS_MAX; i++)
		vblk_destroy(m->blks[i]);
	vgpu_destroy(m->gpu);
	for (size_t i = 0; i < ARRAY_LEN(m->inputs); i++)
		vinput_destroy(m->inputs[i]);
	vnet_destroy(m->net);
	net_destroy(m->network);
	vrng_destroy(m->rng);
	serial_destroy(m->serial);
	rtc_destroy(m->rtc);
	i8042_destroy(m->i8042);
	pci_bus_destroy(m->pci);
	pm_destroy(m->pm);
	console_destroy(m->console);
	vm_destroy(&m->vm);
	uring_destroy(m->uring);
	kernel_close(m->kernel);
	loop_destroy(m->loop);
	free(m);
}
