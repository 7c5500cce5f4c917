/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/net.h"

#include <errno.h>
#include <stdlib.h>

#include "util/bytes.h"
#include "util/iov.h"
#include "util/loop.h"
#include "vmm/net/net.h"
#include "vmm/state.h"
#include "vmm/virtio/virtio.h"

/* 5.1.3, 5.1.4 */
enum { VNET_F_MAC = 5, VNET_F_MRG_RXBUF = 15, VNET_F_STATUS = 16 };
enum { VNET_S_LINK_UP = 1 };

struct vnet_config {
	uint8_t mac[6];
	uint16_t status;
} __attribute__((packed));

/* 5.1.6; its length is the same with and without MRG_RXBUF since version 1 */
struct vnet_header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};

enum { RX, TX, QUEUES };
enum {
	QUEUE_SIZE = VQ_SIZE_MAX,
	HEADER_LEN = sizeof(struct vnet_header),
	BUFFERS_MAX = 128, /* of one frame: even buffers as small as the header suffice */
	TX_PASS_MAX = 128, /* frames taken before others have their turn */
};

struct vnet_frame {
	struct vnet_frame *next;
	size_t len;
	uint8_t bytes[];
};

struct vnet {
	struct virtio_device dev;
	struct vnet_config config;
	struct net_backend *backend;
	struct vnet_stats stats;

	struct vnet_frame *waiting, **waiting_tail; /* for buffers of the guest's */
	unsigned nwaiting;
	bool tx_blocked; /* the backend will say when it is writable */
	bool tx_left;    /* work was left in the ring for the next pass */
	bool notify[QUEUES];
	struct loop_work later;

	struct vq_chain tx_chain, rx_first, rx_chain;
	struct vq_used rx_used[BUFFERS_MAX];
};

static void vnet_done(struct vnet *n, unsigned q)
{
	n->notify[q] = true;
	loop_post(n->dev.loop, &n->later); /* one interrupt for all of this pass */
}

static void vnet_notify(struct vnet *n)
{
	for (unsigned q = 0; q < QUEUES; q++)
		if (n->notify[q])
			vq_notify(&n->dev.queues[q]);
	n->notify[RX] = n->notify[TX] = false;
}

static bool vnet_link(const struct vnet *n)
{
	return n->config.status & VNET_S_LINK_UP;
}

/* ---- towards the guest ---- */

/* The next buffer of the frame's; 0, -EAGAIN where there is none, -EINVAL where a rule is broken. */
static int vnet_take_buffer(struct vnet *n, struct vq_chain *c, unsigned count)
{
	struct virtio_device *dev = &n->dev;

	if (!vq_pop(&dev->queues[RX], c))
		return -EAGAIN;
	if (c->nout || c->in_len < (count ? 1 : HEADER_LEN)) {
		virtio_broken(dev, "a receive buffer has %zu readable and %zu writable bytes",
			c->out_len, c->in_len);
		return -EINVAL;
	}
	return 0;
}

/* Spreads the frame over buffers; how many there are, all noted in rx_used, or as above. */
static int vnet_fill_buffers(struct vnet *n, const uint8_t *frame, size_t len)
{
	bool mergeable = virtio_has_feature(&n->dev, VNET_F_MRG_RXBUF);
	struct vq_chain *c = &n->rx_first;
	unsigned count = 0;
	size_t done = 0;

	while (done < len || !count) {
		size_t header = count ? 0 : HEADER_LEN, part;
		int err = -EAGAIN;

		if (count == (mergeable ? BUFFERS_MAX : 1)) {
			virtio_broken(&n->dev, "%u receive buffers are too small for %zu bytes",
				count, len);
			return -EINVAL;
		}
		err = vnet_take_buffer(n, c, count);
		if (err < 0) {
			while (count--)
				vq_unpop(&n->dev.queues[RX]);
			return err;
		}
		part = vq_chain_write(c, header, frame + done, len - done);
		done += part;
		n->rx_used[count++] = (struct vq_used){ c->head, (uint32_t)(header + part) };
		c = &n->rx_chain;
	}
	return (int)count;
}

/* 0: the guest has it. -EAGAIN: no buffers. -EINVAL: broken. */
static int vnet_deliver(struct vnet *n, const void *frame, size_t len)
{
	int count = vnet_fill_buffers(n, frame, len);
	struct vnet_header h = { .num_buffers = (uint16_t)count };

	if (count < 0)
		return count;
	vq_chain_write(&n->rx_first, 0, &h, sizeof h);
	vq_push_together(&n->dev.queues[RX], n->rx_used, (unsigned)count);
	vnet_done(n, RX);
	n->stats.rx_frames++;
	n->stats.rx_bytes += len;
	return 0;
}

static void vnet_deliver_waiting(struct vnet *n)
{
	while (n->waiting) {
		struct vnet_frame *f = n->waiting;

		if (vnet_deliver(n, f->bytes, f->len) < 0)
			return;
		n->waiting = f->next;
		if (!n->waiting)
			n->waiting_tail = &n->waiting;
		n->nwaiting--;
		free(f);
	}
}

static void vnet_drop_waiting(struct vnet *n)
{
	while (n->waiting) {
		struct vnet_frame *f = n->waiting;

		n->waiting = f->next;
		free(f);
	}
	n->waiting_tail = &n->waiting;
	n->nwaiting = 0;
}

static void vnet_wait_in_line(struct vnet *n, const void *frame, size_t len)
{
	struct vnet_frame *f = NULL;

	if (n->nwaiting < VNET_WAITING_MAX)
		f = malloc(sizeof *f + len);
	if (!f) {
		n->stats.rx_dropped++;
		return;
	}
	f->next = NULL;
	f->len = len;
	memcpy(f->bytes, frame, len);
	*n->waiting_tail = f;
	n->waiting_tail = &f->next;
	n->nwaiting++;
}

/* From the backend. */
static void vnet_receive(void *opaque, const void *frame, size_t len)
{
	struct vnet *n = opaque;
	struct virtio_device *dev = &n->dev;

	if (!dev->live || dev->reset_wanted || virtio_is_broken(dev) || !vnet_link(n) ||
		len < NET_FRAME_MIN || len > NET_FRAME_MAX) {
		n->stats.rx_dropped++;
		return;
	}
	if (dev->paused || n->waiting || vnet_deliver(n, frame, len) == -EAGAIN)
		vnet_wait_in_line(n, frame, len);
}

/* ---- from the guest ---- */

/* True where the request is done with; false: the backend cannot take it now, or all is broken. */
static bool vnet_send_one(struct vnet *n, struct vq_chain *c)
{
	struct iovec *iov = c->iov;
	unsigned niov = c->nout;
	struct vnet_header h;
	size_t len;

	if (vq_chain_read(c, 0, &h, sizeof h) < sizeof h || c->nin) {
		virtio_broken(&n->dev, "a frame to send has %zu readable and %zu writable bytes",
			c->out_len, c->in_len);
		return false;
	}
	if (h.flags || h.gso_type) { /* 5.1.6.2.1: none of this was negotiated */
		virtio_broken(&n->dev, "a frame to send asks for flags 0x%x, segmentation 0x%x",
			h.flags, h.gso_type);
		return false;
	}
	len = c->out_len - sizeof h;
	if (len < NET_FRAME_MIN || len > NET_FRAME_MAX || !vnet_link(n)) {
		n->stats.tx_dropped++;
		return true;
	}
	iov_skip(&iov, &niov, sizeof h);
	n->tx_blocked = !net_send(n->backend, iov, niov, len);
	if (n->tx_blocked)
		return false;
	n->stats.tx_frames++;
	n->stats.tx_bytes += len;
	return true;
}

static void vnet_transmit(struct vnet *n)
{
	struct virtqueue *vq = &n->dev.queues[TX];

	n->tx_left = false;
	if (n->tx_blocked)
		return;
	for (unsigned i = 0; i < TX_PASS_MAX; i++) {
		if (!vq_pop(vq, &n->tx_chain))
			return;
		if (!vnet_send_one(n, &n->tx_chain)) {
			vq_unpop(vq);
			return;
		}
		vq_push(vq, n->tx_chain.head, 0);
		vnet_done(n, TX);
	}
	n->tx_left = true; /* vnet_done() has posted what comes back here */
}

static void vnet_writable(void *opaque)
{
	struct vnet *n = opaque;

	n->tx_blocked = false;
	virtio_kick(&n->dev, TX);
}

static void vnet_kick(struct virtio_device *dev, unsigned q)
{
	struct vnet *n = CONTAINER(dev, struct vnet, dev);

	if (q == RX)
		vnet_deliver_waiting(n);
	else
		vnet_transmit(n);
}

static void vnet_later(void *opaque)
{
	struct vnet *n = opaque;

	vnet_notify(n);
	if (n->tx_left)
		virtio_kick(&n->dev, TX);
}

/* ---- life ---- */

/* Nothing stays in flight, but an interrupt may be owed. */
static bool vnet_drain(struct virtio_device *dev)
{
	vnet_notify(CONTAINER(dev, struct vnet, dev));
	return true;
}

static void vnet_reset(struct virtio_device *dev)
{
	struct vnet *n = CONTAINER(dev, struct vnet, dev);

	vnet_drop_waiting(n);
	n->tx_blocked = n->tx_left = false;
	n->notify[RX] = n->notify[TX] = false;
}

/* The address is state: a guest goes on using the one that it has read. Waiting frames are not. */
static void vnet_save(struct virtio_device *dev, struct state_writer *w)
{
	struct vnet *n = CONTAINER(dev, struct vnet, dev);

	state_put_bytes(w, n->config.mac, sizeof n->config.mac);
	state_put_u8(w, vnet_link(n));
}

static int vnet_load(struct virtio_device *dev, struct state_reader *r)
{
	struct vnet *n = CONTAINER(dev, struct vnet, dev);

	state_get_bytes(r, n->config.mac, sizeof n->config.mac);
	n->config.status = state_get_u8(r) ? VNET_S_LINK_UP : 0;
	return 0;
}

static const struct virtio_ops vnet_ops = {
	.kick = vnet_kick,
	.drain = vnet_drain,
	.reset = vnet_reset,
	.save = vnet_save,
	.load = vnet_load,
};

void vnet_set_link(struct vnet *n, bool up)
{
	pthread_mutex_lock(&n->dev.lock);
	n->config.status = up ? VNET_S_LINK_UP : 0;
	pthread_mutex_unlock(&n->dev.lock);
	virtio_config_changed(&n->dev);
}

struct vnet *vnet_create(const uint8_t mac[6], struct net_backend *backend, struct loop *loop,
	const struct memory *mem)
{
	struct vnet *n = calloc(1, sizeof *n);

	if (!n)
		return NULL;
	n->backend = backend;
	n->waiting_tail = &n->waiting;
	n->later = (struct loop_work){ .fn = vnet_later, .opaque = n };
	memcpy(n->config.mac, mac, sizeof n->config.mac);
	n->config.status = VNET_S_LINK_UP;
	n->dev.name = "virtio-net";
	n->dev.ops = &vnet_ops;
	n->dev.id = VIRTIO_ID_NET;
	n->dev.features = 1ull << VNET_F_MAC | 1ull << VNET_F_MRG_RXBUF | 1ull << VNET_F_STATUS;
	n->dev.nqueues = QUEUES;
	n->dev.config = &n->config;
	n->dev.config_len = sizeof n->config;
	virtio_init(&n->dev, loop, mem, QUEUE_SIZE);
	backend->port = (struct net_port){
		.receive = vnet_receive, .writable = vnet_writable, .opaque = n
	};
	return n;
}

void vnet_destroy(struct vnet *n)
{
	if (!n)
		return;
	n->backend->port = (struct net_port){ 0 };
	vnet_drop_waiting(n);
	loop_unpost(n->dev.loop, &n->later);
	virtio_finish(&n->dev);
	free(n);
}

struct virtio_device *vnet_device(struct vnet *n)
{
	return &n->dev;
}

const struct vnet_stats *vnet_stats(const struct vnet *n)
{
	return &n->stats;
}
