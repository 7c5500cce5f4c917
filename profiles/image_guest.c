/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/image_guest.h"

#include <string.h>

#include "util/bytes.h"
#include "util/log.h"

enum guest_for { FOR_DESKTOP, FOR_SERIAL, FOR_FIRST_BOOT };

static const struct guest_row {
	const char *source, *target;
	unsigned mode;
	enum guest_for why;
} guest_rows[] = {
	{ "hotdesk-session.service", "/etc/systemd/system/hotdesk-session.service", 0644,
		FOR_DESKTOP },
	{ "session", "/usr/lib/hotdesk/session", 0755, FOR_DESKTOP },
	{ "session-client", "/usr/lib/hotdesk/session-client", 0755, FOR_DESKTOP },
	{ "displays", "/usr/lib/hotdesk/displays", 0755, FOR_DESKTOP },
	{ "xorg.conf", "/etc/X11/xorg.conf.d/10-hotdesk.conf", 0644, FOR_DESKTOP },
	{ "systemd-user-sessions.service", "/etc/systemd/system/systemd-user-sessions.service",
		0644, FOR_DESKTOP },
	{ "70-hotdesk.rules", "/etc/udev/rules.d/70-hotdesk.rules", 0644, FOR_DESKTOP },
	{ "serial-login.conf", "/etc/systemd/system/serial-getty@ttyS0.service.d/hotdesk.conf",
		0644, FOR_SERIAL },
	{ "hotdesk-first-boot.service", "/etc/systemd/system/hotdesk-first-boot.service", 0644,
		FOR_FIRST_BOOT },
};

static bool guest_wants(const struct image_def *def, enum guest_for why)
{
	switch (why) {
	case FOR_DESKTOP:
		return def->desktop;
	case FOR_SERIAL:
		return def->serial_login;
	case FOR_FIRST_BOOT:
		break;
	}
	/* Always: keys of an SSH server are made then, too. */
	return true;
}

static void guest_file_free(void *opaque)
{
	struct image_guest_file *file = opaque;

	g_free(file->bytes);
	g_free(file);
}

static char *guest_fill_in(const char *text, const struct image_def *def)
{
	const struct image_user *user = image_def_autologin(def);
	GString *s = g_string_new(text);

	if (user)
		g_string_replace(s, "@USER@", user->name, 0);
	if (def->desktop)
		g_string_replace(s, "@SESSION@", def->desktop->session, 0);
	if (def->serial_login)
		g_string_replace(s, "@SERIAL@", def->serial_login, 0);
	return g_string_free(s, FALSE);
}

/* The commands one a line; what is checked when it is loaded holds no line's end. */
static struct image_guest_file *guest_first_boot(const struct image_def *def)
{
	struct image_guest_file *file = g_new0(struct image_guest_file, 1);
	GString *s = g_string_new("# Run once, by hotdesk-first-boot.service.\n");

	/* RSA would take seconds where the CPU is slow, and every client knows ed25519. */
	g_string_append(s, "[ ! -x /usr/sbin/sshd ] || [ -e /etc/ssh/ssh_host_ed25519_key ] ||\n"
			   "\tssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key\n");
	for (unsigned i = 0; i < def->first_boot_count; i++)
		g_string_append_printf(s, "%s\n", def->first_boot[i]);
	file->target = "/etc/hotdesk/first-boot";
	file->mode = 0600;
	file->len = s->len;
	file->bytes = g_string_free(s, FALSE);
	return file;
}

GPtrArray *image_guest_files(const char *folder, const struct image_def *def)
{
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(guest_file_free);

	for (size_t i = 0; i < ARRAY_LEN(guest_rows); i++) {
		const struct guest_row *row = &guest_rows[i];
		g_autofree char *path = g_build_filename(folder, row->source, NULL), *text = NULL;
		g_autoptr(GError) error = NULL;
		struct image_guest_file *file;

		if (!guest_wants(def, row->why))
			continue;
		if (!g_file_get_contents(path, &text, NULL, &error)) {
			log_error("%s", error->message);
			return NULL;
		}
		file = g_new0(struct image_guest_file, 1);
		file->target = row->target;
		file->mode = row->mode;
		file->bytes = guest_fill_in(text, def);
		file->len = strlen(file->bytes);
		g_ptr_array_add(files, file);
	}
	g_ptr_array_add(files, guest_first_boot(def));
	return g_steal_pointer(&files);
}

char **image_guest_units(const struct image_def *def)
{
	GPtrArray *units = g_ptr_array_new();

	g_ptr_array_add(units, g_strdup("hotdesk-first-boot.service"));
	if (def->desktop)
		g_ptr_array_add(units, g_strdup("hotdesk-session.service"));
	if (def->serial_login)
		g_ptr_array_add(units, g_strdup("serial-getty@ttyS0.service"));
	g_ptr_array_add(units, NULL);
	return (char **)g_ptr_array_free(units, FALSE);
}
