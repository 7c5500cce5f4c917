/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands behind a serial port: the terminal, a file, a unix socket, or nothing.
 *
 *   vCPU thread                         machine loop
 *   console_put() ─► ring of 64 KiB ──► descriptor(s)
 *   console_get() ◄─ ring of 256 B  ◄── descriptor(s)
 *
 * Neither side of a vCPU ever waits. Terminal and file lose nothing: while the ring is full,
 * console_put() says so and the port keeps its transmitter busy, which the guest's driver honours.
 * A unix socket never holds the guest: its ring is the history of the last 64 KiB, each reader
 * has its own place in it, whoever connects gets all of it first, and one that falls behind
 * further than that reads how many bytes it missed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/loop.h"
#include "vmm/power.h"

struct console;

enum console_kind { CONSOLE_NONE, CONSOLE_STDIO, CONSOLE_FILE, CONSOLE_UNIX };

/* The port's side. Machine loop, or inside console_put() and console_get(): never. */
struct console_client {
	void (*input)(void *opaque);  /* there is something to console_get() */
	void (*output)(void *opaque); /* console_put() failed, and has room again */
	void *opaque;
};

/*
 * path: of the file (made, or cut to nothing) or of the socket (mode 0600; a stale one is
 * replaced). power hears POWER_OFF when the user of a terminal types Ctrl-A x; it may be NULL.
 * A terminal on standard input is put into raw mode until console_destroy(), exit() or a deadly
 * signal. 0 or -errno with one line logged. From any thread while the loop does not run, and
 * else on it.
 */
int console_create(struct console **out, struct loop *l, enum console_kind kind, const char *path,
	const struct power_sink *power);

/* Writes out what a terminal or a file takes at once. Machine loop, or after it ended. */
void console_destroy(struct console *c); /* NULL is fine */

/* Before the loop runs; NULL detaches, and nothing is called after that. */
void console_attach(struct console *c, const struct console_client *client);

/* False where there is no room now (and client->output will come), or nothing to read. Any thread. */
bool console_put(struct console *c, uint8_t byte);
bool console_get(struct console *c, uint8_t *byte);
