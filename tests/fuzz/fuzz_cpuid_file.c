/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of --cpu FILE: what is taken gives vCPUs and comes back from text. */
#include "vmm/cpuid.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cpuid_table t, back, vcpu;
	g_autofree char *text = NULL, *missing = NULL;
	const char *why;
	unsigned line;

	if (cpuid_from_text(&t, (const char *)data, size, &line, &why))
		return 0;
	cpuid_vcpu(&vcpu, &t, size & 31, 32);
	missing = cpuid_refusal(&vcpu, &t);
	text = cpuid_to_text(&t);
	if (cpuid_from_text(&back, text, strlen(text), &line, &why) || memcmp(&t, &back, sizeof t))
		abort();
	return 0;
}
