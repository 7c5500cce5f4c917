/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/legacy/console_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/legacy/terminal.h"

enum {
	CTRL_A = 1,
	PIECES = 16,         /* writes a turn, each of: */
	PIECE = 4096,        /* bytes a write: what a pipe that is writable takes at once */
	LAST_WORDS_MS = 500, /* how long the end waits for a terminal or a pipe */
	ACCEPT_PAUSE_NS = 1000000000,
};

/* ---- writing ---- */

static void peer_close(struct console_peer *p)
{
	struct console *c = p->console;

	if (!c)
		return;
	loop_watch_del(p->in_watch);
	loop_watch_del(p->out_watch);
	if (p->terminal)
		terminal_restore();
	if (p->own_in)
		close(p->in);
	if (p->own_out)
		close(p->out);
	pthread_mutex_lock(&c->lock);
	*p = (struct console_peer){ .in = -1, .out = -1 };
	c->npeers--;
	pthread_mutex_unlock(&c->lock);
}

static ssize_t peer_write(struct console_peer *p, const void *buf, size_t len)
{
	ssize_t n;

	if (!p->out_socket)
		return terminal_write(p->out, buf, len);
	n = send(p->out, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static void peer_in_events(void *opaque, uint32_t events);
static void peer_out_events(void *opaque, uint32_t events);

static void peer_watch(struct console_peer *p)
{
	struct loop *l = p->console->loop;
	bool reading = p->in >= 0 && !p->in_file && !p->console->paused;

	if (reading && !p->in_watch) {
		p->in_watch = loop_watch_add(l, p->in, EPOLLIN, peer_in_events, p);
		p->in_file = !p->in_watch; /* EPERM */
	} else if (!reading && p->in_watch) {
		loop_watch_del(p->in_watch);
		p->in_watch = NULL;
	}
	if (p->blocked && !p->out_watch) {
		p->out_watch = loop_watch_add(l, p->out, EPOLLOUT, peer_out_events, p);
	} else if (!p->blocked && p->out_watch) {
		loop_watch_del(p->out_watch);
		p->out_watch = NULL;
	}
}

/* A terminal that came to the foreground, where it can be made raw and read. */
static void peer_claim_terminal(struct console_peer *p)
{
	if (p->terminal && p->in < 0 && terminal_raw()) {
		p->in = STDIN_FILENO;
		peer_watch(p);
	}
}

/* One write. True where all of it went, and more may. */
static bool peer_flush_some(struct console_peer *p)
{
	uint8_t buf[PIECE];
	struct console *c = p->console;
	uint64_t at = p->at, lost = 0;
	size_t len;
	ssize_t n;

	if (p->note_at == p->note_len) {
		len = console_copy(c, &at, buf, sizeof buf, &lost);
		if (lost) {
			p->note_at = 0;
			p->note_len = (size_t)snprintf(p->note, sizeof p->note,
				"\r\n[hotdesk: %llu bytes lost]\r\n", (unsigned long long)lost);
			len = 0;
		}
		pthread_mutex_lock(&c->lock);
		p->at = at;
		pthread_mutex_unlock(&c->lock);
	} else {
		len = 0;
	}
	if (p->note_at < p->note_len) {
		n = peer_write(p, p->note + p->note_at, p->note_len - p->note_at);
		p->note_at += n > 0 ? (size_t)n : 0;
		len = 1; /* there may be more */
	} else {
		if (!len)
			return false;
		n = peer_write(p, buf, len);
		pthread_mutex_lock(&c->lock);
		p->at += n > 0 ? (uint64_t)n : 0;
		pthread_mutex_unlock(&c->lock);
	}
	if (n == -EAGAIN) {
		p->blocked = true;
		peer_watch(p);
		return false;
	}
	if (n < 0 && n != -EINTR) {
		if (!p->client)
			log_error("serial console: %s; what the guest writes is lost from here",
				strerror((int)-n));
		peer_close(p);
		return false;
	}
	return true;
}

/* A guest that never stops writing must not have the loop for itself. */
static void peer_flush(struct console_peer *p)
{
	struct console *c = p->console;

	peer_claim_terminal(p);
	for (unsigned i = 0; p->console && !p->blocked && peer_flush_some(p); i++) {
		if (i < PIECES)
			continue;
		loop_post(c->loop, &c->work);
		return;
	}
}

void console_peers_flush(struct console *c)
{
	for (unsigned i = 0; i < CONSOLE_PEERS; i++)
		if (c->peers[i].console)
			peer_flush(&c->peers[i]);
}

/* ---- reading ---- */

/* What a terminal's user types: Ctrl-A is ours, twice it is the guest's. The bytes left over. */
static size_t peer_unescape(struct console_peer *p, uint8_t *bytes, size_t len)
{
	static const char help[] =
		"\r\nCtrl-A x  ends the machine   Ctrl-A Ctrl-A  sends Ctrl-A\r\n";
	struct console *c = p->console;
	size_t kept = 0;

	for (size_t i = 0; i < len; i++) {
		bool escaped = p->escaped;

		p->escaped = !escaped && bytes[i] == CTRL_A;
		if (!p->escaped && (!escaped || bytes[i] == CTRL_A))
			bytes[kept++] = bytes[i];
		else if (escaped && bytes[i] == 'x' && c->power.request)
			c->power.request(c->power.opaque, POWER_OFF, "Ctrl-A x at the console");
		else if (escaped && bytes[i] == 'h')
			peer_write(p, help, sizeof help - 1);
	}
	return kept;
}

/* Nothing more will come from it, but it may go on reading. */
static void peer_stop_reading(struct console_peer *p)
{
	p->in = -1;
	peer_watch(p);
}

static void peer_read(struct console_peer *p)
{
	struct console *c = p->console;
	uint8_t buf[CONSOLE_INPUT];
	size_t room = console_input_room(c);
	ssize_t n;

	if (!room) {
		peer_watch(p);
		return;
	}
	n = terminal_read(p->in, buf, room);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n > 0) {
		console_input(c, buf, p->terminal ? peer_unescape(p, buf, (size_t)n) : (size_t)n);
	} else if (p->client) {
		peer_close(p);
	} else {
		/* Sent to the background (EIO): the terminal is claimed again with later output. */
		if (p->terminal)
			terminal_restore();
		peer_stop_reading(p);
	}
}

/* A file or a device without polling: read until the guest has had enough, or its end. */
static void peer_read_file(struct console_peer *p)
{
	while (p->console && p->in >= 0 && p->in_file && !p->console->paused)
		peer_read(p);
}

void console_peers_resume(struct console *c)
{
	for (unsigned i = 0; i < CONSOLE_PEERS; i++) {
		if (!c->peers[i].console)
			continue;
		peer_watch(&c->peers[i]);
		peer_read_file(&c->peers[i]);
	}
}

static void peer_in_events(void *opaque, uint32_t events)
{
	peer_read(opaque);
}

static void peer_out_events(void *opaque, uint32_t events)
{
	struct console_peer *p = opaque;

	p->blocked = false; /* where it is an error, the next write says which */
	peer_watch(p);
	/* The console's work tells the port too that there is room again. */
	loop_post(p->console->loop, &p->console->work);
}

/* ---- opening ---- */

static struct console_peer *peer_create(struct console *c, int in, int out)
{
	struct console_peer *p = NULL;

	for (unsigned i = 0; i < CONSOLE_PEERS && !p; i++)
		if (!c->peers[i].console)
			p = &c->peers[i];
	if (!p)
		return NULL;
	pthread_mutex_lock(&c->lock);
	*p = (struct console_peer){ .console = c, .in = in, .out = out };
	p->at = c->head > CONSOLE_RING ? c->head - CONSOLE_RING : 0;
	c->npeers++;
	pthread_mutex_unlock(&c->lock);
	return p;
}

static void console_accept(void *opaque, uint32_t events)
{
	struct console *c = opaque;
	int fd = unix_listener_accept(&c->listener), out;
	struct console_peer *p;

	if (fd == -EAGAIN || fd == -ECONNABORTED || fd == -EINTR)
		return;
	if (fd < 0) {
		/* The client stays in the backlog: asking again at once would be a busy loop. */
		log_warning("serial console: %s", strerror(-fd));
		loop_watch_set(c->accepting, 0);
		loop_timer_set(c->accept_again, loop_now(c->loop) + ACCEPT_PAUSE_NS);
		return;
	}
	out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	p = out < 0 ? NULL : peer_create(c, fd, out);
	if (!p) {
		close(fd);
		if (out >= 0)
			close(out);
		return;
	}
	p->client = p->out_socket = p->own_in = p->own_out = true;
	peer_watch(p);
	peer_flush(p);
}

static void console_accept_again(void *opaque)
{
	struct console *c = opaque;

	loop_watch_set(c->accepting, EPOLLIN);
}

static int console_open_unix(struct console *c, const char *path)
{
	int err = unix_listener_init(&c->listener, path, "--serial");

	if (err)
		return err;
	c->accept_again = loop_timer_create(c->loop, console_accept_again, c);
	c->accepting = loop_watch_add(c->loop, c->listener.fd, EPOLLIN, console_accept, c);
	if (c->accepting && c->accept_again)
		return 0;
	log_error("--serial: %s: %s", path, strerror(ENOMEM));
	return -ENOMEM;
}

static int console_open_file(struct console *c, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600), err;

	if (fd < 0) {
		err = -errno;
		log_error("--serial: %s: %s", path, strerror(-err));
		return err;
	}
	peer_create(c, -1, fd)->own_out = true;
	return 0;
}

/*
 * Standard output shares its flags with whoever started us, so it is not made non-blocking: a
 * terminal or a pipe is opened a second time instead. A socket is asked call by call, and a file
 * does not block.
 */
static void peer_open_stdout(struct console_peer *p)
{
	struct stat st;
	int fd = -1;

	p->out = STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &st) < 0)
		return;
	p->out_socket = S_ISSOCK(st.st_mode);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	p->out = fd;
	p->own_out = true;
}

static int console_open_stdio(struct console *c)
{
	struct console_peer *p = peer_create(c, -1, -1);

	peer_open_stdout(p);
	p->terminal = isatty(STDIN_FILENO);
	if (!p->terminal || terminal_raw())
		p->in = STDIN_FILENO;
	/* Read for the first time when the loop runs, and a port is there to take it. */
	c->paused = true;
	loop_post(c->loop, &c->work);
	return 0;
}

int console_peers_open(struct console *c, const char *path)
{
	for (unsigned i = 0; i < CONSOLE_PEERS; i++)
		c->peers[i].in = c->peers[i].out = -1;
	switch (c->kind) {
	case CONSOLE_STDIO:
		return console_open_stdio(c);
	case CONSOLE_FILE:
		return console_open_file(c, path);
	case CONSOLE_UNIX:
		return console_open_unix(c, path);
	case CONSOLE_NONE:
		break;
	}
	return 0;
}

/* A guest's last words (a panic, "Power down") are worth a moment. */
static void peer_finish(struct console_peer *p)
{
	struct pollfd out = { .fd = p->out, .events = POLLOUT };

	peer_flush(p);
	while (p->console && p->blocked && !p->client && poll(&out, 1, LAST_WORDS_MS) > 0) {
		p->blocked = false;
		peer_flush(p);
	}
	peer_close(p);
}

void console_peers_close(struct console *c)
{
	for (unsigned i = 0; i < CONSOLE_PEERS; i++)
		if (c->peers[i].console)
			peer_finish(&c->peers[i]);
	loop_watch_del(c->accepting);
	loop_timer_destroy(c->accept_again);
	unix_listener_finish(&c->listener);
}
