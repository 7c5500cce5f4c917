/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/legacy/terminal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "util/bytes.h"

static struct {
	volatile sig_atomic_t raw;
	bool arranged;
	struct termios before;
} terminal;

/* Blocked, these neither stop the process nor arrive later: the call goes on or says EIO. */
static void terminal_block(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigaddset(&set, SIGTTIN);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, before);
}

static void terminal_unblock(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

void terminal_restore(void)
{
	sigset_t mask;

	if (!terminal.raw)
		return;
	terminal.raw = 0;
	terminal_block(&mask);
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
	terminal_unblock(&mask);
}

static void terminal_die(int sig)
{
	terminal_restore();
	raise(sig); /* the handler is reset by now */
}

static void terminal_arrange(void)
{
	static const int deadly[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGILL, SIGABRT, SIGBUS,
		SIGFPE, SIGSEGV, SIGSYS, SIGXCPU };
	struct sigaction ours = { .sa_handler = terminal_die,
		.sa_flags = SA_RESETHAND | SA_NODEFER };

	if (terminal.arranged)
		return;
	terminal.arranged = true;
	atexit(terminal_restore);
	for (size_t i = 0; i < ARRAY_LEN(deadly); i++) {
		struct sigaction now;

		if (sigaction(deadly[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			sigaction(deadly[i], &ours, NULL);
	}
}

bool terminal_raw(void)
{
	struct termios t;
	sigset_t mask;
	int err;

	if (terminal.raw)
		return true;
	if (tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &t) < 0)
		return false;
	terminal.before = t;
	t.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | IGNCR | INLCR | INPCK | ISTRIP | IXON);
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	terminal_arrange();
	terminal_block(&mask);
	err = tcsetattr(STDIN_FILENO, TCSANOW, &t);
	terminal_unblock(&mask);
	terminal.raw = err == 0;
	return terminal.raw;
}

ssize_t terminal_read(int fd, void *buf, size_t len)
{
	sigset_t mask;
	ssize_t n;

	terminal_block(&mask);
	n = read(fd, buf, len);
	if (n < 0)
		n = -errno;
	terminal_unblock(&mask);
	return n;
}

ssize_t terminal_write(int fd, const void *buf, size_t len)
{
	static const struct timespec now = { 0 };
	sigset_t mask, pipe;
	ssize_t n;

	terminal_block(&mask);
	n = write(fd, buf, len);
	if (n < 0)
		n = -errno;
	if (n == -EPIPE && !sigismember(&mask, SIGPIPE)) {
		sigemptyset(&pipe);
		sigaddset(&pipe, SIGPIPE);
		sigtimedwait(&pipe, NULL, &now);
	}
	terminal_unblock(&mask);
	return n;
}
