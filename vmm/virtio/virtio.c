/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/virtio.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/state.h"

enum { STATE_VERSION = 1 };

/* ---- broken rules and interrupts ---- */

void virtio_broken(struct virtio_device *dev, const char *fmt, ...)
{
	char what[256];
	va_list ap;
	bool live;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	log_once(dev->complained, LOG_WARNING,
		"%s: the guest's driver broke a rule: %s; it needs a reset", dev->name, what);
	pthread_mutex_lock(&dev->lock);
	__atomic_store_n(&dev->broken, true, __ATOMIC_RELEASE);
	live = dev->status & VIRTIO_STATUS_DRIVER_OK;
	if (dev->status)
		dev->status |= VIRTIO_STATUS_NEEDS_RESET;
	pthread_mutex_unlock(&dev->lock);
	if (live) /* 2.1.2: only a live driver is told */
		dev->transport->interrupt_config(dev->transport_opaque);
}

void virtio_config_changed(struct virtio_device *dev)
{
	bool live;

	pthread_mutex_lock(&dev->lock);
	dev->config_generation++;
	live = dev->status & VIRTIO_STATUS_DRIVER_OK;
	pthread_mutex_unlock(&dev->lock);
	if (live)
		dev->transport->interrupt_config(dev->transport_opaque);
}

/* ---- start, on the loop ---- */

static void kick_all(struct virtio_device *dev)
{
	for (unsigned q = 0; q < dev->nqueues; q++)
		virtio_kick(dev, q);
}

/* Proves the rings of every queue that the driver enabled; the number of the first bad one or -1. */
static int start_queues(struct virtio_device *dev)
{
	for (unsigned q = 0; q < dev->nqueues; q++)
		if (dev->queues[q].enabled &&
			vq_start(&dev->queues[q], virtio_has_feature(dev, VIRTIO_F_EVENT_IDX),
				virtio_has_feature(dev, VIRTIO_F_INDIRECT_DESC)) < 0)
			return (int)q;
	return -1;
}

static void start_run(void *opaque)
{
	struct virtio_device *dev = opaque;
	bool wanted;
	int bad;

	pthread_mutex_lock(&dev->lock);
	wanted = dev->status & VIRTIO_STATUS_DRIVER_OK && !dev->live;
	pthread_mutex_unlock(&dev->lock);
	if (!wanted)
		return;
	bad = start_queues(dev);
	if (bad >= 0)
		virtio_broken(dev, "queue %d: its rings are misaligned or not in RAM", bad);
	dev->live = true;
	if (dev->ops->start)
		dev->ops->start(dev);
	kick_all(dev); /* kicks may have come before this */
}

void virtio_kick(struct virtio_device *dev, unsigned q)
{
	if (dev->live && !dev->paused && !dev->reset_wanted && dev->queues[q].avail &&
		!virtio_is_broken(dev))
		dev->ops->kick(dev, q);
}

/* ---- reset and quiesce, on the loop ---- */

/* Registers as at power-on. The lock is held, and the loop is not at work on the queues. */
static void clear_registers(struct virtio_device *dev)
{
	for (unsigned q = 0; q < dev->nqueues; q++)
		vq_reset(&dev->queues[q]);
	dev->driver_features = 0;
	dev->status = 0;
	dev->resetting = false;
	__atomic_store_n(&dev->broken, false, __ATOMIC_RELEASE);
	dev->transport->reset(dev->transport_opaque);
}

static void finish_reset(struct virtio_device *dev)
{
	virtio_done_fn fn = dev->was_reset;

	if (dev->ops->reset)
		dev->ops->reset(dev);
	dev->live = false;
	dev->reset_wanted = false;
	dev->was_reset = NULL;
	pthread_mutex_lock(&dev->lock);
	clear_registers(dev);
	pthread_mutex_unlock(&dev->lock);
	if (fn)
		fn(dev->was_reset_opaque, dev);
}

/* True: nothing is in flight. */
static bool drain(struct virtio_device *dev)
{
	return !dev->live || !dev->ops->drain || dev->ops->drain(dev);
}

void virtio_drained(struct virtio_device *dev)
{
	virtio_done_fn fn = dev->quiesced;

	if (dev->reset_wanted)
		finish_reset(dev);
	dev->quiesced = NULL;
	if (fn)
		fn(dev->quiesced_opaque, dev);
}

static void reset_run(void *opaque)
{
	struct virtio_device *dev = opaque;
	bool wanted;

	pthread_mutex_lock(&dev->lock);
	wanted = dev->resetting; /* not where the machine's reset has come before this */
	pthread_mutex_unlock(&dev->lock);
	if (!wanted || dev->reset_wanted)
		return;
	dev->reset_wanted = true;
	if (drain(dev))
		finish_reset(dev);
}

bool virtio_reset_now(struct virtio_device *dev, virtio_done_fn fn, void *opaque)
{
	dev->was_reset = fn;
	dev->was_reset_opaque = opaque;
	if (dev->reset_wanted)
		return false;
	dev->reset_wanted = true;
	if (!drain(dev))
		return false;
	dev->was_reset = NULL;
	finish_reset(dev);
	return true;
}

bool virtio_quiesce(struct virtio_device *dev, virtio_done_fn fn, void *opaque)
{
	dev->paused = true;
	/* What the status says and the loop has not carried out yet: a load would not post it. */
	start_run(dev);
	reset_run(dev);
	if (drain(dev))
		return true;
	dev->quiesced = fn;
	dev->quiesced_opaque = opaque;
	return false;
}

void virtio_resume(struct virtio_device *dev)
{
	dev->paused = false;
	if (!dev->live)
		return;
	if (dev->ops->resume)
		dev->ops->resume(dev);
	kick_all(dev);
}

/* ---- registers, on vCPU threads ---- */

uint8_t virtio_read_status(struct virtio_device *dev)
{
	uint8_t status;

	pthread_mutex_lock(&dev->lock);
	status = dev->status;
	pthread_mutex_unlock(&dev->lock);
	return status;
}

/* Features are final when FEATURES_OK sticks (3.1.1, steps 5 and 6). */
static bool features_acceptable(const struct virtio_device *dev)
{
	return !(dev->driver_features & ~dev->features) &&
	       dev->driver_features >> VIRTIO_F_VERSION_1 & 1;
}

void virtio_write_status(struct virtio_device *dev, uint8_t status)
{
	const char *rule = NULL;
	uint8_t added;

	pthread_mutex_lock(&dev->lock);
	added = status & ~dev->status;
	if (dev->resetting) {
		/* Until the loop is done the driver has nothing to say here. */
	} else if (!status) {
		if (dev->status & VIRTIO_STATUS_DRIVER_OK) {
			dev->resetting = true;
			loop_post(dev->loop, &dev->reset_work);
		} else {
			clear_registers(dev);
		}
	} else if (dev->status & ~status & ~VIRTIO_STATUS_NEEDS_RESET) {
		rule = "status bits were cleared without a reset";
	} else if (added & VIRTIO_STATUS_DRIVER_OK && !(dev->status & VIRTIO_STATUS_FEATURES_OK)) {
		rule = "DRIVER_OK came before FEATURES_OK";
	} else {
		if (added & VIRTIO_STATUS_FEATURES_OK && !features_acceptable(dev))
			status &= ~VIRTIO_STATUS_FEATURES_OK;
		dev->status |= status & ~VIRTIO_STATUS_NEEDS_RESET;
		if (added & VIRTIO_STATUS_DRIVER_OK)
			loop_post(dev->loop, &dev->start_work);
	}
	pthread_mutex_unlock(&dev->lock);
	if (rule)
		virtio_broken(dev, "%s", rule);
}

void virtio_write_features(struct virtio_device *dev, unsigned select, uint32_t value)
{
	bool final;

	pthread_mutex_lock(&dev->lock);
	final = dev->status & VIRTIO_STATUS_FEATURES_OK;
	if (!final && select < 2)
		dev->driver_features = (dev->driver_features & ~(0xffffffffull << 32 * select)) |
				       (uint64_t)value << 32 * select;
	pthread_mutex_unlock(&dev->lock);
	if (final)
		virtio_broken(dev, "features were written after FEATURES_OK");
}

bool virtio_may_configure(const struct virtio_device *dev)
{
	return dev->status & VIRTIO_STATUS_FEATURES_OK && !(dev->status & VIRTIO_STATUS_DRIVER_OK);
}

void virtio_config_read(struct virtio_device *dev, uint32_t offset, void *buf, uint32_t len)
{
	memset(buf, 0, len);
	if (!range_inside(offset, len, dev->config_len))
		return;
	pthread_mutex_lock(&dev->lock);
	if (dev->ops->config_read)
		dev->ops->config_read(dev, offset, buf, len);
	else
		memcpy(buf, (uint8_t *)dev->config + offset, len);
	pthread_mutex_unlock(&dev->lock);
}

void virtio_config_write(struct virtio_device *dev, uint32_t offset, const void *buf, uint32_t len)
{
	if (!range_inside(offset, len, dev->config_len) || !dev->ops->config_write)
		return;
	pthread_mutex_lock(&dev->lock);
	dev->ops->config_write(dev, offset, buf, len);
	pthread_mutex_unlock(&dev->lock);
}

/* ---- life ---- */

void virtio_init(
	struct virtio_device *dev, struct loop *loop, const struct memory *mem, uint16_t queue_size)
{
	dev->features |= VIRTIO_FEATURES_COMMON;
	dev->loop = loop;
	dev->mem = mem;
	dev->start_work = (struct loop_work){ .fn = start_run, .opaque = dev };
	dev->reset_work = (struct loop_work){ .fn = reset_run, .opaque = dev };
	pthread_mutex_init(&dev->lock, NULL);
	for (unsigned q = 0; q < dev->nqueues; q++) {
		dev->queues[q] = (struct virtqueue){
			.dev = dev, .mem = mem, .index = (uint16_t)q, .size_max = queue_size
		};
		vq_reset(&dev->queues[q]);
	}
}

void virtio_finish(struct virtio_device *dev)
{
	loop_unpost(dev->loop, &dev->start_work);
	loop_unpost(dev->loop, &dev->reset_work);
	pthread_mutex_destroy(&dev->lock);
}

/* ---- state ---- */

void virtio_save(struct virtio_device *dev, struct state_writer *w)
{
	size_t mark = state_begin(w, dev->name, STATE_VERSION);

	pthread_mutex_lock(&dev->lock);
	state_put_u8(w, dev->status);
	state_put_u8(w, dev->config_generation);
	state_put_u8(w, dev->broken);
	state_put_u64(w, dev->driver_features);
	state_put_u8(w, (uint8_t)dev->nqueues);
	for (unsigned q = 0; q < dev->nqueues; q++)
		vq_save(&dev->queues[q], w);
	pthread_mutex_unlock(&dev->lock);
	if (dev->ops->save)
		dev->ops->save(dev, w);
	state_end(w, mark);
}

static int load_registers(struct virtio_device *dev, struct state_reader *r)
{
	dev->status = state_get_u8(r);
	dev->config_generation = state_get_u8(r);
	__atomic_store_n(&dev->broken, state_get_u8(r), __ATOMIC_RELEASE);
	dev->driver_features = state_get_u64(r);
	if (state_get_u8(r) != dev->nqueues || dev->driver_features & ~dev->features)
		return -EINVAL;
	for (unsigned q = 0; q < dev->nqueues; q++)
		if (vq_load(&dev->queues[q], r) < 0)
			return -EINVAL;
	return r->failed ? -EINVAL : 0;
}

int virtio_load(struct virtio_device *dev, struct state_reader *r)
{
	struct state_reader body;
	int err = -EINVAL;

	pthread_mutex_lock(&dev->lock);
	if (state_section(r, dev->name, STATE_VERSION, &body))
		err = load_registers(dev, &body);
	if (!err && dev->status & VIRTIO_STATUS_DRIVER_OK && !dev->broken && start_queues(dev) >= 0)
		err = -EINVAL;
	pthread_mutex_unlock(&dev->lock);
	dev->paused = true;
	dev->live = !err && dev->status & VIRTIO_STATUS_DRIVER_OK;
	if (!err && dev->ops->load)
		err = dev->ops->load(dev, &body);
	if (!err && state_reader_done(&body))
		return 0;
	log_error("%s: its saved state does not fit this device", dev->name);
	finish_reset(dev);
	return -EINVAL;
}
