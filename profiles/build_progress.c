/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "profiles/build_progress.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

/* A line of a maintainer's script may be endless; so may a log. */
#define BUILD_LINE_MAX 4096
#define BUILD_LOG_MAX  (8 * MIB)

/* Each phase: the line of mmdebstrap that opens it, and its share of the time, as measured. */
static const struct {
	const char *opens, *name;
	unsigned share;
} phases[BUILD_PHASES] = {
	[BUILD_START] = { NULL, "starting", 1 },
	[BUILD_LISTS] = { "I: running apt-get update", "package lists", 3 },
	[BUILD_DOWNLOAD] = { "I: downloading packages", "downloading", 15 },
	[BUILD_EXTRACT] = { "I: extracting archives", "extracting", 3 },
	[BUILD_ESSENTIAL] = { "I: installing essential packages", "installing the base", 10 },
	[BUILD_INSTALL] = { "I: installing remaining packages", "installing packages", 55 },
	[BUILD_CLEAN] = { "I: cleaning package lists", "cleaning", 1 },
	[BUILD_CUSTOMIZE] = { NULL, "users and files", 2 },
	[BUILD_PACK] = { NULL, "packing the disk", 10 },
};

const char *build_phase_name(enum build_phase phase)
{
	return phases[phase].name;
}

void build_progress_init(struct build_progress *p)
{
	*p = (struct build_progress){ .line = g_string_new(NULL), .log = g_string_new(NULL) };
}

void build_progress_finish(struct build_progress *p)
{
	g_string_free(p->line, TRUE);
	g_string_free(p->log, TRUE);
}

void build_progress_enter(struct build_progress *p, enum build_phase phase)
{
	if (phase > p->phase) {
		p->phase = phase;
		p->percent = 0;
	}
}

/* "pmstatus:    42.17 [": a word, a colon, and a number with two decimals. */
static bool build_line_percent(const char *line, double *percent)
{
	const char *colon = strchr(line, ':');
	char *end;
	double value;

	if (!colon || strcspn(line, " ") < (size_t)(colon - line))
		return false;
	value = g_ascii_strtod(colon + 1, &end);
	if (end - colon < 5 || end[-3] != '.' || (*end && *end != ' ') ||
		!(value >= 0 && value <= 100))
		return false;
	*percent = value;
	return true;
}

/* Takes out sequences that colour a line or erase it: ESC [ digits letter. */
static void build_strip_escapes(char *line)
{
	char *to = line;

	for (const char *from = line; *from;) {
		if (from[0] == '\033' && from[1] == '[') {
			from += 2;
			from += strspn(from, "0123456789;");
			from += *from != 0;
		} else {
			*to++ = *from++;
		}
	}
	*to = 0;
}

static bool build_progress_line(struct build_progress *p)
{
	char *line = p->line->str;
	double percent;

	build_strip_escapes(line);
	if (!*line)
		return false;
	if (build_line_percent(line, &percent)) {
		/* apt counts download and unpacking apart, so it may begin anew. */
		if (percent <= p->percent)
			return false;
		p->percent = percent;
		return true;
	}
	if (p->log->len < BUILD_LOG_MAX)
		g_string_append_printf(p->log, "%s\n", line);
	for (enum build_phase phase = p->phase + 1; phase < BUILD_PHASES; phase++)
		if (phases[phase].opens && g_str_has_prefix(line, phases[phase].opens)) {
			build_progress_enter(p, phase);
			return true;
		}
	return false;
}

bool build_progress_feed(struct build_progress *p, const char *bytes, size_t len)
{
	bool changed = false;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r') {
			changed |= build_progress_line(p);
			g_string_truncate(p->line, 0);
		} else if (bytes[i] && p->line->len < BUILD_LINE_MAX) {
			g_string_append_c(p->line, bytes[i]);
		}
	}
	return changed;
}

static double build_progress_fraction(const struct build_progress *p)
{
	double done = 0, all = 0;

	for (enum build_phase phase = 0; phase < BUILD_PHASES; phase++) {
		all += phases[phase].share;
		if (phase < p->phase)
			done += phases[phase].share;
		else if (phase == p->phase)
			done += phases[phase].share * p->percent / 100;
	}
	return done / all;
}

unsigned build_progress_total(const struct build_progress *p)
{
	return (unsigned)(build_progress_fraction(p) * 100);
}

uint64_t build_progress_left(const struct build_progress *p, uint64_t elapsed, uint64_t seconds)
{
	double done = build_progress_fraction(p), own = done > 0 ? (double)elapsed / done : 0,
	       whole;

	if (seconds)
		whole = (double)seconds * (1 - done) + own * done;
	else if (done > 0.05)
		whole = own;
	else
		return 0;
	return whole > (double)elapsed ? (uint64_t)whole - elapsed : 1;
}
