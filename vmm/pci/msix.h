/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X (PCI 3.0, section 6.8.2): a table of messages, a mask each, and pending bits.
 *
 * Each vector is an event descriptor. While vector and function are unmasked it is attached to its
 * message; masked, it is detached and counts, and that count is the pending bit. So nothing is
 * lost between masking and unmasking, and signalling never looks at a mask.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmm/msi.h"

struct msix;
struct state_writer;
struct state_reader;

#define MSIX_ENTRY_SIZE 16u

/* name is for messages and outlives it. NULL with errno set. */
struct msix *msix_create(const char *name, unsigned vectors, struct msi_target target);
void msix_destroy(struct msix *m);

unsigned msix_vectors(const struct msix *m);

/* Interrupts; a vector out of range does nothing. Any thread. */
void msix_signal(struct msix *m, unsigned vector);

/* The message control register's two bits (6.8.2.3). vCPU thread. */
void msix_control(struct msix *m, bool enabled, bool function_masked);

/* The table and the pending bits, by byte offset; accesses of 4 and 8 bytes. vCPU thread. */
uint64_t msix_table_read(struct msix *m, uint64_t offset, unsigned size);
void msix_table_write(struct msix *m, uint64_t offset, unsigned size, uint64_t value);
uint64_t msix_pba_read(struct msix *m, uint64_t offset, unsigned size);

/* As at power-on: all masked, nothing pending. */
void msix_reset(struct msix *m);

/* Table and pending bits; enable and function mask come with the configuration space. */
void msix_save(struct msix *m, struct state_writer *w);
int msix_load(struct msix *m, struct state_reader *r);
