/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SetDesktopSize: a client's wish for screens, as sizes of heads. */
#pragma once

#include "display/consumer.h"
#include "display/vnc/rfb.h"

/*
 * Asks the guest for what the client wants: heads side by side from the left, tops at 0, no gaps;
 * heads that it does not name are unplugged. With one head, any arrangement is taken as a window
 * of that size. One screen as large as several heads together changes nothing: viewers in a window
 * say so at once, whatever they have been told. layout is what there is now: nothing is asked that is so already. Returns the
 * status to answer with.
 */
enum rfb_size_status vnc_resize(struct display *d, const struct display_layout *layout,
	unsigned width, unsigned height, const struct rfb_screen *screens, unsigned count);
