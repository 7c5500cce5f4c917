/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chip behind the ports (Motorola MC146818A data sheet): registers as a function of time.
 *
 * Time comes in as ns since 1970 of the host; nothing here ticks, waits or locks. Flags of
 * register C are brought up to date by chip_catch_up() from where it looked last.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	CHIP_BYTES = 128,
	CHIP_A = 0x0a,
	CHIP_B = 0x0b,
	CHIP_C = 0x0c,
	CHIP_D = 0x0d,
};

struct chip {
	uint8_t index;
	/*
	 * Bytes as the guest sees them, but for the time, which stands here only while the clock is
	 * stopped (register B's SET, or a divider held in reset).
	 */
	uint8_t bytes[CHIP_BYTES];
	int64_t offset; /* guest's seconds minus the host's */
	uint32_t phase; /* ns by which the guest's seconds begin earlier, below 10^9 */
	int64_t seen;   /* the time up to which flags were looked at */
};

/* As when it left the factory, at the host's time. */
void chip_init(struct chip *s, int64_t now);

/* The machine's reset line: interrupts are off, time and bytes stay. */
void chip_reset(struct chip *s);

/* Of the byte that the index names. Reading register C clears it. */
uint8_t chip_read(struct chip *s, int64_t now);
void chip_write(struct chip *s, int64_t now, uint8_t v);

/* Sets what has come about since the last time. */
void chip_catch_up(struct chip *s, int64_t now);

/* Whether an enabled interrupt waits for register C to be read. */
bool chip_irq(const struct chip *s);

/* The host's time of the next flag that would raise the line, or INT64_MAX where none can. */
int64_t chip_next(const struct chip *s, int64_t now);
