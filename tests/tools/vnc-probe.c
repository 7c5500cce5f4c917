/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc-probe: a VNC client without a window, for tests.
 *
 *	vnc-probe [--password P] [--timeout S] unix:PATH|ADDR:PORT COMMAND...
 *
 *	size                       print WIDTHxHEIGHT
 *	shot FILE.png|FILE.ppm     save the screen
 *	pixel X Y                  print RRGGBB
 *	key NAME[+NAME...]         press and release ("ctrl+alt+delete", "ret", "a")
 *	type TEXT                  type characters of Latin 1, \n being Return
 *	move X Y                   move the pointer there
 *	click X Y [BUTTON]         and press a button, 1 unless said
 *	change [X Y W H]           wait until pixels change (there)
 *	until X Y RRGGBB           wait until a pixel has this colour
 *	quiet MS                   wait until nothing changes for that long
 *	resize W H                 ask for a size, and wait until the screen has it
 *	wait-size W H              wait until the screen has that size
 *	sleep MS
 *
 * Status 0; 1 where something failed or took longer than the timeout (20 s), said on standard
 * error; 2 for usage.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>
#include <rfb/keysym.h>
#include <rfb/rfbclient.h>

#include "display/screenshot.h"

struct probe {
	rfbClient *client;
	const char *password;
	gint64 deadline;    /* of the command under way */
	double timeout;     /* s */
	gint64 changed;     /* when pixels last came */
	int x1, y1, x2, y2; /* the area that is looked at */
	bool area_changed;
};

static int the_tag;

static void die(const char *what)
{
	fprintf(stderr, "vnc-probe: %s\n", what);
	exit(1);
}

static struct probe *probe_of(rfbClient *c)
{
	return rfbClientGetClientData(c, &the_tag);
}

static char *on_password(rfbClient *c)
{
	return strdup(probe_of(c)->password ? probe_of(c)->password : "");
}

static void on_pixels(rfbClient *c, int x, int y, int w, int h)
{
	struct probe *p = probe_of(c);

	p->changed = g_get_monotonic_time();
	if (x < p->x2 && y < p->y2 && x + w > p->x1 && y + h > p->y1)
		p->area_changed = true;
}

static rfbBool on_size(rfbClient *c)
{
	free(c->frameBuffer);
	c->frameBuffer = calloc((size_t)c->width * c->height, 4);
	return c->frameBuffer != NULL;
}

static void no_log(const char *format, ...)
{
}

static void open_client(struct probe *p, const char *where)
{
	static char name[] = "vnc-probe";
	char *argv[] = { name };
	const char *colon = strrchr(where, ':');
	rfbClient *c = rfbGetClient(8, 3, 4);
	int argc = 1;

	rfbClientLog = rfbClientErr = no_log;
	p->client = c;
	rfbClientSetClientData(c, &the_tag, p);
	c->GetPassword = on_password;
	c->GotFrameBufferUpdate = on_pixels;
	c->MallocFrameBuffer = on_size;
	c->canHandleNewFBSize = TRUE;
	c->format.redShift = 16;
	c->format.blueShift = 0;
	c->appData.encodingsString = "zrle raw";
	c->connectTimeout = c->readTimeout = (unsigned)p->timeout + 1;
	free(c->serverHost);
	if (g_str_has_prefix(where, "unix:")) {
		c->serverHost = strdup(where + 5);
	} else if (colon && isdigit((unsigned char)colon[1])) {
		c->serverHost = g_strndup(where, colon - where);
		c->serverPort = atoi(colon + 1);
	} else {
		die("the address is unix:PATH or ADDR:PORT");
	}
	if (!rfbInitClient(c, &argc, argv))
		die("cannot connect, or the password is wrong");
}

/* Serves what the server sends for at most ms; false where nothing came. */
static bool serve(struct probe *p, int ms)
{
	gint64 left = (p->deadline - g_get_monotonic_time()) / 1000;
	int n;

	if (left <= 0)
		die("timed out");
	if (!p->client->buffered) {
		n = WaitForMessage(p->client, (ms < left ? ms : left) * 1000);
		if (n < 0)
			die("the connection broke");
		if (n == 0)
			return false;
	}
	if (!HandleRFBServerMessage(p->client))
		die("the server closed the connection");
	return true;
}

static uint32_t pixel_at(const struct probe *p, int x, int y)
{
	if (x < 0 || y < 0 || x >= p->client->width || y >= p->client->height)
		die("that pixel is outside of the screen");
	return ((uint32_t *)p->client->frameBuffer)[(size_t)y * p->client->width + x] & 0xffffff;
}

/* ---- commands ---- */

static void save(const struct probe *p, const char *file)
{
	const rfbClient *c = p->client;
	size_t n = (size_t)c->width * c->height;
	const uint32_t *px = (const uint32_t *)c->frameBuffer;
	GByteArray *out;

	if (g_str_has_suffix(file, ".png")) {
		out = screenshot_encode(px, c->width, c->height);
	} else {
		g_autofree char *head = g_strdup_printf("P6\n%d %d\n255\n", c->width, c->height);

		out = g_byte_array_new();
		g_byte_array_append(out, (guint8 *)head, strlen(head));
		for (size_t i = 0; i < n; i++)
			g_byte_array_append(out,
				(guint8[]){ px[i] >> 16 & 255, px[i] >> 8 & 255, px[i] & 255 }, 3);
	}
	if (!out || !g_file_set_contents(file, (char *)out->data, out->len, NULL))
		die("cannot write the picture");
	g_byte_array_unref(out);
}

static uint32_t keysym_of(const char *name)
{
	static const struct {
		const char *name;
		uint32_t keysym;
	} names[] = { { "ret", XK_Return }, { "tab", XK_Tab }, { "esc", XK_Escape },
		{ "backspace", XK_BackSpace }, { "delete", XK_Delete }, { "insert", XK_Insert },
		{ "home", XK_Home }, { "end", XK_End }, { "pgup", XK_Page_Up },
		{ "pgdn", XK_Page_Down }, { "up", XK_Up }, { "down", XK_Down }, { "left", XK_Left },
		{ "right", XK_Right }, { "shift", XK_Shift_L }, { "ctrl", XK_Control_L },
		{ "alt", XK_Alt_L }, { "altgr", XK_ISO_Level3_Shift }, { "super", XK_Super_L },
		{ "spc", XK_space }, { "caps", XK_Caps_Lock }, { "num", XK_Num_Lock },
		{ "menu", XK_Menu } };
	unsigned f;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (!strcmp(names[i].name, name))
			return names[i].keysym;
	if (sscanf(name, "f%u", &f) == 1 && f >= 1 && f <= 12)
		return XK_F1 + f - 1;
	if (name[0] && !name[1])
		return (unsigned char)name[0];
	die("unknown key");
	return 0;
}

static void press(struct probe *p, const char *names)
{
	g_auto(GStrv) parts = g_strsplit(names, "+", -1);
	unsigned n = g_strv_length(parts);

	for (unsigned i = 0; i < n; i++)
		SendKeyEvent(p->client, keysym_of(parts[i]), TRUE);
	while (n--)
		SendKeyEvent(p->client, keysym_of(parts[n]), FALSE);
}

static void type(struct probe *p, const char *text)
{
	for (; *text; text++) {
		uint32_t keysym = (unsigned char)*text;

		if (*text == '\n' || (text[0] == '\\' && text[1] == 'n')) {
			keysym = XK_Return;
			text += *text == '\\';
		}
		SendKeyEvent(p->client, keysym, TRUE);
		SendKeyEvent(p->client, keysym, FALSE);
		while (serve(p, 2)) /* at the pace of fast typing, and reading meanwhile */
			;
	}
}

static void click(struct probe *p, int x, int y, int button)
{
	SendPointerEvent(p->client, x, y, 0);
	SendPointerEvent(p->client, x, y, 1 << (button - 1));
	SendPointerEvent(p->client, x, y, 0);
}

static void wait_size(struct probe *p, int width, int height)
{
	while (p->client->width != width || p->client->height != height)
		serve(p, 1000);
}

static void resize(struct probe *p, int width, int height)
{
	while (!p->client->screen.width) /* the server says first that it can */
		serve(p, 1000);
	SendExtDesktopSize(p->client, width, height);
	wait_size(p, width, height);
}

static void quiet(struct probe *p, int ms)
{
	p->changed = g_get_monotonic_time();
	for (gint64 left; (left = p->changed / 1000 + ms - g_get_monotonic_time() / 1000) > 0;)
		serve(p, left);
}

static void change(struct probe *p, const int box[4])
{
	p->x1 = box[0];
	p->y1 = box[1];
	p->x2 = box[0] + box[2];
	p->y2 = box[1] + box[3];
	for (p->area_changed = false; !p->area_changed;)
		serve(p, 1000);
}

static void sleep_for(struct probe *p, int ms)
{
	gint64 end = g_get_monotonic_time() + ms * 1000ll;

	for (gint64 left; (left = (end - g_get_monotonic_time()) / 1000) > 0;)
		serve(p, left);
}

/* How many arguments a command takes, at least and at most. */
static const struct {
	const char *name;
	int least, most;
} commands[] = { { "size", 0, 0 }, { "shot", 1, 1 }, { "pixel", 2, 2 }, { "key", 1, 1 },
	{ "type", 1, 1 }, { "move", 2, 2 }, { "click", 2, 3 }, { "change", 0, 4 },
	{ "until", 3, 3 }, { "quiet", 1, 1 }, { "resize", 2, 2 }, { "wait-size", 2, 2 },
	{ "sleep", 1, 1 } };

static bool is_number(const char *s)
{
	return s && (isdigit((unsigned char)s[0]) || (s[0] == '-' && isdigit((unsigned char)s[1])));
}

/* Runs the command at argv[0]; returns how many words it was. */
static int run(struct probe *p, char **argv)
{
	size_t i = 0;
	int n, v[4] = { 0 };

	while (i < G_N_ELEMENTS(commands) && strcmp(commands[i].name, argv[0]) != 0)
		i++;
	if (i == G_N_ELEMENTS(commands))
		die("unknown command");
	for (n = 0; n < commands[i].least; n++)
		if (!argv[n + 1])
			die("a command lacks an argument");
	while (n < commands[i].most && is_number(argv[n + 1]))
		n++;
	for (int k = 0; k < n && k < 4; k++)
		v[k] = atoi(argv[k + 1]);
	p->deadline = g_get_monotonic_time() + (gint64)(p->timeout * 1e6);

	if (!strcmp(argv[0], "size"))
		printf("%dx%d\n", p->client->width, p->client->height);
	else if (!strcmp(argv[0], "shot"))
		save(p, argv[1]);
	else if (!strcmp(argv[0], "pixel"))
		printf("%06x\n", pixel_at(p, v[0], v[1]));
	else if (!strcmp(argv[0], "key"))
		press(p, argv[1]);
	else if (!strcmp(argv[0], "type"))
		type(p, argv[1]);
	else if (!strcmp(argv[0], "move"))
		SendPointerEvent(p->client, v[0], v[1], 0);
	else if (!strcmp(argv[0], "click"))
		click(p, v[0], v[1], n == 3 ? v[2] : 1);
	else if (!strcmp(argv[0], "change"))
		change(p, n == 4 ? v : (int[]){ 0, 0, 65535, 65535 });
	else if (!strcmp(argv[0], "until"))
		while (pixel_at(p, v[0], v[1]) != strtoul(argv[3], NULL, 16))
			serve(p, 1000);
	else if (!strcmp(argv[0], "quiet"))
		quiet(p, v[0]);
	else if (!strcmp(argv[0], "resize"))
		resize(p, v[0], v[1]);
	else if (!strcmp(argv[0], "wait-size"))
		wait_size(p, v[0], v[1]);
	else
		sleep_for(p, v[0]);
	fflush(stdout);
	return n + 1;
}

int main(int argc, char **argv)
{
	static char *password;
	static double timeout = 20;
	static const GOptionEntry options[] = {
		{ "password", 0, 0, G_OPTION_ARG_STRING, &password, "of the server", "P" },
		{ "timeout", 0, 0, G_OPTION_ARG_DOUBLE, &timeout, "for each command", "SECONDS" },
		{ 0 },
	};
	g_autoptr(GOptionContext) context = g_option_context_new("unix:PATH|ADDR:PORT COMMAND...");
	g_autoptr(GError) error = NULL;
	struct probe p = { 0 };

	g_option_context_add_main_entries(context, options, NULL);
	g_option_context_set_strict_posix(context, TRUE);
	if (!g_option_context_parse(context, &argc, &argv, &error) || argc < 2) {
		fprintf(stderr, "usage: vnc-probe [--password P] [--timeout S] "
				"unix:PATH|ADDR:PORT COMMAND...\n");
		return 2;
	}
	p.password = password;
	p.timeout = timeout;
	open_client(&p, argv[1]);
	p.deadline = g_get_monotonic_time() + (gint64)(timeout * 1e6);
	/* The first whole picture. */
	p.x2 = p.y2 = 65535;
	while (!p.changed)
		serve(&p, 1000);
	for (char **at = argv + 2; *at; at += run(&p, at))
		;
	free(p.client->frameBuffer);
	rfbClientCleanup(p.client);
	return 0;
}
