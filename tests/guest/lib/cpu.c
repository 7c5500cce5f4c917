/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include "layout.h"
#include "vmm/layout.h"

enum {
	/* Local APIC registers (Intel SDM 3, 11.4.1) */
	LAPIC_EOI = 0xb0,
	LAPIC_SPURIOUS = 0xf0,
	LAPIC_TIMER = 0x320,
	LAPIC_LINT0 = 0x350,
	LAPIC_MASKED = 0x10000,
	LAPIC_TIMER_COUNT = 0x380,
	LAPIC_TIMER_DIVIDE = 0x3e0,
	LAPIC_ENABLE = 0x100,
	DIVIDE_BY_1 = 0xb,
	NAP_TICKS = 1000000, /* KVM's and QEMU's APIC bus run at 1 GHz */

	IOAPIC_SELECT = 0x00,
	IOAPIC_WINDOW = 0x10,
	IOAPIC_REDIRECTION = 0x10,
	REDIRECTION_LEVEL = 1 << 15,
	REDIRECTION_MASKED = 1 << 16,

	PIC1_DATA = 0x21,
	PIC2_DATA = 0xa1,

	PM_TIMER_HZ = 3579545,
	PM_TIMER_MASK = 0xffffff, /* some machines have no more bits */
};

struct idt_entry {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_mid;
	uint32_t offset_high, reserved;
};

struct idt_pointer {
	uint16_t limit;
	const struct idt_entry *base;
} __attribute__((packed));

struct exception_frame {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern const uint8_t interrupt_entries[]; /* start.S */
void exception(const struct exception_frame *f);
void interrupt(unsigned vector);
void guest_start(void);

static struct idt_entry idt[256] __attribute__((aligned(16)));
static volatile unsigned counts[256];
static void (*handlers[256])(void);
static unsigned next_vector = VECTOR_MSI;
static uint64_t clock_ticks;
static uint32_t clock_last;

volatile uint32_t *lapic(unsigned reg)
{
	return (volatile uint32_t *)(LAYOUT_LAPIC + reg);
}

/* ---- called by start.S ---- */

void exception(const struct exception_frame *f)
{
	uint64_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	fail("exception %lu, error 0x%lx, rip 0x%lx, cr2 0x%lx, rsp 0x%lx, rax 0x%lx, rcx 0x%lx, "
	     "rdx 0x%lx",
		f->vector, f->error, f->rip, cr2, f->rsp, f->rax, f->rcx, f->rdx);
}

void interrupt(unsigned vector)
{
	counts[vector]++;
	if (handlers[vector])
		handlers[vector]();
	if (vector != VECTOR_SPURIOUS)
		*lapic(LAPIC_EOI) = 0;
}

void guest_start(void)
{
	pvh_init();
	cpu_init();
	guest_main();
	pass();
}

/* ---- interrupts ---- */

unsigned vector_alloc(void)
{
	CHECK(next_vector < VECTOR_SPURIOUS);
	return next_vector++;
}

unsigned interrupts(unsigned vector)
{
	return counts[vector];
}

void interrupt_handler(unsigned vector, void (*fn)(void))
{
	handlers[vector] = fn;
}

static void ioapic_write(unsigned reg, uint32_t value)
{
	volatile uint8_t *base = (volatile uint8_t *)LAYOUT_IOAPIC;

	write32(base + IOAPIC_SELECT, reg);
	write32(base + IOAPIC_WINDOW, value);
}

void ioapic_enable(unsigned pin, bool level)
{
	ioapic_write(IOAPIC_REDIRECTION + 2 * pin + 1, *lapic(0x20) & 0xff000000u);
	ioapic_write(IOAPIC_REDIRECTION + 2 * pin,
		(VECTOR_IOAPIC + pin) | (level ? REDIRECTION_LEVEL : 0));
}

void ioapic_disable(unsigned pin)
{
	ioapic_write(IOAPIC_REDIRECTION + 2 * pin, REDIRECTION_MASKED);
}

void cpu_load_idt(void)
{
	struct idt_pointer p = { .limit = sizeof idt - 1, .base = idt };

	__asm__ volatile("lidt %0" : : "m"(p));
}

void cpu_init(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t entry = (uintptr_t)interrupt_entries + ENTRY_SIZE * i;

		idt[i] = (struct idt_entry){
			.offset_low = (uint16_t)entry,
			.selector = 0x08,
			.type = 0x8e,
			.offset_mid = (uint16_t)(entry >> 16),
			.offset_high = (uint32_t)(entry >> 32),
		};
	}
	cpu_load_idt();
	out8(PIC1_DATA, 0xff);
	out8(PIC2_DATA, 0xff);
	*lapic(LAPIC_SPURIOUS) = LAPIC_ENABLE | VECTOR_SPURIOUS;
	*lapic(LAPIC_LINT0) = LAPIC_MASKED; /* nothing by way of the old PIC */
	*lapic(LAPIC_TIMER_DIVIDE) = DIVIDE_BY_1;
	*lapic(LAPIC_TIMER) = VECTOR_TIMER; /* one shot */
	clock_last = in32(PORT_PM_TIMER) & PM_TIMER_MASK;
}

/* ---- time ---- */

uint64_t now_us(void)
{
	uint32_t at = in32(PORT_PM_TIMER) & PM_TIMER_MASK;

	clock_ticks += (at - clock_last) & PM_TIMER_MASK;
	clock_last = at;
	return clock_ticks * 1000000 / PM_TIMER_HZ;
}

void nap(void)
{
	*lapic(LAPIC_TIMER_COUNT) = NAP_TICKS;
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}
