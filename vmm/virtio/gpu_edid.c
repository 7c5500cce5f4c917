/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/gpu_edid.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/bytes.h"

enum { BLOCK = 128, DPI = 96, PRODUCT = 1, YEAR = 2024 };
static const char maker[] = "HDK"; /* in the manner of PNP ids */

/* Frames a second. */
enum { RATE = 60, RATE_LARGE = 30 };

/*
 * What a detailed timing descriptor is good for: 12-bit sizes, and Linux takes none below 64.
 * Clocks are in 10 kHz; below 10 MHz readers take a descriptor for garbage.
 */
#define DTD_SIDE_MIN  64u
#define DTD_SIDE_MAX  4095u
#define DTD_CLOCK_MAX 65535u
#define CLOCK_MIN     1000u
#define CLOCK_MAX     255000u /* the most that the range limits can name */

/* CVT 1.2 reduced blanking: fixed horizontally, at least 460 us vertically. */
enum { H_FRONT = 48, H_SYNC = 32, H_BLANK = 160, V_FRONT = 3, V_BACK_MIN = 6, V_BLANK_US = 460 };

struct timing {
	unsigned width, height, rate;
	unsigned v_sync, v_blank; /* lines */
	unsigned clock;           /* 10 kHz */
};

/* CVT tells a mode's aspect ratio by the length of its vertical sync. */
static unsigned v_sync_lines(unsigned width, unsigned height)
{
	static const struct {
		unsigned w, h, lines;
	} ratios[] = { { 4, 3, 4 }, { 16, 9, 5 }, { 16, 10, 6 }, { 5, 4, 7 }, { 15, 9, 7 } };

	for (size_t i = 0; i < ARRAY_LEN(ratios); i++)
		if (width * ratios[i].h == height * ratios[i].w)
			return ratios[i].lines;
	return 10;
}

static struct timing timing_at(unsigned width, unsigned height, unsigned rate)
{
	struct timing t = { .width = width, .height = height, .rate = rate };
	unsigned visible_us = 1000000 / rate - V_BLANK_US, total = width + H_BLANK;
	unsigned lines_min = (CLOCK_MIN * 10000 + rate * total - 1) / (rate * total);

	t.v_sync = v_sync_lines(width, height);
	/* Lines that V_BLANK_US last, at visible_us / height each. */
	t.v_blank = MAX(V_BLANK_US * height / visible_us + 1, V_FRONT + t.v_sync + V_BACK_MIN);
	if (height + t.v_blank < lines_min)
		t.v_blank = lines_min - height;
	t.clock = (unsigned)(((uint64_t)total * (height + t.v_blank) * rate + 5000) / 10000);
	return t;
}

static struct timing timing_for(unsigned width, unsigned height)
{
	struct timing t = timing_at(width, height, RATE);

	return t.clock <= CLOCK_MAX ? t : timing_at(width, height, RATE_LARGE);
}

static bool fits_descriptor(const struct timing *t)
{
	return MIN(t->width, t->height) >= DTD_SIDE_MIN &&
	       MAX(t->width, t->height) <= DTD_SIDE_MAX && t->clock <= DTD_CLOCK_MAX;
}

static unsigned millimetres(unsigned pixels)
{
	return (pixels * 254 + DPI * 5) / (DPI * 10);
}

static void put_checksum(uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i + 1 < len; i++)
		sum += p[i];
	p[len - 1] = (uint8_t)-sum;
}

/* ---- 18-byte descriptors (3.10) ---- */

/* Sizes in mm are the monitor's. */
static void put_timing(uint8_t *d, const struct timing *t, unsigned mm_w, unsigned mm_h)
{
	le16_put(d, (uint16_t)t->clock);
	d[2] = (uint8_t)t->width;
	d[3] = (uint8_t)H_BLANK;
	d[4] = (uint8_t)(t->width >> 8 << 4 | H_BLANK >> 8);
	d[5] = (uint8_t)t->height;
	d[6] = (uint8_t)t->v_blank;
	d[7] = (uint8_t)(t->height >> 8 << 4 | t->v_blank >> 8);
	d[8] = H_FRONT;
	d[9] = H_SYNC;
	d[10] = (uint8_t)(V_FRONT << 4 | t->v_sync);
	d[12] = (uint8_t)mm_w;
	d[13] = (uint8_t)mm_h;
	d[14] = (uint8_t)(mm_w >> 8 << 4 | mm_h >> 8);
	d[17] = 0x1a; /* digital separate sync; vertical negative, horizontal positive */
}

static void put_text(uint8_t *d, uint8_t tag, const char *text)
{
	size_t len = strlen(text);

	d[3] = tag;
	memset(d + 5, ' ', 13);
	memcpy(d + 5, text, len);
	if (len < 13)
		d[5 + len] = '\n';
}

/* Wide enough for the preferred timing and for what the standard timings list. */
static void put_range(uint8_t *d, const struct timing *t)
{
	unsigned khz = (t->clock * 10 + t->width + H_BLANK - 1) / (t->width + H_BLANK);
	unsigned max_khz = MAX(khz, 80u), min_khz = MAX(MIN(khz - 1, 30u), 1u);
	unsigned max_10mhz = MAX((t->clock + 999) / 1000, 30u);

	d[3] = 0xfd;
	d[4] = max_khz > 255 ? 0x08 : 0; /* the maximum is 255 kHz more */
	d[5] = (uint8_t)(t->rate - 1);
	d[6] = RATE + 1;
	d[7] = (uint8_t)min_khz;
	d[8] = (uint8_t)(max_khz > 255 ? max_khz - 255 : max_khz);
	d[9] = (uint8_t)max_10mhz;
	d[10] = 0x01; /* limits, no formula */
	d[11] = '\n';
	memset(d + 12, ' ', 6);
}

/* ---- the DisplayID extension (DisplayID 1.3, section 4) ---- */

enum {
	BLOCK_PRODUCT = 0x00,
	BLOCK_PARAMETERS = 0x01,
	BLOCK_TYPE1 = 0x03,
	BLOCK_INTERFACE = 0x0f,
	STANDALONE_DISPLAY = 3
};

/* Opens a data block of len bytes: where they go. */
static uint8_t *put_data_block(uint8_t *p, uint8_t tag, uint8_t len)
{
	p[0] = tag;
	p[2] = len;
	return p + 3;
}

/* Who made it, as in the base block: the end of the block, as below. */
static uint8_t *put_product(uint8_t *p, unsigned head)
{
	uint8_t *d = put_data_block(p, BLOCK_PRODUCT, 12);

	memcpy(d, maker, 3);
	le16_put(d + 3, PRODUCT);
	le32_put(d + 5, head + 1);
	d[10] = YEAR - 2000;
	return d + 12;
}

static uint8_t *put_parameters(uint8_t *p, const struct timing *t)
{
	uint8_t *d = put_data_block(p, BLOCK_PARAMETERS, 12);
	unsigned ratio = 100 * MAX(t->width, t->height) / MIN(t->width, t->height) - 100;

	le16_put(d, (uint16_t)(millimetres(t->width) * 10));
	le16_put(d + 2, (uint16_t)(millimetres(t->height) * 10));
	le16_put(d + 4, (uint16_t)t->width);
	le16_put(d + 6, (uint16_t)t->height);
	d[9] = 120; /* gamma 2.2 */
	d[10] = (uint8_t)MIN(ratio, 255u);
	d[11] = 0x77; /* 8 bits a colour */
	return d + 12;
}

static uint8_t *put_timing_type1(uint8_t *p, const struct timing *t)
{
	uint8_t *d = put_data_block(p, BLOCK_TYPE1, 20);
	unsigned clock = t->clock - 1;

	d[0] = (uint8_t)clock;
	d[1] = (uint8_t)(clock >> 8);
	d[2] = (uint8_t)(clock >> 16);
	d[3] = 0x88; /* preferred, progressive, aspect ratio not defined */
	le16_put(d + 4, (uint16_t)(t->width - 1));
	le16_put(d + 6, H_BLANK - 1);
	le16_put(d + 8, (uint16_t)((H_FRONT - 1) | 0x8000)); /* horizontal sync positive */
	le16_put(d + 10, H_SYNC - 1);
	le16_put(d + 12, (uint16_t)(t->height - 1));
	le16_put(d + 14, (uint16_t)(t->v_blank - 1));
	le16_put(d + 16, V_FRONT - 1);
	le16_put(d + 18, (uint16_t)(t->v_sync - 1));
	return d + 20;
}

static void put_displayid(uint8_t *block, const struct timing *t, unsigned head)
{
	uint8_t *section = block + 1, *p = section + 4;

	block[0] = 0x70;
	section[0] = 0x12;
	section[1] = BLOCK - 7; /* all but the tag, this header of 4, and two checksums */
	section[2] = STANDALONE_DISPLAY;
	p = put_product(p, head);
	p = put_parameters(p, t);
	p = put_timing_type1(p, t);
	p = put_data_block(p, BLOCK_INTERFACE, 10);
	p[0] = 0xa1; /* DisplayPort, one link, 8 bits of RGB */
	p[1] = 0x12;
	p[2] = 0x02;
	put_checksum(section, BLOCK - 2);
	put_checksum(block, BLOCK);
}

/* ---- the base block (3.1) ---- */

/* Modes that a user may choose beside the preferred one: width / 8 - 31, aspect ratio, 60 Hz. */
static void put_standard_timings(uint8_t *p)
{
	enum { R16_10 = 0x00, R4_3 = 0x40, R5_4 = 0x80, R16_9 = 0xc0 };
	static const struct {
		uint16_t width;
		uint8_t ratio;
	} modes[8] = { { 1280, R16_9 }, { 1280, R16_10 }, { 1280, R5_4 }, { 1440, R16_10 },
		{ 1600, R4_3 }, { 1680, R16_10 }, { 1920, R16_9 }, { 1920, R16_10 } };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		p[2 * i] = (uint8_t)(modes[i].width / 8 - 31);
		p[2 * i + 1] = modes[i].ratio | (RATE - 60);
	}
}

/* The first timing is t where a descriptor can hold it. */
static void put_base(uint8_t *edid, const struct timing *t, unsigned head)
{
	static const uint8_t magic[8] = { 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00 };
	static const uint8_t srgb[10] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50,
		0x54 };
	unsigned mm_w = millimetres(t->width), mm_h = millimetres(t->height);
	struct timing first = fits_descriptor(t) ? *t : timing_for(1920, 1080);
	char serial[14];

	memcpy(edid, magic, sizeof magic);
	be16_put(edid + 8,
		(uint16_t)((maker[0] - '@') << 10 | (maker[1] - '@') << 5 | (maker[2] - '@')));
	le16_put(edid + 10, PRODUCT);
	le32_put(edid + 12, head + 1); /* serial */
	edid[17] = YEAR - 1990;
	edid[18] = 1;
	edid[19] = 4;
	edid[20] = 0xa0; /* digital, 8 bits a colour */
	edid[21] = (uint8_t)MAX((mm_w + 5) / 10, 1u);
	edid[22] = (uint8_t)MAX((mm_h + 5) / 10, 1u);
	edid[23] = 0x78; /* gamma 2.2 */
	edid[24] = 0x27; /* active off, sRGB, preferred is native, continuous frequency */
	memcpy(edid + 25, srgb, sizeof srgb);
	edid[35] = 0x21; /* 640x480 and 800x600 at 60 Hz */
	edid[36] = 0x08; /* 1024x768 at 60 Hz */
	put_standard_timings(edid + 38);
	put_timing(edid + 54, &first, mm_w, mm_h);
	put_range(edid + 72, t);
	put_text(edid + 90, 0xfc, "Hotdesk");
	snprintf(serial, sizeof serial, "head-%u", head + 1);
	put_text(edid + 108, 0xff, serial);
	edid[126] = !fits_descriptor(t); /* extensions */
	put_checksum(edid, BLOCK);
}

size_t vgpu_edid(unsigned head, unsigned width, unsigned height, uint8_t edid[VGPU_EDID_MAX])
{
	struct timing t = timing_for(width, height);

	memset(edid, 0, VGPU_EDID_MAX);
	put_base(edid, &t, head);
	if (fits_descriptor(&t))
		return BLOCK;
	put_displayid(edid + BLOCK, &t, head);
	return 2 * BLOCK;
}
