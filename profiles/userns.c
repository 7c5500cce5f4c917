/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

#include "util/bytes.h"
#include "util/log.h"

#define USERNS_IDS       65536
/* Above what systemd-nspawn hands out (524288..1879048191) and below 2^31, which tools dislike. */
#define USERNS_ROOT_BASE 1879048192u
/* How a process that ends before `main` tells so; mmdebstrap and mke2fs do not use it. */
#define USERNS_BROKEN    125

/* The first range of enough ids that belongs to the user in a file of "NAME:FIRST:COUNT" lines. */
static int userns_find_range(const char *path, const char *name, uid_t id, unsigned *first)
{
	g_autofree char *text = NULL, *number = g_strdup_printf("%u", id);
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return -ENOENT;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) part = g_strsplit(*line, ":", 3);

		if (g_strv_length(part) != 3 || (strcmp(part[0], name) && strcmp(part[0], number)))
			continue;
		if (strtoul(part[2], NULL, 10) < USERNS_IDS)
			continue;
		*first = (unsigned)strtoul(part[1], NULL, 10);
		return 0;
	}
	return -ENOENT;
}

int userns_ids(unsigned *first_uid, unsigned *first_gid)
{
	const struct passwd *pw;
	const char *name;

	*first_uid = *first_gid = USERNS_ROOT_BASE;
	if (geteuid() == 0)
		return 0;
	pw = getpwuid(geteuid());
	name = pw ? pw->pw_name : "";
	if (!userns_find_range("/etc/subuid", name, geteuid(), first_uid) &&
		!userns_find_range("/etc/subgid", name, geteuid(), first_gid))
		return 0;
	log_error("user namespace: %s has no 65536 ids in /etc/subuid and /etc/subgid: "
		  "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
		*name ? name : "this user", *name ? name : "USER");
	return -EPERM;
}

/* Root writes the map itself; others have newuidmap (package uidmap), which looks into /etc/subuid. */
static int userns_map(pid_t pid, const char *kind, unsigned first)
{
	g_autofree char *path = NULL, *line = NULL;
	int fd, ret = 0;

	if (geteuid() == 0) {
		path = g_strdup_printf("/proc/%d/%s_map", pid, kind);
		line = g_strdup_printf("0 %u %u\n", first, USERNS_IDS);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, line, strlen(line)) < 0)
			ret = -errno;
		if (fd >= 0)
			close(fd);
		if (ret)
			log_error("user namespace: cannot map ids: %s", strerror(-ret));
	} else {
		g_autofree char *tool = g_strdup_printf("new%smap", kind);
		g_autofree char *target = g_strdup_printf("%d", pid);
		g_autofree char *from = g_strdup_printf("%u", first);
		g_autofree char *count = g_strdup_printf("%u", USERNS_IDS);
		g_autoptr(GError) error = NULL;
		char *argv[] = { tool, target, "0", from, count, NULL };
		int status = 0;

		if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
			    &status, &error)) {
			log_error("user namespace: %s; apt-get install uidmap", error->message);
			ret = -ENOENT;
		} else if (status) {
			log_error("user namespace: %s refused; see /etc/sub%s", tool, kind);
			ret = -EPERM;
		}
	}
	return ret;
}

/* Says why on the build's output; the builder shows its last lines. */
static int userns_broken(const char *what)
{
	dprintf(STDERR_FILENO, "user namespace: %s: %s\n", what, strerror(errno));
	return USERNS_BROKEN;
}

/*
 * The work folder may lie below folders that the mapped ids cannot enter, a home for example: `work`
 * was opened with the caller's own id, and its mount is reached through the descriptor.
 */
static int userns_mount_work(int work)
{
	g_autofree char *source = g_strdup_printf("/proc/self/fd/%d", work);

	if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"))
		return userns_broken("mount /tmp");
	if (mkdir(USERNS_WORK, 0755) || mount(source, USERNS_WORK, NULL, MS_BIND, NULL))
		return userns_broken(USERNS_WORK);
	close(work);
	return 0;
}

static void userns_clean_environment(void)
{
	static const char *const kept[] = { "http_proxy", "https_proxy", "no_proxy",
		"SOURCE_DATE_EPOCH" };
	g_autofree char *values[ARRAY_LEN(kept)] = { NULL };

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		values[i] = g_strdup(getenv(kept[i]));
	clearenv();
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		if (values[i])
			setenv(kept[i], values[i], 1);
		g_free(g_steal_pointer(&values[i]));
	}
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("TERM", "dumb", 1);
	setenv("DEBIAN_FRONTEND", "noninteractive", 1);
}

static int userns_process_one(int (*main_fn)(void *), void *opaque)
{
	/* Asked for again: a change of ids and a fork forget it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) ||
		mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return userns_broken("mount /proc");
	if (chdir("/"))
		return userns_broken("/");
	return main_fn(opaque);
}

static void userns_plain_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
}

/* The middle process: it enters the namespaces, gets its ids, and waits for process 1. */
static int userns_middle(
	const struct userns *ns, int ready, int mapped, int (*main_fn)(void *), void *opaque)
{
	int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
		    (ns->no_network ? CLONE_NEWNET : 0);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), status, work;
	char byte = 0;
	pid_t one;

	/* A session of its own, so that Ctrl-C reaches the builder alone, which then ends all this. */
	setsid();
	userns_plain_signals();
	if (null < 0 || dup2(null, 0) < 0 || dup2(ns->output, 1) < 0 || dup2(ns->output, 2) < 0)
		return USERNS_BROKEN;
	if (unshare(flags))
		return userns_broken("not allowed here");
	if (write(ready, &byte, 1) != 1 || read(mapped, &byte, 1) != 1)
		return USERNS_BROKEN;
	close(ready);
	close(mapped);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return userns_broken("make mounts private");
	work = open(ns->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (work < 0)
		return userns_broken(ns->work);
	if (setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		return userns_broken("become root inside");
	if (userns_mount_work(work))
		return USERNS_BROKEN;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return userns_broken("PR_SET_PDEATHSIG");
	umask(022);
	userns_clean_environment();
	one = fork();
	if (one == 0)
		_exit(userns_process_one(main_fn, opaque));
	if (one < 0 || waitpid(one, &status, 0) != one)
		return userns_broken("fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t userns_start(const struct userns *ns, int (*main_fn)(void *), void *opaque)
{
	unsigned first_uid, first_gid;
	int ready[2], mapped[2], ret;
	char byte = 0;
	pid_t pid;

	ret = userns_ids(&first_uid, &first_gid);
	if (ret)
		return ret;
	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	if (pipe2(mapped, O_CLOEXEC)) {
		ret = -errno;
		close(ready[0]);
		close(ready[1]);
		return ret;
	}
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		close(mapped[1]);
		_exit(userns_middle(ns, ready[1], mapped[0], main_fn, opaque));
	}
	ret = pid < 0 ? -errno : 0;
	close(ready[1]);
	close(mapped[0]);
	/* The middle process closes its end where it fails, and tells why on the output. */
	if (!ret && read(ready[0], &byte, 1) == 1) {
		ret = userns_map(pid, "uid", first_uid) ?: userns_map(pid, "gid", first_gid);
		if (!ret && write(mapped[1], &byte, 1) != 1)
			ret = -errno;
	}
	close(ready[0]);
	close(mapped[1]);
	if (ret && pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return ret ?: pid;
}

/* Device nodes cannot be made in a user namespace: those of this machine are bound. */
static int userns_make_dev(void)
{
	static const char *const nodes[] = { "null", "zero", "full", "random", "urandom", "tty" };

	if (mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755"))
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		g_autofree char *from = g_strconcat("/dev/", nodes[i], NULL);
		int fd = open(from + 1, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

		if (fd < 0)
			return -errno;
		close(fd);
		if (mount(from, from + 1, NULL, MS_BIND, NULL))
			return -errno;
	}
	if (symlink("/proc/self/fd", "dev/fd"))
		return -errno;
	return 0;
}

int userns_enter_root(const char *root)
{
	int ret;

	if (mount(root, root, NULL, MS_BIND, NULL) || chdir(root))
		return -errno;
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ||
		mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") ||
		mount("tmpfs", "run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"))
		return -errno;
	ret = userns_make_dev();
	if (ret)
		return ret;
	/* Old and new root may be one folder: the old one then lies on top of the new and comes off. */
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		return -errno;
	return 0;
}
