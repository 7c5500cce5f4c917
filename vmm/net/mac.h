/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/*
 * A unicast, locally administered address below 52:54: derived from the desktop's name, so that
 * it keeps its address lease over a restart; random where name is NULL or "".
 */
void mac_make(const char *name, uint8_t mac[6]);
