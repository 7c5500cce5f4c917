/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/boot/bzimage.h"
#include "vmm/boot/cache.h"
#include "vmm/boot/elf.h"
#include "vmm/boot/image.h"
#include "vmm/boot/map.h"
#include "vmm/boot/reloc.h"
#include "vmm/boot/zeropage.h"
#include "vmm/layout.h"
#include "vmm/memory.h"

/* Linux maps its image into this much of its address space, from here on. */
static const uint64_t KERNEL_WINDOW = 1 * GIB;
static const uint64_t KERNEL_VIRTUAL = 0xffffffff80000000ull;
/* Images are mapped by pages of this size, so that all of the last one must be RAM. */
static const uint64_t KERNEL_PAGE = 2 * MIB;
/* Linux' own lower bound for moving itself below its preferred address. */
static const uint64_t KERNEL_MOVE_MIN = 512 * MIB;

enum kernel_kind { KERNEL_PLAIN, KERNEL_UNPACKED, KERNEL_ELF, KERNEL_PVH };

struct kernel {
	enum kernel_kind kind;
	char *path, *initrd, *cmdline;
	int fd; /* of the file that is loaded: for KERNEL_UNPACKED the one in the cache */
	int initrd_fd;
	uint64_t initrd_size;
	struct bzimage bz;    /* KERNEL_PLAIN, KERNEL_UNPACKED */
	struct elf_image elf; /* all but KERNEL_PLAIN */
	struct {
		uint64_t offset; /* in the file */
		size_t n;        /* words; 0: the kernel cannot be moved */
		struct reloc_lists lists;
	} relocs; /* KERNEL_UNPACKED */
};

/* --- opening */

static int open_file(const char *what, const char *path, uint64_t *size)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), err;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err = -errno;
		log_error("%s %s: %s; check --%s", what, path, strerror(errno), what);
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (!S_ISREG(st.st_mode) || !st.st_size) {
		log_error("%s %s: %s; check --%s", what, path,
			S_ISREG(st.st_mode) ? "the file is empty" : "not a regular file", what);
		close(fd);
		return -EINVAL;
	}
	*size = st.st_size;
	return fd;
}

/* The bytes of RAM that the image needs from elf.low on. */
static uint64_t elf_room(const struct elf_image *e)
{
	return e->high - e->low;
}

static int read_relocs(const struct kernel *k, int fd, int32_t **words)
{
	int err;

	*words = g_try_malloc_n(k->relocs.n, sizeof **words);
	if (!*words)
		return -ENOMEM;
	err = image_read(fd, k->relocs.offset, *words, k->relocs.n * sizeof **words);
	if (err)
		g_clear_pointer(words, g_free);
	return err;
}

/* Whether the unpacked kernel in fd is one that we can place; fills k->elf and k->relocs. */
static int check_unpacked(struct kernel *k, int fd, uint64_t size)
{
	struct reloc_image image = { .base = KERNEL_VIRTUAL + k->bz.load };
	g_autofree int32_t *words = NULL;
	int err = elf_parse(&k->elf, fd, size);

	if (err)
		return err;
	/* Linux pads its window's end to whole pages, too. */
	if (k->elf.low != k->bz.load || elf_room(&k->elf) > KERNEL_WINDOW ||
		k->bz.load + ALIGN_UP(elf_room(&k->elf), KERNEL_PAGE) > KERNEL_WINDOW ||
		!range_inside(k->elf.entry - k->elf.low, 1, elf_room(&k->elf)) ||
		k->elf.end > size || k->elf.end % 4 || size % 4)
		return -ENOEXEC;
	k->relocs.offset = k->elf.end;
	k->relocs.n = (size - k->elf.end) / 4;
	if (!k->relocs.n)
		return 0;
	err = read_relocs(k, fd, &words);
	if (!err)
		err = reloc_split(&k->relocs.lists, words, k->relocs.n);
	image.size = elf_room(&k->elf);
	return err ? err : reloc_apply(&k->relocs.lists, words, &image, 0);
}

/* Exchanges the bzImage for its unpacked kernel. Where that fails, all stays as it is. */
static void use_cache(struct kernel *k, const char *cache)
{
	int err = 0;

	/* A second time, since what was kept may be broken. */
	for (int attempt = 0; attempt < 2; attempt++) {
		uint64_t size;
		int fd = cache_open(cache, k->fd, &k->bz, &size);

		if (fd < 0) {
			err = fd;
			break;
		}
		err = check_unpacked(k, fd, size);
		if (!err) {
			close(k->fd);
			k->fd = fd;
			k->kind = KERNEL_UNPACKED;
			return;
		}
		close(fd);
		cache_drop(cache, k->fd);
	}
	log_info("kernel %s: starts slower, since it could not be unpacked into %s: %s", k->path,
		cache, strerror(-err));
}

static int open_bzimage(struct kernel *k, uint64_t size, const struct kernel_wish *w)
{
	const char *why;
	int err = bzimage_parse(&k->bz, k->fd, size, &why);

	if (err == -ENOTSUP)
		log_error("kernel %s: %s; give a 64-bit vmlinuz with --kernel", k->path, why);
	if (err)
		return err;
	if (strlen(k->cmdline) > k->bz.cmdline_max) {
		log_error("kernel %s: its command line may have %u bytes and --append has %zu; "
			  "shorten it",
			k->path, k->bz.cmdline_max, strlen(k->cmdline));
		return -E2BIG;
	}
	k->kind = KERNEL_PLAIN;
	if (w->cache)
		use_cache(k, w->cache);
	return 0;
}

static int open_elf(struct kernel *k, uint64_t size)
{
	int err = elf_parse(&k->elf, k->fd, size);
	uint64_t entry;

	if (err)
		return err;
	k->kind = k->elf.pvh_entry ? KERNEL_PVH : KERNEL_ELF;
	entry = k->elf.pvh_entry ? k->elf.pvh_entry : k->elf.entry;
	if (k->elf.low < MIB || k->elf.high > 4 * GIB ||
		!range_inside(entry - k->elf.low, 1, elf_room(&k->elf))) {
		log_error("kernel %s: its segments %#llx-%#llx and its entry %#llx are not between "
			  "1 MiB and 4 GiB; link it elsewhere or give another with --kernel",
			k->path, (unsigned long long)k->elf.low, (unsigned long long)k->elf.high,
			(unsigned long long)entry);
		return -ENOTSUP;
	}
	return 0;
}

int kernel_open(struct kernel **out, const struct kernel_wish *w)
{
	struct kernel *k = g_new0(struct kernel, 1);
	uint64_t size;
	int err;

	k->path = g_strdup(w->path);
	k->initrd = g_strdup(w->initrd);
	k->cmdline = g_strdup(w->cmdline ? w->cmdline : "");
	k->fd = k->initrd_fd = -1;
	if (strlen(k->cmdline) >= LAYOUT_CMDLINE_MAX) {
		log_error("kernel command line: %zu bytes and at most %u are possible; "
			  "shorten --append",
			strlen(k->cmdline), LAYOUT_CMDLINE_MAX - 1);
		err = -E2BIG;
		goto fail;
	}
	err = k->fd = open_file("kernel", k->path, &size);
	if (err < 0)
		goto fail;
	err = open_elf(k, size);
	if (err == -ENOEXEC)
		err = open_bzimage(k, size, w);
	if (err == -ENOEXEC)
		log_error("kernel %s: neither a bzImage nor an ELF file for x86-64; "
			  "give a vmlinuz with --kernel",
			k->path);
	else if (err && err != -ENOTSUP && err != -E2BIG)
		log_error("kernel %s: %s; check the file and the disk that it is on", k->path,
			strerror(-err));
	if (err)
		goto fail;
	if (k->initrd) {
		err = k->initrd_fd = open_file("initrd", k->initrd, &k->initrd_size);
		if (err < 0)
			goto fail;
	}
	*out = k;
	return 0;
fail:
	kernel_close(k);
	return err;
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	if (k->fd >= 0)
		close(k->fd);
	if (k->initrd_fd >= 0)
		close(k->initrd_fd);
	g_free(k->path);
	g_free(k->initrd);
	g_free(k->cmdline);
	g_free(k);
}

bool kernel_is_unpacked(const struct kernel *k)
{
	return k->kind != KERNEL_PLAIN;
}

char *kernel_cache_default(void)
{
	if (geteuid() == 0 && !g_getenv("XDG_CACHE_HOME"))
		return g_strdup("/var/cache/hotdesk/kernels");
	return g_build_filename(g_get_user_cache_dir(), "hotdesk", "kernels", NULL);
}

/* --- loading */

/* Where everything goes: decided first, then written. */
struct placement {
	struct map map;
	uint64_t physical, size; /* of the kernel */
	uint64_t shift;          /* of its virtual addresses */
	bool kaslr;
	uint64_t initrd;
};

/* True where a word of the command line begins so (or is just that, without a '='). */
static bool cmdline_has(const char *cmdline, const char *option)
{
	size_t len = strlen(option);

	for (const char *p = cmdline; *p; p += strcspn(p, " "), p += strspn(p, " "))
		if (!strncmp(p, option, len) &&
			(option[len - 1] == '=' || p[len] == ' ' || !p[len]))
			return true;
	return false;
}

static int too_small(const struct kernel *k, const struct placement *p)
{
	log_error("kernel %s: %llu MiB for it and %llu MiB for the initrd do not fit into the "
		  "guest's memory below 4 GiB; raise --memory",
		k->path, (unsigned long long)((p->size + MIB - 1) / MIB),
		(unsigned long long)((k->initrd_size + MIB - 1) / MIB));
	return -ENOMEM;
}

/* As high as may be, since kernels start low and grow. */
static int place_initrd(const struct kernel *k, struct placement *p)
{
	bool is_bz = k->kind == KERNEL_PLAIN || k->kind == KERNEL_UNPACKED;
	uint64_t top = map_low_end(&p->map);

	if (!k->initrd_size)
		return 0;
	if (is_bz)
		top = MIN(top, k->bz.initrd_max + 1);
	if (top < MIB + k->initrd_size)
		return too_small(k, p);
	p->initrd = (top - k->initrd_size) & ~4095ull;
	return p->initrd < MIB ? too_small(k, p) : 0;
}

/* Random virtual and physical places, as arch/x86/boot/compressed/kaslr.c chooses them. */
static void place_randomly(const struct kernel *k, struct placement *p, const uint64_t random[2])
{
	const struct map_range initrd = { p->initrd, k->initrd_size, MAP_RAM };
	uint64_t align = MAX(k->bz.align, KERNEL_PAGE);
	uint64_t places = (KERNEL_WINDOW - k->bz.load - p->size) / align + 1;

	p->kaslr = true;
	p->shift = random[0] % places * align;
	/* These take RAM away from the map that we pick from. */
	if (cmdline_has(k->cmdline, "mem=") || cmdline_has(k->cmdline, "memmap="))
		return;
	p->physical = map_pick(&p->map, p->size, align, MIN(k->bz.load, KERNEL_MOVE_MIN),
		ENTRY_PHYSICAL_MAX, &initrd, random[1]);
}

static int place(const struct kernel *k, const struct memory *m, struct placement *p)
{
	uint64_t random[2];
	int err;

	map_init(&p->map, m);
	if (k->kind == KERNEL_PLAIN) {
		p->physical = k->bz.load;
		p->size = k->bz.init_size;
	} else {
		p->physical = k->elf.low;
		p->size = elf_room(&k->elf);
	}
	err = place_initrd(k, p);
	if (err)
		return err;
	if (k->kind == KERNEL_UNPACKED)
		p->size = ALIGN_UP(p->size, KERNEL_PAGE);
	if (k->relocs.n && !cmdline_has(k->cmdline, "nokaslr")) {
		if (getrandom(random, sizeof random, 0) != sizeof random) {
			log_error("kernel %s: no random numbers from the host; "
				  "add nokaslr to --append",
				k->path);
			return -EIO;
		}
		place_randomly(k, p, random);
	}
	if (!p->physical || !memory_ptr(m, p->physical, p->size) ||
		(k->initrd_size && p->physical < p->initrd + k->initrd_size &&
			p->initrd < p->physical + p->size))
		return too_small(k, p);
	return 0;
}

static int load_relocated(const struct kernel *k, const struct memory *m, const struct placement *p)
{
	struct reloc_image image = {
		.data = memory_ptr(m, p->physical, elf_room(&k->elf)),
		.size = elf_room(&k->elf),
		.base = KERNEL_VIRTUAL + k->bz.load,
	};
	g_autofree int32_t *words = NULL;
	int err = elf_copy(&k->elf, k->fd, m, p->physical - k->elf.low);

	if (err || !p->shift)
		return err;
	err = read_relocs(k, k->fd, &words);
	return err ? err : reloc_apply(&k->relocs.lists, words, &image, p->shift);
}

static int load_image(const struct kernel *k, const struct memory *m, const struct placement *p)
{
	if (k->kind == KERNEL_PLAIN)
		return image_copy(
			k->fd, k->bz.code, memory_ptr(m, p->physical, p->size), k->bz.code_size);
	return load_relocated(k, m, p);
}

static int hand_over(const struct kernel *k, const struct memory *m, const struct placement *p)
{
	uint8_t seed[HANDOVER_SEED];
	struct handover h = {
		.map = &p->map,
		.cmdline = k->cmdline,
		.initrd = p->initrd,
		.initrd_size = k->initrd_size,
		.kaslr = p->kaslr,
		.random_seed = seed,
	};

	if (k->kind == KERNEL_PVH)
		return pvh_write(&h, m);
	if (getrandom(seed, sizeof seed, 0) != sizeof seed)
		return -EIO;
	if (k->kind != KERNEL_ELF) {
		h.header = k->bz.header;
		h.code = p->physical;
	}
	return zeropage_write(&h, m);
}

int kernel_load(const struct kernel *k, const struct memory *m, struct boot_entry *out)
{
	struct placement p = { 0 };
	int err = place(k, m, &p);

	if (err)
		return err;
	*out = (struct boot_entry){
		.mode = k->kind == KERNEL_PVH ? BOOT_PVH : BOOT_LONG,
		.info = k->kind == KERNEL_PVH ? LAYOUT_PVH_INFO : LAYOUT_ZERO_PAGE,
		.physical = p.physical,
		.virtual_shift = p.shift,
	};
	if (k->kind == KERNEL_PLAIN)
		out->rip = p.physical + BZ_ENTRY64;
	else if (k->kind == KERNEL_PVH)
		out->rip = k->elf.pvh_entry;
	else
		out->rip = p.physical + (k->elf.entry - k->elf.low);

	err = load_image(k, m, &p);
	if (!err && k->initrd_size) {
		uint8_t *to = memory_ptr(m, p.initrd, k->initrd_size);

		err = to ? image_read(k->initrd_fd, 0, to, k->initrd_size) : -EFAULT;
		if (err) {
			log_error("initrd %s: %s; it must not change while it is used", k->initrd,
				strerror(-err));
			return err;
		}
	}
	if (!err)
		err = hand_over(k, m, &p);
	if (!err)
		err = boot_entry_write(out, m, out->mode == BOOT_LONG ? MIN(p.size, GIB) : 0);
	if (err)
		log_error("kernel %s: %s; it must not change while it is used", k->path,
			strerror(-err));
	return err;
}
