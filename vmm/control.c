/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/control.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>

#include "util/log.h"
#include "util/unix_socket.h"
#include "vmm/control_private.h"

enum {
	CHUNK = 4096,     /* bytes read at a time, so that nobody has the loop for long */
	QUEUE_MAX = 64,   /* lines that wait for a client: one answer, and events */
	ACCEPT_PAUSE = 1, /* seconds without descriptors, until the next try */
};

struct control {
	struct unix_listener listener;
	const struct control_ops *ops;
	void *opaque;
	GMainContext *context;
	GSource *accepting, *pause;
	GQueue clients; /* of struct control_client */
};

/* Life: the control's list holds one reference, every open call another. */
struct control_client {
	struct control *control; /* NULL once it is closed */
	unsigned refs;
	int fd;
	GSource *source;
	gpointer watch;
	struct jsonrpc_reader reader;
	char chunk[CHUNK]; /* what was read and not yet served */
	size_t chunk_at, chunk_len;
	GQueue out; /* of GBytes */
	size_t out_at;
	bool busy;       /* a call is open */
	bool ended;      /* the client will send nothing more */
	bool subscribed; /* to events */
};

struct control_call {
	struct control_client *client;
	JsonNode *id; /* NULL: a notification, which is not answered */
};

/* ---- clients ---- */

static void client_unref(struct control_client *c)
{
	if (--c->refs)
		return;
	jsonrpc_reader_finish(&c->reader);
	g_queue_clear_full(&c->out, (GDestroyNotify)g_bytes_unref);
	g_free(c);
}

static void client_close(struct control_client *c)
{
	if (!c->control)
		return;
	g_queue_remove(&c->control->clients, c);
	c->control = NULL;
	g_source_destroy(c->source);
	g_source_unref(c->source);
	close(c->fd);
	client_unref(c);
}

/* Sends what the socket takes now. False where the client was closed. */
static bool client_flush(struct control_client *c)
{
	GBytes *head;

	while ((head = g_queue_peek_head(&c->out))) {
		size_t len;
		const char *data = g_bytes_get_data(head, &len);
		ssize_t n =
			send(c->fd, data + c->out_at, len - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			client_close(c);
			return false;
		}
		c->out_at += (size_t)n;
		if (c->out_at < len)
			continue;
		c->out_at = 0;
		g_bytes_unref(g_queue_pop_head(&c->out));
	}
	return true;
}

/* Queues a line, which is taken. */
static void client_send(struct control_client *c, char *line, size_t len)
{
	if (!c->control) {
		g_free(line);
		return;
	}
	g_queue_push_tail(&c->out, g_bytes_new_take(line, len));
}

static void client_request(struct control_client *c, const GString *line)
{
	struct control_call *call = g_new0(struct control_call, 1);
	struct jsonrpc_request r;
	const char *why;
	int code = jsonrpc_parse_request(line->str, line->len, &r, &why);

	call->client = c;
	call->id = g_steal_pointer(&r.id);
	c->refs++;
	c->busy = true;
	if (code) {
		if (!call->id) /* not known, and it must be answered all the same */
			call->id = json_node_new(JSON_NODE_NULL);
		control_call_error(call, code, why);
	} else if (r.params && !JSON_NODE_HOLDS_OBJECT(r.params)) {
		control_call_error(call, JSONRPC_INVALID_PARAMS, "\"params\" must be an object");
	} else {
		control_methods_run(c->control->ops, c->control->opaque, r.method, r.params, call);
	}
	jsonrpc_request_clear(&r);
}

/* Serves what was read, until an answer must be waited for. */
static void client_serve(struct control_client *c)
{
	while (c->control && !c->busy && g_queue_is_empty(&c->out) && c->chunk_at < c->chunk_len) {
		const char *bytes = c->chunk + c->chunk_at;
		size_t len = c->chunk_len - c->chunk_at;
		enum jsonrpc_event e = jsonrpc_reader_next(&c->reader, &bytes, &len);

		c->chunk_at = c->chunk_len - len;
		if (e == JSONRPC_LINE) {
			client_request(c, c->reader.line);
		} else if (e == JSONRPC_TOO_LONG) {
			char *line = jsonrpc_error(
				NULL, JSONRPC_PARSE_ERROR, "a line may have 65536 bytes", &len);
			client_send(c, line, len);
		}
		if (c->control)
			client_flush(c);
	}
}

static void client_read(struct control_client *c)
{
	ssize_t n = recv(c->fd, c->chunk, sizeof c->chunk, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_close(c);
		return;
	}
	c->ended = n == 0;
	c->chunk_at = 0;
	c->chunk_len = (size_t)n;
}

/* Watches for what can go on, and closes a client for whom nothing can. */
static void client_update(struct control_client *c)
{
	GIOCondition want = 0;

	if (!c->control)
		return;
	if (!g_queue_is_empty(&c->out))
		want |= G_IO_OUT;
	else if (!c->busy && !c->ended && c->chunk_at == c->chunk_len)
		want |= G_IO_IN;
	if (c->ended && !want && !c->busy && !c->subscribed && c->chunk_at == c->chunk_len)
		client_close(c);
	else
		g_source_modify_unix_fd(c->source, c->watch, want);
}

struct client_source {
	GSource base;
	struct control_client *client;
};

static gboolean client_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct control_client *c = ((struct client_source *)source)->client;
	GIOCondition got = g_source_query_unix_fd(source, c->watch);

	c->refs++;
	g_source_set_ready_time(source, -1);
	/* Gone for good: with nothing left to read, or where reading would wait for an answer. */
	if ((got & (G_IO_HUP | G_IO_ERR)) && !(got & G_IO_IN)) {
		client_close(c);
	} else if (client_flush(c)) {
		if (got & G_IO_IN)
			client_read(c);
		client_serve(c);
	}
	client_update(c);
	client_unref(c);
	return G_SOURCE_CONTINUE;
}

static void client_create(struct control *control, int fd)
{
	static GSourceFuncs funcs = { .dispatch = client_dispatch };
	struct control_client *c = g_new0(struct control_client, 1);

	c->control = control;
	c->refs = 1;
	c->fd = fd;
	jsonrpc_reader_init(&c->reader, JSONRPC_LINE_MAX);
	g_queue_init(&c->out);
	c->source = g_source_new(&funcs, sizeof(struct client_source));
	((struct client_source *)c->source)->client = c;
	g_source_set_static_name(c->source, "control client");
	c->watch = g_source_add_unix_fd(c->source, fd, G_IO_IN);
	g_source_attach(c->source, control->context);
	g_queue_push_tail(&control->clients, c);
}

/* ---- calls ---- */

/* Takes the line and the call. The client goes on in its source, not inside whoever answers. */
static void call_finish(struct control_call *call, char *line, size_t len)
{
	struct control_client *c = call->client;

	if (call->id)
		client_send(c, line, len);
	else
		g_free(line);
	c->busy = false;
	if (c->control)
		g_source_set_ready_time(c->source, 0);
	g_clear_pointer(&call->id, json_node_unref);
	g_free(call);
	client_unref(c);
}

void control_call_result(struct control_call *call, JsonNode *result)
{
	size_t len;
	char *line = jsonrpc_result(call->id, result, &len);

	call_finish(call, line, len);
}

void control_call_error(struct control_call *call, int code, const char *message)
{
	size_t len;
	char *line = jsonrpc_error(call->id, code, message, &len);

	call_finish(call, line, len);
}

void control_call_done(struct control_call *call)
{
	JsonNode *result = json_node_new(JSON_NODE_OBJECT);

	json_node_take_object(result, json_object_new());
	control_call_result(call, result);
}

void control_call_png(struct control_call *call, GBytes *png, unsigned width, unsigned height)
{
	JsonNode *result = json_node_new(JSON_NODE_OBJECT);
	JsonObject *o = json_object_new();
	size_t len;
	const guchar *data = g_bytes_get_data(png, &len);
	g_autofree char *base64 = g_base64_encode(data, len);

	json_object_set_string_member(o, "format", "png");
	json_object_set_int_member(o, "width", width);
	json_object_set_int_member(o, "height", height);
	json_object_set_string_member(o, "data", base64);
	json_node_take_object(result, o);
	control_call_result(call, result);
}

void control_call_fail(struct control_call *call, const char *fmt, ...)
{
	g_autofree char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	message = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	control_call_error(call, JSONRPC_FAILED, message);
}

void control_call_subscribe(struct control_call *call, bool on)
{
	call->client->subscribed = on;
}

/* ---- the socket ---- */

static gboolean control_accept(int fd, GIOCondition condition, gpointer data);

static void control_accept_on(struct control *control)
{
	control->accepting = g_unix_fd_source_new(control->listener.fd, G_IO_IN);
	g_source_set_callback(control->accepting, G_SOURCE_FUNC(control_accept), control, NULL);
	g_source_attach(control->accepting, control->context);
}

static void control_source_clear(GSource **source)
{
	if (!*source)
		return;
	g_source_destroy(*source);
	g_clear_pointer(source, g_source_unref);
}

static gboolean control_accept_again(gpointer data)
{
	struct control *control = data;

	control_source_clear(&control->pause);
	control_accept_on(control);
	return G_SOURCE_REMOVE;
}

static gboolean control_accept(int fd, GIOCondition condition, gpointer data)
{
	struct control *control = data;
	int client = unix_listener_accept(&control->listener);

	if (client == -EAGAIN || client == -ECONNABORTED || client == -EINTR)
		return G_SOURCE_CONTINUE;
	if (client < 0) {
		/* The client stays in the backlog, and asking again at once would be a busy loop. */
		log_warning(
			"control socket: %s; next try in %d s", strerror(-client), ACCEPT_PAUSE);
		control_source_clear(&control->accepting);
		control->pause = g_timeout_source_new_seconds(ACCEPT_PAUSE);
		g_source_set_callback(control->pause, control_accept_again, control, NULL);
		g_source_attach(control->pause, control->context);
		return G_SOURCE_REMOVE;
	}
	if (g_queue_get_length(&control->clients) == CONTROL_CLIENTS_MAX) {
		size_t len;
		g_autofree char *line =
			jsonrpc_error(NULL, JSONRPC_FAILED, "too many clients; close one", &len);

		if (send(client, line, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			log_debug("control socket: %s", strerror(errno));
		close(client);
		return G_SOURCE_CONTINUE;
	}
	client_create(control, client);
	return G_SOURCE_CONTINUE;
}

int control_create(struct control **out, const char *path, const struct control_ops *ops,
	void *opaque, GMainContext *context)
{
	struct control *control = g_new0(struct control, 1);
	int err = unix_listener_init(&control->listener, path, "--control");

	*out = NULL;
	if (err) {
		g_free(control);
		return err;
	}
	control->ops = ops;
	control->opaque = opaque;
	control->context = context;
	g_queue_init(&control->clients);
	control_accept_on(control);
	*out = control;
	return 0;
}

void control_destroy(struct control *control)
{
	struct control_client *c;

	if (!control)
		return;
	control_source_clear(&control->accepting);
	control_source_clear(&control->pause);
	while ((c = g_queue_peek_head(&control->clients))) {
		c->refs++;
		if (client_flush(c)) /* the answer to "quit", most likely */
			client_close(c);
		client_unref(c);
	}
	unix_listener_finish(&control->listener);
	g_free(control);
}

void control_event(struct control *control, const char *name, JsonObject *params)
{
	JsonObject *o = params ? params : json_object_new();
	g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
	g_autofree char *line = NULL;
	size_t len;
	GList *next;

	json_object_set_string_member(o, "event", name);
	json_node_take_object(node, o);
	line = jsonrpc_notification("event", json_node_ref(node), &len);
	for (GList *at = control->clients.head; at; at = next) {
		struct control_client *c = at->data;

		next = at->next;
		if (!c->subscribed)
			continue;
		if (g_queue_get_length(&c->out) >= QUEUE_MAX) {
			log_warning("control socket: a client does not read its events; closed");
			client_close(c);
			continue;
		}
		client_send(c, g_memdup2(line, len), len);
		g_source_set_ready_time(c->source, 0);
	}
}
