/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the machine does to a device that is not virtio: reset it, save it, load it.
 *
 * Machine loop, with all vCPUs stopped, so that no register access is under way; the device's own
 * lock is still taken, since other threads (a seat, a console) may be at work.
 */
#pragma once

struct state_writer;
struct state_reader;

struct device_ops {
	void (*reset)(void *opaque);                        /* as at power-on */
	void (*save)(void *opaque, struct state_writer *w); /* one section */
	int (*load)(void *opaque, struct state_reader *r);  /* 0 or -EINVAL, one line logged */
};

struct device {
	const char *name;
	const struct device_ops *ops;
	void *opaque;
};
