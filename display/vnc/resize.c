/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/resize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int from_left_to_right(const void *a, const void *b)
{
	const struct rfb_screen *l = a, *r = b;

	return l->x < r->x ? -1 : l->x > r->x;
}

static bool side_by_side(const struct rfb_screen *screens, unsigned count, unsigned width)
{
	unsigned x = 0;

	for (unsigned i = 0; i < count; i++) {
		if (screens[i].x != x || screens[i].y != 0)
			return false;
		x += screens[i].width;
	}
	return x == width;
}

static bool size_allowed(unsigned width, unsigned height)
{
	return width >= SCANOUT_SIZE_MIN && width <= SCANOUT_SIZE_MAX &&
	       height >= SCANOUT_SIZE_MIN && height <= SCANOUT_SIZE_MAX;
}

/* All of it is checked before anything is asked of the guest. */
static enum rfb_size_status ask(struct display *d, const struct display_layout *layout,
	const struct rfb_screen *screens, unsigned count)
{
	bool asked = false;

	for (unsigned i = 0; i < count; i++)
		if (!size_allowed(screens[i].width, screens[i].height))
			return RFB_SIZE_BAD_LAYOUT;
	for (unsigned i = 0; i < display_heads(d); i++) {
		unsigned width = i < count ? screens[i].width : 0;
		unsigned height = i < count ? screens[i].height : 0;

		if (layout->heads[i].width == width && layout->heads[i].height == height)
			continue;
		if (display_request_resize(d, i, width, height) < 0)
			return RFB_SIZE_PROHIBITED;
		asked = true;
	}
	return asked ? RFB_SIZE_FORWARDED : RFB_SIZE_OK;
}

enum rfb_size_status vnc_resize(struct display *d, const struct display_layout *layout,
	unsigned width, unsigned height, const struct rfb_screen *screens, unsigned count)
{
	struct rfb_screen sorted[DISPLAY_HEADS_MAX] = { { 0, 0, 0, width, height } };

	if (!count)
		return RFB_SIZE_BAD_LAYOUT;
	if (display_heads(d) == 1)
		return ask(d, layout, sorted, 1);
	if (count == 1 && width == layout->width && height == layout->height)
		return RFB_SIZE_OK;
	if (count > display_heads(d))
		return RFB_SIZE_BAD_LAYOUT;
	memcpy(sorted, screens, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, from_left_to_right);
	if (!side_by_side(sorted, count, width))
		return RFB_SIZE_BAD_LAYOUT;
	return ask(d, layout, sorted, count);
}
