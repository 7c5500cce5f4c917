/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "util/log.h"

static bool cli_wants_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

int cli_help(const struct cli_command *command, const char *full_name)
{
	printf("usage: %s %s\n\n%s.\n", full_name, command->synopsis, command->summary);
	if (command->commands) {
		printf("\nCommands:\n");
		for (const struct cli_command *const *c = command->commands; *c; c++)
			printf("  %-10s %s\n", (*c)->name, (*c)->summary);
	}
	if (command->details)
		printf("\n%s", command->details);
	return CLI_OK;
}

int cli_usage(const char *full_name, const char *fmt, ...)
{
	g_autofree char *message = NULL;
	const char *below = strchr(full_name, ' ');
	va_list ap;

	va_start(ap, fmt);
	message = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	/* The logger puts the program's name in front. */
	if (below)
		log_error("%s: %s; see %s --help", below + 1, message, full_name);
	else
		log_error("%s; see %s --help", message, full_name);
	return CLI_USAGE;
}

int cli_bad_option(const char *full_name, int found, char **argv)
{
	/* For a long option optind has passed it already; for a short one optopt is its letter. */
	const char *word = argv[optind - 1];

	if (found == ':')
		return cli_usage(full_name, "option %s needs a value", word);
	if (optopt && strncmp(word, "--", 2))
		return cli_usage(full_name, "unknown option -%c", optopt);
	return cli_usage(full_name, "option %s is unknown, ambiguous, or takes no value", word);
}

int cli_dispatch(const struct cli_command *group, const char *full_name, int argc, char **argv)
{
	if (argc < 2)
		return cli_usage(full_name, "a command is missing");
	if (cli_wants_help(argv[1]) || !strcmp(argv[1], "help"))
		return cli_help(group, full_name);
	if (!strcmp(argv[1], "--version")) {
		printf("hotdesk %s\n", HOTDESK_VERSION);
		return CLI_OK;
	}
	for (const struct cli_command *const *at = group->commands; *at; at++) {
		const struct cli_command *c = *at;
		g_autofree char *name = NULL;

		if (strcmp(c->name, argv[1]))
			continue;
		name = g_strdup_printf("%s %s", full_name, c->name);
		if (c->commands)
			return cli_dispatch(c, name, argc - 1, argv + 1);
		if (argc == 3 && cli_wants_help(argv[2]))
			return cli_help(c, name);
		return c->run(c, name, argc - 1, argv + 1);
	}
	return cli_usage(full_name, "unknown command '%s'", argv[1]);
}
