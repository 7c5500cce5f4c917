/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of the `hotdesk` program: a table of commands, and what all of them share.
 *
 *   hotdesk GROUP COMMAND [OPTION...] [ARGUMENT...]
 *
 * A command is one row of a table; a row with a table of its own is a group. Every row answers
 * --help. Results go to standard output, everything else to standard error.
 */
#pragma once

#include <stddef.h>

/* What a command returns: the exit status of the program. */
enum cli_status { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command {
	const char *name;
	/* What follows the name, as --help shows it: "SOCKET METHOD [JSON]". */
	const char *synopsis;
	/* One line for the list of commands, without a full stop. */
	const char *summary;
	/* What --help prints below the synopsis: options, examples. NULL or ends with a newline. */
	const char *details;
	/*
	 * Runs the command. argv[0] is its own name, so getopt_long() works as in main(), and
	 * argv[argc] is NULL; `full_name` is how the user called it ("hotdesk image build").
	 * --help has been answered where it is the only argument. NULL for a group.
	 */
	int (*run)(const struct cli_command *self, const char *full_name, int argc, char **argv);
	/* A group's commands, NULL at the end. NULL for a command. */
	const struct cli_command *const *commands;
};

/* Finds argv[1] in the group's table and runs it; answers --help, --version and mistakes itself. */
int cli_dispatch(const struct cli_command *group, const char *full_name, int argc, char **argv);

/* Prints the command's --help on standard output; returns CLI_OK. */
int cli_help(const struct cli_command *command, const char *full_name);

/* Logs "full_name: MESSAGE; see full_name --help"; returns CLI_USAGE. */
int cli_usage(const char *full_name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What getopt_long() found wrong (':' or '?'; opterr is 0, options begin with ':'), in our words. */
int cli_bad_option(const char *full_name, int found, char **argv);
