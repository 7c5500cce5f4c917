/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The frame of the command line: who is run, and what each kind of mistake returns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <getopt.h>

#include "cli/cli.h"
#include "util/log.h"

static char said[1024];
static int ran_argc;
static char ran_name[64];

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	snprintf(said, sizeof said, "%s", line);
}

static int run_fetch(const struct cli_command *self, const char *full_name, int argc, char **argv)
{
	static const struct option options[] = { { "from", required_argument, NULL, 'f' }, { 0 } };
	int c;

	ran_argc = argc;
	snprintf(ran_name, sizeof ran_name, "%s", full_name);
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":qf:", options, NULL)) != -1)
		if (c == '?' || c == ':')
			return cli_bad_option(full_name, c, argv);
	return CLI_OK;
}

static const struct cli_command fetch = {
	.name = "fetch", .synopsis = "[--from X]", .run = run_fetch
};
static const struct cli_command *const pile_commands[] = { &fetch, NULL };
static const struct cli_command pile = { .name = "pile", .commands = pile_commands };
static const struct cli_command *const top_commands[] = { &pile, NULL };
static const struct cli_command top = {
	.name = "hotdesk", .synopsis = "COMMAND", .commands = top_commands
};

static int call(char *first, ...)
{
	char *argv[8] = { "hotdesk", first };
	int argc = 1;
	va_list ap;

	va_start(ap, first);
	while (argv[argc])
		argv[++argc] = va_arg(ap, char *);
	va_end(ap);
	said[0] = 0;
	ran_argc = -1;
	return cli_dispatch(&top, "hotdesk", argc, argv);
}

static void test_runs_the_command(void **state)
{
	assert_int_equal(call("pile", "fetch", "--from", "here", NULL), CLI_OK);
	assert_int_equal(ran_argc, 3);
	assert_string_equal(ran_name, "hotdesk pile fetch");
}

static void test_wrong_usage(void **state)
{
	assert_int_equal(call(NULL), CLI_USAGE);
	assert_string_equal(said, "a command is missing; see hotdesk --help");
	assert_int_equal(call("pile", NULL), CLI_USAGE);
	assert_string_equal(said, "pile: a command is missing; see hotdesk pile --help");
	assert_int_equal(call("heap", NULL), CLI_USAGE);
	assert_string_equal(said, "unknown command 'heap'; see hotdesk --help");
	assert_int_equal(ran_argc, -1);
}

static void test_wrong_options(void **state)
{
	assert_int_equal(call("pile", "fetch", "--from", NULL), CLI_USAGE);
	assert_string_equal(
		said, "pile fetch: option --from needs a value; see hotdesk pile fetch --help");
	assert_int_equal(call("pile", "fetch", "--form", NULL), CLI_USAGE);
	assert_non_null(strstr(said, "option --form is unknown"));
	assert_int_equal(call("pile", "fetch", "-z", NULL), CLI_USAGE);
	assert_non_null(strstr(said, "unknown option -z"));
	assert_int_equal(call("pile", "fetch", "-qz", NULL), CLI_USAGE);
	assert_non_null(strstr(said, "unknown option -z"));
}

static void test_help_and_version_run_nothing(void **state)
{
	assert_int_equal(call("--help", NULL), CLI_OK);
	assert_int_equal(call("--version", NULL), CLI_OK);
	assert_int_equal(call("pile", "help", NULL), CLI_OK);
	assert_int_equal(call("pile", "fetch", "--help", NULL), CLI_OK);
	assert_int_equal(ran_argc, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_the_command),
		cmocka_unit_test(test_wrong_usage),
		cmocka_unit_test(test_wrong_options),
		cmocka_unit_test(test_help_and_version_run_nothing),
	};

	log_set_sink(keep_line, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
