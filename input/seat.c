/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/seat.h"

#include <assert.h>
#include <pthread.h>

#include <glib.h>
#include <linux/input-event-codes.h>

#include "util/bytes.h"
#include "util/log.h"

struct seat_user {
	struct seat *seat;
	char *name;
	void (*leds)(void *opaque, unsigned leds);
	void *opaque;
	bool relative;         /* moved a mouse last, not a tablet */
	uint8_t held[KEY_CNT]; /* bool a code */
	struct seat_user *next;
};

struct seat {
	struct seat_device *devices;
	struct seat_user *users;
	/* How many users hold a code, and the device that was told so (NULL: none was there). */
	uint16_t holders[KEY_CNT];
	struct seat_device *told[KEY_CNT];

	pthread_mutex_t lock; /* guards the two: */
	unsigned leds;
	GSource *leds_changed; /* users are to be told; NULL: they know */
};

struct seat *seat_create(void)
{
	struct seat *s = g_new0(struct seat, 1);

	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void seat_destroy(struct seat *s)
{
	if (!s)
		return;
	assert(!s->users);
	if (s->leds_changed) {
		g_source_destroy(s->leds_changed);
		g_source_unref(s->leds_changed);
	}
	pthread_mutex_destroy(&s->lock);
	g_free(s);
}

/* ---- devices ---- */

void seat_add_device(struct seat *s, struct seat_device *dev)
{
	struct seat_device **at = &s->devices;

	while (*at)
		at = &(*at)->next;
	dev->next = NULL;
	*at = dev;
}

static struct seat_device *active_device(const struct seat *s, enum seat_kind kind)
{
	for (struct seat_device *d = s->devices; d; d = d->next)
		if (d->kind == kind && d->ops->active(d->opaque))
			return d;
	return NULL;
}

bool seat_listens(const struct seat *s, enum seat_kind kind)
{
	return active_device(s, kind) != NULL;
}

static void device_key(struct seat_device *d, uint16_t code, bool down)
{
	if (d->ops->key)
		d->ops->key(d->opaque, code, down);
	if (d->ops->sync)
		d->ops->sync(d->opaque);
}

/* ---- LEDs ---- */

unsigned seat_leds(struct seat *s)
{
	unsigned leds;

	pthread_mutex_lock(&s->lock);
	leds = s->leds;
	pthread_mutex_unlock(&s->lock);
	return leds;
}

static gboolean tell_leds(void *opaque)
{
	struct seat *s = opaque;
	struct seat_user *next;
	unsigned leds;

	pthread_mutex_lock(&s->lock);
	g_source_unref(s->leds_changed);
	s->leds_changed = NULL;
	leds = s->leds;
	pthread_mutex_unlock(&s->lock);
	for (struct seat_user *u = s->users; u; u = next) {
		next = u->next;
		if (u->leds)
			u->leds(u->opaque, leds);
	}
	return G_SOURCE_REMOVE;
}

void seat_device_leds(struct seat *s, unsigned leds)
{
	pthread_mutex_lock(&s->lock);
	if (leds != s->leds && !s->leds_changed) {
		s->leds_changed = g_idle_source_new();
		g_source_set_priority(s->leds_changed, G_PRIORITY_DEFAULT);
		g_source_set_callback(s->leds_changed, tell_leds, s, NULL);
		g_source_attach(s->leds_changed, NULL);
	}
	s->leds = leds;
	pthread_mutex_unlock(&s->lock);
}

/* ---- users ---- */

struct seat_user *seat_user_create(
	struct seat *s, const char *name, void (*leds)(void *opaque, unsigned leds), void *opaque)
{
	struct seat_user *u = g_new0(struct seat_user, 1);

	u->seat = s;
	u->name = g_strdup(name);
	u->leds = leds;
	u->opaque = opaque;
	u->next = s->users;
	s->users = u;
	return u;
}

void seat_user_destroy(struct seat_user *u)
{
	struct seat_user **at;
	unsigned held = 0;

	if (!u)
		return;
	for (unsigned code = 1; code <= KEY_MAX; code++)
		held += u->held[code];
	if (held)
		log_debug("seat: %s went away and let go of %u keys", u->name, held);
	seat_user_release_all(u);
	for (at = &u->seat->users; *at != u; at = &(*at)->next)
		;
	*at = u->next;
	g_free(u->name);
	g_free(u);
}

/* ---- keys and buttons ---- */

static void press(struct seat_user *u, uint16_t code, struct seat_device *d)
{
	struct seat *s = u->seat;

	if (!u->held[code]) {
		u->held[code] = true;
		if (s->holders[code]++)
			return; /* down already, by another user */
		s->told[code] = d;
	} else if (code >= BTN_MISC && code < KEY_OK) {
		return; /* buttons do not repeat */
	} else if (!s->told[code]) {
		s->told[code] = d; /* nobody listened when it went down */
	}
	if (s->told[code])
		device_key(s->told[code], code, true);
}

static void release(struct seat_user *u, uint16_t code)
{
	struct seat *s = u->seat;

	if (!u->held[code])
		return;
	u->held[code] = false;
	if (--s->holders[code])
		return;
	if (s->told[code])
		device_key(s->told[code], code, false);
	s->told[code] = NULL;
}

static bool valid(uint16_t code)
{
	return code && code <= KEY_MAX;
}

void seat_user_key(struct seat_user *u, uint16_t code, bool down)
{
	if (!valid(code))
		return;
	if (down)
		press(u, code, active_device(u->seat, SEAT_KEYBOARD));
	else
		release(u, code);
}

static struct seat_device *pointer(const struct seat_user *u)
{
	enum seat_kind wish = u->relative ? SEAT_MOUSE : SEAT_TABLET;
	struct seat_device *d = active_device(u->seat, wish);

	return d ? d : active_device(u->seat, u->relative ? SEAT_TABLET : SEAT_MOUSE);
}

void seat_user_button(struct seat_user *u, uint16_t code, bool down)
{
	if (!valid(code))
		return;
	if (down)
		press(u, code, pointer(u));
	else
		release(u, code);
}

static bool is_modifier(uint16_t code)
{
	static const uint16_t modifiers[] = { KEY_LEFTCTRL, KEY_LEFTSHIFT, KEY_RIGHTSHIFT,
		KEY_LEFTALT, KEY_RIGHTCTRL, KEY_RIGHTALT, KEY_LEFTMETA, KEY_RIGHTMETA };

	for (size_t i = 0; i < ARRAY_LEN(modifiers); i++)
		if (code == modifiers[i])
			return true;
	return false;
}

/* Modifiers last, as fingers do: a lone Super or Alt going up means something to desktops. */
void seat_user_release_all(struct seat_user *u)
{
	for (int modifiers = 0; modifiers < 2; modifiers++)
		for (uint16_t code = 1; code <= KEY_MAX; code++)
			if (u->held[code] && is_modifier(code) == modifiers)
				release(u, code);
}

/* ---- pointers ---- */

void seat_user_move_abs(struct seat_user *u, unsigned x, unsigned y)
{
	struct seat_device *d = active_device(u->seat, SEAT_TABLET);

	u->relative = false;
	if (!d || !d->ops->move_abs)
		return;
	d->ops->move_abs(d->opaque, MIN(x, SEAT_ABS_MAX), MIN(y, SEAT_ABS_MAX));
	if (d->ops->sync)
		d->ops->sync(d->opaque);
}

void seat_user_move_rel(struct seat_user *u, int dx, int dy)
{
	struct seat_device *d = active_device(u->seat, SEAT_MOUSE);

	u->relative = true;
	if (!d || !d->ops->move_rel || (!dx && !dy))
		return;
	d->ops->move_rel(d->opaque, dx, dy);
	if (d->ops->sync)
		d->ops->sync(d->opaque);
}

void seat_user_wheel(struct seat_user *u, int vertical, int horizontal)
{
	struct seat_device *d = pointer(u);

	if (!d || !d->ops->wheel || (!vertical && !horizontal))
		return;
	d->ops->wheel(d->opaque, vertical, horizontal);
	if (d->ops->sync)
		d->ops->sync(d->opaque);
}
