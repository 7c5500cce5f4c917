/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this process costs its host, from /proc/self: memory without the guest's, threads' CPU. */
#pragma once

#include <stdint.h>

enum { PROCESS_THREADS_MAX = 96 };

struct process_stats {
	uint64_t private_dirty;  /* bytes, without guest RAM */
	uint64_t guest_resident; /* bytes of guest RAM that exist */
	unsigned nthreads;
	struct {
		char name[16];
		uint64_t wakeups; /* context switches that the thread chose: it slept and woke */
		uint64_t cpu_ms;
	} threads[PROCESS_THREADS_MAX];
};

/* 0 or -errno. Reads some dozen files: not for hot paths. */
int process_stats_read(struct process_stats *s);
