/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virtio.h"

enum {
	VENDOR = 0x1af4,
	DEVICE_BASE = 0x1040,
	CAP_COMMON = 1,
	CAP_NOTIFY = 2,
	CAP_ISR = 3,
	CAP_DEVICE = 4,
	PAGE = 0x1000,
	ANSWER_MS = 2000,
	RESET_MS = 2000,
	USED_NO_NOTIFY = 1,
};

static volatile uint8_t *map_capability(unsigned slot, unsigned cap, uint32_t *len)
{
	uint64_t bar = pci_bar(slot, pci_read8(slot, cap + 4));

	*len = pci_read32(slot, cap + 12);
	return map_physical(bar + pci_read32(slot, cap + 8), *len);
}

bool virtio_find(struct virtio *v, const char *name, unsigned type, unsigned nth)
{
	int slot = pci_find(VENDOR, (uint16_t)(DEVICE_BASE + type), nth);
	uint32_t len;

	if (slot < 0)
		return false;
	memset(v, 0, sizeof *v);
	v->name = name;
	v->slot = (unsigned)slot;
	pci_write16(v->slot, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	for (unsigned cap = 0; (cap = pci_capability(v->slot, PCI_CAP_VENDOR, cap));) {
		switch (pci_read8(v->slot, cap + 3)) {
		case CAP_COMMON:
			v->common = map_capability(v->slot, cap, &len);
			break;
		case CAP_ISR:
			v->isr = map_capability(v->slot, cap, &len);
			break;
		case CAP_DEVICE:
			v->config = map_capability(v->slot, cap, &v->config_len);
			break;
		case CAP_NOTIFY:
			v->notify = map_capability(v->slot, cap, &len);
			v->notify_multiplier = pci_read32(v->slot, cap + 16);
			break;
		}
	}
	if (!v->common || !v->isr || !v->notify)
		fail("%s: a capability is missing", name);
	v->nqueues = read16(v->common + C_NUM_QUEUES);
	if (v->nqueues > VIRTIO_QUEUES)
		v->nqueues = VIRTIO_QUEUES;
	v->has_msix = msix_open(&v->msix, v->slot);
	return true;
}

/* ---- 3.1.1 ---- */

uint8_t virtio_status(const struct virtio *v)
{
	return read8(v->common + C_STATUS);
}

void virtio_reset(struct virtio *v)
{
	write8(v->common + C_STATUS, 0);
	if (!WAIT(virtio_status(v) == 0, RESET_MS))
		fail("%s: a reset does not end, status 0x%x", v->name, virtio_status(v));
}

void virtio_add_status(struct virtio *v, uint8_t bits)
{
	write8(v->common + C_STATUS, virtio_status(v) | bits);
}

uint64_t virtio_offered(struct virtio *v)
{
	uint64_t offered;

	write32(v->common + C_DEVICE_FEATURE_SELECT, 0);
	offered = read32(v->common + C_DEVICE_FEATURE);
	write32(v->common + C_DEVICE_FEATURE_SELECT, 1);
	return offered | (uint64_t)read32(v->common + C_DEVICE_FEATURE) << 32;
}

bool virtio_negotiate(struct virtio *v, uint64_t features)
{
	v->features = features;
	write32(v->common + C_DRIVER_FEATURE_SELECT, 0);
	write32(v->common + C_DRIVER_FEATURE, (uint32_t)features);
	write32(v->common + C_DRIVER_FEATURE_SELECT, 1);
	write32(v->common + C_DRIVER_FEATURE, (uint32_t)(features >> 32));
	virtio_add_status(v, STATUS_FEATURES_OK);
	return virtio_status(v) & STATUS_FEATURES_OK;
}

/* A device with few vectors raises its last one for several things. */
static void set_vector(struct virtio *v, unsigned field, unsigned entry, unsigned *vector)
{
	if (!v->has_msix)
		return;
	if (entry >= v->msix.vectors)
		entry = v->msix.vectors - 1;
	if (!*vector)
		*vector = vector_alloc();
	msix_set(&v->msix, entry, *vector);
	write16(v->common + field, (uint16_t)entry);
	if (read16(v->common + field) != entry)
		fail("%s: interrupt vector %u is refused", v->name, entry);
}

/* Rings are made once for each queue and cleared for every start. */
static void clear_rings(struct vq *q)
{
	size_t avail = 6 + 2 * q->size, used = 6 + 8 * q->size;

	if (!q->desc) {
		q->desc = alloc(sizeof *q->desc * q->size, PAGE);
		q->avail = alloc(avail, 2);
		q->used = alloc(used, 4);
	}
	memset((void *)q->desc, 0, sizeof *q->desc * q->size);
	memset((void *)q->avail, 0, avail);
	memset((void *)q->used, 0, used);
	q->used_ring = (volatile struct vring_used_elem *)(q->used + 2);
	q->next_avail = q->next_used = q->next_desc = q->kicked = 0;
}

void virtio_make_queue(struct virtio *v, unsigned index)
{
	struct vq *q = &v->queues[index];
	unsigned max;

	write16(v->common + C_QUEUE_SELECT, (uint16_t)index);
	max = read16(v->common + C_QUEUE_SIZE);
	if (!max)
		fail("%s: there is no queue %u", v->name, index);
	q->dev = v;
	q->index = index;
	q->size = max < VIRTIO_QUEUE_SIZE ? max : VIRTIO_QUEUE_SIZE;
	clear_rings(q);
	write16(v->common + C_QUEUE_SIZE, (uint16_t)q->size);
	set_vector(v, C_QUEUE_VECTOR, index + 1, &q->vector);
	write64(v->common + C_QUEUE_DESC, physical(q->desc));
	write64(v->common + C_QUEUE_DRIVER, physical(q->avail));
	write64(v->common + C_QUEUE_DEVICE, physical(q->used));
	q->notify = v->notify + v->notify_multiplier * read16(v->common + C_QUEUE_NOTIFY);
}

void virtio_enable_queue(struct virtio *v, unsigned index)
{
	write16(v->common + C_QUEUE_SELECT, (uint16_t)index);
	write16(v->common + C_QUEUE_ENABLE, 1);
}

void virtio_start(struct virtio *v, uint64_t features)
{
	uint64_t wanted = features | 1ull << F_VERSION_1;

	virtio_reset(v);
	virtio_add_status(v, STATUS_ACKNOWLEDGE);
	virtio_add_status(v, STATUS_DRIVER);
	if (!virtio_negotiate(v, virtio_offered(v) & wanted))
		fail("%s: features 0x%lx are refused", v->name, v->features);
	if (v->has_msix)
		msix_enable(&v->msix, true);
	set_vector(v, C_CONFIG_VECTOR, 0, &v->config_vector);
	for (unsigned i = 0; i < v->nqueues; i++) {
		virtio_make_queue(v, i);
		virtio_enable_queue(v, i);
	}
	virtio_add_status(v, STATUS_DRIVER_OK);
	if (virtio_status(v) & STATUS_NEEDS_RESET)
		fail("%s: refused a proper start", v->name);
}

void virtio_open(struct virtio *v, const char *name, unsigned type, unsigned nth, uint64_t features)
{
	if (!virtio_find(v, name, type, nth))
		fail("there is no %s", name);
	virtio_start(v, features);
}

/* ---- rings ---- */

uint16_t vq_add(struct vq *q, const struct buf *bufs, unsigned n)
{
	uint16_t head = q->next_desc;

	CHECK(n > 0 && n <= q->size);
	for (unsigned i = 0; i < n; i++) {
		volatile struct vring_desc *d = &q->desc[q->next_desc];

		q->next_desc = (uint16_t)((q->next_desc + 1) % q->size);
		d->addr = physical(bufs[i].addr);
		d->len = bufs[i].len;
		d->flags =
			(uint16_t)((bufs[i].write ? DESC_WRITE : 0) | (i + 1 < n ? DESC_NEXT : 0));
		d->next = q->next_desc;
	}
	q->avail[2 + q->next_avail % q->size] = head;
	q->next_avail++;
	fence();
	q->avail[1] = q->next_avail;
	fence();
	return head;
}

void vq_kick_always(struct vq *q)
{
	write16(q->notify, (uint16_t)q->index);
}

void vq_kick(struct vq *q)
{
	uint16_t old = q->kicked, new = q->next_avail;

	q->kicked = new;
	if (virtio_has(q->dev, F_EVENT_IDX)) {
		uint16_t event = *(volatile uint16_t *)&q->used_ring[q->size];

		if ((uint16_t)(new - event - 1) >= (uint16_t)(new - old)) /* 2.7.10.1 */
			return;
	} else if (q->used[0] & USED_NO_NOTIFY) {
		return;
	}
	vq_kick_always(q);
}

bool vq_take(struct vq *q, uint16_t *head, uint32_t *written)
{
	const volatile struct vring_used_elem *e;

	if (q->used[1] == q->next_used)
		return false;
	fence();
	e = &q->used_ring[q->next_used % q->size];
	*head = (uint16_t)e->id;
	*written = e->len;
	q->next_used++;
	if (virtio_has(q->dev, F_EVENT_IDX)) /* an interrupt with the next one, please */
		q->avail[2 + q->size] = q->next_used;
	return true;
}

bool vq_try(struct vq *q, const struct buf *bufs, unsigned n, uint32_t *written, unsigned ms)
{
	uint16_t sent = vq_add(q, bufs, n), head;

	vq_kick(q);
	if (!WAIT(vq_take(q, &head, written), ms))
		return false;
	if (head != sent)
		fail("%s: queue %u returned request %u, not %u", q->dev->name, q->index, head,
			sent);
	return true;
}

uint32_t vq_do(struct vq *q, const struct buf *bufs, unsigned n)
{
	uint32_t written;

	if (!vq_try(q, bufs, n, &written, ANSWER_MS))
		fail("%s: queue %u does not answer, status 0x%x", q->dev->name, q->index,
			virtio_status(q->dev));
	return written;
}
