/* SPDX-License-Identifier: GPL-2.0-or-later */
/* EDIDs: what a parser of ours finds in them, and what edid-decode says where it is installed. */
#include "vmm/virtio/gpu_edid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/bytes.h"

static const unsigned sizes[][2] = { { 32, 32 }, { 33, 8191 }, { 640, 480 }, { 1024, 768 },
	{ 1280, 800 }, { 1366, 768 }, { 1917, 1003 }, { 1920, 1080 }, { 1920, 1200 },
	{ 2560, 1440 }, { 3440, 1440 }, { 3840, 2160 }, { 4095, 2304 }, { 4096, 2160 },
	{ 5120, 2880 }, { 7680, 4320 }, { 8192, 32 }, { 8192, 8192 } };

static void assert_sums_to_zero(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += p[i];
	assert_int_equal(sum, 0);
}

/* The size that the preferred timing names, wherever it stands. */
static void preferred(const uint8_t *edid, size_t len, unsigned *width, unsigned *height)
{
	const uint8_t *d = edid + 54;

	if (len == 256) {
		/* Behind the tag, the header, the blocks of product and parameters, its own header. */
		d = edid + 128 + 1 + 4 + 15 + 15 + 3;
		assert_int_equal(edid[128], 0x70);
		assert_int_equal(d[-3], 0x03);
		assert_true(d[3] & 0x80);
		*width = le16_get(d + 4) + 1u;
		*height = le16_get(d + 12) + 1u;
		return;
	}
	*width = d[2] | (unsigned)d[4] >> 4 << 8;
	*height = d[5] | (unsigned)d[7] >> 4 << 8;
}

static void test_preferred_timing_is_the_size(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint8_t edid[VGPU_EDID_MAX];
		unsigned width, height;
		size_t len = vgpu_edid(0, sizes[i][0], sizes[i][1], edid);

		assert_int_equal(len, 128u * (edid[126] + 1u));
		preferred(edid, len, &width, &height);
		assert_int_equal(width, sizes[i][0]);
		assert_int_equal(height, sizes[i][1]);
		for (size_t at = 0; at < len; at += 128)
			assert_sums_to_zero(edid + at, 128);
		if (len == 256)
			assert_sums_to_zero(edid + 129, 126);
	}
}

static void test_only_odd_sizes_need_an_extension(void **state)
{
	uint8_t edid[VGPU_EDID_MAX];

	assert_int_equal(vgpu_edid(0, 3840, 2160, edid), 128);
	assert_int_equal(vgpu_edid(0, 4095, 2304, edid), 128);
	assert_int_equal(vgpu_edid(0, 64, 64, edid), 128);
	assert_int_equal(vgpu_edid(0, 63, 64, edid), 256);
	assert_int_equal(vgpu_edid(0, 4096, 64, edid), 256);
	assert_int_equal(vgpu_edid(0, 64, 4096, edid), 256);
	assert_int_equal(vgpu_edid(0, 4095, 4095, edid), 256); /* the clock */
}

static void test_heads_differ_by_serial(void **state)
{
	uint8_t a[VGPU_EDID_MAX], b[VGPU_EDID_MAX];

	vgpu_edid(0, 1280, 800, a);
	vgpu_edid(3, 1280, 800, b);
	assert_int_equal(le32_get(a + 12), 1);
	assert_int_equal(le32_get(b + 12), 4);
	assert_memory_equal(a + 108 + 5, "head-1\n", 7);
	assert_memory_equal(b + 108 + 5, "head-4\n", 7);
	assert_memory_equal(a + 90 + 5, "Hotdesk\n", 8);
}

/* Runs edid-decode over an EDID: its words in out, false where it is not installed. */
static bool decode(const uint8_t *edid, size_t len, char *out, size_t out_len)
{
	char path[] = "/tmp/hotdesk-edid-XXXXXX", command[80];
	int fd = mkstemp(path);
	FILE *f;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, edid, len), len);
	close(fd);
	snprintf(command, sizeof command, "edid-decode --check %s 2>&1", path);
	f = popen(command, "r");
	assert_non_null(f);
	out[fread(out, 1, out_len - 1, f)] = 0;
	pclose(f);
	unlink(path);
	return !strstr(out, "not found");
}

static void test_edid_decode_agrees(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		static char out[65536];
		uint8_t edid[VGPU_EDID_MAX];
		size_t len = vgpu_edid(1, sizes[i][0], sizes[i][1], edid);
		char mode[32];

		if (!decode(edid, len, out, sizeof out))
			skip();
		snprintf(mode, sizeof mode, "%ux%u", sizes[i][0], sizes[i][1]);
		if (!strstr(out, mode) || !strstr(out, "EDID conformity: PASS"))
			fail_msg("%s", out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preferred_timing_is_the_size),
		cmocka_unit_test(test_only_odd_sizes_need_an_extension),
		cmocka_unit_test(test_heads_differ_by_serial),
		cmocka_unit_test(test_edid_decode_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
