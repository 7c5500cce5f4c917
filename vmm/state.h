/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device's state as bytes: what save() appends and load() takes back.
 *
 * A section is a name, a version and a body of fixed-width little-endian numbers and
 * length-prefixed byte strings, in the order in which save() wrote them. The snapshot file that
 * sections end up in comes from disk, so a reader trusts nothing: after the first thing that does
 * not fit, it has failed, and every further read gives zeros.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_writer {
	uint8_t *data;
	size_t len, cap;
};

void state_writer_init(struct state_writer *w);
void state_writer_finish(struct state_writer *w);

void state_put_u8(struct state_writer *w, uint8_t v);
void state_put_u16(struct state_writer *w, uint16_t v);
void state_put_u32(struct state_writer *w, uint32_t v);
void state_put_u64(struct state_writer *w, uint64_t v);
void state_put_bytes(struct state_writer *w, const void *p, uint32_t len);

/* Opens a section; the returned mark goes to state_end(). Sections do not nest. */
size_t state_begin(struct state_writer *w, const char *name, uint16_t version);
void state_end(struct state_writer *w, size_t mark);

struct state_reader {
	const uint8_t *data;
	size_t len, at;
	bool failed;
};

void state_reader_init(struct state_reader *r, const void *data, size_t len);

uint8_t state_get_u8(struct state_reader *r);
uint16_t state_get_u16(struct state_reader *r);
uint32_t state_get_u32(struct state_reader *r);
uint64_t state_get_u64(struct state_reader *r);

/* Copies a byte string of exactly len bytes; fails where the stored length differs. */
void state_get_bytes(struct state_reader *r, void *p, uint32_t len);

/* A byte string of up to max bytes, in place: NULL and *len 0 where it fails. */
const void *state_get_blob(struct state_reader *r, uint32_t *len, uint32_t max);

/*
 * Enters the next section, which must bear this name and a version up to newest: its version, or
 * 0 and failure. *body reads the section alone, and r stands behind it.
 */
uint16_t state_section(
	struct state_reader *r, const char *name, uint16_t newest, struct state_reader *body);

/* True where all was read, to the last byte, and nothing failed. */
bool state_reader_done(const struct state_reader *r);
