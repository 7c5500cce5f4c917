/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/options_value.h"

#include <errno.h>
#include <string.h>

#include <glib.h>

#include "display/scanout.h"
#include "util/bytes.h"
#include "util/nearest.h"

#define MEMORY_MIN (16 * MIB)
#define MEMORY_MAX (4096 * GIB)

enum { NAME_LEN_MAX = 63, KEYMAP_LEN_MAX = 32 };

char *option_suggest(const char *word, const char *prefix, const char *const *names)
{
	const char *near = nearest_name(word, names);

	return near ? g_strdup_printf("; did you mean %s%s", prefix, near) : g_strdup("");
}

char *option_later(void)
{
	return g_strdup("this version does not have it; leave it out");
}

void option_set(char **where, const char *text)
{
	g_free(*where);
	*where = g_strdup(text);
}

bool option_number(const char *text, uint64_t max, uint64_t *n)
{
	char *end;

	if (!g_ascii_isdigit(*text))
		return false;
	errno = 0;
	*n = g_ascii_strtoull(text, &end, 10);
	return !errno && !*end && *n <= max;
}

char *option_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] ? strchr(units, g_ascii_toupper(text[digits])) : NULL;
	g_autofree char *number = g_strndup(text, digits);
	uint64_t n, size;

	if (!unit || text[digits + 1] || !option_number(number, UINT64_MAX, &n))
		return g_strdup("not a size; write 512M or 2G");
	if (__builtin_mul_overflow(n, 1ull << (10 * (unit - units + 1)), &size) ||
		size < MEMORY_MIN || size > MEMORY_MAX)
		return g_strdup("not within 16M and 4T");
	if (size % (2 * MIB))
		return g_strdup("not a multiple of 2M");
	*bytes = size;
	return NULL;
}

char *option_count(const char *text, unsigned min, unsigned max, unsigned *n)
{
	uint64_t v;

	if (!option_number(text, max, &v) || v < min)
		return g_strdup_printf("not a number from %u to %u", min, max);
	*n = (unsigned)v;
	return NULL;
}

char *option_name(const char *text)
{
	size_t len = strlen(text);

	for (const char *p = text; *p; p++)
		if (!g_ascii_isalnum(*p) && (p == text || !strchr("._-", *p)))
			len = 0;
	if (!len || len > NAME_LEN_MAX)
		return g_strdup_printf(
			"not a name; write up to %d letters, digits and . _ -, a letter "
			"or digit first",
			NAME_LEN_MAX);
	return NULL;
}

/* ---- lists ---- */

char **option_words(const char *text)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	GString *word = g_string_new(NULL);

	for (; *text; text++) {
		if (*text != ',') {
			g_string_append_c(word, *text);
		} else if (text[1] == ',') {
			g_string_append_c(word, *text++);
		} else {
			g_ptr_array_add(words, g_string_free(word, FALSE));
			word = g_string_new(NULL);
		}
	}
	g_ptr_array_add(words, g_string_free(word, FALSE));
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_steal(words, NULL);
}

char *option_key(char *word, const char *const *known, unsigned *key, const char **value)
{
	g_autofree char *suggestion = NULL;
	char *equals = strchr(word, '=');

	if (equals)
		*equals = 0;
	for (unsigned i = 0; known[i]; i++) {
		if (strcmp(known[i], word) != 0)
			continue;
		if (!equals || !equals[1])
			return g_strdup_printf("'%s' needs a value; write %s=…", word, word);
		*key = i;
		*value = equals + 1;
		return NULL;
	}
	suggestion = option_suggest(word, "", known);
	return g_strdup_printf("'%s' is not known here%s", word, suggestion);
}

char *option_bool(const char *key, const char *text, bool *on)
{
	*on = !strcmp(text, "on");
	if (*on || !strcmp(text, "off"))
		return NULL;
	return g_strdup_printf("%s=%s: write %s=on or %s=off", key, text, key, key);
}

char *option_display(const char *text, struct vmm_options *o)
{
	static const char *const keys[] = { "heads", NULL };
	g_auto(GStrv) words = option_words(text);
	g_auto(GStrv) sides = g_strsplit(words[0], "x", 2);
	uint64_t size[2];
	const char *value;
	unsigned key;
	char *err;

	if (g_strv_length(sides) != 2 || !option_number(sides[0], UINT32_MAX, &size[0]) ||
		!option_number(sides[1], UINT32_MAX, &size[1]))
		return g_strdup("not a screen; write 1280x800 or 1280x800,heads=2");
	for (int i = 0; i < 2; i++)
		if (size[i] < SCANOUT_SIZE_MIN || size[i] > SCANOUT_SIZE_MAX)
			return g_strdup_printf("a side may have %u to %u pixels", SCANOUT_SIZE_MIN,
				SCANOUT_SIZE_MAX);
	o->width = (unsigned)size[0];
	o->height = (unsigned)size[1];
	o->heads = 1;
	for (char **w = words + 1; *w; w++) {
		err = option_key(*w, keys, &key, &value);
		if (err)
			return err;
		err = option_count(value, 1, OPTIONS_HEADS_MAX, &o->heads);
		if (err) {
			g_free(err);
			return g_strdup_printf("heads=%s: 1 to %d", value, OPTIONS_HEADS_MAX);
		}
	}
	return NULL;
}

static char *option_disk_serial(const char *text, char serial[OPTIONS_SERIAL_MAX + 1])
{
	size_t len = strlen(text);

	for (const char *p = text; *p; p++)
		if (!g_ascii_isgraph(*p))
			len = OPTIONS_SERIAL_MAX + 1;
	if (len > OPTIONS_SERIAL_MAX)
		return g_strdup_printf(
			"serial=%s: up to %d printable ASCII characters", text, OPTIONS_SERIAL_MAX);
	strcpy(serial, text);
	return NULL;
}

static char *option_format(const char *text)
{
	if (!strcmp(text, "raw"))
		return NULL;
	if (!strcmp(text, "qcow2"))
		return g_strdup(
			"format=qcow2: this version does not have it; convert the disk with "
			"qemu-img convert -O raw");
	return g_strdup_printf("format=%s: write format=raw", text);
}

char *option_disk(const char *text, struct options_disk *disk)
{
	static const char *const keys[] = { "path", "format", "readonly", "snapshot", "serial",
		NULL };
	enum { PATH, FORMAT, READONLY, SNAPSHOT, SERIAL };
	g_auto(GStrv) words = option_words(text);
	unsigned seen = 0;

	for (char **w = words; *w; w++) {
		const char *value;
		unsigned key;
		char *err = option_key(*w, keys, &key, &value);

		if (err)
			return err;
		if (seen & 1u << key)
			return g_strdup_printf("%s= stands there twice", keys[key]);
		seen |= 1u << key;
		switch (key) {
		case PATH:
			option_set(&disk->path, value);
			break;
		case FORMAT:
			err = option_format(value);
			break;
		case READONLY:
			err = option_bool("readonly", value, &disk->readonly);
			break;
		case SNAPSHOT:
			err = option_bool("snapshot", value, &disk->snapshot);
			break;
		case SERIAL:
			err = option_disk_serial(value, disk->serial);
			break;
		}
		if (err)
			return err;
	}
	if (!(seen & 1u << PATH))
		return g_strdup("no path; write path=FILE,format=raw");
	if (!(seen & 1u << FORMAT))
		return g_strdup("no format; add format=raw (formats are named, never guessed)");
	return NULL;
}

static bool option_xkb_name(const char *text)
{
	size_t len = strlen(text);

	return len && len <= KEYMAP_LEN_MAX &&
	       strspn(text, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_-") == len;
}

char *option_keymap(const char *text, char **layout, char **variant)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", 2);

	if (!parts[0] || !option_xkb_name(parts[0]) || (parts[1] && !option_xkb_name(parts[1])))
		return g_strdup("not a keyboard layout; write us, de or de:nodeadkeys");
	option_set(layout, parts[0]);
	option_set(variant, parts[1] ? parts[1] : "");
	return NULL;
}
