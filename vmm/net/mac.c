/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/net/mac.h"

#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include "util/bytes.h"

/* Four bytes differ, not three as is usual behind 52:54:00: fleets have 100,000s of desktops. */
void mac_make(const char *name, uint8_t mac[6])
{
	uint32_t tail = 0;

	if (name && *name)
		tail = (uint32_t)XXH3_64bits(name, strlen(name));
	else
		while (getrandom(&tail, sizeof tail, 0) != sizeof tail)
			;
	mac[0] = 0x52;
	mac[1] = 0x54;
	le32_put(mac + 2, tail);
}
