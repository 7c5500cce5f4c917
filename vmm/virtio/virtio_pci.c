/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/virtio_pci.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/pci/msix.h"
#include "vmm/state.h"

enum {
	VENDOR = 0x1af4,
	DEVICE_BASE = 0x1040,
	SUBSYSTEM = 0x1100,
	CAP_VENDOR = 0x09,

	/* Places in the BAR */
	COMMON = 0x0000,
	ISR = 0x0800,
	DEVICE = 0x1000,
	NOTIFY = 0x2000,
	MSIX_TABLE = 0x3000,
	MSIX_PBA = 0x3800,
	BAR_SIZE = 0x4000,
	NOTIFY_STRIDE = 4,

	/* 4.1.4: what a capability describes */
	CFG_COMMON = 1,
	CFG_NOTIFY = 2,
	CFG_ISR = 3,
	CFG_DEVICE = 4,
	CFG_PCI = 5,

	ISR_QUEUE = 1,
	ISR_CONFIG = 2,
};

/* 4.1.4.3: the common configuration */
enum {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	DEVICE_STATUS = 0x14,
	CONFIG_GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
	COMMON_SIZE = 0x38,
};

struct kick {
	struct virtio_pci *owner;
	unsigned queue;
	int fd;
	struct loop_watch *watch;
	uint64_t attached; /* the address that rings it; 0: none */
};

struct virtio_pci {
	struct pci_device pci;
	struct virtio_device *dev;
	struct msix *msix;
	const struct doorbell_ops *doorbells;
	void *doorbells_opaque;
	uint64_t bar; /* where it is now, 0: nowhere */
	uint8_t cfg_cap;

	/* Under dev->lock */
	uint32_t device_feature_select, driver_feature_select;
	uint16_t config_vector, queue_select;
	uint8_t isr;

	struct kick kicks[VIRTIO_QUEUES_MAX];
};

/* ---- interrupts: any thread ---- */

static void interrupt(struct virtio_pci *p, uint16_t vector, uint8_t reason)
{
	__atomic_or_fetch(&p->isr, reason, __ATOMIC_RELAXED);
	if (vector != VIRTIO_NO_VECTOR)
		msix_signal(p->msix, vector);
}

static void interrupt_queue(void *opaque, struct virtqueue *vq)
{
	interrupt(opaque, __atomic_load_n(&vq->vector, __ATOMIC_RELAXED), ISR_QUEUE);
}

static void interrupt_config(void *opaque)
{
	struct virtio_pci *p = opaque;

	interrupt(p, __atomic_load_n(&p->config_vector, __ATOMIC_RELAXED), ISR_CONFIG);
}

/* ---- kicks ---- */

static void kicked(void *opaque, uint32_t events)
{
	struct kick *k = opaque;
	uint64_t n;

	if (read(k->fd, &n, sizeof n) == sizeof n)
		virtio_kick(k->owner->dev, k->queue);
}

static void detach_kicks(struct virtio_pci *p)
{
	for (unsigned q = 0; q < p->dev->nqueues; q++) {
		struct kick *k = &p->kicks[q];

		if (k->attached)
			p->doorbells->detach(p->doorbells_opaque, k->fd, k->attached);
		k->attached = 0;
	}
}

/* The addresses of a live driver's queues ring directly; all others go through notify_write(). */
static void attach_kicks(struct virtio_pci *p)
{
	for (unsigned q = 0; q < p->dev->nqueues && p->bar; q++) {
		struct kick *k = &p->kicks[q];
		uint64_t address = p->bar + NOTIFY + NOTIFY_STRIDE * q;

		if (p->dev->queues[q].enabled && !k->attached &&
			p->doorbells->attach(p->doorbells_opaque, k->fd, address) == 0)
			k->attached = address;
	}
}

static void notify_write(struct virtio_pci *p, uint64_t offset)
{
	uint64_t q = offset / NOTIFY_STRIDE, one = 1;

	/* Fails only where the count is full, and then the kick is pending anyway. */
	if (q < p->dev->nqueues && write(p->kicks[q].fd, &one, sizeof one) < 0)
		return;
}

static void bar_moved(void *opaque, uint64_t address)
{
	struct virtio_pci *p = opaque;

	pthread_mutex_lock(&p->dev->lock);
	p->bar = address;
	detach_kicks(p);
	if (p->dev->status & VIRTIO_STATUS_DRIVER_OK)
		attach_kicks(p);
	pthread_mutex_unlock(&p->dev->lock);
}

/* dev->lock is held */
static void transport_reset(void *opaque)
{
	struct virtio_pci *p = opaque;

	detach_kicks(p);
	p->device_feature_select = p->driver_feature_select = 0;
	__atomic_store_n(&p->config_vector, VIRTIO_NO_VECTOR, __ATOMIC_RELAXED);
	p->queue_select = 0;
	__atomic_store_n(&p->isr, 0, __ATOMIC_RELAXED);
}

static const struct virtio_transport_ops transport_ops = {
	.interrupt_queue = interrupt_queue,
	.interrupt_config = interrupt_config,
	.reset = transport_reset,
};

/* ---- common configuration: vCPU threads ---- */

static struct virtqueue *selected(struct virtio_pci *p)
{
	return p->queue_select < p->dev->nqueues ? &p->dev->queues[p->queue_select] : NULL;
}

static uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> 32 * select) : 0;
}

/* The whole field that starts at offset; dev->lock is held. */
static uint64_t common_field(struct virtio_pci *p, uint64_t offset)
{
	const struct virtqueue *vq = selected(p);

	switch (offset) {
	case DEVICE_FEATURE_SELECT:
		return p->device_feature_select;
	case DEVICE_FEATURE:
		return feature_word(p->dev->features, p->device_feature_select);
	case DRIVER_FEATURE_SELECT:
		return p->driver_feature_select;
	case DRIVER_FEATURE:
		return feature_word(p->dev->driver_features, p->driver_feature_select);
	case CONFIG_VECTOR:
		return p->config_vector;
	case NUM_QUEUES:
		return p->dev->nqueues;
	case DEVICE_STATUS:
		return p->dev->status;
	case CONFIG_GENERATION:
		return p->dev->config_generation;
	case QUEUE_SELECT:
		return p->queue_select;
	case QUEUE_SIZE:
		return vq ? vq->size : 0;
	case QUEUE_VECTOR:
		return vq ? vq->vector : VIRTIO_NO_VECTOR;
	case QUEUE_ENABLE:
		return vq ? vq->enabled : 0;
	case QUEUE_NOTIFY_OFF:
		return vq ? vq->index : 0;
	case QUEUE_DESC:
		return vq ? vq->desc_gpa : 0;
	case QUEUE_DESC + 4:
		return vq ? vq->desc_gpa >> 32 : 0;
	case QUEUE_DRIVER:
		return vq ? vq->avail_gpa : 0;
	case QUEUE_DRIVER + 4:
		return vq ? vq->avail_gpa >> 32 : 0;
	case QUEUE_DEVICE:
		return vq ? vq->used_gpa : 0;
	case QUEUE_DEVICE + 4:
		return vq ? vq->used_gpa >> 32 : 0;
	default:
		return 0;
	}
}

static uint64_t common_read(struct virtio_pci *p, uint64_t offset, unsigned size)
{
	uint64_t value;

	pthread_mutex_lock(&p->dev->lock);
	value = common_field(p, offset);
	pthread_mutex_unlock(&p->dev->lock);
	return size < 8 ? value & ((1ull << 8 * size) - 1) : value;
}

/* Writes 4 or 8 bytes of a ring's address, which offset is the low or the high half of. */
static void write_address(uint64_t *field, bool high, unsigned size, uint64_t value)
{
	if (size == 8)
		*field = value;
	else if (high)
		*field = (uint32_t)*field | value << 32;
	else
		*field = (*field & ~0xffffffffull) | (uint32_t)value;
}

static uint16_t checked_vector(const struct virtio_pci *p, uint64_t value)
{
	return value < msix_vectors(p->msix) ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

/* The selected queue's registers; what rule was broken, or NULL. dev->lock is held. */
static const char *queue_write(struct virtio_pci *p, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtqueue *vq = selected(p);

	if (!vq)
		return NULL; /* 4.1.5.1.3: a driver learns from size 0 that there is no such queue */
	if (offset == QUEUE_VECTOR) {
		__atomic_store_n(&vq->vector, checked_vector(p, value), __ATOMIC_RELAXED);
		return NULL;
	}
	if (!virtio_may_configure(p->dev))
		return "a queue was changed outside FEATURES_OK and DRIVER_OK";
	if (vq->enabled)
		return "an enabled queue was changed";
	switch (offset) {
	case QUEUE_SIZE:
		if (!value || value > vq->size_max || value & (value - 1))
			return "a queue size that was not offered";
		vq->size = (uint16_t)value;
		break;
	case QUEUE_ENABLE:
		if (value != 1)
			return "a queue was disabled";
		vq->enabled = true;
		break;
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
		write_address(&vq->desc_gpa, offset & 4, size, value);
		break;
	case QUEUE_DRIVER:
	case QUEUE_DRIVER + 4:
		write_address(&vq->avail_gpa, offset & 4, size, value);
		break;
	case QUEUE_DEVICE:
	case QUEUE_DEVICE + 4:
		write_address(&vq->used_gpa, offset & 4, size, value);
		break;
	}
	return NULL;
}

static void common_write(struct virtio_pci *p, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_device *dev = p->dev;
	const char *rule = NULL;
	unsigned select;

	if (offset == DEVICE_STATUS) {
		virtio_write_status(dev, (uint8_t)value);
		pthread_mutex_lock(&dev->lock);
		if (dev->status & VIRTIO_STATUS_DRIVER_OK && !dev->resetting)
			attach_kicks(p);
		pthread_mutex_unlock(&dev->lock);
		return;
	}
	if (offset == DRIVER_FEATURE) {
		pthread_mutex_lock(&dev->lock);
		select = p->driver_feature_select;
		pthread_mutex_unlock(&dev->lock);
		virtio_write_features(dev, select, (uint32_t)value);
		return;
	}
	pthread_mutex_lock(&dev->lock);
	select = p->queue_select;
	switch (offset) {
	case DEVICE_FEATURE_SELECT:
		p->device_feature_select = (uint32_t)value;
		break;
	case DRIVER_FEATURE_SELECT:
		p->driver_feature_select = (uint32_t)value;
		break;
	case CONFIG_VECTOR:
		__atomic_store_n(&p->config_vector, checked_vector(p, value), __ATOMIC_RELAXED);
		break;
	case QUEUE_SELECT:
		p->queue_select = (uint16_t)value;
		break;
	default:
		if (offset >= QUEUE_SIZE)
			rule = queue_write(p, offset, size, value);
	}
	pthread_mutex_unlock(&dev->lock);
	if (rule)
		virtio_broken(dev, "%s (queue %u)", rule, select);
}

/* ---- the BAR: vCPU threads ---- */

static uint64_t read_bar(void *opaque, uint64_t offset, unsigned size)
{
	struct virtio_pci *p = opaque;
	uint64_t value = 0;

	if (offset >= MSIX_PBA)
		return msix_pba_read(p->msix, offset - MSIX_PBA, size);
	if (offset >= MSIX_TABLE)
		return msix_table_read(p->msix, offset - MSIX_TABLE, size);
	if (offset >= NOTIFY)
		return ~0ull;
	if (offset >= DEVICE) {
		virtio_config_read(p->dev, (uint32_t)(offset - DEVICE), &value, size);
		return value;
	}
	if (offset >= ISR) /* 4.1.4.5: reading clears it */
		return offset == ISR ? __atomic_exchange_n(&p->isr, 0, __ATOMIC_RELAXED) : 0;
	return range_inside(offset, size, COMMON_SIZE) ? common_read(p, offset, size) : 0;
}

static void write_bar(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio_pci *p = opaque;

	if (offset >= MSIX_PBA)
		return;
	if (offset >= MSIX_TABLE)
		msix_table_write(p->msix, offset - MSIX_TABLE, size, value);
	else if (offset >= NOTIFY)
		notify_write(p, offset - NOTIFY);
	else if (offset >= DEVICE)
		virtio_config_write(p->dev, (uint32_t)(offset - DEVICE), &value, size);
	else if (range_inside(offset, size, COMMON_SIZE))
		common_write(p, offset, size, value);
}

static const struct bus_ops bar_ops = { .read = read_bar, .write = write_bar };

/* ---- capabilities ---- */

static uint8_t add_cap(
	struct virtio_pci *p, uint8_t type, uint32_t offset, uint32_t length, uint8_t len)
{
	uint8_t cap[20] = { 0 };

	cap[2] = len;
	cap[3] = type;
	le32_put(cap + 8, offset);
	le32_put(cap + 12, length);
	if (type == CFG_NOTIFY)
		le32_put(cap + 16, NOTIFY_STRIDE);
	return pci_add_capability(&p->pci, CAP_VENDOR, cap, len);
}

/* 4.1.4.9: a window on the BAR in config space, for whoever has no access to memory yet. */
static bool window(struct virtio_pci *p, unsigned *bar, uint32_t *offset, uint32_t *len)
{
	const uint8_t *cap = p->pci.config + p->cfg_cap;

	*bar = cap[4];
	*offset = le32_get(cap + 8);
	*len = le32_get(cap + 12);
	return (*len == 1 || *len == 2 || *len == 4) && *offset % *len == 0;
}

static bool in_window_data(const struct virtio_pci *p, unsigned offset, unsigned size)
{
	return offset < p->cfg_cap + 20u && p->cfg_cap + 16u < offset + size;
}

static void config_read(void *opaque, unsigned offset, unsigned size)
{
	struct virtio_pci *p = opaque;
	uint32_t at, len;
	unsigned bar;

	if (in_window_data(p, offset, size) && window(p, &bar, &at, &len))
		le32_put(p->pci.config + p->cfg_cap + 16,
			(uint32_t)pci_bar_read(&p->pci, bar, at, len));
}

static void config_written(void *opaque, unsigned offset, unsigned size)
{
	struct virtio_pci *p = opaque;
	uint32_t at, len;
	unsigned bar;

	if (in_window_data(p, offset, size) && window(p, &bar, &at, &len))
		pci_bar_write(&p->pci, bar, at, len, le32_get(p->pci.config + p->cfg_cap + 16));
}

static void add_caps(struct virtio_pci *p)
{
	uint8_t *writable;

	add_cap(p, CFG_COMMON, COMMON, COMMON_SIZE, 16);
	add_cap(p, CFG_ISR, ISR, 1, 16);
	if (p->dev->config_len)
		add_cap(p, CFG_DEVICE, DEVICE, p->dev->config_len, 16);
	add_cap(p, CFG_NOTIFY, NOTIFY, NOTIFY_STRIDE * p->dev->nqueues, 20);
	p->cfg_cap = add_cap(p, CFG_PCI, 0, 0, 20);
	writable = p->pci.writable + p->cfg_cap;
	writable[4] = 0xff;
	memset(writable + 8, 0xff, 12);
	pci_add_msix(&p->pci, p->msix, 0, MSIX_TABLE, MSIX_PBA);
}

/* ---- life ---- */

static int make_kicks(struct virtio_pci *p)
{
	for (unsigned q = 0; q < p->dev->nqueues; q++) {
		struct kick *k = &p->kicks[q];

		k->owner = p;
		k->queue = q;
		k->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (k->fd < 0)
			return -errno;
		k->watch = loop_watch_add(p->dev->loop, k->fd, EPOLLIN, kicked, k);
		if (!k->watch)
			return -errno;
	}
	return 0;
}

struct virtio_pci *virtio_pci_create(struct virtio_device *dev, struct pci_bus *bus, unsigned slot,
	uint32_t class, struct msi_target msi, const struct doorbell_ops *doorbells, void *opaque)
{
	struct virtio_pci *p = calloc(1, sizeof *p);
	int err = -ENOMEM;

	if (!p)
		goto fail;
	p->dev = dev;
	p->doorbells = doorbells;
	p->doorbells_opaque = opaque;
	p->config_vector = VIRTIO_NO_VECTOR;
	for (unsigned q = 0; q < VIRTIO_QUEUES_MAX; q++)
		p->kicks[q].fd = -1;
	p->msix = msix_create(dev->name, dev->nqueues + 1, msi);
	if (!p->msix) {
		err = -errno;
		goto fail;
	}
	err = make_kicks(p);
	if (err)
		goto fail;
	dev->transport = &transport_ops;
	dev->transport_opaque = p;
	pci_device_init(&p->pci, dev->name, slot, VENDOR, DEVICE_BASE + dev->id, class);
	le16_put(p->pci.config + PCI_SUBSYSTEM, VENDOR);
	le16_put(p->pci.config + PCI_SUBSYSTEM + 2, SUBSYSTEM);
	p->pci.opaque = p;
	p->pci.config_read = config_read;
	p->pci.config_written = config_written;
	p->pci.bars[0] = (struct pci_bar){
		.size = BAR_SIZE, .is_64 = true, .ops = &bar_ops, .opaque = p, .moved = bar_moved
	};
	add_caps(p);
	err = pci_bus_add(bus, &p->pci);
	if (!err)
		return p;
fail:
	log_error("%s: cannot be made: %s", dev->name, strerror(-err));
	virtio_pci_destroy(p);
	return NULL;
}

void virtio_pci_destroy(struct virtio_pci *p)
{
	if (!p)
		return;
	detach_kicks(p);
	for (unsigned q = 0; q < p->dev->nqueues; q++) {
		loop_watch_del(p->kicks[q].watch);
		if (p->kicks[q].fd >= 0)
			close(p->kicks[q].fd);
	}
	msix_destroy(p->msix);
	free(p);
}

struct virtio_device *virtio_pci_device(struct virtio_pci *p)
{
	return p->dev;
}

/* ---- state ---- */

void virtio_pci_save(struct virtio_pci *p, struct state_writer *w)
{
	virtio_save(p->dev, w);
	pthread_mutex_lock(&p->dev->lock);
	state_put_u32(w, p->device_feature_select);
	state_put_u32(w, p->driver_feature_select);
	state_put_u16(w, p->config_vector);
	state_put_u16(w, p->queue_select);
	state_put_u8(w, p->isr);
	pthread_mutex_unlock(&p->dev->lock);
	pci_device_save(&p->pci, w);
}

int virtio_pci_load(struct virtio_pci *p, struct state_reader *r)
{
	int err = virtio_load(p->dev, r);

	if (err)
		return err;
	pthread_mutex_lock(&p->dev->lock);
	p->device_feature_select = state_get_u32(r);
	p->driver_feature_select = state_get_u32(r);
	p->config_vector = checked_vector(p, state_get_u16(r));
	p->queue_select = state_get_u16(r);
	p->isr = state_get_u8(r);
	pthread_mutex_unlock(&p->dev->lock);
	err = pci_device_load(&p->pci, r);
	pthread_mutex_lock(&p->dev->lock);
	detach_kicks(p);
	if (!err && p->dev->status & VIRTIO_STATUS_DRIVER_OK)
		attach_kicks(p);
	pthread_mutex_unlock(&p->dev->lock);
	if (err)
		virtio_reset_now(p->dev, NULL, NULL);
	return err;
}
