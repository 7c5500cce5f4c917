/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/state.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

enum { NAME_MAX_LEN = 64 };

/* ---- writing ---- */

void state_writer_init(struct state_writer *w)
{
	*w = (struct state_writer){ 0 };
}

void state_writer_finish(struct state_writer *w)
{
	free(w->data);
	*w = (struct state_writer){ 0 };
}

static void put(struct state_writer *w, const void *p, size_t len)
{
	if (w->len + len > w->cap) {
		w->cap = MAX(w->cap * 2, w->len + len + 256);
		w->data = realloc(w->data, w->cap);
		if (!w->data)
			abort(); /* a few KiB: there is nothing sensible left to do */
	}
	if (len)
		memcpy(w->data + w->len, p, len);
	w->len += len;
}

void state_put_u8(struct state_writer *w, uint8_t v)
{
	put(w, &v, sizeof v);
}

void state_put_u16(struct state_writer *w, uint16_t v)
{
	put(w, &v, sizeof v);
}

void state_put_u32(struct state_writer *w, uint32_t v)
{
	put(w, &v, sizeof v);
}

void state_put_u64(struct state_writer *w, uint64_t v)
{
	put(w, &v, sizeof v);
}

void state_put_bytes(struct state_writer *w, const void *p, uint32_t len)
{
	state_put_u32(w, len);
	put(w, p, len);
}

size_t state_begin(struct state_writer *w, const char *name, uint16_t version)
{
	size_t mark;

	state_put_bytes(w, name, (uint32_t)strlen(name));
	state_put_u16(w, version);
	mark = w->len;
	state_put_u32(w, 0); /* the body's length, known at the end */
	return mark;
}

void state_end(struct state_writer *w, size_t mark)
{
	le32_put(w->data + mark, (uint32_t)(w->len - mark - 4));
}

/* ---- reading ---- */

void state_reader_init(struct state_reader *r, const void *data, size_t len)
{
	*r = (struct state_reader){ .data = data, .len = len };
}

/* The next len bytes in place, or NULL and failure. */
static const uint8_t *take(struct state_reader *r, size_t len)
{
	const uint8_t *p;

	if (r->failed || !range_inside(r->at, len, r->len)) {
		r->failed = true;
		return NULL;
	}
	p = r->data + r->at;
	r->at += len;
	return p;
}

uint8_t state_get_u8(struct state_reader *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

uint16_t state_get_u16(struct state_reader *r)
{
	const uint8_t *p = take(r, 2);

	return p ? le16_get(p) : 0;
}

uint32_t state_get_u32(struct state_reader *r)
{
	const uint8_t *p = take(r, 4);

	return p ? le32_get(p) : 0;
}

uint64_t state_get_u64(struct state_reader *r)
{
	const uint8_t *p = take(r, 8);

	return p ? le64_get(p) : 0;
}

const void *state_get_blob(struct state_reader *r, uint32_t *len, uint32_t max)
{
	const void *p = NULL;

	*len = state_get_u32(r);
	if (*len > max)
		r->failed = true;
	else
		p = take(r, *len);
	if (r->failed)
		*len = 0;
	return r->failed ? NULL : p;
}

void state_get_bytes(struct state_reader *r, void *p, uint32_t len)
{
	uint32_t stored;
	const void *from = state_get_blob(r, &stored, len);

	if (from && stored == len) {
		memcpy(p, from, len);
	} else {
		r->failed = true;
		memset(p, 0, len);
	}
}

uint16_t state_section(
	struct state_reader *r, const char *name, uint16_t newest, struct state_reader *body)
{
	uint32_t name_len, body_len;
	const char *stored = state_get_blob(r, &name_len, NAME_MAX_LEN);
	uint16_t version = state_get_u16(r);
	const void *data = state_get_blob(r, &body_len, UINT32_MAX);

	if (r->failed || name_len != strlen(name) || memcmp(stored, name, name_len) != 0 ||
		!version || version > newest) {
		r->failed = true;
		state_reader_init(body, NULL, 0);
		body->failed = true;
		return 0;
	}
	state_reader_init(body, data, body_len);
	return version;
}

bool state_reader_done(const struct state_reader *r)
{
	return !r->failed && r->at == r->len;
}
