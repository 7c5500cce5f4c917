/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hotdesk: the administrator's command line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "util/log.h"

int main(int argc, char **argv)
{
	const struct cli_command hotdesk = {
		.name = "hotdesk",
		.synopsis = "COMMAND [ARGUMENT...]",
		.summary = "Golden images, virtual machines and desktops from a shell",
		.details =
			"Every command answers --help. Exit status: 0 done, 1 failed, 2 wrong usage.\n",
		.commands = cli_commands,
	};
	int status;

	log_init("hotdesk", LOG_INFO);
	status = cli_dispatch(&hotdesk, "hotdesk", argc, argv);
	/* A list that was cut short by a full disk or a closed pipe is not a success. */
	if (fflush(stdout) || ferror(stdout)) {
		log_error("standard output: %s", strerror(errno));
		return status == CLI_OK ? CLI_FAILED : status;
	}
	return status;
}
