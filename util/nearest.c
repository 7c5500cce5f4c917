/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/nearest.h"

#include <string.h>

#include "util/bytes.h"

enum { WORD_MAX = 63 };

/* Levenshtein's distance, one row of his table kept. b is at most WORD_MAX bytes. */
static unsigned nearest_distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1];
	size_t len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = (unsigned)j;
	for (; *a; a++) {
		unsigned diagonal = row[0];

		row[0]++;
		for (size_t j = 1; j <= len; j++) {
			unsigned up = row[j], change = diagonal + (*a != b[j - 1]);

			row[j] = MIN(change, MIN(up, row[j - 1]) + 1);
			diagonal = up;
		}
	}
	return row[len];
}

const char *nearest_name(const char *word, const char *const *names)
{
	const char *best = NULL;
	size_t len = strlen(word);
	unsigned best_distance = len < 4 ? 2 : (unsigned)MIN(len / 3 + 2, 5); /* to be below */

	if (len > WORD_MAX)
		return NULL;
	for (; *names; names++) {
		unsigned d;

		if (strlen(*names) > WORD_MAX)
			continue;
		/* A beginning ("snap") is as good as one slip. */
		d = len >= 3 && !strncmp(word, *names, len) ? 1 : nearest_distance(word, *names);
		if (d < best_distance) {
			best_distance = d;
			best = *names;
		}
	}
	return best;
}
