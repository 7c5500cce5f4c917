/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of option values. Each parser gives NULL, or what is wrong and how to write it
 * right as half a sentence (g_malloc): "not a size; write 512M or 2G".
 *
 * Lists are separated by commas, and a comma inside a word is doubled, as in QEMU.
 */
#pragma once

#include "vmm/options.h"

char *option_size(const char *text, uint64_t *bytes);
char *option_count(const char *text, unsigned min, unsigned max, unsigned *n);
char *option_name(const char *text);
char *option_display(const char *text, struct vmm_options *o);
char *option_disk(const char *text, struct options_disk *disk);
char *option_net(const char *text, struct options_net *net);
char *option_vnc(const char *text, struct options_endpoint *at, char **password_file);
char *option_keymap(const char *text, char **layout, char **variant);
char *option_serial(const char *text, enum console_kind *kind, char **path);
char *option_unix(const char *text, char **path); /* unix:PATH */

/* "; did you mean NAME" (g_malloc), or "" where no name is near. prefix stands before NAME. */
char *option_suggest(const char *word, const char *prefix, const char *const *names);

/* What an option that is recognised, and built later, is answered with. */
char *option_later(void);

/* ---- the bricks ---- */

/* Frees what was there. */
void option_set(char **where, const char *text);

/* Decimal digits and nothing else, up to max. */
bool option_number(const char *text, uint64_t max, uint64_t *n);

/* The words of a list, doubled commas made single; at least one. For g_strfreev(). */
char **option_words(const char *text);

/*
 * Splits "key=value" in place and finds key among the known ones (NULL-ended); an empty value is
 * refused.
 */
char *option_key(char *word, const char *const *known, unsigned *key, const char **value);

/* "on" or "off". */
char *option_bool(const char *key, const char *text, bool *on);
