/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/legacy/serial.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/legacy/bytewise.h"
#include "vmm/state.h"

/* Registers; the first two are the divisor's while LCR_DLAB is set. */
enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR, PORTS };

enum {
	IER_RX = 1,
	IER_TX = 2,
	IER_LINE = 4,
	IER_MODEM = 8,
	IIR_NONE = 0x01,
	IIR_MODEM = 0x00,
	IIR_TX = 0x02,
	IIR_RX = 0x04,
	IIR_LINE = 0x06,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFOS = 0xc0,
	FCR_ENABLE = 1,
	FCR_CLEAR_RX = 2,
	FCR_CLEAR_TX = 4,
	LCR_DLAB = 0x80,
	MCR_DTR = 1,
	MCR_RTS = 2,
	MCR_OUT1 = 4,
	MCR_OUT2 = 8,
	MCR_LOOP = 16,
	MCR_BITS = 0x1f,
	LSR_READY = 1,
	LSR_OVERRUN = 2,
	LSR_ERRORS = 0x1e,
	LSR_TX_EMPTY = 0x60, /* holding register and shifter: characters take no time */
	MSR_DCTS = 1,
	MSR_DDSR = 2,
	MSR_TERI = 4,
	MSR_DDCD = 8,
	MSR_DELTAS = 0x0f,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80,
	FIFO = 16,
	STATE_VERSION = 1,
};

struct serial_state {
	uint8_t ier, fcr, lcr, mcr, msr, scr;
	uint8_t errors; /* LSR_ERRORS not yet read */
	uint8_t divisor[2];
	bool tx_pending;            /* the transmitter emptied, and IIR has not told yet */
	uint8_t rx[FIFO], tx[FIFO]; /* oldest first */
	uint8_t rx_len, tx_len;
};

struct serial {
	struct bus *ports;
	struct irq_line irq;
	struct console *console;

	pthread_mutex_t lock; /* guards what follows */
	struct serial_state s;
	bool line; /* the level that irq has */
};

/* ---- interrupts ---- */

static unsigned serial_depth(const struct serial_state *s)
{
	return s->fcr & FCR_ENABLE ? FIFO : 1;
}

static unsigned serial_trigger(const struct serial_state *s)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return s->fcr & FCR_ENABLE ? levels[s->fcr >> 6] : 1;
}

/*
 * The most urgent cause (data sheet, table IV). Data below the trigger level waits four character
 * times on real lines; here those are over at once.
 */
static uint8_t serial_cause(const struct serial_state *s)
{
	if (s->ier & IER_LINE && s->errors)
		return IIR_LINE;
	if (s->ier & IER_RX && s->rx_len)
		return s->rx_len >= serial_trigger(s) ? IIR_RX : IIR_TIMEOUT;
	if (s->ier & IER_TX && s->tx_pending)
		return IIR_TX;
	if (s->ier & IER_MODEM && s->msr & MSR_DELTAS)
		return IIR_MODEM;
	return IIR_NONE;
}

/*
 * MCR_OUT2, which gates the line on PCs, is not asked: each driver sets it first of all, and with
 * it clear an interrupt would at worst be one too many.
 */
static void serial_update(struct serial *serial)
{
	bool line = serial_cause(&serial->s) != IIR_NONE;

	if (line == serial->line)
		return;
	serial->line = line;
	irq_line_set(&serial->irq, line);
}

/* ---- data ---- */

static void serial_receive(struct serial_state *s, uint8_t byte)
{
	if (s->rx_len == serial_depth(s))
		s->errors |= LSR_OVERRUN;
	else
		s->rx[s->rx_len++] = byte;
}

/* Takes as much input as fits. In loopback mode the line's input is cut off and waits. */
static void serial_refill(struct serial *serial)
{
	struct serial_state *s = &serial->s;

	while (serial->console && !(s->mcr & MCR_LOOP) && s->rx_len < serial_depth(s) &&
		console_get(serial->console, &s->rx[s->rx_len]))
		s->rx_len++;
}

static uint8_t serial_read_data(struct serial *serial)
{
	struct serial_state *s = &serial->s;
	uint8_t byte = s->rx[0];

	if (!s->rx_len)
		return 0;
	memmove(s->rx, s->rx + 1, --s->rx_len);
	serial_refill(serial);
	return byte;
}

static bool serial_put(struct serial *serial, uint8_t byte)
{
	return !serial->console || console_put(serial->console, byte);
}

/* Sends what waits. While something does, LSR says that the transmitter is busy. */
static void serial_drain(struct serial *serial)
{
	struct serial_state *s = &serial->s;
	unsigned sent = 0;

	while (sent < s->tx_len && serial_put(serial, s->tx[sent]))
		sent++;
	s->tx_len -= (uint8_t)sent;
	memmove(s->tx, s->tx + sent, s->tx_len);
	s->tx_pending |= sent && !s->tx_len;
}

static void serial_write_data(struct serial *serial, uint8_t byte)
{
	struct serial_state *s = &serial->s;

	if (s->mcr & MCR_LOOP) {
		serial_receive(s, byte);
		s->tx_pending = true;
	} else if (!s->tx_len && serial_put(serial, byte)) {
		s->tx_pending = true;
	} else {
		if (s->tx_len < serial_depth(s))
			s->tx[s->tx_len++] = byte; /* else the driver did not ask LSR */
		s->tx_pending = false;
	}
}

/* ---- registers ---- */

/* The modem's lines: steady ones, or MCR's own in loopback mode (data sheet, 8.6.5). */
static void serial_update_modem(struct serial_state *s)
{
	uint8_t now = MSR_DCD | MSR_DSR | MSR_CTS, before = s->msr, changed;

	if (s->mcr & MCR_LOOP)
		now = (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
		      (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
	changed = (uint8_t)(now ^ before);
	s->msr = now | (before & MSR_DELTAS) | (changed & MSR_CTS ? MSR_DCTS : 0) |
		 (changed & MSR_DSR ? MSR_DDSR : 0) | (changed & before & MSR_RI ? MSR_TERI : 0) |
		 (changed & MSR_DCD ? MSR_DDCD : 0);
}

static void serial_write_fcr(struct serial_state *s, uint8_t v)
{
	uint8_t clear = v & (FCR_CLEAR_RX | FCR_CLEAR_TX);

	if ((v ^ s->fcr) & FCR_ENABLE)
		clear = FCR_CLEAR_RX | FCR_CLEAR_TX;
	if (clear & FCR_CLEAR_RX)
		s->rx_len = 0;
	if (clear & FCR_CLEAR_TX && s->tx_len) {
		s->tx_len = 0;
		s->tx_pending = true;
	}
	s->fcr = v & FCR_ENABLE ? v & (FCR_ENABLE | 0xc0) : 0;
}

static uint8_t serial_read_iir(struct serial_state *s)
{
	uint8_t cause = serial_cause(s);

	if (cause == IIR_TX)
		s->tx_pending = false;
	return cause | (s->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t serial_read_lsr(struct serial_state *s)
{
	uint8_t v = s->errors | (s->rx_len ? LSR_READY : 0) | (s->tx_len ? 0 : LSR_TX_EMPTY);

	s->errors = 0;
	return v;
}

static uint8_t serial_read_byte(void *opaque, unsigned port)
{
	struct serial *serial = opaque;
	struct serial_state *s = &serial->s;
	uint8_t v;

	if (port <= IER && s->lcr & LCR_DLAB)
		return s->divisor[port];
	switch (port) {
	case RBR_THR:
		return serial_read_data(serial);
	case IER:
		return s->ier;
	case IIR_FCR:
		return serial_read_iir(s);
	case LCR:
		return s->lcr;
	case MCR:
		return s->mcr;
	case LSR:
		return serial_read_lsr(s);
	case MSR:
		v = s->msr;
		s->msr &= (uint8_t)~MSR_DELTAS;
		return v;
	default:
		return s->scr;
	}
}

static void serial_write_byte(void *opaque, unsigned port, uint8_t v)
{
	struct serial *serial = opaque;
	struct serial_state *s = &serial->s;

	if (port <= IER && s->lcr & LCR_DLAB) {
		s->divisor[port] = v;
		return;
	}
	switch (port) {
	case RBR_THR:
		serial_write_data(serial, v);
		break;
	case IER:
		/* Enabling asks at once; drivers probe for exactly this. */
		if (v & ~s->ier & IER_TX && !s->tx_len)
			s->tx_pending = true;
		s->ier = v & 0x0f;
		break;
	case IIR_FCR:
		serial_write_fcr(s, v);
		serial_refill(serial);
		break;
	case LCR:
		s->lcr = v;
		break;
	case MCR:
		s->mcr = v & MCR_BITS;
		serial_update_modem(s);
		serial_refill(serial);
		break;
	case SCR:
		s->scr = v;
		break;
	}
}

static uint64_t serial_read(void *opaque, uint64_t offset, unsigned size)
{
	struct serial *serial = opaque;
	uint64_t v;

	pthread_mutex_lock(&serial->lock);
	v = bytewise_read(serial_read_byte, serial, offset, size);
	serial_update(serial);
	pthread_mutex_unlock(&serial->lock);
	return v;
}

static void serial_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct serial *serial = opaque;

	pthread_mutex_lock(&serial->lock);
	bytewise_write(serial_write_byte, serial, offset, size, value);
	serial_update(serial);
	pthread_mutex_unlock(&serial->lock);
}

/* ---- the console's calls: machine loop ---- */

static void serial_input(void *opaque)
{
	struct serial *serial = opaque;

	pthread_mutex_lock(&serial->lock);
	serial_refill(serial);
	serial_update(serial);
	pthread_mutex_unlock(&serial->lock);
}

static void serial_output(void *opaque)
{
	struct serial *serial = opaque;

	pthread_mutex_lock(&serial->lock);
	serial_drain(serial);
	serial_update(serial);
	pthread_mutex_unlock(&serial->lock);
}

/* ---- the machine's calls ---- */

static void serial_reset(void *opaque)
{
	struct serial *serial = opaque;

	pthread_mutex_lock(&serial->lock);
	serial->s = (struct serial_state){ .msr = MSR_DCD | MSR_DSR | MSR_CTS, .divisor = { 12 } };
	serial_refill(serial);
	serial_update(serial);
	pthread_mutex_unlock(&serial->lock);
}

static void serial_save(void *opaque, struct state_writer *w)
{
	struct serial *serial = opaque;
	struct serial_state s;
	size_t mark = state_begin(w, "serial", STATE_VERSION);

	pthread_mutex_lock(&serial->lock);
	s = serial->s;
	pthread_mutex_unlock(&serial->lock);
	state_put_u8(w, s.ier);
	state_put_u8(w, s.fcr);
	state_put_u8(w, s.lcr);
	state_put_u8(w, s.mcr);
	state_put_u8(w, s.msr);
	state_put_u8(w, s.scr);
	state_put_u8(w, s.errors);
	state_put_bytes(w, s.divisor, sizeof s.divisor);
	state_put_u8(w, s.tx_pending);
	state_put_bytes(w, s.rx, s.rx_len);
	state_put_bytes(w, s.tx, s.tx_len);
	state_end(w, mark);
}

static uint8_t serial_load_fifo(struct state_reader *r, uint8_t fifo[FIFO])
{
	uint32_t len;
	const void *from = state_get_blob(r, &len, FIFO);

	if (from)
		memcpy(fifo, from, len);
	return (uint8_t)len;
}

static int serial_load(void *opaque, struct state_reader *r)
{
	struct serial *serial = opaque;
	struct serial_state s = { 0 };
	struct state_reader body;

	state_section(r, "serial", STATE_VERSION, &body);
	s.ier = state_get_u8(&body);
	s.fcr = state_get_u8(&body);
	s.lcr = state_get_u8(&body);
	s.mcr = state_get_u8(&body);
	s.msr = state_get_u8(&body);
	s.scr = state_get_u8(&body);
	s.errors = state_get_u8(&body);
	state_get_bytes(&body, s.divisor, sizeof s.divisor);
	s.tx_pending = state_get_u8(&body) != 0;
	s.rx_len = serial_load_fifo(&body, s.rx);
	s.tx_len = serial_load_fifo(&body, s.tx);
	if (!state_reader_done(&body) || s.ier & ~0x0f || s.mcr & ~MCR_BITS ||
		s.errors & ~LSR_ERRORS || s.rx_len > serial_depth(&s) ||
		s.tx_len > serial_depth(&s)) {
		log_error("serial: the saved state does not fit this device");
		return -EINVAL;
	}
	pthread_mutex_lock(&serial->lock);
	serial->s = s;
	serial_drain(serial);
	serial_refill(serial);
	serial_update(serial);
	pthread_mutex_unlock(&serial->lock);
	return 0;
}

struct device serial_device(struct serial *s)
{
	static const struct device_ops ops = {
		.reset = serial_reset,
		.save = serial_save,
		.load = serial_load,
	};

	return (struct device){ .name = "serial", .ops = &ops, .opaque = s };
}

struct serial *serial_create(struct bus *ports, struct irq_line irq, struct console *console)
{
	static const struct bus_ops ops = { .read = serial_read, .write = serial_write };
	struct serial *s = calloc(1, sizeof *s);
	const struct bus_range range = {
		.base = PORT_SERIAL, .size = PORTS, .ops = &ops, .opaque = s, .name = "serial"
	};
	const struct console_client client = { serial_input, serial_output, s };
	int err = s ? bus_add(ports, &range) : -ENOMEM;

	if (err) {
		log_error("serial: ports at 0x%x: %s", PORT_SERIAL, strerror(-err));
		free(s);
		return NULL;
	}
	s->ports = ports;
	s->irq = irq;
	s->console = console;
	pthread_mutex_init(&s->lock, NULL);
	serial_reset(s);
	if (console)
		console_attach(console, &client);
	return s;
}

void serial_destroy(struct serial *s)
{
	if (!s)
		return;
	if (s->console)
		console_attach(s->console, NULL);
	bus_remove(s->ports, PORT_SERIAL, PORTS);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
