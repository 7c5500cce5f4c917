/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does nothing for good: what wakes up now is the monitor's own. */
#include "lib/guest.h"

const char guest_name[] = "idle";

void guest_main(void)
{
	print("STEP idle\n");
	halt_forever();
}
