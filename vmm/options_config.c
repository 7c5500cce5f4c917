/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/options_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cyaml/cyaml.h>
#include <glib.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/options_value.h"

enum { FILE_MAX = 64 * 1024, VALUE_MAX = 8192, LIST_MAX = 64 };

/* What libcyaml fills in: a string for each key, and the one list. */
struct config_values {
	char **list;
	unsigned list_count;
	char *scalar[];
};

/* libcyaml's complaint, cut down to one line: its first message and the innermost position. */
struct config_complaint {
	const char *const *keys;
	char *message;
	unsigned line;
};

static void config_log(cyaml_log_t level, void *opaque, const char *fmt, va_list args)
{
	static const char unexpected[] = "Unexpected key: ";
	struct config_complaint *c = opaque;
	g_autofree char *text = g_strdup_vprintf(fmt, args), *suggestion = NULL;
	const char *at = strstr(text, "(line: "), *said = text;

	g_strchomp(text);
	if (g_str_has_prefix(said, "Load: "))
		said += strlen("Load: ");
	if (at) {
		if (!c->line)
			c->line = (unsigned)strtoul(at + strlen("(line: "), NULL, 10);
	} else if (g_str_has_prefix(said, unexpected)) {
		suggestion = option_suggest(said + strlen(unexpected), "", c->keys);
		c->message = g_strdup_printf(
			"unknown key '%s'%s", said + strlen(unexpected), suggestion);
		c->line = UINT_MAX; /* libcyaml knows where the mapping began only */
	} else if (!c->message && !g_str_has_prefix(said, "Backtrace")) {
		c->message = g_strdup(said);
	}
}

static char *config_slurp(const char *path, size_t *len, int *status)
{
	g_autofree char *text = g_malloc(FILE_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 0;

	*status = 1;
	for (*len = 0; fd >= 0 && *len <= FILE_MAX; *len += (size_t)n) {
		n = read(fd, text + *len, FILE_MAX + 1 - *len);
		if (n <= 0)
			break;
	}
	if (n < 0)
		log_error("--config %s: %s", path, strerror(errno));
	else if (*len > FILE_MAX)
		log_error("--config %s: more than %d KiB; this is no config file", path,
			FILE_MAX / 1024);
	if (fd >= 0)
		close(fd);
	return n < 0 || *len > FILE_MAX ? NULL : g_steal_pointer(&text);
}

static cyaml_schema_field_t *config_schema(const char *const *keys, unsigned list)
{
	static const cyaml_schema_value_t entry = { CYAML_VALUE_STRING(
		CYAML_FLAG_POINTER, char, 0, VALUE_MAX) };
	unsigned n = g_strv_length((char **)keys);
	cyaml_schema_field_t *fields = g_new0(cyaml_schema_field_t, n + 1);

	for (unsigned i = 0; i < n; i++) {
		cyaml_schema_field_t *f = &fields[i];

		f->key = keys[i];
		f->value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
		if (i == list) {
			f->value.type = CYAML_SEQUENCE;
			f->value.data_size = sizeof(char *);
			f->value.sequence.entry = &entry;
			f->value.sequence.max = LIST_MAX;
			f->data_offset = offsetof(struct config_values, list);
			f->count_offset = offsetof(struct config_values, list_count);
			f->count_size = sizeof(unsigned);
		} else {
			f->value.type = CYAML_STRING;
			f->value.data_size = sizeof(char);
			f->value.string.max = VALUE_MAX;
			f->data_offset = (uint32_t)(offsetof(struct config_values, scalar) +
						    i * sizeof(char *));
		}
	}
	return fields;
}

static char *config_apply(const struct config_values *v, const char *const *keys, unsigned list,
	options_set_fn set, void *opaque)
{
	for (unsigned i = 0; keys[i]; i++) {
		char *const *values = i == list ? v->list : &v->scalar[i];
		unsigned n = i == list ? v->list_count : v->scalar[i] ? 1 : 0;

		for (unsigned k = 0; k < n; k++) {
			g_autofree char *err = set(opaque, i, values[k]);

			if (err)
				return g_strdup_printf("%s: %s: %s", keys[i], values[k], err);
		}
	}
	return NULL;
}

bool options_config_read(const char *path, const char *const *keys, unsigned list,
	options_set_fn set, void *opaque, int *status)
{
	size_t len;
	g_autofree char *text = config_slurp(path, &len, status), *err = NULL;
	g_autofree cyaml_schema_field_t *fields = config_schema(keys, list);
	struct config_complaint complaint = { .keys = keys };
	struct config_values *v = NULL;
	cyaml_schema_value_t top = {
		.type = CYAML_MAPPING,
		.flags = CYAML_FLAG_POINTER,
		.data_size = (uint32_t)(sizeof *v + g_strv_length((char **)keys) * sizeof(char *)),
		.mapping.fields = fields,
	};
	const cyaml_config_t config = {
		.log_fn = config_log,
		.log_ctx = &complaint,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS, /* a small file must not unfold into a large one */
	};
	cyaml_err_t failed;

	if (!text)
		return false;
	*status = 2;
	failed = cyaml_load_data((const uint8_t *)text, len, &config, &top, (void **)&v, NULL);
	if (failed) {
		const char *what = complaint.message ? complaint.message : cyaml_strerror(failed);

		if (complaint.line && complaint.line != UINT_MAX)
			log_error("--config %s: line %u: %s", path, complaint.line, what);
		else
			log_error("--config %s: %s", path, what);
	} else if (v) {
		err = config_apply(v, keys, list, set, opaque);
		if (err)
			log_error("--config %s: %s", path, err);
	}
	g_free(complaint.message);
	cyaml_free(&config, &top, v, 0);
	return !failed && !err;
}
