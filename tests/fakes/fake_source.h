/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's framebuffer for tests: plain memory that can be painted and given to a scanout. */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "display/scanout.h"

struct fake_source {
	pthread_mutex_t lock; /* guards px, as guest memory is shared with a guest that runs */
	unsigned width, height;
	uint32_t *px;
	unsigned reads; /* calls of copy_rows */
	uint64_t read_pixels;
};

extern const struct scanout_source_ops fake_source_ops;

void fake_source_init(struct fake_source *s, unsigned width, unsigned height);
void fake_source_finish(struct fake_source *s);

/* A gradient with a checker pattern in it, different for each seed; the x byte is never zero. */
void fake_source_paint(struct fake_source *s, unsigned seed);
void fake_source_fill(struct fake_source *s, const pixman_box32_t *box, uint32_t pixel);
void fake_source_noise(struct fake_source *s, const pixman_box32_t *box, unsigned seed);
