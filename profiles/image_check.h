/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a schema cannot say: which words are names, paths and commands that an image may hold. */
#pragma once

#include "profiles/image_def.h"
#include "profiles/yaml_file.h"

/* Logs the first mistake with its line and field and returns -EINVAL; sets size_bytes, mode_bits. */
int image_check(const struct yaml_file *y, struct image_def *def);
