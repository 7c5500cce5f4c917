/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/password.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/log.h"

enum { LINE = 256 };

static int read_line(const char *path, char line[LINE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_mode & 077)
		log_warning("vnc: %s: others may read the password; chmod 600 it", path);
	n = read(fd, line, LINE - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n;
	line[n] = 0;
	line[strcspn(line, "\r\n")] = 0;
	return 0;
}

int vnc_password_read(const char *path, char password[VNC_PASSWORD_MAX + 1])
{
	char line[LINE];
	int err = read_line(path, line);

	if (err) {
		log_error("vnc: %s: cannot read the password: %s", path, strerror(-err));
		return err;
	}
	if (!line[0]) {
		log_error("vnc: %s: its first line is empty; write the password there", path);
		return -EINVAL;
	}
	if (strlen(line) > VNC_PASSWORD_MAX)
		log_warning("vnc: %s: only the first %d bytes of a VNC password count", path,
			VNC_PASSWORD_MAX);
	memset(password, 0, VNC_PASSWORD_MAX + 1);
	memcpy(password, line, strnlen(line, VNC_PASSWORD_MAX));
	explicit_bzero(line, sizeof line);
	return 0;
}
