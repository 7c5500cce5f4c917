/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client can do, from its list of encodings. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct vnc_caps {
	int32_t encoding; /* for pixels: the first of its list that we have, else raw */
	bool new_size, extended_size;
	bool cursor, cursor_alpha;
	bool qemu_leds, vmware_leds;
	bool qemu_keys, extended_buttons;
	bool name;
	bool fence, continuous;
};

void vnc_caps_parse(struct vnc_caps *caps, const int32_t *encodings, unsigned count);
