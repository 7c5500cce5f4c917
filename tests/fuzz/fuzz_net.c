/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hostile driver of virtio-net, on a cable that fills up and brings frames of any length. */
#include <stdlib.h>

#include "tests/fakes/fake_driver.h"
#include "tests/fakes/fuzz_bytes.h"
#include "util/bytes.h"
#include "util/iov.h"
#include "util/log.h"
#include "vmm/net/net.h"
#include "vmm/virtio/net.h"

enum { SCRATCH = 64 * 1024, PIECES = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
	struct fake_driver d;
	struct net_backend cable;
	struct vnet *n;
	uint8_t *scratch;
	uint64_t rings_gpa;
	bool full, echo;
};

static void ignore_line(void *opaque, enum log_level level, const char *line)
{
}

static bool cable_send(struct net_backend *b, const struct iovec *iov, unsigned niov, size_t len)
{
	struct rig *g = CONTAINER(b, struct rig, cable);
	uint8_t frame[NET_FRAME_MAX];

	if (len < NET_FRAME_MIN || len > NET_FRAME_MAX || iov_bytes(iov, niov) != len)
		abort();
	if (g->full)
		return false;
	memset(frame, 1, sizeof frame);
	if (g->echo)
		net_receive(b, frame, len);
	return true;
}

static const struct net_backend_ops cable_ops = { .send = cable_send };

static struct rig *rig_get(void)
{
	static const uint8_t mac[6] = { 0x52, 0x54 };
	static struct rig *g;

	if (g)
		return g;
	g = calloc(1, sizeof *g);
	log_set_sink(ignore_line, NULL);
	fake_driver_init(&g->d, 4 * MIB);
	g->cable.ops = &cable_ops;
	g->n = vnet_create(mac, &g->cable, g->d.loop, &g->d.mem);
	g->scratch = fake_driver_alloc(&g->d, SCRATCH, 1);
	g->rings_gpa = g->d.next_gpa;
	return g;
}

static void start(struct rig *g, uint64_t features)
{
	g->d.next_gpa = g->rings_gpa;
	fake_driver_start(&g->d, vnet_device(g->n), features | 1ull << VIRTIO_F_VERSION_1);
}

static void request(struct rig *g, struct fuzz_bytes *f)
{
	struct iovec iov[PIECES];
	unsigned q = fuzz_u8(f) % 2, n = 1 + fuzz_u8(f) % PIECES;
	unsigned nout = fuzz_u8(f) % 16 ? (q ? n : 0) : fuzz_u8(f) % (n + 1);
	uint32_t at = 0;

	memset(g->scratch, 0, 12);
	if (fuzz_u8(f) % 8 == 0)
		fuzz_take(f, g->scratch, 12);
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = MIN(fuzz_u16(f) % 2048u, SCRATCH - at);

		iov[i] = (struct iovec){ g->scratch + at, len };
		at += len;
	}
	fake_driver_request(&g->d, q, iov, nout, n - nout);
}

static void step(struct rig *g, struct fuzz_bytes *f)
{
	uint8_t frame[2048] = { 0 };
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
		g->full = fuzz_u8(f) & 1;
		g->echo = fuzz_u8(f) & 1;
		if (!g->full)
			g->cable.port.writable(g->cable.port.opaque);
		break;
	case 3:
		fake_driver_reset(&g->d);
		start(g, fuzz_u64(f));
		break;
	case 4:
	case 5:
		fake_driver_kick(&g->d, fuzz_u8(f) % 2);
		break;
	case 6:
		net_receive(&g->cable, frame, fuzz_u16(f) % sizeof frame);
		break;
	case 7:
		vnet_set_link(g->n, fuzz_u8(f) % 4);
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

	g->full = g->echo = false;
	vnet_set_link(g->n, true);
	start(g, fuzz_u64(&f));
	while (f.left)
		step(g, &f);
	fake_driver_kick(&g->d, 0);
	fake_driver_kick(&g->d, 1);
	fake_driver_reset(&g->d);
	return 0;
}
