/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/image_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A lock for writing over the whole file would conflict with any lock that somebody holds. */
static bool image_is_locked(const char *disk)
{
	struct flock probe = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(disk, O_RDONLY | O_CLOEXEC);
	bool locked;

	if (fd < 0)
		return false;
	locked = !fcntl(fd, F_OFD_GETLK, &probe) && probe.l_type != F_UNLCK;
	close(fd);
	return locked;
}

static bool image_process_has(const char *pid, const struct stat *disk)
{
	g_autofree char *folder = g_build_filename("/proc", pid, "fd", NULL);
	g_autoptr(GDir) fds = g_dir_open(folder, 0, NULL);
	const char *fd;
	struct stat st;

	while (fds && (fd = g_dir_read_name(fds))) {
		g_autofree char *path = g_build_filename(folder, fd, NULL);

		if (!stat(path, &st) && st.st_dev == disk->st_dev && st.st_ino == disk->st_ino)
			return true;
	}
	return false;
}

/* What follows --name on the process's command line, else its id. */
static char *image_process_name(const char *pid)
{
	g_autofree char *file = g_build_filename("/proc", pid, "cmdline", NULL), *text = NULL;
	gsize len = 0;

	if (g_file_get_contents(file, &text, &len, NULL))
		for (const char *arg = text; arg < text + len; arg += strlen(arg) + 1) {
			const char *next = arg + strlen(arg) + 1;

			if (!strcmp(arg, "--name") && next < text + len)
				return g_strdup(next);
			if (g_str_has_prefix(arg, "--name="))
				return g_strdup(arg + strlen("--name="));
		}
	return g_strdup_printf("process %s", pid);
}

char *image_users(const char *disk)
{
	g_autoptr(GPtrArray) names = NULL;
	g_autoptr(GDir) processes = NULL;
	const char *pid;
	struct stat st;

	if (!image_is_locked(disk) || stat(disk, &st))
		return NULL;
	names = g_ptr_array_new_with_free_func(g_free);
	processes = g_dir_open("/proc", 0, NULL);
	while (processes && (pid = g_dir_read_name(processes)))
		if (g_ascii_isdigit(pid[0]) && image_process_has(pid, &st))
			g_ptr_array_add(names, image_process_name(pid));
	if (!names->len)
		return g_strdup("in use");
	g_ptr_array_add(names, NULL);
	return g_strjoinv(", ", (char **)names->pdata);
}
