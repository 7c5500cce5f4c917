/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/image_def.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "profiles/image_check.h"
#include "profiles/yaml_file.h"
#include "util/bytes.h"

#define OPT          CYAML_FLAG_OPTIONAL
#define OPT_PTR      (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER)
#define LINE_MAX_LEN 4096
#define MANY         2000
#define TEXT_MAX     262144

/* cyaml takes any word for a true boolean, hence an enumeration. Both spellings of YAML are known. */
static const cyaml_strval_t no_yes[] = { { "no", false }, { "yes", true }, { "false", false },
	{ "true", true } };
#define FIELD_BOOL(key, structure, member) \
	CYAML_FIELD_ENUM(key, OPT | CYAML_FLAG_STRICT, structure, member, no_yes, 4)

static const cyaml_schema_value_t word = { CYAML_VALUE_STRING(
	CYAML_FLAG_POINTER, char *, 0, LINE_MAX_LEN) };
#define FIELD_STRING(key, flags, structure, member) \
	CYAML_FIELD_STRING_PTR(                     \
		key, CYAML_FLAG_POINTER | (flags), structure, member, 0, LINE_MAX_LEN)
#define FIELD_WORDS(key, structure, member) \
	CYAML_FIELD_SEQUENCE(key, OPT_PTR, structure, member, &word, 0, MANY)

static const cyaml_schema_field_t user_fields[] = {
	FIELD_STRING("name", 0, struct image_user, name),
	FIELD_STRING("full_name", OPT, struct image_user, full_name),
	FIELD_WORDS("groups", struct image_user, groups),
	FIELD_STRING("password", OPT, struct image_user, password),
	FIELD_BOOL("autologin", struct image_user, autologin),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t user_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct image_user, user_fields),
};

static const cyaml_schema_field_t file_fields[] = {
	FIELD_STRING("path", 0, struct image_file, path),
	FIELD_STRING("mode", OPT, struct image_file, mode),
	FIELD_STRING("owner", OPT, struct image_file, owner),
	CYAML_FIELD_STRING_PTR("content", OPT_PTR, struct image_file, content, 0, TEXT_MAX),
	FIELD_STRING("source", OPT, struct image_file, source),
	FIELD_BOOL("early", struct image_file, early),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t file_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct image_file, file_fields),
};

static const cyaml_schema_field_t desktop_fields[] = {
	FIELD_STRING("session", 0, struct image_desktop, session),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t image_fields[] = {
	FIELD_STRING("description", OPT, struct image_def, description),
	FIELD_STRING("suite", 0, struct image_def, suite),
	FIELD_STRING("mirror", OPT, struct image_def, mirror),
	FIELD_WORDS("components", struct image_def, components),
	FIELD_WORDS("packages", struct image_def, packages),
	FIELD_STRING("kernel", OPT, struct image_def, kernel),
	FIELD_WORDS("exclude", struct image_def, exclude),
	FIELD_WORDS("keep", struct image_def, keep),
	FIELD_STRING("size", 0, struct image_def, size),
	FIELD_STRING("hostname", OPT, struct image_def, hostname),
	CYAML_FIELD_SEQUENCE("users", OPT_PTR, struct image_def, users, &user_schema, 0, 100),
	CYAML_FIELD_SEQUENCE("files", OPT_PTR, struct image_def, files, &file_schema, 0, 1000),
	FIELD_WORDS("build", struct image_def, build),
	FIELD_WORDS("first_boot", struct image_def, first_boot),
	CYAML_FIELD_MAPPING_PTR("desktop", OPT_PTR, struct image_def, desktop, desktop_fields),
	FIELD_STRING("serial_login", OPT, struct image_def, serial_login),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t image_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct image_def, image_fields),
};

bool image_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= 64 && g_ascii_isalnum(name[0]) &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") == len;
}

bool image_size_parse(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	uint64_t n;

	if (!g_ascii_isdigit(text[0]))
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (errno || !unit || end[1])
		return false;
	return !__builtin_mul_overflow(n, KIB << 10 * (unit - units), bytes);
}

/* A file that the definition brings along: below its own folder, whatever links say. */
static int image_file_read(const struct yaml_file *y, struct image_file *file, const char *field)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	g_autofree char *folder = g_path_get_dirname(y->path),
			*where = g_strconcat(field, ".source", NULL);
	int dir, fd, ret = 0;
	struct stat st;

	dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, file->source, &how, sizeof how);
	if (fd < 0)
		ret = yaml_file_complain(y, where, "%s: %s%s", file->source, strerror(errno),
			errno == EXDEV ? "; it must lie below the definition's folder" : "");
	else if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > (off_t)(64 * MIB))
		ret = yaml_file_complain(
			y, where, "%s: not a file of at most 64 MiB", file->source);
	if (!ret) {
		file->bytes = g_malloc((size_t)st.st_size + 1);
		file->len = (size_t)st.st_size;
		if (pread(fd, file->bytes, file->len, 0) != (ssize_t)file->len)
			ret = yaml_file_complain(y, where, "%s: cannot be read", file->source);
	}
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return ret;
}

static int image_def_read_files(const struct yaml_file *y, struct image_def *def)
{
	for (unsigned i = 0; i < def->files_count; i++) {
		struct image_file *file = &def->files[i];
		g_autofree char *field = g_strdup_printf("files[%u]", i + 1);
		int ret;

		if (!file->source == !file->content)
			return yaml_file_complain(y, field, "wants one of content and source");
		if (file->content) {
			file->bytes = g_strdup(file->content);
			file->len = strlen(file->content);
			continue;
		}
		ret = image_file_read(y, file, field);
		if (ret)
			return ret;
	}
	return 0;
}

/* cyaml's own strings, so that cyaml_free() frees them like the rest. */
static void image_def_fill_in(struct image_def *def)
{
	if (!def->kernel)
		def->kernel = strdup("linux-image-amd64");
	if (!def->hostname)
		def->hostname = strdup("desktop");
	if (!def->components_count) {
		def->components = calloc(1, sizeof *def->components);
		def->components[def->components_count++] = strdup("main");
	}
	for (unsigned i = 0; i < def->users_count; i++)
		if (def->users[i].password && !strcmp(def->users[i].password, "none"))
			g_clear_pointer(&def->users[i].password, free);
}

int image_def_load(struct image_def **out, const char *path)
{
	struct yaml_file y;
	struct image_def *def;
	int ret;

	*out = NULL;
	ret = yaml_file_read(&y, path);
	if (ret)
		return ret;
	ret = yaml_file_load(&y, &image_schema, (void **)&def);
	if (ret) {
		yaml_file_finish(&y);
		return ret;
	}
	for (unsigned i = 0; i < def->files_count; i++)
		def->files[i].bytes = NULL;
	def->text = g_strndup(y.text, y.len);
	def->name = g_path_get_basename(path);
	if (g_str_has_suffix(def->name, ".yaml"))
		def->name[strlen(def->name) - strlen(".yaml")] = 0;
	image_def_fill_in(def);
	ret = image_check(&y, def) ?: image_def_read_files(&y, def);
	yaml_file_finish(&y);
	if (ret) {
		image_def_free(def);
		return ret;
	}
	*out = def;
	return 0;
}

void image_def_free(struct image_def *def)
{
	if (!def)
		return;
	for (unsigned i = 0; i < def->files_count; i++)
		g_free(def->files[i].bytes);
	g_free(def->name);
	g_free(def->text);
	yaml_file_free(&image_schema, def);
}

const struct image_user *image_def_autologin(const struct image_def *def)
{
	for (unsigned i = 0; i < def->users_count; i++)
		if (def->users[i].autologin)
			return &def->users[i];
	return NULL;
}
