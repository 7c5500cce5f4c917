/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel files: the first byte says how the rest is used.
 *
 *   0  as --kernel, whatever it is     2  as the payload of a bzImage, by its packer's magic
 *   1  as a relocation table           3  as the vmlinux inside a bzImage
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fakes/fake_kernel.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/boot/kernel.h"
#include "vmm/boot/reloc.h"
#include "vmm/boot/unpack.h"
#include "vmm/memory.h"

enum { UNPACKED_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quiet(void *opaque, enum log_level level, const char *line)
{
}

/* RAM of 64 MiB, whose pages go back after each run. */
static struct memory *ram(void)
{
	static struct memory m = { .fd = -1, .size = 64 * MIB, .nregions = 1 };

	if (!m.regions[0].host) {
		m.regions[0].size = m.size;
		m.regions[0].host = mmap(NULL, m.size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		log_set_sink(quiet, NULL);
	}
	madvise(m.regions[0].host, m.size, MADV_REMOVE);
	return &m;
}

static void load_file_cached(const uint8_t *data, size_t size, const char *cache)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);
	struct memory *m = ram();
	struct boot_entry e;
	struct kernel *k;
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (!kernel_open(&k, &(struct kernel_wish){ path, NULL, "quiet", cache })) {
		kernel_load(k, m, &e);
		kernel_close(k);
	}
	close(fd);
}

static void load_file(const uint8_t *data, size_t size)
{
	load_file_cached(data, size, NULL);
}

static void apply_relocs(const uint8_t *data, size_t size)
{
	static uint8_t data_of_image[65536];
	struct reloc_image image = { data_of_image, sizeof data_of_image, 0xffffffff81000000 };
	g_autofree int32_t *words = g_malloc(size + 4);
	struct reloc_lists l;

	memcpy(words, data, size);
	if (!reloc_split(&l, words, size / 4))
		reloc_apply(&l, words, &image, 0x200000);
}

static void unpack_payload(const uint8_t *data, size_t size)
{
	uint32_t len = unpack_size(data, size);
	g_autofree uint8_t *out = NULL;

	if (!len || len > UNPACKED_MAX)
		return;
	out = g_malloc(len);
	unpack(data, size, out, len);
}

static const char *cache_folder(void)
{
	static char dir[] = "/dev/shm/fuzz_kernel.XXXXXX";
	static bool made;

	if (!made)
		made = mkdtemp(dir);
	return dir;
}

static void load_bzimage_of(const uint8_t *data, size_t size)
{
	g_autoptr(GByteArray) plain = g_byte_array_new(), packed = NULL, bz = NULL;

	g_byte_array_append(plain, data, size);
	packed = fake_packed(plain, FAKE_ZSTD);
	bz = fake_bzimage(packed);
	load_file_cached(bz->data, bz->len, cache_folder());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const ways[])(const uint8_t *, size_t) = { load_file, apply_relocs,
		unpack_payload, load_bzimage_of };

	if (size > 1)
		ways[data[0] % ARRAY_LEN(ways)](data + 1, size - 1);
	return 0;
}
