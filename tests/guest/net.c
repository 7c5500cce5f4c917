/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net (virtio 1.2, 5.1): asks DHCP for an address, ARP for the gateway, and then sends
 * back the first UDP datagram that comes to port 7 (udp=1).
 */
#include "lib/virtio.h"

const char guest_name[] = "net";

enum {
	NET_F_MAC = 5,
	NET_F_STATUS = 16,
	RX = 0,
	TX = 1,
	HEADER = 12, /* virtio's, with num_buffers, since VERSION_1 is agreed */
	FRAME = 1526,
	BUFFERS = 8,

	ETH = 14,
	ETH_IP = 0x0800,
	ETH_ARP = 0x0806,
	IP = 20,
	UDP = 8,
	PROTO_UDP = 17,
	DHCP_SERVER = 67,
	DHCP_CLIENT = 68,
	DHCP_FIXED = 236,
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	ECHO = 7,
	ANSWER_MS = 3000,
};

static const uint8_t everyone[6] = { 255, 255, 255, 255, 255, 255 };
static const uint8_t nobody[4];

static struct virtio net;
static uint8_t mac[6], address[4], server[4];
static uint8_t rx[BUFFERS][FRAME], tx[FRAME];
static unsigned num_buffers; /* as the header of the last frame has it */

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void give_buffer(unsigned i)
{
	struct buf b = { rx[i], FRAME, true };

	CHECK_EQ(vq_add(&net.queues[RX], &b, 1) % BUFFERS, i);
}

/* The frame of len bytes in tx, behind virtio's header. */
static void send(unsigned len)
{
	struct buf b[] = { { tx, HEADER, false }, { tx + HEADER, len, false } };

	vq_do(&net.queues[TX], b, 2);
}

static uint8_t *ethernet(const uint8_t *to, unsigned type)
{
	uint8_t *f = tx + HEADER;

	memset(tx, 0, sizeof tx);
	memcpy(f, to, 6);
	memcpy(f + 6, mac, 6);
	put16(f + 12, type);
	return f + ETH;
}

/* One's complement sum over the IP header. */
static void ip_checksum(uint8_t *ip)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < IP; i += 2)
		sum += get16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

static void send_udp(const uint8_t *to_mac, const uint8_t *to, unsigned from_port, unsigned to_port,
	const uint8_t *payload, unsigned len)
{
	uint8_t *ip = ethernet(to_mac, ETH_IP), *udp = ip + IP;

	ip[0] = 0x45;
	put16(ip + 2, IP + UDP + len);
	ip[8] = 64;
	ip[9] = PROTO_UDP;
	memcpy(ip + 12, address, 4);
	memcpy(ip + 16, to, 4);
	ip_checksum(ip);
	put16(udp, from_port);
	put16(udp + 2, to_port);
	put16(udp + 4, UDP + len); /* checksum 0: none */
	memcpy(udp + UDP, payload, len);
	send(ETH + IP + UDP + len);
}

static void send_arp(unsigned op, const uint8_t *to_mac, const uint8_t *target)
{
	uint8_t *arp = ethernet(op == 1 ? everyone : to_mac, ETH_ARP);
	static const uint8_t kind[] = { 0, 1, 8, 0, 6, 4, 0 };

	memcpy(arp, kind, sizeof kind);
	arp[7] = (uint8_t)op;
	memcpy(arp + 8, mac, 6);
	memcpy(arp + 14, address, 4);
	if (op != 1)
		memcpy(arp + 18, to_mac, 6);
	memcpy(arp + 24, target, 4);
	send(ETH + 28);
}

static void answer_arp(const uint8_t *arp)
{
	uint8_t to_mac[6], to[4];

	if (get16(arp + 6) != 1 || memcmp(arp + 24, address, 4))
		return;
	memcpy(to_mac, arp + 8, 6);
	memcpy(to, arp + 14, 4);
	send_arp(2, to_mac, to);
}

/* Looks at what came: the frame for which wanted() is true is left in `frame`. */
static uint8_t frame[FRAME];
static bool receive(bool (*wanted)(const uint8_t *f, unsigned len))
{
	bool found = false;
	uint16_t head;
	uint32_t written;

	while (!found && vq_take(&net.queues[RX], &head, &written)) {
		unsigned i = head % BUFFERS;

		CHECK(written > HEADER + ETH && written <= FRAME);
		num_buffers = rx[i][10];
		memcpy(frame, rx[i] + HEADER, written - HEADER);
		give_buffer(i);
		vq_kick(&net.queues[RX]);
		found = wanted(frame, written - HEADER);
		if (!found && get16(frame + 12) == ETH_ARP)
			answer_arp(frame + ETH);
	}
	return found;
}

static bool is_udp(const uint8_t *f, unsigned len, unsigned port)
{
	return len > ETH + IP + UDP && get16(f + 12) == ETH_IP && f[ETH] == 0x45 &&
	       f[ETH + 9] == PROTO_UDP && get16(f + ETH + IP + 2) == port;
}

static bool is_offer(const uint8_t *f, unsigned len)
{
	const uint8_t *dhcp = f + ETH + IP + UDP;

	return is_udp(f, len, DHCP_CLIENT) && len > ETH + IP + UDP + DHCP_FIXED + 7 &&
	       dhcp[DHCP_FIXED + 4] == 53 && dhcp[DHCP_FIXED + 6] == DHCP_OFFER;
}

static bool is_arp_reply(const uint8_t *f, unsigned len)
{
	return len >= ETH + 28 && get16(f + 12) == ETH_ARP && get16(f + ETH + 6) == 2 &&
	       !memcmp(f + ETH + 14, server, 4);
}

static bool is_echo(const uint8_t *f, unsigned len)
{
	return is_udp(f, len, ECHO);
}

static void discover(void)
{
	static const uint8_t options[] = { 99, 130, 83, 99, 53, 1, DHCP_DISCOVER, 255 };
	uint8_t dhcp[DHCP_FIXED + sizeof options] = { 1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78 };
	const uint8_t *offer = frame + ETH + IP + UDP;

	memcpy(dhcp + 28, mac, 6);
	memcpy(dhcp + DHCP_FIXED, options, sizeof options);
	memcpy(address, nobody, 4);
	send_udp(everyone, everyone, DHCP_CLIENT, DHCP_SERVER, dhcp, sizeof dhcp);
	CHECK(WAIT(receive(is_offer), ANSWER_MS));
	CHECK(!memcmp(offer + 28, mac, 6));
	memcpy(address, offer + 16, 4);
	memcpy(server, frame + ETH + 12, 4);
	print("offer %u.%u.%u.%u from %u.%u.%u.%u\n", address[0], address[1], address[2],
		address[3], server[0], server[1], server[2], server[3]);
}

static void echo(void)
{
	uint8_t to_mac[6], to[4], payload[64];
	const uint8_t *udp = frame + ETH + IP;
	unsigned len;

	print("STEP echo\n");
	CHECK(WAIT(receive(is_echo), 10000));
	len = get16(udp + 4) - UDP;
	CHECK(len <= sizeof payload);
	memcpy(payload, udp + UDP, len);
	memcpy(to_mac, frame + 6, 6);
	memcpy(to, frame + ETH + 12, 4);
	send_udp(to_mac, to, ECHO, get16(udp), payload, len);
	step("echoed");
}

void guest_main(void)
{
	virtio_open(&net, "net", VIRTIO_NET, 0,
		1ull << NET_F_MAC | 1ull << NET_F_STATUS | 1ull << F_EVENT_IDX);
	CHECK(virtio_has(&net, NET_F_MAC));
	for (unsigned i = 0; i < 6; i++)
		mac[i] = read8(net.config + i);
	print("mac %02x:%02x:%02x:%02x:%02x:%02x\n", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
	if (virtio_has(&net, NET_F_STATUS))
		CHECK(read16(net.config + 6) & 1);
	for (unsigned i = 0; i < BUFFERS; i++)
		give_buffer(i);
	vq_kick(&net.queues[RX]);
	discover();
	send_arp(1, everyone, server);
	CHECK(WAIT(receive(is_arp_reply), ANSWER_MS));
	print("num_buffers %u\n", num_buffers); /* 5.1.6.4.1 wants 1; not every device obeys */
	if (arg_u64("udp", 0))
		echo();
}
