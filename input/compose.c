/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/compose.h"

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>
#include <xkbcommon/xkbcommon-compose.h>

#include "util/log.h"

struct sequence {
	uint32_t ucs;
	uint32_t n, keysyms[COMPOSE_STROKES_MAX];
};

struct compose {
	struct sequence *sequences; /* by ucs */
	unsigned n;
};

/* ---- trying all sequences ---- */

struct search {
	const uint32_t *keysyms;
	unsigned n;
	struct xkb_compose_state *state;
	GHashTable *found; /* ucs to struct sequence */
};

/* Feeds the whole sequence from the start; what the state is then. */
static enum xkb_compose_status try_sequence(struct search *s, const struct sequence *q)
{
	xkb_compose_state_reset(s->state);
	for (unsigned i = 0; i < q->n; i++)
		if (xkb_compose_state_feed(s->state, q->keysyms[i]) != XKB_COMPOSE_FEED_ACCEPTED)
			return XKB_COMPOSE_NOTHING;
	return xkb_compose_state_get_status(s->state);
}

/* Sequences that make several characters at once are of no use here. */
static void keep(struct search *s, struct sequence *q)
{
	char utf8[16];
	int len = xkb_compose_state_get_utf8(s->state, utf8, sizeof utf8);
	const struct sequence *old;

	if (len <= 0 || len >= (int)sizeof utf8 || g_utf8_strlen(utf8, -1) != 1)
		return;
	q->ucs = g_utf8_get_char(utf8);
	old = g_hash_table_lookup(s->found, GUINT_TO_POINTER(q->ucs));
	if (!old || old->n > q->n)
		g_hash_table_replace(s->found, GUINT_TO_POINTER(q->ucs), g_memdup2(q, sizeof *q));
}

/* Goes on from a sequence that is not complete. Its depth is bounded by COMPOSE_STROKES_MAX. */
static void extend(struct search *s, struct sequence q)
{
	unsigned at = q.n++;

	for (unsigned i = 0; i < s->n; i++) {
		q.keysyms[at] = s->keysyms[i];
		switch (try_sequence(s, &q)) {
		case XKB_COMPOSE_COMPOSED:
			keep(s, &q);
			break;
		case XKB_COMPOSE_COMPOSING:
			if (q.n < COMPOSE_STROKES_MAX)
				extend(s, q);
			break;
		case XKB_COMPOSE_NOTHING:
		case XKB_COMPOSE_CANCELLED:
			break;
		}
	}
}

static int compare(const void *a, const void *b)
{
	const struct sequence *x = a, *y = b;

	return x->ucs < y->ucs ? -1 : x->ucs > y->ucs;
}

static struct compose *collect(GHashTable *found)
{
	struct compose *c = g_new0(struct compose, 1);
	GHashTableIter iter;
	void *q;

	c->sequences = g_new(struct sequence, g_hash_table_size(found));
	g_hash_table_iter_init(&iter, found);
	while (g_hash_table_iter_next(&iter, NULL, &q))
		c->sequences[c->n++] = *(struct sequence *)q;
	qsort(c->sequences, c->n, sizeof *c->sequences, compare);
	return c;
}

/* Reading a Compose file takes some milliseconds: not for a layout that has no use for it. */
static bool may_compose(const uint32_t *keysyms, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (keysyms[i] == XKB_KEY_Multi_key ||
			(keysyms[i] >= XKB_KEY_dead_grave && keysyms[i] <= XKB_KEY_dead_greek))
			return true;
	return false;
}

struct compose *compose_create(const uint32_t *keysyms, unsigned n, const char *locale)
{
	struct xkb_context *ctx;
	struct xkb_compose_table *table = NULL;
	struct search s = { .keysyms = keysyms, .n = n };
	struct compose *c = NULL;

	if (!may_compose(keysyms, n))
		return NULL;
	ctx = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
	if (ctx) {
		xkb_context_set_log_level(ctx, XKB_LOG_LEVEL_CRITICAL);
		table = xkb_compose_table_new_from_locale(
			ctx, locale, XKB_COMPOSE_COMPILE_NO_FLAGS);
	}
	if (table) {
		s.state = xkb_compose_state_new(table, XKB_COMPOSE_STATE_NO_FLAGS);
		s.found = g_hash_table_new_full(NULL, NULL, NULL, g_free);
		extend(&s, (struct sequence){ 0 });
		c = collect(s.found);
		g_hash_table_unref(s.found);
		xkb_compose_state_unref(s.state);
	} else {
		log_warning("keyboard: no Compose file for %s: install the package libx11-data to "
			    "type accented characters by dead keys",
			locale);
	}
	xkb_compose_table_unref(table);
	xkb_context_unref(ctx);
	return c;
}

void compose_destroy(struct compose *c)
{
	if (!c)
		return;
	g_free(c->sequences);
	g_free(c);
}

unsigned compose_find(const struct compose *c, uint32_t ucs, const uint32_t **out)
{
	unsigned from = 0, to = c->n;

	while (from < to) {
		unsigned mid = (from + to) / 2;

		if (c->sequences[mid].ucs < ucs)
			from = mid + 1;
		else
			to = mid;
	}
	if (from == c->n || c->sequences[from].ucs != ucs)
		return 0;
	*out = c->sequences[from].keysyms;
	return c->sequences[from].n;
}
