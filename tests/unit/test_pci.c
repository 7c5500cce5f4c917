/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Config space by both ways, BARs that move, MSI-X masks and pending bits; the bus beneath. */
#include "vmm/pci/pci.h"

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
#include "vmm/pci/msix.h"
#include "vmm/state.h"

#define PCI64 0x8000000000ull

/* ---- fakes ---- */

struct fake_msi {
	unsigned next;
	struct {
		int fd;
		bool attached;
		uint64_t address;
		uint32_t data;
	} route[8];
	unsigned attaches;
};

static int fake_alloc(void *opaque)
{
	struct fake_msi *f = opaque;

	return f->next < 8 ? (int)f->next++ : -ENOSPC;
}

static int fake_attach(void *opaque, int route, int fd, uint64_t address, uint32_t data)
{
	struct fake_msi *f = opaque;

	assert_false(f->route[route].attached);
	f->route[route].attached = true;
	f->route[route].fd = fd;
	f->route[route].address = address;
	f->route[route].data = data;
	f->attaches++;
	return 0;
}

static void fake_detach(void *opaque, int route, int fd)
{
	struct fake_msi *f = opaque;

	assert_true(f->route[route].attached);
	f->route[route].attached = false;
}

static const struct msi_ops msi_ops = {
	.alloc = fake_alloc, .attach = fake_attach, .detach = fake_detach
};

struct rig {
	struct bus *mmio, *ports;
	struct pci_bus *pci;
	struct pci_device dev;
	struct fake_msi msi;
	struct msix *msix;
	uint64_t moved_to;
	unsigned moves, reads, writes, resets;
};

static uint64_t reg_read(void *opaque, uint64_t offset, unsigned size)
{
	((struct rig *)opaque)->reads++;
	return 0x1122334455667788ull + offset;
}

static void reg_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	((struct rig *)opaque)->writes++;
}

static const struct bus_ops regs = { .read = reg_read, .write = reg_write };

static void moved(void *opaque, uint64_t address)
{
	struct rig *r = opaque;

	r->moves++;
	r->moved_to = address;
}

static void reset_port(void *opaque, uint8_t value)
{
	((struct rig *)opaque)->resets += value == 6;
}

static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof *r);
	r->mmio = bus_create();
	r->ports = bus_create();
	r->pci = pci_bus_create(r->mmio, r->ports, PCI64, reset_port, r);
	r->msix = msix_create("dev", 3, (struct msi_target){ &msi_ops, &r->msi });
	pci_device_init(&r->dev, "dev", 3, 0x1af4, 0x1050, 0x038000);
	r->dev.bars[0] = (struct pci_bar){
		.size = 0x4000, .is_64 = true, .ops = &regs, .opaque = r, .moved = moved
	};
	r->dev.bars[2] = (struct pci_bar){ .size = 0x1000, .ops = &regs, .opaque = r };
	pci_add_msix(&r->dev, r->msix, 0, 0x1000, 0x2000);
	assert_int_equal(pci_bus_add(r->pci, &r->dev), 0);
}

static void rig_finish(struct rig *r)
{
	msix_destroy(r->msix);
	pci_bus_destroy(r->pci);
	bus_destroy(r->mmio);
	bus_destroy(r->ports);
}

static uint64_t ecam(unsigned slot, unsigned offset)
{
	return LAYOUT_ECAM + slot * 0x8000 + offset;
}

static uint32_t cfg_read(struct rig *r, unsigned offset)
{
	return (uint32_t)bus_read(r->mmio, ecam(3, offset), 4);
}

static void cfg_write(struct rig *r, unsigned offset, unsigned size, uint32_t value)
{
	bus_write(r->mmio, ecam(3, offset), size, value);
}

/* ---- the bus ---- */

static void test_bus_refuses_overlaps(void **state)
{
	struct bus *b = bus_create();
	struct bus_range r = { .base = 0x1000, .size = 0x1000, .ops = &regs };

	assert_int_equal(bus_add(b, &r), 0);
	assert_int_equal(bus_add(b, &r), -EEXIST);
	r.base = 0x1fff;
	assert_int_equal(bus_add(b, &r), -EEXIST);
	r.base = 0x0fff;
	r.size = 2;
	assert_int_equal(bus_add(b, &r), -EEXIST);
	r.size = 1;
	assert_int_equal(bus_add(b, &r), 0);
	r.size = 0;
	assert_int_equal(bus_add(b, &r), -EINVAL);
	r.base = ~0ull;
	r.size = 2;
	assert_int_equal(bus_add(b, &r), -EINVAL);
	r.size = 1;
	assert_int_equal(bus_add(b, &r), 0);
	bus_destroy(b);
}

static void test_bus_answers_ones_where_nobody_is(void **state)
{
	struct rig r = { 0 };
	struct bus *b = bus_create();
	struct bus_range range = { .base = 0x1000, .size = 0x10, .ops = &regs, .opaque = &r };

	bus_add(b, &range);
	assert_int_equal(bus_read(b, 0xfff, 1), ~0ull);
	assert_int_equal(bus_read(b, 0x100d, 4), ~0ull); /* across the end */
	assert_int_equal(bus_read(b, 0x1010, 1), ~0ull);
	bus_write(b, 0x100f, 2, 0);
	assert_int_equal(r.reads + r.writes, 0);
	bus_read(b, 0x100c, 4);
	assert_int_equal(r.reads, 1);
	bus_remove(b, 0x1000, 0x10);
	assert_int_equal(bus_read(b, 0x1000, 1), ~0ull);
	bus_destroy(b);
}

/* ---- config space ---- */

static void test_both_ways_show_the_same(void **state)
{
	struct rig r;

	rig_init(&r);
	assert_int_equal(cfg_read(&r, PCI_VENDOR_ID), 0x10501af4);
	bus_write(r.ports, 0xcf8, 4, 0x80000000u | 3 << 11 | 8);
	assert_int_equal(bus_read(r.ports, 0xcfc, 4), 0x03800001);
	assert_int_equal(bus_read(r.ports, 0xcff, 1), 0x03);
	assert_int_equal(bus_read(r.ports, 0xcf8, 4), 0x80000000u | 3 << 11 | 8);
	bus_write(r.ports, 0xcf8, 4, 3 << 11); /* not enabled */
	assert_int_equal(bus_read(r.ports, 0xcfc, 4) & 0xffffffff, 0xffffffff);
	bus_write(r.ports, 0xcf8, 4, 0x80000000u | 1 << 16 | 3 << 11); /* another bus */
	assert_int_equal(bus_read(r.ports, 0xcfc, 4) & 0xffffffff, 0xffffffff);
	rig_finish(&r);
}

static void test_nobody_home(void **state)
{
	struct rig r;

	rig_init(&r);
	assert_int_equal(bus_read(r.mmio, ecam(4, 0), 4) & 0xffffffff, 0xffffffff);
	assert_int_equal(
		bus_read(r.mmio, ecam(3, 0) + 0x1000, 4) & 0xffffffff, 0xffffffff); /* function 1 */
	assert_int_equal(
		bus_read(r.mmio, ecam(3, 0) + (1 << 20), 4) & 0xffffffff, 0xffffffff); /* bus 1 */
	assert_int_equal(bus_read(r.mmio, ecam(3, 0x100), 4), 0);
	assert_int_equal(bus_read(r.mmio, ecam(3, 0), 8), ~0ull);
	bus_write(r.mmio, ecam(9, 4), 4, ~0u);
	rig_finish(&r);
}

static void test_read_only_bits_stay(void **state)
{
	struct rig r;

	rig_init(&r);
	for (unsigned at = 0; at < 256; at += 4)
		cfg_write(&r, at, 4, ~0u);
	assert_int_equal(cfg_read(&r, PCI_VENDOR_ID), 0x10501af4);
	assert_int_equal(cfg_read(&r, PCI_REVISION), 0x03800001);
	assert_int_equal(cfg_read(&r, PCI_COMMAND) & 0xffff, 0x406);
	rig_finish(&r);
}

static void test_reset_port_is_inside_the_address(void **state)
{
	struct rig r;

	rig_init(&r);
	bus_write(r.ports, 0xcf9, 1, 6);
	assert_int_equal(r.resets, 1);
	bus_write(r.ports, 0xcf8, 4, 0x80000600);
	assert_int_equal(r.resets, 1);
	rig_finish(&r);
}

/* ---- BARs ---- */

static void test_bars_have_places_before_the_guest(void **state)
{
	struct rig r;

	rig_init(&r);
	assert_int_equal(r.moved_to, PCI64);
	assert_int_equal(cfg_read(&r, PCI_BAR0), 0xc | (uint32_t)PCI64);
	assert_int_equal(cfg_read(&r, PCI_BAR0 + 4), PCI64 >> 32);
	assert_int_equal(cfg_read(&r, PCI_BAR0 + 8), LAYOUT_PCI32);
	/* Not decoded until the guest says so. */
	assert_int_equal(bus_read(r.mmio, PCI64, 4), ~0ull);
	cfg_write(&r, PCI_COMMAND, 2, 6);
	assert_int_equal(bus_read(r.mmio, PCI64 + 8, 8), 0x1122334455667790ull);
	rig_finish(&r);
}

static void test_measuring_moves_nothing(void **state)
{
	struct rig r;

	rig_init(&r);
	cfg_write(&r, PCI_COMMAND, 2, 0);
	cfg_write(&r, PCI_BAR0, 4, ~0u);
	cfg_write(&r, PCI_BAR0 + 4, 4, ~0u);
	assert_int_equal(cfg_read(&r, PCI_BAR0), 0xffffc00c);
	assert_int_equal(cfg_read(&r, PCI_BAR0 + 4), 0xffffffff);
	cfg_write(&r, PCI_BAR0 + 8, 4, ~0u);
	assert_int_equal(cfg_read(&r, PCI_BAR0 + 8), 0xfffff000);
	cfg_write(&r, PCI_BAR0 + 4, 4, PCI64 >> 32);
	cfg_write(&r, PCI_BAR0, 4, (uint32_t)PCI64);
	cfg_write(&r, PCI_BAR0 + 8, 4, LAYOUT_PCI32);
	cfg_write(&r, PCI_COMMAND, 2, 6);
	assert_int_equal(r.moves, 1);
	rig_finish(&r);
}

static void test_a_bar_moves(void **state)
{
	struct rig r;

	rig_init(&r);
	cfg_write(&r, PCI_COMMAND, 2, 6);
	cfg_write(&r, PCI_BAR0, 4, (uint32_t)PCI64 + 0x100000);
	assert_int_equal(r.moved_to, PCI64 + 0x100000);
	assert_int_equal(bus_read(r.mmio, PCI64, 4), ~0ull);
	assert_int_not_equal(bus_read(r.mmio, PCI64 + 0x100000, 4), ~0ull);
	rig_finish(&r);
}

static void test_a_bar_on_ram_or_another_is_decoded_nowhere(void **state)
{
	static const uint64_t bad[] = { 0, 0x100000, LAYOUT_ECAM, LAYOUT_LAPIC, 4 * GIB,
		PCI64 + LAYOUT_PCI64_SIZE, LAYOUT_PCI32 /* BAR 2 is there */, ~0x3fffull };
	struct rig r;

	rig_init(&r);
	cfg_write(&r, PCI_COMMAND, 2, 6);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cfg_write(&r, PCI_BAR0, 4, (uint32_t)bad[i]);
		cfg_write(&r, PCI_BAR0 + 4, 4, (uint32_t)(bad[i] >> 32));
		r.reads = 0;
		bus_read(r.mmio, bad[i] + 0x20, 4);
		if (bad[i] != LAYOUT_PCI32)
			assert_int_equal(r.reads, 0);
	}
	assert_int_equal(cfg_read(&r, PCI_VENDOR_ID), 0x10501af4); /* ECAM is still itself */
	cfg_write(&r, PCI_BAR0, 4, (uint32_t)PCI64);
	cfg_write(&r, PCI_BAR0 + 4, 4, PCI64 >> 32);
	r.reads = 0;
	bus_read(r.mmio, PCI64, 4);
	assert_int_equal(r.reads, 1);
	rig_finish(&r);
}

/* A second device of the rig's, with one BAR at LAYOUT_PCI32 + 0x1000. */
static void add_other(struct rig *r, struct pci_device *other)
{
	pci_device_init(other, "other", 4, 1, 2, 0);
	other->bars[0] = (struct pci_bar){ .size = 0x1000, .ops = &regs, .opaque = r };
	assert_int_equal(pci_bus_add(r->pci, other), 0);
}

static bool answers(struct rig *r, uint64_t address)
{
	r->reads = 0;
	bus_read(r->mmio, address, 4);
	return r->reads == 1;
}

static void test_bars_change_places(void **state)
{
	struct rig r;
	struct pci_device other = { 0 };
	uint64_t first = LAYOUT_PCI32, second = LAYOUT_PCI32 + 0x1000;

	rig_init(&r);
	add_other(&r, &other);
	cfg_write(&r, PCI_COMMAND, 2, 6);
	bus_write(r.mmio, ecam(4, PCI_COMMAND), 2, 6);
	/* Both decode: the first finds its place taken until the second one leaves. */
	cfg_write(&r, PCI_BAR0 + 8, 4, (uint32_t)second);
	assert_false(answers(&r, first));
	bus_write(r.mmio, ecam(4, PCI_BAR0), 4, first);
	assert_true(answers(&r, first));
	assert_ptr_equal(r.dev.bars[2].owner, &r.dev);
	assert_true(r.dev.bars[2].mapped && r.dev.bars[2].address == second);
	assert_true(other.bars[0].mapped && other.bars[0].address == first);
	/* A reset brings both home, whichever comes first. */
	pci_bus_reset(r.pci);
	assert_true(r.dev.bars[2].mapped && r.dev.bars[2].address == first);
	assert_true(other.bars[0].mapped && other.bars[0].address == second);
	rig_finish(&r);
}

static void test_who_decodes_nothing_makes_room(void **state)
{
	struct rig r;
	struct pci_device other = { 0 };

	rig_init(&r);
	add_other(&r, &other);
	cfg_write(&r, PCI_COMMAND, 2, 6);
	/* The rig's BAR 0, 0x4000 bytes in size, goes over the other's and its own BAR 2's place. */
	cfg_write(&r, PCI_BAR0 + 8, 4, LAYOUT_PCI32 + 0x10000);
	cfg_write(&r, PCI_BAR0, 4, LAYOUT_PCI32);
	cfg_write(&r, PCI_BAR0 + 4, 4, 0);
	assert_int_equal(r.moved_to, LAYOUT_PCI32);
	assert_false(other.bars[0].mapped);
	bus_write(r.mmio, ecam(4, PCI_COMMAND), 2, 6);
	assert_false(other.bars[0].mapped);
	cfg_write(&r, PCI_BAR0, 4, LAYOUT_PCI32 + 0x8000);
	assert_true(other.bars[0].mapped);
	/* Nowhere is told too. */
	cfg_write(&r, PCI_BAR0, 4, 0);
	assert_int_equal(r.moved_to, 0);
	rig_finish(&r);
}

static void test_slots_are_taken_once(void **state)
{
	struct rig r;
	struct pci_device other = { 0 };

	rig_init(&r);
	pci_device_init(&other, "other", 3, 1, 2, 0);
	assert_int_equal(pci_bus_add(r.pci, &other), -EEXIST);
	other.slot = PCI_SLOTS;
	assert_int_equal(pci_bus_add(r.pci, &other), -EEXIST);
	other.slot = 5;
	other.bars[0].size = LAYOUT_PCI32_SIZE;
	assert_int_equal(pci_bus_add(r.pci, &other), -ENOSPC);
	rig_finish(&r);
}

static void test_reset_and_state(void **state)
{
	struct rig r;
	struct state_writer w;
	struct state_reader rd;

	rig_init(&r);
	cfg_write(&r, PCI_COMMAND, 2, 6);
	cfg_write(&r, PCI_BAR0, 4, (uint32_t)PCI64 + 0x200000);
	msix_table_write(r.msix, 0, 4, 0xfee00000);
	state_writer_init(&w);
	pci_device_save(&r.dev, &w);
	pci_bus_reset(r.pci);
	assert_int_equal(r.moved_to, PCI64);
	assert_int_equal(cfg_read(&r, PCI_COMMAND) & 0xffff, 0);
	assert_int_equal(msix_table_read(r.msix, 0, 4), 0);
	state_reader_init(&rd, w.data, w.len);
	assert_int_equal(pci_device_load(&r.dev, &rd), 0);
	assert_true(state_reader_done(&rd));
	assert_int_equal(r.moved_to, PCI64 + 0x200000);
	assert_int_equal(msix_table_read(r.msix, 0, 4), 0xfee00000);
	/* A forged vendor is refused, and so is every cut. */
	w.data[6] ^= 1;
	log_set_sink(NULL, NULL);
	state_reader_init(&rd, w.data, w.len);
	assert_int_equal(pci_device_load(&r.dev, &rd), -EINVAL);
	state_writer_finish(&w);
	rig_finish(&r);
}

static void test_the_address_register_is_state(void **state)
{
	struct rig r;
	struct state_writer w;
	struct state_reader rd;

	rig_init(&r);
	bus_write(r.ports, PORT_PCI_ADDRESS, 4, 0x80001800);
	state_writer_init(&w);
	pci_bus_save(r.pci, &w);
	pci_bus_reset(r.pci);
	assert_int_equal(bus_read(r.ports, PORT_PCI_ADDRESS, 4), 0);
	state_reader_init(&rd, w.data, w.len);
	assert_int_equal(pci_bus_load(r.pci, &rd), 0);
	assert_true(state_reader_done(&rd));
	assert_int_equal(bus_read(r.ports, PORT_PCI_ADDRESS, 4), 0x80001800);
	for (size_t len = 0; len < w.len; len++) {
		state_reader_init(&rd, w.data, len);
		assert_int_equal(pci_bus_load(r.pci, &rd), -EINVAL);
	}
	state_writer_finish(&w);
	rig_finish(&r);
}

/* ---- MSI-X ---- */

static void enable_msix(struct rig *r, uint16_t control)
{
	cfg_write(r, r->dev.msix_cap + 2u, 2, control);
}

static void test_masks_detach_and_keep_what_is_pending(void **state)
{
	struct rig r;

	rig_init(&r);
	msix_table_write(r.msix, 16, 8, 0x1fee01000ull);
	msix_table_write(r.msix, 24, 4, 0x4041);
	msix_signal(r.msix, 1);
	assert_int_equal(msix_pba_read(r.msix, 0, 8), 2);
	msix_table_write(r.msix, 28, 4, 0); /* unmasked, but the function is not enabled */
	assert_false(r.msi.route[1].attached);
	enable_msix(&r, 0xc000); /* enabled, function masked */
	assert_false(r.msi.route[1].attached);
	enable_msix(&r, 0x8000);
	assert_true(r.msi.route[1].attached);
	assert_false(r.msi.route[0].attached);
	assert_int_equal(r.msi.route[1].address, 0x1fee01000ull);
	assert_int_equal(r.msi.route[1].data, 0x4041);
	assert_int_equal(msix_pba_read(r.msix, 0, 4), 0);
	msix_table_write(r.msix, 24, 4, 0x4042); /* remapped while attached */
	assert_true(r.msi.route[1].attached);
	assert_int_equal(r.msi.route[1].data, 0x4042);
	msix_table_write(r.msix, 28, 4, 1);
	assert_false(r.msi.route[1].attached);
	rig_finish(&r);
}

static void test_table_accesses_of_odd_sizes_do_nothing(void **state)
{
	struct rig r;

	rig_init(&r);
	for (unsigned size = 1; size <= 2; size++) {
		msix_table_write(r.msix, 0, size, 0x12);
		assert_int_equal(msix_table_read(r.msix, 0, size), ~0ull);
	}
	msix_table_write(r.msix, 2, 4, 0x12);
	msix_table_write(r.msix, 4, 8, 0x12);
	msix_table_write(r.msix, 48, 4, 0x12); /* behind the table */
	msix_table_write(r.msix, ~0ull & ~7ull, 8, 0x12);
	assert_int_equal(msix_table_read(r.msix, 0, 8), 0);
	assert_int_equal(msix_table_read(r.msix, 48, 4), ~0ull);
	assert_int_equal(msix_pba_read(r.msix, 8, 8), ~0ull);
	msix_signal(r.msix, 3);
	msix_signal(r.msix, 0xffff);
	assert_int_equal(msix_pba_read(r.msix, 0, 8), 0);
	msix_table_write(r.msix, 12, 4, ~0u);
	assert_int_equal(msix_table_read(r.msix, 12, 4), 1);
	rig_finish(&r);
}

static void test_pending_bits_are_state(void **state)
{
	struct rig a, b;
	struct state_writer w;
	struct state_reader rd;

	rig_init(&a);
	rig_init(&b);
	msix_signal(a.msix, 2);
	state_writer_init(&w);
	msix_save(a.msix, &w);
	state_reader_init(&rd, w.data, w.len);
	assert_int_equal(msix_load(b.msix, &rd), 0);
	assert_int_equal(msix_pba_read(b.msix, 0, 8), 4);
	state_reader_init(&rd, w.data, w.len - 1);
	assert_int_equal(msix_load(b.msix, &rd), -EINVAL);
	state_writer_finish(&w);
	rig_finish(&a);
	rig_finish(&b);
}

static void test_vectors_run_out(void **state)
{
	struct fake_msi f = { .next = 7 };

	assert_null(msix_create("dev", 3, (struct msi_target){ &msi_ops, &f }));
	assert_int_equal(errno, ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bus_refuses_overlaps),
		cmocka_unit_test(test_bus_answers_ones_where_nobody_is),
		cmocka_unit_test(test_both_ways_show_the_same),
		cmocka_unit_test(test_nobody_home),
		cmocka_unit_test(test_read_only_bits_stay),
		cmocka_unit_test(test_reset_port_is_inside_the_address),
		cmocka_unit_test(test_bars_have_places_before_the_guest),
		cmocka_unit_test(test_measuring_moves_nothing),
		cmocka_unit_test(test_a_bar_moves),
		cmocka_unit_test(test_a_bar_on_ram_or_another_is_decoded_nowhere),
		cmocka_unit_test(test_bars_change_places),
		cmocka_unit_test(test_who_decodes_nothing_makes_room),
		cmocka_unit_test(test_slots_are_taken_once),
		cmocka_unit_test(test_reset_and_state),
		cmocka_unit_test(test_the_address_register_is_state),
		cmocka_unit_test(test_masks_detach_and_keep_what_is_pending),
		cmocka_unit_test(test_table_accesses_of_odd_sizes_do_nothing),
		cmocka_unit_test(test_pending_bits_are_state),
		cmocka_unit_test(test_vectors_run_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
