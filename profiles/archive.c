/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "util/log.h"

#define ARCHIVE_ARCH "amd64"

static void archive_source_free(void *opaque)
{
	struct archive_source *s = opaque;

	g_free(s->uri);
	g_free(s->suite);
	g_free(s->components);
	g_free(s);
}

static void archive_add(
	GPtrArray *sources, const char *uri, const char *suite, const char *components)
{
	struct archive_source *s = g_new0(struct archive_source, 1);

	s->uri = g_strdup(uri);
	while (g_str_has_suffix(s->uri, "/"))
		s->uri[strlen(s->uri) - 1] = 0;
	s->suite = g_strdup(suite);
	s->components = g_strdup(components);
	g_ptr_array_add(sources, s);
}

static bool archive_has_component(const struct image_def *def, const char *component)
{
	for (unsigned i = 0; i < def->components_count; i++)
		if (!strcmp(def->components[i], component))
			return true;
	return false;
}

/* apt lists each component by itself: those of one suite at one place become one source. */
static void archive_add_component(
	GPtrArray *sources, const char *uri, const char *suite, const char *component)
{
	for (unsigned i = 0; i < sources->len; i++) {
		struct archive_source *s = sources->pdata[i];
		char *longer;

		if (strcmp(s->uri, uri) || strcmp(s->suite, suite))
			continue;
		longer = g_strdup_printf("%s %s", s->components, component);
		g_free(s->components);
		s->components = longer;
		return;
	}
	archive_add(sources, uri, suite, component);
}

static bool archive_of_suite(const char *suite, const char *wanted)
{
	size_t len = strlen(wanted);

	return !strncmp(suite, wanted, len) && (!suite[len] || !strcmp(suite + len, "-updates") ||
						       !strcmp(suite + len, "-security"));
}

static void archive_add_own(GPtrArray *sources, const struct image_def *def)
{
	char *argv[] = { "apt-get", "indextargets", "--format",
		"$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages", NULL };
	g_autofree char *out = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
		    NULL, &out, NULL, NULL, NULL))
		return;
	lines = g_strsplit(out, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) part = g_strsplit(*line, " ", 4);

		if (g_strv_length(part) != 3 || !archive_of_suite(part[1], def->suite) ||
			!archive_has_component(def, part[2]))
			continue;
		while (g_str_has_suffix(part[0], "/"))
			part[0][strlen(part[0]) - 1] = 0;
		archive_add_component(sources, part[0], part[1], part[2]);
	}
}

GPtrArray *archive_sources(const struct image_def *def)
{
	GPtrArray *sources = g_ptr_array_new_with_free_func(archive_source_free);
	GString *components = g_string_new(NULL);

	for (unsigned i = 0; i < def->components_count; i++)
		g_string_append_printf(components, "%s%s", i ? " " : "", def->components[i]);
	if (def->mirror)
		archive_add(sources, def->mirror, def->suite, components->str);
	else
		archive_add_own(sources, def);
	g_string_free(components, TRUE);
	if (sources->len)
		return sources;
	log_error("%s: this machine's apt has no sources for %s: name a mirror in the definition",
		def->name, def->suite);
	g_ptr_array_unref(sources);
	return NULL;
}

char *archive_sources_list(const GPtrArray *sources)
{
	GString *list = g_string_new(NULL);

	for (unsigned i = 0; i < sources->len; i++) {
		const struct archive_source *s = sources->pdata[i];

		g_string_append_printf(list, "deb %s %s %s\n", s->uri, s->suite, s->components);
	}
	return g_string_free(list, FALSE);
}

char *archive_lists_of(const char *in_release, const char *components)
{
	g_auto(GStrv) wanted = g_strsplit(components, " ", -1),
		      lines = g_strsplit(in_release, "\n", -1);
	GString *found = g_string_new(NULL);
	bool in_sha256 = false;

	for (char **c = wanted; *c; c++) {
		g_autofree char *ending =
			g_strdup_printf(" %s/binary-%s/Packages", *c, ARCHIVE_ARCH);

		for (char **line = lines; *line; line++) {
			if ((*line)[0] != ' ')
				in_sha256 = g_str_has_prefix(*line, "SHA256:");
			else if (in_sha256 && g_str_has_suffix(*line, ending))
				g_string_append_printf(found, "%s\n", *line);
		}
	}
	if (!found->len)
		g_string_append(found, in_release);
	return g_string_free(found, FALSE);
}

/* apt's own downloader knows this machine's proxies, certificates and file: addresses. */
static char *archive_fetch(const char *folder, const struct archive_source *s, char **why)
{
	g_autofree char *uri = g_strdup_printf("%s/dists/%s/InRelease", s->uri, s->suite);
	g_autofree char *path = g_build_filename(folder, "InRelease", NULL), *said = NULL;
	char *argv[] = { "/usr/lib/apt/apt-helper", "-oAPT::Sandbox::User=", "-oAcquire::Retries=1",
		"-oAcquire::http::Timeout=10", "-oAcquire::https::Timeout=10", "download-file", uri,
		path, NULL };
	char *text = NULL;
	int status = -1;

	if (g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said,
		    &status, NULL) &&
		status == 0 && g_file_get_contents(path, &text, NULL, NULL))
		g_unlink(path);
	else
		*why = g_strdup_printf("%s cannot be fetched", uri);
	return text;
}

char *archive_state(const GPtrArray *sources, char **why)
{
	g_autofree char *folder = g_dir_make_tmp("hotdesk-XXXXXX", NULL);
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	bool ok = folder;

	*why = NULL;
	if (!folder)
		*why = g_strdup("no temporary folder can be made");
	for (unsigned i = 0; ok && i < sources->len; i++) {
		const struct archive_source *s = sources->pdata[i];
		g_autofree char *text = archive_fetch(folder, s, why);
		g_autofree char *lists = text ? archive_lists_of(text, s->components) : NULL;

		ok = lists;
		if (ok) {
			g_checksum_update(sum, (const guchar *)s->uri, -1);
			g_checksum_update(sum, (const guchar *)s->suite, -1);
			g_checksum_update(sum, (const guchar *)lists, -1);
		}
	}
	if (folder)
		g_rmdir(folder);
	return ok ? g_strdup(g_checksum_get_string(sum)) : NULL;
}
