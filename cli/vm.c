/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hotdesk vm: a running monitor's control socket from a shell. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/vm_args.h"
#include "util/bytes.h"
#include "util/jsonrpc.h"
#include "util/log.h"
#include "util/unix_socket.h"

#define ANSWER_MAX (512 * MIB) /* the largest screen fits, even as base64 of noise */

struct connection {
	int fd;
	const char *path;
	struct jsonrpc_reader reader;
	char chunk[65536];
	const char *bytes; /* read and not yet looked at */
	size_t len;
};

static bool connection_open(struct connection *c, const char *path)
{
	*c = (struct connection){ .path = path, .fd = unix_connect(path) };
	jsonrpc_reader_init(&c->reader, ANSWER_MAX);
	switch (c->fd) {
	case -ENAMETOOLONG:
		log_error("vm: %s: %zu bytes; a unix socket's path may have %u", path, strlen(path),
			UNIX_SOCKET_PATH_MAX);
		break;
	case -ENOENT:
		log_error("vm: %s: no such socket; start hotdesk-vmm with --control unix:%s", path,
			path);
		break;
	case -ECONNREFUSED:
		log_error("vm: %s: nobody listens there; the machine has ended", path);
		break;
	default:
		if (c->fd < 0)
			log_error("vm: %s: %s", path, strerror(-c->fd));
	}
	return c->fd >= 0;
}

static void connection_close(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	jsonrpc_reader_finish(&c->reader);
}

static bool connection_send(struct connection *c, const char *line, size_t len)
{
	while (len) {
		ssize_t n = send(c->fd, line, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		line += n;
		len -= (size_t)n;
	}
	return true;
}

/* The next message; 1, 0 where the monitor is gone, -1 with one line logged. */
static int connection_next(struct connection *c, struct jsonrpc_reply *reply)
{
	for (;;) {
		enum jsonrpc_event e = jsonrpc_reader_next(&c->reader, &c->bytes, &c->len);
		ssize_t n;

		if (e == JSONRPC_LINE) {
			if (jsonrpc_parse_reply(c->reader.line->str, c->reader.line->len, reply))
				return 1;
			jsonrpc_reply_clear(reply);
		}
		if (e != JSONRPC_MORE) {
			log_error("vm: %s: does not speak our protocol", c->path);
			return -1;
		}
		n = recv(c->fd, c->chunk, sizeof c->chunk, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		c->bytes = c->chunk;
		c->len = (size_t)n;
	}
}

/* ---- answers ---- */

static void print_json(JsonNode *node, bool pretty)
{
	g_autofree char *text = json_to_string(node, pretty);

	printf("%s\n", text);
}

static char *value_text(JsonNode *node)
{
	char *text;

	if (JSON_NODE_HOLDS_NULL(node))
		return g_strdup("-");
	if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_BOOLEAN)
		return g_strdup(json_node_get_boolean(node) ? "yes" : "no");
	if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING) {
		text = g_strdup(json_node_get_string(node));
		for (char *p = text; *p; p++) /* nothing that drives a terminal */
			*p = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
		return text;
	}
	return json_to_string(node, FALSE);
}

/* Adds "name", "value" pairs, objects within flattened as "outer.inner". */
static void flatten(GPtrArray *pairs, const char *prefix, JsonObject *o)
{
	g_autoptr(GList) names = json_object_get_members(o);

	for (GList *at = names; at; at = at->next) {
		JsonNode *node = json_object_get_member(o, at->data);
		g_autofree char *name = g_strconcat(prefix, at->data, NULL);

		if (JSON_NODE_HOLDS_OBJECT(node)) {
			g_autofree char *inner = g_strconcat(name, ".", NULL);

			flatten(pairs, inner, json_node_get_object(node));
			continue;
		}
		g_ptr_array_add(pairs, g_steal_pointer(&name));
		g_ptr_array_add(pairs, value_text(node));
	}
}

static void print_aligned(JsonNode *result)
{
	g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(g_free);
	int width = 0;

	if (!result || !JSON_NODE_HOLDS_OBJECT(result))
		return;
	flatten(pairs, "", json_node_get_object(result));
	for (guint i = 0; i < pairs->len; i += 2)
		width = MAX(width, (int)strlen(pairs->pdata[i]));
	for (guint i = 0; i < pairs->len; i += 2)
		printf("%-*s  %s\n", width, (char *)pairs->pdata[i], (char *)pairs->pdata[i + 1]);
}

static int save_picture(JsonNode *result, const char *file)
{
	static const guchar magic[] = "\x89PNG\r\n\x1a\n";
	JsonObject *o =
		result && JSON_NODE_HOLDS_OBJECT(result) ? json_node_get_object(result) : NULL;
	JsonNode *data = o ? json_object_get_member(o, "data") : NULL;
	g_autofree guchar *png = NULL;
	g_autoptr(GError) error = NULL;
	gsize len = 0;

	if (data && JSON_NODE_HOLDS_VALUE(data) && json_node_get_value_type(data) == G_TYPE_STRING)
		png = g_base64_decode(json_node_get_string(data), &len);
	if (len < sizeof magic - 1 || memcmp(png, magic, sizeof magic - 1) != 0) {
		log_error("vm: screenshot: the answer is no PNG");
		return CLI_FAILED;
	}
	if (!strcmp(file, "-")) {
		fwrite(png, 1, len, stdout); /* main() looks at standard output's errors */
		return CLI_OK;
	}
	if (g_file_set_contents(file, (const char *)png, (gssize)len, &error))
		return CLI_OK;
	log_error("vm: screenshot: %s", error->message);
	return CLI_FAILED;
}

static int show_result(const struct vm_request *r, JsonNode *result)
{
	if (r->json && result)
		print_json(result, true);
	else if (r->file)
		return save_picture(result, r->file);
	else
		print_aligned(result);
	return CLI_OK;
}

/* ---- calls ---- */

static int call(struct connection *c, const struct vm_request *r, int id, JsonNode *params)
{
	size_t len;
	g_autofree char *line = jsonrpc_request(id, r->method, json_node_ref(params), &len);
	struct jsonrpc_reply reply = { 0 };
	int got = connection_send(c, line, len) ? 1 : 0, status = CLI_FAILED;

	while (got == 1) {
		got = connection_next(c, &reply);
		if (got != 1 || !reply.method)
			break;
		jsonrpc_reply_clear(&reply); /* an event in between */
	}
	if (got == 1 && reply.code)
		log_error("vm: %s: %s", r->method, reply.message);
	else if (got == 1)
		status = show_result(r, reply.result);
	else if (got == 0 && !strcmp(r->method, "quit"))
		status = CLI_OK; /* it did */
	else if (got == 0)
		log_error("vm: %s: the machine ended before it answered", r->method);
	jsonrpc_reply_clear(&reply);
	return status;
}

static int follow_events(struct connection *c, const struct vm_request *r)
{
	struct jsonrpc_reply reply;
	int got;

	while ((got = connection_next(c, &reply)) == 1) {
		if (reply.method && reply.result && r->json)
			print_json(reply.result, false);
		else if (reply.method && reply.result)
			print_aligned(reply.result);
		fflush(stdout);
		jsonrpc_reply_clear(&reply);
	}
	return got < 0 ? CLI_FAILED : CLI_OK;
}

static gint64 now_ms(void)
{
	return g_get_monotonic_time() / 1000;
}

/* The monitor's end closes the connection. */
static int wait_for_end(struct connection *c, unsigned seconds)
{
	gint64 until = now_ms() + seconds * 1000ll;
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	for (;;) {
		gint64 left = seconds ? until - now_ms() : -1;
		int n = seconds && left <= 0 ? 0 : poll(&p, 1, (int)left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0) {
			log_error("vm: powerdown: still running after %u s; 'quit' ends it at once",
				seconds);
			return CLI_FAILED;
		}
		if (recv(c->fd, c->chunk, sizeof c->chunk, 0) <= 0)
			return CLI_OK;
	}
}

static int run_vm(const struct cli_command *self, const char *full_name, int argc, char **argv)
{
	struct connection c;
	struct vm_request r;
	g_autofree char *err = NULL;
	int status = CLI_OK;

	if (argc < 3)
		return cli_usage(
			full_name, argc < 2 ? "a socket is missing" : "a method is missing");
	if (!strcmp(argv[2], "--help"))
		return cli_help(self, full_name);
	err = vm_args_parse(&r, argc - 2, argv + 2);
	if (err) {
		vm_request_clear(&r);
		return cli_usage(full_name, "%s", err);
	}
	if (!connection_open(&c, argv[1]))
		status = CLI_FAILED;
	for (guint i = 0; i < r.params->len && status == CLI_OK; i++)
		status = call(&c, &r, (int)i + 1, r.params->pdata[i]);
	if (status == CLI_OK && !strcmp(r.method, "events"))
		status = follow_events(&c, &r);
	if (status == CLI_OK && r.wait)
		status = wait_for_end(&c, r.seconds);
	connection_close(&c);
	vm_request_clear(&r);
	return status;
}

const struct cli_command cli_vm = {
	.name = "vm",
	.synopsis = "SOCKET METHOD [ARGUMENT... | JSON] [--json]",
	.summary = "Ask or drive a running virtual machine by its control socket",
	.details =
		"  status, stats               what it is and does, and its counters\n"
		"  pause, resume, reset        the virtual CPUs; reset starts the guest anew\n"
		"  powerdown [--wait[=SECONDS]]  press the power button; wait until it is off\n"
		"  quit                        end it at once, as if unplugged\n"
		"  screenshot FILE.png         [--head=N] [--no-cursor]; - is standard output\n"
		"  resize 1280x800             [--head=N]; 0x0 unplugs a screen\n"
		"  key ctrl-alt-delete ...     [--down | --up]\n"
		"  pointer X Y [BUTTON [double]] [wheel N] [hwheel N]\n"
		"                              [--head=N] [--down | --up]; left, middle, right, back, forward\n"
		"  type 'TEXT'                 any text that the guest's keyboard layout has\n"
		"  events                      print events until the machine ends\n"
		"\n"
		"Parameters may be given as JSON instead: hotdesk vm S resize '{\"width\":800,\"height\":600}'.\n"
		"--json prints the answer as JSON. Words behind -- are no options.\n",
	.run = run_vm,
};
