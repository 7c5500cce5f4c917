/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process's terminal in raw mode, and back again however the process ends.
 *
 * A process has one controlling terminal, and signal handlers and atexit() belong to the process
 * too, so this is one of the few places with state of its own. Machine loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Puts standard input's terminal into raw mode (no echo, no lines, no signals by keys; output is
 * still post-processed). False where it is no terminal, or this process is not in its foreground.
 * The first success arranges for terminal_restore() at exit() and on every deadly signal that
 * nobody handled by then.
 */
bool terminal_raw(void);

/* As it was before. Nothing where it is not raw. Async-signal-safe. */
void terminal_restore(void);

/*
 * read() and write() that can be used from the background (-EIO instead of a stop) and on a pipe
 * that nobody reads (-EPIPE, no signal). The number of bytes, or -errno.
 */
ssize_t terminal_read(int fd, void *buf, size_t len);
ssize_t terminal_write(int fd, const void *buf, size_t len);
