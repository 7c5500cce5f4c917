/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/legacy/rtc_chip.h"

#include <string.h>

#include <glib.h>

#include "util/bytes.h"
#include "vmm/legacy/rtc.h"

#define SECOND 1000000000ll /* ns */

enum {
	REG_SECOND = 0,
	REG_SECOND_ALARM = 1,
	REG_MINUTE = 2,
	REG_MINUTE_ALARM = 3,
	REG_HOUR = 4,
	REG_HOUR_ALARM = 5,
	REG_WEEKDAY = 6,
	REG_DAY = 7,
	REG_MONTH = 8,
	REG_YEAR = 9,
	A_UIP = 0x80,
	A_DIVIDER = 0x70,
	A_DIVIDER_RUN = 0x20, /* 32.768 kHz; all others hold the clock here */
	A_RATE = 0x0f,
	B_SET = 0x80,
	B_PIE = 0x40,
	B_AIE = 0x20,
	B_UIE = 0x10,
	B_SQWE = 0x08,
	B_BINARY = 0x04,
	B_24H = 0x02,
	C_IRQF = 0x80,
	C_PF = 0x40,
	C_AF = 0x20,
	C_UF = 0x10,
	C_FLAGS = C_PF | C_AF | C_UF, /* the same bits enable in B */
	D_VALID = 0x80,
	HOUR_PM = 0x80,
	ALARM_ANY = 0xc0,   /* both bits: every hour, minute or second */
	UIP_NS = 244000,    /* before an update UIP is up for 244 µs */
	DAY = 86400,        /* seconds */
	DAY_1970 = 719163,  /* GDate's number of 1 January 1970 */
	DAY_LAST = 3652059, /* 31 December 9999 */
	TICKS = 32768,      /* of the crystal, a second */
};

static bool chip_halted(const struct chip *s)
{
	return s->bytes[CHIP_B] & B_SET || (s->bytes[CHIP_A] & A_DIVIDER) != A_DIVIDER_RUN;
}

/* The guest's ns within its second, and its seconds since 1970. */
static int64_t chip_fine(const struct chip *s, int64_t now)
{
	return (now + s->phase) % SECOND;
}

static int64_t chip_seconds(const struct chip *s, int64_t now)
{
	return (now + s->phase) / SECOND + s->offset;
}

/* ---- time and its bytes ---- */

static unsigned chip_decode(const struct chip *s, uint8_t v)
{
	return s->bytes[CHIP_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t chip_encode(const struct chip *s, unsigned v)
{
	return (uint8_t)(s->bytes[CHIP_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static unsigned chip_decode_hour(const struct chip *s, uint8_t v)
{
	if (s->bytes[CHIP_B] & B_24H)
		return chip_decode(s, v);
	return chip_decode(s, v & (uint8_t)~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

static uint8_t chip_encode_hour(const struct chip *s, unsigned hour)
{
	if (s->bytes[CHIP_B] & B_24H)
		return chip_encode(s, hour);
	return chip_encode(s, (hour + 11) % 12 + 1) | (hour >= 12 ? HOUR_PM : 0);
}

/* Puts the time of now into the bytes. */
static void chip_latch(struct chip *s, int64_t now)
{
	int64_t seconds = chip_seconds(s, now), day = seconds / DAY, second = seconds % DAY;
	uint8_t *b = s->bytes;
	GDate date;

	if (second < 0) {
		second += DAY;
		day--;
	}
	g_date_clear(&date, 1);
	g_date_set_julian(&date, (guint32)CLAMP(day + DAY_1970, 1, DAY_LAST));
	b[REG_SECOND] = chip_encode(s, (unsigned)(second % 60));
	b[REG_MINUTE] = chip_encode(s, (unsigned)(second / 60 % 60));
	b[REG_HOUR] = chip_encode_hour(s, (unsigned)(second / 3600));
	b[REG_WEEKDAY] = chip_encode(s, g_date_get_weekday(&date) % 7u + 1); /* 1: Sunday */
	b[REG_DAY] = chip_encode(s, g_date_get_day(&date));
	b[REG_MONTH] = chip_encode(s, g_date_get_month(&date));
	b[REG_YEAR] = chip_encode(s, g_date_get_year(&date) % 100u);
	b[RTC_CENTURY] = chip_encode(s, g_date_get_year(&date) / 100u);
}

/*
 * Takes the time from the bytes, whatever they hold: what is no month or day becomes the nearest
 * one, and a day that its month does not have counts on into the next.
 */
static void chip_commit(struct chip *s, int64_t now)
{
	const uint8_t *b = s->bytes;
	unsigned year =
		chip_decode(s, b[RTC_CENTURY]) % 100 * 100 + chip_decode(s, b[REG_YEAR]) % 100;
	unsigned month = chip_decode(s, b[REG_MONTH]), day = chip_decode(s, b[REG_DAY]);
	int64_t seconds, first;
	GDate date;

	g_date_clear(&date, 1);
	g_date_set_dmy(&date, 1, (GDateMonth)CLAMP(month, 1, 12), (GDateYear)MAX(year, 1));
	first = (int64_t)g_date_get_julian(&date) - DAY_1970;
	seconds = (first + CLAMP(day, 1, 31) - 1) * DAY +
		  MIN(chip_decode_hour(s, b[REG_HOUR]), 23) * 3600 +
		  MIN(chip_decode(s, b[REG_MINUTE]), 59) * 60 +
		  MIN(chip_decode(s, b[REG_SECOND]), 59);
	s->offset = seconds - (now + s->phase) / SECOND;
	s->seen = now;
}

/* ---- alarm and period ---- */

/* -1: any. */
static int chip_alarm_field(const struct chip *s, unsigned reg)
{
	uint8_t v = s->bytes[reg];

	if ((v & ALARM_ANY) == ALARM_ANY)
		return -1;
	return (int)(reg == REG_HOUR_ALARM ? chip_decode_hour(s, v) : chip_decode(s, v));
}

/* The guest's first second after `from` at which the alarm goes off, or INT64_MAX. */
static int64_t chip_next_alarm(const struct chip *s, int64_t from)
{
	int hour = chip_alarm_field(s, REG_HOUR_ALARM);
	int minute = chip_alarm_field(s, REG_MINUTE_ALARM);
	int second = chip_alarm_field(s, REG_SECOND_ALARM);
	int start = (int)((from + 1) % DAY);
	int passed = 0;

	start += start < 0 ? DAY : 0;
	/* Skips whole hours and minutes that do not match: some 150 steps at most. */
	while (passed < DAY) {
		int t = (start + passed) % DAY;

		if (hour >= 0 && t / 3600 != hour)
			passed += 3600 - t % 3600;
		else if (minute >= 0 && t / 60 % 60 != minute)
			passed += 60 - t % 60;
		else if (second >= 0 && t % 60 != second)
			passed++;
		else
			return from + 1 + passed;
	}
	return INT64_MAX;
}

/* The periodic interrupt's length in ticks of the crystal (data sheet, table 5); 0: none. */
static int64_t chip_period(const struct chip *s)
{
	unsigned rate = s->bytes[CHIP_A] & A_RATE;

	if (!rate)
		return 0;
	return 1ll << (rate <= 2 ? rate + 6 : rate - 1);
}

static int64_t chip_ticks(const struct chip *s, int64_t now)
{
	int64_t t = now + s->phase;

	return t / SECOND * TICKS + t % SECOND * TICKS / SECOND;
}

static int64_t chip_next_period(const struct chip *s, int64_t now)
{
	int64_t period = chip_period(s), tick;

	if (!period)
		return INT64_MAX;
	tick = (chip_ticks(s, now) / period + 1) * period;
	return tick / TICKS * SECOND + (tick % TICKS * SECOND + TICKS - 1) / TICKS - s->phase;
}

void chip_catch_up(struct chip *s, int64_t now)
{
	int64_t period = chip_period(s), seen = s->seen;
	uint8_t *flags = &s->bytes[CHIP_C];

	s->seen = now;
	if (chip_halted(s) || now <= seen) /* the host's clock may be set back */
		return;
	if (chip_seconds(s, now) != chip_seconds(s, seen)) {
		*flags |= C_UF;
		if (chip_next_alarm(s, chip_seconds(s, seen)) <= chip_seconds(s, now))
			*flags |= C_AF;
	}
	if (period && chip_ticks(s, now) / period != chip_ticks(s, seen) / period)
		*flags |= C_PF;
}

bool chip_irq(const struct chip *s)
{
	return s->bytes[CHIP_C] & s->bytes[CHIP_B] & C_FLAGS;
}

int64_t chip_next(const struct chip *s, int64_t now)
{
	uint8_t wanted = s->bytes[CHIP_B];
	int64_t next = INT64_MAX, second = now - chip_fine(s, now);

	/* The line stays up until register C is read, so there is nothing to add before that. */
	if (chip_halted(s) || chip_irq(s))
		return next;
	if (wanted & B_UIE)
		next = second + SECOND;
	if (wanted & B_PIE)
		next = MIN(next, chip_next_period(s, now));
	if (wanted & B_AIE) {
		int64_t at = chip_next_alarm(s, chip_seconds(s, now));

		if (at != INT64_MAX)
			next = MIN(next, second + (at - chip_seconds(s, now)) * SECOND);
	}
	return next;
}

/* ---- registers ---- */

static bool chip_is_time(unsigned reg)
{
	return reg == RTC_CENTURY || (reg <= REG_YEAR && reg != REG_SECOND_ALARM &&
					     reg != REG_MINUTE_ALARM && reg != REG_HOUR_ALARM);
}

uint8_t chip_read(struct chip *s, int64_t now)
{
	unsigned reg = s->index;
	uint8_t v;

	if (chip_is_time(reg) && !chip_halted(s))
		chip_latch(s, now);
	v = s->bytes[reg];
	if (reg == CHIP_A && !chip_halted(s) && chip_fine(s, now) >= SECOND - UIP_NS)
		v |= A_UIP;
	if (reg == CHIP_C) {
		chip_catch_up(s, now);
		v = s->bytes[CHIP_C] | (chip_irq(s) ? C_IRQF : 0);
		s->bytes[CHIP_C] = 0;
	}
	return v;
}

/* Registers A and B, either of which may stop the clock or let it go on. */
static void chip_write_control(struct chip *s, int64_t now, uint8_t v)
{
	bool was_halted = chip_halted(s);
	bool held = (s->bytes[CHIP_A] & A_DIVIDER) != A_DIVIDER_RUN;

	if (!was_halted)
		chip_latch(s, now);
	if (s->index == CHIP_A)
		s->bytes[CHIP_A] = v & (uint8_t)~A_UIP;
	else
		s->bytes[CHIP_B] = v & B_SET ? v & (uint8_t)~B_UIE : v;
	if (!was_halted || chip_halted(s))
		return;
	if (held) /* a divider that is let go counts half a second to the first update */
		s->phase = (uint32_t)((SECOND * 3 / 2 - now % SECOND) % SECOND);
	chip_commit(s, now);
}

void chip_write(struct chip *s, int64_t now, uint8_t v)
{
	unsigned reg = s->index;

	chip_catch_up(s, now);
	switch (reg) {
	case CHIP_A:
	case CHIP_B:
		chip_write_control(s, now, v);
		break;
	case CHIP_C:
	case CHIP_D:
		break;
	default:
		if (chip_is_time(reg) && !chip_halted(s)) {
			chip_latch(s, now);
			s->bytes[reg] = v;
			chip_commit(s, now);
		} else {
			s->bytes[reg] = v;
		}
	}
}

void chip_init(struct chip *s, int64_t now)
{
	*s = (struct chip){ .seen = now };
	s->bytes[CHIP_A] = A_DIVIDER_RUN | 6; /* 1024 Hz */
	s->bytes[CHIP_B] = B_24H;
	s->bytes[CHIP_D] = D_VALID;
}

void chip_reset(struct chip *s)
{
	s->index = 0;
	s->bytes[CHIP_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
	s->bytes[CHIP_C] = 0;
}
