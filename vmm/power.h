/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a device asks for the machine's end or a new start. Any thread; the request is posted. */
#pragma once

enum power_request { POWER_OFF, POWER_RESET };

struct power_sink {
	void (*request)(void *opaque, enum power_request what, const char *by);
	void *opaque;
};
