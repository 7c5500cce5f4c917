/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver that mostly keeps to the rules of virtio-blk and breaks them at any place: requests of
 * any layout, raw descriptors, resets and errors while the disk still holds requests.
 */
#include <stdlib.h>

#include "tests/fakes/fake_disk.h"
#include "tests/fakes/fake_driver.h"
#include "tests/fakes/fuzz_bytes.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/virtio/blk.h"

enum { SCRATCH = 64 * 1024, SECTORS = 64, PIECES = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
	struct fake_driver d;
	struct fake_disk disk;
	struct vblk *b;
	uint8_t *scratch;
	uint64_t rings_gpa; /* where each start lays out its rings anew */
};

static void ignore_line(void *opaque, enum log_level level, const char *line)
{
}

static struct rig *rig_get(void)
{
	static struct rig *g;

	if (g)
		return g;
	g = calloc(1, sizeof *g);
	log_set_sink(ignore_line, NULL);
	fake_driver_init(&g->d, 4 * MIB);
	fake_disk_init(&g->disk, SECTORS * 512, false, NULL);
	g->b = vblk_create(0, "disk0", &g->disk.disk, 2, g->d.loop, &g->d.mem);
	g->scratch = fake_driver_alloc(&g->d, SCRATCH, 1);
	g->rings_gpa = g->d.next_gpa;
	return g;
}

static void start(struct rig *g, uint64_t features)
{
	g->d.next_gpa = g->rings_gpa;
	fake_driver_start(&g->d, vblk_device(g->b), features | 1ull << VIRTIO_F_VERSION_1);
}

static void reset(struct rig *g)
{
	virtio_write_status(vblk_device(g->b), 0);
	loop_step(g->d.loop, 0);
	fake_disk_release(&g->disk);
	loop_step(g->d.loop, 0);
	if (virtio_read_status(vblk_device(g->b)))
		abort(); /* it must come to an end */
}

/* A header with likely types, then pieces of any length. */
static void request(struct rig *g, struct fuzz_bytes *f)
{
	static const uint32_t types[] = { 0, 1, 4, 8, 11, 13, 14, 0xffffffff };
	struct iovec iov[PIECES];
	unsigned nout = fuzz_u8(f) % (PIECES / 2 + 1), nin = fuzz_u8(f) % (PIECES / 2 + 1);
	uint32_t at = 0;

	le32_put(g->scratch, types[fuzz_u8(f) % ARRAY_LEN(types)]);
	le64_put(g->scratch + 8, fuzz_u8(f) % 8 ? fuzz_u8(f) % (SECTORS + 2) : fuzz_u64(f));
	fuzz_take(f, g->scratch + 16, 64); /* segments */
	for (unsigned i = 0; i < nout + nin; i++) {
		uint32_t len = fuzz_u8(f);

		if (len >= 128)
			len = len % 8 * 512 + len % 3 * 16;
		len = MIN(len, SCRATCH - at);
		iov[i] = (struct iovec){ g->scratch + at, len };
		at += len;
	}
	if (nout + nin)
		fake_driver_request(&g->d, fuzz_u8(f) % 2, iov, nout, nin);
}

static void step(struct rig *g, struct fuzz_bytes *f)
{
	unsigned q;

	switch (fuzz_u8(f) % 10) {
	case 0:
		q = fuzz_u8(f) % 2;
		fake_driver_desc(&g->d, q, fuzz_u8(f), fuzz_u64(f), fuzz_u32(f), fuzz_u16(f) % 8,
			fuzz_u16(f));
		break;
	case 1:
		fake_driver_avail(&g->d, fuzz_u8(f) % 2, fuzz_u16(f));
		break;
	case 2:
		g->disk.hold = fuzz_u8(f) & 1;
		break;
	case 3:
		g->disk.fail = fuzz_u8(f) & 1 ? -5 : 0;
		break;
	case 4:
		fake_disk_release(&g->disk);
		break;
	case 5:
		reset(g);
		start(g, fuzz_u64(f));
		break;
	case 6:
	case 7:
		fake_driver_kick(&g->d, fuzz_u8(f) % 2);
		break;
	default:
		request(g, f);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes f = { data, size };
	struct rig *g = rig_get();

	g->disk.hold = false;
	g->disk.fail = 0;
	start(g, fuzz_u64(&f));
	while (f.left)
		step(g, &f);
	fake_driver_kick(&g->d, 0);
	fake_driver_kick(&g->d, 1);
	reset(g);
	return 0;
}
