/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/options.h"

#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "util/bytes.h"
#include "vmm/boot/kernel.h"
#include "vmm/options_config.h"
#include "vmm/options_value.h"

enum { VALUE_SHOWN_MAX = 120 }; /* bytes of a bad value that the message repeats */

struct option_def {
	const char *name;
	const char *value; /* what --help calls its value */
	const char *help;  /* NULL: not shown, since a later version brings it */
	char *(*apply)(struct vmm_options *o, const char *value);
};

/* ---- what each option does ---- */

static char *option_file(char **where, const char *text)
{
	if (!*text)
		return g_strdup("names no file");
	g_free(*where);
	*where = g_strdup(text);
	return NULL;
}

static char *apply_name(struct vmm_options *o, const char *text)
{
	char *err = option_name(text);

	return err ? err : option_file(&o->name, text);
}

static char *apply_kernel(struct vmm_options *o, const char *text)
{
	return option_file(&o->kernel, text);
}

static char *apply_initrd(struct vmm_options *o, const char *text)
{
	return option_file(&o->initrd, text);
}

static char *apply_append(struct vmm_options *o, const char *text)
{
	if (strlen(text) >= LAYOUT_CMDLINE_MAX)
		return g_strdup_printf("%zu bytes; a kernel's command line may have %u",
			strlen(text), LAYOUT_CMDLINE_MAX - 1);
	g_free(o->append);
	o->append = g_strdup(text);
	return NULL;
}

static char *apply_memory(struct vmm_options *o, const char *text)
{
	return option_size(text, &o->memory);
}

static char *apply_cpus(struct vmm_options *o, const char *text)
{
	return option_count(text, 1, OPTIONS_CPUS_MAX, &o->cpus);
}

/* A mistyped baseline must not turn into a file's name, so a file is told by its / or dot. */
static char *apply_cpu(struct vmm_options *o, const char *text)
{
	static const char *const known[] = { "host", "v2", "v3", NULL };

	if (!g_strv_contains(known, text) && !strpbrk(text, "/."))
		return g_strdup("write host, v2, v3, or a file as ./FILE");
	return option_file(&o->cpu, text);
}

static char *apply_disk(struct vmm_options *o, const char *text)
{
	if (o->ndisks == PCI_DISKS_MAX)
		return g_strdup_printf("more than %d disks", PCI_DISKS_MAX);
	return option_disk(text, &o->disks[o->ndisks++]);
}

static char *apply_net(struct vmm_options *o, const char *text)
{
	return option_net(text, &o->net);
}

static char *apply_display(struct vmm_options *o, const char *text)
{
	return option_display(text, o);
}

static char *apply_vnc(struct vmm_options *o, const char *text)
{
	return option_vnc(text, &o->vnc, &o->vnc_password_file);
}

static char *apply_keymap(struct vmm_options *o, const char *text)
{
	return option_keymap(text, &o->keymap_layout, &o->keymap_variant);
}

static char *apply_serial(struct vmm_options *o, const char *text)
{
	return option_serial(text, &o->serial, &o->serial_path);
}

static char *apply_control(struct vmm_options *o, const char *text)
{
	return option_unix(text, &o->control);
}

static char *apply_run(struct vmm_options *o, const char *text)
{
	return option_file(&o->run_dir, text);
}

static char *apply_cache(struct vmm_options *o, const char *text)
{
	if (strcmp(text, "none") != 0)
		return option_file(&o->cache_dir, text);
	g_clear_pointer(&o->cache_dir, g_free);
	return NULL;
}

static char *apply_log_level(struct vmm_options *o, const char *text)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };

	for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(levels[i], text) != 0)
			continue;
		o->log_level = (enum log_level)i;
		return NULL;
	}
	return g_strdup("write error, warning, info or debug");
}

static char *apply_off_only(struct vmm_options *o, const char *text)
{
	return strcmp(text, "off") ? option_later() : NULL;
}

static char *apply_later(struct vmm_options *o, const char *text)
{
	return option_later();
}

static const struct option_def option_table[] = {
	{ "kernel", "FILE", "bzImage, or ELF with a PVH note", apply_kernel },
	{ "initrd", "FILE", "initial RAM disk", apply_initrd },
	{ "append", "TEXT", "the kernel's command line", apply_append },
	{ "memory", "SIZE", "512M, 2G (default 2G)", apply_memory },
	{ "cpus", "N", "1 to 64 (default 2)", apply_cpus },
	{ "cpu", "MODEL", "host (default), v2, v3, or a file of CPUID leaves", apply_cpu },
	{ "name", "NAME", "the desktop's name in messages and titles", apply_name },
	{ "disk", "path=FILE,format=raw[,readonly=on][,snapshot=on][,serial=TEXT]",
		"up to 8 times; snapshot: changes are thrown away", apply_disk },
	{ "net", "user[,hostfwd=tcp:ADDR:PORT-:PORT][,loopback=on] | none",
		"user: through this host's own network (default); ADDR empty: 127.0.0.1;\n"
		"loopback: the guest may reach this host's 127.0.0.1",
		apply_net },
	{ "display", "WIDTHxHEIGHT[,heads=N]", "the screens' size (default 1280x800), 1 to 4 heads",
		apply_display },
	{ "vnc", "unix:PATH | ADDR:PORT[,password-file=FILE]", "serve VNC; [::1]:5900 for IPv6",
		apply_vnc },
	{ "keymap", "LAYOUT[:VARIANT]", "the guest's keyboard layout, as in xkb (default us)",
		apply_keymap },
	{ "serial", "stdio | file:FILE | unix:PATH | none",
		"the first serial port (default none); stdio: Ctrl-A x ends the machine",
		apply_serial },
	{ "control", "unix:PATH", "socket for 'hotdesk vm PATH METHOD'", apply_control },
	{ "run", "DIR",
		"for the guest's memory (default: a tmpfs of its own with huge pages, or /dev/shm)",
		apply_run },
	{ "cache", "DIR | none",
		"for unpacked kernels (default ~/.cache/hotdesk/kernels, root's below /var/cache)",
		apply_cache },
	{ "log-level", "LEVEL", "error, warning, info (default) or debug", apply_log_level },
	{ "audio", NULL, NULL, apply_off_only },
	{ "usb", NULL, NULL, apply_off_only },
	{ "usb-image", NULL, NULL, apply_later },
	{ "spice", NULL, NULL, apply_later },
	{ "sdl", NULL, NULL, apply_later },
	{ "restore", NULL, NULL, apply_later },
};
enum { OPTION_COUNT = ARRAY_LEN(option_table) };

/* ---- help ---- */

static void options_help(void)
{
	printf("usage: hotdesk-vmm --kernel FILE [OPTION...]\n\n"
	       "Runs one virtual machine on KVM.\n\n"
	       "  --config FILE.yaml\n"
	       "        the same options from a file; the command line wins\n");
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		const struct option_def *d = &option_table[i];
		g_auto(GStrv) lines = d->help ? g_strsplit(d->help, "\n", -1) : NULL;

		if (!lines)
			continue;
		printf("  --%s %s\n", d->name, d->value);
		for (char **line = lines; *line; line++)
			printf("        %s\n", *line);
	}
	printf("  --help, --version\n\n"
	       "A comma inside a value is written twice: path=a,,b means the file \"a,b\".\n"
	       "Exit status: 0 the guest powered off, 1 failure, 2 wrong usage.\n\n"
	       "  hotdesk-vmm --kernel vmlinuz --initrd initrd.img --append root=/dev/vda \\\n"
	       "              --disk path=debian.raw,format=raw --vnc 127.0.0.1:5900\n");
}

/* ---- parsing ---- */

/* "memory", of both "--memory 2G" and "--memory=2G"; NULL where no option has that name. */
static const struct option_def *option_find(const char *name, size_t len)
{
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (strlen(option_table[i].name) == len &&
			!strncmp(option_table[i].name, name, len))
			return &option_table[i];
	return NULL;
}

static const char **option_names(void)
{
	const char **names = g_new0(const char *, OPTION_COUNT + 1);

	for (unsigned i = 0; i < OPTION_COUNT; i++)
		names[i] = option_table[i].name;
	return names;
}

static void option_unknown(const char *arg)
{
	static const char *const beside[] = { "config", "help", "version", NULL };
	g_autofree const char **names = option_names();
	g_autofree char *word = g_strndup(arg, strcspn(arg, "="));
	const char *bare = word + strspn(word, "-");
	g_autofree char *suggestion = option_suggest(bare, "--", names);

	if (!*suggestion) {
		g_free(suggestion);
		suggestion = option_suggest(bare, "--", beside);
	}
	if (*arg != '-')
		log_error("%s: unexpected; options begin with --, see --help", arg);
	else
		log_error("%s: unknown option%s; see --help", word, suggestion);
}

struct option_walk {
	int argc, at;
	char *const *argv;
	const char *name, *value; /* of the present option, without dashes */
	size_t name_len;
};

static bool option_is(const struct option_walk *w, const char *name)
{
	return strlen(name) == w->name_len && !strncmp(w->name, name, w->name_len);
}

/* The next option and its value; 1, 0 at the end, -1 with one line logged. */
static int option_next(struct option_walk *w)
{
	const struct option_def *d;
	const char *arg, *equals;

	if (w->at == w->argc)
		return 0;
	arg = w->argv[w->at++];
	if (strncmp(arg, "--", 2) != 0) {
		option_unknown(arg);
		return -1;
	}
	w->name = arg + 2;
	w->name_len = strcspn(w->name, "=");
	if (option_is(w, "help") || option_is(w, "version"))
		return 1;
	d = option_find(w->name, w->name_len);
	if (!d && !option_is(w, "config")) {
		option_unknown(arg);
		return -1;
	}
	if (d && d->apply == apply_later) { /* some of these take no value */
		g_autofree char *why = option_later();
		log_error("--%s: %s", d->name, why);
		return -1;
	}
	equals = strchr(arg, '=');
	w->value = equals ? equals + 1 : w->at < w->argc ? w->argv[w->at] : NULL;
	/* A forgotten value must not swallow the next option. */
	if (!equals && w->value && !strncmp(w->value, "--", 2) &&
		option_find(w->value + 2, strcspn(w->value + 2, "=")))
		w->value = NULL;
	if (!w->value) {
		log_error("%s: needs a value; see --help", arg);
		return -1;
	}
	if (!equals)
		w->at++;
	return 1;
}

static char *option_from_config(void *opaque, unsigned key, const char *value)
{
	return option_table[key].apply(opaque, value);
}

static bool options_read_config(struct vmm_options *o, const char *path, int *status)
{
	g_autofree const char **names = option_names();
	unsigned disk = (unsigned)(option_find("disk", strlen("disk")) - option_table);

	return options_config_read(path, names, disk, option_from_config, o, status);
}

static void options_forget_disks(struct vmm_options *o)
{
	for (unsigned i = 0; i < o->ndisks; i++)
		g_free(o->disks[i].path);
	memset(o->disks, 0, sizeof o->disks);
	o->ndisks = 0;
}

static bool options_apply(struct vmm_options *o, int argc, char *const argv[])
{
	struct option_walk w = { .argc = argc, .argv = argv, .at = 1 };
	bool own_disks = false;

	while (option_next(&w) == 1) {
		const struct option_def *d = option_find(w.name, w.name_len);
		g_autofree char *err = NULL;

		if (!d) /* --config, which has been read */
			continue;
		if (d->apply == apply_disk && !own_disks) {
			options_forget_disks(o);
			own_disks = true;
		}
		err = d->apply(o, w.value);
		if (!err)
			continue;
		if (strlen(w.value) > VALUE_SHOWN_MAX)
			log_error("--%s %.*s…: %s", d->name, VALUE_SHOWN_MAX, w.value, err);
		else
			log_error("--%s %s: %s", d->name, w.value, err);
		return false;
	}
	return true;
}

static void options_defaults(struct vmm_options *o)
{
	*o = (struct vmm_options){
		.name = g_strdup("desktop"),
		.append = g_strdup(""),
		.memory = 2 * GIB,
		.cpus = 2,
		.cpu = g_strdup("host"),
		.net.kind = OPT_NET_USER,
		.width = 1280,
		.height = 800,
		.heads = 1,
		.keymap_layout = g_strdup("us"),
		.keymap_variant = g_strdup(""),
		.cache_dir = kernel_cache_default(),
		.log_level = LOG_INFO,
	};
}

bool options_parse(struct vmm_options *o, int argc, char *const argv[], int *status)
{
	struct option_walk w = { .argc = argc, .argv = argv, .at = 1 };
	const char *config = NULL;
	int more;

	options_defaults(o);
	*status = 2;
	while ((more = option_next(&w)) == 1) {
		if (option_is(&w, "help")) {
			options_help();
			*status = 0;
			return false;
		}
		if (option_is(&w, "version")) {
			printf("hotdesk-vmm %s\n", HOTDESK_VERSION);
			*status = 0;
			return false;
		}
		if (!option_find(w.name, w.name_len))
			config = w.value;
	}
	if (more < 0 || (config && !options_read_config(o, config, status)))
		return false;
	*status = 2;
	if (!options_apply(o, argc, argv))
		return false;
	if (!o->kernel) {
		log_error("--kernel: missing; name a bzImage or an ELF kernel, or see --help");
		return false;
	}
	return true;
}

void options_finish(struct vmm_options *o)
{
	options_forget_disks(o);
	g_free(o->name);
	g_free(o->kernel);
	g_free(o->initrd);
	g_free(o->append);
	g_free(o->cpu);
	g_free(o->vnc.path);
	g_free(o->vnc.host);
	g_free(o->vnc_password_file);
	g_free(o->keymap_layout);
	g_free(o->keymap_variant);
	g_free(o->serial_path);
	g_free(o->control);
	g_free(o->run_dir);
	g_free(o->cache_dir);
	*o = (struct vmm_options){ 0 };
}
