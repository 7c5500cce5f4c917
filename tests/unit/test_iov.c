/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/iov.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char bytes[] = "abcdefghij";

/* abc, nothing, defg, hij */
static unsigned lay_out(struct iovec *iov)
{
	iov[0] = (struct iovec){ bytes, 3 };
	iov[1] = (struct iovec){ bytes, 0 };
	iov[2] = (struct iovec){ bytes + 3, 4 };
	iov[3] = (struct iovec){ bytes + 7, 3 };
	return 4;
}

static const char *text(const struct iovec *iov, unsigned n)
{
	static char out[32];
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		memcpy(out + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	out[len] = 0;
	assert_int_equal(len, iov_bytes(iov, n));
	return out;
}

static void test_skip(void **state)
{
	static const char *const rest[] = { "abcdefghij", "bcdefghij", "cdefghij", "defghij",
		"efghij", "fghij", "ghij", "hij", "ij", "j", "" };

	for (unsigned i = 0; i <= 10; i++) {
		struct iovec iov[4], *at = iov;
		unsigned n = lay_out(iov);

		iov_skip(&at, &n, i);
		assert_string_equal(text(at, n), rest[i]);
		assert_true(!n || at->iov_len);
	}
}

static void test_truncate(void **state)
{
	for (unsigned i = 0; i <= 10; i++) {
		struct iovec iov[4];
		unsigned n = lay_out(iov);

		iov_truncate(iov, &n, i);
		assert_int_equal(iov_bytes(iov, n), i);
		assert_memory_equal(text(iov, n), bytes, i);
	}
}

static void test_slice(void **state)
{
	struct iovec iov[4], out[4];
	unsigned n = lay_out(iov);

	for (size_t at = 0; at <= 10; at++)
		for (size_t len = 0; at + len <= 10; len++) {
			unsigned m = iov_slice(iov, n, at, len, out);

			assert_int_equal(iov_bytes(out, m), len);
			assert_memory_equal(text(out, m), bytes + at, len);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_slice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
