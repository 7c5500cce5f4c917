/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib.h>

#include "util/log.h"

enum { BACKLOG = 64 };

static int make_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* ---- unix sockets ---- */

/* True for a socket's file at which nobody answers. */
static bool is_stale(const struct sockaddr_un *un)
{
	struct stat st;
	bool refused;
	int fd;

	if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = make_socket(AF_UNIX);
	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)un, sizeof *un) < 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int bind_unix(int fd, const struct sockaddr_un *un)
{
	const struct sockaddr *sa = (const struct sockaddr *)un;

	/* The file gets the socket's own mode: there is no moment at which others could connect. */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	if (bind(fd, sa, sizeof *un) == 0)
		return 0;
	if (errno != EADDRINUSE || !is_stale(un))
		return -errno;
	if (unlink(un->sun_path) < 0 || bind(fd, sa, sizeof *un) < 0)
		return -errno;
	return 0;
}

static int listen_unix(struct vnc_address *a, const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int err;

	if (!*path) {
		log_error("vnc: unix: has no path; write unix:PATH");
		return -EINVAL;
	}
	if (strlen(path) >= sizeof un.sun_path) {
		log_error("vnc: %s: the path has %zu bytes, and a socket's may have %zu; "
			  "choose a shorter one",
			path, strlen(path), sizeof un.sun_path - 1);
		return -ENAMETOOLONG;
	}
	strcpy(un.sun_path, path);
	a->fd = make_socket(AF_UNIX);
	if (a->fd < 0)
		err = -errno;
	else
		err = bind_unix(a->fd, &un);
	if (err == -EADDRINUSE) {
		log_error("vnc: %s: in use by a running program, or no socket; "
			  "choose another path or remove it",
			path);
		return err;
	}
	if (err) {
		log_error("vnc: %s: cannot listen: %s", path, strerror(-err));
		return err;
	}
	a->path = g_strdup(path);
	/* While it is held open, no other file gets its inode's number. */
	a->file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	a->local = true;
	snprintf(a->text, sizeof a->text, "unix:%s", path);
	return 0;
}

/* ---- TCP ---- */

static bool is_loopback(const struct sockaddr *sa)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (sa->sa_family == AF_INET)
		return ((const uint8_t *)&((const struct sockaddr_in *)sa)->sin_addr)[0] == 127;
	return !memcmp(&((const struct sockaddr_in6 *)sa)->sin6_addr, one, sizeof one);
}

static void spell(const struct sockaddr *sa, socklen_t len, char *text, size_t size)
{
	char host[64], port[8];

	if (getnameinfo(
		    sa, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(text, size, "unknown");
	else
		snprintf(text, size, sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* Splits "ADDR:PORT" or "[ADDR]:PORT"; NULL where it is neither. */
static struct addrinfo *resolve(const char *spec)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(spec, ':');
	g_autofree char *host = NULL;
	struct addrinfo *found;
	size_t len;
	char *end;

	if (!colon || colon == spec || strtoul(colon + 1, &end, 10) > 65535 || *end || !colon[1])
		return NULL;
	host = g_strndup(spec, colon - spec);
	len = strlen(host);
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = 0;
		memmove(host, host + 1, len - 1);
	}
	if (!strcmp(host, "localhost"))
		return getaddrinfo("127.0.0.1", colon + 1, &hints, &found) ? NULL : found;
	return getaddrinfo(host, colon + 1, &hints, &found) ? NULL : found;
}

static int bind_tcp(struct vnc_address *a, const struct addrinfo *to)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof bound;
	int one = 1;

	a->fd = make_socket(to->ai_family);
	if (a->fd < 0)
		return -errno;
	setsockopt(a->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(a->fd, to->ai_addr, to->ai_addrlen) < 0 ||
		getsockname(a->fd, (struct sockaddr *)&bound, &len) < 0)
		return -errno;
	a->local = is_loopback(to->ai_addr);
	spell((const struct sockaddr *)&bound, len, a->text, sizeof a->text);
	return 0;
}

static int listen_tcp(struct vnc_address *a, const char *spec)
{
	struct addrinfo *to = resolve(spec);
	int err;

	if (!to) {
		log_error("vnc: '%s' is no address; write unix:PATH or ADDR:PORT, as in "
			  "127.0.0.1:5900 or [::1]:5900",
			spec);
		return -EINVAL;
	}
	err = bind_tcp(a, to);
	freeaddrinfo(to);
	if (err == -EADDRINUSE)
		log_error("vnc: %s: the address is in use; choose another port, or stop what "
			  "listens there",
			spec);
	else if (err)
		log_error("vnc: %s: cannot listen: %s", spec, strerror(-err));
	return err;
}

/* ---- both ---- */

int vnc_address_listen(struct vnc_address *a, const char *spec)
{
	int err;

	*a = (struct vnc_address){ .fd = -1, .file = -1 };
	err = g_str_has_prefix(spec, "unix:") ? listen_unix(a, spec + 5) : listen_tcp(a, spec);
	if (!err && listen(a->fd, BACKLOG) < 0) {
		err = -errno;
		log_error("vnc: %s: cannot listen: %s", spec, strerror(-err));
	}
	if (err)
		vnc_address_close(a);
	return err;
}

static bool is_our_file(const struct vnc_address *a)
{
	struct stat ours, there;

	return a->path && fstat(a->file, &ours) == 0 && lstat(a->path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

void vnc_address_close(struct vnc_address *a)
{
	if (is_our_file(a))
		unlink(a->path);
	g_free(a->path);
	a->path = NULL;
	if (a->file >= 0)
		close(a->file);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = a->file = -1;
}

void vnc_address_peer(int fd, char *text, size_t size)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof ss, cred_len = sizeof(struct ucred);
	struct ucred cred;

	snprintf(text, size, "a client");
	if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
		return;
	if (ss.ss_family == AF_INET || ss.ss_family == AF_INET6)
		spell((const struct sockaddr *)&ss, len, text, size);
	else if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len))
		snprintf(text, size, "unix socket, process %d", (int)cred.pid);
}
