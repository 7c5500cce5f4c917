/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that start.S and the C files share. */
#pragma once

#define STACK_SIZE    0x4000
#define AP_STACK_SIZE 0x1000
#define CPUS_MAX      64
#define TRAMPOLINE    0x8000 /* RAM that no loader uses; a page below 1 MiB */
#define ENTRY_SIZE    16     /* bytes of code a vector */
