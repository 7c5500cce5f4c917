/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named baselines: x86-64 psABI 1.0, 3.1.1, levels v2 and v3.
 *
 * A baseline is written out in full, not masked from the host, so that two hosts of one vendor
 * give one table. What stands in it: what a 64-bit system takes for granted (paging, APIC, MSRs,
 * SYSCALL, NX), the level's features, and nothing more, not even AES or the bits of mitigations;
 * who wants these has a table of his oldest host written. Only the paravirtual leaf is ANDed with
 * what KVM has, since it is the host kernel's and not the CPU's.
 */
#include "vmm/cpuid.h"

#include <stdio.h>
#include <string.h>

#include <asm/kvm_para.h>

#include "util/bytes.h"
#include "vmm/cpuid_bits.h"

/* fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 */
static const uint32_t LEVEL_1_EDX = 0x078bfbfd;
/* The part of it that AMD repeats in 0x80000001. */
static const uint32_t LEVEL_81_EDX_COPY = 0x0183f3fd;

static const struct level {
	const char *name;
	uint32_t intel, amd; /* family, model and stepping as leaf 1 has them */
	uint32_t ecx1, ebx7, ecx81;
	uint32_t xcr0;
} levels[] = {
	{
		.name = "v2",
		.intel = 0x000206c1, /* Westmere */
		.amd = 0x00800f12,   /* the first Zen; older families bring their errata along */
		.ecx1 = CPUID_1_ECX_SSE3 | CPUID_1_ECX_SSSE3 | CPUID_1_ECX_CX16 |
			CPUID_1_ECX_SSE41 | CPUID_1_ECX_SSE42 | CPUID_1_ECX_POPCNT,
		.ecx81 = CPUID_81_ECX_LAHF,
	},
	{
		.name = "v3",
		.intel = 0x000306c3, /* Haswell */
		.amd = 0x00800f12,
		.ecx1 = CPUID_1_ECX_SSE3 | CPUID_1_ECX_SSSE3 | CPUID_1_ECX_CX16 |
			CPUID_1_ECX_SSE41 | CPUID_1_ECX_SSE42 | CPUID_1_ECX_POPCNT |
			CPUID_1_ECX_FMA | CPUID_1_ECX_MOVBE | CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX |
			CPUID_1_ECX_F16C,
		.ebx7 = CPUID_7_EBX_BMI1 | CPUID_7_EBX_AVX2 | CPUID_7_EBX_BMI2,
		.ecx81 = CPUID_81_ECX_LAHF | CPUID_81_ECX_ABM,
		.xcr0 = 7, /* x87, SSE, AVX */
	},
};

static bool has_sub_leaves(uint32_t leaf)
{
	return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x8000001d;
}

static void put(struct cpuid_table *t, uint32_t leaf, uint32_t sub, uint32_t eax, uint32_t ebx,
	uint32_t ecx, uint32_t edx)
{
	cpuid_set(t, &(struct kvm_cpuid_entry2){
			     .function = leaf,
			     .index = sub,
			     .flags = has_sub_leaves(leaf) ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			     .eax = eax,
			     .ebx = ebx,
			     .ecx = ecx,
			     .edx = edx,
		     });
}

/* Caches of a plain machine: 32 KiB twice, 256 KiB, 8 MiB, by leaf 4 or 0x8000001d. */
static void put_caches(struct cpuid_table *t, uint32_t leaf)
{
	put(t, leaf, 0, 0x121, 0x01c0003f, 0x03f, 0);
	put(t, leaf, 1, 0x122, 0x01c0003f, 0x03f, 0);
	put(t, leaf, 2, 0x143, 0x01c0003f, 0x1ff, 0);
	put(t, leaf, 3, 0x163, 0x03c0003f, 0x1fff, 0);
	put(t, leaf, 4, 0, 0, 0, 0);
}

static void put_basic(struct cpuid_table *t, const struct level *l, bool amd, uint32_t deadline,
	const struct kvm_cpuid_entry2 *vendor, uint32_t signature)
{
	put(t, 0, 0, 0xd, vendor->ebx, vendor->ecx, vendor->edx);
	/* ebx: CLFLUSH writes back lines of 64 bytes */
	put(t, 1, 0, signature, 8 << 8,
		l->ecx1 | CPUID_1_ECX_X2APIC | CPUID_1_ECX_HYPERVISOR | deadline, LEVEL_1_EDX);
	if (!amd) {
		put(t, 2, 0, 1, 0xff, 0, 0); /* "caches: see leaf 4" */
		put_caches(t, 4);
	}
	put(t, 6, 0, 4, 0, 0, 0); /* the APIC's timer runs in every power state */
	put(t, 7, 0, 0, l->ebx7, 0, 0);
	put(t, 0xb, 0, 0, 0, 0, 0); /* filled in for each vCPU */
	if (l->xcr0) {
		/* 832 bytes: legacy area, header, the upper halves of AVX registers at 576 */
		put(t, 0xd, 0, l->xcr0, 832, 832, 0);
		put(t, 0xd, 1, 0, 0, 0, 0);
		put(t, 0xd, 2, 256, 576, 0, 0);
	}
}

static void put_extended(struct cpuid_table *t, const struct level *l, bool amd, uint32_t physical,
	const struct kvm_cpuid_entry2 *vendor, uint32_t signature)
{
	char brand[48] = { 0 };
	uint32_t ecx = l->ecx81, edx = CPUID_81_EDX_SYSCALL | CPUID_81_EDX_NX | CPUID_81_EDX_LM;
	uint32_t words[12];

	if (amd) {
		ecx |= CPUID_81_ECX_TOPOEXT;
		edx |= LEVEL_81_EDX_COPY;
		put(t, 0x80000000, 0, 0x8000001e, vendor->ebx, vendor->ecx, vendor->edx);
		put(t, 0x80000001, 0, signature, 0, ecx, edx);
	} else {
		put(t, 0x80000000, 0, 0x80000008, 0, 0, 0);
		put(t, 0x80000001, 0, 0, 0, ecx, edx);
	}
	snprintf(brand, sizeof brand, "Hotdesk x86-64-%s", l->name);
	memcpy(words, brand, sizeof words);
	for (unsigned i = 0; i < 3; i++)
		put(t, 0x80000002 + i, 0, words[4 * i], words[4 * i + 1], words[4 * i + 2],
			words[4 * i + 3]);
	if (amd) {
		put(t, 0x80000005, 0, 0, 0, 0x20080140, 0x20080140);
		put(t, 0x80000006, 0, 0, 0, 0x01006140, 0x00408140);
	} else {
		put(t, 0x80000006, 0, 0, 0, 0x01006040, 0);
	}
	put(t, 0x80000007, 0, 0, 0, 0, 0);
	put(t, 0x80000008, 0, physical | 48 << 8, 0, 0, 0);
	if (amd) {
		put_caches(t, 0x8000001d);
		put(t, 0x8000001e, 0, 0, 0, 0, 0);
	}
}

bool cpuid_level(struct cpuid_table *out, const struct cpuid_table *offer, const char *name)
{
	struct cpuid_table *have = (struct cpuid_table *)offer;
	const struct kvm_cpuid_entry2 *vendor = cpuid_find(have, 0, 0);
	const struct kvm_cpuid_entry2 *one = cpuid_find(have, 1, 0);
	const struct kvm_cpuid_entry2 none = { 0 };
	const struct level *l = NULL;
	bool amd = cpuid_vendor(offer) == CPUID_AMD;
	uint32_t signature, deadline;

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (!strcmp(levels[i].name, name))
			l = &levels[i];
	if (!l)
		return false;
	vendor = vendor ? vendor : &none;
	one = one ? one : &none;
	signature = one->eax;
	if (cpuid_vendor(offer) == CPUID_INTEL)
		signature = l->intel;
	else if (amd)
		signature = l->amd;
	deadline = one->ecx & CPUID_1_ECX_TSC_DEADLINE;

	memset(out, 0, sizeof *out);
	put_basic(out, l, amd, deadline, vendor, signature);
	for (uint32_t leaf = KVM_CPUID_SIGNATURE; leaf <= KVM_CPUID_FEATURES; leaf++) {
		const struct kvm_cpuid_entry2 *e = cpuid_find(have, leaf, 0);

		if (e)
			cpuid_set(out, e);
	}
	/* 39 bits (512 GiB) are the least that current hosts have. */
	put_extended(out, l, amd, MIN(cpuid_physical_bits(offer), 39u), vendor, signature);
	return true;
}
