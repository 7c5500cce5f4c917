/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's kernel, from its file into RAM.
 *
 *   bzImage, cache given   unpacked once on the host and kept; moved by a random distance in
 *                          virtual and physical memory, as its own decompressor would do
 *                          (KASLR; `nokaslr` on the command line switches it off)
 *   bzImage otherwise      unpacks itself; Linux' 64-bit boot protocol
 *   ELF with a PVH note    entered in 32-bit mode with a start info
 *   ELF without one        entered in long mode with a zero page, as vmlinux is
 *
 * All files are opened before the guest starts, so that a locked-in monitor can load again after
 * a reset.
 */
#pragma once

#include <stdbool.h>

#include "vmm/boot/entry.h"

struct kernel;
struct memory;

struct kernel_wish {
	const char *path;
	const char *initrd;  /* or NULL */
	const char *cmdline; /* or NULL */
	const char *cache;   /* folder for unpacked kernels, made where it is missing; or NULL */
};

/* 0, or -errno with one line logged. */
int kernel_open(struct kernel **out, const struct kernel_wish *w);
void kernel_close(struct kernel *k); /* NULL is fine */

/*
 * Puts kernel, initrd, command line and what the kernel is handed into RAM and says how to enter;
 * the ACPI tables are written by acpi_write(). vCPUs are stopped. Each call moves the kernel to
 * another place. 0, or -errno with one line logged.
 */
int kernel_load(const struct kernel *k, const struct memory *m, struct boot_entry *out);

/* True where the kernel need not unpack itself; for messages. */
bool kernel_is_unpacked(const struct kernel *k);

/* $XDG_CACHE_HOME/hotdesk/kernels, or for root /var/cache/hotdesk/kernels; to be g_free()d. */
char *kernel_cache_default(void);
