/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt lines as devices see them: a pin that is raised and lowered.
 *
 * The machine implements it over KVM's irqchip, tests over an array. Any thread.
 */
#pragma once

#include <stdbool.h>

struct irq_line {
	void (*set)(void *opaque, unsigned gsi, bool level);
	void *opaque;
	unsigned gsi;
};

static inline void irq_line_set(const struct irq_line *line, bool level)
{
	if (line->set)
		line->set(line->opaque, line->gsi, level);
}

/* An edge: raised and lowered again, for ISA devices. */
static inline void irq_line_pulse(const struct irq_line *line)
{
	irq_line_set(line, true);
	irq_line_set(line, false);
}
