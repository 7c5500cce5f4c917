/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

enum {
	PAGE = 0x1000,
	LARGE_PAGE = 0x200000,
	PRESENT_WRITE = 3,
	LARGE = 0x80,
	HEAP_END = 0x2000000, /* every machine gives these guests 32 MiB */
};

extern uint64_t page_pml4[512]; /* start.S */
extern char image_end[];

static char *heap = image_end;

void *alloc(size_t size, size_t align)
{
	char *p = (char *)(((uintptr_t)heap + align - 1) & ~(align - 1));

	if (size > HEAP_END - (uintptr_t)p)
		fail("the heap is too small for %lu bytes", size);
	heap = p + size;
	return memset(p, 0, size);
}

/* The table that entry i of a table leads to, made where there is none. */
static uint64_t *next_table(uint64_t *table, unsigned i)
{
	if (!(table[i] & 1))
		table[i] = physical(alloc(PAGE, PAGE)) | PRESENT_WRITE;
	return (uint64_t *)(table[i] & 0x000ffffffffff000ull);
}

volatile void *map_physical(uint64_t addr, uint64_t size)
{
	for (uint64_t at = addr & ~(LARGE_PAGE - 1ull); at < addr + size; at += LARGE_PAGE) {
		uint64_t *pdpt = next_table(page_pml4, at >> 39 & 511);
		uint64_t *pd = next_table(pdpt, at >> 30 & 511);

		/* Nothing was there before, so no TLB holds it. */
		pd[at >> 21 & 511] = at | LARGE | PRESENT_WRITE;
	}
	return (volatile void *)addr;
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *d = to;
	size_t words = n / 8;

	n %= 8;
	__asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void *memset(void *to, int c, size_t n)
{
	void *d = to;
	size_t words = n / 8;

	n %= 8;
	__asm__ volatile("rep stosq"
			 : "+D"(d), "+c"(words)
			 : "a"((uint8_t)c * 0x0101010101010101ull)
			 : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	for (size_t i = 0; i < n; i++)
		if (p[i] != q[i])
			return p[i] - q[i];
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (uint8_t)*a - (uint8_t)*b;
}

uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}
