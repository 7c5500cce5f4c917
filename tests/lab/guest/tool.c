/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lab/guest/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/fs.h>

int tool_fail(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	printf("FAIL ");
	vprintf(fmt, ap);
	printf(err ? ": %s\n" : "\n", strerror(err));
	va_end(ap);
	return 1;
}

/* zero DEVICE OFFSET LENGTH: the disk writes the zeros itself. */
int tool_zero(int argc, char **argv)
{
	uint64_t range[2];
	int fd;

	if (argc != 4)
		return tool_fail("usage: tool zero DEVICE OFFSET LENGTH");
	range[0] = strtoull(argv[2], NULL, 0);
	range[1] = strtoull(argv[3], NULL, 0);
	fd = open(argv[1], O_WRONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, BLKZEROOUT, range) < 0)
		return tool_fail("%s", argv[1]);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} tools[] = { { "drm", tool_drm }, { "evdev", tool_evdev }, { "zero", tool_zero } };

	setvbuf(stdout, NULL, _IOLBF, 0);
	errno = 0;
	for (unsigned i = 0; argc > 1 && i < sizeof tools / sizeof *tools; i++)
		if (!strcmp(tools[i].name, argv[1]))
			return tools[i].run(argc - 1, argv + 1);
	return tool_fail("usage: tool drm|evdev|zero ...");
}
