/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/yaml_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib.h>
#include <yaml.h>

#include "util/bytes.h"
#include "util/log.h"

#define YAML_FILE_MAX (1 * MIB)

int yaml_file_read(struct yaml_file *f, const char *path)
{
	g_autoptr(GError) error = NULL;
	gsize len;

	*f = (struct yaml_file){ 0 };
	if (!g_file_get_contents(path, &f->text, &len, &error)) {
		log_error("%s: %s", path, g_strerror(errno));
		return -(errno ?: EIO);
	}
	if (len > YAML_FILE_MAX) {
		log_error("%s: %zu bytes are too many for a definition; 1 MiB is the most", path,
			len);
		g_clear_pointer(&f->text, g_free);
		return -EFBIG;
	}
	f->len = len;
	f->path = g_strdup(path);
	return 0;
}

void yaml_file_set(struct yaml_file *f, const char *path, const char *text, size_t len)
{
	f->path = g_strdup(path);
	f->text = g_malloc(len + 1);
	memcpy(f->text, text, len);
	f->text[len] = 0;
	f->len = len;
}

void yaml_file_finish(struct yaml_file *f)
{
	g_clear_pointer(&f->path, g_free);
	g_clear_pointer(&f->text, g_free);
	f->len = 0;
}

/*
 * What libcyaml tells about one mistake, put together from its lines:
 *   "Load: Unexpected key: nme", "Load: Backtrace:", "  in mapping (line: 4, column: 3)",
 *   "  in sequence entry '2' (line: 4, column: 3)", "  in mapping field 'users' (line: 3, ..."
 */
struct yaml_trouble {
	char *what;
	/* Outermost first, as "users[2].name". */
	char *field;
	size_t line;
	/* The innermost place was told, and it was a field of a mapping. */
	bool placed, in_field;
};

static void yaml_trouble_place(struct yaml_trouble *t, const char *text)
{
	const char *at = strstr(text, "(line: "), *name = strchr(text, '\'');
	char *inner = t->field;
	g_autofree char *step = NULL;

	if (!t->placed) {
		t->placed = true;
		t->in_field = strstr(text, "mapping field");
		t->line = at ? strtoul(at + strlen("(line: "), NULL, 10) : 0;
	}
	if (!name || !strchr(name + 1, '\''))
		return;
	step = g_strndup(name + 1, (size_t)(strchr(name + 1, '\'') - name - 1));
	t->field = g_strdup_printf(strstr(text, "sequence entry") ? "[%s]%s%s" : "%s%s%s", step,
		inner && inner[0] != '[' ? "." : "", inner ?: "");
	g_free(inner);
}

static void yaml_trouble_log(cyaml_log_t level, void *opaque, const char *fmt, va_list ap)
{
	struct yaml_trouble *t = opaque;
	g_autofree char *text = NULL;

	if (level < CYAML_LOG_WARNING)
		return;
	text = g_strchomp(g_strdup_vprintf(fmt, ap));
	if (g_str_has_prefix(text, "  in "))
		yaml_trouble_place(t, text);
	else if (!t->what && !strstr(text, "Backtrace"))
		t->what =
			g_strdup(g_str_has_prefix(text, "Load: ") ? text + strlen("Load: ") : text);
}

/*
 * For a key that is not known or missing, libcyaml tells the place of the field before it: the key
 * belongs to the mapping around that.
 */
static void yaml_trouble_find_key(struct yaml_trouble *t, const struct yaml_file *f)
{
	static const char *const about_keys[] = { "Unexpected key: ",
		"Missing required mapping field: " };

	for (size_t i = 0; t->what && i < ARRAY_LEN(about_keys); i++) {
		const char *key = t->what + strlen(about_keys[i]);
		char *last = t->field ? MAX(strrchr(t->field, '.'), strrchr(t->field, ']')) : NULL;
		char *path;

		if (!g_str_has_prefix(t->what, about_keys[i]))
			continue;
		if (t->in_field && t->field)
			*(last ? last + (*last == ']') : t->field) = 0;
		path = g_strdup_printf(
			"%s%s%s", t->field ?: "", t->field && *t->field ? "." : "", key);
		g_free(t->field);
		t->field = path;
		t->line = yaml_file_line(f, path);
	}
}

static const cyaml_config_t *yaml_config(struct yaml_trouble *t, cyaml_config_t *config)
{
	*config = (cyaml_config_t){
		.log_fn = yaml_trouble_log,
		.log_ctx = t,
		.log_level = CYAML_LOG_WARNING,
		.mem_fn = cyaml_mem,
		/* Nested aliases grow a small file into gigabytes; definitions do without. */
		.flags = CYAML_CFG_NO_ALIAS,
	};
	return config;
}

int yaml_file_load(const struct yaml_file *f, const struct cyaml_schema_value *schema, void **data)
{
	struct yaml_trouble t = { 0 };
	cyaml_config_t config;
	cyaml_err_t err;

	*data = NULL;
	err = cyaml_load_data(
		(const uint8_t *)f->text, f->len, yaml_config(&t, &config), schema, data, NULL);
	/* A second document is only warned about; it would be silently without effect. */
	if (err == CYAML_OK && *data && !t.what)
		return 0;
	yaml_trouble_find_key(&t, f);
	if (err == CYAML_OK && !*data)
		log_error("%s: the file is empty", f->path);
	else if (t.line)
		log_error("%s:%zu: %s%s%s", f->path, t.line, t.field ?: "", t.field ? ": " : "",
			t.what ?: cyaml_strerror(err));
	else
		log_error("%s: %s", f->path, t.what ?: cyaml_strerror(err));
	yaml_file_free(schema, *data);
	*data = NULL;
	g_free(t.what);
	g_free(t.field);
	return -EINVAL;
}

void yaml_file_free(const struct cyaml_schema_value *schema, void *data)
{
	struct yaml_trouble t = { 0 };
	cyaml_config_t config;

	cyaml_free(yaml_config(&t, &config), schema, data, 0);
	g_free(t.what);
	g_free(t.field);
}

/* The node one step further along the path, which is advanced; NULL where it is not there. */
static yaml_node_t *yaml_step(yaml_document_t *doc, yaml_node_t *node, const char **path)
{
	const char *p = *path;

	if (*p == '[') {
		char *end;
		size_t n = strtoul(p + 1, &end, 10);

		*path = *end == ']' ? end + 1 : end;
		if (node->type != YAML_SEQUENCE_NODE || n < 1 ||
			n > (size_t)(node->data.sequence.items.top -
				     node->data.sequence.items.start))
			return NULL;
		return yaml_document_get_node(doc, node->data.sequence.items.start[n - 1]);
	}
	p += *p == '.';
	*path = p + strcspn(p, ".[");
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *i = node->data.mapping.pairs.start; i < node->data.mapping.pairs.top;
		i++) {
		yaml_node_t *key = yaml_document_get_node(doc, i->key);

		if (key && key->type == YAML_SCALAR_NODE &&
			key->data.scalar.length == (size_t)(*path - p) &&
			!memcmp(key->data.scalar.value, p, key->data.scalar.length))
			return yaml_document_get_node(doc, i->value);
	}
	return NULL;
}

size_t yaml_file_line(const struct yaml_file *f, const char *field)
{
	yaml_parser_t parser;
	yaml_document_t doc;
	size_t line = 0;

	if (!yaml_parser_initialize(&parser))
		return 1;
	yaml_parser_set_input_string(&parser, (const unsigned char *)f->text, f->len);
	if (yaml_parser_load(&parser, &doc)) {
		yaml_node_t *node = yaml_document_get_root_node(&doc);

		while (node) {
			line = node->start_mark.line;
			node = *field ? yaml_step(&doc, node, &field) : NULL;
		}
		yaml_document_delete(&doc);
	}
	yaml_parser_delete(&parser);
	return line + 1;
}

int yaml_file_complain(const struct yaml_file *f, const char *field, const char *fmt, ...)
{
	g_autofree char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	message = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	log_error("%s:%zu: %s: %s", f->path, yaml_file_line(f, field), field, message);
	return -EINVAL;
}
