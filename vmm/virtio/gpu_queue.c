/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passes over virtio-gpu's queues.
 *
 * A pass over the control queue answers each request in its reply buffer at once, but returns
 * requests to the driver only when what was flushed has been captured: at a fence, before a command
 * that changes what is shown, and at the end. So the order of replies is that of the requests, and
 * unfenced flushes in a row, which Xorg's shadow framebuffer makes many of, cost one capture.
 */
#include "vmm/virtio/gpu_internal.h"

#include <string.h>

#include "util/log.h"
#include "vmm/virtio/gpu_command.h"

#define HDR sizeof(struct virtio_gpu_ctrl_hdr)

/* ---- one request ---- */

static uint32_t run(struct vgpu *v, const struct vgpu_command *c, struct vgpu_request *rq)
{
	if (!c)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (rq->chain->out_len < c->len)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	/* A longer reply must fit as a whole, or the driver would take part of it for all. */
	if (c->resp_len > HDR && rq->chain->in_len < c->resp_len)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	return c->run(v, rq);
}

/* Runs a command and writes its reply: the reply's length. */
static uint32_t answer(struct vgpu *v, const struct vgpu_command *c, struct vgpu_request *rq)
{
	const struct virtio_gpu_ctrl_hdr *hdr = &rq->cmd.hdr;
	uint32_t type = run(v, c, rq);
	size_t len = HDR;

	if (type < VIRTIO_GPU_RESP_ERR_UNSPEC)
		len = c->resp_len;
	else
		log_once(v->complained, LOG_WARNING,
			"%s: command 0x%x of the guest is refused with error 0x%x", v->dev.name,
			hdr->type, type);
	rq->resp.hdr.type = type;
	rq->resp.hdr.flags = hdr->flags & VIRTIO_GPU_FLAG_FENCE;
	if (rq->resp.hdr.flags) {
		rq->resp.hdr.fence_id = hdr->fence_id;
		rq->resp.hdr.ctx_id = hdr->ctx_id;
	}
	/* Linux gives cursor commands no room for a reply. */
	if (rq->chain->in_len < len)
		return 0;
	return (uint32_t)vq_chain_write(rq->chain, 0, &rq->resp, len);
}

/* Copies a request: false, with the device broken, where it has not even a header. */
static bool take(struct vgpu *v, const struct vq_chain *chain, struct vgpu_request *rq)
{
	memset(rq, 0, sizeof *rq);
	rq->chain = chain;
	if (vq_chain_read(chain, 0, &rq->cmd, sizeof rq->cmd) >= HDR)
		return true;
	virtio_broken(&v->dev, "a command of %zu bytes", chain->out_len);
	return false;
}

/* ---- passes ---- */

/* Captures what was flushed, then returns the requests that were answered. */
static void settle(struct vgpu *v)
{
	struct virtqueue *vq = &v->dev.queues[VGPU_CONTROLQ];

	vgpu_capture(v);
	for (unsigned i = 0; i < v->ndone; i++)
		vq_push(vq, v->done[i].head, v->done[i].written);
	v->ndone = 0;
}

static bool control_request(struct vgpu *v, const struct vq_chain *chain)
{
	const struct vgpu_command *c;
	struct vgpu_request rq;

	if (!take(v, chain, &rq))
		return false;
	if (chain->in_len < HDR) {
		virtio_broken(&v->dev, "%zu bytes of room for a reply", chain->in_len);
		return false;
	}
	c = vgpu_command_find(v, VGPU_CONTROLQ, rq.cmd.hdr.type);
	if (c && !c->mergeable)
		settle(v);
	v->done[v->ndone].head = chain->head;
	v->done[v->ndone].written = answer(v, c, &rq);
	v->ndone++;
	if (rq.cmd.hdr.flags & VIRTIO_GPU_FLAG_FENCE)
		settle(v);
	return true;
}

bool vgpu_serve_control(struct vgpu *v)
{
	struct virtqueue *vq = &v->dev.queues[VGPU_CONTROLQ];
	struct vq_chain chain;
	bool more = true;

	v->budget = VGPU_PASS_BYTES;
	for (unsigned n = 0; more && n < VGPU_PASS_COMMANDS && v->budget > 0; n++)
		more = vq_pop(vq, &chain) && control_request(v, &chain);
	settle(v);
	vq_notify(vq);
	return more;
}

bool vgpu_serve_cursor(struct vgpu *v)
{
	struct virtqueue *vq = &v->dev.queues[VGPU_CURSORQ];
	struct vq_chain chain;
	struct vgpu_request rq;
	bool more = true;

	for (unsigned n = 0; more && n < VGPU_PASS_COMMANDS; n++) {
		more = vq_pop(vq, &chain) && take(v, &chain, &rq);
		if (more)
			vq_push(vq, chain.head,
				answer(v, vgpu_command_find(v, VGPU_CURSORQ, rq.cmd.hdr.type),
					&rq));
	}
	vq_notify(vq);
	return more;
}
