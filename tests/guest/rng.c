/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng (virtio 1.2, 5.4), and with it rings, their wrap, and interrupts. rounds= asks more
 * often.
 */
#include "lib/virtio.h"

const char guest_name[] = "rng";

enum { BYTES = 64, ROUNDS = 40 /* more than the ring has entries */ };

static struct virtio rng;
static uint8_t last[BYTES], now[BYTES];

static void ask(void)
{
	struct buf b[] = { { now, BYTES / 2, true }, { now + BYTES / 2, BYTES / 2, true } };
	uint32_t got;

	memcpy(last, now, BYTES);
	got = vq_do(&rng.queues[0], b, 2);
	CHECK(got > 0 && got <= BYTES);
	/* 8 bytes that repeat are a copy, not chance. */
	CHECK(memcmp(last, now, got < 8 ? got : 8));
}

static void check_masking(void)
{
	unsigned vector = rng.queues[0].vector, had;

	nap(); /* what came before is not to count */
	had = interrupts(vector);
	msix_mask(&rng.msix, 1, true);
	ask();
	CHECK(WAIT(read32(rng.msix.pending) & 1 << 1, 1000));
	CHECK_EQ(interrupts(vector), had);
	msix_mask(&rng.msix, 1, false);
	CHECK(WAIT(interrupts(vector) > had, 1000));
	CHECK(!(read32(rng.msix.pending) & 1 << 1));
}

void guest_main(void)
{
	unsigned rounds = (unsigned)arg_u64("rounds", ROUNDS);

	print("rounds %u\n", rounds);
	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		unsigned had;

		virtio_open(&rng, "rng", VIRTIO_RNG, 0, (uint64_t)event_idx << F_EVENT_IDX);
		had = interrupts(rng.queues[0].vector);
		for (unsigned i = 0; i < rounds; i++)
			ask();
		nap();
		print("event_idx %u: %u requests, %u interrupts\n", event_idx, rounds,
			interrupts(rng.queues[0].vector) - had);
		CHECK(interrupts(rng.queues[0].vector) > had);
		check_masking();
	}
	CHECK_EQ(virtio_status(&rng) & STATUS_NEEDS_RESET, 0);
}
