/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/process_stats.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

/*
 * A mapping's header line names its file; guest RAM is the only unlinked file that is mapped
 * shared and writable (memory_init()).
 */
static bool is_guest_ram(const char *line)
{
	char perms[5] = "";

	return sscanf(line, "%*s %4s", perms) == 1 && !strcmp(perms, "rw-s") &&
	       strstr(line, "(deleted)");
}

static int read_memory(struct process_stats *s)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	bool guest = false;

	if (!f)
		return -errno;
	while (fgets(line, sizeof line, f)) {
		unsigned long long kib;

		/* Headers begin with an address in lower case, fields with a capital. */
		if (!isupper((unsigned char)line[0]))
			guest = is_guest_ram(line);
		else if (!guest && sscanf(line, "Private_Dirty: %llu", &kib) == 1)
			s->private_dirty += kib * KIB;
		else if (guest && sscanf(line, "Rss: %llu", &kib) == 1)
			s->guest_resident += kib * KIB;
	}
	fclose(f);
	return 0;
}

static FILE *open_task(const char *tid, const char *file)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/task/%.20s/%s", tid, file);
	return fopen(path, "re");
}

static void read_thread(struct process_stats *s, const char *tid)
{
	unsigned n = s->nthreads;
	unsigned long long value;
	char line[256];
	FILE *f;

	if (n == PROCESS_THREADS_MAX)
		return;
	f = open_task(tid, "comm");
	if (!f || !fgets(s->threads[n].name, sizeof s->threads[n].name, f)) {
		if (f)
			fclose(f);
		return;
	}
	fclose(f);
	s->threads[n].name[strcspn(s->threads[n].name, "\n")] = 0;
	s->nthreads++;
	f = open_task(tid, "status");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &value) == 1)
			s->threads[n].wakeups = value;
	if (f)
		fclose(f);
	f = open_task(tid, "schedstat"); /* time on a CPU in ns, first of three */
	if (f && fscanf(f, "%llu", &value) == 1)
		s->threads[n].cpu_ms = value / 1000000;
	if (f)
		fclose(f);
}

int process_stats_read(struct process_stats *s)
{
	DIR *tasks;
	int err;

	memset(s, 0, sizeof *s);
	err = read_memory(s);
	if (err)
		return err;
	tasks = opendir("/proc/self/task");
	if (!tasks)
		return -errno;
	for (struct dirent *e; (e = readdir(tasks));)
		if (e->d_name[0] != '.')
			read_thread(s, e->d_name);
	closedir(tasks);
	return 0;
}
