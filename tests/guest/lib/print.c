/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include "vmm/layout.h"

enum { LSR = 5, LSR_DATA = 1, LSR_THRE = 0x20, PM_SLP_EN = 1 << 13, SLP_TYP_S5 = 5 };
enum { POWER_OFF_NAPS = 200 };

static void put(char c)
{
	while (!(in8(PORT_SERIAL + LSR) & LSR_THRE))
		;
	out8(PORT_SERIAL, (uint8_t)c);
}

int serial_get(void)
{
	return in8(PORT_SERIAL + LSR) & LSR_DATA ? in8(PORT_SERIAL) : -1;
}

static void put_number(uint64_t v, unsigned base, unsigned width, char pad)
{
	char digits[24];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	for (; width > n; width--)
		put(pad);
	while (n)
		put(digits[--n]);
}

static uint64_t next_number(va_list *ap, unsigned longs, bool is_signed)
{
	if (longs)
		return va_arg(*ap, unsigned long);
	return is_signed ? (uint64_t)va_arg(*ap, int) : va_arg(*ap, unsigned);
}

/* One conversion, *fmt behind its %. */
static const char *convert(const char *fmt, va_list *ap)
{
	unsigned width = 0, longs = 0;
	char pad = *fmt == '0' ? '0' : ' ';
	int64_t n;

	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		width = 10 * width + (unsigned)(*fmt - '0');
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		longs++;
	switch (*fmt) {
	case 's':
		for (const char *s = va_arg(*ap, const char *); *s; s++)
			put(*s);
		break;
	case 'c':
		put((char)va_arg(*ap, int));
		break;
	case 'd':
		n = (int64_t)next_number(ap, longs, true);
		if (n < 0)
			put('-');
		put_number(n < 0 ? -(uint64_t)n : (uint64_t)n, 10, width, pad);
		break;
	case 'u':
		put_number(next_number(ap, longs, false), 10, width, pad);
		break;
	case 'x':
		put_number(next_number(ap, longs, false), 16, width, pad);
		break;
	default:
		put(*fmt);
	}
	return fmt + 1;
}

void vprint(const char *fmt, va_list ap)
{
	va_list copy;

	va_copy(copy, ap);
	while (*fmt) {
		if (*fmt == '%')
			fmt = convert(fmt + 1, &copy);
		else
			put(*fmt++);
	}
	va_end(copy);
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}

_Noreturn static void power_off(void)
{
	out16(PORT_PM1_CNT, SLP_TYP_S5 << 10 | PM_SLP_EN);
	for (unsigned i = 0; i < POWER_OFF_NAPS; i++)
		nap();
	out16(PORT_PM1_CNT, PM_SLP_EN); /* still here: another machine, with its own S5 */
	halt_forever();
}

void pass(void)
{
	print("PASS %s\n", guest_name);
	power_off();
}

void fail(const char *fmt, ...)
{
	va_list ap;

	print("FAIL ");
	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
	print("\n");
	power_off();
}

void step(const char *name)
{
	print("STEP %s\n", name);
	while (serial_get() != '\n')
		nap();
}
