/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the console's rings (console.c) and those at its other end (console_peer.c). */
#pragma once

#include <pthread.h>
#include <stddef.h>

#include "util/unix_socket.h"
#include "vmm/legacy/console.h"

enum {
	CONSOLE_RING = 64 * 1024, /* bytes from the guest that are kept */
	CONSOLE_INPUT = 256,      /* bytes for the guest that it has not taken */
	CONSOLE_PEERS = 8,
};

/*
 * One that reads what the guest writes, and may write to it. A watch exists only while it is
 * wanted, since epoll reports a hang-up on any descriptor that it holds. Machine loop, but for `at`.
 */
struct console_peer {
	struct console *console; /* NULL: the place is free */
	int in, out;             /* -1: none; two descriptors of one socket for clients */
	bool own_in, own_out;    /* to be closed */
	bool client;             /* of the unix socket; else terminal, pipe or file */
	bool out_socket, terminal;
	bool in_file; /* cannot be polled: always readable */
	struct loop_watch *in_watch, *out_watch;
	bool blocked;  /* waits until out takes more */
	uint64_t at;   /* its place in all that was ever put; console's lock */
	char note[64]; /* about lost bytes, to be written before anything else */
	size_t note_at, note_len;
	bool escaped; /* Ctrl-A was typed */
};

struct console {
	enum console_kind kind;
	struct loop *loop;
	struct console_client client;
	struct power_sink power;
	struct loop_work work;

	struct console_peer peers[CONSOLE_PEERS];
	struct unix_listener listener;
	struct loop_watch *accepting;
	struct loop_timer *accept_again;

	pthread_mutex_t lock; /* guards what follows */
	uint64_t head;        /* bytes ever put */
	uint8_t ring[CONSOLE_RING];
	uint8_t input[CONSOLE_INPUT];
	unsigned input_at, input_len;
	unsigned npeers;
	bool posted;
	bool starved; /* a console_put() failed */
	bool paused;  /* input was full, so nothing more is read */
};

/* Opens the far end: terminal and file have their one peer at once. 0 or -errno, logged. */
int console_peers_open(struct console *c, const char *path);
void console_peers_close(struct console *c);

/* Writes what the peers take now; reads again from those that were paused. */
void console_peers_flush(struct console *c);
void console_peers_resume(struct console *c);

/* Up to len bytes from *at, which moves; *lost: how many had been overwritten before them. */
size_t console_copy(struct console *c, uint64_t *at, void *buf, size_t len, uint64_t *lost);

/* Room for input, and input itself, which must fit. */
size_t console_input_room(struct console *c);
void console_input(struct console *c, const uint8_t *bytes, size_t len);
