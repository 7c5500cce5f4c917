/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tool evdev: what the guest's programs get from its keyboard and pointers. */
#include "tests/lab/guest/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/input.h>

enum { DEVICES_MAX = 16, NAME_MAX_LEN = 64 };

struct evdev {
	int fd;
	char name[NAME_MAX_LEN];
};

struct evdevs {
	struct evdev dev[DEVICES_MAX];
	struct pollfd polled[DEVICES_MAX];
	unsigned n;
};

static void evdev_open_all(struct evdevs *all)
{
	char path[32];

	for (unsigned i = 0; i < DEVICES_MAX; i++) {
		struct evdev *d = &all->dev[all->n];

		snprintf(path, sizeof path, "/dev/input/event%u", i);
		d->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (d->fd < 0 || ioctl(d->fd, EVIOCGNAME(sizeof d->name), d->name) < 0)
			continue;
		all->polled[all->n++] = (struct pollfd){ .fd = d->fd, .events = POLLIN };
	}
}

static unsigned evdev_count_bits(int fd, unsigned type)
{
	uint8_t bits[KEY_CNT / 8 + 1] = { 0 };
	int len = ioctl(fd, EVIOCGBIT(type, sizeof bits), bits);
	unsigned n = 0;

	for (int i = 0; i < len; i++)
		n += (unsigned)__builtin_popcount(bits[i]);
	return n;
}

/* NAME: keys N rel N abs N leds N [x MIN..MAX y MIN..MAX] */
static int evdev_list(struct evdevs *all)
{
	for (unsigned i = 0; i < all->n; i++) {
		struct input_absinfo x, y;
		int fd = all->dev[i].fd;

		printf("%s: keys %u rel %u abs %u leds %u", all->dev[i].name,
			evdev_count_bits(fd, EV_KEY), evdev_count_bits(fd, EV_REL),
			evdev_count_bits(fd, EV_ABS), evdev_count_bits(fd, EV_LED));
		if (evdev_count_bits(fd, EV_ABS) && ioctl(fd, EVIOCGABS(ABS_X), &x) == 0 &&
			ioctl(fd, EVIOCGABS(ABS_Y), &y) == 0)
			printf(" x %d..%d y %d..%d", x.minimum, x.maximum, y.minimum, y.maximum);
		printf("\n");
	}
	return all->n ? 0 : tool_fail("no input device");
}

/* One line an event: NAME key|rel|abs|led CODE VALUE. True at the release of the last key. */
static bool evdev_print(const struct evdev *d, unsigned last)
{
	static const char *const types[EV_CNT] = {
		[EV_KEY] = "key", [EV_REL] = "rel", [EV_ABS] = "abs", [EV_LED] = "led"
	};
	struct input_event e;
	bool over = false;

	while (read(d->fd, &e, sizeof e) == sizeof e) {
		if (e.type == EV_SYN && e.code == SYN_DROPPED)
			printf("%s dropped\n", d->name);
		if (e.type < EV_CNT && types[e.type])
			printf("%s %s %u %d\n", d->name, types[e.type], e.code, e.value);
		over = over || (e.type == EV_KEY && e.code == last && !e.value);
	}
	return over;
}

/* watch KEY SECONDS: every event until KEY is released. */
static int evdev_watch(struct evdevs *all, unsigned last, int seconds)
{
	printf("watching\n");
	while (poll(all->polled, all->n, seconds * 1000) > 0)
		for (unsigned i = 0; i < all->n; i++)
			if (all->polled[i].revents && evdev_print(&all->dev[i], last))
				return 0;
	errno = 0;
	return tool_fail("key %u was not released within %d s", last, seconds);
}

/* led NAME CODE 0|1 */
static int evdev_led(struct evdevs *all, const char *name, unsigned code, int on)
{
	const struct input_event events[] = {
		{ .type = EV_LED, .code = (uint16_t)code, .value = on },
		{ .type = EV_SYN, .code = SYN_REPORT },
	};

	for (unsigned i = 0; i < all->n; i++)
		if (!strcmp(all->dev[i].name, name))
			return write(all->dev[i].fd, events, sizeof events) == sizeof events
				       ? 0
				       : tool_fail("%s", name);
	return tool_fail("%s: no such device", name);
}

int tool_evdev(int argc, char **argv)
{
	struct evdevs all = { 0 };

	evdev_open_all(&all);
	errno = 0;
	if (argc == 2 && !strcmp(argv[1], "list"))
		return evdev_list(&all);
	if (argc == 4 && !strcmp(argv[1], "watch"))
		return evdev_watch(&all, (unsigned)atoi(argv[2]), atoi(argv[3]));
	if (argc == 5 && !strcmp(argv[1], "led"))
		return evdev_led(&all, argv[2], (unsigned)atoi(argv[3]), atoi(argv[4]));
	return tool_fail("usage: tool evdev list | watch KEY SECONDS | led NAME CODE 0|1");
}
