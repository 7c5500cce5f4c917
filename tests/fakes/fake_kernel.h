/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernels as files, a few KiB long, right in every field; tests then break one. */
#pragma once

#include <stdint.h>

#include <glib.h>

enum {
	FAKE_LOAD = 16 << 20, /* physical address that it is linked to */
	FAKE_ALIGN = 2 << 20,
	FAKE_TEXT = 8192, /* bytes of the first segment, at FAKE_LOAD */
	FAKE_DATA = 4096, /* and of the second, at FAKE_DATA_AT, */
	FAKE_BSS = 65536, /* with memory behind it that is not in the file */
	FAKE_DATA_AT = FAKE_LOAD + (2 << 20),
	FAKE_ENTRY = FAKE_LOAD + 0x40,
	FAKE_PVH_ENTRY = FAKE_LOAD + 0x80,
	FAKE_SETUP = 2 * 512, /* of a bzImage: file offset of the protected-mode code */
	FAKE_PAYLOAD = 0x300, /* of the payload in that code */
	/* Places that the relocation table names, from FAKE_LOAD on. */
	FAKE_PLACE64 = 0x100,
	FAKE_PLACE_INVERSE = 0x200,
	FAKE_PLACE32 = 0x300,
};

enum fake_packer { FAKE_GZIP, FAKE_XZ, FAKE_LZMA, FAKE_ZSTD, FAKE_LZ4, FAKE_PACKERS };

/* An ELF file. pvh: with the note. relocs: with the table behind it, of three lists. */
GByteArray *fake_vmlinux(gboolean pvh, gboolean relocs);

GByteArray *fake_packed(const GByteArray *plain, enum fake_packer by);

/* A bzImage around a payload. */
GByteArray *fake_bzimage(const GByteArray *payload);
