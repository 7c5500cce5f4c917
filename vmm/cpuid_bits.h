/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bits of CPUID that the code speaks of; names of all others are in cpuid_names.c. */
#pragma once

#include <stdint.h>

#define CPUID_1_ECX_SSE3         (1u << 0)
#define CPUID_1_ECX_VMX          (1u << 5)
#define CPUID_1_ECX_SSSE3        (1u << 9)
#define CPUID_1_ECX_FMA          (1u << 12)
#define CPUID_1_ECX_CX16         (1u << 13)
#define CPUID_1_ECX_SSE41        (1u << 19)
#define CPUID_1_ECX_SSE42        (1u << 20)
#define CPUID_1_ECX_X2APIC       (1u << 21)
#define CPUID_1_ECX_MOVBE        (1u << 22)
#define CPUID_1_ECX_POPCNT       (1u << 23)
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID_1_ECX_XSAVE        (1u << 26)
#define CPUID_1_ECX_OSXSAVE      (1u << 27)
#define CPUID_1_ECX_AVX          (1u << 28)
#define CPUID_1_ECX_F16C         (1u << 29)
#define CPUID_1_ECX_HYPERVISOR   (1u << 31)

#define CPUID_1_EDX_HTT (1u << 28)

#define CPUID_7_EBX_BMI1  (1u << 3)
#define CPUID_7_EBX_AVX2  (1u << 5)
#define CPUID_7_EBX_BMI2  (1u << 8)
#define CPUID_7_ECX_OSPKE (1u << 4)

#define CPUID_81_ECX_LAHF       (1u << 0)
#define CPUID_81_ECX_CMP_LEGACY (1u << 1)
#define CPUID_81_ECX_SVM        (1u << 2)
#define CPUID_81_ECX_ABM        (1u << 5)
#define CPUID_81_ECX_TOPOEXT    (1u << 22)
#define CPUID_81_EDX_SYSCALL    (1u << 11)
#define CPUID_81_EDX_NX         (1u << 20)
#define CPUID_81_EDX_LM         (1u << 29)

#define CPUID_87_EDX_INVARIANT_TSC (1u << 8)
