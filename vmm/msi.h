/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a message-signalled interrupt leaves a device: an event descriptor that the machine turns
 * into a message while they are attached to each other. The machine implements it over KVM's
 * irqfds and GSI routes, tests over an array. vCPU threads and the machine loop.
 */
#pragma once

#include <stdint.h>

struct msi_ops {
	/* A route of its own for one vector, for the device's life: its number, or -errno. */
	int (*alloc)(void *opaque);
	/* Writes to fd send this message from now on, one already counted in fd included. 0 or -errno. */
	int (*attach)(void *opaque, int route, int fd, uint64_t address, uint32_t data);
	/* Writes to fd are only counted from now on. */
	void (*detach)(void *opaque, int route, int fd);
};

struct msi_target {
	const struct msi_ops *ops;
	void *opaque;
};
