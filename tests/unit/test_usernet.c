/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user network: ARP, DHCP, a TCP connection through a forwarded port, and what it costs idle. */
#include "vmm/net/usernet.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/bytes.h"
#include "util/log.h"
#include "util/loop.h"

static const uint8_t guest_mac[6] = { 0x52, 0x54, 1, 2, 3, 4 };

enum { KEPT = 16 };

struct rig {
	struct loop *loop;
	struct net_backend *net;
	uint8_t frames[KEPT][NET_FRAME_MAX]; /* towards the guest */
	size_t lens[KEPT];
	unsigned nframes, taken;
	int64_t now;
	char line[256];
};

static void keep_frame(void *opaque, const void *frame, size_t len)
{
	struct rig *g = opaque;
	unsigned at = g->nframes++ % KEPT;

	assert_in_range(len, NET_FRAME_MIN, NET_FRAME_MAX);
	memcpy(g->frames[at], frame, len);
	g->lens[at] = len;
}

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	snprintf(((struct rig *)opaque)->line, sizeof((struct rig *)opaque)->line, "%s", line);
}

static int64_t rig_now(void *opaque)
{
	return ((struct rig *)opaque)->now;
}

static void rig_init(struct rig *g, const struct usernet_config *c)
{
	memset(g, 0, sizeof *g);
	g->now = 1000000000;
	g->loop = loop_create();
	loop_set_clock(g->loop, rig_now, g);
	log_set_sink(keep_line, g);
	assert_int_equal(usernet_create(c, g->loop, &g->net), 0);
	g->net->port = (struct net_port){ .receive = keep_frame, .opaque = g };
	loop_step(g->loop, 0);
}

static void rig_finish(struct rig *g)
{
	net_destroy(g->net);
	loop_destroy(g->loop);
	log_set_sink(NULL, NULL);
}

static void send_frame(struct rig *g, const uint8_t *frame, size_t len)
{
	/* in two pieces, as guests do */
	struct iovec iov[] = { { (void *)frame, 14 }, { (void *)(frame + 14), len - 14 } };

	assert_true(net_send(g->net, iov, 2, len));
}

/* The next frame of this type (0x0806, 0x0800) that came, waiting for it; others are passed over. */
static const uint8_t *next_frame(struct rig *g, uint16_t type, size_t *len)
{
	for (int i = 0; i < 200; i++) {
		while (g->taken < g->nframes) {
			unsigned at = g->taken++ % KEPT;

			if (be16_get(g->frames[at] + 12) != type)
				continue;
			*len = g->lens[at];
			return g->frames[at];
		}
		loop_step(g->loop, 20);
	}
	fail_msg("no frame of type 0x%x", type);
	return NULL;
}

static void put_ethernet(uint8_t *f, uint16_t type)
{
	memset(f, 0xff, 6);
	memcpy(f + 6, guest_mac, 6);
	be16_put(f + 12, type);
}

static void put_arp(uint8_t *f, uint16_t op, uint8_t target)
{
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4 };

	put_ethernet(f, 0x0806);
	memcpy(f + 14, head, sizeof head);
	be16_put(f + 20, op);
	memcpy(f + 22, guest_mac, 6);
	memcpy(f + 28, (uint8_t[]){ 10, 0, 2, 15 }, 4);
	memset(f + 32, 0, 6);
	memcpy(f + 38, (uint8_t[]){ 10, 0, 2, target }, 4);
}

static uint16_t checksum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8) | (i + 1 < len ? p[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* An IPv4 header from 10.0.2.15 (or 0.0.0.0), and the checksum of what stands behind it. */
static void put_ip(uint8_t *f, uint8_t protocol, const uint8_t *from, const uint8_t *to,
	size_t payload, unsigned checksum_at)
{
	uint8_t *ip = f + 14, *body = f + 34;
	uint32_t sum = protocol + (uint32_t)payload;

	put_ethernet(f, 0x0800);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	be16_put(ip + 2, (uint16_t)(20 + payload));
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, from, 4);
	memcpy(ip + 16, to, 4);
	be16_put(ip + 10, checksum(ip, 20, 0));
	for (int i = 12; i < 20; i += 2)
		sum += be16_get(ip + i);
	be16_put(body + checksum_at, 0);
	be16_put(body + checksum_at, checksum(body, payload, sum));
}

static void test_the_gateway_answers_arp(void **state)
{
	struct rig g;
	uint8_t f[42];
	const uint8_t *reply;
	size_t len;

	rig_init(&g, &(struct usernet_config){ 0 });
	put_arp(f, 1, 2);
	send_frame(&g, f, sizeof f);
	reply = next_frame(&g, 0x0806, &len);
	assert_memory_equal(reply, guest_mac, 6);
	assert_int_equal(be16_get(reply + 20), 2);
	assert_memory_equal(reply + 28, ((uint8_t[]){ 10, 0, 2, 2 }), 4);
	rig_finish(&g);
}

static void test_dhcp_offers_an_address(void **state)
{
	struct rig g;
	uint8_t f[14 + 20 + 8 + 248] = { 0 }, *dhcp = f + 42;
	const uint8_t *offer;
	size_t len;

	rig_init(&g, &(struct usernet_config){ 0 });
	memcpy(dhcp, (uint8_t[]){ 1, 1, 6, 0, 0xab, 0xcd, 0, 1 }, 8);
	memcpy(dhcp + 28, guest_mac, 6);
	memcpy(dhcp + 236, (uint8_t[]){ 0x63, 0x82, 0x53, 0x63, 53, 1, 1, 0xff }, 8);
	be16_put(f + 34, 68);
	be16_put(f + 36, 67);
	be16_put(f + 38, 8 + 248);
	put_ip(f, 17, (uint8_t[4]){ 0 }, (uint8_t[]){ 255, 255, 255, 255 }, 8 + 248, 6);
	send_frame(&g, f, sizeof f);
	offer = next_frame(&g, 0x0800, &len);
	assert_int_equal(offer[42], 2);
	assert_memory_equal(offer + 42 + 16, ((uint8_t[]){ 10, 0, 2, 15 }), 4);
	rig_finish(&g);
}

/* ---- a guest's TCP, as little as does ---- */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct tcp {
	uint8_t peer[4];
	uint16_t peer_port, port;
	uint32_t seq, ack;
};

static void tcp_send(struct rig *g, struct tcp *t, uint8_t flags, const char *text)
{
	size_t n = strlen(text);
	uint8_t f[14 + 20 + 20 + 64] = { 0 }, *tcp = f + 34;

	be16_put(tcp, t->port);
	be16_put(tcp + 2, t->peer_port);
	be32_put(tcp + 4, t->seq);
	be32_put(tcp + 8, t->ack);
	tcp[12] = 0x50;
	tcp[13] = flags;
	be16_put(tcp + 14, 8192);
	memcpy(tcp + 20, text, n);
	put_ip(f, 6, (uint8_t[]){ 10, 0, 2, 15 }, t->peer, 20 + n, 16);
	send_frame(g, f, 54 + n);
	t->seq += (uint32_t)n + (flags & (SYN | FIN) ? 1 : 0);
}

/* The next segment; its text is copied out, and the place in the stream moves on. */
static uint8_t tcp_receive(struct rig *g, struct tcp *t, char *text, size_t room)
{
	size_t len, header;
	const uint8_t *f = next_frame(g, 0x0800, &len), *tcp = f + 34;

	assert_int_equal(f[23], 6);
	header = (size_t)(tcp[12] >> 4) * 4;
	len = be16_get(f + 16) - 20u - header;
	assert_true(len < room);
	memcpy(text, tcp + header, len);
	text[len] = 0;
	memcpy(t->peer, f + 26, 4);
	t->peer_port = be16_get(tcp);
	t->port = be16_get(tcp + 2);
	t->ack = be32_get(tcp + 4) + (uint32_t)len + (tcp[13] & (SYN | FIN) ? 1 : 0);
	return tcp[13];
}

/* A free port of the host's, found by binding one; fd keeps it where wanted. */
static uint16_t free_port(int *keep)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	if (keep)
		*keep = fd;
	else
		close(fd);
	return ntohs(a.sin_port);
}

static struct usernet_forward forward_to_ssh(uint16_t port)
{
	return (struct usernet_forward){
		.host = { htonl(INADDR_LOOPBACK) }, .host_port = port, .guest_port = 22
	};
}

/* Opens a connection from the host and plays the guest's part up to established. */
static int open_connection(struct rig *g, struct tcp *t, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	uint8_t arp[42];
	char text[64];

	put_arp(arp, 1, 2); /* so that slirp knows the guest */
	send_frame(g, arp, sizeof arp);
	connect(fd, (struct sockaddr *)&a, sizeof a);
	t->seq = 1000;
	assert_int_equal(tcp_receive(g, t, text, sizeof text), SYN);
	assert_int_equal(t->port, 22);
	tcp_send(g, t, SYN | ACK, "");
	assert_int_equal(tcp_receive(g, t, text, sizeof text), ACK);
	return fd;
}

static void wait_readable(struct rig *g, int fd, char *buf, size_t room)
{
	ssize_t n = -1;

	for (int i = 0; i < 200 && n < 0; i++) {
		loop_step(g->loop, 10);
		n = read(fd, buf, room - 1);
	}
	assert_true(n >= 0);
	buf[n] = 0;
}

static void test_a_connection_through_a_forwarded_port(void **state)
{
	uint16_t port = free_port(NULL);
	struct usernet_forward f = forward_to_ssh(port);
	struct rig g;
	struct tcp t = { 0 };
	char text[64];
	int fd;

	rig_init(&g, &(struct usernet_config){ .forwards = &f, .nforwards = 1 });
	assert_int_equal(usernet_stats(g.net).sockets, 1);
	fd = open_connection(&g, &t, port);
	assert_int_equal(usernet_stats(g.net).sockets, 2);

	tcp_send(&g, &t, ACK | PSH, "SSH-2.0-guest");
	wait_readable(&g, fd, text, sizeof text);
	assert_string_equal(text, "SSH-2.0-guest");
	assert_int_equal(write(fd, "hello", 5), 5);
	do
		tcp_receive(&g, &t, text, sizeof text);
	while (!*text);
	assert_string_equal(text, "hello");
	tcp_send(&g, &t, ACK, "");

	tcp_send(&g, &t, ACK | FIN, "");
	wait_readable(&g, fd, text, sizeof text);
	assert_string_equal(text, "");
	close(fd);
	while (!(tcp_receive(&g, &t, text, sizeof text) & FIN))
		;
	tcp_send(&g, &t, ACK, "");
	for (int i = 0; i < 100 && usernet_stats(g.net).sockets > 1; i++) {
		g.now += 500000000;
		loop_step(g.loop, 1);
	}
	assert_int_equal(usernet_stats(g.net).sockets, 1);
	rig_finish(&g);
}

/* What the guest never answers is sent again, in time, though ticks come lazily by then. */
static void test_lost_segments_are_sent_again(void **state)
{
	uint16_t port = free_port(NULL);
	struct usernet_forward f = forward_to_ssh(port);
	struct rig g;
	struct tcp t = { 0 };
	unsigned before, again = 0;
	char text[64];
	int fd;

	rig_init(&g, &(struct usernet_config){ .forwards = &f, .nforwards = 1 });
	fd = open_connection(&g, &t, port);
	assert_int_equal(write(fd, "hello", 5), 5);
	do
		tcp_receive(&g, &t, text, sizeof text);
	while (!*text);
	before = g.nframes;
	for (int i = 0; i < 600; i++) { /* a minute */
		g.now += 100000000;
		loop_step(g.loop, 1);
	}
	again = g.nframes - before;
	assert_in_range(again, 3, 20); /* backing off */
	close(fd);
	rig_finish(&g);
}

/* Lets an hour pass in steps of 100 ms: how often was it at work? */
static uint64_t passes_in_an_hour(struct rig *g)
{
	uint64_t before = usernet_stats(g->net).passes;

	for (int i = 0; i < 36000; i++) {
		g->now += 100000000;
		loop_step(g->loop, 0);
	}
	return usernet_stats(g->net).passes - before;
}

static void test_idle_costs_nothing(void **state)
{
	uint16_t port = free_port(NULL);
	struct usernet_forward f = forward_to_ssh(port);
	struct rig g;
	struct tcp t = { 0 };
	uint8_t arp[42];
	int fd;

	rig_init(&g, &(struct usernet_config){ .forwards = &f, .nforwards = 1 });
	put_arp(arp, 1, 2);
	send_frame(&g, arp, sizeof arp);
	passes_in_an_hour(&g);
	assert_in_range(passes_in_an_hour(&g), 0, 80); /* router advertisements */
	fd = open_connection(&g, &t, port);
	assert_in_range(passes_in_an_hour(&g), 100, 1000); /* far below one a second */
	close(fd);
	rig_finish(&g);
}

static void test_a_port_in_use(void **state)
{
	int keep;
	uint16_t port = free_port(&keep);
	struct usernet_forward f[2] = { forward_to_ssh(free_port(NULL)), forward_to_ssh(port) };
	struct usernet_config c = { .forwards = f, .nforwards = 2 };
	struct rig g = { .loop = loop_create() };
	char wanted[64];

	log_set_sink(keep_line, &g);
	assert_int_equal(usernet_create(&c, g.loop, &g.net), -EADDRINUSE);
	assert_null(g.net);
	snprintf(wanted, sizeof wanted, "hostfwd tcp:127.0.0.1:%u: ", port);
	assert_non_null(strstr(g.line, wanted));
	assert_non_null(strstr(g.line, "another port"));
	f[1].udp = true; /* that one is free */
	assert_int_equal(usernet_create(&c, g.loop, &g.net), 0);
	net_destroy(g.net);
	f[1].host.s_addr = htonl(0xcb0071fe); /* 203.0.113.254: nobody's */
	assert_int_equal(usernet_create(&c, g.loop, &g.net), -EADDRNOTAVAIL);
	assert_non_null(strstr(g.line, "an address of this host's"));
	close(keep);
	loop_destroy(g.loop);
	log_set_sink(NULL, NULL);
}

static unsigned open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_nothing_is_left_behind(void **state)
{
	unsigned before = open_descriptors();
	uint16_t port = free_port(NULL);
	struct usernet_forward f[2] = { forward_to_ssh(port), forward_to_ssh(port) };
	struct rig g;
	struct tcp t = { 0 };
	int fd;

	f[1].udp = true;
	rig_init(&g, &(struct usernet_config){ .forwards = f, .nforwards = 2 });
	fd = open_connection(&g, &t, port);
	rig_finish(&g);
	close(fd);
	assert_int_equal(open_descriptors(), before);
}

/* Connects from the guest to the host at 10.0.2.2: the flags of the answer, 0 where ICMP says no. */
static uint8_t connect_to_host(struct rig *g, uint16_t port)
{
	struct tcp t = { .peer = { 10, 0, 2, 2 }, .peer_port = port, .port = 40000, .seq = 5 };
	uint8_t arp[42];
	const uint8_t *f;
	size_t len;

	put_arp(arp, 1, 2);
	send_frame(g, arp, sizeof arp);
	tcp_send(g, &t, SYN, "");
	f = next_frame(g, 0x0800, &len);
	return f[23] == 6 ? f[34 + 13] : 0;
}

static void test_the_hosts_loopback_is_closed_unless_asked_for(void **state)
{
	int keep;
	uint16_t port = free_port(&keep);
	struct rig g;

	rig_init(&g, &(struct usernet_config){ 0 });
	assert_int_equal(connect_to_host(&g, port), 0);
	rig_finish(&g);
	rig_init(&g, &(struct usernet_config){ .loopback = true });
	assert_int_equal(connect_to_host(&g, port), SYN | ACK);
	rig_finish(&g);
	close(keep);
}

static void test_garbage(void **state)
{
	struct rig g;
	uint8_t f[NET_FRAME_MAX];
	unsigned random = 1;

	rig_init(&g, &(struct usernet_config){ 0 });
	for (int i = 0; i < 4000; i++) {
		size_t len;

		for (size_t j = 0; j < sizeof f; j++) {
			random = random * 1103515245 + 12345;
			f[j] = (uint8_t)(random >> 16);
		}
		be16_put(f + 12, i % 3 == 0 ? 0x0806 : i % 3 == 1 ? 0x0800 : 0x86dd);
		f[14] = i % 3 == 1 ? 0x45 : 0x60;
		len = NET_FRAME_MIN + (unsigned)i % (NET_FRAME_MAX - NET_FRAME_MIN + 1);
		send_frame(&g, f, len);
		g.now += 10000000;
		loop_step(g.loop, 0);
	}
	rig_finish(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_gateway_answers_arp),
		cmocka_unit_test(test_dhcp_offers_an_address),
		cmocka_unit_test(test_a_connection_through_a_forwarded_port),
		cmocka_unit_test(test_lost_segments_are_sent_again),
		cmocka_unit_test(test_idle_costs_nothing),
		cmocka_unit_test(test_a_port_in_use),
		cmocka_unit_test(test_nothing_is_left_behind),
		cmocka_unit_test(test_the_hosts_loopback_is_closed_unless_asked_for),
		cmocka_unit_test(test_garbage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
