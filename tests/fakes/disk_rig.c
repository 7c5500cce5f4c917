/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/disk_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/log.h"

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	struct disk_rig *g = opaque;

	snprintf(g->line, sizeof g->line, "%s", line);
	g->lines++;
}

void disk_rig_init(struct disk_rig *g)
{
	memset(g, 0, sizeof *g);
	strcpy(g->dir, "/tmp/hotdesk-test-XXXXXX");
	g->loop = loop_create();
	if (!mkdtemp(g->dir) || !g->loop || uring_create(g->loop, &g->uring) < 0)
		abort();
	snprintf(g->path, sizeof g->path, "%s/disk", g->dir);
	log_set_sink(keep_line, g);
}

void disk_rig_finish(struct disk_rig *g)
{
	uring_destroy(g->uring);
	loop_destroy(g->loop);
	unlink(g->path);
	if (rmdir(g->dir) < 0)
		abort(); /* something was left behind */
	log_set_sink(NULL, NULL);
}

uint8_t disk_rig_pattern(uint64_t i)
{
	return (uint8_t)(1 + (i ^ i >> 9) % 255);
}

void disk_rig_file(struct disk_rig *g, uint64_t size)
{
	FILE *f = fopen(g->path, "w");

	if (!f)
		abort();
	for (uint64_t i = 0; i < size; i++)
		putc(disk_rig_pattern(i), f);
	if (fclose(f))
		abort();
}

int disk_rig_open(struct disk_rig *g, const struct disk_config *c, struct disk **out)
{
	struct disk_config with_path = *c;

	if (!with_path.path)
		with_path.path = g->path;
	if (!with_path.tmp_dir)
		with_path.tmp_dir = g->dir;
	return disk_open(&with_path, g->uring, out);
}

static void wait_done(struct disk_request *r, int err)
{
	CONTAINER(r, struct disk_wait, r)->err = err;
}

void disk_rig_start(struct disk *d, struct disk_wait *w, enum disk_op op, uint64_t offset,
	void *buf, uint64_t len)
{
	memset(w, 0, sizeof *w);
	w->iov = (struct iovec){ buf, len };
	w->err = INT_MAX;
	w->r.op = op;
	w->r.unmap = true;
	w->r.offset = offset;
	w->r.len = len;
	w->r.iov = &w->iov;
	w->r.niov = buf ? 1 : 0;
	w->r.done = wait_done;
	disk_submit(d, &w->r);
}

int disk_rig_wait(struct disk_rig *g, struct disk_wait *w)
{
	for (int i = 0; i < 1000 && w->err == INT_MAX; i++)
		loop_step(g->loop, 10);
	return w->err;
}

int disk_rig_do(struct disk_rig *g, struct disk *d, enum disk_op op, uint64_t offset, void *buf,
	uint64_t len)
{
	struct disk_wait w;

	disk_rig_start(d, &w, op, offset, buf, len);
	return disk_rig_wait(g, &w);
}
