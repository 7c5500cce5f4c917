/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/legacy/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/legacy/console_private.h"

/* ---- the port's side ---- */

/* Terminal and file keep every byte until it is written. The lock is held. */
static bool console_full(const struct console *c)
{
	return c->kind != CONSOLE_UNIX && c->npeers && c->head - c->peers[0].at == CONSOLE_RING;
}

bool console_put(struct console *c, uint8_t byte)
{
	bool post = false, taken = true;

	if (c->kind == CONSOLE_NONE)
		return true;
	pthread_mutex_lock(&c->lock);
	if (console_full(c)) {
		c->starved = true;
		taken = false;
	} else {
		c->ring[c->head++ % CONSOLE_RING] = byte;
		post = c->npeers && !c->posted;
		c->posted |= post;
	}
	pthread_mutex_unlock(&c->lock);
	if (post)
		loop_post(c->loop, &c->work);
	return taken;
}

bool console_get(struct console *c, uint8_t *byte)
{
	bool post = false, got;

	pthread_mutex_lock(&c->lock);
	got = c->input_len > 0;
	if (got) {
		*byte = c->input[c->input_at];
		c->input_at = (c->input_at + 1) % CONSOLE_INPUT;
		c->input_len--;
		post = c->paused && !c->posted && c->input_len <= CONSOLE_INPUT / 2;
		c->posted |= post;
	}
	pthread_mutex_unlock(&c->lock);
	if (post)
		loop_post(c->loop, &c->work);
	return got;
}

void console_attach(struct console *c, const struct console_client *client)
{
	c->client = client ? *client : (struct console_client){ 0 };
}

/* ---- the peers' side ---- */

size_t console_copy(struct console *c, uint64_t *at, void *buf, size_t len, uint64_t *lost)
{
	size_t n, first;

	pthread_mutex_lock(&c->lock);
	*lost = c->head - *at > CONSOLE_RING ? c->head - *at - CONSOLE_RING : 0;
	*at += *lost;
	n = (size_t)MIN(c->head - *at, len);
	first = MIN(n, CONSOLE_RING - *at % CONSOLE_RING);
	memcpy(buf, c->ring + *at % CONSOLE_RING, first);
	memcpy((uint8_t *)buf + first, c->ring, n - first);
	pthread_mutex_unlock(&c->lock);
	return n;
}

size_t console_input_room(struct console *c)
{
	size_t room;

	pthread_mutex_lock(&c->lock);
	room = CONSOLE_INPUT - c->input_len;
	c->paused = !room;
	pthread_mutex_unlock(&c->lock);
	return room;
}

void console_input(struct console *c, const uint8_t *bytes, size_t len)
{
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < len && c->input_len < CONSOLE_INPUT; i++)
		c->input[(c->input_at + c->input_len++) % CONSOLE_INPUT] = bytes[i];
	pthread_mutex_unlock(&c->lock);
	if (len && c->client.input)
		c->client.input(c->client.opaque);
}

static void console_work(void *opaque)
{
	struct console *c = opaque;
	bool room, resume;

	pthread_mutex_lock(&c->lock);
	c->posted = false;
	pthread_mutex_unlock(&c->lock);

	console_peers_flush(c);

	pthread_mutex_lock(&c->lock);
	room = c->starved && !console_full(c);
	c->starved &= !room;
	resume = c->paused && c->input_len < CONSOLE_INPUT;
	c->paused &= !resume;
	pthread_mutex_unlock(&c->lock);
	if (room && c->client.output)
		c->client.output(c->client.opaque);
	if (resume)
		console_peers_resume(c);
}

int console_create(struct console **out, struct loop *l, enum console_kind kind, const char *path,
	const struct power_sink *power)
{
	struct console *c = calloc(1, sizeof *c);
	int err;

	*out = NULL;
	if (!c) {
		log_error("serial console: no memory");
		return -ENOMEM;
	}
	c->kind = kind;
	c->loop = l;
	c->work = (struct loop_work){ .fn = console_work, .opaque = c };
	c->listener.fd = -1;
	if (power)
		c->power = *power;
	pthread_mutex_init(&c->lock, NULL);
	err = console_peers_open(c, path);
	if (err)
		console_destroy(c);
	else
		*out = c;
	return err;
}

void console_destroy(struct console *c)
{
	if (!c)
		return;
	console_peers_close(c);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
