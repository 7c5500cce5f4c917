/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of hotdesk's table, one for each file of commands. */
#pragma once

#include "cli/cli.h"

/* Ends with NULL. Defined in commands.c: a new command is a declaration here and a row there. */
extern const struct cli_command *const cli_commands[];

extern const struct cli_command cli_image;
extern const struct cli_command cli_vm;
