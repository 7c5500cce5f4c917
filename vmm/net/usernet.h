/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user network: libslirp on the machine loop, which needs no privilege on the host.
 *
 *   10.0.2.0/24, fec0::/64     .2 the host as gateway, .3 its name server, .15 the guest by DHCP
 *
 * Everything is driven by events: an idle network costs no wake-up.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/net/net.h"

struct loop;

/* A port of the host that leads to one of the guest. Ports in host order. */
struct usernet_forward {
	bool udp;
	struct in_addr host, guest; /* guest 0.0.0.0: the address that DHCP gives out */
	uint16_t host_port, guest_port;
};

struct usernet_config {
	bool loopback; /* the guest may reach the host's own 127.0.0.1, as 10.0.2.2 */
	const struct usernet_forward *forwards;
	unsigned nforwards;
};

/* 0, or -errno with one line logged. */
int usernet_create(const struct usernet_config *c, struct loop *loop, struct net_backend **out);

struct usernet_stats {
	uint64_t passes;  /* how often it was at work */
	unsigned sockets; /* open on the host, forwarded ports included */
};
struct usernet_stats usernet_stats(const struct net_backend *b);
