/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate: a client's socket, cut into whole messages one way, a bounded queue the other.
 *
 * Nothing here waits. What a client may take of us: RFB_MESSAGE_MAX and a little of memory for an
 * unfinished message, GATE_HIGH and one message's answer of queue (above it the client is not read
 * from), GATE_MESSAGES messages and one turn of encoding a pass of the loop, then the others follow.
 *
 * Service loop, but for gate_poke().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GATE_LOW      (64u * 1024) /* below this, the owner is asked for more */
#define GATE_HIGH     (256u * 1024)
#define GATE_MESSAGES 64

struct gate;

struct gate_ops {
	/* As rfb_message_length(). */
	ssize_t (*need)(void *opaque, const uint8_t *bytes, size_t n, bool *skip);
	/* One whole message; a negative errno closes. */
	int (*message)(void *opaque, const uint8_t *message, size_t len);
	/*
	 * There is room in the queue, or somebody poked: queue at most one piece. True while there
	 * is more to come.
	 */
	bool (*room)(void *opaque);
	/*
	 * The connection is over: why is a text for the log, err what message() returned or 0. The
	 * last call; it may, and somebody must, destroy the gate.
	 */
	void (*closed)(void *opaque, const char *why, int err);
};

/* Owns fd from now on. handshake_ms: closed when gate_open() has not been called by then. */
struct gate *gate_create(int fd, unsigned handshake_ms, const struct gate_ops *ops, void *opaque);
void gate_destroy(struct gate *g); /* NULL is fine; what can be sent at once is sent */

/* The handshake is done: the time limit goes. */
void gate_open(struct gate *g);

void gate_send(struct gate *g, const void *data, size_t len);
size_t gate_queued(const struct gate *g);
uint64_t gate_sent(const struct gate *g); /* bytes, in all */

/* Has room() called soon, from the loop. Any thread. */
void gate_poke(struct gate *g);
