/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Can this machine's KVM run an unmodified kernel? Some hosts offer a /dev/kvm that only emulates
 * guest instructions, and its emulator knows neither SSE nor cmpxchg16b nor iretq.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Runs a guest of a dozen such instructions in long mode. True where all of them gave the right
 * result; else `why` (of `size` bytes) tells what was missing, and the mend where there is one.
 * Takes about a millisecond and leaves nothing behind.
 */
bool kvm_probe(const char *device, char *why, size_t size);
