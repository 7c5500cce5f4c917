/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libslirp wants to be asked before each poll() which descriptors and what time-out it would
 * like, and to be told after it what happened. One pass does both:
 *
 *   a descriptor is ready, a frame came, a timer is due ──► work posted, once a loop pass
 *   pass:  slirp_pollfds_poll(what happened)  →  slirp_pollfds_fill(what is wanted now)
 *          →  watches and the timer are set to that
 *
 * Time. slirp counts retransmissions and expiries in ticks of 500 ms and asks for them as long
 * as it has any TCP socket, a listening one included. Without traffic the ticks are saved up and
 * given in one go every few seconds, by a clock that slirp reads from us: its timers stay right,
 * and a quiet connection costs a wake-up in five seconds, a forwarded port alone none.
 */
#include "vmm/net/usernet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <slirp/libslirp.h>

#include "util/bytes.h"
#include "util/log.h"
#include "util/loop.h"

enum {
	TIMEOUT_FAST = 2,    /* ms: an acknowledgement is held back (libslirp's own number) */
	TIMEOUT_NONE = 1000, /* ms: what libslirp says when it wants nothing */
};
#define TICK_NS    (500 * 1000000ll)
#define LAZY_NS    (10 * TICK_NS)
#define BUSY_NS    (4 * TICK_NS)  /* so long after the last frame ticks come in time */
#define PENDING_NS (80 * TICK_NS) /* so long a guest's fragments may wait for their rest */
#define SAVED_MAX  20             /* ticks; who slept longer has missed them */

/* A socket of slirp's. */
struct usernet_fd {
	struct usernet_fd *next;
	struct usernet *u;
	int fd;
	struct loop_watch *watch;
	uint32_t watched, wanted; /* EPOLL… */
	int happened;             /* SLIRP_POLL_… since the last pass */
};

struct usernet_timer {
	struct usernet *u;
	struct loop_timer *timer;
	SlirpTimerId id;
	void *opaque;
};

struct usernet {
	struct net_backend backend;
	struct loop *loop;
	Slirp *slirp;
	struct loop_work work;
	struct loop_timer *timer;
	struct usernet_fd *fds;
	struct usernet_fd **by_fd; /* the same, by descriptor */
	int nby_fd;
	unsigned nlisteners;
	int64_t clock;   /* ns, what slirp believes */
	int64_t traffic; /* ns, of the last frame either way */
	int64_t heard;   /* … from the guest */
	struct usernet_stats stats;
	bool complained, unwatched;
};

/* ---- time ---- */

static int usernet_no_events(int index, void *opaque)
{
	return 0;
}

/* Gives slirp the ticks that were saved up. */
static void usernet_catch_up(struct usernet *u)
{
	int64_t now = loop_now(u->loop);

	if (now - u->clock > SAVED_MAX * TICK_NS)
		u->clock = now - SAVED_MAX * TICK_NS;
	while (now - u->clock >= TICK_NS) {
		u->clock += TICK_NS;
		slirp_pollfds_poll(u->slirp, 1, usernet_no_events, u); /* 1: timers only */
	}
	u->clock = now;
}

static void usernet_arm(struct usernet *u, uint32_t timeout)
{
	bool connections = u->stats.sockets > u->nlisteners;
	int64_t quiet = u->clock - u->traffic;

	if (timeout <= TIMEOUT_FAST)
		loop_timer_set(u->timer, u->clock + TIMEOUT_FAST * 1000000ll);
	else if (timeout < TIMEOUT_NONE && quiet < BUSY_NS)
		loop_timer_set(u->timer, u->clock + TICK_NS);
	else if (timeout < TIMEOUT_NONE && (connections || u->clock - u->heard < PENDING_NS))
		loop_timer_set(u->timer, u->clock + LAZY_NS);
	else
		loop_timer_cancel(u->timer);
}

/* ---- descriptors ---- */

static struct usernet_fd *usernet_find(const struct usernet *u, int fd)
{
	return fd >= 0 && fd < u->nby_fd ? u->by_fd[fd] : NULL;
}

static void usernet_event(void *opaque, uint32_t events)
{
	struct usernet_fd *f = opaque;

	f->happened =
		(events & EPOLLIN ? SLIRP_POLL_IN : 0) | (events & EPOLLOUT ? SLIRP_POLL_OUT : 0) |
		(events & EPOLLPRI ? SLIRP_POLL_PRI : 0) |
		(events & EPOLLERR ? SLIRP_POLL_ERR : 0) | (events & EPOLLHUP ? SLIRP_POLL_HUP : 0);
	loop_post(f->u->loop, &f->u->work);
}

static bool usernet_make_room(struct usernet *u, int fd)
{
	int n = MAX(64, 2 * fd);
	struct usernet_fd **table;

	if (fd < u->nby_fd)
		return true;
	table = realloc(u->by_fd, (size_t)n * sizeof *table);
	if (!table)
		return false;
	memset(table + u->nby_fd, 0, (size_t)(n - u->nby_fd) * sizeof *table);
	u->by_fd = table;
	u->nby_fd = n;
	return true;
}

/* slirp says so for its connections, but not for ports that it listens on: see add_poll. */
static void usernet_register(int fd, void *opaque)
{
	struct usernet *u = opaque;
	struct usernet_fd *f;

	if (fd < 0 || usernet_find(u, fd))
		return;
	f = usernet_make_room(u, fd) ? calloc(1, sizeof *f) : NULL;
	if (!f) { /* nothing will ever happen to it, and slirp closes it in time */
		log_once(u->unwatched, LOG_WARNING, "net user: a connection is stuck: %s",
			strerror(ENOMEM));
		return;
	}
	f->u = u;
	f->fd = fd;
	f->next = u->fds;
	u->fds = f;
	u->by_fd[fd] = f;
	u->stats.sockets++;
}

/* Comes before the descriptor is closed, and for some sockets once more with -1. */
static void usernet_unregister(int fd, void *opaque)
{
	struct usernet *u = opaque;
	struct usernet_fd *f = usernet_find(u, fd), **at = &u->fds;

	if (!f)
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	u->by_fd[fd] = NULL;
	u->stats.sockets--;
	loop_watch_del(f->watch);
	free(f);
}

/* Wanting nothing means no watch: epoll reports errors and hang-ups unasked, for ever. */
static void usernet_watch(struct usernet *u, struct usernet_fd *f)
{
	if (f->watched == f->wanted)
		return;
	if (f->watch && f->wanted) {
		loop_watch_set(f->watch, f->wanted);
	} else if (f->wanted) {
		f->watch = loop_watch_add(u->loop, f->fd, f->wanted, usernet_event, f);
		if (!f->watch) {
			log_once(u->unwatched, LOG_WARNING,
				"net user: a connection is stuck, its socket cannot be watched: %s",
				strerror(errno));
			return;
		}
	} else {
		loop_watch_del(f->watch);
		f->watch = NULL;
	}
	f->watched = f->wanted;
}

/* slirp's index of a descriptor is, for us, the descriptor itself. */
static int usernet_add_poll(int fd, int events, void *opaque)
{
	struct usernet_fd *f;

	usernet_register(fd, opaque);
	f = usernet_find(opaque, fd);
	if (!f)
		return -1;
	f->wanted = (events & SLIRP_POLL_IN ? EPOLLIN : 0) |
		    (events & SLIRP_POLL_OUT ? EPOLLOUT : 0) |
		    (events & SLIRP_POLL_PRI ? EPOLLPRI : 0);
	return fd;
}

static int usernet_get_events(int index, void *opaque)
{
	struct usernet_fd *f = usernet_find(opaque, index);

	return f ? f->happened : 0;
}

static void usernet_pass(void *opaque)
{
	struct usernet *u = opaque;
	uint32_t timeout = UINT32_MAX;

	u->stats.passes++;
	usernet_catch_up(u);
	slirp_pollfds_poll(u->slirp, 0, usernet_get_events, u);
	for (struct usernet_fd *f = u->fds; f; f = f->next) {
		f->happened = 0;
		f->wanted = 0;
	}
	slirp_pollfds_fill(u->slirp, &timeout, usernet_add_poll, u);
	for (struct usernet_fd *f = u->fds; f; f = f->next)
		usernet_watch(u, f);
	usernet_arm(u, timeout);
}

/* ---- what slirp calls ---- */

static ssize_t usernet_send_packet(const void *buf, size_t len, void *opaque)
{
	struct usernet *u = opaque;

	u->traffic = loop_now(u->loop);
	net_receive(&u->backend, buf, len);
	return (ssize_t)len;
}

static void usernet_guest_error(const char *msg, void *opaque)
{
	struct usernet *u = opaque;

	log_once(u->complained, LOG_INFO, "net user: the guest sent something odd: %s", msg);
}

static int64_t usernet_clock(void *opaque)
{
	return ((struct usernet *)opaque)->clock;
}

static void usernet_timer_due(void *opaque)
{
	struct usernet_timer *t = opaque;

	usernet_catch_up(t->u);
	slirp_handle_timer(t->u->slirp, t->id, t->opaque);
	loop_post(t->u->loop, &t->u->work);
}

/* libslirp uses it without looking, as it does with all its memory. */
static void *usernet_timer_new(SlirpTimerId id, void *timer_opaque, void *opaque)
{
	struct usernet *u = opaque;
	struct usernet_timer *t = calloc(1, sizeof *t);

	if (!t)
		abort();
	*t = (struct usernet_timer){ .u = u, .id = id, .opaque = timer_opaque };
	t->timer = loop_timer_create(u->loop, usernet_timer_due, t);
	if (!t->timer)
		abort();
	return t;
}

static void usernet_timer_free(void *timer, void *opaque)
{
	struct usernet_timer *t = timer;

	loop_timer_destroy(t->timer);
	free(t);
}

static void usernet_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	loop_timer_set(((struct usernet_timer *)timer)->timer, expire_ms * 1000000);
}

static void usernet_wake(void *opaque)
{
	struct usernet *u = opaque;

	loop_post(u->loop, &u->work);
}

static const SlirpCb usernet_callbacks = {
	.send_packet = usernet_send_packet,
	.guest_error = usernet_guest_error,
	.clock_get_ns = usernet_clock,
	.timer_new_opaque = usernet_timer_new,
	.timer_free = usernet_timer_free,
	.timer_mod = usernet_timer_mod,
	.register_poll_fd = usernet_register,
	.unregister_poll_fd = usernet_unregister,
	.notify = usernet_wake,
};

/* ---- the cable's end ---- */

/* slirp reads parts of a frame where they stand, so it gets a copy that the guest cannot change. */
static bool usernet_send(struct net_backend *b, const struct iovec *iov, unsigned niov, size_t len)
{
	struct usernet *u = CONTAINER(b, struct usernet, backend);
	uint8_t frame[NET_FRAME_MAX];
	size_t at = 0;

	for (unsigned i = 0; i < niov && at < sizeof frame; i++) {
		size_t part = MIN(iov[i].iov_len, sizeof frame - at);

		memcpy(frame + at, iov[i].iov_base, part);
		at += part;
	}
	u->traffic = u->heard = loop_now(u->loop);
	slirp_input(u->slirp, frame, (int)at);
	loop_post(u->loop, &u->work);
	return true;
}

static void usernet_destroy(struct net_backend *b)
{
	struct usernet *u = CONTAINER(b, struct usernet, backend);

	if (u->slirp)
		slirp_cleanup(u->slirp);
	free(u->by_fd);
	loop_timer_destroy(u->timer);
	loop_unpost(u->loop, &u->work);
	free(u);
}

static const struct net_backend_ops usernet_ops = {
	.send = usernet_send,
	.destroy = usernet_destroy,
};

/* ---- setting up ---- */

static struct in_addr usernet_address(unsigned host)
{
	return (struct in_addr){ htonl(0x0a000200 + host) };
}

static Slirp *usernet_start(struct usernet *u, bool loopback)
{
	SlirpConfig c = {
		.version = 4,
		.in_enabled = true,
		.vnetwork = usernet_address(0),
		.vnetmask = { htonl(0xffffff00) },
		.vhost = usernet_address(2),
		.vnameserver = usernet_address(3),
		.vdhcp_start = usernet_address(15),
		.in6_enabled = true,
		.vprefix_len = 64,
		.disable_host_loopback = !loopback,
	};

	inet_pton(AF_INET6, "fec0::", &c.vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &c.vhost6);
	inet_pton(AF_INET6, "fec0::3", &c.vnameserver6);
	return slirp_new(&c, &usernet_callbacks, u);
}

static int usernet_forward(struct usernet *u, const struct usernet_forward *f)
{
	struct in_addr guest = f->guest.s_addr ? f->guest : usernet_address(15);
	const char *mend = "";
	char host[INET_ADDRSTRLEN];
	int err;

	errno = 0;
	if (slirp_add_hostfwd(u->slirp, f->udp, f->host, f->host_port, guest, f->guest_port) == 0) {
		u->nlisteners++;
		return 0;
	}
	err = errno ? errno : EINVAL;
	if (err == EADDRINUSE)
		mend = ": choose another port";
	else if (err == EACCES)
		mend = ": ports below 1024 belong to root, choose a higher one";
	else if (err == EADDRNOTAVAIL)
		mend = ": choose an address of this host's";
	inet_ntop(AF_INET, &f->host, host, sizeof host);
	log_error("net user: hostfwd %s:%s:%u: %s%s", f->udp ? "udp" : "tcp", host, f->host_port,
		strerror(err), mend);
	return -err;
}

int usernet_create(const struct usernet_config *c, struct loop *loop, struct net_backend **out)
{
	struct usernet *u = calloc(1, sizeof *u);
	int err = 0;

	*out = NULL;
	if (!u)
		return -ENOMEM;
	u->backend.ops = &usernet_ops;
	u->loop = loop;
	u->clock = loop_now(loop);
	u->traffic = u->heard = u->clock - PENDING_NS;
	u->work = (struct loop_work){ .fn = usernet_pass, .opaque = u };
	u->timer = loop_timer_create(loop, usernet_pass, u);
	u->slirp = u->timer ? usernet_start(u, c->loopback) : NULL;
	if (!u->slirp) {
		log_error("net user: the network cannot be set up: %s", strerror(ENOMEM));
		err = -ENOMEM;
	}
	for (unsigned i = 0; i < c->nforwards && !err; i++)
		err = usernet_forward(u, &c->forwards[i]);
	if (err) {
		usernet_destroy(&u->backend);
		return err;
	}
	loop_post(loop, &u->work);
	*out = &u->backend;
	return 0;
}

struct usernet_stats usernet_stats(const struct net_backend *b)
{
	return CONTAINER(b, struct usernet, backend)->stats;
}
