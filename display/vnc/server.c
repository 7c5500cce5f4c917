/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>

#include "display/vnc/address.h"
#include "display/vnc/password.h"
#include "util/bytes.h"
#include "util/log.h"

enum {
	CLIENTS_MAX = 64,
	HANDSHAKE_MS = 10000,
	BLANK_WIDTH = 1024,
	BLANK_HEIGHT = 768,
	ACCEPTS = 16,    /* a pass */
	RETRY_MS = 1000, /* after the system had no descriptor left */
};

struct vnc_server {
	struct vnc_session_config config;
	char password[VNC_PASSWORD_MAX + 1];
	char *name;
	unsigned clients_max;

	struct vnc_address address;
	guint watch, retry; /* GLib's source numbers, 0: none */
	GPtrArray *sessions;
	bool said_full;                             /* until there is room again */
	uint64_t accepted, refused, updates, bytes; /* the last two: of sessions that ended */
};

static void on_session_closed(void *opaque, struct vnc_session *s)
{
	struct vnc_server *v = opaque;
	struct vnc_client_stats stats;

	vnc_session_stats(s, &stats);
	v->updates += stats.updates;
	v->bytes += stats.bytes;
	g_ptr_array_remove(v->sessions, s);
	vnc_session_destroy(s);
	v->said_full = false;
}

static const struct vnc_session_ops session_ops = { .closed = on_session_closed };

/*
 * The reason, as RFC 6143 section 7.1.2 has it for "no security type": sent at once with our
 * version, since waiting for the client's would cost what there is too little of.
 */
static void refuse(struct vnc_server *v, int fd, const char *peer)
{
	static const char answer[] = "RFB 003.008\n\0\0\0\0\030There are too many users";

	if (send(fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("vnc: %s was gone before it was refused", peer);
	close(fd);
	v->refused++;
	log_once(v->said_full, LOG_WARNING, "vnc: %s refused: %u clients are connected", peer,
		v->sessions->len);
}

void vnc_server_adopt(struct vnc_server *v, int fd)
{
	struct vnc_session *s;
	char peer[64];

	vnc_address_peer(fd, peer, sizeof peer);
	if (v->sessions->len >= v->clients_max) {
		refuse(v, fd, peer);
		return;
	}
	s = vnc_session_create(&v->config, fd, peer, &session_ops, v);
	if (!s)
		return;
	v->accepted++;
	g_ptr_array_add(v->sessions, s);
}

/* ---- accepting ---- */

static void watch_listener(struct vnc_server *v);

static gboolean on_retry(gpointer opaque)
{
	struct vnc_server *v = opaque;

	v->retry = 0;
	watch_listener(v);
	return G_SOURCE_REMOVE;
}

/* A waiting client whom nothing can accept would wake the loop for ever: look away for a while. */
static gboolean out_of_descriptors(struct vnc_server *v)
{
	log_warning("vnc: no client can be accepted: %s", strerror(errno));
	v->watch = 0;
	v->retry = g_timeout_add(RETRY_MS, on_retry, v);
	return G_SOURCE_REMOVE;
}

static gboolean on_connection(gint listener, GIOCondition condition, gpointer opaque)
{
	struct vnc_server *v = opaque;

	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			vnc_server_adopt(v, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			return out_of_descriptors(v);
		else if (errno == EAGAIN)
			break;
	}
	return G_SOURCE_CONTINUE;
}

static void watch_listener(struct vnc_server *v)
{
	v->watch = g_unix_fd_add(v->address.fd, G_IO_IN, on_connection, v);
}

/* ---- life ---- */

static int start(struct vnc_server *v, const struct vnc_config *config)
{
	int err;

	if (config->password_file) {
		err = vnc_password_read(config->password_file, v->password);
		if (err)
			return err;
		v->config.password = v->password;
	}
	if (!config->listen)
		return 0;
	err = vnc_address_listen(&v->address, config->listen);
	if (err)
		return err;
	if (!v->address.local && !config->password_file)
		log_warning("vnc: %s: anyone who reaches this address can use the desktop; "
			    "set a password-file, or listen on a unix socket",
			v->address.text);
	watch_listener(v);
	return 0;
}

int vnc_server_create(struct display *display, struct seat *seat, const struct keymap *keymap,
	const struct vnc_config *config, struct vnc_server **server)
{
	struct vnc_server *v = g_new0(struct vnc_server, 1);
	int err;

	v->address.fd = v->address.file = -1;
	v->name = g_strdup(config->name ? config->name : "Hotdesk");
	v->clients_max = config->clients_max ? config->clients_max : CLIENTS_MAX;
	v->sessions = g_ptr_array_new();
	v->config = (struct vnc_session_config){
		.display = display,
		.seat = seat,
		.keymap = keymap,
		.name = v->name,
		.blank_width = config->blank_width ? config->blank_width : BLANK_WIDTH,
		.blank_height = config->blank_height ? config->blank_height : BLANK_HEIGHT,
		.handshake_ms = config->handshake_ms ? config->handshake_ms : HANDSHAKE_MS,
	};
	err = start(v, config);
	if (err) {
		vnc_server_destroy(v);
		return err;
	}
	*server = v;
	return 0;
}

void vnc_server_destroy(struct vnc_server *v)
{
	if (!v)
		return;
	if (v->watch)
		g_source_remove(v->watch);
	if (v->retry)
		g_source_remove(v->retry);
	for (unsigned i = 0; i < v->sessions->len; i++)
		vnc_session_destroy(v->sessions->pdata[i]);
	g_ptr_array_unref(v->sessions);
	vnc_address_close(&v->address);
	explicit_bzero(v->password, sizeof v->password);
	g_free(v->name);
	g_free(v);
}

const char *vnc_server_address(const struct vnc_server *v)
{
	return v->address.text;
}

unsigned vnc_server_stats(const struct vnc_server *v, struct vnc_server_stats *sums,
	struct vnc_client_stats *clients, unsigned max)
{
	*sums = (struct vnc_server_stats){
		.clients = v->sessions->len,
		.accepted = v->accepted,
		.refused = v->refused,
		.updates = v->updates,
		.bytes = v->bytes,
	};
	for (unsigned i = 0; i < v->sessions->len; i++) {
		struct vnc_client_stats s;

		vnc_session_stats(v->sessions->pdata[i], &s);
		sums->updates += s.updates;
		sums->bytes += s.bytes;
		if (i < max)
			clients[i] = s;
	}
	return MIN(max, v->sessions->len);
}
