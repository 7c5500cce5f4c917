/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map from guest addresses (memory or ports) to device registers.
 *
 * Reads and writes come from vCPU threads, at once and concurrently: a device takes its own lock
 * in its ops. The map may change while the guest runs (a BAR moves); devices themselves live as
 * long as the machine.
 */
#pragma once

#include <stdint.h>

struct bus;

struct bus_ops {
	/* offset is into the range; size is 1, 2, 4 or 8. vCPU thread, no lock held. */
	uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
	void (*write)(void *opaque, uint64_t offset, unsigned size, uint64_t value);
};

struct bus_range {
	uint64_t base, size;
	const struct bus_ops *ops;
	void *opaque;
	const char *name;
};

struct bus *bus_create(void);
void bus_destroy(struct bus *b);

/* 0, or -EEXIST where the range overlaps another, -EINVAL where it is empty or wraps. */
int bus_add(struct bus *b, const struct bus_range *r);
void bus_remove(struct bus *b, uint64_t base, uint64_t size);

/* Nobody there: reads give all ones, writes are lost. An access never crosses a range's end. */
uint64_t bus_read(struct bus *b, uint64_t addr, unsigned size);
void bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t value);
