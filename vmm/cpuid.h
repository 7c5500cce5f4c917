/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPUID tells a guest.
 *
 *   KVM's offer -> cpuid_offer() -> --cpu host | v2 | v3 | FILE -> the machine's table
 *               -> cpuid_vcpu() -> each vCPU's table
 *
 * The machine's table is state: a desktop that is restored elsewhere gets the one it was started
 * with, or is refused with the names of the features that are missing there. But for
 * cpuid_choose() all are pure functions over tables. Any thread.
 *
 *   host   all that KVM offers but nested virtualization (its state is not saved) and the
 *          invariant TSC (a desktop may be moved)
 *   v2 v3  the levels of the x86-64 psABI, the same table on every host of a vendor: what any
 *          64-bit system needs and the level's features, no others, one fixed model
 *   FILE   a table as cpuid_to_text() writes it: for pools of hosts, one of which is the oldest
 */
#pragma once

#include <glib.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_reader;
struct state_writer;

enum { CPUID_ENTRIES_MAX = 192 };

/* Laid out as struct kvm_cpuid2, with room. */
struct cpuid_table {
	uint32_t n, padding;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_MAX];
};

static inline const struct kvm_cpuid2 *cpuid_for_kvm(const struct cpuid_table *t)
{
	return (const struct kvm_cpuid2 *)t;
}

/*
 * The machine's table by the value of --cpu, on this host: kvm is /dev/kvm. 0, or -errno with one
 * line logged.
 */
int cpuid_choose(struct cpuid_table *out, int kvm, const char *cpu);

/* vCPU index of count (1 .. 255): one socket of count cores, APIC id = index. */
void cpuid_vcpu(
	struct cpuid_table *out, const struct cpuid_table *t, unsigned index, unsigned count);

/* How many bits a guest's physical addresses have. */
unsigned cpuid_physical_bits(const struct cpuid_table *t);

/*
 * The features that are in want and not in have, by name, parted by spaces: "" where there is
 * none. Both come from cpuid_choose() or cpuid_offer(). To be g_free()d.
 */
char *cpuid_missing(const struct cpuid_table *want, const struct cpuid_table *have);

/* Where it makes sense to run want on a host that offers have: NULL, or why not (g_free()). */
char *cpuid_refusal(const struct cpuid_table *want, const struct cpuid_table *have);

/* One section. */
void cpuid_save(const struct cpuid_table *t, struct state_writer *w);
int cpuid_load(struct cpuid_table *t, struct state_reader *r); /* 0 or -EINVAL, one line logged */

/*
 * Text: a line "hotdesk-cpuid 1", then one a leaf, six hexadecimal numbers: leaf, sub-leaf ('-'
 * where the leaf has none), eax, ebx, ecx, edx. '#' begins a comment.
 */
char *cpuid_to_text(const struct cpuid_table *t);

/* 0, or -EINVAL with the line's number and a reason. */
int cpuid_from_text(
	struct cpuid_table *t, const char *text, size_t len, unsigned *line, const char **why);

/* --- parts, for cpuid_choose() and tests */

struct cpuid_caps {
	bool tsc_deadline; /* KVM_CAP_TSC_DEADLINE_TIMER */
};

/* KVM's offer, with what KVM emulates whatever the host has, without what we do not hand on. */
void cpuid_offer(struct cpuid_table *out, const struct cpuid_table *supported,
	const struct cpuid_caps *caps);

/* A named baseline on a host that offers this: false where there is none of this name. */
bool cpuid_level(struct cpuid_table *out, const struct cpuid_table *offer, const char *name);

struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *t, uint32_t leaf, uint32_t sub);

/* Replaces or adds an entry; false where the table is full. */
bool cpuid_set(struct cpuid_table *t, const struct kvm_cpuid_entry2 *e);

enum cpuid_vendor { CPUID_INTEL, CPUID_AMD, CPUID_OTHER }; /* Hygon's are AMD's */
enum cpuid_vendor cpuid_vendor(const struct cpuid_table *t);
