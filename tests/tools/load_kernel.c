/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_kernel KERNEL [CACHE [INITRD [CMDLINE]]]: how long a kernel takes from its file into RAM.
 *
 * Opens and loads it three times into fresh memory of 1 GiB and prints milliseconds. With
 * LOAD_KERNEL_DUMP=FILE the RAM of the last time is written there (sparse), for a look at it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/boot/kernel.h"
#include "vmm/memory.h"

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int dump(const struct memory *m, const char *path)
{
	FILE *f = fopen(path, "w");
	int err = 0;

	if (!f)
		return 1;
	for (uint64_t at = 0; !err && at < m->size; at += 4096) {
		const uint8_t *page = memory_ptr(m, at, 4096);

		if (page[0] || memcmp(page, page + 1, 4095))
			err = fseek(f, at, SEEK_SET) || fwrite(page, 4096, 1, f) != 1;
	}
	return fclose(f) || err;
}

static int load_once(const struct kernel_wish *w, const char *dump_to)
{
	struct boot_entry e;
	struct kernel *k;
	struct memory m;
	double start = now_ms(), opened, loaded;
	int err = kernel_open(&k, w);

	opened = now_ms();
	if (err || memory_init(&m, GIB, NULL))
		return 1;
	loaded = now_ms();
	err = kernel_load(k, &m, &e);
	if (!err)
		printf("open %.2f ms, load %.2f ms, %s, entry %#llx, physical %#llx, shift %#llx\n",
			opened - start, now_ms() - loaded,
			kernel_is_unpacked(k) ? "unpacked" : "packed", (unsigned long long)e.rip,
			(unsigned long long)e.physical, (unsigned long long)e.virtual_shift);
	if (!err && dump_to)
		err = dump(&m, dump_to);
	memory_finish(&m);
	kernel_close(k);
	return err != 0;
}

int main(int argc, char **argv)
{
	struct kernel_wish w = {
		.path = argc > 1 ? argv[1] : NULL,
		.cache = argc > 2 && argv[2][0] ? argv[2] : NULL,
		.initrd = argc > 3 && argv[3][0] ? argv[3] : NULL,
		.cmdline = argc > 4 ? argv[4] : NULL,
	};

	log_init("load_kernel", LOG_INFO);
	if (!w.path) {
		fprintf(stderr, "usage: load_kernel KERNEL [CACHE [INITRD [CMDLINE]]]\n");
		return 2;
	}
	for (int i = 0; i < 3; i++)
		if (load_once(&w, i == 2 ? getenv("LOAD_KERNEL_DUMP") : NULL))
			return 1;
	return 0;
}
