/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PCI transport as a driver sees it: registers in the BAR, kicks, vectors, the window; state. */
#include "vmm/virtio/virtio_pci.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/memory.h"
#include "vmm/state.h"

#define PCI64 0x8000000000ull

/* virtio 1.2, 4.1.4.3, and where virtio_pci.h puts the rest */
enum {
	FEATURE_SELECT = 0x08,
	FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10,
	STATUS = 0x14,
	SELECT = 0x16,
	Q_SIZE = 0x18,
	Q_VECTOR = 0x1a,
	Q_ENABLE = 0x1c,
	Q_DESC = 0x20,
	Q_DRIVER = 0x28,
	Q_DEVICE = 0x30,
	ISR = 0x800,
	KICKS = 0x2000,
	TABLE = 0x3000,
	QUEUES = 2,
	SLOT = 4,
	RINGS = 0x10000,
};

/* ---- fakes ---- */

struct rig {
	struct memory mem;
	struct loop *loop;
	struct bus *mmio, *ports;
	struct pci_bus *pci;
	struct virtio_device dev;
	struct virtio_pci *p;
	int routes, route_fd[QUEUES + 1];
	int bell_fd[QUEUES];
	uint64_t bell[QUEUES];
	unsigned kicks[QUEUES], lines;
};

static int fake_alloc(void *opaque)
{
	return ((struct rig *)opaque)->routes++;
}

static int fake_attach(void *opaque, int route, int fd, uint64_t address, uint32_t data)
{
	((struct rig *)opaque)->route_fd[route] = fd;
	return 0;
}

static void fake_detach(void *opaque, int route, int fd)
{
	((struct rig *)opaque)->route_fd[route] = -1;
}

static const struct msi_ops msi_ops = { fake_alloc, fake_attach, fake_detach };

static int bell_attach(void *opaque, int fd, uint64_t address)
{
	struct rig *r = opaque;
	unsigned q = address % 4096 / 4;

	r->bell[q] = address;
	r->bell_fd[q] = fd;
	return 0;
}

static void bell_detach(void *opaque, int fd, uint64_t address)
{
	((struct rig *)opaque)->bell[address % 4096 / 4] = 0;
}

static const struct doorbell_ops bells = { bell_attach, bell_detach };

static void on_kick(struct virtio_device *dev, unsigned q)
{
	CONTAINER(dev, struct rig, dev)->kicks[q]++;
}

static const struct virtio_ops ops = { .kick = on_kick };

static void count_line(void *opaque, enum log_level level, const char *line)
{
	++*(unsigned *)opaque;
}

static uint64_t rd(struct rig *r, uint64_t at, unsigned size)
{
	return bus_read(r->mmio, PCI64 + at, size);
}

static void wr(struct rig *r, uint64_t at, unsigned size, uint64_t value)
{
	bus_write(r->mmio, PCI64 + at, size, value);
}

static void cfg_wr(struct rig *r, unsigned at, unsigned size, uint32_t value)
{
	bus_write(r->mmio, LAYOUT_ECAM + SLOT * 0x8000 + at, size, value);
}

static uint32_t cfg_rd(struct rig *r, unsigned at, unsigned size)
{
	return (uint32_t)bus_read(r->mmio, LAYOUT_ECAM + SLOT * 0x8000 + at, size);
}

static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof *r);
	memset(r->route_fd, 0xff, sizeof r->route_fd);
	log_set_sink(count_line, &r->lines);
	r->loop = loop_create();
	assert_int_equal(memory_init(&r->mem, 2 * MIB, "/dev/shm"), 0);
	r->mmio = bus_create();
	r->ports = bus_create();
	r->pci = pci_bus_create(r->mmio, r->ports, PCI64, NULL, NULL);
	r->dev = (struct virtio_device){ .name = "dev", .ops = &ops, .id = 42, .nqueues = QUEUES };
	virtio_init(&r->dev, r->loop, &r->mem, 8);
	r->p = virtio_pci_create(
		&r->dev, r->pci, SLOT, 0xff0000, (struct msi_target){ &msi_ops, r }, &bells, r);
	assert_non_null(r->p);
	cfg_wr(r, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void rig_finish(struct rig *r)
{
	virtio_pci_destroy(r->p);
	virtio_finish(&r->dev);
	pci_bus_destroy(r->pci);
	bus_destroy(r->mmio);
	bus_destroy(r->ports);
	memory_finish(&r->mem);
	loop_destroy(r->loop);
	log_set_sink(NULL, NULL);
}

static unsigned capability(struct rig *r, uint8_t id, uint8_t type)
{
	unsigned at = cfg_rd(r, PCI_CAPABILITIES, 1);

	while (cfg_rd(r, at, 1) != id || (id == 9 && cfg_rd(r, at + 3, 1) != type))
		at = cfg_rd(r, at + 1, 1);
	return at;
}

static void set_queues(struct rig *r)
{
	for (unsigned q = 0; q < QUEUES; q++) {
		wr(r, SELECT, 2, q);
		assert_int_equal(rd(r, Q_SIZE, 2), 8);
		wr(r, Q_VECTOR, 2, q + 1);
		wr(r, Q_DESC, 4, RINGS + q * 0x3000);
		wr(r, Q_DESC + 4, 4, 0);
		wr(r, Q_DRIVER, 8, RINGS + q * 0x3000 + 0x1000);
		wr(r, Q_DEVICE, 8, RINGS + q * 0x3000 + 0x2000);
		wr(r, Q_ENABLE, 2, 1);
	}
}

/* Up to DRIVER_OK, all vectors unmasked. */
static void start(struct rig *r)
{
	cfg_wr(r, capability(r, 0x11, 0) + 2, 2, 0x8000);
	for (unsigned v = 0; v <= QUEUES; v++) {
		wr(r, TABLE + 16 * v, 4, 0xfee00000);
		wr(r, TABLE + 16 * v + 12, 4, 0);
	}
	wr(r, STATUS, 1, 3);
	wr(r, FEATURE_SELECT, 4, 1);
	wr(r, FEATURE, 4, 1); /* VERSION_1 */
	wr(r, STATUS, 1, 11);
	wr(r, CONFIG_VECTOR, 2, 0);
	set_queues(r);
	wr(r, STATUS, 1, 15);
	loop_step(r->loop, 0);
	assert_int_equal(rd(r, STATUS, 1), 15);
	assert_int_equal(r->lines, 0);
}

static uint64_t taken(int fd)
{
	uint64_t n = 0;

	return fd >= 0 && read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

/* ---- cases ---- */

static void test_kicks_by_bell_and_by_register(void **state)
{
	struct rig r;
	uint64_t one = 1;

	rig_init(&r);
	start(&r);
	assert_int_equal(r.bell[1], PCI64 + KICKS + 4);
	memset(r.kicks, 0, sizeof r.kicks);
	assert_int_equal(write(r.bell_fd[1], &one, sizeof one), sizeof one);
	loop_step(r.loop, 0);
	wr(&r, KICKS, 2, 0);
	wr(&r, KICKS + 4 * QUEUES, 2, QUEUES); /* no such queue */
	loop_step(r.loop, 0);
	assert_int_equal(r.kicks[0], 1);
	assert_int_equal(r.kicks[1], 1);
	wr(&r, STATUS, 1, 0);
	loop_step(r.loop, 0);
	assert_int_equal(rd(&r, STATUS, 1), 0);
	assert_int_equal(r.bell[0] | r.bell[1], 0);
	rig_finish(&r);
}

static void test_vectors(void **state)
{
	struct rig r;

	rig_init(&r);
	start(&r);
	r.dev.transport->interrupt_queue(r.p, &r.dev.queues[1]);
	assert_int_equal(taken(r.route_fd[2]), 1);
	virtio_config_changed(&r.dev);
	assert_int_equal(taken(r.route_fd[0]), 1);
	assert_int_equal(rd(&r, ISR, 1), 3);
	assert_int_equal(rd(&r, ISR, 1), 0);
	wr(&r, CONFIG_VECTOR, 2, QUEUES + 1); /* 4.1.5.1.2: refused, and says so */
	assert_int_equal(rd(&r, CONFIG_VECTOR, 2), VIRTIO_NO_VECTOR);
	rig_finish(&r);
}

/* Each breaks the device, with one line, and a reset mends it. */
static void test_queue_rules(void **state)
{
	static const struct {
		uint8_t status;
		unsigned at;
		uint16_t value;
	} wrong[] = {
		{ 3, Q_SIZE, 4 },  /* before FEATURES_OK */
		{ 11, Q_SIZE, 0 }, /* not offered */
		{ 11, Q_SIZE, 3 },
		{ 11, Q_SIZE, 16 }, /* … */
		{ 11, Q_ENABLE, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct rig r;

		rig_init(&r);
		wr(&r, STATUS, 1, 3);
		wr(&r, FEATURE_SELECT, 4, 1);
		wr(&r, FEATURE, 4, 1);
		wr(&r, STATUS, 1, wrong[i].status);
		wr(&r, wrong[i].at, 2, wrong[i].value);
		assert_true(rd(&r, STATUS, 1) & VIRTIO_STATUS_NEEDS_RESET);
		assert_int_equal(r.lines, 1);
		wr(&r, STATUS, 1, 0);
		r.lines = 0;
		start(&r);
		wr(&r, SELECT, 2, 0);
		wr(&r, Q_DESC, 8, 0); /* live */
		assert_true(rd(&r, STATUS, 1) & VIRTIO_STATUS_NEEDS_RESET);
		assert_int_equal(r.dev.queues[0].desc_gpa, RINGS);
		rig_finish(&r);
	}
}

static void test_the_window(void **state)
{
	struct rig r;
	unsigned at;

	rig_init(&r);
	at = capability(&r, 9, 5);
	cfg_wr(&r, at + 8, 4, STATUS);
	cfg_wr(&r, at + 12, 4, 1);
	cfg_wr(&r, at + 16, 1, 3);
	assert_int_equal(rd(&r, STATUS, 1), 3);
	assert_int_equal(cfg_rd(&r, at + 16, 1), 3);
	/* No such BAR, outside it, no such length: nothing happens. */
	cfg_wr(&r, at + 4, 1, 77);
	cfg_wr(&r, at + 16, 1, 0);
	cfg_wr(&r, at + 4, 1, 0);
	cfg_wr(&r, at + 8, 4, 0xfffffffc);
	cfg_wr(&r, at + 16, 1, 0);
	cfg_wr(&r, at + 8, 4, STATUS);
	cfg_wr(&r, at + 12, 4, 3);
	cfg_wr(&r, at + 16, 4, 0);
	assert_int_equal(rd(&r, STATUS, 1), 3);
	rig_finish(&r);
}

static void test_state_goes_round(void **state)
{
	struct rig a, b;
	struct state_writer w;
	struct state_reader in;

	rig_init(&a);
	start(&a);
	wr(&a, TABLE + 16 * 2 + 12, 4, 1); /* masked, and an interrupt waits behind it */
	a.dev.transport->interrupt_queue(a.p, &a.dev.queues[1]);
	assert_true(virtio_quiesce(&a.dev, NULL, NULL));
	state_writer_init(&w);
	virtio_pci_save(a.p, &w);

	rig_init(&b);
	state_reader_init(&in, w.data, w.len);
	assert_int_equal(virtio_pci_load(b.p, &in), 0);
	assert_true(state_reader_done(&in));
	assert_int_equal(rd(&b, STATUS, 1), 15);
	assert_int_equal(rd(&b, SELECT, 2), QUEUES - 1);
	assert_int_equal(rd(&b, CONFIG_VECTOR, 2), 0);
	assert_int_equal(rd(&b, Q_VECTOR, 2), QUEUES);
	assert_int_equal(rd(&b, ISR, 1), 1);
	assert_int_equal(b.bell[1], PCI64 + KICKS + 4);
	assert_int_equal(b.route_fd[2], -1);
	wr(&b, TABLE + 16 * 2 + 12, 4, 0);
	assert_int_equal(taken(b.route_fd[2]), 1);
	virtio_resume(&b.dev);
	assert_int_equal(b.kicks[0], 1);

	/* Every cut of the state is refused, and leaves a device that a driver can start. */
	for (size_t len = 0; len < w.len; len++) {
		state_reader_init(&in, w.data, len);
		assert_int_equal(virtio_pci_load(b.p, &in), -EINVAL);
		assert_int_equal(virtio_read_status(&b.dev), 0);
	}
	state_writer_finish(&w);
	rig_finish(&b);
	rig_finish(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kicks_by_bell_and_by_register),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_queue_rules),
		cmocka_unit_test(test_the_window),
		cmocka_unit_test(test_state_goes_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
