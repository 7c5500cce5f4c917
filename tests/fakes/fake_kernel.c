/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/fake_kernel.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <asm/bootparam.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "util/bytes.h"

enum { FAKE_TEXT_OFFSET = 4096, FAKE_SHNUM = 3 };
static const uint64_t FAKE_VIRTUAL = 0xffffffff80000000ull;

static void append_word(GByteArray *a, uint32_t word)
{
	g_byte_array_append(a, (const uint8_t *)&word, sizeof word);
}

static void append_relocs(GByteArray *a)
{
	uint32_t base = (FAKE_VIRTUAL + FAKE_LOAD) & UINT32_MAX;

	append_word(a, 0);
	append_word(a, base + FAKE_PLACE64);
	append_word(a, 0);
	append_word(a, base + FAKE_PLACE_INVERSE);
	append_word(a, 0);
	append_word(a, base + FAKE_PLACE32);
	append_word(a, base + FAKE_PLACE32 + 4);
}

GByteArray *fake_vmlinux(gboolean pvh, gboolean relocs)
{
	struct {
		Elf64_Nhdr h;
		char name[4];
		uint32_t entry;
	} note = { { 4, 4, 18 }, "Xen", FAKE_PVH_ENTRY };
	Elf64_Ehdr h = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_entry = FAKE_ENTRY,
		.e_phoff = sizeof h,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = pvh ? 3 : 2,
		.e_shoff = FAKE_TEXT_OFFSET + FAKE_TEXT + FAKE_DATA,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = FAKE_SHNUM,
	};
	Elf64_Phdr ph[3] = {
		{ .p_type = PT_LOAD,
			.p_offset = FAKE_TEXT_OFFSET,
			.p_vaddr = FAKE_VIRTUAL + FAKE_LOAD,
			.p_paddr = FAKE_LOAD,
			.p_filesz = FAKE_TEXT,
			.p_memsz = FAKE_TEXT },
		{ .p_type = PT_LOAD,
			.p_offset = FAKE_TEXT_OFFSET + FAKE_TEXT,
			.p_vaddr = FAKE_VIRTUAL + FAKE_DATA_AT,
			.p_paddr = FAKE_DATA_AT,
			.p_filesz = FAKE_DATA,
			.p_memsz = FAKE_DATA + FAKE_BSS },
		{ .p_type = PT_NOTE, .p_offset = 2048, .p_filesz = sizeof note },
	};
	GByteArray *a = g_byte_array_new();

	g_byte_array_set_size(a, h.e_shoff + FAKE_SHNUM * sizeof(Elf64_Shdr));
	memset(a->data, 0, a->len);
	memcpy(a->data, &h, sizeof h);
	memcpy(a->data + h.e_phoff, ph, h.e_phnum * sizeof *ph);
	memcpy(a->data + 2048, &note, sizeof note);
	/* The second page of text stays zero, so that there is a hole to keep. */
	for (unsigned i = 0; i < FAKE_TEXT / 2; i++)
		a->data[FAKE_TEXT_OFFSET + i] = i ^ i >> 8;
	memset(a->data + FAKE_TEXT_OFFSET + FAKE_TEXT, 0xda, FAKE_DATA);
	if (relocs)
		append_relocs(a);
	return a;
}

static size_t pack_gzip(const GByteArray *in, uint8_t *out, size_t room)
{
	z_stream z = {
		.next_in = in->data, .avail_in = in->len, .next_out = out, .avail_out = room
	};

	if (deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
		deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	deflateEnd(&z);
	return z.total_out;
}

static size_t pack_lzma(const GByteArray *in, uint8_t *out, size_t room, gboolean alone)
{
	lzma_options_lzma options;
	lzma_filter filters[] = { { LZMA_FILTER_X86, NULL }, { LZMA_FILTER_LZMA2, &options },
		{ LZMA_VLI_UNKNOWN, NULL } };
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_ret status;

	lzma_lzma_preset(&options, 6);
	status = alone ? lzma_alone_encoder(&s, &options)
		       : lzma_stream_encoder(&s, filters, LZMA_CHECK_CRC32);
	s.next_in = in->data;
	s.avail_in = in->len;
	s.next_out = out;
	s.avail_out = room;
	if (status != LZMA_OK || lzma_code(&s, LZMA_FINISH) != LZMA_STREAM_END)
		abort();
	room = s.total_out;
	lzma_end(&s);
	return room;
}

static size_t pack_lz4(const GByteArray *in, uint8_t *out, size_t room)
{
	int n = LZ4_compress_default((const char *)in->data, (char *)out + 8, in->len, room - 8);

	le32_put(out, 0x184c2102);
	le32_put(out + 4, n);
	return 8 + n;
}

GByteArray *fake_packed(const GByteArray *plain, enum fake_packer by)
{
	size_t room = 2 * plain->len + 65536, n = 0;
	GByteArray *a = g_byte_array_new();

	g_byte_array_set_size(a, room);
	switch (by) {
	case FAKE_GZIP:
		n = pack_gzip(plain, a->data, room);
		break;
	case FAKE_XZ:
	case FAKE_LZMA:
		n = pack_lzma(plain, a->data, room, by == FAKE_LZMA);
		break;
	case FAKE_ZSTD:
		n = ZSTD_compress(a->data, room, plain->data, plain->len, 3);
		break;
	default:
		n = pack_lz4(plain, a->data, room);
	}
	g_byte_array_set_size(a, n);
	if (by != FAKE_GZIP) /* whose last four bytes are the size already */
		append_word(a, plain->len);
	return a;
}

GByteArray *fake_bzimage(const GByteArray *payload)
{
	GByteArray *a = g_byte_array_new();
	struct setup_header h = {
		.setup_sects = FAKE_SETUP / 512 - 1,
		.boot_flag = 0xaa55,
		.jump = 0xeb | (0x26c - 0x202) << 8,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = FAKE_ALIGN,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 2047,
		.payload_offset = FAKE_PAYLOAD,
		.payload_length = payload->len,
		.pref_address = FAKE_LOAD,
		.init_size = 8 << 20,
	};
	size_t code = ALIGN_UP(FAKE_PAYLOAD + payload->len, 16);

	h.syssize = code / 16;
	g_byte_array_set_size(a, FAKE_SETUP + code);
	memset(a->data, 0, a->len);
	memcpy(a->data + 0x1f1, &h, sizeof h);
	memset(a->data + FAKE_SETUP, 0xc0, FAKE_PAYLOAD);
	memcpy(a->data + FAKE_SETUP + FAKE_PAYLOAD, payload->data, payload->len);
	return a;
}
