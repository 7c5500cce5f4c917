/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A YAML file that a person wrote: loaded by a schema, and complaints that name file, line and field.
 *
 * A field is named by its path, list entries counted from 1: "users[2].name". Every complaint is
 * one line on the log: "FILE:LINE: FIELD: what: mend".
 */
#pragma once

#include <stddef.h>

#include <cyaml/cyaml.h>

struct yaml_file {
	char *path;
	char *text;
	size_t len;
};

/* Reads the file, of at most 1 MiB. Logs and returns -errno where it cannot. */
int yaml_file_read(struct yaml_file *f, const char *path);

/* The same out of memory; `path` is only for messages. */
void yaml_file_set(struct yaml_file *f, const char *path, const char *text, size_t len);

void yaml_file_finish(struct yaml_file *f);

/*
 * Loads the text into a structure, which yaml_file_free() frees. Unknown and repeated fields,
 * missing ones, wrong types and aliases are refused: a line on the log and -EINVAL.
 */
int yaml_file_load(const struct yaml_file *f, const struct cyaml_schema_value *schema, void **data);

void yaml_file_free(const struct cyaml_schema_value *schema, void *data);

/* Logs that the value at `field` is wrong; returns -EINVAL. */
int yaml_file_complain(const struct yaml_file *f, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The line, from 1, at which the value of `field` begins; of its nearest parent where it is absent. */
size_t yaml_file_line(const struct yaml_file *f, const char *field);
