/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The split virtqueue (virtio 1.2, section 2.7), seen from the device.
 *
 *      descriptor table            available ring (driver writes)      used ring (device writes)
 *   +------------------+          flags | idx | head, head, ...       flags | idx | (head, len), ...
 *   | addr len flags n |<---------------------'                                        ^
 *   | addr len flags n |   vq_pop() takes one head and copies its chain                |
 *   +------------------+   vq_push() returns it ---------------------------------------'
 *
 * Contract: every field of the ring belongs to a hostile driver. Indices and descriptors are
 * copied once, checked, and only then used; each piece of a chain has been proved to be RAM. The
 * first violation marks the device NEEDS_RESET through virtio_broken() and the queue is dead until
 * then: vq_pop() finds nothing and vq_push() writes nothing.
 *
 * Threads: the setters on vCPU threads under the device's lock, before the driver is live; all
 * else on the machine loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct memory;
struct virtio_device;
struct state_writer;
struct state_reader;

#define VQ_SIZE_MAX 256 /* entries of a queue, and descriptors of a chain */

/* One request: readable pieces first, writable ones after them. Embedded in the device's own
 * request where it outlives the call. */
struct vq_chain {
	uint16_t head;
	uint16_t nout, nin;     /* pieces; iov[0 .. nout) is out, iov[nout .. nout + nin) is in */
	size_t out_len, in_len; /* bytes; each is below 4 GiB */
	struct iovec iov[VQ_SIZE_MAX];
};

struct virtqueue {
	struct virtio_device *dev;
	const struct memory *mem;
	uint16_t index;    /* of this queue in its device */
	uint16_t size_max; /* what the device offers; power of two up to VQ_SIZE_MAX */

	/* What the driver chose; fixed once it is live. */
	uint16_t size;
	uint16_t vector; /* MSI-X vector or VIRTIO_NO_VECTOR */
	bool enabled;
	uint64_t desc_gpa, avail_gpa, used_gpa;

	/* Live */
	bool event_idx, indirect;
	uint8_t *desc, *avail, *used; /* host addresses, proved at vq_start(); NULL: not live */
	uint16_t next_avail;          /* free-running */
	uint16_t next_used;
	uint16_t signalled_used; /* next_used at the last interrupt */
	uint16_t in_flight;      /* popped, not yet pushed */
};

/*
 * Checks alignment and that all three rings are RAM, and caches their addresses. 0, or -EINVAL
 * with nothing logged: the caller decides what is broken. event_idx and indirect say what was
 * negotiated.
 */
int vq_start(struct virtqueue *vq, bool event_idx, bool indirect);

/* Back to what follows a reset; size becomes size_max. */
void vq_reset(struct virtqueue *vq);

/*
 * Takes the next request. True: *chain is filled. False: nothing there, and the driver has been
 * asked to kick again when there is; or the device has just been marked broken.
 */
bool vq_pop(struct virtqueue *vq, struct vq_chain *chain);

/* True where vq_pop() would find something; asks for no kick. */
bool vq_has_work(const struct virtqueue *vq);

/* Returns a request with how many bytes were written into its in pieces, then see vq_notify(). */
void vq_push(struct virtqueue *vq, uint16_t head, uint32_t written);

/* Returns n requests that the driver may only see together (5.1.6.4: a frame over several buffers). */
struct vq_used {
	uint16_t head;
	uint32_t written;
};
void vq_push_together(struct virtqueue *vq, const struct vq_used *used, unsigned n);

/* Interrupts the driver where it wants to hear of what was pushed since the last time. */
void vq_notify(struct virtqueue *vq);

/* Puts the last popped chain back: it will be popped again. Several go back newest first. */
void vq_unpop(struct virtqueue *vq);

/*
 * Copy from the out pieces or into the in pieces, offset bytes in. Return how many bytes could be
 * copied, which is less than len at the chain's end.
 */
size_t vq_chain_read(const struct vq_chain *c, size_t offset, void *buf, size_t len);
size_t vq_chain_write(const struct vq_chain *c, size_t offset, const void *buf, size_t len);

/* State of a queue whose requests have all been returned (in_flight 0). vq_start() follows a load. */
void vq_save(const struct virtqueue *vq, struct state_writer *w);
int vq_load(struct virtqueue *vq, struct state_reader *r);
