/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small driver for virtio 1.2 over PCI: enough to use a device, and open enough to misuse it.
 * Rings and registers lie bare, since hostile guests write them by hand.
 */
#pragma once

#include "pci.h"

enum {
	VIRTIO_NET = 1,
	VIRTIO_BLOCK = 2,
	VIRTIO_RNG = 4,
	VIRTIO_GPU = 16,
	VIRTIO_INPUT = 18,

	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_NEEDS_RESET = 64,
	STATUS_FAILED = 128,

	F_INDIRECT = 28,
	F_EVENT_IDX = 29,
	F_VERSION_1 = 32,

	DESC_NEXT = 1,
	DESC_WRITE = 2,
	DESC_INDIRECT = 4,

	VIRTIO_QUEUES = 8,
	VIRTIO_QUEUE_SIZE = 16, /* entries that this driver uses, where a device has as many */
	NO_VECTOR = 0xffff,
};

/* 4.1.4.3: the common configuration's fields */
enum {
	C_DEVICE_FEATURE_SELECT = 0x00,
	C_DEVICE_FEATURE = 0x04,
	C_DRIVER_FEATURE_SELECT = 0x08,
	C_DRIVER_FEATURE = 0x0c,
	C_CONFIG_VECTOR = 0x10,
	C_NUM_QUEUES = 0x12,
	C_STATUS = 0x14,
	C_GENERATION = 0x15,
	C_QUEUE_SELECT = 0x16,
	C_QUEUE_SIZE = 0x18,
	C_QUEUE_VECTOR = 0x1a,
	C_QUEUE_ENABLE = 0x1c,
	C_QUEUE_NOTIFY = 0x1e,
	C_QUEUE_DESC = 0x20,
	C_QUEUE_DRIVER = 0x28,
	C_QUEUE_DEVICE = 0x30,
};

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
struct vring_used_elem {
	uint32_t id, len;
};

struct vq {
	struct virtio *dev;
	unsigned index, size;
	volatile struct vring_desc *desc;
	volatile uint16_t *avail; /* flags, idx, ring[size], used_event */
	volatile uint16_t *used;  /* flags, idx, then: */
	volatile struct vring_used_elem *used_ring;
	volatile uint8_t *notify;
	uint16_t next_avail, next_used, kicked;
	uint16_t next_desc; /* descriptors are handed out in a circle: at most size are in flight */
	unsigned vector;    /* the CPU's, or 0 */
};

struct virtio {
	const char *name;
	unsigned slot;
	volatile uint8_t *common, *isr, *config, *notify;
	uint32_t notify_multiplier, config_len;
	struct msix msix;
	bool has_msix;
	uint64_t features; /* agreed */
	unsigned nqueues;  /* used by this driver, up to VIRTIO_QUEUES */
	struct vq queues[VIRTIO_QUEUES];
	unsigned config_vector; /* the CPU's */
};

struct buf {
	const volatile void *addr;
	uint32_t len;
	bool write; /* by the device */
};

/* Finds the nth device of a type and maps its registers; touches no status. False: none there. */
bool virtio_find(struct virtio *v, const char *name, unsigned type, unsigned nth);

/* The steps of 3.1.1, apart for those who mean to disturb them. Each fails where it must not. */
void virtio_reset(struct virtio *v);
uint8_t virtio_status(const struct virtio *v);
void virtio_add_status(struct virtio *v, uint8_t bits);
uint64_t virtio_offered(struct virtio *v);
/* Writes features and FEATURES_OK: whether it stuck. */
bool virtio_negotiate(struct virtio *v, uint64_t features);
/* Makes rings and tells the device, without enabling the queue. */
void virtio_make_queue(struct virtio *v, unsigned q);
void virtio_enable_queue(struct virtio *v, unsigned q);

/* All of it, with the features asked for beside VERSION_1, as far as offered. */
void virtio_start(struct virtio *v, uint64_t features);
/* virtio_find() and virtio_start(), or the guest fails. */
void virtio_open(
	struct virtio *v, const char *name, unsigned type, unsigned nth, uint64_t features);

static inline bool virtio_has(const struct virtio *v, unsigned bit)
{
	return v->features >> bit & 1;
}

/* Puts a request into the ring, visible to the device, and returns its head. No kick. */
uint16_t vq_add(struct vq *q, const struct buf *bufs, unsigned n);
/* Kicks where the device wants it. */
void vq_kick(struct vq *q);
void vq_kick_always(struct vq *q);
/* True where a request has come back: its head and the bytes written. */
bool vq_take(struct vq *q, uint16_t *head, uint32_t *written);
/* Adds, kicks, and waits for this request to come back: the bytes written. Nothing else in flight. */
uint32_t vq_do(struct vq *q, const struct buf *bufs, unsigned n);
/* As vq_do(), false after ms milliseconds. */
bool vq_try(struct vq *q, const struct buf *bufs, unsigned n, uint32_t *written, unsigned ms);
