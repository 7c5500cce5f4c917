/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/session.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "display/consumer.h"
#include "display/encode/encoder.h"
#include "display/vnc/caps.h"
#include "display/vnc/gate.h"
#include "display/vnc/input.h"
#include "display/vnc/news.h"
#include "display/vnc/parser.h"
#include "display/vnc/pseudo.h"
#include "display/vnc/resize.h"
#include "display/vnc/update.h"
#include "input/seat.h"
#include "util/bytes.h"
#include "util/log.h"

enum {
	IN_FLIGHT_MAX = 2,    /* updates that the client has not confirmed by a fence */
	HELD_MAX = 64 * 1024, /* answers that wait for the end of an update */
	TURN_PIXELS =
		16 * 1024, /* encoded before it is the others' turn; the last piece may exceed it */
};

struct vnc_session {
	const struct vnc_session_config *config;
	const struct vnc_session_ops *ops;
	void *opaque;
	char peer[64];

	struct gate *gate;
	struct rfb_parser *parser;
	struct vnc_input *input; /* from ready on, as is: */
	struct display_consumer *consumer;
	bool ready;
	bool woken; /* by the display, on any thread: there is something to collect */

	struct vnc_caps caps;
	struct vnc_news news;     /* what it has to be told beside pixels */
	struct vnc_update update; /* and the pixels */
	unsigned width, height;   /* of the screen that it was told last */
	struct pixel_format format;
	/* Kept when the client changes its mind: the compressor's history goes on where it was. */
	struct encoder *raw, *zrle;
	struct encoder *encoder;    /* of the two, for the update being sent */
	GByteArray *scratch, *held; /* held: must not stand inside of an update */
	bool fence_told;
	unsigned in_flight;

	uint64_t updates, round_trip_us;
};

/* ---- to the client ---- */

/* A message of its own: at once, or behind the update that is half-way out. */
static void say(struct vnc_session *s, const void *data, size_t len)
{
	if (vnc_update_sending(&s->update))
		g_byte_array_append(s->held, data, len);
	else
		gate_send(s->gate, data, len);
}

static void say_fence(struct vnc_session *s, uint32_t flags, const void *payload, unsigned len)
{
	g_byte_array_set_size(s->scratch, 0);
	rfb_put_fence(s->scratch, flags, payload, len);
	say(s, s->scratch->data, s->scratch->len);
}

static void say_end_of_continuous_updates(struct vnc_session *s)
{
	say(s, &(uint8_t){ RFB_END_OF_CONTINUOUS_UPDATES }, 1);
}

static void send_scratch(struct vnc_session *s)
{
	gate_send(s->gate, s->scratch->data, s->scratch->len);
	g_byte_array_set_size(s->scratch, 0);
}

/* ---- updates ---- */

static void collect(struct vnc_session *s)
{
	struct display_changes c;

	if (!__atomic_exchange_n(&s->woken, false, __ATOMIC_ACQ_REL))
		return;
	display_consumer_collect(s->consumer, &c);
	vnc_update_damage(&s->update, &c.damage);
	if (c.layout_changed) {
		s->news.layout = c.layout;
		s->news.size = true;
		/* Also what is black now, for one who cannot be told the size. */
		vnc_update_damage_all(&s->update, s->width, s->height);
	}
	if (c.cursor_changed) {
		cursor_image_unref(s->news.cursor_image);
		s->news.cursor_image = cursor_image_ref(c.cursor);
		s->news.cursor = true;
	}
	display_changes_finish(&c);
}

static void put_header(struct vnc_session *s, unsigned rects)
{
	g_byte_array_set_size(s->scratch, 0);
	rfb_put_u8(s->scratch, RFB_FRAMEBUFFER_UPDATE);
	rfb_put_u8(s->scratch, 0);
	rfb_put_u16(s->scratch, rects);
}

/* A new size is an update of its own, and leaves the request for pixels open. */
static bool send_size(struct vnc_session *s)
{
	unsigned width = s->width, height = s->height;

	if (!vnc_news_size_due(&s->news, &s->caps, s->width, s->height))
		return false;
	put_header(s, 1);
	vnc_news_put_size(&s->news, &s->caps, &width, &height, s->scratch);
	send_scratch(s);
	if (width != s->width || height != s->height) {
		s->width = width;
		s->height = height;
		rfb_parser_set_size(s->parser, width, height);
		vnc_update_damage_all(&s->update, width, height);
	}
	return true;
}

/* What the client set meanwhile holds from here on: never in the middle of an update. */
static void choose_encoder(struct vnc_session *s)
{
	struct encoder **e = s->caps.encoding == ENCODING_ZRLE ? &s->zrle : &s->raw;

	if (!*e)
		*e = encoder_create(s->caps.encoding);
	encoder_set_format(*e, &s->format);
	s->encoder = *e;
}

static void update_sent(struct vnc_session *s)
{
	gint64 now = g_get_monotonic_time();

	s->updates++;
	if (s->caps.fence) {
		say_fence(s, RFB_FENCE_REQUEST | RFB_FENCE_BLOCK_BEFORE, &now, sizeof now);
		s->in_flight++;
	}
	gate_send(s->gate, s->held->data, s->held->len);
	g_byte_array_set_size(s->held, 0);
}

/* True where an update was begun. */
static bool start_update(struct vnc_session *s)
{
	unsigned news, pieces;

	collect(s);
	if (send_size(s))
		return true;
	news = vnc_news_count(&s->news, &s->caps);
	pieces = vnc_update_plan(&s->update, s->width, s->height);
	if (!news && !pieces)
		return false;
	choose_encoder(s);
	put_header(s, news + pieces);
	vnc_news_put(&s->news, &s->caps, &s->format, s->scratch);
	send_scratch(s);
	vnc_update_answered(&s->update);
	if (!pieces)
		update_sent(s);
	return true;
}

/* Small pieces go together: an update of a caret and a clock is one packet, fence and all. */
static void send_pieces(struct vnc_session *s)
{
	unsigned pixels = 0;

	g_byte_array_set_size(s->scratch, 0);
	while (vnc_update_sending(&s->update) && pixels < TURN_PIXELS)
		pixels += vnc_update_piece(&s->update, s->consumer, s->encoder, s->scratch);
	send_scratch(s);
	if (!vnc_update_sending(&s->update))
		update_sent(s);
}

static bool on_room(void *opaque)
{
	struct vnc_session *s = opaque;

	if (!s->ready)
		return false;
	if (!vnc_update_sending(&s->update)) {
		if (!vnc_update_wanted(&s->update) || s->in_flight >= IN_FLIGHT_MAX)
			return false;
		if (!start_update(s))
			return false;
	}
	if (vnc_update_sending(&s->update))
		send_pieces(s);
	return true;
}

static void on_display_wake(void *opaque)
{
	struct vnc_session *s = opaque;

	__atomic_store_n(&s->woken, true, __ATOMIC_RELEASE);
	gate_poke(s->gate);
}

static const struct display_consumer_ops consumer_ops = { .wake = on_display_wake };

/* ---- from the client ---- */

static void on_leds(void *opaque, unsigned leds)
{
	struct vnc_session *s = opaque;

	s->news.leds = true;
	s->news.led_bits = leds;
	gate_poke(s->gate);
}

static void on_desktop_size(void *opaque, unsigned *width, unsigned *height)
{
	struct vnc_session *s = opaque;
	struct display_layout l;

	display_get_layout(s->config->display, &l);
	*width = s->width = l.width ? l.width : s->config->blank_width;
	*height = s->height = l.width ? l.height : s->config->blank_height;
}

static void on_ready(void *opaque)
{
	struct vnc_session *s = opaque;
	const struct vnc_session_config *c = s->config;

	log_info("vnc: %s connected", s->peer);
	s->ready = true;
	s->input = vnc_input_create(c->seat, c->keymap, s->peer, on_leds, s);
	s->news.led_bits = seat_leds(c->seat);
	s->woken = true;
	s->consumer = display_consumer_create(c->display, &consumer_ops, s);
	gate_open(s->gate);
}

static void on_send(void *opaque, const void *data, size_t len)
{
	say(opaque, data, len);
}

static void on_pixel_format(void *opaque, const struct pixel_format *f)
{
	struct vnc_session *s = opaque;

	s->format = *f;
	s->news.cursor = true; /* its pixels are in that format too */
}

static void on_encodings(void *opaque, const int32_t *encodings, unsigned count)
{
	struct vnc_session *s = opaque;
	struct vnc_caps old = s->caps;

	vnc_caps_parse(&s->caps, encodings, count);
	vnc_news_capabilities(&s->news, &old, &s->caps, s->config->name);
	rfb_parser_set_extended_buttons(s->parser, s->caps.extended_buttons);
	if (!s->caps.fence)
		s->in_flight = 0;
	/* A viewer learns from the first of each that we have them. noVNC wants a request there. */
	if (s->caps.fence && !s->fence_told) {
		s->fence_told = true;
		say_fence(s, RFB_FENCE_REQUEST | RFB_FENCE_BLOCK_BEFORE, NULL, 0);
	}
	if (s->caps.continuous && !old.continuous)
		say_end_of_continuous_updates(s);
}

static void on_update_request(
	void *opaque, bool incremental, unsigned x, unsigned y, unsigned width, unsigned height)
{
	struct vnc_session *s = opaque;

	vnc_update_request(
		&s->update, incremental, &(pixman_box32_t){ x, y, x + width, y + height });
	if (!incremental)
		s->news.size_asked = true;
}

static void on_continuous(
	void *opaque, bool on, unsigned x, unsigned y, unsigned width, unsigned height)
{
	struct vnc_session *s = opaque;

	if (s->update.continuous && !on)
		say_end_of_continuous_updates(s);
	vnc_update_set_continuous(&s->update, on, &(pixman_box32_t){ x, y, x + width, y + height });
}

static void on_fence(void *opaque, uint32_t flags, const uint8_t *payload, unsigned len)
{
	struct vnc_session *s = opaque;
	gint64 sent;

	if (flags & RFB_FENCE_REQUEST) {
		/* What came before is done, and our answers leave in order. */
		say_fence(
			s, flags & (RFB_FENCE_BLOCK_BEFORE | RFB_FENCE_BLOCK_AFTER), payload, len);
	} else if (len == sizeof sent && s->in_flight) {
		memcpy(&sent, payload, sizeof sent);
		s->in_flight--;
		s->round_trip_us = MAX(g_get_monotonic_time() - sent, 0);
	}
}

static void on_key(void *opaque, uint32_t keysym, uint32_t xt, bool down)
{
	struct vnc_session *s = opaque;

	vnc_input_key(s->input, keysym, xt, down);
}

static void on_pointer(void *opaque, unsigned buttons, unsigned x, unsigned y)
{
	struct vnc_session *s = opaque;
	const struct display_layout *l = &s->news.layout;
	bool on = l->width > 0;

	/* What it sees is the desktop one to one, even where it could not be told the size. */
	vnc_input_pointer(
		s->input, buttons, x, y, on ? l->width : s->width, on ? l->height : s->height);
}

static void on_set_size(void *opaque, unsigned width, unsigned height,
	const struct rfb_screen *screens, unsigned count)
{
	struct vnc_session *s = opaque;

	vnc_news_size_answer(&s->news,
		vnc_resize(s->config->display, &s->news.layout, width, height, screens, count));
}

static const struct rfb_parser_ops parser_ops = {
	.send = on_send,
	.desktop_size = on_desktop_size,
	.ready = on_ready,
	.pixel_format = on_pixel_format,
	.encodings = on_encodings,
	.update_request = on_update_request,
	.key = on_key,
	.pointer = on_pointer,
	.set_size = on_set_size,
	.continuous = on_continuous,
	.fence = on_fence,
};

/* ---- life ---- */

static ssize_t on_need(void *opaque, const uint8_t *bytes, size_t n, bool *skip)
{
	struct vnc_session *s = opaque;

	return rfb_parser_need(s->parser, bytes, n, skip);
}

static int on_message(void *opaque, const uint8_t *message, size_t len)
{
	struct vnc_session *s = opaque;
	int err = rfb_parser_feed(s->parser, message, len);

	/* Only a client that floods us with fences and reads nothing gets there. */
	if (!err && s->held->len > HELD_MAX)
		err = -ENOBUFS;
	return err;
}

static void on_closed(void *opaque, const char *why, int err)
{
	struct vnc_session *s = opaque;

	if (err == -EACCES)
		log_warning("vnc: %s: wrong password", s->peer);
	else if (s->ready)
		log_info("vnc: %s %s", s->peer, why);
	else
		log_debug("vnc: %s %s", s->peer, why);
	s->ops->closed(s->opaque, s);
}

static const struct gate_ops gate_ops = {
	.need = on_need,
	.message = on_message,
	.room = on_room,
	.closed = on_closed,
};

struct vnc_session *vnc_session_create(const struct vnc_session_config *config, int fd,
	const char *peer, const struct vnc_session_ops *ops, void *opaque)
{
	struct vnc_session *s = g_new0(struct vnc_session, 1);

	s->config = config;
	s->ops = ops;
	s->opaque = opaque;
	g_strlcpy(s->peer, peer, sizeof s->peer);
	s->format = pixel_format_native;
	s->scratch = g_byte_array_new();
	s->held = g_byte_array_new();
	vnc_update_init(&s->update);
	vnc_caps_parse(&s->caps, NULL, 0);
	s->gate = gate_create(fd, config->handshake_ms, &gate_ops, s);
	s->parser = rfb_parser_create(&parser_ops, s, config->password, config->name);
	if (s->parser)
		return s;
	log_error("vnc: %s: the system gives no more descriptors", s->peer);
	vnc_session_destroy(s);
	return NULL;
}

void vnc_session_destroy(struct vnc_session *s)
{
	if (!s)
		return;
	/* First what other threads or the seat might call. */
	display_consumer_destroy(s->consumer);
	vnc_input_destroy(s->input);
	rfb_parser_destroy(s->parser);
	gate_destroy(s->gate);
	encoder_destroy(s->raw);
	encoder_destroy(s->zrle);
	vnc_update_finish(&s->update);
	cursor_image_unref(s->news.cursor_image);
	g_byte_array_unref(s->scratch);
	g_byte_array_unref(s->held);
	g_free(s);
}

void vnc_session_stats(const struct vnc_session *s, struct vnc_client_stats *to)
{
	*to = (struct vnc_client_stats){
		.ready = s->ready,
		.encoding = s->caps.encoding,
		.width = s->width,
		.height = s->height,
		.updates = s->updates,
		.bytes = gate_sent(s->gate),
		.round_trip_us = s->round_trip_us,
		.queued = gate_queued(s->gate),
	};
	g_strlcpy(to->peer, s->peer, sizeof to->peer);
}
