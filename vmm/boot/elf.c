/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include <glib.h>

#include "util/bytes.h"
#include "vmm/boot/image.h"
#include "vmm/memory.h"

enum {
	ELF_NOTES_MAX = 64 * 1024,
	XEN_ELFNOTE_PHYS32_ENTRY = 18, /* xen/include/public/elfnote.h */
};

static int elf_segment_add(struct elf_image *e, const Elf64_Phdr *p, uint64_t size)
{
	uint64_t top;

	if (!p->p_memsz)
		return 0;
	if (p->p_filesz > p->p_memsz || !range_inside(p->p_offset, p->p_filesz, size) ||
		__builtin_add_overflow(p->p_paddr, p->p_memsz, &top) ||
		e->nsegments == ELF_SEGMENTS_MAX)
		return -ENOEXEC;
	e->segments[e->nsegments++] = (struct elf_segment){
		.offset = p->p_offset,
		.filesz = p->p_filesz,
		.paddr = p->p_paddr,
		.memsz = p->p_memsz,
	};
	e->low = e->nsegments == 1 ? p->p_paddr : MIN(e->low, p->p_paddr);
	e->high = MAX(e->high, top);
	e->end = MAX(e->end, p->p_offset + p->p_filesz);
	return 0;
}

/* Looks for the PVH entry; notes that make no sense end the search without an error. */
static int elf_notes(struct elf_image *e, int fd, const Elf64_Phdr *p, uint64_t size)
{
	uint64_t len = MIN(p->p_filesz, ELF_NOTES_MAX), at = 0;
	g_autofree uint8_t *notes = NULL;
	int err;

	if (!range_inside(p->p_offset, p->p_filesz, size))
		return -ENOEXEC;
	notes = g_malloc(len + 1);
	err = image_read(fd, p->p_offset, notes, len);
	if (err)
		return err;
	while (range_inside(at, sizeof(Elf64_Nhdr), len)) {
		uint64_t name = at + sizeof(Elf64_Nhdr), desc, next;
		Elf64_Nhdr n;

		memcpy(&n, notes + at, sizeof n);
		desc = name + ALIGN_UP((uint64_t)n.n_namesz, 4);
		next = desc + ALIGN_UP((uint64_t)n.n_descsz, 4);
		if (next > ALIGN_UP(len, 4) || desc + n.n_descsz > len)
			break;
		if (n.n_type == XEN_ELFNOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
			!memcmp(notes + name, "Xen", 4) && n.n_descsz >= 4)
			e->pvh_entry = le32_get(notes + desc);
		at = next;
	}
	return 0;
}

int elf_parse(struct elf_image *e, int fd, uint64_t size)
{
	g_autofree Elf64_Phdr *phdrs = NULL;
	Elf64_Ehdr h;
	uint64_t sections;
	int err;

	memset(e, 0, sizeof *e);
	if (size < sizeof h)
		return -ENOEXEC;
	err = image_read(fd, 0, &h, sizeof h);
	if (err)
		return err;
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
		h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64 ||
		(h.e_type != ET_EXEC && h.e_type != ET_DYN) || h.e_phentsize != sizeof *phdrs ||
		!range_inside(h.e_phoff, (uint64_t)h.e_phnum * sizeof *phdrs, size))
		return -ENOEXEC;
	phdrs = g_malloc_n(h.e_phnum + 1u, sizeof *phdrs);
	err = image_read(fd, h.e_phoff, phdrs, h.e_phnum * sizeof *phdrs);
	for (unsigned i = 0; !err && i < h.e_phnum; i++) {
		if (phdrs[i].p_type == PT_LOAD)
			err = elf_segment_add(e, &phdrs[i], size);
		else if (phdrs[i].p_type == PT_NOTE)
			err = elf_notes(e, fd, &phdrs[i], size);
	}
	if (err)
		return err;
	if (!e->nsegments)
		return -ENOEXEC;
	sections = (uint64_t)h.e_shnum * h.e_shentsize;
	if (range_inside(h.e_shoff, sections, size))
		e->end = MAX(e->end, h.e_shoff + sections);
	e->entry = h.e_entry;
	return 0;
}

int elf_copy(const struct elf_image *e, int fd, const struct memory *m, uint64_t shift)
{
	for (unsigned i = 0; i < e->nsegments; i++) {
		const struct elf_segment *s = &e->segments[i];
		uint8_t *to = memory_ptr(m, s->paddr + shift, s->memsz);
		int err;

		if (!to)
			return -EFAULT;
		err = image_copy(fd, s->offset, to, s->filesz);
		if (err)
			return err;
		if (s->memsz > s->filesz)
			image_zero(to + s->filesz, s->memsz - s->filesz);
	}
	return 0;
}
