/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/fake_driver.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

static void interrupt_queue(void *opaque, struct virtqueue *vq)
{
	struct fake_driver *d = opaque;

	__atomic_add_fetch(&d->rings[vq->index].interrupts, 1, __ATOMIC_RELAXED);
}

static void interrupt_config(void *opaque)
{
	struct fake_driver *d = opaque;

	__atomic_add_fetch(&d->config_interrupts, 1, __ATOMIC_RELAXED);
}

static void transport_reset(void *opaque)
{
	((struct fake_driver *)opaque)->resets++;
}

static const struct virtio_transport_ops transport = {
	.interrupt_queue = interrupt_queue,
	.interrupt_config = interrupt_config,
	.reset = transport_reset,
};

void fake_driver_init(struct fake_driver *d, uint64_t bytes)
{
	memset(d, 0, sizeof *d);
	d->loop = loop_create();
	if (!d->loop || memory_init(&d->mem, bytes, "/dev/shm") < 0)
		abort();
	d->next_gpa = 0x1000;
}

void fake_driver_finish(struct fake_driver *d)
{
	memory_finish(&d->mem);
	loop_destroy(d->loop);
}

void *fake_driver_alloc(struct fake_driver *d, uint64_t len, uint64_t align)
{
	uint64_t gpa = ALIGN_UP(d->next_gpa, align);
	void *p = memory_ptr(&d->mem, gpa, len);

	if (!p)
		abort();
	d->next_gpa = gpa + len;
	memset(p, 0, len);
	return p;
}

uint64_t fake_driver_gpa(const struct fake_driver *d, const void *host)
{
	return (uint64_t)((const uint8_t *)host - d->mem.regions[0].host);
}

void fake_driver_attach(struct fake_driver *d, struct virtio_device *dev)
{
	d->dev = dev;
	dev->transport = &transport;
	dev->transport_opaque = d;
	for (unsigned q = 0; q < dev->nqueues; q++) {
		struct fake_ring *r = &d->rings[q];
		struct virtqueue *vq = &dev->queues[q];

		memset(r, 0, sizeof *r);
		r->size = vq->size_max;
		r->desc = fake_driver_alloc(d, 16u * r->size, 16);
		r->avail = fake_driver_alloc(d, 6u + 2 * r->size, 2);
		r->used = fake_driver_alloc(d, 6u + 8 * r->size, 4);
		r->desc_gpa = fake_driver_gpa(d, r->desc);
		r->avail_gpa = fake_driver_gpa(d, r->avail);
		r->used_gpa = fake_driver_gpa(d, r->used);
		vq->size = r->size;
		vq->desc_gpa = r->desc_gpa;
		vq->avail_gpa = r->avail_gpa;
		vq->used_gpa = r->used_gpa;
		vq->enabled = true;
	}
}

void fake_driver_start(struct fake_driver *d, struct virtio_device *dev, uint64_t features)
{
	uint64_t wanted = dev->features & features;
	uint8_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	fake_driver_attach(d, dev);
	virtio_write_status(dev, status);
	virtio_write_features(dev, 0, (uint32_t)wanted);
	virtio_write_features(dev, 1, (uint32_t)(wanted >> 32));
	virtio_write_status(dev, status |= VIRTIO_STATUS_FEATURES_OK);
	virtio_write_status(dev, status | VIRTIO_STATUS_DRIVER_OK);
	loop_step(d->loop, 0);
}

void fake_driver_reset(struct fake_driver *d)
{
	virtio_write_status(d->dev, 0);
	for (int i = 0; i < 500 && virtio_read_status(d->dev); i++)
		loop_step(d->loop, 10);
}

void fake_driver_desc(struct fake_driver *d, unsigned q, uint16_t at, uint64_t gpa, uint32_t len,
	uint16_t flags, uint16_t next)
{
	uint8_t *p = d->rings[q].desc + 16u * at;

	le64_put(p, gpa);
	le32_put(p + 8, len);
	le16_put(p + 12, flags);
	le16_put(p + 14, next);
}

void fake_driver_avail(struct fake_driver *d, unsigned q, uint16_t head)
{
	struct fake_ring *r = &d->rings[q];

	le16_put(r->avail + 4 + 2 * (r->avail_idx % r->size), head);
	__atomic_store_n((uint16_t *)(r->avail + 2), ++r->avail_idx, __ATOMIC_RELEASE);
}

uint16_t fake_driver_request(
	struct fake_driver *d, unsigned q, const struct iovec *iov, unsigned nout, unsigned nin)
{
	struct fake_ring *r = &d->rings[q];
	uint16_t head = r->next_desc;

	for (unsigned i = 0; i < nout + nin; i++) {
		uint16_t at = r->next_desc;
		bool last = i + 1 == nout + nin;

		r->next_desc = (uint16_t)((at + 1) % r->size);
		fake_driver_desc(d, q, at, fake_driver_gpa(d, iov[i].iov_base),
			(uint32_t)iov[i].iov_len, (uint16_t)((last ? 0 : 1) | (i < nout ? 0 : 2)),
			r->next_desc);
	}
	fake_driver_avail(d, q, head);
	return head;
}

void fake_driver_kick(struct fake_driver *d, unsigned q)
{
	virtio_kick(d->dev, q);
	loop_step(d->loop, 0);
}

bool fake_driver_used(struct fake_driver *d, unsigned q, uint16_t *head, uint32_t *len)
{
	struct fake_ring *r = &d->rings[q];
	const uint8_t *entry = r->used + 4 + 8 * (r->last_used % r->size);

	if (__atomic_load_n((uint16_t *)(r->used + 2), __ATOMIC_ACQUIRE) == r->last_used)
		return false;
	if (head)
		*head = (uint16_t)le32_get(entry);
	if (len)
		*len = le32_get(entry + 4);
	r->last_used++;
	return true;
}

bool fake_driver_wait(struct fake_driver *d, unsigned q, uint16_t *head, uint32_t *len)
{
	for (int i = 0; i < 500; i++) {
		if (fake_driver_used(d, q, head, len))
			return true;
		loop_step(d->loop, 10);
	}
	return false;
}

int64_t fake_driver_do(
	struct fake_driver *d, unsigned q, const struct iovec *iov, unsigned nout, unsigned nin)
{
	uint32_t len;

	fake_driver_request(d, q, iov, nout, nin);
	fake_driver_kick(d, q);
	return fake_driver_wait(d, q, NULL, &len) ? (int64_t)len : -1;
}
