/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work on an image's files in namespaces of its own, the same for root and for an ordinary user.
 *
 * Inside, process 1 is root over 65536 ids that are nobody's outside, so that files get their
 * owners and package scripts run, and still no process of the build is root on this machine. Of
 * the work folder it has a bind mount at USERNS_WORK, whatever folders lie above it.
 *
 *   outside        ids BASE .. BASE+65535     DIR/work     /tmp        other folders
 *   inside         ids 0 .. 65535             /tmp/work    its own     the same, as "others"
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define USERNS_WORK "/tmp/work"

struct userns {
	/* The folder that process 1 and its children may write to; they see it as USERNS_WORK. */
	const char *work;
	/* No network but a loopback of its own. */
	bool no_network;
	/* Standard output and error; /dev/null is standard input. */
	int output;
};

/*
 * Starts `main` as process 1 of new namespaces with a clean environment; its return value is the
 * exit status. Returns the id of a process of ours to wait for, which ends as process 1 does, or
 * -errno with one line on the log. Killing it, and the caller's death, end all that runs inside.
 */
pid_t userns_start(const struct userns *ns, int (*main)(void *opaque), void *opaque);

/*
 * The first of 65536 ids that files of images belong to outside: the caller's in /etc/subuid and
 * /etc/subgid, or a range that no distribution hands out where the caller is root.
 */
int userns_ids(unsigned *first_uid, unsigned *first_gid);

/* In process 1: makes `root` the whole file system, with /proc, /dev, /tmp and /run of its own. */
int userns_enter_root(const char *root);
