/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/image_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "profiles/image_guest.h"
#include "profiles/userns.h"
#include "util/bytes.h"

#define TREE_ROOT USERNS_WORK "/root"

/* Standard error is the build's log here: what is said last is what the user is shown. */
static int tree_failed(const char *what, const char *why)
{
	dprintf(STDERR_FILENO, "image: %s: %s\n", what, why);
	return 1;
}

/* Folders that are missing on the way to a file, made for its owner. */
static int tree_make_folders(const char *path, uid_t uid, gid_t gid)
{
	g_autofree char *folder = g_path_get_dirname(path);

	if (!g_access(folder, F_OK))
		return 0;
	if (tree_make_folders(folder, uid, gid) || mkdir(folder, 0755) || chown(folder, uid, gid))
		return -1;
	return 0;
}

static int tree_write(
	const char *path, const char *bytes, size_t len, unsigned mode, uid_t uid, gid_t gid)
{
	size_t done = 0;
	int fd;

	/* A link or a file that a package left there is replaced, not followed. */
	if (tree_make_folders(path, uid, gid) || (unlink(path) && errno != ENOENT))
		return tree_failed(path, strerror(errno));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return tree_failed(path, strerror(errno));
	while (done < len) {
		ssize_t n = write(fd, bytes + done, len - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	/* The mode comes last: a change of owner clears set-user-ID. */
	if (done < len || fchown(fd, uid, gid) || fchmod(fd, mode)) {
		close(fd);
		return tree_failed(path, strerror(errno));
	}
	return close(fd) ? tree_failed(path, strerror(errno)) : 0;
}

static int tree_write_text(const char *path, const char *text)
{
	return tree_write(path, text, strlen(text), 0644, 0, 0);
}

/* Runs a program with `input` as its standard input; its status where it does not end with 0. */
static int tree_run(char *const *argv, const char *input)
{
	int pipes[2], status;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return tree_failed(argv[0], strerror(errno));
	/* Well within a pipe's buffer, so nobody waits. */
	if (input && write(pipes[1], input, strlen(input)) != (ssize_t)strlen(input))
		return tree_failed(argv[0], "its input is too long");
	pid = fork();
	if (pid == 0) {
		dup2(pipes[0], 0);
		execvp(argv[0], argv);
		dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(pipes[0]);
	close(pipes[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return tree_failed(argv[0], strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	dprintf(STDERR_FILENO, "image: %s%s%s: failed with status %d\n", argv[0],
		argv[1] ? " " : "", argv[1] ?: "",
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 1;
}
#define TREE_RUN(...) tree_run((char *[]){ __VA_ARGS__, NULL }, NULL)

/* --- the first stage */

static int tree_write_early(const struct image_def *def)
{
	/* The file system grows into a disk that was made larger. */
	if (tree_write_text(
		    TREE_ROOT "/etc/fstab", "/dev/vda / ext4 rw,relatime,x-systemd.growfs 0 1\n"))
		return 1;
	for (unsigned i = 0; i < def->files_count; i++) {
		const struct image_file *file = &def->files[i];
		g_autofree char *path = g_strconcat(TREE_ROOT, file->path, NULL);

		if (file->early && tree_write(path, file->bytes, file->len, file->mode_bits, 0, 0))
			return 1;
	}
	return 0;
}

int image_tree_bootstrap(void *opaque)
{
	const struct image_tree_job *job = opaque;
	const struct image_def *def = job->def;
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
	/* Units start the session and the first boot's commands, so systemd is always there. */
	GString *include = g_string_new("systemd-sysv");

	if (mkdir(TREE_ROOT, 0755) || tree_write_early(def) ||
		tree_write_text(USERNS_WORK "/sources.list", job->sources))
		return 1;
	g_string_append_printf(include, ",%s", def->kernel);
	for (unsigned i = 0; i < def->packages_count; i++)
		g_string_append_printf(include, ",%s", def->packages[i]);
	/* In these namespaces "root" is the mapped one: the program need not make its own. */
	g_ptr_array_add(argv, g_strdup("mmdebstrap"));
	g_ptr_array_add(argv, g_strdup("--mode=root"));
	g_ptr_array_add(argv, g_strdup("--variant=minbase"));
	g_ptr_array_add(argv, g_strdup("--format=directory"));
	g_ptr_array_add(argv, g_strdup("--skip=check/empty,chroot/mount/sys"));
	g_ptr_array_add(argv, g_strdup("--aptopt=APT::Install-Recommends \"false\""));
	g_ptr_array_add(argv, g_strdup("--aptopt=Acquire::Languages \"none\""));
	g_ptr_array_add(argv, g_strdup("--aptopt=Acquire::Retries \"3\""));
	for (unsigned i = 0; i < def->exclude_count; i++)
		g_ptr_array_add(
			argv, g_strdup_printf("--dpkgopt=path-exclude=%s", def->exclude[i]));
	for (unsigned i = 0; i < def->keep_count; i++)
		g_ptr_array_add(argv, g_strdup_printf("--dpkgopt=path-include=%s", def->keep[i]));
	g_ptr_array_add(argv, g_strdup_printf("--include=%s", include->str));
	g_ptr_array_add(argv, g_strdup(def->suite));
	g_ptr_array_add(argv, g_strdup(TREE_ROOT));
	g_ptr_array_add(argv, g_strdup(USERNS_WORK "/sources.list"));
	g_ptr_array_add(argv, NULL);
	g_string_free(include, TRUE);
	/* Nothing needs to survive a crash of the build: no fsync for every package. */
	setenv("DPKG_FORCE", "unsafe-io", 1);
	execvp("mmdebstrap", (char **)argv->pdata);
	return tree_failed("mmdebstrap", strerror(errno));
}

/* --- the second stage: from here on "/" is the image */

static int tree_add_user(const struct image_user *user)
{
	g_autofree char *groups = user->groups_count ? g_strdup("") : NULL;
	g_autofree char *line = g_strdup_printf("%s:%s\n", user->name, user->password ?: "");

	for (unsigned i = 0; i < user->groups_count; i++) {
		char *longer = g_strdup_printf("%s%s%s", groups, i ? "," : "", user->groups[i]);

		g_free(groups);
		groups = longer;
	}
	if (TREE_RUN("useradd", "--create-home", "--shell", "/bin/bash", "--comment",
		    user->full_name ?: "", "--", user->name) ||
		(groups && TREE_RUN("usermod", "--append", "--groups", groups, "--", user->name)))
		return 1;
	/* By standard input: arguments are seen by everybody on this machine. */
	return user->password ? tree_run((char *[]){ "chpasswd", "-e", NULL }, line) : 0;
}

static int tree_add_file(const struct image_file *file)
{
	const struct passwd *pw = file->owner ? getpwnam(file->owner) : NULL;

	if (file->owner && !pw)
		return tree_failed(file->path, "its owner is not there");
	return tree_write(file->path, file->bytes, file->len, file->mode_bits, pw ? pw->pw_uid : 0,
		pw ? pw->pw_gid : 0);
}

/* mmdebstrap has copied this machine's name and name servers. */
static int tree_set_host(const struct image_def *def)
{
	g_autofree char *name = g_strdup_printf("%s\n", def->hostname);
	g_autofree char *hosts = g_strdup_printf(
		"127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost\n", def->hostname);

	if (tree_write_text("/etc/hostname", name) || tree_write_text("/etc/hosts", hosts))
		return 1;
	g_unlink("/etc/resolv.conf");
	if (!g_access("/lib/systemd/systemd-resolved", X_OK) &&
		symlink("../run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf"))
		return tree_failed("/etc/resolv.conf", strerror(errno));
	return 0;
}

/*
 * The root disk: named by the kernel's command line and checked by the initramfs. As an entry of fstab
 * every boot would wait until udev has announced the disk that it runs from. The file system grows
 * into a disk that was made larger.
 */
static int tree_set_disk(void)
{
	static const char *const unit = "/lib/systemd/system/systemd-growfs-root.service";

	if (tree_write_text(
		    "/etc/fstab", "# The root disk comes from the kernel's command line.\n"))
		return 1;
	if (!g_access(unit, F_OK) && TREE_RUN("systemctl", "add-wants", "multi-user.target",
					     "systemd-growfs-root.service"))
		return 1;
	return 0;
}

static int tree_add_guest(const struct image_tree_job *job)
{
	g_auto(GStrv) units = image_guest_units(job->def);

	for (unsigned i = 0; i < job->guest->len; i++) {
		const struct image_guest_file *file = job->guest->pdata[i];

		if (tree_write(file->target, file->bytes, file->len, file->mode, 0, 0))
			return 1;
	}
	for (char **unit = units; *unit; unit++)
		if (TREE_RUN("systemctl", "enable", *unit))
			return 1;
	return TREE_RUN("systemctl", "set-default",
		job->def->desktop ? "graphical.target" : "multi-user.target");
}

/* The kernel lies beside the disk: an upgrade inside would leave its modules without one. */
static int tree_hold_kernel(void)
{
	return TREE_RUN("sh", "-ec",
		"apt-mark hold $(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n' 'linux-image-*' | "
		"sed -n 's/^ii  *//p') >/dev/null");
}

/* What no two desktops may share, and what only takes room. */
static int tree_forget(void)
{
	static const char *const unique[] = { "/var/lib/dbus/machine-id",
		"/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret",
		"/root/.bash_history", "/var/lib/urandom/random-seed" };

	for (size_t i = 0; i < ARRAY_LEN(unique); i++)
		if (g_unlink(unique[i]) && errno != ENOENT && errno != ENOTDIR)
			return tree_failed(unique[i], strerror(errno));
	/* Empty rather than absent: systemd then makes one, but does not take it for a new installation. */
	if (tree_write("/etc/machine-id", "", 0, 0444, 0, 0))
		return 1;
	return TREE_RUN("sh", "-ec",
		"rm -f /etc/ssh/ssh_host_*\n"
		"rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb\n"
		"rm -f /etc/.resolv.conf.systemd-resolved.bak\n"
		"find /var/log -type f -delete\n");
}

static int tree_round_time(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = st->st_mtim.tv_sec } };

	/* What cannot be changed is of another file system: /proc, /dev. */
	if (st->st_mtim.tv_nsec && type != FTW_NS)
		utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/*
 * mke2fs keeps whole seconds only. Caches that remember the nanoseconds of folders would not match
 * them in the guest, and every program would read all fonts anew.
 */
static int tree_round_times(void)
{
	return nftw("/", tree_round_time, 64, FTW_PHYS | FTW_MOUNT)
		       ? tree_failed("/", strerror(errno))
		       : 0;
}

/* Caches made after that; and no boot finds /usr newer than what was made from it. */
static int tree_settle(void)
{
	if (tree_round_times())
		return 1;
	if (!g_access("/usr/bin/fc-cache", X_OK) &&
		TREE_RUN("fc-cache", "--force", "--system-only"))
		return 1;
	if (tree_write_text("/etc/.updated", "") || tree_write_text("/var/.updated", ""))
		return 1;
	return tree_round_times();
}

int image_tree_customize(void *opaque)
{
	const struct image_tree_job *job = opaque;
	const struct image_def *def = job->def;
	int err = userns_enter_root(TREE_ROOT);

	if (err)
		return tree_failed("enter the image", strerror(-err));
	setenv("HOME", "/root", 1);
	setenv("SYSTEMD_OFFLINE", "1", 1);
	if (sethostname(def->hostname, strlen(def->hostname)) || tree_set_host(def) ||
		tree_set_disk())
		return 1;
	for (unsigned i = 0; i < def->users_count; i++)
		if (tree_add_user(&def->users[i]))
			return 1;
	for (unsigned i = 0; i < def->files_count; i++)
		if (!def->files[i].early && tree_add_file(&def->files[i]))
			return 1;
	if (tree_add_guest(job) || tree_hold_kernel())
		return 1;
	for (unsigned i = 0; i < def->build_count; i++) {
		dprintf(STDERR_FILENO, "image: build[%u]: %s\n", i + 1, def->build[i]);
		if (TREE_RUN("/bin/sh", "-ec", def->build[i]))
			return 1;
	}
	return tree_forget() ?: tree_settle();
}

/* --- the third stage */

static int tree_copy(const char *kind, const char *release, const char *to)
{
	g_autofree char *from = g_strdup_printf(TREE_ROOT "/boot/%s-%s", kind, release),
			*bytes = NULL;
	gsize len;
	FILE *f;

	if (!g_file_get_contents(from, &bytes, &len, NULL))
		return tree_failed(from, strerror(errno));
	f = fopen(to, "r+e");
	if (!f)
		return tree_failed(to, strerror(errno));
	if (fwrite(bytes, 1, len, f) != len) {
		fclose(f);
		return tree_failed(to, strerror(errno));
	}
	return fclose(f) ? tree_failed(to, strerror(errno)) : 0;
}

int image_tree_pack(void *opaque)
{
	const struct image_tree_job *job = opaque;
	g_autofree char *size =
		g_strdup_printf("%lluk", (unsigned long long)(job->def->size_bytes / KIB));

	if (tree_copy("vmlinuz", job->kernel, USERNS_WORK "/vmlinuz") ||
		tree_copy("initrd.img", job->kernel, USERNS_WORK "/initrd.img"))
		return 1;
	/*
	 * mke2fs sees the tree with the ids of the guest, so owners, set-user-ID and capabilities come
	 * out right without a loop device. Inode tables are written now, as holes: a lazy guest would
	 * write them later, for real, on every clone.
	 */
	if (TREE_RUN("mke2fs", "-q", "-F", "-t", "ext4", "-L", "hotdesk", "-m", "1", "-E",
		    "lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0", "-d", TREE_ROOT,
		    USERNS_WORK "/disk.raw", size))
		return 1;
	return TREE_RUN("e2fsck", "-fn", USERNS_WORK "/disk.raw");
}

int image_tree_remove(void *opaque)
{
	execlp("rm", "rm", "-rf", "--one-file-system", TREE_ROOT, NULL);
	return tree_failed("rm", strerror(errno));
}
