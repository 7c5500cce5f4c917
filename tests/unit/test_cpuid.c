/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID tables: what is offered, chosen, missing, and who each vCPU is. */
#include "vmm/cpuid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <asm/kvm_para.h>
#include <cmocka.h>

#include "util/bytes.h"
#include "vmm/cpuid_bits.h"
#include "vmm/state.h"

static void put(struct cpuid_table *t, uint32_t leaf, uint32_t sub, uint32_t eax, uint32_t ebx,
	uint32_t ecx, uint32_t edx)
{
	bool indexed = leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x8000001d;
	struct kvm_cpuid_entry2 e = { leaf, sub, indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0, eax,
		ebx, ecx, edx };

	assert_true(cpuid_set(t, &e));
}

/* What KVM says on a host that has more than v3 asks for. */
static struct cpuid_table host(bool amd)
{
	struct cpuid_table t = { 0 };

	if (amd)
		put(&t, 0, 0, 0x10, 0x68747541, 0x444d4163, 0x69746e65);
	else
		put(&t, 0, 0, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69);
	put(&t, 1, 0, 0x00a20f10, 0x07100800, 0xf6fa3223, 0x178bfbff);
	for (uint32_t i = 0; i < 4; i++)
		put(&t, amd ? 0x8000001d : 4, i, i < 3 ? 0x1c004121 + i * 0x21 : 0x7c1fc163,
			0x01c0003f, 0x3f, 0);
	put(&t, 6, 0, 4, 0, 0, 0);
	put(&t, 7, 0, 0, 0x219c97a9, 0x40069c, 0x10);
	put(&t, 0xb, 0, 0, 0, 0, 7);
	put(&t, 0xd, 0, 0x207, 0x988, 0x988, 0);
	put(&t, 0xd, 1, 0xf, 0, 0, 0);
	put(&t, 0xd, 2, 0x100, 0x240, 0, 0);
	put(&t, 0x80000000, 0, 0x80000022, 0, 0, 0);
	put(&t, 0x80000001, 0, 0x00a20f10, 0, 0x004003f7, 0x2fd3fbff);
	put(&t, 0x80000007, 0, 0, 0, 0, 0x100);
	put(&t, 0x80000008, 0, 0x3030, 0x111ed205, 0x7001, 0);
	put(&t, 0x8000000a, 0, 1, 0x10, 0, 0xdbb);
	put(&t, 0x8000001e, 0, 7, 0x103, 0x100, 0);
	put(&t, KVM_CPUID_FEATURES, 0, 0x0100ffff, 0, 0, 1);
	return t;
}

static const struct cpuid_caps usual = { .tsc_deadline = true };

static struct cpuid_table offered(bool amd)
{
	struct cpuid_table h = host(amd), t;

	cpuid_offer(&t, &h, &usual);
	return t;
}

static void test_offer(void **state)
{
	struct cpuid_table t = offered(true), poor = { 0 }, out;
	const struct cpuid_caps none = { 0 };
	const struct kvm_cpuid_entry2 *e = cpuid_find(&t, 1, 0);

	assert_true(e->ecx & CPUID_1_ECX_HYPERVISOR);
	assert_true(e->ecx & CPUID_1_ECX_X2APIC);
	assert_true(e->ecx & CPUID_1_ECX_TSC_DEADLINE);
	assert_false(e->ecx & CPUID_1_ECX_VMX);
	assert_false(cpuid_find(&t, 0x80000001, 0)->ecx & CPUID_81_ECX_SVM);
	assert_int_equal(cpuid_find(&t, 0x8000000a, 0)->edx, 0);
	assert_false(cpuid_find(&t, 0x80000007, 0)->edx & CPUID_87_EDX_INVARIANT_TSC);
	e = cpuid_find(&t, KVM_CPUID_FEATURES, 0);
	assert_int_equal(e->eax, 0x01007afb);
	assert_int_equal(e->edx, 0);
	e = cpuid_find(&t, KVM_CPUID_SIGNATURE, 0);
	assert_int_equal(e->eax, KVM_CPUID_FEATURES);
	assert_memory_equal(&e->ebx, "KVMK", 4);

	/* a KVM that says next to nothing still gives a table */
	put(&poor, 1, 0, 1, 0, 0, 0);
	cpuid_offer(&out, &poor, &none);
	assert_false(cpuid_find(&out, 1, 0)->ecx & CPUID_1_ECX_TSC_DEADLINE);
	assert_int_equal(cpuid_find(&out, KVM_CPUID_FEATURES, 0)->eax, 0);
	assert_int_equal(cpuid_physical_bits(&out), 36);
	cpuid_vcpu(&out, &out, 0, 1);
	assert_int_equal(cpuid_vendor(&out), CPUID_OTHER);

	/* async page faults by #PF alone are not offered */
	put(&poor, KVM_CPUID_FEATURES, 0, 1 << KVM_FEATURE_ASYNC_PF, 0, 0, 0);
	cpuid_offer(&out, &poor, &none);
	assert_int_equal(cpuid_find(&out, KVM_CPUID_FEATURES, 0)->eax, 0);
}

static void assert_regs(struct cpuid_table *t, uint32_t leaf, uint32_t sub, uint32_t a, uint32_t b,
	uint32_t c, uint32_t d)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(t, leaf, sub);

	assert_non_null(e);
	assert_int_equal(e->eax, a);
	assert_int_equal(e->ebx, b);
	assert_int_equal(e->ecx, c);
	assert_int_equal(e->edx, d);
}

static void test_six_cores_of_intel(void **state)
{
	struct cpuid_table t = offered(false), v;

	cpuid_vcpu(&v, &t, 5, 6);
	assert_int_equal(cpuid_find(&v, 1, 0)->ebx, 5u << 24 | 8 << 16 | 0x0800);
	assert_true(cpuid_find(&v, 1, 0)->edx & CPUID_1_EDX_HTT);
	assert_regs(&v, 0xb, 0, 0, 1, 0x100, 5);
	assert_regs(&v, 0xb, 1, 3, 6, 0x201, 5);
	assert_regs(&v, 0xb, 2, 0, 0, 2, 5);
	assert_regs(&v, 0x1f, 1, 3, 6, 0x201, 5);
	assert_int_equal(cpuid_find(&v, 4, 0)->eax, 7u << 26 | 0x121);
	assert_int_equal(cpuid_find(&v, 4, 3)->eax, 7u << 26 | 7 << 14 | 0x163);
}

static void test_one_core(void **state)
{
	for (int amd = 0; amd < 2; amd++) {
		struct cpuid_table t = offered(amd), v;

		cpuid_vcpu(&v, &t, 0, 1);
		assert_int_equal(cpuid_find(&v, 1, 0)->ebx, 1 << 16 | 0x0800);
		assert_false(cpuid_find(&v, 1, 0)->edx & CPUID_1_EDX_HTT);
		assert_regs(&v, 0xb, 1, 0, 1, 0x201, 0);
		if (amd)
			assert_false(cpuid_find(&v, 0x80000001, 0)->ecx & CPUID_81_ECX_CMP_LEGACY);
	}
}

static void test_sixty_four_cores_of_amd(void **state)
{
	struct cpuid_table t = offered(true), v;

	cpuid_vcpu(&v, &t, 63, 64);
	assert_int_equal(cpuid_find(&v, 1, 0)->ebx, 63u << 24 | 64 << 16 | 0x0800);
	assert_true(cpuid_find(&v, 0x80000001, 0)->ecx & CPUID_81_ECX_CMP_LEGACY);
	assert_int_equal(cpuid_find(&v, 0x80000008, 0)->ecx, 6 << 12 | 63);
	assert_regs(&v, 0x8000001e, 0, 63, 63, 0, 0);
	assert_regs(&v, 0xb, 1, 6, 64, 0x201, 63);
	assert_null(cpuid_find(&v, 0x1f, 0));
	assert_int_equal(cpuid_find(&v, 0x8000001d, 3)->eax, 63 << 14 | 0x163);
	assert_int_equal(cpuid_find(&v, 0x8000001d, 0)->eax, 0x121);
}

static void test_levels_are_the_same_everywhere(void **state)
{
	for (int amd = 0; amd < 2; amd++) {
		struct cpuid_table rich = offered(amd), poor = rich, a, b;
		g_autofree char *missing = NULL;

		/* another model, with fewer features but all of v3's */
		cpuid_find(&poor, 1, 0)->eax = 0x12345;
		cpuid_find(&poor, 7, 0)->ebx = 0x128;
		cpuid_find(&poor, 7, 0)->ecx = 0;
		cpuid_find(&poor, 0x80000008, 0)->ebx = 0;
		assert_true(cpuid_level(&a, &rich, "v3"));
		assert_true(cpuid_level(&b, &poor, "v3"));
		assert_memory_equal(&a, &b, sizeof a);
		missing = cpuid_missing(&a, &poor);
		assert_string_equal(missing, "");
		assert_int_equal(cpuid_physical_bits(&a), 39);
		assert_int_equal(cpuid_vendor(&a), amd ? CPUID_AMD : CPUID_INTEL);
		assert_int_equal(cpuid_find(&a, 7, 0)->ebx, 0x128);
		assert_false(cpuid_find(&a, 1, 0)->ecx & 1 << 25); /* AES is no part of v3 */
		assert_memory_equal(&cpuid_find(&a, 0x80000002, 0)->eax, "Hotd", 4);
	}
}

static void test_v2_has_no_avx(void **state)
{
	struct cpuid_table t = offered(false), v2;

	assert_true(cpuid_level(&v2, &t, "v2"));
	assert_false(cpuid_find(&v2, 1, 0)->ecx & (CPUID_1_ECX_AVX | CPUID_1_ECX_XSAVE));
	assert_true(cpuid_find(&v2, 1, 0)->ecx & CPUID_1_ECX_SSE42);
	assert_int_equal(cpuid_find(&v2, 7, 0)->ebx, 0);
	assert_null(cpuid_find(&v2, 0xd, 0));
	assert_false(cpuid_level(&v2, &t, "v4"));
}

static void test_missing_features_are_named(void **state)
{
	struct cpuid_table t = offered(true), v3;
	g_autofree char *names = NULL, *refusal = NULL, *vendor = NULL, *bits = NULL, *odd = NULL;
	struct cpuid_table other = offered(false);

	assert_true(cpuid_level(&v3, &t, "v3"));
	cpuid_find(&t, 7, 0)->ebx &= ~CPUID_7_EBX_AVX2;
	cpuid_find(&t, 1, 0)->ecx &= ~(CPUID_1_ECX_MOVBE | CPUID_1_ECX_X2APIC);
	cpuid_find(&t, 0x80000001, 0)->ecx &= ~CPUID_81_ECX_ABM;
	names = cpuid_missing(&v3, &t);
	assert_string_equal(names, "movbe avx2 lzcnt");
	refusal = cpuid_refusal(&v3, &t);
	assert_string_equal(refusal, "this host lacks movbe avx2 lzcnt");
	vendor = cpuid_refusal(&v3, &other);
	assert_string_equal(
		vendor, "it is for CPUs of AuthenticAMD and this is one of GenuineIntel");
	t = offered(true);
	assert_null(cpuid_refusal(&v3, &t));
	cpuid_find(&t, 0x80000008, 0)->eax = 36;
	bits = cpuid_refusal(&v3, &t);
	assert_non_null(strstr(bits, "39 bits"));
	other = offered(false);
	cpuid_find(&other, 7, 0)->edx |= 1; /* a bit without a name */
	t = offered(false);
	odd = cpuid_missing(&other, &t);
	assert_string_equal(odd, "7.0:edx.0");
}

static void test_state_comes_back(void **state)
{
	struct cpuid_table t = offered(true), back = { 0 };
	struct state_writer w;
	struct state_reader r;

	state_writer_init(&w);
	cpuid_save(&t, &w);
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(cpuid_load(&back, &r), 0);
	assert_memory_equal(&t, &back, sizeof t);
	assert_true(state_reader_done(&r));
	for (size_t cut = 1; cut < w.len; cut += 13) {
		state_reader_init(&r, w.data, w.len - cut);
		assert_int_equal(cpuid_load(&back, &r), -EINVAL);
	}
	state_writer_finish(&w);

	t.n = 0;
	state_writer_init(&w);
	cpuid_save(&t, &w);
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(cpuid_load(&back, &r), -EINVAL);
	state_writer_finish(&w);
}

static void test_too_many_entries_in_state(void **state)
{
	struct state_writer w;
	struct state_reader r;
	struct cpuid_table t;
	size_t mark;

	state_writer_init(&w);
	mark = state_begin(&w, "cpuid", 1);
	state_put_u32(&w, CPUID_ENTRIES_MAX + 1);
	for (int i = 0; i < 7 * (CPUID_ENTRIES_MAX + 1); i++)
		state_put_u32(&w, i);
	state_end(&w, mark);
	state_reader_init(&r, w.data, w.len);
	assert_int_equal(cpuid_load(&t, &r), -EINVAL);
	state_writer_finish(&w);
}

static void test_text_comes_back(void **state)
{
	struct cpuid_table t = offered(false), back;
	g_autofree char *text = cpuid_to_text(&t);
	const char *why;
	unsigned line;

	assert_int_equal(cpuid_from_text(&back, text, strlen(text), &line, &why), 0);
	assert_memory_equal(&t, &back, sizeof t);
}

static void test_text_that_is_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *says;
	} rows[] = {
		{ "", 1, "must be there" },
		{ "\n# nothing\nhotdesk-cpuid 2\n", 3, "first line" },
		{ "hotdesk-cpuid 1x\n", 1, "first line" },
		{ "hotdesk-cpuid 1\n0 - 1 2 3\n", 2, "four registers" },
		{ "hotdesk-cpuid 1\n0 - 1 2 3 4 5\n", 2, "four registers" },
		{ "hotdesk-cpuid 1\n0 - 1 2 3 x\n", 2, "four registers" },
		{ "hotdesk-cpuid 1\n0 - 1 2 3 4x\n", 2, "four registers" },
		{ "hotdesk-cpuid 1\n0 - 1 2 3 123456789\n", 2, "four registers" },
		{ "hotdesk-cpuid 1\n0 -1 1 2 3 4\n", 2, "four registers" },
		{ "hotdesk-cpuid 1\n0", 2, "four registers" },
		{ "hotdesk-cpuid 1\n1 - 1 2 3 4\n1 - 1 2 3 4\n", 3, "already" },
		{ "hotdesk-cpuid 1\n0 - 1 2 3 4 # the first\n1 - 1 2 3 4", 4, "must be there" },
	};
	GString *many = g_string_new("hotdesk-cpuid 1\n");
	struct cpuid_table t;
	const char *why;
	unsigned line;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
			cpuid_from_text(&t, rows[i].text, strlen(rows[i].text), &line, &why),
			-EINVAL);
		if (!strstr(why, rows[i].says))
			fail_msg("row %zu: %s", i, why);
		if (i != 0 && i != ARRAY_LEN(rows) - 1)
			assert_int_equal(line, rows[i].line);
	}
	for (int i = 0; i <= CPUID_ENTRIES_MAX; i++)
		g_string_append_printf(many, "%x - 1 2 3 4\n", 0x100 + i);
	assert_int_equal(cpuid_from_text(&t, many->str, many->len, &line, &why), -EINVAL);
	assert_int_equal(line, CPUID_ENTRIES_MAX + 2);
	g_string_free(many, TRUE);
}

static void test_no_kvm(void **state)
{
	struct cpuid_table t;

	assert_int_equal(cpuid_choose(&t, -1, "host"), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offer),
		cmocka_unit_test(test_six_cores_of_intel),
		cmocka_unit_test(test_one_core),
		cmocka_unit_test(test_sixty_four_cores_of_amd),
		cmocka_unit_test(test_levels_are_the_same_everywhere),
		cmocka_unit_test(test_v2_has_no_avx),
		cmocka_unit_test(test_missing_features_are_named),
		cmocka_unit_test(test_state_comes_back),
		cmocka_unit_test(test_too_many_entries_in_state),
		cmocka_unit_test(test_text_comes_back),
		cmocka_unit_test(test_text_that_is_refused),
		cmocka_unit_test(test_no_kvm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
