/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean …": the known name that is nearest to a mistyped one. */
#pragma once

/*
 * Of names (NULL-ended), the one that the fewest single-letter changes lead to, or NULL where
 * none is near enough to be what was meant. Names longer than 63 bytes are not looked at.
 */
const char *nearest_name(const char *word, const char *const *names);
