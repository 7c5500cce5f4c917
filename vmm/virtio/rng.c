/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "util/bytes.h"
#include "util/loop.h"
#include "vmm/virtio/virtio.h"

enum { QUEUE_SIZE = 64 };

struct vrng {
	struct virtio_device dev;
	struct loop_work again; /* the rest, after other devices have had their turn */
	struct vq_chain chain;
};

static size_t vrng_fill_piece(uint8_t *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = getrandom(to + done, len - done, 0);

		if (n < 0 && errno != EINTR)
			break; /* ENOSYS only: what is there counts */
		if (n > 0)
			done += (size_t)n;
	}
	return done;
}

/* Straight into guest memory: the bytes are for nobody else. */
static uint32_t vrng_fill(const struct vq_chain *c)
{
	size_t left = VRNG_REQUEST_MAX;

	for (unsigned i = 0; i < c->nin && left; i++) {
		size_t want = MIN(c->iov[i].iov_len, left);
		size_t got = vrng_fill_piece(c->iov[i].iov_base, want);

		left -= got;
		if (got < want)
			break;
	}
	return VRNG_REQUEST_MAX - (uint32_t)left;
}

static void vrng_kick(struct virtio_device *dev, unsigned q)
{
	struct vrng *r = CONTAINER(dev, struct vrng, dev);
	struct virtqueue *vq = &dev->queues[q];
	size_t given = 0;

	while (given < VRNG_PASS_MAX && vq_pop(vq, &r->chain)) {
		uint32_t n;

		if (r->chain.nout || !r->chain.in_len) { /* 5.4.6.1 */
			virtio_broken(dev, "a request has %zu readable and %zu writable bytes",
				r->chain.out_len, r->chain.in_len);
			return;
		}
		n = vrng_fill(&r->chain);
		vq_push(vq, r->chain.head, n);
		given += MAX(n, 512); /* small requests count too */
	}
	vq_notify(vq);
	if (given >= VRNG_PASS_MAX)
		loop_post(dev->loop, &r->again);
}

static void vrng_again(void *opaque)
{
	struct vrng *r = opaque;

	virtio_kick(&r->dev, 0);
}

static const struct virtio_ops vrng_ops = { .kick = vrng_kick };

struct vrng *vrng_create(struct loop *loop, const struct memory *mem)
{
	struct vrng *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->again = (struct loop_work){ .fn = vrng_again, .opaque = r };
	r->dev.name = "virtio-rng";
	r->dev.ops = &vrng_ops;
	r->dev.id = VIRTIO_ID_RNG;
	r->dev.nqueues = 1;
	virtio_init(&r->dev, loop, mem, QUEUE_SIZE);
	return r;
}

void vrng_destroy(struct vrng *r)
{
	if (!r)
		return;
	loop_unpost(r->dev.loop, &r->again);
	virtio_finish(&r->dev);
	free(r);
}

struct virtio_device *vrng_device(struct vrng *r)
{
	return &r->dev;
}
