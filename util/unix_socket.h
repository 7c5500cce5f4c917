/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unix stream sockets with a name in the file system. */
#pragma once

#include <sys/types.h>
#include <sys/un.h>

/* The longest path that fits an address, without the final NUL. */
#define UNIX_SOCKET_PATH_MAX ((unsigned)(sizeof(((struct sockaddr_un *)0)->sun_path) - 1))

struct unix_listener {
	int fd; /* non-blocking; -1: not listening */
	char *path;
	dev_t dev; /* of the name that we made, so that no other is removed at the end */
	ino_t ino;
};

/*
 * Listens at path, mode 0600 from its first moment. A stale socket is replaced; one that somebody
 * listens on, and a file that is no socket, are not. what ("--control") opens the one line that is
 * logged where it fails. 0 or -errno; fd is -1 then.
 */
int unix_listener_init(struct unix_listener *l, const char *path, const char *what);

/* Closes and removes the name. A zeroed one with fd -1 is fine. */
void unix_listener_finish(struct unix_listener *l);

/* The next client's descriptor (non-blocking, close-on-exec), or -errno. */
int unix_listener_accept(const struct unix_listener *l);

/* A connected, blocking descriptor, or -errno (-ENAMETOOLONG, -ENOENT, -ECONNREFUSED, …). */
int unix_connect(const char *path);
