# Hotdesk's one Makefile. `make help` lists the targets; V=1 shows commands.
#
#   SAN=1       ASan + UBSan      SAN=thread  TSan      (each builds into a folder of its own)
#   WERROR=1    warnings are errors (CI sets it)

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
.DELETE_ON_ERROR:

SAN ?=
WERROR ?= $(if $(CI),1,)
V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

VERSION := 0.1
PREFIX ?= /usr
B := build$(if $(filter 1,$(SAN)),/san)$(if $(filter thread,$(SAN)),/tsan)

PKGS := glib-2.0 gio-2.0 gio-unix-2.0 pixman-1 json-glib-1.0 libcyaml yaml-0.1 xkbcommon slirp liburing libxxhash zlib \
	libpng liblzma libzstd liblz4 libvncserver
# Asked once and kept, since pkg-config for all of them takes a while.
PKG_MK := build/pkg.mk
NEEDS_PKGS := $(filter-out help deps clean fmt demo demo-clean test,$(or $(MAKECMDGOALS),all))
ifneq ($(NEEDS_PKGS),)
-include $(PKG_MK)
endif

CC ?= gcc
WARN := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla -Wno-unused-parameter \
	-Wno-missing-field-initializers $(if $(WERROR),-Werror)
SANFLAGS_1 := -fsanitize=address,undefined -fno-sanitize-recover=undefined
# TSan does not see fences: where a ring needs one, the accesses beside it are atomic too.
SANFLAGS_thread := -fsanitize=thread -Wno-tsan
SANFLAGS := $(SANFLAGS_$(SAN))
OPT ?= -O2
CFLAGS ?= -g $(OPT)
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DHOTDESK_VERSION='"$(VERSION)"' \
	-DHOTDESK_DATADIR='"$(PREFIX)/share/hotdesk"' \
	-I. -MMD -MP -pthread -fstack-protector-strong -fno-omit-frame-pointer \
	$(WARN) $(PKG_CFLAGS) $(CFLAGS) $(SANFLAGS)
ALL_LDFLAGS = -pthread -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS) $(SANFLAGS)

# --- sources: one folder, one archive; main files are programs
FOLDERS := util input display vmm profiles cli
MAINS := vmm/main.c cli/main.c
src_of = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
obj_of = $(patsubst %.c,$(B)/%.o,$(filter-out $(MAINS),$(call src_of,$(1))))
$(foreach f,$(FOLDERS),$(eval $(f)_OBJ := $(call obj_of,$(f))))
ARCHIVES := $(foreach f,$(FOLDERS),$(if $($(f)_OBJ),$(B)/lib$(f).a))

PROGRAMS := $(if $(wildcard vmm/main.c),$(B)/hotdesk-vmm) $(if $(wildcard cli/main.c),$(B)/hotdesk)
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT_SRC))
FAKE_OBJ := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/fakes/*.c)))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(FUZZ_SRC))
TOOL_SRC := $(sort $(wildcard tests/tools/*.c))
TOOLS := $(patsubst tests/tools/%.c,$(B)/tests/tools/%,$(TOOL_SRC))

.PHONY: all
all: $(PROGRAMS) ## build the programs

$(PKG_MK): Makefile
	$(Q)mkdir -p $(@D)
	$(Q)pkg-config --exists --print-errors $(PKGS) || { \
		echo "make: libraries are missing: run 'make deps' (as root)" >&2; exit 1; }
	$(Q){ echo "PKG_CFLAGS := $$(pkg-config --cflags $(PKGS))"; \
		echo "PKG_LIBS := $$(pkg-config --libs $(PKGS)) -lm"; \
		echo "CMOCKA_LIBS := $$(pkg-config --libs cmocka)"; \
		echo "VNCCLIENT_LIBS := $$(pkg-config --libs libvncclient)"; } >$@

$(B)/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -c $< -o $@

define archive_rule
$(B)/lib$(1).a: $$($(1)_OBJ)
	$$(Q)rm -f $$@; ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(if $($(f)_OBJ),$(eval $(call archive_rule,$(f)))))

# Arrows run one way (see docs/architecture.md), so this order links.
VMM_LIBS := $(filter %/libvmm.a %/libdisplay.a %/libinput.a %/libutil.a,\
	$(B)/libvmm.a $(B)/libdisplay.a $(B)/libinput.a $(B)/libutil.a)
CLI_LIBS := $(foreach f,cli profiles util,$(filter $(B)/lib$(f).a,$(ARCHIVES)))

$(B)/hotdesk-vmm: $(B)/vmm/main.o $(VMM_LIBS)
	$(call say,LINK,$@)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(PKG_LIBS)

$(B)/hotdesk: $(B)/cli/main.o $(CLI_LIBS)
	$(call say,LINK,$@)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(PKG_LIBS)

# --- unit tests: each links the real archives; a symbol that a test defines itself wins
TEST_LIBS = $(filter-out $(B)/libcli.a,$(ARCHIVES)) $(filter $(B)/libcli.a,$(ARCHIVES))
$(B)/tests/test_%: $(B)/tests/unit/test_%.o $(FAKE_OBJ) $(ARCHIVES)
	$(Q)mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) -o $@ $< $(FAKE_OBJ) -Wl,--start-group $(ARCHIVES) -Wl,--end-group \
		$(ALL_LDFLAGS) $(CMOCKA_LIBS) $(VNCCLIENT_LIBS) $(PKG_LIBS)

# Small programs that stand for clients and peers in tests.
$(B)/tests/tools/%: $(B)/tests/tools/%.o $(ARCHIVES)
	$(Q)mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) -o $@ $(filter %.o,$^) -Wl,--start-group $(ARCHIVES) -Wl,--end-group \
		$(ALL_LDFLAGS) $(VNCCLIENT_LIBS) $(PKG_LIBS)
$(B)/tests/tools/vnc-testserver: $(B)/tests/fakes/fake_source.o

.PHONY: unit tools
unit: $(UNIT)
tools: $(TOOLS)

.PHONY: check
check: all unit ## unit tests and the include rules: seconds
	$(Q)tests/check-includes
	$(Q)tests/run-unit $(UNIT)

# --- guests of our own: tests/guest/X.c and the library beside them; never sanitized
GUEST_SRC := $(sort $(wildcard tests/guest/*.c))
GUESTS := $(patsubst tests/guest/%.c,build/guest/%.elf,$(GUEST_SRC))
GUEST_LIB := $(patsubst tests/guest/lib/%,build/guest/lib/%.o,$(sort $(wildcard tests/guest/lib/*.[cS])))
GUEST_CFLAGS := -std=gnu11 -g -O2 -ffreestanding -nostdlib -static -fno-pie -no-pie -mgeneral-regs-only \
	-mno-red-zone -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns -I. -MMD -MP $(WARN)

build/guest/%.o: tests/guest/%.c
	$(Q)mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(GUEST_CFLAGS) -c $< -o $@

build/guest/lib/%.S.o: tests/guest/lib/%.S
	$(Q)mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(GUEST_CFLAGS) -c $< -o $@

build/guest/lib/%.c.o: tests/guest/lib/%.c
	$(Q)mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(GUEST_CFLAGS) -c $< -o $@

build/guest/%.elf: build/guest/%.o $(GUEST_LIB) tests/guest/lib/guest.ld
	$(call say,LINK,$@)$(CC) $(GUEST_CFLAGS) -Wl,-T,tests/guest/lib/guest.ld -Wl,--build-id=none \
		-Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -o $@ $< $(GUEST_LIB)

.PHONY: guests
guests: $(GUESTS) ## build the test guests

# Any /dev/kvm will do, also one that emulates. T='gpu disk' runs only tests so named.
.PHONY: guest-test
guest-test: all guests ## test guests in hotdesk-vmm on this machine's /dev/kvm
	$(Q)tests/system/run -b $(B) $(if $(SAN),-s 4) $(T)

# --- fuzzing: everything once more by clang, since libFuzzer wants its own instrumentation
F := build/fuzz
FUZZFLAGS := -Wno-gnu-variable-sized-type-not-at-end -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_LIB_OBJ := $(patsubst %.c,$(F)/obj/%.o,$(filter-out $(MAINS),$(foreach f,util input display vmm profiles,$(call src_of,$(f))) \
	$(sort $(wildcard tests/fakes/*.c))))
$(F)/obj/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(call say,CLANG,$<)clang $(filter-out -fsanitize%,$(ALL_CFLAGS)) -O1 $(FUZZFLAGS) -c $< -o $@
$(F)/lib.a: $(FUZZ_LIB_OBJ)
	$(Q)rm -f $@; ar rcs $@ $^
$(F)/fuzz_%: $(F)/obj/tests/fuzz/fuzz_%.o $(F)/lib.a
	$(call say,LINK,$@)clang -fsanitize=fuzzer,address,undefined $< $(F)/lib.a -o $@ -pthread $(PKG_LIBS)

FUZZ_SECONDS ?= 60
.PHONY: fuzz
fuzz: $(FUZZ) ## run every fuzz target for FUZZ_SECONDS
	$(Q)tests/run-fuzz $(FUZZ_SECONDS) $(FUZZ)

# --- the lab: an emulated machine with a complete KVM (tests/lab/README.md)
LAB_ARGS ?=
export CMD
.PHONY: lab
lab: all ## run CMD='...' in the lab; LAB_ARGS='-m 6144 -o DIR'
	@[[ $$CMD ]] || { echo "usage: make lab CMD='command' [LAB_ARGS='options of tests/lab/lab']" >&2; exit 2; }
	@tests/lab/lab $(LAB_ARGS) -- bash -c "$$CMD"

# What test guests run beside busybox: static, so that it starts fast where all is emulated.
LAB_TOOL := build/lab/tool
$(LAB_TOOL): $(sort $(wildcard tests/lab/guest/*.[ch]))
	$(Q)mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) -static -Os -s -std=gnu11 -D_GNU_SOURCE -I. $$(pkg-config --cflags libdrm) $(WARN) \
		-o $@ $(filter %.c,$^)

# The guest of tests/lab/devices.
LAB_GUEST := build/lab/devices.cpio.gz
$(LAB_GUEST): tests/lab/guest/devices.sh tests/lab/make-initrd $(LAB_TOOL)
	$(call say,INITRD,$@)tests/lab/make-initrd -f $(LAB_TOOL):/bin/tool -s $< -o $@ \
		-m virtio_pci,virtio_gpu,virtio_input,evdev,virtio_blk,virtio_net,virtio_rng,button,crc32c_generic,ext4

.PHONY: lab-tools
lab-tools: $(LAB_TOOL) $(LAB_GUEST) tools ## what the lab's tests need beside the programs

# --- everything
.PHONY: test soak bench
test: ## everything from a bare Debian 12: deps, build, all tests, the lab included
	$(Q)tests/run-all

soak: ## the long proofs: hours (FUZZ_SECONDS for each fuzz target)
	$(Q)$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=600

PART ?= boot
bench: all ## measure PART=boot; figures in build/bench/PART.json
	$(Q)[[ -x tests/bench/$(PART) ]] || { \
		echo "make bench: PART=$(PART) is not measured by this version; there are: $$(cd tests/bench && ls)" >&2; exit 2; }
	$(Q)mkdir -p build/bench
	$(Q)tests/bench/$(PART) build/bench/$(PART).json

# --- installing
DESTDIR ?=
.PHONY: install deb
install: all ## install below DESTDIR and PREFIX
	$(Q)install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(PROGRAMS)
	$(Q)install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/man/*.1
	$(Q)cd profiles && find images guest -type f -exec install -D -m 644 {} $(abspath $(DESTDIR)$(PREFIX))/share/hotdesk/profiles/{} \;
deb: ## (packages come later)
	@echo "make deb: this version makes no package yet; use make install" >&2; exit 2

.PHONY: demo demo-clean
demo: ## a desktop in a window, from nothing; Ctrl-C ends it
	@scripts/demo
demo-clean: ## end the demo and remove what it left
	@scripts/demo clean

# --- the rest
.PHONY: deps
deps: ## install the Debian packages of packages.list (as root)
	$(Q)tests/install-deps packages.list

.PHONY: fmt lint
C_FILES = $(shell git ls-files '*.c' '*.h')
fmt: ## format every C file
	$(Q)clang-format -i $(C_FILES)
lint: ## clang-format and cppcheck find nothing
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,portability --std=c11 -D_GNU_SOURCE \
		-DHOTDESK_VERSION='""' -DHOTDESK_DATADIR='""' \
		--suppress=missingIncludeSystem -I. -j2 $(FOLDERS)

.PHONY: clean
clean: ## remove build/
	$(Q)rm -rf build

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.SECONDARY:
-include $(shell find $(B) build/guest $(F) -name '*.d' 2>/dev/null)
