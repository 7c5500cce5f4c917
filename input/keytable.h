/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys by their several names: one table of every key that our keyboards have.
 *
 *	evdev code   linux/input-event-codes.h; what the seat speaks
 *	XT code      scancode set 1, make: 0x01 .. 0x7f as they are, 0xe0xx behind an E0 prefix
 *	name         as QEMU's sendkey spells it ("ret", "ctrl", "kp_0") or as Linux does ("KEY_A")
 *
 * Everything here is constant; any thread.
 */
#pragma once

#include <stdint.h>

/*
 * The evdev code of an XT code; 0 where there is no such key. E0 is taken both as 0xe0xx and as
 * bit 7 of a byte (0x9d for E0 1D), which is how RFB's extended key event packs it.
 */
uint16_t key_from_xt(uint32_t xt);

/* The XT code, E0 as 0xe0xx; 0 where the key has none. Pause gives 0xe046, Print 0xe037. */
uint16_t key_to_xt(uint16_t code);

/* The evdev code of a name, case ignored; 0 where it is unknown. NULL is unknown. */
uint16_t key_from_name(const char *name);

/* QEMU's name where there is one, else Linux's; NULL for a code that no keyboard of ours has. */
const char *key_name(uint16_t code);

/* Walks the table: the i-th key's evdev code, ascending, 0 behind the last. */
uint16_t key_at(unsigned i);
