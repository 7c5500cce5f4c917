/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Option values that say where something listens or leads to. */
#include "vmm/options_value.h"

#include <arpa/inet.h>
#include <string.h>

#include <glib.h>

#include "util/unix_socket.h"

/* ADDR:PORT with ADDR possibly empty; splits in place. False where there is no such shape. */
static bool option_addr_port(char *text, const char **addr, uint16_t *port)
{
	char *colon = strrchr(text, ':');
	uint64_t n;

	if (!colon || !option_number(colon + 1, UINT16_MAX, &n) || !n)
		return false;
	*colon = 0;
	*addr = text;
	*port = (uint16_t)n;
	return true;
}

static char *option_forward(const char *text, struct options_forward *f)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", 2); /* the protocol, and the rest */
	g_auto(GStrv) ends = NULL;
	const char *host, *guest;

	*f = (struct options_forward){ .host.s_addr = htonl(INADDR_LOOPBACK) };
	if (g_strv_length(parts) != 2)
		goto malformed;
	f->udp = !strcmp(parts[0], "udp");
	if (!f->udp && strcmp(parts[0], "tcp") != 0)
		goto malformed;
	ends = g_strsplit(parts[1], "-", 2);
	if (g_strv_length(ends) != 2 || !option_addr_port(ends[0], &host, &f->host_port) ||
		!option_addr_port(ends[1], &guest, &f->guest_port))
		goto malformed;
	if (*host && inet_pton(AF_INET, host, &f->host) != 1)
		goto malformed;
	if (*guest && inet_pton(AF_INET, guest, &f->guest) != 1)
		goto malformed;
	return NULL;
malformed:
	return g_strdup_printf("hostfwd=%s: write hostfwd=tcp:127.0.0.1:2222-:22", text);
}

char *option_net(const char *text, struct options_net *net)
{
	static const char *const keys[] = { "hostfwd", "loopback", NULL };
	g_auto(GStrv) words = option_words(text);
	const char *kind = words[0];
	bool user = !strcmp(kind, "user");

	*net = (struct options_net){ .kind = user ? OPT_NET_USER : OPT_NET_NONE };
	if (!strcmp(kind, "tap"))
		return option_later();
	if (!user && (strcmp(kind, "none") != 0 || words[1]))
		return g_strdup("not a network; write none, or user[,hostfwd=…][,loopback=on]");
	for (char **w = words + 1; *w; w++) {
		const char *value;
		unsigned key;
		char *err = option_key(*w, keys, &key, &value);

		if (!err && key == 1)
			err = option_bool("loopback", value, &net->loopback);
		else if (!err && net->nforwards == OPTIONS_FORWARDS_MAX)
			err = g_strdup_printf("more than %d ports forwarded", OPTIONS_FORWARDS_MAX);
		else if (!err)
			err = option_forward(value, &net->forwards[net->nforwards++]);
		if (err)
			return err;
	}
	return NULL;
}

static char *option_socket_path(const char *path)
{
	if (!*path)
		return g_strdup("no path; write unix:PATH");
	if (strlen(path) > UNIX_SOCKET_PATH_MAX)
		return g_strdup_printf("%zu bytes; a unix socket's path may have %u", strlen(path),
			UNIX_SOCKET_PATH_MAX);
	return NULL;
}

char *option_unix(const char *text, char **path)
{
	char *err;

	if (!g_str_has_prefix(text, "unix:"))
		return g_strdup("not a unix socket; write unix:PATH");
	err = option_socket_path(text + 5);
	if (!err)
		option_set(path, text + 5);
	return err;
}

static char *option_endpoint(char *text, struct options_endpoint *at)
{
	unsigned char parsed[sizeof(struct in6_addr)];
	const char *addr;
	size_t len;

	g_clear_pointer(&at->path, g_free);
	g_clear_pointer(&at->host, g_free);
	if (g_str_has_prefix(text, "unix:"))
		return option_unix(text, &at->path);
	if (!option_addr_port(text, &addr, &at->port) || !*addr)
		return g_strdup("not a place to listen at; write unix:PATH, 127.0.0.1:5900 or "
				"[::1]:5900");
	len = strlen(addr);
	if (addr[0] == '[' && addr[len - 1] == ']') {
		at->host = g_strndup(addr + 1, len - 2);
		if (inet_pton(AF_INET6, at->host, parsed) == 1)
			return NULL;
	} else {
		at->host = g_strdup(strcmp(addr, "localhost") ? addr : "127.0.0.1");
		if (inet_pton(AF_INET, at->host, parsed) == 1)
			return NULL;
		if (strchr(addr, ':'))
			return g_strdup("an IPv6 address stands in brackets; write [::1]:5900");
	}
	return g_strdup(
		"not a numeric address; write 127.0.0.1:5900, or 0.0.0.0:5900 for everybody");
}

char *option_vnc(const char *text, struct options_endpoint *at, char **password_file)
{
	static const char *const keys[] = { "password-file", NULL };
	g_auto(GStrv) words = option_words(text);
	char *err = option_endpoint(words[0], at);

	g_clear_pointer(password_file, g_free);
	for (char **w = words + 1; *w && !err; w++) {
		const char *value;
		unsigned key;

		err = option_key(*w, keys, &key, &value);
		if (!err)
			option_set(password_file, value);
	}
	return err;
}

char *option_serial(const char *text, enum console_kind *kind, char **path)
{
	char *err = NULL;

	g_clear_pointer(path, g_free);
	if (!strcmp(text, "none")) {
		*kind = CONSOLE_NONE;
	} else if (!strcmp(text, "stdio")) {
		*kind = CONSOLE_STDIO;
	} else if (g_str_has_prefix(text, "unix:")) {
		*kind = CONSOLE_UNIX;
		err = option_unix(text, path);
	} else if (g_str_has_prefix(text, "file:") && text[5]) {
		*kind = CONSOLE_FILE;
		option_set(path, text + 5);
	} else {
		err = g_strdup("write stdio, file:PATH, unix:PATH or none");
	}
	return err;
}
