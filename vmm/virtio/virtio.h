/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every virtio device is (virtio 1.2, section 2): status, features, queues, config space.
 *
 * Life of a device. The driver walks ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK through the
 * transport's registers, on vCPU threads, under dev->lock. DRIVER_OK posts start() to the machine
 * loop; from then on the queues belong to that loop alone, since the transport refuses every
 * change of them. A driver's reset (status 0) is posted too: the loop drains what is in flight,
 * calls reset(), and only then does the status read 0.
 *
 *   vCPU thread                        machine loop
 *   status |= DRIVER_OK  ── posted ──► start()
 *   kick (ioeventfd)     ───────────►  kick(q) → vq_pop() … vq_push(), vq_notify()
 *   status = 0           ── posted ──► drain() … virtio_drained() → reset() → status reads 0
 *
 * A broken rule of the driver's is virtio_broken(): one line in the log, NEEDS_RESET in the
 * status, a config interrupt, and no more work on any queue of that device until it is reset.
 *
 * Transport and device know each other only by the two tables of ops here.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/loop.h"
#include "vmm/virtio/virtqueue.h"

#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER      2
#define VIRTIO_STATUS_DRIVER_OK   4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64
#define VIRTIO_STATUS_FAILED      128

#define VIRTIO_F_INDIRECT_DESC 28
#define VIRTIO_F_EVENT_IDX     29
#define VIRTIO_F_VERSION_1     32

/* Offered by every device of ours, beside its own. */
#define VIRTIO_FEATURES_COMMON \
	(1ull << VIRTIO_F_INDIRECT_DESC | 1ull << VIRTIO_F_EVENT_IDX | 1ull << VIRTIO_F_VERSION_1)

/* Device types (virtio 1.2, section 5) */
#define VIRTIO_ID_NET   1
#define VIRTIO_ID_BLOCK 2
#define VIRTIO_ID_RNG   4
#define VIRTIO_ID_GPU   16
#define VIRTIO_ID_INPUT 18

#define VIRTIO_NO_VECTOR  0xffff
#define VIRTIO_QUEUES_MAX 16

struct virtio_device;
struct state_writer;
struct state_reader;

typedef void (*virtio_done_fn)(void *opaque, struct virtio_device *dev);

struct virtio_ops {
	/*
	 * Reads config space. vCPU thread, dev->lock held. The caller has checked that
	 * [offset, offset + len) lies within config_len. NULL: bytes of dev->config.
	 */
	void (*config_read)(struct virtio_device *dev, uint32_t offset, void *buf, uint32_t len);
	/* Writes config space; same rules. NULL: ignored. */
	void (*config_write)(
		struct virtio_device *dev, uint32_t offset, const void *buf, uint32_t len);

	/* The driver is live, dev->driver_features is final. Machine loop, lock not held. Optional. */
	void (*start)(struct virtio_device *dev);
	/* The driver kicked queue q, or a kick may have been lost. Machine loop, lock not held. */
	void (*kick)(struct virtio_device *dev, unsigned q);
	/*
	 * Take no more requests and return all that are in flight. True: there are none now. False:
	 * virtio_drained() will be called. Before a reset and before a save. Machine loop.
	 * NULL: this device never keeps a request beyond kick().
	 */
	bool (*drain)(struct virtio_device *dev);
	/* Requests may be taken again, after a drain that was not for a reset. Machine loop. Optional. */
	void (*resume)(struct virtio_device *dev);
	/* Back to power-on; nothing is in flight. Machine loop, lock not held. Optional. */
	void (*reset)(struct virtio_device *dev);

	/* The device's own state beside what virtio_save() writes. Machine loop, drained. Optional.
	 * load gives 0 or -EINVAL; it comes after features and queues have been loaded. */
	void (*save)(struct virtio_device *dev, struct state_writer *w);
	int (*load)(struct virtio_device *dev, struct state_reader *r);
};

/* Implemented by virtio-pci, and by tests' fakes. */
struct virtio_transport_ops {
	/* Any thread, dev->lock not needed. */
	void (*interrupt_queue)(void *opaque, struct virtqueue *vq);
	void (*interrupt_config)(void *opaque);
	/* The device has been reset: forget vectors and selectors. dev->lock held. */
	void (*reset)(void *opaque);
};

struct virtio_device {
	const char *name; /* as in messages: "virtio-gpu", "virtio-blk 0" */
	const struct virtio_ops *ops;
	uint16_t id;
	uint64_t features; /* offered */
	unsigned nqueues;
	struct virtqueue queues[VIRTIO_QUEUES_MAX];
	void *config; /* config_len bytes, the device's own, or NULL with config_read */
	uint32_t config_len;

	struct loop *loop; /* the machine loop */
	const struct memory *mem;

	pthread_mutex_t lock; /* guards what follows, and config */
	uint64_t driver_features;
	uint8_t status;
	uint8_t config_generation;
	bool resetting; /* status was written 0, and the loop has not finished with it */

	bool broken;     /* written under the lock, read by virtio_is_broken() */
	bool complained; /* one line a device, however often a guest resets it and errs again */

	/* Machine loop alone */
	bool live;         /* between start() and reset() */
	bool paused;       /* between virtio_quiesce() and virtio_resume() */
	bool reset_wanted; /* once what is in flight has come back */
	virtio_done_fn quiesced, was_reset;
	void *quiesced_opaque, *was_reset_opaque;
	struct loop_work start_work, reset_work;

	const struct virtio_transport_ops *transport;
	void *transport_opaque;
};

/*
 * Fills in a device whose name, ops, id, features, nqueues and config the caller has set, queue
 * sizes by queue_size. VIRTIO_FEATURES_COMMON is added to features.
 */
void virtio_init(struct virtio_device *dev, struct loop *loop, const struct memory *mem,
	uint16_t queue_size);
void virtio_finish(struct virtio_device *dev);

static inline bool virtio_has_feature(const struct virtio_device *dev, unsigned bit)
{
	return dev->driver_features >> bit & 1;
}

static inline bool virtio_is_broken(const struct virtio_device *dev)
{
	return __atomic_load_n(&dev->broken, __ATOMIC_ACQUIRE);
}

/*
 * The driver broke a rule: see above. The format says which rule and the numbers. Any thread,
 * dev->lock not held.
 */
void virtio_broken(struct virtio_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Config space changed: new generation and a config interrupt. Any thread, lock not held. */
void virtio_config_changed(struct virtio_device *dev);

/* The end of a drain that was answered with false. Machine loop. */
void virtio_drained(struct virtio_device *dev);

/* ---- for transports ---- */

/*
 * The register rules of sections 2.1 and 3.1 live here, once. vCPU threads; the lock is taken
 * inside.
 */
void virtio_write_status(struct virtio_device *dev, uint8_t status);
uint8_t virtio_read_status(struct virtio_device *dev);
void virtio_write_features(struct virtio_device *dev, unsigned select, uint32_t value);
void virtio_config_read(struct virtio_device *dev, uint32_t offset, void *buf, uint32_t len);
void virtio_config_write(struct virtio_device *dev, uint32_t offset, const void *buf, uint32_t len);

/* Queue registers may change now: FEATURES_OK and not yet DRIVER_OK. dev->lock held. */
bool virtio_may_configure(const struct virtio_device *dev);

/* A kick has arrived; ignored unless live. Machine loop. */
void virtio_kick(struct virtio_device *dev, unsigned q);

/* ---- for the machine: all on its loop ---- */

/* As a driver's reset, with the vCPUs stopped. True: done. False: fn is called when it is. */
bool virtio_reset_now(struct virtio_device *dev, virtio_done_fn fn, void *opaque);

/* Takes no more requests. True: nothing is in flight. False: fn follows. virtio_resume() ends it. */
bool virtio_quiesce(struct virtio_device *dev, virtio_done_fn fn, void *opaque);
void virtio_resume(struct virtio_device *dev);

/*
 * Status, features, queues, then the device's own part, as one section. Quiesced. A load leaves
 * the device quiesced too: 0, or -EINVAL with one line logged and the device reset.
 */
void virtio_save(struct virtio_device *dev, struct state_writer *w);
int virtio_load(struct virtio_device *dev, struct state_reader *r);
