/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a test guest stands on: a program without a system below it.
 *
 * A guest defines guest_main() and guest_name. Lines on the serial port are its report; the last
 * is "PASS name" or "FAIL why", and then it powers off. It runs the same under any machine that
 * enters ELF files by PVH and has a PC's ports: devices are looked for, never assumed in a slot.
 *
 * Built for a KVM that emulates each instruction: no SSE, little work, string instructions for
 * bulk. Interrupts are off but for nap(), so nothing here needs a lock.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

extern const char guest_name[];
void guest_main(void);

/* ---- report (print.c): %s %c %d %u %x with l or ll, and a width with 0 ---- */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void vprint(const char *fmt, va_list ap);

/* Both power off and do not return. */
_Noreturn void pass(void);
_Noreturn void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The guest cannot go on without this being true. */
#define CHECK(cond)                                                        \
	do {                                                               \
		if (!(cond))                                               \
			fail("%s:%d: %s", __FILE_NAME__, __LINE__, #cond); \
	} while (0)
#define CHECK_EQ(a, b)                                                                       \
	do {                                                                                 \
		unsigned long long check_a = (a), check_b = (b);                             \
		if (check_a != check_b)                                                      \
			fail("%s:%d: %s is 0x%llx, not 0x%llx", __FILE_NAME__, __LINE__, #a, \
				check_a, check_b);                                           \
	} while (0)

/* Prints "STEP name" and goes on when the harness has sent a line. */
void step(const char *name);
/* A byte from the serial port, or -1 */
int serial_get(void);

/* ---- the loader's word (pvh.c) ---- */
struct pvh_memory {
	uint64_t addr, size;
	uint32_t type, reserved; /* E820's types */
};
enum { PVH_RAM = 1, PVH_RESERVED = 2 };
void pvh_init(void);
const char *cmdline(void);
/* The value of name=value on the command line, up to a space; copied, NULL where absent. */
const char *arg(const char *name);
uint64_t arg_u64(const char *name, uint64_t otherwise);
const struct pvh_memory *pvh_memory_map(unsigned *count);
/* The first module, the initrd, and its size; NULL where there is none. */
const uint8_t *pvh_module(uint64_t *size);
/* An ACPI table by its signature, or NULL. Its header is 36 bytes, the length at 4. */
const uint8_t *acpi_table(const char *signature);

/* ---- memory ---- */
/* From the heap, zeroed; align is a power of two. Never NULL, never given back. */
void *alloc(size_t size, size_t align);
/* A pointer to physical memory anywhere, mapped if need be. */
volatile void *map_physical(uint64_t addr, uint64_t size);
static inline uint64_t physical(const volatile void *p)
{
	return (uintptr_t)p;
}
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
/* A repeatable stream of numbers (splitmix64). */
uint64_t random_next(uint64_t *state);

/* ---- time, interrupts (cpu.c) ---- */
uint64_t now_us(void); /* since the start, by ACPI's PM timer; to be asked every 4 s */
void nap(void);        /* halts with interrupts on, until one comes or about a ms has gone */
/* True once cond is, false after ms milliseconds. */
#define WAIT(cond, ms)                                             \
	({                                                         \
		uint64_t wait_end = now_us() + (ms)*1000ull;       \
		bool wait_ok;                                      \
		while (!(wait_ok = (cond)) && now_us() < wait_end) \
			nap();                                     \
		wait_ok;                                           \
	})

enum {
	VECTOR_TIMER = 0x20,
	VECTOR_IOAPIC = 0x30, /* and up: pin's */
	VECTOR_MSI = 0x50,    /* and up: handed out by vector_alloc() */
	VECTOR_SPURIOUS = 0xff,
};
void cpu_init(void);
void cpu_load_idt(void); /* on each CPU, so that faults are reported */
unsigned vector_alloc(void);
/* How many interrupts have come by this vector. */
unsigned interrupts(unsigned vector);
/* Called inside the interrupt, before its end is told to the APIC. */
void interrupt_handler(unsigned vector, void (*fn)(void));
/* Pin of the I/O APIC to VECTOR_IOAPIC + pin: edge or level, active high. */
void ioapic_enable(unsigned pin, bool level);
void ioapic_disable(unsigned pin);
volatile uint32_t *lapic(unsigned reg);

/*
 * Starts all other CPUs: how many there are now, this one included. Each runs fn, with interrupts off
 * and a small stack, and then halts for good; number counts from 1.
 */
unsigned smp_start(unsigned wanted, void (*fn)(unsigned number));

/* ---- instructions ---- */
static inline uint8_t in8(uint16_t port)
{
	uint8_t v;
	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline uint16_t in16(uint16_t port)
{
	uint16_t v;
	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline uint32_t in32(uint16_t port)
{
	uint32_t v;
	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static inline void out16(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}
static inline void out32(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}
/* Single instructions of exactly this width, so that a device sees one access. */
static inline uint8_t read8(const volatile void *p)
{
	return *(const volatile uint8_t *)p;
}
static inline uint16_t read16(const volatile void *p)
{
	return *(const volatile uint16_t *)p;
}
static inline uint32_t read32(const volatile void *p)
{
	return *(const volatile uint32_t *)p;
}
static inline uint64_t read64(const volatile void *p)
{
	return *(const volatile uint64_t *)p;
}
static inline void write8(volatile void *p, uint8_t v)
{
	*(volatile uint8_t *)p = v;
}
static inline void write16(volatile void *p, uint16_t v)
{
	*(volatile uint16_t *)p = v;
}
static inline void write32(volatile void *p, uint32_t v)
{
	*(volatile uint32_t *)p = v;
}
static inline void write64(volatile void *p, uint64_t v)
{
	*(volatile uint64_t *)p = v;
}
/* mfence may be missing too: a locked instruction does the same. */
static inline void fence(void)
{
	__asm__ volatile("lock addl $0, (%%rsp)" : : : "memory", "cc");
}
static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t regs[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
			 : "a"(leaf), "c"(sub));
}
_Noreturn static inline void halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}
