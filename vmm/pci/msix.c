/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/pci/msix.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/state.h"

enum { CTRL_MASKED = 1 };

struct vector {
	uint32_t address_low, address_high, data, ctrl; /* the table's entry */
	int fd, route;
	bool attached;
};

struct msix {
	const char *name;
	struct msi_target target;
	pthread_mutex_t lock; /* guards the table; fds are fixed */
	bool enabled, function_masked;
	bool complained;
	unsigned n;
	struct vector vectors[];
};

struct msix *msix_create(const char *name, unsigned vectors, struct msi_target target)
{
	struct msix *m = calloc(1, sizeof *m + vectors * sizeof m->vectors[0]);

	if (!m)
		return NULL;
	m->name = name;
	m->target = target;
	pthread_mutex_init(&m->lock, NULL);
	while (m->n < vectors) {
		struct vector *v = &m->vectors[m->n++];

		v->ctrl = CTRL_MASKED;
		v->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		v->route = target.ops->alloc(target.opaque);
		if (v->fd < 0 || v->route < 0) {
			int err = v->fd < 0 ? errno : -v->route;

			msix_destroy(m);
			errno = err;
			return NULL;
		}
	}
	return m;
}

static void detach(struct msix *m, struct vector *v)
{
	if (v->attached)
		m->target.ops->detach(m->target.opaque, v->route, v->fd);
	v->attached = false;
}

void msix_destroy(struct msix *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->n; i++) {
		detach(m, &m->vectors[i]);
		if (m->vectors[i].fd >= 0)
			close(m->vectors[i].fd);
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
}

unsigned msix_vectors(const struct msix *m)
{
	return m->n;
}

void msix_signal(struct msix *m, unsigned vector)
{
	uint64_t one = 1;

	/* Fails only where the count is full, and then the interrupt is pending anyway. */
	if (vector < m->n && write(m->vectors[vector].fd, &one, sizeof one) < 0)
		return;
}

static bool pending(const struct vector *v)
{
	struct pollfd p = { .fd = v->fd, .events = POLLIN };

	return !v->attached && poll(&p, 1, 0) == 1;
}

static void forget(struct vector *v)
{
	uint64_t n;

	if (read(v->fd, &n, sizeof n) < 0)
		return;
}

/* Attaches or detaches after a mask or a message has changed. The lock is held. */
static void update(struct msix *m, struct vector *v, bool message_changed)
{
	bool wanted = m->enabled && !m->function_masked && !(v->ctrl & CTRL_MASKED);
	int err;

	if (v->attached && (!wanted || message_changed))
		detach(m, v);
	if (!wanted || v->attached)
		return;
	err = m->target.ops->attach(m->target.opaque, v->route, v->fd,
		(uint64_t)v->address_high << 32 | v->address_low, v->data);
	v->attached = !err;
	if (err)
		log_once(m->complained, LOG_WARNING,
			"%s: interrupt vector %u is refused (address 0x%x%08x, data 0x%x)", m->name,
			(unsigned)(v - m->vectors), v->address_high, v->address_low, v->data);
}

void msix_control(struct msix *m, bool enabled, bool function_masked)
{
	pthread_mutex_lock(&m->lock);
	m->enabled = enabled;
	m->function_masked = function_masked;
	for (unsigned i = 0; i < m->n; i++)
		update(m, &m->vectors[i], false);
	pthread_mutex_unlock(&m->lock);
}

static uint32_t *field(struct vector *v, uint64_t offset)
{
	switch (offset % MSIX_ENTRY_SIZE / 4) {
	case 0:
		return &v->address_low;
	case 1:
		return &v->address_high;
	case 2:
		return &v->data;
	default:
		return &v->ctrl;
	}
}

static bool table_access_ok(const struct msix *m, uint64_t offset, unsigned size)
{
	return (size == 4 || size == 8) && offset % size == 0 &&
	       range_inside(offset, size, m->n * MSIX_ENTRY_SIZE);
}

uint64_t msix_table_read(struct msix *m, uint64_t offset, unsigned size)
{
	struct vector *v;
	uint64_t value;

	if (!table_access_ok(m, offset, size))
		return ~0ull;
	v = &m->vectors[offset / MSIX_ENTRY_SIZE];
	pthread_mutex_lock(&m->lock);
	value = *field(v, offset);
	if (size == 8)
		value |= (uint64_t)*field(v, offset + 4) << 32;
	pthread_mutex_unlock(&m->lock);
	return value;
}

void msix_table_write(struct msix *m, uint64_t offset, unsigned size, uint64_t value)
{
	struct vector *v;

	if (!table_access_ok(m, offset, size))
		return;
	v = &m->vectors[offset / MSIX_ENTRY_SIZE];
	pthread_mutex_lock(&m->lock);
	for (unsigned done = 0; done < size; done += 4, value >>= 32) {
		uint32_t *f = field(v, offset + done);
		uint32_t new = (uint32_t)value;

		if (f == &v->ctrl)
			new &= CTRL_MASKED;
		if (*f == new)
			continue;
		*f = new;
		update(m, v, f != &v->ctrl);
	}
	pthread_mutex_unlock(&m->lock);
}

uint64_t msix_pba_read(struct msix *m, uint64_t offset, unsigned size)
{
	uint64_t bits = 0;

	if (size > 8 || !range_inside(offset, size, ALIGN_UP(m->n, 64u) / 8))
		return ~0ull;
	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < 8 * size; i++)
		if (8 * offset + i < m->n && pending(&m->vectors[8 * offset + i]))
			bits |= 1ull << i;
	pthread_mutex_unlock(&m->lock);
	return bits;
}

void msix_reset(struct msix *m)
{
	pthread_mutex_lock(&m->lock);
	m->enabled = m->function_masked = false;
	for (unsigned i = 0; i < m->n; i++) {
		struct vector *v = &m->vectors[i];

		detach(m, v);
		forget(v);
		v->address_low = v->address_high = v->data = 0;
		v->ctrl = CTRL_MASKED;
	}
	pthread_mutex_unlock(&m->lock);
}

void msix_save(struct msix *m, struct state_writer *w)
{
	pthread_mutex_lock(&m->lock);
	state_put_u16(w, (uint16_t)m->n);
	for (unsigned i = 0; i < m->n; i++) {
		struct vector *v = &m->vectors[i];

		state_put_u32(w, v->address_low);
		state_put_u32(w, v->address_high);
		state_put_u32(w, v->data);
		state_put_u32(w, v->ctrl);
		state_put_u8(w, pending(v));
	}
	pthread_mutex_unlock(&m->lock);
}

int msix_load(struct msix *m, struct state_reader *r)
{
	msix_reset(m);
	if (state_get_u16(r) != m->n)
		r->failed = true;
	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < m->n && !r->failed; i++) {
		struct vector *v = &m->vectors[i];

		v->address_low = state_get_u32(r);
		v->address_high = state_get_u32(r);
		v->data = state_get_u32(r);
		v->ctrl = state_get_u32(r) & CTRL_MASKED;
		if (state_get_u8(r))
			msix_signal(m, i);
	}
	pthread_mutex_unlock(&m->lock);
	return r->failed ? -EINVAL : 0;
}
