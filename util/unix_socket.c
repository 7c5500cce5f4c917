/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/unix_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/log.h"

enum { BACKLOG = 16 };

static int unix_address(struct sockaddr_un *addr, const char *path)
{
	if (strlen(path) > UNIX_SOCKET_PATH_MAX)
		return -ENAMETOOLONG;
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strcpy(addr->sun_path, path);
	return 0;
}

/* Whether somebody listens there: 0 no (the socket is stale), -EADDRINUSE yes, else why not known. */
static int unix_probe(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0)
		err = errno;
	close(fd);
	switch (err) {
	case ECONNREFUSED:
	case ENOENT:
		return 0;
	case 0:
	case EAGAIN:     /* its backlog is full */
	case EPROTOTYPE: /* a socket of another type */
		return -EADDRINUSE;
	default:
		return -err;
	}
}

static int unix_remove_stale(const struct sockaddr_un *addr, const char *what)
{
	const char *path = addr->sun_path;
	struct stat st;
	int err;

	if (lstat(path, &st) < 0)
		return 0; /* bind() knows what is wrong, if anything is */
	if (!S_ISSOCK(st.st_mode)) {
		log_error("%s: %s: exists and is no socket; name another path", what, path);
		return -EEXIST;
	}
	err = unix_probe(addr);
	if (err == -EADDRINUSE)
		log_error("%s: %s: somebody listens there; end that program or name another path",
			what, path);
	else if (err)
		log_error("%s: %s: %s", what, path, strerror(-err));
	else
		unlink(path);
	return err;
}

static const char *unix_mend(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return "; make its folder first";
	case EACCES:
	case EROFS:
		return "; name a folder that you may write to";
	default:
		return "";
	}
}

int unix_listener_init(struct unix_listener *l, const char *path, const char *what)
{
	struct sockaddr_un addr;
	struct stat st;
	int err;

	*l = (struct unix_listener){ .fd = -1 };
	if (unix_address(&addr, path) < 0) {
		log_error("%s: %s: %zu bytes; a unix socket's path may have %u", what, path,
			strlen(path), UNIX_SOCKET_PATH_MAX);
		return -ENAMETOOLONG;
	}
	err = unix_remove_stale(&addr, what);
	if (err)
		return err;

	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Linux gives the name the mode of the unbound socket, so there is no moment without it. */
	if (l->fd < 0 || fchmod(l->fd, 0600) < 0 ||
		bind(l->fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
		err = -errno;
		goto fail;
	}
	l->path = strdup(path);
	if (stat(path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	if (l->path && listen(l->fd, BACKLOG) == 0)
		return 0;
	err = l->path ? -errno : -ENOMEM;
fail:
	log_error("%s: %s: %s%s", what, path, strerror(-err), unix_mend(-err));
	unix_listener_finish(l);
	return err;
}

void unix_listener_finish(struct unix_listener *l)
{
	struct stat st;

	if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
	*l = (struct unix_listener){ .fd = -1 };
}

int unix_listener_accept(const struct unix_listener *l)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int unix_connect(const char *path)
{
	struct sockaddr_un addr;
	int fd, err = unix_address(&addr, path);

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}
