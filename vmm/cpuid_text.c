/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/cpuid.h"

#include <errno.h>
#include <string.h>

#include "util/bytes.h"

static const char HEADER[] = "hotdesk-cpuid 1";

char *cpuid_to_text(const struct cpuid_table *t)
{
	GString *s = g_string_new(HEADER);

	g_string_append(s, "\n# leaf sub eax ebx ecx edx\n");
	for (uint32_t i = 0; i < t->n; i++) {
		const struct kvm_cpuid_entry2 *e = &t->entries[i];

		g_string_append_printf(s, "%08x ", e->function);
		if (e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)
			g_string_append_printf(s, "%x", e->index);
		else
			g_string_append_c(s, '-');
		g_string_append_printf(s, " %08x %08x %08x %08x\n", e->eax, e->ebx, e->ecx, e->edx);
	}
	return g_string_free(s, FALSE);
}

/* One number of up to eight hexadecimal digits, and the blanks behind it. */
static bool take_hex(const char **p, const char *end, uint32_t *value)
{
	const char *first = *p;

	*value = 0;
	for (; *p < end && g_ascii_isxdigit(**p); ++*p)
		*value = *value << 4 | g_ascii_xdigit_value(**p);
	if (*p == first || *p - first > 8 || (*p < end && **p != ' ' && **p != '\t'))
		return false;
	while (*p < end && (**p == ' ' || **p == '\t'))
		++*p;
	return true;
}

static bool take_sub(const char **p, const char *end, struct kvm_cpuid_entry2 *e)
{
	if (end - *p < 2 || (*p)[0] != '-' || (*p)[1] != ' ') {
		e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		return take_hex(p, end, &e->index);
	}
	while (*p < end && (**p == '-' || **p == ' ' || **p == '\t'))
		++*p;
	return true;
}

static const char *take_line(struct cpuid_table *t, const char *p, const char *end)
{
	struct kvm_cpuid_entry2 e = { 0 };

	if (!take_hex(&p, end, &e.function) || !take_sub(&p, end, &e) ||
		!take_hex(&p, end, &e.eax) || !take_hex(&p, end, &e.ebx) ||
		!take_hex(&p, end, &e.ecx) || !take_hex(&p, end, &e.edx) || p != end)
		return "not leaf, sub-leaf and four registers in hexadecimal";
	if (cpuid_find(t, e.function, e.index))
		return "this leaf stands there already";
	if (!cpuid_set(t, &e))
		return "more leaves than any CPU has";
	return NULL;
}

int cpuid_from_text(
	struct cpuid_table *t, const char *text, size_t len, unsigned *line, const char **why)
{
	const char *p = text, *stop = text + len;
	bool header = false;

	memset(t, 0, sizeof *t);
	*why = NULL;
	for (*line = 1; p < stop; ++*line) {
		const char *newline = memchr(p, '\n', stop - p);
		const char *next = newline ? newline + 1 : stop;
		const char *end = newline ? newline : stop;
		const char *comment = memchr(p, '#', end - p);

		end = comment ? comment : end;
		while (end > p && g_ascii_isspace(end[-1]))
			end--;
		if (end > p && !header) {
			header = (size_t)(end - p) == strlen(HEADER) && !memcmp(p, HEADER, end - p);
			if (!header)
				*why = "the first line is not 'hotdesk-cpuid 1'";
		} else if (end > p) {
			*why = take_line(t, p, end);
		}
		if (*why)
			return -EINVAL;
		p = next;
	}
	if (!cpuid_find(t, 0, 0) || !cpuid_find(t, 1, 0) || !cpuid_find(t, 0x80000001, 0)) {
		*why = "leaves 0, 1 and 80000001 must be there";
		return -EINVAL;
	}
	return 0;
}
