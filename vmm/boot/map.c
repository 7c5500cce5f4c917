/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/map.h"

#include "util/bytes.h"
#include "vmm/layout.h"
#include "vmm/memory.h"

static void map_add(struct map *map, uint64_t base, uint64_t size, uint32_t type)
{
	map->ranges[map->n++] = (struct map_range){ base, size, type };
}

void map_init(struct map *map, const struct memory *m)
{
	*map = (struct map){ 0 };
	map_add(map, 0, LAYOUT_EBDA, MAP_RAM);
	map_add(map, LAYOUT_EBDA, MIB - LAYOUT_EBDA, MAP_RESERVED);
	map_add(map, MIB, m->regions[0].size - MIB, MAP_RAM);
	/* Linux trusts MCFG only where ECAM is reserved here. */
	map_add(map, LAYOUT_ECAM, LAYOUT_ECAM_SIZE, MAP_RESERVED);
	map_add(map, LAYOUT_IDMAP, 4 * 4096, MAP_RESERVED);
	for (unsigned i = 1; i < m->nregions; i++)
		map_add(map, m->regions[i].gpa, m->regions[i].size, MAP_RAM);
}

uint64_t map_low_end(const struct map *map)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < map->n; i++)
		if (map->ranges[i].type == MAP_RAM && map->ranges[i].base < 4 * GIB)
			end = map->ranges[i].base + map->ranges[i].size;
	return end;
}

/* How many places there are in [from, to). */
static uint64_t map_places(uint64_t from, uint64_t to, uint64_t size, uint64_t align)
{
	from = ALIGN_UP(from, align);
	return to > from && to - from >= size ? (to - from - size) / align + 1 : 0;
}

uint64_t map_pick(const struct map *map, uint64_t size, uint64_t align, uint64_t min, uint64_t max,
	const struct map_range *avoid, uint64_t r)
{
	/* Each range of RAM falls into a part before and one behind what is to be avoided. */
	struct {
		uint64_t from, to;
	} parts[2 * MAP_RANGES_MAX];
	uint64_t total = 0, places;
	unsigned n = 0;

	for (unsigned i = 0; i < map->n; i++) {
		const struct map_range *range = &map->ranges[i];
		uint64_t from = MAX(range->base, min);
		uint64_t to = MIN(range->base + range->size, max);

		if (range->type != MAP_RAM)
			continue;
		parts[n].from = from;
		parts[n++].to = MIN(to, avoid->base);
		parts[n].from = MAX(from, avoid->base + avoid->size);
		parts[n++].to = to;
	}
	for (unsigned i = 0; i < n; i++)
		total += map_places(parts[i].from, parts[i].to, size, align);
	if (!total)
		return 0;
	r %= total;
	for (unsigned i = 0; i < n; i++) {
		places = map_places(parts[i].from, parts[i].to, size, align);
		if (r < places)
			return ALIGN_UP(parts[i].from, align) + r * align;
		r -= places;
	}
	return 0;
}
