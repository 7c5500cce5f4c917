/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of virtio-gpu (virtio 1.2, 5.7.6.7 to 5.7.6.10), each of them a function that looks
 * at a copy of the request and gives the type of the response.
 */
#include "vmm/virtio/gpu_command.h"

#include <stddef.h>

#include "util/bytes.h"
#include "vmm/virtio/gpu_edid.h"
#include "vmm/virtio/gpu_internal.h"
#include "vmm/virtio/gpu_pixels.h"

/* Looking one memory entry up counts like copying this many bytes of pixels. */
enum { ENTRY_COST = 1024 };

/* ---- displays ---- */

static uint32_t get_display_info(struct vgpu *v, struct vgpu_request *rq)
{
	uint32_t x = 0;

	for (unsigned head = 0; head < v->nheads; head++) {
		const struct vgpu_head *h = &v->heads[head];
		struct virtio_gpu_display_one *mode = &rq->resp.display_info.pmodes[head];

		if (!h->plugged)
			continue;
		mode->enabled = 1;
		mode->r = (struct virtio_gpu_rect){ x, 0, h->width, h->height };
		x += h->width; /* side by side */
	}
	pthread_mutex_lock(&v->dev.lock);
	v->told_serial = v->wish_serial;
	pthread_mutex_unlock(&v->dev.lock);
	return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
}

static uint32_t get_edid(struct vgpu *v, struct vgpu_request *rq)
{
	uint32_t head = rq->cmd.get_edid.scanout;

	if (head >= v->nheads)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	rq->resp.edid.size = (uint32_t)vgpu_edid(
		head, v->heads[head].width, v->heads[head].height, rq->resp.edid.edid);
	return VIRTIO_GPU_RESP_OK_EDID;
}

/* num_capsets is 0, so every index is beyond it. */
static uint32_t get_capset(struct vgpu *v, struct vgpu_request *rq)
{
	return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

/* ---- resources ---- */

static uint32_t create_2d(struct vgpu *v, struct vgpu_request *rq)
{
	const struct virtio_gpu_resource_create_2d *c = &rq->cmd.create_2d;

	return vgpu_resource_create_2d(
		&v->resources, c->resource_id, c->format, c->width, c->height);
}

static uint32_t unref(struct vgpu *v, struct vgpu_request *rq)
{
	struct vgpu_resource *res = vgpu_resource_find(&v->resources, rq->cmd.unref.resource_id);

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	vgpu_forget(v, res);
	vgpu_resource_destroy(&v->resources, res);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* Reads n memory entries that stand at offset in the request, and attaches them. */
static uint32_t attach_entries(struct vgpu *v, const struct vgpu_request *rq, size_t offset,
	struct vgpu_resource *res, uint32_t n)
{
	struct virtio_gpu_mem_entry entries[128];
	struct vgpu_backing b = { 0 };
	uint32_t resp = VIRTIO_GPU_RESP_OK_NODATA;

	if (n > VGPU_ENTRIES_MAX)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	if (!range_inside(offset, n * sizeof entries[0], rq->chain->out_len))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	v->budget -= (int64_t)n * ENTRY_COST;
	for (uint32_t done = 0; done < n && resp == VIRTIO_GPU_RESP_OK_NODATA;) {
		uint32_t part = MIN(n - done, (uint32_t)ARRAY_LEN(entries));

		vq_chain_read(rq->chain, offset + done * sizeof entries[0], entries,
			part * sizeof entries[0]);
		for (uint32_t i = 0; i < part && resp == VIRTIO_GPU_RESP_OK_NODATA; i++)
			resp = vgpu_backing_add(&b, v->dev.mem, entries[i].addr, entries[i].length);
		done += part;
	}
	if (resp == VIRTIO_GPU_RESP_OK_NODATA)
		resp = vgpu_resource_attach(&v->resources, res, &b);
	vgpu_backing_finish(&b);
	return resp;
}

static uint32_t attach_backing(struct vgpu *v, struct vgpu_request *rq)
{
	const struct virtio_gpu_resource_attach_backing *c = &rq->cmd.attach;
	struct vgpu_resource *res = vgpu_resource_find(&v->resources, c->resource_id);

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	return attach_entries(v, rq, sizeof *c, res, c->nr_entries);
}

static uint32_t detach_backing(struct vgpu *v, struct vgpu_request *rq)
{
	struct vgpu_resource *res = vgpu_resource_find(&v->resources, rq->cmd.detach.resource_id);

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (res->blob)
		vgpu_forget(v, res);
	return vgpu_resource_detach(&v->resources, res);
}

static uint32_t create_blob(struct vgpu *v, struct vgpu_request *rq)
{
	const struct virtio_gpu_resource_create_blob *c = &rq->cmd.create_blob;
	const uint32_t flags =
		VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE;
	struct vgpu_resource *res;
	uint32_t resp;

	/* The other kinds of memory belong to 3D; the flag that is left needs RESOURCE_UUID. */
	if (c->blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST || c->blob_flags & ~flags)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	resp = vgpu_resource_create_blob(&v->resources, c->resource_id, c->size);
	if (resp != VIRTIO_GPU_RESP_OK_NODATA || !c->nr_entries)
		return resp;
	res = vgpu_resource_find(&v->resources, c->resource_id);
	resp = attach_entries(v, rq, sizeof *c, res, c->nr_entries);
	if (resp != VIRTIO_GPU_RESP_OK_NODATA)
		vgpu_resource_destroy(&v->resources, res);
	return resp;
}

static uint32_t transfer(struct vgpu *v, struct vgpu_request *rq)
{
	const struct virtio_gpu_transfer_to_host_2d *c = &rq->cmd.transfer;
	struct vgpu_resource *res = vgpu_resource_find(&v->resources, c->resource_id);
	uint32_t resp;

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	resp = vgpu_resource_transfer(res, &c->r, c->offset);
	if (resp == VIRTIO_GPU_RESP_OK_NODATA && !res->blob)
		v->budget -= (int64_t)c->r.width * c->r.height * VGPU_PIXEL_BYTES;
	return resp;
}

static uint32_t flush(struct vgpu *v, struct vgpu_request *rq)
{
	const struct virtio_gpu_resource_flush *c = &rq->cmd.flush;
	struct vgpu_resource *res = vgpu_resource_find(&v->resources, c->resource_id);

	return res ? vgpu_flush(v, res, &c->r) : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

/* ---- scanouts ---- */

/* What both SET_SCANOUT commands begin with. True: *res is of the wanted kind. */
static bool find_shown(struct vgpu *v, uint32_t head, uint32_t id, bool blob,
	struct vgpu_resource **res, uint32_t *resp)
{
	*resp = VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (head >= v->nheads)
		return false;
	*resp = VIRTIO_GPU_RESP_OK_NODATA;
	if (!id) {
		vgpu_head_disable(v, head);
		return false;
	}
	*resp = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	*res = vgpu_resource_find(&v->resources, id);
	return *res && (*res)->blob == blob;
}

static uint32_t set_scanout(struct vgpu *v, struct vgpu_request *rq)
{
	const struct virtio_gpu_set_scanout *c = &rq->cmd.set_scanout;
	struct vgpu_resource *res;
	uint32_t resp;

	if (!find_shown(v, c->scanout_id, c->resource_id, false, &res, &resp))
		return resp;
	return vgpu_head_show(v, c->scanout_id,
		&(struct vgpu_view){
			.res = res,
			.format = res->format,
			.width = res->width,
			.height = res->height,
			.stride = res->width * VGPU_PIXEL_BYTES,
			.r = c->r,
		});
}

static uint32_t set_scanout_blob(struct vgpu *v, struct vgpu_request *rq)
{
	const struct virtio_gpu_set_scanout_blob *c = &rq->cmd.set_scanout_blob;
	struct vgpu_resource *res;
	uint32_t resp;

	if (!find_shown(v, c->scanout_id, c->resource_id, true, &res, &resp))
		return resp;
	return vgpu_head_show(v, c->scanout_id,
		&(struct vgpu_view){
			.res = res,
			.format = c->format,
			.width = c->width,
			.height = c->height,
			.stride = c->strides[0],
			.offset = c->offsets[0],
			.r = c->r,
		});
}

/* ---- cursors ---- */

static uint32_t move_cursor(struct vgpu *v, struct vgpu_request *rq)
{
	const struct virtio_gpu_cursor_pos *pos = &rq->cmd.cursor.pos;

	if (pos->scanout_id >= v->nheads)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	/* Unsigned in the interface, yet a cursor at the left edge begins to the left of it. */
	vgpu_cursor_move(v, pos->scanout_id, (int32_t)pos->x, (int32_t)pos->y);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t update_cursor(struct vgpu *v, struct vgpu_request *rq)
{
	const struct virtio_gpu_update_cursor *c = &rq->cmd.cursor;
	const struct vgpu_resource *res = vgpu_resource_find(&v->resources, c->resource_id);
	uint32_t resp;

	if (c->pos.scanout_id >= v->nheads)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (c->resource_id && !res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	resp = vgpu_cursor_show(v, c->pos.scanout_id, res, c->hot_x, c->hot_y);
	return resp == VIRTIO_GPU_RESP_OK_NODATA ? move_cursor(v, rq) : resp;
}

/* ---- the tables ---- */

#define SIZE(name) sizeof(struct virtio_gpu_##name)
#define NODATA     SIZE(ctrl_hdr)

static const struct vgpu_command control_commands[] = {
	/* type, length of request, of reply, feature, mergeable, function */
	{ VIRTIO_GPU_CMD_GET_DISPLAY_INFO, SIZE(ctrl_hdr), SIZE(resp_display_info), 0, true,
		get_display_info },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, SIZE(resource_create_2d), NODATA, 0, true, create_2d },
	{ VIRTIO_GPU_CMD_RESOURCE_UNREF, SIZE(resource_unref), NODATA, 0, false, unref },
	{ VIRTIO_GPU_CMD_SET_SCANOUT, SIZE(set_scanout), NODATA, 0, false, set_scanout },
	{ VIRTIO_GPU_CMD_RESOURCE_FLUSH, SIZE(resource_flush), NODATA, 0, true, flush },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, SIZE(transfer_to_host_2d), NODATA, 0, true,
		transfer },
	{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, SIZE(resource_attach_backing), NODATA, 0, true,
		attach_backing },
	{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, SIZE(resource_detach_backing), NODATA, 0, false,
		detach_backing },
	{ VIRTIO_GPU_CMD_GET_CAPSET_INFO, SIZE(get_capset_info), NODATA, 0, true, get_capset },
	{ VIRTIO_GPU_CMD_GET_CAPSET, SIZE(get_capset), NODATA, 0, true, get_capset },
	{ VIRTIO_GPU_CMD_GET_EDID, SIZE(cmd_get_edid), SIZE(resp_edid), VIRTIO_GPU_F_EDID, true,
		get_edid },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, SIZE(resource_create_blob), NODATA,
		VIRTIO_GPU_F_RESOURCE_BLOB, true, create_blob },
	{ VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, SIZE(set_scanout_blob), NODATA,
		VIRTIO_GPU_F_RESOURCE_BLOB, false, set_scanout_blob },
};

static const struct vgpu_command cursor_commands[] = {
	{ VIRTIO_GPU_CMD_UPDATE_CURSOR, SIZE(update_cursor), NODATA, 0, true, update_cursor },
	{ VIRTIO_GPU_CMD_MOVE_CURSOR, SIZE(update_cursor), NODATA, 0, true, move_cursor },
};

const struct vgpu_command *vgpu_command_find(const struct vgpu *v, unsigned q, uint32_t type)
{
	const struct vgpu_command *table = control_commands;
	size_t n = ARRAY_LEN(control_commands);

	if (q == VGPU_CURSORQ) {
		table = cursor_commands;
		n = ARRAY_LEN(cursor_commands);
	}
	for (size_t i = 0; i < n; i++)
		if (table[i].type == type &&
			(!table[i].feature || virtio_has_feature(&v->dev, table[i].feature)))
			return &table[i];
	return NULL;
}
