/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/image_build.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "profiles/archive.h"
#include "profiles/image_guest.h"
#include "profiles/image_tree.h"
#include "profiles/userns.h"
#include "util/bytes.h"
#include "util/log.h"

/* Tree and disk of a desktop of about 1.3 GiB, where no earlier build tells better. */
#define BUILD_ROOM       (3500 * MIB)
#define BUILD_LAST_LINES 12

/* What a version consists of; all are made here, empty, so that they belong to the caller. */
static const char *const results[] = { "disk.raw", "vmlinuz", "initrd.img" };

struct build {
	const struct image_def *def;
	const struct image_build_options *options;
	/* DIR/NAME, DIR/NAME/.new, .new/work (the mapped ids' too), .new/out (the version to be). */
	char *home, *temporary, *work, *out;
	int result_fds[ARRAY_LEN(results)];
	int lock, signals;
	sigset_t old_mask;
	/* The janitor's id, and the pipe whose closing starts it. */
	pid_t janitor;
	int janitor_pipe;
	struct build_progress progress;
	gint64 started;
	uint64_t last_seconds;
};

static uint64_t build_elapsed(const struct build *b)
{
	return (uint64_t)(g_get_monotonic_time() - b->started) / G_USEC_PER_SEC;
}

static void build_tell(struct build *b)
{
	if (b->options->progress)
		b->options->progress(b->options->opaque, &b->progress,
			build_progress_left(&b->progress, build_elapsed(b), b->last_seconds));
}

/* --- the janitor: removes .new, whatever happens to the builder */

static void build_remove(const struct build *b)
{
	static const char *const ours[] = { "image.json", "build.log", "sources.list" };
	struct userns ns = { .work = b->work, .no_network = true, .output = STDERR_FILENO };
	g_autofree char *link = g_build_filename(b->temporary, "current", NULL);
	pid_t pid;

	if (!g_file_test(b->temporary, G_FILE_TEST_IS_DIR))
		return;
	pid = g_file_test(b->work, G_FILE_TEST_IS_DIR) ? userns_start(&ns, image_tree_remove, NULL)
						       : 0;
	if (pid > 0)
		waitpid(pid, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(results) + ARRAY_LEN(ours); i++) {
		const char *name =
			i < ARRAY_LEN(results) ? results[i] : ours[i - ARRAY_LEN(results)];
		g_autofree char *in_work = g_build_filename(b->work, name, NULL);
		g_autofree char *in_out = g_build_filename(b->out, name, NULL);

		g_unlink(in_work);
		g_unlink(in_out);
	}
	g_unlink(link);
	g_rmdir(b->work);
	g_rmdir(b->out);
	if (g_rmdir(b->temporary))
		log_warning("%s: cannot be removed: %s", b->temporary, strerror(errno));
}

static int build_start_janitor(struct build *b)
{
	int pipes[2];
	char byte;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	b->janitor = fork();
	if (b->janitor == 0) {
		/* It inherits the lock, so nobody builds before it is done, and no terminal's signals. */
		setsid();
		close(pipes[1]);
		while (read(pipes[0], &byte, 1) < 0 && errno == EINTR)
			;
		build_remove(b);
		_exit(0);
	}
	close(pipes[0]);
	b->janitor_pipe = pipes[1];
	return b->janitor < 0 ? -errno : 0;
}

/* --- before the first stage */

static int build_lock(struct build *b)
{
	g_autofree char *path = g_build_filename(b->home, ".lock", NULL);

	if (g_mkdir_with_parents(b->home, 0755)) {
		log_error("%s: cannot be made: %s", b->home, strerror(errno));
		return -errno;
	}
	b->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (b->lock < 0) {
		log_error("%s: %s", path, strerror(errno));
		return -errno;
	}
	if (!flock(b->lock, LOCK_EX | LOCK_NB))
		return 0;
	log_error("%s: another build of it is running", b->def->name);
	return -EBUSY;
}

static int build_check_room(const struct build *b, const struct image_version *last)
{
	uint64_t wanted = last ? last->allocated / 2 * 5 : BUILD_ROOM, there;
	struct statvfs fs;

	if (statvfs(b->home, &fs))
		return 0;
	there = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (there >= wanted)
		return 0;
	log_error("%s: %llu MiB are free, the build takes about %llu MiB: free some or give --dir",
		b->home, (unsigned long long)(there / MIB), (unsigned long long)(wanted / MIB));
	return -ENOSPC;
}

static int build_check_tools(void)
{
	static const char *const tools[][2] = { { "mmdebstrap", "mmdebstrap" },
		{ "mke2fs", "e2fsprogs" }, { "e2fsck", "e2fsprogs" } };

	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		g_autofree char *found = g_find_program_in_path(tools[i][0]);
		g_autofree char *admin = g_build_filename("/usr/sbin", tools[i][0], NULL);

		if (found || g_file_test(admin, G_FILE_TEST_IS_EXECUTABLE))
			continue;
		log_error("%s is missing: apt-get install %s", tools[i][0], tools[i][1]);
		return -ENOENT;
	}
	return 0;
}

static int build_make_folders(struct build *b)
{
	int ret = 0;

	build_remove(b);
	/* The mapped ids may write to the inner folder; the outer one lets nobody but them near it. */
	if (g_mkdir(b->temporary, 0700) || g_mkdir(b->out, 0755) || g_mkdir(b->work, 0777) ||
		g_chmod(b->work, 0777))
		ret = -errno;
	for (size_t i = 0; !ret && i < ARRAY_LEN(results); i++) {
		g_autofree char *path = g_build_filename(b->work, results[i], NULL);

		b->result_fds[i] = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (b->result_fds[i] < 0 || fchmod(b->result_fds[i], 0666))
			ret = -errno;
	}
	if (ret)
		log_error("%s: %s", b->temporary, strerror(-ret));
	return ret;
}

/* --- the stages */

/* mmdebstrap shows its percents on a terminal only. */
static int build_open_terminal(int *master, int *slave)
{
	struct winsize size = { .ws_row = 25, .ws_col = 100 };
	char name[64];

	*slave = -1;
	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master >= 0 && !grantpt(*master) && !unlockpt(*master) &&
		!ptsname_r(*master, name, sizeof name))
		*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave >= 0 && !ioctl(*slave, TIOCSWINSZ, &size))
		return 0;
	log_error("pseudo terminal: %s", strerror(errno));
	return -EIO;
}

/* Reads until every process of the stage has closed the terminal; -EINTR where a signal asks to end. */
static int build_watch(struct build *b, int master, pid_t pid)
{
	struct pollfd fds[] = { { .fd = master, .events = POLLIN },
		{ .fd = b->signals, .events = POLLIN } };
	char bytes[4096];
	int ret = 0;

	for (;;) {
		ssize_t n;

		if (poll(fds, ARRAY_LEN(fds), 1000) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents && !ret) {
			struct signalfd_siginfo info;

			ret = read(b->signals, &info, sizeof info) > 0 ? -EINTR : 0;
			kill(pid, SIGKILL);
		}
		if (fds[0].revents) {
			n = read(master, bytes, sizeof bytes);
			if (n <= 0)
				return ret;
			build_progress_feed(&b->progress, bytes, (size_t)n);
		}
		build_tell(b);
	}
}

/* The last lines of the build, then one that says what to do about it. */
static int build_explain(const struct build *b)
{
	g_auto(GStrv) lines = g_strsplit(b->progress.log->str, "\n", -1);
	unsigned count = g_strv_length(lines);

	for (unsigned i = count > BUILD_LAST_LINES ? count - BUILD_LAST_LINES : 0; i < count; i++)
		if (*lines[i])
			log_info("  | %s", lines[i]);
	/* In the kernel's words, and in apt's. */
	if (strstr(b->progress.log->str, "No space left on device") ||
		strstr(b->progress.log->str, "enough free space")) {
		log_error("%s: the disk is full: free some space or give --dir", b->options->dir);
		return -ENOSPC;
	}
	if (strstr(b->progress.log->str, "Could not allocate")) {
		log_error("%s: size: %s is too small for what the image holds", b->def->name,
			b->def->size);
		return -EFBIG;
	}
	log_error("%s: the build failed while %s; its last lines stand above", b->def->name,
		build_phase_name(b->progress.phase));
	return -EIO;
}

static int build_stage(
	struct build *b, int (*main_fn)(void *), struct image_tree_job *job, bool network)
{
	struct userns ns = { .work = b->work, .no_network = !network };
	int master, ret, status = 0;
	pid_t pid;

	ret = build_open_terminal(&master, &ns.output);
	if (ret)
		return ret;
	pid = userns_start(&ns, main_fn, job);
	close(ns.output);
	if (pid < 0) {
		close(master);
		return pid;
	}
	ret = build_watch(b, master, pid);
	close(master);
	waitpid(pid, &status, 0);
	if (ret == -EINTR)
		log_error("%s: the build was interrupted", b->def->name);
	else if (!ret && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		ret = build_explain(b);
	return ret;
}

/* The newest kernel of the tree. */
static char *build_find_kernel(const struct build *b)
{
	g_autofree char *boot = g_build_filename(b->work, "root", "boot", NULL);
	g_autoptr(GDir) dir = g_dir_open(boot, 0, NULL);
	char *newest = NULL;
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		if (!g_str_has_prefix(name, "vmlinuz-") ||
			(newest && strverscmp(newest, name + strlen("vmlinuz-")) >= 0))
			continue;
		g_free(newest);
		newest = g_strdup(name + strlen("vmlinuz-"));
	}
	if (!newest)
		log_error("%s: the package %s brought no kernel", b->def->name, b->def->kernel);
	return newest;
}

static int build_run_stages(struct build *b, struct image_tree_job *job, char **kernel)
{
	int ret = build_stage(b, image_tree_bootstrap, job, true);

	if (ret)
		return ret;
	*kernel = build_find_kernel(b);
	if (!*kernel)
		return -ENOENT;
	job->kernel = *kernel;
	build_progress_enter(&b->progress, BUILD_CUSTOMIZE);
	build_tell(b);
	ret = build_stage(b, image_tree_customize, job, false);
	if (ret)
		return ret;
	build_progress_enter(&b->progress, BUILD_PACK);
	build_tell(b);
	return build_stage(b, image_tree_pack, job, false);
}

/* --- after the last stage */

/* Results are ours by the descriptors that made them: what lies there now must be the same files. */
static int build_take_results(struct build *b)
{
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		g_autofree char *from = g_build_filename(b->work, results[i], NULL);
		g_autofree char *to = g_build_filename(b->out, results[i], NULL);
		struct stat made, found;

		if (rename(from, to) || lstat(to, &found) || fstat(b->result_fds[i], &made) ||
			found.st_ino != made.st_ino || found.st_dev != made.st_dev ||
			!made.st_size) {
			log_error("%s: the build left no %s", b->def->name, results[i]);
			return -EIO;
		}
		/* Nobody writes to a golden image, be it by mistake. */
		if (fchmod(b->result_fds[i], 0444) || fsync(b->result_fds[i])) {
			log_error("%s: %s", to, strerror(errno));
			return -errno;
		}
	}
	return 0;
}

/* The day, and a number above those of that day: none comes twice while a later one is there. */
static char *build_new_version(const struct build *b)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *day = g_date_time_format(now, "%Y%m%d.");
	g_autoptr(GDir) dir = g_dir_open(b->home, 0, NULL);
	unsigned long highest = 0;
	const char *entry;

	while (dir && (entry = g_dir_read_name(dir)))
		if (g_str_has_prefix(entry, day))
			highest = MAX(highest, strtoul(entry + strlen(day), NULL, 10));
	return g_strdup_printf("%s%lu", day, highest + 1);
}

/* Shows the version to everybody, whole; then new desktops take it. */
static int build_publish(struct build *b, struct image_version *v)
{
	g_autofree char *log = g_build_filename(b->out, "build.log", NULL);
	g_autofree char *current = g_build_filename(b->home, "current", NULL);
	g_autofree char *next = g_build_filename(b->temporary, "current", NULL);
	int fd, ret;

	v->path = g_build_filename(b->home, v->version, NULL);
	ret = image_version_write(v, b->out);
	if (ret)
		return ret;
	if (!g_file_set_contents(log, b->progress.log->str, -1, NULL) || g_chmod(b->out, 0755) ||
		rename(b->out, v->path) || symlink(v->version, next) || rename(next, current)) {
		log_error("%s: %s", v->path, strerror(errno));
		return -errno;
	}
	fd = open(b->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	return 0;
}

static int build_all(
	struct build *b, struct image_tree_job *job, const char *key, struct image_version **out)
{
	struct image_version *v;
	char *kernel = NULL;
	int ret;

	ret = build_make_folders(b) ?: build_run_stages(b, job, &kernel) ?: build_take_results(b);
	if (ret) {
		g_free(kernel);
		return ret;
	}
	v = g_new0(struct image_version, 1);
	v->name = g_strdup(b->def->name);
	v->version = build_new_version(b);
	v->kernel = kernel;
	v->key = g_strdup(key);
	v->created = time(NULL);
	v->seconds = build_elapsed(b);
	ret = build_publish(b, v);
	if (!ret)
		*out = image_version_read(v->path);
	image_version_free(v);
	return ret ?: *out ? 0 : -EIO;
}

static void build_catch_signals(struct build *b)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, &b->old_mask);
	b->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void build_finish(struct build *b)
{
	struct signalfd_siginfo info;

	if (b->janitor_pipe >= 0)
		close(b->janitor_pipe);
	if (b->janitor > 0)
		waitpid(b->janitor, NULL, 0);
	/* Those that came in after the one that ended the build have had their effect. */
	while (read(b->signals, &info, sizeof info) > 0)
		;
	close(b->signals);
	sigprocmask(SIG_SETMASK, &b->old_mask, NULL);
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		if (b->result_fds[i] >= 0)
			close(b->result_fds[i]);
	if (b->lock >= 0)
		close(b->lock);
	build_progress_finish(&b->progress);
	g_free(b->home);
	g_free(b->temporary);
	g_free(b->work);
	g_free(b->out);
}

/* Under the locks and with the janitor in place. */
static int build_locked(const struct image_def *def, const struct image_build_options *options,
	struct image_tree_job *job, const char *key, const struct image_version *last,
	struct image_version **out)
{
	struct build b = { .def = def,
		.options = options,
		.lock = -1,
		.janitor_pipe = -1,
		.result_fds = { -1, -1, -1 },
		.started = g_get_monotonic_time(),
		.last_seconds = last ? last->seconds : 0 };
	int ret;

	b.home = g_build_filename(options->dir, def->name, NULL);
	b.temporary = g_build_filename(b.home, ".new", NULL);
	b.work = g_build_filename(b.temporary, "work", NULL);
	b.out = g_build_filename(b.temporary, "out", NULL);
	build_progress_init(&b.progress);
	build_catch_signals(&b);
	ret = build_check_tools() ?: build_lock(&b) ?: build_check_room(&b, last) ?: build_start_janitor(&b)
		?: build_all(&b, job, key, out);
	build_finish(&b);
	return ret;
}

int image_build(const struct image_def *def, const struct image_build_options *options,
	struct image_version **version, bool *built)
{
	g_autoptr(GPtrArray) guest = NULL, sources = NULL;
	g_autofree char *archives = NULL, *why = NULL, *key = NULL, *list = NULL;
	struct image_version *last;
	struct image_tree_job job;
	size_t same;
	int ret;

	*version = NULL;
	*built = false;
	guest = image_guest_files(options->guest, def);
	sources = guest ? archive_sources(def) : NULL;
	if (!sources)
		return -ENOENT;
	last = image_store_current(options->dir, def->name);
	archives = archive_state(sources, &why);
	key = image_key(def, guest, archives ?: "");
	/* Without the archives only the first half tells: better yesterday's image than none. */
	same = archives ? strlen(key) + 1 : strlen(key);
	if (last && !options->force && !strncmp(last->key, key, same)) {
		if (!archives)
			log_warning("%s: %s: the image may be out of date", def->name, why);
		*version = last;
		return 0;
	}
	if (!archives) {
		log_error("%s: %s", def->name, why);
		image_version_free(last);
		return -ENETUNREACH;
	}
	list = archive_sources_list(sources);
	job = (struct image_tree_job){ .def = def, .guest = guest, .sources = list };
	ret = build_locked(def, options, &job, key, last, version);
	image_version_free(last);
	*built = !ret;
	return ret;
}
