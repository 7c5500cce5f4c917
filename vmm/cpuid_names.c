/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Features by name, as /proc/cpuinfo calls them, and what one table has and another lacks. */
#include "vmm/cpuid.h"

#include <asm/kvm_para.h>

#include "util/bytes.h"
#include "vmm/cpuid_bits.h"

enum { EAX, EBX, ECX, EDX };

/* A register whose bits are features; those without a name are told by number. */
static const struct feature_register {
	uint32_t leaf, sub;
	unsigned reg;
	uint32_t ours; /* bits that KVM or we provide whatever the host has */
	const char *names[32];
} registers[] = {
	{ 1, 0, ECX,
		CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE | CPUID_1_ECX_OSXSAVE |
			CPUID_1_ECX_HYPERVISOR,
		{ "sse3", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est", "tm2",
			"ssse3", "cid", "sdbg", "fma", "cx16", "xtpr", "pdcm", NULL, "pcid", "dca",
			"sse4_1", "sse4_2", "x2apic", "movbe", "popcnt", "tsc_deadline_timer",
			"aes", "xsave", "osxsave", "avx", "f16c", "rdrand", "hypervisor" } },
	{ 1, 0, EDX, CPUID_1_EDX_HTT,
		{ "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL, "sep",
			"mtrr", "pge", "mca", "cmov", "pat", "pse36", "pn", "clflush", NULL, "dts",
			"acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe" } },
	{ 6, 0, EAX, 1u << 2, { "dtherm", "ida", "arat" } },
	{ 7, 0, EBX, 0,
		{ "fsgsbase", "tsc_adjust", "sgx", "bmi1", "hle", "avx2", NULL, "smep", "bmi2",
			"erms", "invpcid", "rtm", "cqm", NULL, "mpx", "rdt_a", "avx512f",
			"avx512dq", "rdseed", "adx", "smap", "avx512ifma", NULL, "clflushopt",
			"clwb", "intel_pt", "avx512pf", "avx512er", "avx512cd", "sha_ni",
			"avx512bw", "avx512vl" } },
	{ 7, 0, ECX, CPUID_7_ECX_OSPKE,
		{ "prefetchwt1", "avx512vbmi", "umip", "pku", "ospke", "waitpkg", "avx512_vbmi2",
			"shstk", "gfni", "vaes", "vpclmulqdq", "avx512_vnni", "avx512_bitalg",
			"tme", "avx512_vpopcntdq", NULL, "la57", [22] = "rdpid",
			[24] = "bus_lock_detect", [25] = "cldemote", [27] = "movdiri",
			[28] = "movdir64b", [29] = "enqcmd", [30] = "sgx_lc", [31] = "pks" } },
	{ 7, 0, EDX, 0,
		{ [2] = "avx512_4vnniw",
			[3] = "avx512_4fmaps",
			[4] = "fsrm",
			[5] = "uintr",
			[8] = "avx512_vp2intersect",
			[10] = "md_clear",
			[11] = "rtm_always_abort",
			[14] = "serialize",
			[16] = "tsxldtrk",
			[18] = "pconfig",
			[19] = "arch_lbr",
			[20] = "ibt",
			[22] = "amx_bf16",
			[23] = "avx512_fp16",
			[24] = "amx_tile",
			[25] = "amx_int8",
			[26] = "spec_ctrl",
			[27] = "intel_stibp",
			[28] = "flush_l1d",
			[29] = "arch_capabilities",
			[31] = "spec_ctrl_ssbd" } },
	{ 7, 1, EAX, 0,
		{ [4] = "avx_vnni",
			[5] = "avx512_bf16",
			[7] = "cmpccxadd",
			[10] = "fzrm",
			[11] = "fsrs",
			[12] = "fsrc",
			[21] = "amx_fp16",
			[23] = "avx_ifma",
			[26] = "lam" } },
	{ 7, 1, EDX, 0,
		{ [4] = "avx_vnni_int8",
			[5] = "avx_ne_convert",
			[8] = "amx_complex",
			[10] = "avx_vnni_int16",
			[14] = "prefetchiti" } },
	{ 7, 2, EDX, 0,
		{ "intel_psfd", "ipred_ctrl", "rrsba_ctrl", "ddpd_u", "bhi_ctrl", "mcdt_no" } },
	{ 0xd, 0, EAX, 0,
		{ "xstate_x87", "xstate_sse", "xstate_avx", "xstate_bndregs", "xstate_bndcsr",
			"xstate_opmask", "xstate_zmm_hi", "xstate_hi16_zmm", NULL,
			"xstate_pkru", [17] = "xstate_tilecfg", [18] = "xstate_tiledata" } },
	{ 0xd, 1, EAX, 0, { "xsaveopt", "xsavec", "xgetbv1", "xsaves", "xfd" } },
	{ KVM_CPUID_FEATURES, 0, EAX, 0,
		{ "kvm_clock_old", "kvm_nopiodelay", "kvm_mmu", "kvm_clock", "kvm_asyncpf",
			"kvm_steal_time", "kvm_pv_eoi", "kvm_pv_unhalt", NULL, "kvm_pv_tlb_flush",
			"kvm_asyncpf_vmexit", "kvm_pv_ipi", "kvm_poll_control",
			"kvm_pv_sched_yield", "kvm_asyncpf_int",
			"kvm_msi_ext_dest_id", [24] = "kvm_clock_stable" } },
	{ 0x80000001, 0, ECX, CPUID_81_ECX_CMP_LEGACY | CPUID_81_ECX_TOPOEXT,
		{ "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "lzcnt", "sse4a",
			"misalignsse", "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt", NULL,
			"lwp", "fma4", "tce", [19] = "nodeid_msr", [21] = "tbm", [22] = "topoext",
			[23] = "perfctr_core", [24] = "perfctr_nb", [26] = "bpext", [27] = "ptsc",
			[28] = "perfctr_llc", [29] = "mwaitx" } },
	{ 0x80000001, 0, EDX, 0,
		{ [0] = "fpu",
			[2] = "de",
			[3] = "pse",
			[4] = "tsc",
			[5] = "msr",
			[6] = "pae",
			[7] = "mce",
			[8] = "cx8",
			[9] = "apic",
			[11] = "syscall",
			[12] = "mtrr",
			[13] = "pge",
			[14] = "mca",
			[15] = "cmov",
			[16] = "pat",
			[17] = "pse36",
			[20] = "nx",
			[22] = "mmxext",
			[23] = "mmx",
			[24] = "fxsr",
			[25] = "fxsr_opt",
			[26] = "pdpe1gb",
			[27] = "rdtscp",
			[29] = "lm",
			[30] = "3dnowext",
			[31] = "3dnow" } },
	{ 0x80000007, 0, EDX, 0, { [8] = "constant_tsc" } },
	{ 0x80000008, 0, EBX, 0,
		{ "clzero", "irperf", "xsaveerptr", NULL, "rdpru", [8] = "mcommit",
			[9] = "wbnoinvd", [12] = "ibpb", [14] = "ibrs", [15] = "stibp",
			[16] = "ibrs_always", [17] = "stibp_always", [18] = "ibrs_preferred",
			[19] = "ibrs_same_mode", [20] = "no_efer_lmsle", [23] = "amd_ppin",
			[24] = "amd_ssbd", [25] = "virt_ssbd", [26] = "amd_ssb_no", [27] = "cppc",
			[28] = "amd_psfd", [29] = "btc_no", [30] = "ibpb_ret" } },
	{ 0x80000021, 0, EAX, 0,
		{ "no_nested_data_bp", NULL, "lfence_always_serializing",
			"smm_page_cfg_lock", [6] = "null_sel_clr_base", [8] = "auto_ibrs",
			[9] = "no_smm_ctl_msr", [20] = "prefetchi", [27] = "sbpb",
			[28] = "ibpb_brtype", [29] = "srso_no" } },
};

static uint32_t register_of(const struct cpuid_table *t, const struct feature_register *r)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find((struct cpuid_table *)t, r->leaf, r->sub);

	if (!e)
		return 0;
	return r->reg == EAX ? e->eax : r->reg == EBX ? e->ebx : r->reg == ECX ? e->ecx : e->edx;
}

char *cpuid_missing(const struct cpuid_table *want, const struct cpuid_table *have)
{
	static const char *const reg_names[] = { "eax", "ebx", "ecx", "edx" };
	GString *s = g_string_new(NULL);

	for (size_t i = 0; i < ARRAY_LEN(registers); i++) {
		const struct feature_register *r = &registers[i];
		uint32_t missing = register_of(want, r) & ~register_of(have, r) & ~r->ours;

		for (unsigned bit = 0; bit < 32; bit++) {
			if (!(missing & 1u << bit))
				continue;
			if (s->len)
				g_string_append_c(s, ' ');
			if (r->names[bit])
				g_string_append(s, r->names[bit]);
			else
				g_string_append_printf(
					s, "%x.%u:%s.%u", r->leaf, r->sub, reg_names[r->reg], bit);
		}
	}
	return g_string_free(s, FALSE);
}

static void vendor_name(const struct cpuid_table *t, char name[13])
{
	const struct kvm_cpuid_entry2 *e = cpuid_find((struct cpuid_table *)t, 0, 0);

	memset(name, 0, 13);
	if (!e)
		return;
	memcpy(name, &e->ebx, 4);
	memcpy(name + 4, &e->edx, 4);
	memcpy(name + 8, &e->ecx, 4);
}

char *cpuid_refusal(const struct cpuid_table *want, const struct cpuid_table *have)
{
	g_autofree char *missing = cpuid_missing(want, have);
	char wanted[13], had[13];

	vendor_name(want, wanted);
	vendor_name(have, had);
	if (memcmp(wanted, had, sizeof had))
		return g_strdup_printf("it is for CPUs of %s and this is one of %s", wanted, had);
	if (cpuid_physical_bits(want) > cpuid_physical_bits(have))
		return g_strdup_printf("it has physical addresses of %u bits and this host of %u",
			cpuid_physical_bits(want), cpuid_physical_bits(have));
	return *missing ? g_strdup_printf("this host lacks %s", missing) : NULL;
}
