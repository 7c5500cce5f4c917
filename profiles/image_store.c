/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/image_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>

#include "profiles/image_def.h"
#include "util/log.h"

char *image_store_dir(const char *override)
{
	const char *environment = g_getenv("HOTDESK_IMAGES");

	if (override)
		return g_strdup(override);
	if (environment && *environment)
		return g_strdup(environment);
	if (geteuid() == 0)
		return g_strdup("/var/lib/hotdesk/images");
	return g_build_filename(g_get_user_data_dir(), "hotdesk", "images", NULL);
}

void image_version_free(void *version)
{
	struct image_version *v = version;

	if (!v)
		return;
	g_free(v->name);
	g_free(v->version);
	g_free(v->path);
	g_free(v->kernel);
	g_free(v->key);
	g_free(v);
}

/* A string member, or NULL where it is absent or something else. */
static char *image_json_string(JsonObject *object, const char *member)
{
	JsonNode *node = json_object_get_member(object, member);

	if (!node || !JSON_NODE_HOLDS_VALUE(node) ||
		json_node_get_value_type(node) != G_TYPE_STRING)
		return NULL;
	return json_node_dup_string(node);
}

static uint64_t image_json_number(JsonObject *object, const char *member)
{
	JsonNode *node = json_object_get_member(object, member);
	gint64 n = node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_int(node) : 0;

	return n > 0 ? (uint64_t)n : 0;
}

struct image_version *image_version_read(const char *path)
{
	g_autofree char *file = g_build_filename(path, "image.json", NULL);
	g_autofree char *disk = g_build_filename(path, "disk.raw", NULL);
	g_autoptr(JsonParser) parser = json_parser_new();
	struct image_version *v;
	JsonObject *object;
	struct stat st;

	if (stat(disk, &st) || !json_parser_load_from_file(parser, file, NULL) ||
		!JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
		return NULL;
	object = json_node_get_object(json_parser_get_root(parser));
	v = g_new0(struct image_version, 1);
	v->path = g_strdup(path);
	v->name = image_json_string(object, "name");
	v->version = image_json_string(object, "version");
	v->kernel = image_json_string(object, "kernel");
	v->key = image_json_string(object, "key");
	v->created = (time_t)image_json_number(object, "created");
	v->seconds = image_json_number(object, "seconds");
	v->size = (uint64_t)st.st_size;
	v->allocated = (uint64_t)st.st_blocks * 512;
	if (v->name && v->version && v->kernel && v->key)
		return v;
	image_version_free(v);
	return NULL;
}

int image_version_write(const struct image_version *v, const char *path)
{
	g_autofree char *file = g_build_filename(path, "image.json", NULL), *text = NULL;
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;
	g_autoptr(GError) error = NULL;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "name");
	json_builder_add_string_value(b, v->name);
	json_builder_set_member_name(b, "version");
	json_builder_add_string_value(b, v->version);
	json_builder_set_member_name(b, "kernel");
	json_builder_add_string_value(b, v->kernel);
	json_builder_set_member_name(b, "key");
	json_builder_add_string_value(b, v->key);
	json_builder_set_member_name(b, "created");
	json_builder_add_int_value(b, v->created);
	json_builder_set_member_name(b, "seconds");
	json_builder_add_int_value(b, (gint64)v->seconds);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	text = json_to_string(root, TRUE);
	if (g_file_set_contents_full(file, text, -1,
		    G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644, &error))
		return 0;
	log_error("%s", error->message);
	return -EIO;
}

static char *image_current_version(const char *dir, const char *name)
{
	g_autofree char *link = g_build_filename(dir, name, "current", NULL);

	return g_file_read_link(link, NULL);
}

struct image_version *image_store_current(const char *dir, const char *name)
{
	g_autofree char *version = image_current_version(dir, name), *path = NULL;
	struct image_version *v;

	if (!version)
		return NULL;
	path = g_build_filename(dir, name, version, NULL);
	v = image_version_read(path);
	if (v)
		v->current = true;
	return v;
}

static void image_store_add(GPtrArray *list, const char *dir, const char *name)
{
	g_autofree char *folder = g_build_filename(dir, name, NULL);
	g_autofree char *current = image_current_version(dir, name);
	g_autoptr(GDir) versions = g_dir_open(folder, 0, NULL);
	const char *entry;

	while (versions && (entry = g_dir_read_name(versions))) {
		g_autofree char *path = g_build_filename(folder, entry, NULL);
		struct image_version *v;

		if (entry[0] == '.' || g_file_test(path, G_FILE_TEST_IS_SYMLINK))
			continue;
		v = image_version_read(path);
		if (!v)
			continue;
		v->current = current && !strcmp(current, entry);
		g_ptr_array_add(list, v);
	}
}

static int image_version_compare(const void *a, const void *b)
{
	const struct image_version *x = *(struct image_version *const *)a;
	const struct image_version *y = *(struct image_version *const *)b;
	int by_name = strcmp(x->name, y->name);

	return by_name ? by_name : (x->created < y->created) - (x->created > y->created);
}

GPtrArray *image_store_list(const char *dir)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(image_version_free);
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) names = g_dir_open(dir, 0, &error);
	const char *name;

	if (!names && !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		log_error("%s", error->message);
		g_ptr_array_unref(list);
		return NULL;
	}
	while (names && (name = g_dir_read_name(names)))
		if (image_name_valid(name))
			image_store_add(list, dir, name);
	g_ptr_array_sort(list, image_version_compare);
	return list;
}
