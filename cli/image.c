/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hotdesk image: golden images. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>
#include <json-glib/json-glib.h>

#include "cli/commands.h"
#include "profiles/image_build.h"
#include "profiles/image_def.h"
#include "profiles/image_store.h"
#include "util/bytes.h"

struct image_options {
	const char *dir, *profiles;
	bool force, json;
};

static const struct option image_long_options[] = {
	{ "dir", required_argument, NULL, 'd' },
	{ "profiles", required_argument, NULL, 'p' },
	{ "force", no_argument, NULL, 'f' },
	{ "json", no_argument, NULL, 'j' },
	{ NULL },
};

/* Options of all image commands; `allowed` has the letters that this one takes. */
static int image_parse(
	struct image_options *o, const char *allowed, const char *full_name, int argc, char **argv)
{
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", image_long_options, NULL)) != -1) {
		if (c == '?' || c == ':')
			return cli_bad_option(full_name, c, argv);
		if (!strchr(allowed, c))
			return cli_usage(
				full_name, "option %s does not belong here", argv[optind - 1]);
		switch (c) {
		case 'd':
			o->dir = optarg;
			break;
		case 'p':
			o->profiles = optarg;
			break;
		case 'f':
			o->force = true;
			break;
		case 'j':
			o->json = true;
			break;
		}
	}
	return CLI_OK;
}

/* "3 h", "12 d": how long ago. */
static char *image_age(time_t created)
{
	static const struct {
		long seconds;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" } };
	long age = MAX(0, (long)(time(NULL) - created));

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (age >= 2 * units[i].seconds)
			return g_strdup_printf("%ld %s", age / units[i].seconds, units[i].unit);
	return g_strdup_printf("%ld s", age);
}

/* --- build */

/* Where progress is drawn; nothing at all where standard error is no terminal. */
struct image_bar {
	const char *name;
	gint64 drawn;
	bool shown;
};

static void image_draw(void *opaque, const struct build_progress *p, uint64_t left)
{
	struct image_bar *bar = opaque;
	unsigned percent = build_progress_total(p), cells = percent * 24 / 100;
	gint64 now = g_get_monotonic_time();
	char cell[25], rest[40] = "";
	struct winsize window = { 0 };

	if (bar->shown && now - bar->drawn < G_USEC_PER_SEC / 5)
		return;
	bar->drawn = now;
	bar->shown = true;
	memset(cell, '.', sizeof cell - 1);
	memset(cell, '#', cells);
	cell[sizeof cell - 1] = 0;
	if (left >= 90)
		snprintf(rest, sizeof rest, ", about %u min left", (unsigned)((left + 30) / 60));
	else if (left)
		snprintf(rest, sizeof rest, ", about %u s left", (unsigned)left);
	ioctl(STDERR_FILENO, TIOCGWINSZ, &window);
	if (window.ws_col && window.ws_col < 80)
		fprintf(stderr, "\r\033[K%s %u %%%s", bar->name, percent, rest);
	else
		fprintf(stderr, "\r\033[K%s [%s] %u %%, %s%s", bar->name, cell, percent,
			build_phase_name(p->phase), rest);
	fflush(stderr);
}

/* The tree that the program is run from, else what is installed. */
static const char *image_profiles(const struct image_options *o)
{
	if (o->profiles)
		return o->profiles;
	return g_file_test("profiles/images", G_FILE_TEST_IS_DIR) ? "profiles"
								  : HOTDESK_DATADIR "/profiles";
}

static int image_run_build(
	const struct cli_command *self, const char *full_name, int argc, char **argv)
{
	struct image_options o = { 0 };
	g_autofree char *path = NULL, *dir = NULL, *guest = NULL, *age = NULL;
	struct image_build_options build = { 0 };
	struct image_bar bar = { 0 };
	struct image_version *v;
	struct image_def *def;
	bool built;
	int ret;

	ret = image_parse(&o, "dpf", full_name, argc, argv);
	if (ret)
		return ret;
	if (optind + 1 != argc)
		return cli_usage(full_name, "wants one NAME or FILE.yaml");
	if (strchr(argv[optind], '/') || g_str_has_suffix(argv[optind], ".yaml"))
		path = g_strdup(argv[optind]);
	else if (image_name_valid(argv[optind]))
		path = g_strdup_printf("%s/images/%s.yaml", image_profiles(&o), argv[optind]);
	else
		return cli_usage(full_name, "'%s' is no name of an image", argv[optind]);
	if (image_def_load(&def, path))
		return CLI_FAILED;

	dir = image_store_dir(o.dir);
	guest = g_build_filename(image_profiles(&o), "guest", NULL);
	bar.name = def->name;
	build.dir = dir;
	build.guest = guest;
	build.force = o.force;
	build.opaque = &bar;
	if (isatty(STDERR_FILENO))
		build.progress = image_draw;
	ret = image_build(def, &build, &v, &built);
	if (bar.shown)
		fprintf(stderr, "\r\033[K");
	if (!ret && built) {
		printf("%s: %s, %llu MiB, built in %llu s: %s\n", def->name, v->version,
			(unsigned long long)(v->allocated / MIB), (unsigned long long)v->seconds,
			v->path);
	} else if (!ret) {
		age = image_age(v->created);
		printf("%s: %s is up to date, %s old: %s\n", def->name, v->version, age, v->path);
	}
	image_version_free(v);
	image_def_free(def);
	return ret ? CLI_FAILED : CLI_OK;
}

static const struct cli_command image_build_command = {
	.name = "build",
	.synopsis = "[--dir DIR] [--profiles DIR] [--force] NAME|FILE.yaml",
	.summary = "Build a golden image from its definition, where it is not up to date",
	.details =
		"NAME is a definition in profiles/images. The image is rebuilt when the definition, or a list\n"
		"of packages in the archives, has changed.\n\n"
		"  --dir DIR       where images lie: $HOTDESK_IMAGES, /var/lib/hotdesk/images for root, else\n"
		"                  ~/.local/share/hotdesk/images\n"
		"  --profiles DIR  where definitions lie: ./profiles, else the installed ones\n"
		"  --force         build even if it is up to date\n",
	.run = image_run_build,
};

/* --- list */

static void image_print_json(const GPtrArray *list)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;
	g_autofree char *text = NULL;

	json_builder_begin_array(b);
	for (unsigned i = 0; i < list->len; i++) {
		const struct image_version *v = list->pdata[i];
		g_autofree char *disk = g_build_filename(v->path, "disk.raw", NULL),
				*users = image_users(disk);

		json_builder_begin_object(b);
		json_builder_set_member_name(b, "name");
		json_builder_add_string_value(b, v->name);
		json_builder_set_member_name(b, "version");
		json_builder_add_string_value(b, v->version);
		json_builder_set_member_name(b, "current");
		json_builder_add_boolean_value(b, v->current);
		json_builder_set_member_name(b, "created");
		json_builder_add_int_value(b, v->created);
		json_builder_set_member_name(b, "size");
		json_builder_add_int_value(b, (gint64)v->size);
		json_builder_set_member_name(b, "allocated");
		json_builder_add_int_value(b, (gint64)v->allocated);
		json_builder_set_member_name(b, "kernel");
		json_builder_add_string_value(b, v->kernel);
		json_builder_set_member_name(b, "users");
		json_builder_add_string_value(b, users ?: "");
		json_builder_set_member_name(b, "path");
		json_builder_add_string_value(b, v->path);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	root = json_builder_get_root(b);
	text = json_to_string(root, TRUE);
	printf("%s\n", text);
}

static void image_print_table(const GPtrArray *list)
{
	if (list->len)
		printf("%-18s %-14s %8s %10s  %-16s %s\n", "NAME", "VERSION", "AGE", "SIZE",
			"USERS", "PATH");
	for (unsigned i = 0; i < list->len; i++) {
		const struct image_version *v = list->pdata[i];
		g_autofree char *disk = g_build_filename(v->path, "disk.raw", NULL),
				*users = image_users(disk);
		g_autofree char *age = image_age(v->created);
		g_autofree char *version = g_strconcat(v->version, v->current ? " *" : "", NULL);

		printf("%-18s %-14s %8s %6llu MiB  %-16s %s\n", v->name, version, age,
			(unsigned long long)(v->allocated / MIB), users ?: "-", v->path);
	}
}

static int image_run_list(
	const struct cli_command *self, const char *full_name, int argc, char **argv)
{
	struct image_options o = { 0 };
	g_autoptr(GPtrArray) list = NULL;
	g_autofree char *dir = NULL;
	int ret;

	ret = image_parse(&o, "dj", full_name, argc, argv);
	if (ret)
		return ret;
	if (optind != argc)
		return cli_usage(full_name, "takes no argument '%s'", argv[optind]);
	dir = image_store_dir(o.dir);
	list = image_store_list(dir);
	if (!list)
		return CLI_FAILED;
	if (o.json)
		image_print_json(list);
	else
		image_print_table(list);
	return CLI_OK;
}

static const struct cli_command image_list_command = {
	.name = "list",
	.synopsis = "[--dir DIR] [--json]",
	.summary = "Show the images: version, age, room they take, and who uses them",
	.details =
		"A star marks the version that new desktops take. USERS are the running desktops that hold a\n"
		"lock on the disk, as far as you may see them.\n",
	.run = image_run_list,
};

static const struct cli_command *const image_commands[] = { &image_build_command,
	&image_list_command, NULL };

const struct cli_command cli_image = {
	.name = "image",
	.synopsis = "COMMAND [ARGUMENT...]",
	.summary = "Golden images",
	.commands = image_commands,
};
