/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/cpuid.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <asm/kvm_para.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/cpuid_bits.h"
#include "vmm/state.h"

enum { CPUID_FILE_MAX = 64 * 1024, CPUID_PHYSICAL_BITS_DEFAULT = 36 };

/* --- tables */

struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *t, uint32_t leaf, uint32_t sub)
{
	for (uint32_t i = 0; i < t->n; i++) {
		struct kvm_cpuid_entry2 *e = &t->entries[i];

		if (e->function == leaf &&
			(e->index == sub || !(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return e;
	}
	return NULL;
}

static const struct kvm_cpuid_entry2 *find(const struct cpuid_table *t, uint32_t leaf, uint32_t sub)
{
	return cpuid_find((struct cpuid_table *)t, leaf, sub);
}

bool cpuid_set(struct cpuid_table *t, const struct kvm_cpuid_entry2 *e)
{
	struct kvm_cpuid_entry2 *old = cpuid_find(t, e->function, e->index);

	if (old) {
		*old = *e;
		return true;
	}
	if (t->n == CPUID_ENTRIES_MAX)
		return false;
	t->entries[t->n++] = *e;
	return true;
}

static void remove_leaf(struct cpuid_table *t, uint32_t leaf)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->n; i++)
		if (t->entries[i].function != leaf)
			t->entries[kept++] = t->entries[i];
	t->n = kept;
}

/* The highest leaf of the range that begins with base (0 or 0x80000000). */
static uint32_t last_leaf(const struct cpuid_table *t, uint32_t base)
{
	const struct kvm_cpuid_entry2 *e = find(t, base, 0);

	return e ? e->eax : 0;
}

enum cpuid_vendor cpuid_vendor(const struct cpuid_table *t)
{
	const struct kvm_cpuid_entry2 *e = find(t, 0, 0);
	uint32_t name[3];

	if (!e)
		return CPUID_OTHER;
	name[0] = e->ebx;
	name[1] = e->edx;
	name[2] = e->ecx;
	if (!memcmp(name, "GenuineIntel", 12))
		return CPUID_INTEL;
	if (!memcmp(name, "AuthenticAMD", 12) || !memcmp(name, "HygonGenuine", 12))
		return CPUID_AMD;
	return CPUID_OTHER;
}

unsigned cpuid_physical_bits(const struct cpuid_table *t)
{
	const struct kvm_cpuid_entry2 *e = find(t, 0x80000008, 0);

	return e && e->eax & 0xff ? e->eax & 0xff : CPUID_PHYSICAL_BITS_DEFAULT;
}

/* --- what KVM offers */

/* KVM's paravirtual features that need nothing of us and help a desktop. */
static const uint32_t PV_FEATURES =
	1u << KVM_FEATURE_CLOCKSOURCE | 1u << KVM_FEATURE_NOP_IO_DELAY |
	1u << KVM_FEATURE_CLOCKSOURCE2 | 1u << KVM_FEATURE_ASYNC_PF | 1u << KVM_FEATURE_STEAL_TIME |
	1u << KVM_FEATURE_PV_EOI | 1u << KVM_FEATURE_PV_UNHALT | 1u << KVM_FEATURE_PV_TLB_FLUSH |
	1u << KVM_FEATURE_PV_SEND_IPI | 1u << KVM_FEATURE_POLL_CONTROL |
	1u << KVM_FEATURE_PV_SCHED_YIELD | 1u << KVM_FEATURE_ASYNC_PF_INT |
	1u << KVM_FEATURE_CLOCKSOURCE_STABLE_BIT;

static void offer_paravirtual(struct cpuid_table *t)
{
	struct kvm_cpuid_entry2 id = { .function = KVM_CPUID_SIGNATURE, .eax = KVM_CPUID_FEATURES };
	struct kvm_cpuid_entry2 *e = cpuid_find(t, KVM_CPUID_FEATURES, 0);
	const char signature[12] = "KVMKVMKVM";

	memcpy(&id.ebx, signature, 4);
	memcpy(&id.ecx, signature + 4, 4);
	memcpy(&id.edx, signature + 8, 4);
	cpuid_set(t, &id);
	if (!e) {
		cpuid_set(t, &(struct kvm_cpuid_entry2){ .function = KVM_CPUID_FEATURES });
		return;
	}
	e->eax &= PV_FEATURES;
	/* Page faults that are told by #PF alone are a thing of the past (Linux 5.8). */
	if (!(e->eax & 1u << KVM_FEATURE_ASYNC_PF_INT))
		e->eax &= ~(1u << KVM_FEATURE_ASYNC_PF);
	e->edx = 0; /* hints: vCPUs share their host's cores with others */
}

void cpuid_offer(
	struct cpuid_table *out, const struct cpuid_table *supported, const struct cpuid_caps *caps)
{
	struct kvm_cpuid_entry2 *e;

	*out = *supported;
	e = cpuid_find(out, 1, 0);
	if (e) {
		e->ecx |= CPUID_1_ECX_HYPERVISOR | CPUID_1_ECX_X2APIC;
		if (caps->tsc_deadline)
			e->ecx |= CPUID_1_ECX_TSC_DEADLINE;
		/* Nested guests' state is not saved; a desktop has no use for them. */
		e->ecx &= ~CPUID_1_ECX_VMX;
	}
	e = cpuid_find(out, 0x80000001, 0);
	if (e)
		e->ecx &= ~CPUID_81_ECX_SVM;
	e = cpuid_find(out, 0x8000000a, 0);
	if (e)
		e->eax = e->ebx = e->ecx = e->edx = 0;
	e = cpuid_find(out, 0x80000007, 0);
	if (e)
		e->edx &= ~CPUID_87_EDX_INVARIANT_TSC;
	offer_paravirtual(out);
}

static int read_supported(struct cpuid_table *out, int kvm)
{
	out->n = CPUID_ENTRIES_MAX;
	out->padding = 0;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, out) < 0)
		return -errno;
	return out->n <= CPUID_ENTRIES_MAX ? 0 : -E2BIG;
}

static int choose_file(struct cpuid_table *out, const struct cpuid_table *offer, const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL, *refusal = NULL;
	const char *why;
	unsigned line;
	gsize len;

	if (!g_file_get_contents(path, &text, &len, &error)) {
		log_error(
			"cpu: %s; --cpu takes host, v2, v3 or a file with a table", error->message);
		return -ENOENT;
	}
	if (len > CPUID_FILE_MAX) {
		log_error("cpu: %s: too large for a table; give another with --cpu", path);
		return -EFBIG;
	}
	if (cpuid_from_text(out, text, len, &line, &why) < 0) {
		log_error(
			"cpu: %s:%u: %s; have it written anew or mend that line", path, line, why);
		return -EINVAL;
	}
	refusal = cpuid_refusal(out, offer);
	if (!refusal)
		return 0;
	log_error("cpu: %s: %s; give a table of an older host with --cpu", path, refusal);
	return -ENOTSUP;
}

int cpuid_choose(struct cpuid_table *out, int kvm, const char *cpu)
{
	struct cpuid_caps caps = {
		.tsc_deadline = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0,
	};
	g_autofree struct cpuid_table *supported = g_new0(struct cpuid_table, 1);
	g_autofree struct cpuid_table *offer = g_new0(struct cpuid_table, 1);
	g_autofree char *missing = NULL;
	int err = read_supported(supported, kvm);

	if (err) {
		log_error("cpu: KVM does not say what it offers: %s; run hotdesk doctor",
			strerror(-err));
		return err;
	}
	cpuid_offer(offer, supported, &caps);
	if (!strcmp(cpu, "host")) {
		*out = *offer;
		return 0;
	}
	if (!cpuid_level(out, offer, cpu))
		return choose_file(out, offer, cpu);
	missing = cpuid_missing(out, offer);
	if (!*missing)
		return 0;
	log_error("cpu: %s needs what this host lacks: %s; choose a lower level or --cpu host", cpu,
		missing);
	return -ENOTSUP;
}

/* --- one vCPU */

static unsigned id_bits(unsigned count)
{
	return count > 1 ? 32 - __builtin_clz(count - 1) : 0;
}

static void put_legacy_ids(struct cpuid_table *t, unsigned index, unsigned count)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(t, 1, 0);

	if (!e)
		return;
	e->ebx = (e->ebx & 0xffff) | MIN(1u << id_bits(count), 255u) << 16 | index << 24;
	e->edx = count > 1 ? e->edx | CPUID_1_EDX_HTT : e->edx & ~CPUID_1_EDX_HTT;
}

/* Caches (Intel's leaf 4, AMD's 0x8000001d): the last level is everybody's, the others are not. */
static void put_caches(struct cpuid_table *t, unsigned count)
{
	for (uint32_t i = 0; i < t->n; i++) {
		struct kvm_cpuid_entry2 *e = &t->entries[i];
		unsigned level = e->eax >> 5 & 7;
		uint32_t sharing = level >= 3 ? (1u << id_bits(count)) - 1 : 0;

		if ((e->function != 4 && e->function != 0x8000001d) || !(e->eax & 0x1f))
			continue;
		e->eax = (e->eax & 0x3fff) | sharing << 14;
		if (e->function == 4)
			e->eax |= MIN((1u << id_bits(count)) - 1, 63u) << 26;
	}
}

/* Extended topology (leaf 0xb, and 0x1f with the same content): threads, cores, the end. */
static void put_levels(struct cpuid_table *t, uint32_t leaf, unsigned index, unsigned count)
{
	const struct kvm_cpuid_entry2 levels[] = {
		{ .eax = 0, .ebx = 1, .ecx = 0 | 1 << 8 },
		{ .eax = id_bits(count), .ebx = count, .ecx = 1 | 2 << 8 },
		{ .ecx = 2 },
	};

	if (last_leaf(t, 0) < leaf)
		return;
	remove_leaf(t, leaf);
	for (uint32_t i = 0; i < ARRAY_LEN(levels); i++) {
		struct kvm_cpuid_entry2 e = levels[i];

		e.function = leaf;
		e.index = i;
		e.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		e.edx = index;
		cpuid_set(t, &e);
	}
}

static void put_amd_ids(struct cpuid_table *t, unsigned index, unsigned count)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(t, 0x80000001, 0);

	if (e)
		e->ecx = count > 1 ? e->ecx | CPUID_81_ECX_CMP_LEGACY
				   : e->ecx & ~CPUID_81_ECX_CMP_LEGACY;
	e = cpuid_find(t, 0x80000008, 0);
	if (e)
		e->ecx = (e->ecx & ~0xf0ffu) | id_bits(count) << 12 | (count - 1);
	e = cpuid_find(t, 0x8000001e, 0);
	if (e) {
		e->eax = index;
		e->ebx = index & 0xff; /* the core's id; one thread each */
		e->ecx = 0;
		e->edx = 0;
	}
}

void cpuid_vcpu(
	struct cpuid_table *out, const struct cpuid_table *t, unsigned index, unsigned count)
{
	*out = *t;
	put_legacy_ids(out, index, count);
	put_caches(out, count);
	put_levels(out, 0xb, index, count);
	if (cpuid_vendor(out) == CPUID_INTEL)
		put_levels(out, 0x1f, index, count);
	if (cpuid_vendor(out) == CPUID_AMD)
		put_amd_ids(out, index, count);
}

/* --- state */

void cpuid_save(const struct cpuid_table *t, struct state_writer *w)
{
	size_t mark = state_begin(w, "cpuid", 1);

	state_put_u32(w, t->n);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct kvm_cpuid_entry2 *e = &t->entries[i];
		const uint32_t fields[] = { e->function, e->index, e->flags, e->eax, e->ebx, e->ecx,
			e->edx };

		for (size_t f = 0; f < ARRAY_LEN(fields); f++)
			state_put_u32(w, fields[f]);
	}
	state_end(w, mark);
}

int cpuid_load(struct cpuid_table *t, struct state_reader *r)
{
	struct state_reader body;
	struct cpuid_table loaded = { 0 };
	uint32_t n = 0;

	if (state_section(r, "cpuid", 1, &body))
		n = state_get_u32(&body);
	for (uint32_t i = 0; i < MIN(n, (uint32_t)CPUID_ENTRIES_MAX); i++) {
		struct kvm_cpuid_entry2 *e = &loaded.entries[i];

		e->function = state_get_u32(&body);
		e->index = state_get_u32(&body);
		e->flags = state_get_u32(&body);
		e->eax = state_get_u32(&body);
		e->ebx = state_get_u32(&body);
		e->ecx = state_get_u32(&body);
		e->edx = state_get_u32(&body);
	}
	if (!n || n > CPUID_ENTRIES_MAX || !state_reader_done(&body)) {
		log_error("cpu: its saved table makes no sense; the desktop must be started anew");
		return -EINVAL;
	}
	loaded.n = n;
	*t = loaded;
	return 0;
}
