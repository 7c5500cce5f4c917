/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes AML, the byte code of ACPI's definition blocks (ACPI 6.5, chapter 20).
 *
 *   struct aml a;
 *   uint8_t buf[4096];
 *
 *   aml_init(&a, buf, sizeof buf);
 *   aml_scope(&a, "\\_SB");
 *   aml_device(&a, "COM1");
 *   aml_name_eisaid(&a, "_HID", "PNP0501");
 *   aml_end(&a);
 *   aml_end(&a);
 *
 * What opens a block (scope, device, method, if, package, buffer) is closed by aml_end(), which
 * then puts the block's length in front of it. A writer that ran out of room or was misused stays
 * failed and writes nothing more; ask aml_done() once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AML_DEPTH_MAX = 8 };

struct aml {
	uint8_t *data;
	size_t len, cap;
	bool failed;
	unsigned depth;
	size_t open[AML_DEPTH_MAX]; /* where each open block's length is to stand */
};

void aml_init(struct aml *a, void *buf, size_t cap);

/* The length of all that was written, or 0 where it failed or a block is still open. */
size_t aml_done(const struct aml *a);

/* Blocks. A path is one to four characters a segment, segments parted by '.', '\\' in front. */
void aml_scope(struct aml *a, const char *path);
void aml_device(struct aml *a, const char *path);
void aml_method(struct aml *a, const char *path, unsigned nargs, bool serialized);
void aml_package(struct aml *a, unsigned elements);
void aml_if(struct aml *a);
void aml_else(struct aml *a);
void aml_end(struct aml *a);

/* A name; its value follows. The others write name and value. */
void aml_name(struct aml *a, const char *path);
void aml_name_int(struct aml *a, const char *path, uint64_t v);
void aml_name_string(struct aml *a, const char *path, const char *s);
void aml_name_eisaid(struct aml *a, const char *path, const char *id);

/* Values */
void aml_int(struct aml *a, uint64_t v);
void aml_string(struct aml *a, const char *s);
void aml_eisaid(struct aml *a, const char *id); /* "PNP0501": three letters, four hex digits */
void aml_buffer(struct aml *a, const void *data, uint8_t len);
void aml_uuid(struct aml *a, const char *uuid); /* as ToUUID() does */
void aml_ref(struct aml *a, const char *path);  /* reads a named object */
void aml_arg(struct aml *a, unsigned n);        /* 0 .. 6 */
void aml_local(struct aml *a, unsigned n);      /* 0 .. 7 */

/*
 * Operators in prefix order: the operator, its operands, then where the result goes.
 * AML_NOWHERE stands for a result that is not stored.
 */
enum aml_op {
	AML_NOWHERE = 0x00,
	AML_STORE = 0x70,
	AML_AND = 0x7b,
	AML_OR = 0x7d,
	AML_NOTIFY = 0x86,
	AML_CREATE_DWORD_FIELD = 0x8a,
	AML_LOGICAL_NOT = 0x92,
	AML_EQUAL = 0x93,
	AML_RETURN = 0xa4,
};
void aml_op(struct aml *a, enum aml_op op);
void aml_path(struct aml *a, const char *path); /* a name where an operator declares one */

/* A region of ports, and one field of 32 bits at its start. */
void aml_port_region32(struct aml *a, const char *region, const char *field, uint16_t port);

/* Resource templates: between these two, descriptors (6.4). */
void aml_resources(struct aml *a, const char *path);
void aml_resources_end(struct aml *a);
void aml_res_ports(struct aml *a, uint16_t base, uint8_t len);
void aml_res_irq(struct aml *a, uint16_t irq);            /* ISA: edge, active high */
void aml_res_interrupt_edge(struct aml *a, uint32_t gsi); /* edge, active high, exclusive */
void aml_res_memory32(struct aml *a, uint32_t base, uint32_t len);
void aml_res_bus_window(struct aml *a, uint16_t first, uint16_t last);
void aml_res_window32(struct aml *a, uint32_t base, uint32_t len);
void aml_res_window64(struct aml *a, uint64_t base, uint64_t len);
