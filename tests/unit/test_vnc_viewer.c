/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server against libvncclient, a client that many viewers are made of: passwords, ZRLE and raw
 * in several pixel formats, sizes both ways, keys.
 */
#include "tests/unit/vnc_fixture.h"

#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <stdio.h>

#include <rfb/rfbclient.h>

static int the_tag; /* libvncclient finds user data by the address of something */

struct viewer {
	rfbClient *client;
	char *password;
	unsigned updates, sizes;
};

static struct viewer *viewer_of(rfbClient *c)
{
	return rfbClientGetClientData(c, &the_tag);
}

static char *on_password(rfbClient *c)
{
	return strdup(viewer_of(c)->password);
}

static void on_update(rfbClient *c)
{
	viewer_of(c)->updates++;
}

static rfbBool on_size(rfbClient *c)
{
	free(c->frameBuffer);
	c->frameBuffer = calloc((size_t)c->width * c->height, c->format.bitsPerPixel / 8);
	viewer_of(c)->sizes++;
	return TRUE;
}

static void quiet(const char *format, ...)
{
}

static bool viewer_open(struct viewer *v, const struct fixture *f, int bits_per_sample,
	int bytes_per_pixel, const char *encodings)
{
	static char name[] = "test";
	char *argv[] = { name };
	int argc = 1;

	rfbClientLog = rfbClientErr = quiet;
	v->updates = v->sizes = 0;
	v->client = rfbGetClient(bits_per_sample, 3, bytes_per_pixel);
	rfbClientSetClientData(v->client, &the_tag, v);
	v->client->GetPassword = on_password;
	v->client->FinishedFrameBufferUpdate = on_update;
	v->client->MallocFrameBuffer = on_size;
	v->client->canHandleNewFBSize = TRUE;
	v->client->appData.encodingsString = encodings;
	v->client->readTimeout = 20;
	free(v->client->serverHost);
	v->client->serverHost = strdup(f->path); /* a path: a unix socket */
	if (!rfbInitClient(v->client, &argc, argv)) {
		v->client = NULL; /* it has freed it */
		return false;
	}
	return true;
}

static void viewer_close(struct viewer *v)
{
	if (!v->client)
		return;
	free(v->client->frameBuffer);
	rfbClientCleanup(v->client);
}

static void viewer_wait(struct viewer *v)
{
	/* It waits for its socket even where it has the message already. */
	if (!v->client->buffered)
		assert_true(WaitForMessage(v->client, 20 * 1000 * 1000) > 0);
	assert_true(HandleRFBServerMessage(v->client));
}

static uint32_t value_at(const rfbClient *c, unsigned i)
{
	switch (c->format.bitsPerPixel) {
	case 8:
		return c->frameBuffer[i];
	case 16:
		return ((const uint16_t *)c->frameBuffer)[i];
	default: /* it leaves anything in the byte that is no colour */
		return ((const uint32_t *)c->frameBuffer)[i] & 0xffffff;
	}
}

static bool shows(const rfbClient *c, const struct fake_source *s)
{
	const rfbPixelFormat *pf = &c->format;

	if (c->width != (int)s->width || c->height != (int)s->height)
		return false;
	for (unsigned i = 0; i < s->width * s->height; i++) {
		uint32_t r = s->px[i] >> 16 & 255, g = s->px[i] >> 8 & 255, b = s->px[i] & 255;

		if (value_at(c, i) != ((r * pf->redMax + 127) / 255 << pf->redShift |
					      (g * pf->greenMax + 127) / 255 << pf->greenShift |
					      (b * pf->blueMax + 127) / 255 << pf->blueShift))
			return false;
	}
	return true;
}

static void viewer_until_shown(struct viewer *v, const struct fake_source *s)
{
	while (!shows(v->client, s))
		viewer_wait(v);
}

static void test_pixels_in_every_format(void **state)
{
	static const struct {
		int bits, bytes;
		const char *encodings;
	} formats[] = { { 8, 4, "zrle" }, { 8, 4, "raw" }, { 5, 2, "zrle" }, { 5, 2, "raw" },
		{ 2, 1, "zrle" }, { 2, 1, "raw" }, { 8, 4, "tight zrle hextile raw" } };
	struct fixture f;
	struct viewer v[ARRAY_LEN(formats)];
	unsigned seed = 11;

	fixture_start(&f, NULL, 1, 600, 333);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		assert_true(viewer_open(
			&v[i], &f, formats[i].bits, formats[i].bytes, formats[i].encodings));
		viewer_until_shown(&v[i], &f.source);
	}
	for (int round = 0; round < 10; round++) {
		int x = rand_r(&seed) % 500, y = rand_r(&seed) % 200;
		pixman_box32_t box = { x, y, x + 100, y + 130 };

		if (round % 2)
			fake_source_noise(&f.source, &box, round);
		else
			fake_source_fill(&f.source, &box, rand_r(&seed));
		scanout_damage(f.display, 0, &box);
		for (size_t i = 0; i < ARRAY_LEN(formats); i++)
			viewer_until_shown(&v[i], &f.source);
	}
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		viewer_close(&v[i]);
	fixture_stop(&f);
}

static void test_passwords(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("pass-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "p", NULL);
	struct viewer v = { 0 };
	struct fixture f;
	struct rfb_client none;
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	char b[16];

	assert_int_equal(write(fd, "sesame12\n", 9), 9);
	close(fd);
	fixture_start(&f, &(struct vnc_config){ .password_file = path }, 1, 200, 100);
	v.password = (char *)"sesame13";
	assert_false(viewer_open(&v, &f, 8, 4, "zrle"));
	v.password = (char *)"sesame12";
	assert_true(viewer_open(&v, &f, 8, 4, "zrle"));
	viewer_until_shown(&v, &f.source);
	viewer_close(&v);
	v.password = (char *)"sesame12 and what does not count";
	assert_true(viewer_open(&v, &f, 8, 4, "zrle"));
	viewer_close(&v);

	/* "None" is not among what is offered, and not taken. */
	fixture_connect(&f, &none);
	assert_true(rfb_client_read(&none, b, 12));
	rfb_client_send(&none, b, 12);
	assert_true(rfb_client_read(&none, b, 2));
	assert_memory_equal(b, "\1\2", 2);
	rfb_client_send(&none, "\1\1", 2);
	assert_true(rfb_client_closed(&none));
	rfb_client_finish(&none);
	fixture_stop(&f);
	unlink(path);
	rmdir(dir);
}

static void test_sizes_both_ways(void **state)
{
	struct fixture f;
	struct fake_source big;
	struct viewer v;

	fixture_start(&f, NULL, 1, 300, 200);
	fake_source_init(&big, 640, 480);
	fake_source_paint(&big, 4);
	assert_true(viewer_open(&v, &f, 8, 4, "zrle"));
	viewer_until_shown(&v, &f.source);
	assert_true(SendExtDesktopSize(v.client, 640, 480));
	for (unsigned asked = 0; !asked;) {
		pthread_mutex_lock(&f.lock);
		asked = f.resizes && f.resize_width == 640 && f.resize_height == 480;
		pthread_mutex_unlock(&f.lock);
		if (!asked)
			g_usleep(1000);
	}
	scanout_set_source(f.display, 0, 640, 480, &fake_source_ops, &big);
	viewer_until_shown(&v, &big);
	scanout_set_source(f.display, 0, 300, 200, &fake_source_ops, &f.source);
	viewer_until_shown(&v, &f.source);
	viewer_close(&v);
	fixture_stop(&f);
	fake_source_finish(&big);
}

static void test_keys_and_pointer(void **state)
{
	struct fixture f;
	struct viewer v;

	fixture_start(&f, NULL, 1, 300, 200);
	assert_true(viewer_open(&v, &f, 8, 4, "zrle"));
	viewer_until_shown(&v, &f.source);
	assert_true(SendKeyEvent(v.client, 'x', TRUE));
	assert_true(SendPointerEvent(v.client, 299, 0, rfbButton1Mask));
	viewer_close(&v); /* lets go of both */
	for (unsigned n = 0; n < 4;) {
		pthread_mutex_lock(&f.lock);
		n = f.key_count;
		pthread_mutex_unlock(&f.lock);
		if (n < 4)
			g_usleep(1000);
	}
	assert_int_equal(f.keys[0].code, KEY_X);
	assert_int_equal(f.keys[1].code, BTN_LEFT);
	assert_false(f.keys[2].down || f.keys[3].down);
	assert_int_equal(f.x, SEAT_ABS_MAX);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pixels_in_every_format),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_sizes_both_ways),
		cmocka_unit_test(test_keys_and_pointer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
