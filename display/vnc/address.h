/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a server listens: "unix:PATH" or "ADDR:PORT", the address a number or "localhost". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct vnc_address {
	int fd;         /* listening, non-blocking */
	bool local;     /* a unix socket, or a loopback address */
	char *path;     /* of the unix socket, removed at the end; else NULL */
	int file;       /* O_PATH: which file that is, so that no other's is removed */
	char text[128]; /* as it is spelt, with the port that port 0 became */
};

/*
 * A unix socket's file is made for its owner alone. One that a dead server left behind is
 * replaced; a live server's is not. 0, or -errno with one line logged and nothing left behind.
 */
int vnc_address_listen(struct vnc_address *a, const char *spec);
void vnc_address_close(struct vnc_address *a);

/* "127.0.0.1:40000", "unix socket, process 1234": who is at the other end of a connection. */
void vnc_address_peer(int fd, char *text, size_t size);
