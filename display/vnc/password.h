/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A password of VNC's own kind of authentication, from a file. */
#pragma once

#define VNC_PASSWORD_MAX 8 /* bytes that count; the protocol has no more */

/*
 * The file's first line, without its end. Warns where it is longer than what counts, or the file
 * is readable by others. 0, or -errno with one line logged.
 */
int vnc_password_read(const char *path, char password[VNC_PASSWORD_MAX + 1]);
