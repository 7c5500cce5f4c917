/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/image_check.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Words are matched by the characters that they may begin with and go on with. */
struct word_kind {
	const char *first, *rest;
	size_t max;
	const char *wanted;
};
static const struct word_kind
	suite_word = { LOWER, LOWER DIGITS "-.", 64, "a suite like bookworm" },
	component_word = { LOWER, LOWER DIGITS "-", 64, "a component like main" },
	package_word = { LOWER DIGITS, LOWER DIGITS "+.-", 128, "the name of a package" },
	account_word = { LOWER "_", LOWER DIGITS "_-", 32, "a name of a-z, 0-9, _ and -" },
	host_word = { LOWER DIGITS, LOWER DIGITS "-", 63, "a host name of a-z, 0-9 and -" },
	pattern_word = { "/", LOWER UPPER DIGITS "/_.+*?-", 256,
		"an absolute pattern like /usr/share/man/*" },
	hash_word = { "$", LOWER UPPER DIGITS "$./,=+-", 256,
		"a crypt hash as of 'openssl passwd -6', or none" };

static bool is_word(const char *text, const struct word_kind *kind)
{
	size_t len = strlen(text);

	return len >= 1 && len <= kind->max && strchr(kind->first, text[0]) &&
	       strspn(text + 1, kind->rest) == len - 1;
}

static int check_word(const struct yaml_file *y, const char *field, const char *text,
	const struct word_kind *kind)
{
	return is_word(text, kind)
		       ? 0
		       : yaml_file_complain(y, field, "'%s' is not %s", text, kind->wanted);
}

static int check_words(const struct yaml_file *y, const char *field, char **words, unsigned count,
	const struct word_kind *kind)
{
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *entry = g_strdup_printf("%s[%u]", field, i + 1);

		if (check_word(y, entry, words[i], kind))
			return -EINVAL;
	}
	return 0;
}

/* One line of text: control characters would end a line of the script or the unit it goes into. */
static bool is_line(const char *text)
{
	if (!g_utf8_validate(text, -1, NULL))
		return false;
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return text[strspn(text, " ")];
}

static int check_commands(
	const struct yaml_file *y, const char *field, char **commands, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *entry = g_strdup_printf("%s[%u]", field, i + 1);

		if (!is_line(commands[i]))
			return yaml_file_complain(y, entry,
				"a command is one line; longer ones go into a script under files");
	}
	return 0;
}

static int check_user(const struct yaml_file *y, const struct image_def *def, unsigned i)
{
	const struct image_user *user = &def->users[i];
	g_autofree char *field = g_strdup_printf("users[%u]", i + 1);
	g_autofree char *name = g_strconcat(field, ".name", NULL);
	g_autofree char *full_name = g_strconcat(field, ".full_name", NULL);
	g_autofree char *groups = g_strconcat(field, ".groups", NULL);
	g_autofree char *password = g_strconcat(field, ".password", NULL);
	g_autofree char *autologin = g_strconcat(field, ".autologin", NULL);

	if (check_word(y, name, user->name, &account_word))
		return -EINVAL;
	if (!strcmp(user->name, "root"))
		return yaml_file_complain(
			y, name, "root is there already and stays without a password");
	for (unsigned k = 0; k < i; k++)
		if (!strcmp(def->users[k].name, user->name))
			return yaml_file_complain(y, name, "'%s' stands here twice", user->name);
	if (user->full_name && (!is_line(user->full_name) || strpbrk(user->full_name, ":,")))
		return yaml_file_complain(y, full_name, "a name is one line without ':' and ','");
	if (check_words(y, groups, user->groups, user->groups_count, &account_word))
		return -EINVAL;
	/* A password in clear text would end up in the image, in caches and in logs. */
	if (user->password &&
		(!is_word(user->password, &hash_word) || !strchr(user->password + 1, '$')))
		return yaml_file_complain(y, password, "wants %s", hash_word.wanted);
	if (user->autologin && !def->desktop)
		return yaml_file_complain(y, autologin, "there is no desktop.session to log in to");
	if (user->autologin && image_def_autologin(def) != user)
		return yaml_file_complain(y, autologin, "only one user can have the first screen");
	return 0;
}

static bool has_user(const struct image_def *def, const char *name)
{
	for (unsigned i = 0; i < def->users_count; i++)
		if (!strcmp(def->users[i].name, name))
			return true;
	return false;
}

/* Absolute and plain: no "//", "." or ".." steps, no trailing '/', one line. */
static bool is_plain_path(const char *path)
{
	if (path[0] != '/' || strlen(path) > 1024 || !is_line(path))
		return false;
	for (const char *p = path; *p; p += strcspn(p, "/")) {
		size_t len;

		p++;
		len = strcspn(p, "/");
		if (len == 0 || (len == 1 && p[0] == '.') ||
			(len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
	}
	return true;
}

static int check_file(const struct yaml_file *y, const struct image_def *def, unsigned i)
{
	/* Clones would share these: they are made at the first boot. */
	static const char *const unique[] = { "/etc/machine-id", "/var/lib/dbus/machine-id",
		"/etc/ssh/ssh_host_", "/var/lib/systemd/random-seed" };
	struct image_file *file = &def->files[i];
	g_autofree char *path = g_strdup_printf("files[%u].path", i + 1);
	g_autofree char *mode = g_strdup_printf("files[%u].mode", i + 1);
	g_autofree char *owner = g_strdup_printf("files[%u].owner", i + 1);
	g_autofree char *early = g_strdup_printf("files[%u].early", i + 1);
	char *end;

	if (!is_plain_path(file->path))
		return yaml_file_complain(
			y, path, "'%s' is not an absolute path without '..'", file->path);
	for (size_t k = 0; k < ARRAY_LEN(unique); k++)
		if (g_str_has_prefix(file->path, unique[k]))
			return yaml_file_complain(
				y, path, "every desktop makes its own; an image holds none");
	file->mode_bits = 0644;
	if (file->mode) {
		file->mode_bits = (unsigned)strtoul(file->mode, &end, 8);
		if (!g_ascii_isdigit(file->mode[0]) || *end || file->mode_bits > 07777)
			return yaml_file_complain(
				y, mode, "'%s' is not an octal mode like \"0644\"", file->mode);
	}
	if (file->owner && !has_user(def, file->owner))
		return yaml_file_complain(y, owner, "'%s' is not one of the users", file->owner);
	/* Nothing but these folders is there before the packages, and /bin and /lib become links. */
	if (file->early && (file->owner || !(g_str_has_prefix(file->path, "/etc/") ||
						   g_str_has_prefix(file->path, "/usr/"))))
		return yaml_file_complain(
			y, early, "early files lie in /etc or /usr and are root's");
	return 0;
}

static int check_mirror(const struct yaml_file *y, const char *mirror)
{
	static const char *const schemes[] = { "http://", "https://", "file:///" };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (g_str_has_prefix(mirror, schemes[i]) && mirror[strlen(schemes[i])] &&
			strspn(mirror, LOWER UPPER DIGITS ":/._~%+-@") == strlen(mirror))
			return 0;
	return yaml_file_complain(
		y, "mirror", "'%s' is not an http, https or file address", mirror);
}

int image_check(const struct yaml_file *y, struct image_def *def)
{
	if (!image_name_valid(def->name))
		return yaml_file_complain(y, "",
			"'%s' is no name for an image: the file is named a-z, 0-9, '-', '.', '_'",
			def->name);
	if (check_word(y, "suite", def->suite, &suite_word) ||
		(def->mirror && check_mirror(y, def->mirror)) ||
		check_words(
			y, "components", def->components, def->components_count, &component_word) ||
		check_words(y, "packages", def->packages, def->packages_count, &package_word) ||
		check_word(y, "kernel", def->kernel, &package_word) ||
		check_words(y, "exclude", def->exclude, def->exclude_count, &pattern_word) ||
		check_words(y, "keep", def->keep, def->keep_count, &pattern_word) ||
		check_word(y, "hostname", def->hostname, &host_word))
		return -EINVAL;
	if (!image_size_parse(def->size, &def->size_bytes) || def->size_bytes < 512 * MIB ||
		def->size_bytes > 16 * 1024 * GIB)
		return yaml_file_complain(
			y, "size", "'%s' is not a size between 512M and 16T", def->size);
	if (def->desktop && !is_line(def->desktop->session))
		return yaml_file_complain(
			y, "desktop.session", "a session is one command on one line");
	for (unsigned i = 0; i < def->users_count; i++)
		if (check_user(y, def, i))
			return -EINVAL;
	if (def->desktop && !image_def_autologin(def))
		return yaml_file_complain(
			y, "desktop", "one of the users must have autologin: yes");
	if (def->serial_login && !has_user(def, def->serial_login))
		return yaml_file_complain(
			y, "serial_login", "'%s' is not one of the users", def->serial_login);
	for (unsigned i = 0; i < def->files_count; i++)
		if (check_file(y, def, i))
			return -EINVAL;
	return check_commands(y, "build", def->build, def->build_count)
		       ?: check_commands(y, "first_boot", def->first_boot, def->first_boot_count);
}
