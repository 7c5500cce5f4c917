/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/bus.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct bus {
	pthread_rwlock_t lock;    /* guards the map, never held during a device's op */
	struct bus_range *ranges; /* by base, not overlapping */
	size_t n, cap;
};

struct bus *bus_create(void)
{
	struct bus *b = calloc(1, sizeof *b);

	if (b)
		pthread_rwlock_init(&b->lock, NULL);
	return b;
}

void bus_destroy(struct bus *b)
{
	if (!b)
		return;
	pthread_rwlock_destroy(&b->lock);
	free(b->ranges);
	free(b);
}

/* How many ranges have a base up to addr. */
static size_t count_upto(const struct bus *b, uint64_t addr)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (b->ranges[mid].base <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int insert(struct bus *b, const struct bus_range *r)
{
	size_t at = count_upto(b, r->base);

	if (at && r->base - b->ranges[at - 1].base < b->ranges[at - 1].size)
		return -EEXIST;
	if (at < b->n && b->ranges[at].base - r->base < r->size)
		return -EEXIST;
	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 32;
		struct bus_range *more = realloc(b->ranges, cap * sizeof *more);

		if (!more)
			return -ENOMEM;
		b->ranges = more;
		b->cap = cap;
	}
	memmove(&b->ranges[at + 1], &b->ranges[at], (b->n - at) * sizeof *b->ranges);
	b->ranges[at] = *r;
	b->n++;
	return 0;
}

int bus_add(struct bus *b, const struct bus_range *r)
{
	int err;

	if (!r->size || r->base + (r->size - 1) < r->base)
		return -EINVAL;
	pthread_rwlock_wrlock(&b->lock);
	err = insert(b, r);
	pthread_rwlock_unlock(&b->lock);
	return err;
}

void bus_remove(struct bus *b, uint64_t base, uint64_t size)
{
	size_t at;

	pthread_rwlock_wrlock(&b->lock);
	at = count_upto(b, base);
	if (at && b->ranges[at - 1].base == base && b->ranges[at - 1].size == size) {
		memmove(&b->ranges[at - 1], &b->ranges[at], (b->n - at) * sizeof *b->ranges);
		b->n--;
	}
	pthread_rwlock_unlock(&b->lock);
}

/* Copies the range that holds all of the access. */
static int find(struct bus *b, uint64_t addr, unsigned size, struct bus_range *out)
{
	size_t at;
	int found = 0;

	pthread_rwlock_rdlock(&b->lock);
	at = count_upto(b, addr);
	if (at) {
		const struct bus_range *r = &b->ranges[at - 1];

		found = addr - r->base < r->size && size <= r->size - (addr - r->base);
		if (found)
			*out = *r;
	}
	pthread_rwlock_unlock(&b->lock);
	return found;
}

uint64_t bus_read(struct bus *b, uint64_t addr, unsigned size)
{
	struct bus_range r;

	if (!find(b, addr, size, &r) || !r.ops->read)
		return ~0ull;
	return r.ops->read(r.opaque, addr - r.base, size);
}

void bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t value)
{
	struct bus_range r;

	if (find(b, addr, size, &r) && r.ops->write)
		r.ops->write(r.opaque, addr - r.base, size, value);
}
