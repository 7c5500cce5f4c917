/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cable between a guest's network device and what stands behind it (user network, tap).
 *
 *   device ── net_send() ──► backend        frames are Ethernet, without a checksum behind,
 *   device ◄── receive() ─── backend        NET_FRAME_MIN to NET_FRAME_MAX bytes
 *
 * All of it on the machine loop. Both ends may call each other from within a call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

enum {
	NET_FRAME_MIN = 14,   /* the Ethernet header */
	NET_FRAME_MAX = 1518, /* header, VLAN tag and 1500 bytes */
};

struct net_backend;

struct net_backend_ops {
	/*
	 * The guest sends a frame of len bytes; it may change under the backend's eyes. False:
	 * not now, and writable() will say when. Frames that nobody wants are taken and lost.
	 */
	bool (*send)(struct net_backend *b, const struct iovec *iov, unsigned niov, size_t len);
	void (*destroy)(struct net_backend *b);
};

/* The device's end. */
struct net_port {
	void (*receive)(void *opaque, const void *frame, size_t len);
	void (*writable)(void *opaque);
	void *opaque;
};

struct net_backend {
	const struct net_backend_ops *ops;
	struct net_port port; /* empty while no device is attached: frames are lost */
};

static inline bool net_send(
	struct net_backend *b, const struct iovec *iov, unsigned niov, size_t len)
{
	return b->ops->send(b, iov, niov, len);
}

static inline void net_receive(struct net_backend *b, const void *frame, size_t len)
{
	if (b->port.receive)
		b->port.receive(b->port.opaque, frame, len);
}

static inline void net_destroy(struct net_backend *b) /* NULL is fine */
{
	if (b)
		b->ops->destroy(b);
}
