/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a test guest needs beside busybox, as one static program: `tool drm`, `tool evdev`, `tool zero`.
 * Answers go to standard output; a failure is one line there too, since a serial console is all
 * that the outside sees.
 */
#pragma once

int tool_drm(int argc, char **argv);
int tool_evdev(int argc, char **argv);
int tool_zero(int argc, char **argv);

/* Prints "FAIL what: error" (errno's where there is one); returns 1, an exit status. */
int tool_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
