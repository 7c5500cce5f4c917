/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tool drm: a user of /dev/dri/card0 that does what it reads from standard input, a line at a time,
 * and answers each line with what it has to say and then "=0", or "=1" after a failure.
 *
 *   list                      every connector: number, state, preferred size, modes, EDID's length
 *   paint HEAD SEED           a new frame in the preferred size, painted and shown
 *   dirty HEAD SEED X Y W H   paints that part of the frame again and says so (DIRTYFB)
 *   flip HEAD SEED            a second frame, shown by a page flip; waits until it has happened
 *   cursor HEAD X Y           a green square with a red frame; "cursor HEAD off" hides it
 *   off HEAD
 *   hotplug SECONDS           waits for the kernel's event that connectors have changed
 *   quit
 */
#include "tests/lab/guest/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <drm.h>
#include <drm_mode.h>
#include <linux/netlink.h>

#include "tests/lab/guest/pattern.h"

enum { HEADS_MAX = 4, MODES_MAX = 128, PROPS_MAX = 64, CURSOR = 64, FLIP_WAIT_MS = 10000 };

struct frame {
	uint32_t handle, fb, width, height, pitch;
	uint64_t size;
	uint32_t *pixels;
};

struct head {
	uint32_t connector, crtc;
	struct frame frame, next;
};

struct drm {
	int fd, uevents;
	unsigned nheads;
	struct head head[HEADS_MAX];
};

struct connector {
	struct drm_mode_get_connector info;
	struct drm_mode_modeinfo modes[MODES_MAX];
	uint32_t props[PROPS_MAX];
	uint64_t values[PROPS_MAX];
	uint32_t encoders[8];
};

static bool drm_connector(struct drm *d, unsigned head, struct connector *c)
{
	*c = (struct connector){ 0 };
	c->info.connector_id = d->head[head].connector;
	/* Asked without arrays, the kernel probes the connector anew. */
	if (ioctl(d->fd, DRM_IOCTL_MODE_GETCONNECTOR, &c->info) < 0 ||
		c->info.count_modes > MODES_MAX || c->info.count_props > PROPS_MAX ||
		c->info.count_encoders > 8)
		return false;
	c->info.modes_ptr = (uintptr_t)c->modes;
	c->info.props_ptr = (uintptr_t)c->props;
	c->info.prop_values_ptr = (uintptr_t)c->values;
	c->info.encoders_ptr = (uintptr_t)c->encoders;
	return ioctl(d->fd, DRM_IOCTL_MODE_GETCONNECTOR, &c->info) == 0;
}

static const struct drm_mode_modeinfo *drm_preferred(const struct connector *c)
{
	for (unsigned i = 0; i < c->info.count_modes; i++)
		if (c->modes[i].type & DRM_MODE_TYPE_PREFERRED)
			return &c->modes[i];
	return NULL;
}

static unsigned drm_edid_length(struct drm *d, const struct connector *c)
{
	for (unsigned i = 0; i < c->info.count_props; i++) {
		struct drm_mode_get_property p = { .prop_id = c->props[i] };
		struct drm_mode_get_blob blob = { .blob_id = (uint32_t)c->values[i] };

		if (ioctl(d->fd, DRM_IOCTL_MODE_GETPROPERTY, &p) == 0 && !strcmp(p.name, "EDID") &&
			blob.blob_id && ioctl(d->fd, DRM_IOCTL_MODE_GETPROPBLOB, &blob) == 0)
			return blob.length;
	}
	return 0;
}

static int drm_list(struct drm *d)
{
	struct connector c;

	for (unsigned i = 0; i < d->nheads; i++) {
		const struct drm_mode_modeinfo *m;

		if (!drm_connector(d, i, &c))
			return tool_fail("connector %u", i);
		m = drm_preferred(&c);
		printf("head %u %s preferred %ux%u modes %u edid %u\n", i,
			c.info.connection == 1 ? "connected" : "disconnected", m ? m->hdisplay : 0,
			m ? m->vdisplay : 0, c.info.count_modes, drm_edid_length(d, &c));
	}
	return 0;
}

static void frame_finish(struct drm *d, struct frame *f)
{
	struct drm_mode_destroy_dumb destroy = { .handle = f->handle };

	if (f->fb)
		ioctl(d->fd, DRM_IOCTL_MODE_RMFB, &f->fb);
	if (f->pixels)
		munmap(f->pixels, f->size);
	if (f->handle)
		ioctl(d->fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
	*f = (struct frame){ 0 };
}

static bool frame_map(struct drm *d, struct frame *f)
{
	struct drm_mode_create_dumb create = { .width = f->width, .height = f->height, .bpp = 32 };
	struct drm_mode_map_dumb map = { 0 };

	if (ioctl(d->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create) < 0)
		return false;
	f->handle = map.handle = create.handle;
	f->pitch = create.pitch;
	f->size = create.size;
	if (ioctl(d->fd, DRM_IOCTL_MODE_MAP_DUMB, &map) < 0)
		return false;
	f->pixels =
		mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, (off_t)map.offset);
	if (f->pixels == MAP_FAILED)
		f->pixels = NULL;
	return f->pixels != NULL;
}

static void frame_paint(struct frame *f, unsigned seed, const struct drm_clip_rect *r)
{
	for (unsigned y = r->y1; y < r->y2; y++)
		for (unsigned x = r->x1; x < r->x2; x++)
			f->pixels[y * f->pitch / 4 + x] = pattern_pixel(x, y, seed);
}

static bool frame_init(
	struct drm *d, struct frame *f, unsigned width, unsigned height, unsigned seed)
{
	struct drm_mode_fb_cmd fb = { .width = width, .height = height, .bpp = 32, .depth = 24 };
	const struct drm_clip_rect all = { 0, 0, (uint16_t)width, (uint16_t)height };

	*f = (struct frame){ .width = width, .height = height };
	if (frame_map(d, f)) {
		frame_paint(f, seed, &all);
		fb.handle = f->handle;
		fb.pitch = f->pitch;
		if (ioctl(d->fd, DRM_IOCTL_MODE_ADDFB, &fb) == 0) {
			f->fb = fb.fb_id;
			return true;
		}
	}
	tool_fail("a frame of %ux%u", width, height);
	frame_finish(d, f);
	return false;
}

static int drm_paint(struct drm *d, struct head *h, unsigned seed)
{
	struct drm_mode_crtc set = { .crtc_id = h->crtc, .count_connectors = 1, .mode_valid = 1 };
	const struct drm_mode_modeinfo *m;
	struct connector c;
	struct frame f;

	if (!drm_connector(d, (unsigned)(h - d->head), &c))
		return tool_fail("connector");
	m = drm_preferred(&c);
	if (!m)
		return tool_fail("no preferred mode");
	if (!frame_init(d, &f, m->hdisplay, m->vdisplay, seed))
		return 1;
	set.set_connectors_ptr = (uintptr_t)&h->connector;
	set.fb_id = f.fb;
	set.mode = *m;
	if (ioctl(d->fd, DRM_IOCTL_MODE_SETCRTC, &set) < 0) {
		frame_finish(d, &f);
		return tool_fail("mode %s", m->name);
	}
	frame_finish(d, &h->frame);
	h->frame = f;
	printf("painted %ux%u\n", f.width, f.height);
	return 0;
}

static int drm_dirty(struct drm *d, struct head *h, unsigned seed, const unsigned r[4])
{
	struct drm_clip_rect clip = { (uint16_t)r[0], (uint16_t)r[1], (uint16_t)(r[0] + r[2]),
		(uint16_t)(r[1] + r[3]) };
	struct drm_mode_fb_dirty_cmd dirty = {
		.fb_id = h->frame.fb, .num_clips = 1, .clips_ptr = (uintptr_t)&clip
	};

	if (clip.x2 > h->frame.width || clip.y2 > h->frame.height)
		return tool_fail("beyond the frame of %ux%u", h->frame.width, h->frame.height);
	frame_paint(&h->frame, seed, &clip);
	return ioctl(d->fd, DRM_IOCTL_MODE_DIRTYFB, &dirty) < 0 ? tool_fail("dirty") : 0;
}

static int drm_flip(struct drm *d, struct head *h, unsigned seed)
{
	struct drm_mode_crtc_page_flip flip = { .crtc_id = h->crtc,
		.flags = DRM_MODE_PAGE_FLIP_EVENT };
	struct pollfd p = { .fd = d->fd, .events = POLLIN };
	char events[1024];

	if (!h->frame.fb)
		return tool_fail("nothing to flip from");
	if (!frame_init(d, &h->next, h->frame.width, h->frame.height, seed))
		return 1;
	flip.fb_id = h->next.fb;
	if (ioctl(d->fd, DRM_IOCTL_MODE_PAGE_FLIP, &flip) < 0)
		return tool_fail("flip");
	if (poll(&p, 1, FLIP_WAIT_MS) != 1 || read(d->fd, events, sizeof events) <= 0)
		return tool_fail("the flip's event has not come");
	frame_finish(d, &h->frame);
	h->frame = h->next;
	h->next = (struct frame){ 0 };
	return 0;
}

static int drm_off(struct drm *d, struct head *h)
{
	struct drm_mode_crtc set = { .crtc_id = h->crtc };

	if (ioctl(d->fd, DRM_IOCTL_MODE_SETCRTC, &set) < 0)
		return tool_fail("off");
	frame_finish(d, &h->frame);
	return 0;
}

static int drm_cursor(struct drm *d, struct head *h, bool on, int x, int y)
{
	struct drm_mode_cursor set = { .crtc_id = h->crtc, .flags = DRM_MODE_CURSOR_BO };
	struct drm_mode_cursor move = {
		.crtc_id = h->crtc, .flags = DRM_MODE_CURSOR_MOVE, .x = x, .y = y
	};
	struct frame f = { .width = CURSOR, .height = CURSOR };

	if (on) {
		if (!frame_map(d, &f))
			return tool_fail("a cursor's buffer");
		for (unsigned i = 0; i < CURSOR * CURSOR; i++) {
			unsigned cx = i % CURSOR, cy = i / CURSOR;
			bool edge = !cx || !cy || cx == CURSOR - 1 || cy == CURSOR - 1;

			f.pixels[cy * f.pitch / 4 + cx] = edge ? 0xffff0000 : 0xff00ff00;
		}
		set.handle = f.handle;
		set.width = set.height = CURSOR;
	}
	bool ok = ioctl(d->fd, DRM_IOCTL_MODE_CURSOR, &set) == 0 &&
		  (!on || ioctl(d->fd, DRM_IOCTL_MODE_CURSOR, &move) == 0);
	if (!ok)
		tool_fail("cursor");
	frame_finish(d, &f); /* what is shown stays with the kernel */
	return !ok;
}

/* The kernel's own multicast group 1; each message is NAME=VALUE strings, zero-ended. */
static int drm_hotplug(struct drm *d, int seconds)
{
	struct pollfd p = { .fd = d->uevents, .events = POLLIN };
	char text[4096];

	while (poll(&p, 1, seconds * 1000) == 1) {
		ssize_t len = recv(d->uevents, text, sizeof text - 1, 0);

		if (len <= 0)
			return tool_fail("uevents");
		text[len] = 0;
		for (char *s = text; s < text + len; s += strlen(s) + 1)
			if (!strcmp(s, "HOTPLUG=1"))
				return 0;
	}
	errno = 0;
	return tool_fail("no hotplug event within %d s", seconds);
}

static int drm_command(struct drm *d, const char *line)
{
	unsigned head = 0, seed = 0, r[4] = { 0 };
	char verb[16] = "";
	int x, y;

	errno = 0;
	sscanf(line, "%15s %u %u", verb, &head, &seed);
	if (!strcmp(verb, "list"))
		return drm_list(d);
	if (!strcmp(verb, "hotplug"))
		return drm_hotplug(d, (int)head);
	if (head >= d->nheads)
		return tool_fail("no head %u", head);
	if (!strcmp(verb, "paint"))
		return drm_paint(d, &d->head[head], seed);
	if (!strcmp(verb, "flip"))
		return drm_flip(d, &d->head[head], seed);
	if (!strcmp(verb, "off"))
		return drm_off(d, &d->head[head]);
	if (sscanf(line, "dirty %*u %*u %u %u %u %u", &r[0], &r[1], &r[2], &r[3]) == 4)
		return drm_dirty(d, &d->head[head], seed, r);
	if (sscanf(line, "cursor %*u %d %d", &x, &y) == 2)
		return drm_cursor(d, &d->head[head], true, x, y);
	if (!strcmp(verb, "cursor"))
		return drm_cursor(d, &d->head[head], false, 0, 0);
	return tool_fail("what is '%s'?", verb);
}

static bool drm_open(struct drm *d)
{
	uint32_t connectors[HEADS_MAX], crtcs[HEADS_MAX], encoders[HEADS_MAX];
	struct drm_mode_card_res res = { .connector_id_ptr = (uintptr_t)connectors,
		.crtc_id_ptr = (uintptr_t)crtcs,
		.encoder_id_ptr = (uintptr_t)encoders,
		.count_connectors = HEADS_MAX,
		.count_crtcs = HEADS_MAX,
		.count_encoders = HEADS_MAX };
	struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1 };

	d->fd = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);
	if (d->fd < 0 || ioctl(d->fd, DRM_IOCTL_MODE_GETRESOURCES, &res) < 0)
		return false;
	d->nheads = res.count_connectors < HEADS_MAX ? res.count_connectors : HEADS_MAX;
	for (unsigned i = 0; i < d->nheads; i++)
		d->head[i] = (struct head){ .connector = connectors[i], .crtc = crtcs[i] };
	d->uevents = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	return d->uevents >= 0 && bind(d->uevents, (struct sockaddr *)&group, sizeof group) == 0;
}

int tool_drm(int argc, char **argv)
{
	struct drm d = { 0 };
	char line[128];

	if (!drm_open(&d))
		return tool_fail("/dev/dri/card0");
	printf("=0\n");
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\r\n")] = 0;
		if (!strcmp(line, "quit"))
			return 0;
		printf("=%d\n", drm_command(&d, line));
	}
	return 0;
}
