/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/parser.h"

#include <errno.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

#include "display/vnc/message.h"
#include "util/bytes.h"

static const char greeting[] = "RFB 003.008\n";

enum { GREETING = sizeof greeting - 1, PASSWORD = 8 };

struct rfb_parser {
	const struct rfb_parser_ops *ops;
	void *opaque;
	char password[PASSWORD + 1];
	bool ask_password, wrong_password, extended_buttons, ready;

	/*
	 * A screen for each client, so that nothing that one of them does can reach another through
	 * the library: its size is what this client was told.
	 */
	rfbScreenInfoPtr screen;
	rfbClientPtr client; /* NULL before the client's version came */
	int pair;            /* our end */
	size_t swallow;      /* of what the library writes: its greeting, which we sent ourselves */
};

/* ---- the library calls these ---- */

static void on_key(rfbBool down, rfbKeySym keysym, rfbClientPtr cl)
{
	struct rfb_parser *p = cl->clientData;

	p->ops->key(p->opaque, keysym, 0, down);
}

static void on_pointer(int buttons, int x, int y, rfbClientPtr cl)
{
	struct rfb_parser *p = cl->clientData;

	p->ops->pointer(p->opaque, buttons, x, y);
}

static void on_update_request(rfbClientPtr cl, rfbFramebufferUpdateRequestMsg *m)
{
	struct rfb_parser *p = cl->clientData;

	p->ops->update_request(p->opaque, m->incremental, m->x, m->y, m->w, m->h);
}

/* Always takes the same time for a response of the right length. */
static rfbBool on_password(rfbClientPtr cl, const char *response, int len)
{
	struct rfb_parser *p = cl->clientData;
	unsigned char want[CHALLENGESIZE];
	unsigned difference = 0;

	memcpy(want, cl->authChallenge, sizeof want);
	rfbEncryptBytes(want, p->password);
	for (int i = 0; i < CHALLENGESIZE; i++)
		difference |= want[i] ^ (unsigned char)response[i];
	explicit_bzero(want, sizeof want);
	p->wrong_password = len != CHALLENGESIZE || difference;
	return !p->wrong_password;
}

/* ---- the library behind its pair ---- */

/*
 * Passes on all that the library wrote. After each of its calls, so that the next one finds the
 * pair empty and its writes cannot wait.
 */
static void drain(struct rfb_parser *p)
{
	uint8_t buf[4096];
	ssize_t n;

	while ((n = recv(p->pair, buf, sizeof buf, MSG_DONTWAIT)) > 0) {
		size_t cut = MIN(p->swallow, (size_t)n);

		p->swallow -= cut;
		if ((size_t)n > cut)
			p->ops->send(p->opaque, buf + cut, n - cut);
	}
}

/* Forgets what the library gathers for the updates that it would like to send. */
static void quieten(rfbClientPtr cl)
{
	LOCK(cl->updateMutex);
	sraRgnMakeEmpty(cl->requestedRegion);
	sraRgnMakeEmpty(cl->modifiedRegion);
	sraRgnMakeEmpty(cl->copyRegion);
	cl->newFBSizePending = cl->cursorWasChanged = cl->cursorWasMoved = FALSE;
	UNLOCK(cl->updateMutex);
	cl->screen->pointerClient = NULL;
}

/*
 * The client's version lies in the pair before the library looks for it: its wait of 100 ms for a
 * browser's greeting then ends at once.
 */
static int lib_open(struct rfb_parser *p, const uint8_t *version)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	p->pair = sv[0];
	/* The library keeps its sockets in an fd_set. */
	if (sv[1] >= FD_SETSIZE || send(sv[0], version, GREETING, MSG_DONTWAIT) != GREETING) {
		close(sv[1]);
		return -EMFILE;
	}
	p->swallow = GREETING;
	p->client = rfbNewClient(p->screen, sv[1]); /* closes sv[1] where it fails */
	if (!p->client)
		return -EPROTO;
	p->client->clientData = p;
	p->client->clientFramebufferUpdateRequestHook = on_update_request;
	quieten(p->client);
	return 0;
}

/* The library processes what lies in the pair: exactly one message. */
static int lib_process(struct rfb_parser *p)
{
	rfbProcessClientMessage(p->client);
	drain(p);
	if (p->client->sock == RFB_INVALID_SOCKET)
		return p->wrong_password ? -EACCES : -EPROTO;
	quieten(p->client);
	return 0;
}

static int lib_feed(struct rfb_parser *p, const uint8_t *message, size_t len)
{
	if (send(p->pair, message, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
		return -EIO;
	return lib_process(p);
}

static void lib_close(struct rfb_parser *p)
{
	if (p->client) {
		if (p->client->sock != RFB_INVALID_SOCKET)
			rfbCloseClient(p->client);
		rfbClientConnectionGone(p->client);
	}
	if (p->screen)
		rfbScreenCleanup(p->screen);
	if (p->pair >= 0)
		close(p->pair);
}

/* ---- messages that are ours ---- */

static int set_pixel_format(struct rfb_parser *p, const uint8_t *m, size_t len)
{
	const struct pixel_format f = {
		.bits_per_pixel = m[4],
		.depth = m[5],
		.big_endian = m[6],
		.true_colour = m[7],
		.red_max = be16_get(m + 8),
		.green_max = be16_get(m + 10),
		.blue_max = be16_get(m + 12),
		.red_shift = m[14],
		.green_shift = m[15],
		.blue_shift = m[16],
	};
	int err;

	/* The library would build tables from it: it gets none that we would not use. */
	if (!pixel_format_valid(&f))
		return -EPROTO;
	err = lib_feed(p, m, len);
	if (!err)
		p->ops->pixel_format(p->opaque, &f);
	return err;
}

static void set_encodings(struct rfb_parser *p, const uint8_t *m)
{
	int32_t encodings[RFB_ENCODINGS_MAX];
	unsigned n = be16_get(m + 2);

	for (unsigned i = 0; i < n; i++)
		encodings[i] = (int32_t)be32_get(m + 4 + 4 * i);
	p->ops->encodings(p->opaque, encodings, n);
}

static void set_size(struct rfb_parser *p, const uint8_t *m)
{
	struct rfb_screen screens[RFB_SCREENS_MAX];

	for (unsigned i = 0; i < m[6]; i++) {
		const uint8_t *from = m + 8 + 16 * i;

		screens[i] = (struct rfb_screen){ be32_get(from), be16_get(from + 4),
			be16_get(from + 6), be16_get(from + 8), be16_get(from + 10) };
	}
	p->ops->set_size(p->opaque, be16_get(m + 2), be16_get(m + 4), screens, m[6]);
}

static void extended_pointer(struct rfb_parser *p, const uint8_t *m)
{
	unsigned buttons = (m[1] & 0x7fu) | (unsigned)m[6] << 7;

	p->ops->pointer(p->opaque, buttons, be16_get(m + 2), be16_get(m + 4));
}

static int feed_normal(struct rfb_parser *p, const uint8_t *m, size_t len)
{
	switch ((enum rfb_client_message)m[0]) {
	case RFB_SET_PIXEL_FORMAT:
		return set_pixel_format(p, m, len);
	case RFB_SET_ENCODINGS:
		set_encodings(p, m);
		return 0;
	case RFB_ENABLE_CONTINUOUS_UPDATES:
		p->ops->continuous(p->opaque, m[1], be16_get(m + 2), be16_get(m + 4),
			be16_get(m + 6), be16_get(m + 8));
		return 0;
	case RFB_CLIENT_FENCE:
		p->ops->fence(p->opaque, be32_get(m + 4), m + 9, m[8]);
		return 0;
	case RFB_QEMU:
		p->ops->key(p->opaque, be32_get(m + 4), be32_get(m + 8), be16_get(m + 2));
		return 0;
	case RFB_CLIENT_CUT_TEXT:
		return 0; /* comes to its use with the guest's agent */
	case RFB_POINTER_EVENT:
		if (p->extended_buttons && m[1] & 0x80) {
			extended_pointer(p, m);
			return 0;
		}
		return lib_feed(p, m, len);
	case RFB_SET_DESKTOP_SIZE:
		set_size(p, m);
		return 0;
	case RFB_UPDATE_REQUEST:
	case RFB_KEY_EVENT:
		return lib_feed(p, m, len);
	}
	return -EPROTO;
}

/* ---- the interface ---- */

static rfbScreenInfoPtr make_screen(struct rfb_parser *p, const char *name)
{
	rfbScreenInfoPtr s = rfbGetScreen(NULL, NULL, 4, 4, 8, 3, 4);

	if (!s)
		return NULL;
	s->serverFormat.depth = 24;
	s->serverFormat.redShift = 16;
	s->serverFormat.blueShift = 0;
	s->desktopName = name;
	s->alwaysShared = TRUE;
	s->cursor = NULL;
	s->maxClientWait = 1; /* ms: were a call ever to wait, it would fail instead */
	s->deferPtrUpdateTime = 0;
	s->kbdAddEvent = on_key;
	s->ptrAddEvent = on_pointer;
	if (p->ask_password) {
		s->authPasswdData = p->password;
		s->passwordCheck = on_password;
	}
	return s;
}

struct rfb_parser *rfb_parser_create(
	const struct rfb_parser_ops *ops, void *opaque, const char *password, const char *name)
{
	struct rfb_parser *p = g_new0(struct rfb_parser, 1);

	p->ops = ops;
	p->opaque = opaque;
	p->pair = -1;
	p->ask_password = password;
	if (password)
		strncpy(p->password, password, PASSWORD);
	rfbLogEnable(FALSE);
	p->screen = make_screen(p, name);
	if (!p->screen) {
		rfb_parser_destroy(p);
		return NULL;
	}
	ops->send(opaque, greeting, GREETING);
	return p;
}

void rfb_parser_destroy(struct rfb_parser *p)
{
	if (!p)
		return;
	lib_close(p);
	explicit_bzero(p->password, sizeof p->password);
	g_free(p);
}

enum rfb_stage rfb_parser_stage(const struct rfb_parser *p)
{
	if (!p->client)
		return RFB_STAGE_VERSION;
	switch (p->client->state) {
	case RFB_PROTOCOL_VERSION:
		return RFB_STAGE_VERSION;
	case RFB_SECURITY_TYPE:
		return RFB_STAGE_SECURITY;
	case RFB_AUTHENTICATION:
		return RFB_STAGE_AUTH;
	case RFB_INITIALISATION:
	case RFB_INITIALISATION_SHARED:
		return RFB_STAGE_INIT;
	default:
		return RFB_STAGE_NORMAL;
	}
}

ssize_t rfb_parser_need(const struct rfb_parser *p, const uint8_t *bytes, size_t n, bool *skip)
{
	return rfb_message_length(rfb_parser_stage(p), p->extended_buttons, bytes, n, skip);
}

/* The library tells the desktop's size on its own while the handshake lasts. */
static int feed_handshake(struct rfb_parser *p, const uint8_t *message, size_t len)
{
	unsigned width, height;
	int err;

	p->ops->desktop_size(p->opaque, &width, &height);
	rfb_parser_set_size(p, width, height);
	if (p->client) {
		err = lib_feed(p, message, len);
	} else {
		if (memcmp(message, "RFB ", 4) != 0)
			return -EPROTO;
		err = lib_open(p, message);
		if (!err)
			err = lib_process(p);
	}
	if (!err && rfb_parser_stage(p) == RFB_STAGE_NORMAL) {
		p->ready = true;
		p->ops->ready(p->opaque);
	}
	return err;
}

int rfb_parser_feed(struct rfb_parser *p, const uint8_t *message, size_t len)
{
	return p->ready ? feed_normal(p, message, len) : feed_handshake(p, message, len);
}

/* rfbNewFramebuffer() would do more than that: it resets the server's pixel format. */
void rfb_parser_set_size(struct rfb_parser *p, unsigned width, unsigned height)
{
	p->screen->width = width;
	p->screen->height = height;
}

void rfb_parser_set_extended_buttons(struct rfb_parser *p, bool on)
{
	p->extended_buttons = on;
}
