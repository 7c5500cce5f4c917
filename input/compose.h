/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compose sequences turned round: from a character to the strokes whose dead keys (or Compose
 * key) make it in the guest.
 *
 * All sequences that the layout's own keys can start are tried once against the locale's Compose
 * file; what they make is kept, the shortest for each character. Constant once made: any thread.
 */
#pragma once

#include <stdint.h>

struct compose;

enum { COMPOSE_STROKES_MAX = 4 };

/*
 * keysyms: all that the layout gives. locale is a name such as "en_US.UTF-8". NULL
 * where none of the keysyms begins a sequence, or, with a warning logged, where the locale has no
 * Compose file: text is then typed without.
 */
struct compose *compose_create(const uint32_t *keysyms, unsigned n, const char *locale);
void compose_destroy(struct compose *c); /* NULL is fine */

/* The keysyms that make a character: how many, 0 where none do. *out lives as long as c. */
unsigned compose_find(const struct compose *c, uint32_t ucs, const uint32_t **out);
