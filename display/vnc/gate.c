/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/gate.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>

#include "display/vnc/message.h"
#include "util/bytes.h"

enum { INPUT = RFB_MESSAGE_MAX + 4096, NOTSENT = 128 * 1024, KEEPALIVE_S = 60 };

struct gate {
	int fd;
	const struct gate_ops *ops;
	void *opaque;
	GSource *source;
	gpointer tag; /* of fd in source */
	GIOCondition watched;
	bool again;      /* the next pass is due at once */
	bool poked;      /* by any thread */
	gint64 deadline; /* of the handshake; -1 */

	const char *why; /* set: to be closed */
	int err;
	bool eof; /* nothing more comes, but what came is still served */

	uint8_t in[INPUT];
	size_t in_at, in_end;
	size_t skip; /* bytes to come that nobody wants */

	GByteArray *out;
	size_t out_at;
	uint64_t sent;
};

struct gate_source {
	GSource base;
	struct gate *gate;
};

static void fail(struct gate *g, const char *why, int err)
{
	if (g->why)
		return;
	g->why = why;
	g->err = err;
}

/* ---- out ---- */

size_t gate_queued(const struct gate *g)
{
	return g->out->len - g->out_at;
}

uint64_t gate_sent(const struct gate *g)
{
	return g->sent;
}

void gate_send(struct gate *g, const void *data, size_t len)
{
	if (g->out_at > GATE_LOW) {
		g_byte_array_remove_range(g->out, 0, g->out_at);
		g->out_at = 0;
	}
	g_byte_array_append(g->out, data, len);
}

static void flush(struct gate *g)
{
	while (gate_queued(g) && !g->why) {
		ssize_t n = send(g->fd, g->out->data + g->out_at, gate_queued(g),
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				fail(g, "the connection broke", 0);
			break;
		}
		g->out_at += n;
		g->sent += n;
	}
	if (!gate_queued(g)) {
		g_byte_array_set_size(g->out, 0);
		g->out_at = 0;
	}
}

/* ---- in ---- */

static bool may_read(const struct gate *g)
{
	return gate_queued(g) < GATE_HIGH;
}

static void receive(struct gate *g)
{
	ssize_t n;

	if (g->in_at) {
		memmove(g->in, g->in + g->in_at, g->in_end - g->in_at);
		g->in_end -= g->in_at;
		g->in_at = 0;
	}
	if (g->in_end == sizeof g->in) /* whole messages of the last pass wait */
		return;
	n = recv(g->fd, g->in + g->in_end, sizeof g->in - g->in_end, MSG_DONTWAIT);
	if (n > 0)
		g->in_end += n;
	else if (n == 0)
		g->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		fail(g, "the connection broke", 0);
}

/* Hands over whole messages; true where the pass's share was used up and some may be left. */
static bool process(struct gate *g)
{
	int budget = GATE_MESSAGES;

	while (g->in_at < g->in_end && !g->why && may_read(g)) {
		const uint8_t *p = g->in + g->in_at;
		size_t have = g->in_end - g->in_at, cut = MIN(g->skip, have);
		bool skip = false;
		ssize_t need;
		int err;

		if (cut) {
			g->in_at += cut;
			g->skip -= cut;
			continue;
		}
		need = g->ops->need(g->opaque, p, have, &skip);
		if (need < 0 || (!skip && need > (ssize_t)RFB_MESSAGE_MAX)) {
			fail(g, "sent what is no message", 0);
			break;
		}
		if (need == 0 || (!skip && (size_t)need > have))
			break;
		if (!budget--)
			return true;
		if (skip) {
			g->skip = need;
			continue;
		}
		err = g->ops->message(g->opaque, p, need);
		g->in_at += need;
		if (err < 0)
			fail(g, "sent a message that cannot be served", err);
	}
	return false;
}

/* ---- the loop ---- */

static void watch(struct gate *g)
{
	GIOCondition want = G_IO_HUP | G_IO_ERR;

	if (may_read(g))
		want |= G_IO_IN;
	if (gate_queued(g))
		want |= G_IO_OUT;
	if (want != g->watched)
		g_source_modify_unix_fd(g->source, g->tag, want);
	g->watched = want;
}

static void take_input(struct gate *g, GIOCondition got, bool *more)
{
	/* A client that is gone is not read from only because it left its own queue full. */
	if (!may_read(g) && got & (G_IO_HUP | G_IO_ERR))
		fail(g, "left", 0);
	if (may_read(g) && got & (G_IO_IN | G_IO_HUP | G_IO_ERR))
		receive(g);
	*more = process(g);
	if (g->eof && !*more)
		fail(g, "left", 0);
}

static gboolean dispatch(GSource *source, GSourceFunc unused, gpointer data)
{
	struct gate *g = ((struct gate_source *)source)->gate;
	GIOCondition got = g_source_query_unix_fd(source, g->tag);
	bool more = false;

	if (g->deadline >= 0 && g_get_monotonic_time() >= g->deadline)
		fail(g, "did not finish its handshake in time", 0);
	g->again = false;
	/* Before anything is looked at: a poke from here on counts again. */
	__atomic_store_n(&g->poked, false, __ATOMIC_SEQ_CST);
	flush(g);
	if (!g->why)
		take_input(g, got, &more);
	if (!g->why && g->deadline < 0 && gate_queued(g) < GATE_LOW)
		more |= g->ops->room(g->opaque);
	flush(g);
	if (g->why) {
		g->ops->closed(g->opaque, g->why, g->err);
		return G_SOURCE_REMOVE; /* g is gone */
	}
	watch(g);
	g->again = more && gate_queued(g) < GATE_LOW;
	return G_SOURCE_CONTINUE;
}

/*
 * Not GLib's ready time: setting that writes to the loop's event descriptor, even from the loop
 * itself, and this happens for each piece.
 */
static gboolean check(GSource *source)
{
	const struct gate *g = ((struct gate_source *)source)->gate;

	return g->again || __atomic_load_n(&g->poked, __ATOMIC_SEQ_CST);
}

static gboolean prepare(GSource *source, gint *timeout)
{
	*timeout = -1;
	return check(source);
}

static GSourceFuncs source_funcs = { .prepare = prepare, .check = check, .dispatch = dispatch };

void gate_poke(struct gate *g)
{
	if (!__atomic_exchange_n(&g->poked, true, __ATOMIC_SEQ_CST))
		g_main_context_wakeup(NULL);
}

void gate_open(struct gate *g)
{
	g->deadline = -1;
	g_source_set_ready_time(g->source, -1);
}

static void set_socket_options(int fd)
{
	int family = AF_UNIX, one = 1, notsent = NOTSENT, keepalive = KEEPALIVE_S;
	socklen_t len = sizeof family;

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	if (family == AF_UNIX)
		return;
	/* What fails here costs speed only. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	/* The kernel holds little that it has not sent: the newest pixels wait here, not there. */
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent, sizeof notsent);
	/* A peer that vanished is found by the kernel, without a timer of ours. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive, sizeof keepalive);
}

struct gate *gate_create(int fd, unsigned handshake_ms, const struct gate_ops *ops, void *opaque)
{
	struct gate *g = g_new0(struct gate, 1);

	set_socket_options(fd);
	g->fd = fd;
	g->ops = ops;
	g->opaque = opaque;
	g->out = g_byte_array_new();
	g->deadline = g_get_monotonic_time() + (gint64)handshake_ms * 1000;
	g->source = g_source_new(&source_funcs, sizeof(struct gate_source));
	((struct gate_source *)g->source)->gate = g;
	g_source_set_static_name(g->source, "vnc client");
	/* Nothing here runs a loop inside of a loop; without this GLib wakes itself at each dispatch. */
	g_source_set_can_recurse(g->source, TRUE);
	g->watched = G_IO_IN | G_IO_HUP | G_IO_ERR;
	g->tag = g_source_add_unix_fd(g->source, fd, g->watched);
	g_source_set_ready_time(g->source, g->deadline);
	g->again = true; /* sends what the owner queues now */
	g_source_attach(g->source, NULL);
	return g;
}

void gate_destroy(struct gate *g)
{
	if (!g)
		return;
	g->why = NULL;
	flush(g);
	g_source_destroy(g->source);
	g_source_unref(g->source);
	close(g->fd);
	g_byte_array_unref(g->out);
	g_free(g);
}
