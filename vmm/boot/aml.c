/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/aml.h"

#include <ctype.h>
#include <string.h>

#include "util/bytes.h"

enum {
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_STRING = 0x0d,
	AML_QWORD = 0x0e,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_METHOD = 0x14,
	AML_DUAL_NAME = 0x2e,
	AML_MULTI_NAME = 0x2f,
	AML_EXT = 0x5b,
	AML_EXT_REGION = 0x80,
	AML_EXT_FIELD = 0x81,
	AML_EXT_DEVICE = 0x82,
	AML_LOCAL0 = 0x60,
	AML_ARG0 = 0x68,
	AML_IF = 0xa0,
	AML_ELSE = 0xa1,
};

void aml_init(struct aml *a, void *buf, size_t cap)
{
	*a = (struct aml){ .data = buf, .cap = cap };
}

size_t aml_done(const struct aml *a)
{
	return a->failed || a->depth ? 0 : a->len;
}

static void aml_bytes(struct aml *a, const void *p, size_t len)
{
	if (a->failed || len > a->cap - a->len) {
		a->failed = true;
		return;
	}
	memcpy(a->data + a->len, p, len);
	a->len += len;
}

static void aml_u8(struct aml *a, unsigned v)
{
	uint8_t b = v;

	aml_bytes(a, &b, 1);
}

static void aml_u16(struct aml *a, uint16_t v)
{
	aml_bytes(a, &v, sizeof v);
}

static void aml_u32(struct aml *a, uint32_t v)
{
	aml_bytes(a, &v, sizeof v);
}

static void aml_u64(struct aml *a, uint64_t v)
{
	aml_bytes(a, &v, sizeof v);
}

/* --- blocks: PkgLength (20.2.4) counts itself, so it is put in when the block is closed */

static void aml_open(struct aml *a)
{
	if (a->depth == AML_DEPTH_MAX) {
		a->failed = true;
		return;
	}
	a->open[a->depth++] = a->len;
}

void aml_end(struct aml *a)
{
	uint8_t head[4];
	size_t at, body, n;

	if (a->failed || !a->depth) {
		a->failed = true;
		return;
	}
	at = a->open[--a->depth];
	body = a->len - at;
	for (n = 1; n < 4; n++)
		if (body + n < (n == 1 ? 1ull << 6 : 1ull << (8 * n - 4)))
			break;
	if (n > a->cap - a->len || body + n >= 1u << 28) {
		a->failed = true;
		return;
	}
	if (n == 1)
		head[0] = body + 1;
	else
		head[0] = (n - 1) << 6 | ((body + n) & 0xf);
	for (size_t i = 1; i < n; i++)
		head[i] = (body + n) >> (8 * i - 4);
	memmove(a->data + at + n, a->data + at, body);
	memcpy(a->data + at, head, n);
	a->len += n;
}

/* A NameString (20.2.2); segments shorter than four characters are filled with '_'. */
void aml_path(struct aml *a, const char *path)
{
	unsigned segments = 1;
	const char *p = path;

	if (*p == '\\')
		aml_u8(a, *p++);
	for (const char *c = p; *c; c++)
		segments += *c == '.';
	if (segments == 2)
		aml_u8(a, AML_DUAL_NAME);
	if (segments > 2) {
		aml_u8(a, AML_MULTI_NAME);
		aml_u8(a, segments);
	}
	while (segments--) {
		char name[4] = { '_', '_', '_', '_' };
		size_t len = strcspn(p, ".");

		if (!len || len > sizeof name) {
			a->failed = true;
			return;
		}
		memcpy(name, p, len);
		aml_bytes(a, name, sizeof name);
		p += len + (p[len] == '.');
	}
}

void aml_scope(struct aml *a, const char *path)
{
	aml_u8(a, AML_SCOPE);
	aml_open(a);
	aml_path(a, path);
}

void aml_device(struct aml *a, const char *path)
{
	aml_u8(a, AML_EXT);
	aml_u8(a, AML_EXT_DEVICE);
	aml_open(a);
	aml_path(a, path);
}

void aml_method(struct aml *a, const char *path, unsigned nargs, bool serialized)
{
	aml_u8(a, AML_METHOD);
	aml_open(a);
	aml_path(a, path);
	aml_u8(a, (nargs & 7) | serialized << 3);
}

void aml_package(struct aml *a, unsigned elements)
{
	aml_u8(a, AML_PACKAGE);
	aml_open(a);
	aml_u8(a, elements);
}

void aml_if(struct aml *a)
{
	aml_u8(a, AML_IF);
	aml_open(a);
}

void aml_else(struct aml *a)
{
	aml_u8(a, AML_ELSE);
	aml_open(a);
}

/* --- values */

void aml_int(struct aml *a, uint64_t v)
{
	if (v <= 1) { /* ZeroOp and OneOp are their own values */
		aml_u8(a, v);
	} else if (v <= UINT8_MAX) {
		aml_u8(a, AML_BYTE);
		aml_u8(a, v);
	} else if (v <= UINT16_MAX) {
		aml_u8(a, AML_WORD);
		aml_u16(a, v);
	} else if (v <= UINT32_MAX) {
		aml_u8(a, AML_DWORD);
		aml_u32(a, v);
	} else {
		aml_u8(a, AML_QWORD);
		aml_u64(a, v);
	}
}

void aml_string(struct aml *a, const char *s)
{
	aml_u8(a, AML_STRING);
	aml_bytes(a, s, strlen(s) + 1);
}

static unsigned aml_hex(struct aml *a, char c)
{
	if (!isxdigit((unsigned char)c))
		a->failed = true;
	return isdigit((unsigned char)c) ? c - '0' : (toupper((unsigned char)c) - 'A' + 10) & 0xf;
}

/* Letters of five bits each, big-endian, then the digits (19.3.4, EISAID). */
void aml_eisaid(struct aml *a, const char *id)
{
	uint32_t v = 0;

	if (strlen(id) != 7) {
		a->failed = true;
		return;
	}
	for (int i = 0; i < 3; i++)
		v = v << 5 | ((id[i] - '@') & 0x1f);
	for (int i = 3; i < 7; i++)
		v = v << 4 | aml_hex(a, id[i]);
	v &= 0x7fffffff;
	aml_u8(a, AML_DWORD);
	aml_u32(a, __builtin_bswap32(v));
}

void aml_buffer(struct aml *a, const void *data, uint8_t len)
{
	aml_u8(a, AML_BUFFER);
	aml_open(a);
	aml_int(a, len);
	aml_bytes(a, data, len);
	aml_end(a);
}

void aml_uuid(struct aml *a, const char *uuid)
{
	/* The text's bytes in the order in which they are stored (19.6.142). */
	static const uint8_t order[16] = { 6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32,
		34 };
	uint8_t bytes[16];

	if (strlen(uuid) != 36) {
		a->failed = true;
		return;
	}
	for (int i = 0; i < 16; i++)
		bytes[i] = aml_hex(a, uuid[order[i]]) << 4 | aml_hex(a, uuid[order[i] + 1]);
	aml_buffer(a, bytes, sizeof bytes);
}

void aml_ref(struct aml *a, const char *path)
{
	aml_path(a, path);
}

void aml_arg(struct aml *a, unsigned n)
{
	aml_u8(a, AML_ARG0 + MIN(n, 6u));
}

void aml_local(struct aml *a, unsigned n)
{
	aml_u8(a, AML_LOCAL0 + MIN(n, 7u));
}

void aml_op(struct aml *a, enum aml_op op)
{
	aml_u8(a, op);
}

void aml_name(struct aml *a, const char *path)
{
	aml_u8(a, AML_NAME);
	aml_path(a, path);
}

void aml_name_int(struct aml *a, const char *path, uint64_t v)
{
	aml_name(a, path);
	aml_int(a, v);
}

void aml_name_string(struct aml *a, const char *path, const char *s)
{
	aml_name(a, path);
	aml_string(a, s);
}

void aml_name_eisaid(struct aml *a, const char *path, const char *id)
{
	aml_name(a, path);
	aml_eisaid(a, id);
}

void aml_port_region32(struct aml *a, const char *region, const char *field, uint16_t port)
{
	aml_u8(a, AML_EXT);
	aml_u8(a, AML_EXT_REGION);
	aml_path(a, region);
	aml_u8(a, 1); /* SystemIO */
	aml_int(a, port);
	aml_int(a, 4);
	aml_u8(a, AML_EXT);
	aml_u8(a, AML_EXT_FIELD);
	aml_open(a);
	aml_path(a, region);
	aml_u8(a, 3); /* DWordAcc, NoLock, Preserve */
	aml_path(a, field);
	aml_u8(a, 32); /* bits, as a PkgLength of one byte */
	aml_end(a);
}

/* --- resource templates: a buffer whose bytes are descriptors */

void aml_resources(struct aml *a, const char *path)
{
	aml_name(a, path);
	aml_u8(a, AML_BUFFER);
	aml_open(a);
}

/* The buffer's size stands in front of its bytes and is known only now. */
void aml_resources_end(struct aml *a)
{
	size_t at, bytes, head;

	aml_u8(a, 0x79); /* end tag */
	aml_u8(a, 0);    /* a checksum of 0 says that it is right */
	if (a->failed || !a->depth) {
		a->failed = true;
		return;
	}
	at = a->open[a->depth - 1];
	bytes = a->len - at;
	aml_int(a, bytes);
	head = a->len - at - bytes;
	if (a->failed)
		return;
	memmove(a->data + at + head, a->data + at, bytes);
	a->len = at;
	aml_int(a, bytes);
	a->len += bytes;
	aml_end(a);
}

void aml_res_ports(struct aml *a, uint16_t base, uint8_t len)
{
	aml_u8(a, 0x47);
	aml_u8(a, 1); /* all 16 bits are decoded */
	aml_u16(a, base);
	aml_u16(a, base);
	aml_u8(a, 1);
	aml_u8(a, len);
}

void aml_res_irq(struct aml *a, uint16_t irq)
{
	aml_u8(a, 0x22);
	aml_u16(a, 1u << (irq & 15));
}

void aml_res_interrupt_edge(struct aml *a, uint32_t gsi)
{
	aml_u8(a, 0x89);
	aml_u16(a, 6);
	aml_u8(a, 0x03); /* consumer, edge */
	aml_u8(a, 1);
	aml_u32(a, gsi);
}

void aml_res_memory32(struct aml *a, uint32_t base, uint32_t len)
{
	aml_u8(a, 0x86);
	aml_u16(a, 9);
	aml_u8(a, 1); /* read and write */
	aml_u32(a, base);
	aml_u32(a, len);
}

/* MinFixed, MaxFixed, positive decoding: these windows do not move. */
enum { RES_WINDOW_FIXED = 0x0c, RES_MEMORY_RW = 0x01, RES_TYPE_MEMORY = 0, RES_TYPE_BUS = 2 };

void aml_res_bus_window(struct aml *a, uint16_t first, uint16_t last)
{
	aml_u8(a, 0x88);
	aml_u16(a, 13);
	aml_u8(a, RES_TYPE_BUS);
	aml_u8(a, RES_WINDOW_FIXED);
	aml_u8(a, 0);
	aml_u16(a, 0);
	aml_u16(a, first);
	aml_u16(a, last);
	aml_u16(a, 0);
	aml_u16(a, last - first + 1);
}

void aml_res_window32(struct aml *a, uint32_t base, uint32_t len)
{
	aml_u8(a, 0x87);
	aml_u16(a, 23);
	aml_u8(a, RES_TYPE_MEMORY);
	aml_u8(a, RES_WINDOW_FIXED);
	aml_u8(a, RES_MEMORY_RW);
	aml_u32(a, 0);
	aml_u32(a, base);
	aml_u32(a, base + (len - 1));
	aml_u32(a, 0);
	aml_u32(a, len);
}

void aml_res_window64(struct aml *a, uint64_t base, uint64_t len)
{
	aml_u8(a, 0x8a);
	aml_u16(a, 43);
	aml_u8(a, RES_TYPE_MEMORY);
	aml_u8(a, RES_WINDOW_FIXED);
	aml_u8(a, RES_MEMORY_RW);
	aml_u64(a, 0);
	aml_u64(a, base);
	aml_u64(a, base + (len - 1));
	aml_u64(a, 0);
	aml_u64(a, len);
}
