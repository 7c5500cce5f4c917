/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gpu.h"

uint32_t gpu_ask(
	struct virtio *v, const void *command, uint32_t len, void *answer, uint32_t answer_len)
{
	struct buf b[] = { { command, len, false }, { answer, answer_len, true } };
	const struct gpu_header *asked = command, *got = answer;

	memset(answer, 0, sizeof *got);
	CHECK(vq_do(&v->queues[0], b, 2) >= sizeof *got);
	if (asked->flags & GPU_FLAG_FENCE) { /* 5.7.6.7 */
		CHECK(got->flags & GPU_FLAG_FENCE);
		CHECK_EQ(got->fence, asked->fence);
	}
	return got->type;
}

uint32_t gpu_command(struct virtio *v, unsigned queue, const void *command, uint32_t len)
{
	static struct gpu_header answer;
	struct buf b = { command, len, false };

	if (queue == 0)
		return gpu_ask(v, command, len, &answer, sizeof answer);
	/* Linux gives cursor commands no room for an answer. */
	vq_do(&v->queues[queue], &b, 1);
	return GPU_OK;
}

void gpu_must(struct virtio *v, unsigned queue, const void *command, uint32_t len)
{
	uint32_t answer = gpu_command(v, queue, command, len);

	if (answer != GPU_OK)
		fail("gpu command 0x%x got 0x%x", *(const uint32_t *)command, answer);
}
