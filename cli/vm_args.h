/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `hotdesk vm SOCKET METHOD ...` is to send: words of a shell made into JSON-RPC parameters. */
#pragma once

#include <stdbool.h>

#include <glib.h>
#include <json-glib/json-glib.h>

struct vm_request {
	const char *method;
	GPtrArray *params; /* of JsonNode objects: one request each, sent one after the other */
	bool json;         /* --json: the answer as it is */
	bool wait;         /* powerdown: until the machine is gone, */
	unsigned seconds;  /* or so many seconds; 0: for ever */
	const char *file;  /* screenshot: "-" is standard output; NULL where raw JSON was given */
};

/*
 * argv holds the words behind the socket, the method first. NULL, or what is wrong (g_malloc). r
 * is to be cleared in every case, and lives no longer than argv.
 */
char *vm_args_parse(struct vm_request *r, int argc, char *const argv[]);
void vm_request_clear(struct vm_request *r);
