/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ISA devices have byte registers: a wider access is as many byte accesses, the lowest port first
 * (`outw` to an index port writes index and data at once).
 */
#pragma once

#include <stdint.h>

static inline uint64_t bytewise_read(
	uint8_t (*read)(void *opaque, unsigned port), void *opaque, uint64_t offset, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)read(opaque, (unsigned)offset + i) << (8 * i);
	return v;
}

static inline void bytewise_write(void (*write)(void *opaque, unsigned port, uint8_t v),
	void *opaque, uint64_t offset, unsigned size, uint64_t v)
{
	for (unsigned i = 0; i < size; i++)
		write(opaque, (unsigned)offset + i, (uint8_t)(v >> (8 * i)));
}
