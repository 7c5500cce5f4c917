/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest is told about its address space (E820), and places picked in it. */
#pragma once

#include <stdint.h>

struct memory;

enum { MAP_RAM = 1, MAP_RESERVED = 2 }; /* as in E820 and PVH */
enum { MAP_RANGES_MAX = 8 };

struct map_range {
	uint64_t base, size;
	uint32_t type;
};

struct map {
	unsigned n;
	struct map_range ranges[MAP_RANGES_MAX]; /* ascending */
};

void map_init(struct map *map, const struct memory *m);

/* The end of RAM below 4 GiB. */
uint64_t map_low_end(const struct map *map);

/*
 * One of all the multiples of align (a power of two) where size bytes of RAM lie in [min, max)
 * and not in *avoid; r, a random number, picks it. 0 where there is none.
 */
uint64_t map_pick(const struct map *map, uint64_t size, uint64_t align, uint64_t min, uint64_t max,
	const struct map_range *avoid, uint64_t r);
