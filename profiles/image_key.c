/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/image_build.h"

#include <string.h>

#include "profiles/image_guest.h"

/* Raised when the same definition is to give another image: what this program does has changed. */
#define IMAGE_BUILDER "hotdesk image builder 1"

/* Lengths go in too, so that no two lists of files run together into the same bytes. */
static void key_add(GChecksum *sum, const char *name, const char *bytes, size_t len)
{
	uint64_t size = len;

	g_checksum_update(sum, (const guchar *)name, (gssize)strlen(name) + 1);
	g_checksum_update(sum, (const guchar *)&size, sizeof size);
	g_checksum_update(sum, (const guchar *)bytes, (gssize)len);
}

char *image_key(const struct image_def *def, const GPtrArray *guest, const char *archives)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

	key_add(sum, IMAGE_BUILDER, def->text, strlen(def->text));
	for (unsigned i = 0; i < def->files_count; i++)
		key_add(sum, def->files[i].path, def->files[i].bytes, def->files[i].len);
	for (unsigned i = 0; i < guest->len; i++) {
		const struct image_guest_file *file = guest->pdata[i];

		key_add(sum, file->target, file->bytes, file->len);
	}
	return g_strdup_printf("%s-%s", g_checksum_get_string(sum), archives);
}
