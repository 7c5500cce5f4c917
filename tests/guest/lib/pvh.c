/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

enum { PVH_MAGIC = 0x336ec578, CMDLINE_MAX = 4096, ACPI_HEADER = 36 };

/* xen/include/public/arch-x86/hvm/start_info.h */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, cmdline, rsdp;
	uint64_t memmap;
	uint32_t memmap_entries, reserved;
};

extern uint64_t pvh_info; /* start.S */

static struct start_info info;
static char line[CMDLINE_MAX];

void pvh_init(void)
{
	info = *(const struct start_info *)pvh_info;
	if (info.magic != PVH_MAGIC)
		fail("start info has magic 0x%x", info.magic);
	/* Copied, since the loader may have put it where this guest goes to work. */
	for (unsigned i = 0; info.cmdline && i < CMDLINE_MAX - 1; i++) {
		line[i] = ((const char *)info.cmdline)[i];
		if (!line[i])
			break;
	}
}

const char *cmdline(void)
{
	return line;
}

const char *arg(const char *name)
{
	size_t len = strlen(name);

	for (const char *p = line; *p; p++) {
		char *value;
		size_t n = 0;

		if ((p != line && p[-1] != ' ') || memcmp(p, name, len) || p[len] != '=')
			continue;
		p += len + 1;
		while (p[n] && p[n] != ' ')
			n++;
		value = alloc(n + 1, 1);
		return memcpy(value, p, n);
	}
	return NULL;
}

uint64_t arg_u64(const char *name, uint64_t otherwise)
{
	const char *s = arg(name);
	uint64_t v = 0;

	if (!s)
		return otherwise;
	for (; *s >= '0' && *s <= '9'; s++)
		v = 10 * v + (uint64_t)(*s - '0');
	return v;
}

const struct pvh_memory *pvh_memory_map(unsigned *count)
{
	*count = info.version >= 1 ? info.memmap_entries : 0;
	return (const struct pvh_memory *)info.memmap;
}

const uint8_t *pvh_module(uint64_t *size)
{
	const struct {
		uint64_t addr, size, cmdline, reserved;
	} *modules = (const void *)info.modules;

	if (!info.nr_modules)
		return NULL;
	*size = modules[0].size;
	return (const uint8_t *)map_physical(modules[0].addr, modules[0].size);
}

static uint64_t read_unaligned(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, bytes);
	return v;
}

const uint8_t *acpi_table(const char *signature)
{
	const uint8_t *rsdp = (const uint8_t *)info.rsdp, *root;
	unsigned bytes;

	if (!rsdp || memcmp(rsdp, "RSD PTR ", 8))
		return NULL;
	/* ACPI 6.5, 5.2.5.3: a revision of 2 brings the XSDT. */
	bytes = rsdp[15] >= 2 ? 8 : 4;
	root = (const uint8_t *)read_unaligned(rsdp + (bytes == 8 ? 24 : 16), bytes);
	for (unsigned at = ACPI_HEADER; at < read_unaligned(root + 4, 4); at += bytes) {
		const uint8_t *table = (const uint8_t *)read_unaligned(root + at, bytes);

		if (!memcmp(table, signature, 4))
			return table;
	}
	return NULL;
}
