# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# make              build/spantap
# sudo make run     install what is missing, build, trace this host; ARGS="-p PID" passes options
# sudo make check   install the test parts, run every test; make check-fast: those without servers and machines
# make install      prefix=/usr/local, DESTDIR=; make uninstall
# make bench        what tracing costs; make bench-insn: instructions per request, counted in a machine
# make fuzz         for TIME seconds each (0: endless); make soak: the long forms, 10 minutes each
# make deps, test-deps, unit, format, layers, count, clean, distclean; V=1 shows the commands

VERSION := 0.1.0
B := build
ARCH := $(shell uname -m | sed 's/aarch64/arm64/')
prefix ?= /usr/local
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man
compdir ?= $(prefix)/share/bash-completion/completions
DESTDIR ?=
ARGS ?=
TIME ?= 0

# All processors, unless -j was given: the command line's wins over this.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory --no-builtin-rules

CC := gcc
CLANG := $(notdir $(firstword $(shell command -v clang-19 clang-18 clang-17 clang-16 clang-15 clang 2>/dev/null) clang))
BPFTOOL := $(firstword $(shell command -v bpftool 2>/dev/null) /usr/sbin/bpftool)
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1) $(2)')

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
CPPFLAGS := -Iinclude -Iuser -I$(B)/gen -D_GNU_SOURCE -DST_VERSION='"$(VERSION)"'
CFLAGS := -std=gnu11 -O2 -g $(WARN)
LDLIBS := -lbpf -lelf -lcapstone -lcurl -lz -lprotobuf-c -lcap -lpthread -lm
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_$(subst x86_64,x86,$(ARCH)) \
	-Iinclude -Ibpf -Ivmlinux/$(ARCH) -Wall -Wno-missing-declarations -Wno-unused-function -Werror

PROTO := $(wildcard user/export/proto/*.proto)
PROTO_C := $(PROTO:user/export/proto/%.proto=$(B)/gen/%.pb-c.c)
SKEL := $(B)/gen/direct.skel.h $(B)/gen/typed.skel.h $(B)/gen/probe.skel.h $(B)/gen/tasks.skel.h \
	$(B)/gen/propagate.skel.h
HDR := $(wildcard include/spantap/*.h user/*.h user/*/*.h bpf/*.[ch])
SRC := $(filter-out user/main.c,$(sort $(wildcard user/*.c user/*/*.c)))
# What reads bytes that others wrote.
FUZZED := $(filter $(addprefix user/,lib/% core/% protocols/% meta/% export/% ui/%),$(SRC))
# Tests are test_*.c; what stands beside them is linked to each.
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_LIB := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)

all: $(B)/spantap $(B)/layers.ok

# ---- the program; its objects a second and a third time for the tests ----

# objects(FOLDER, COMPILER WITH ITS FLAGS, SOURCES): FOLDER/libspantap.a and whatever .o is asked for
define objects
$(1)/%.o: %.c $(B)/flags
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$(2) $$(CPPFLAGS) $$(CFLAGS) -MMD -MP -c $$< -o $$@

$(1)/%.pb-c.o: $(B)/gen/%.pb-c.c $(B)/flags
	@mkdir -p $$(@D)
	$$(Q)$(2) -I$(B)/gen -O2 -g -c $$< -o $$@

# Renamed into place: two builds at once must not mix.
$(1)/libspantap.a: $(3:%.c=$(1)/%.o) $(PROTO_C:$(B)/gen/%.c=$(1)/%.o)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@.$$$$PPID && ar rcs $$@.$$$$PPID $$^ && mv $$@.$$$$PPID $$@

$(filter $(1)/user/kern/%,$(3:%.c=$(1)/%.o)): | $(SKEL)
$(filter $(1)/user/export/%,$(3:%.c=$(1)/%.o)): | $(PROTO_C)
-include $(3:%.c=$(1)/%.d)
endef

$(eval $(call objects,$(B),$$(CC),$(SRC)))
$(eval $(call objects,$(B)/asan,$$(CC) $(SANITIZE),$(SRC)))
$(eval $(call objects,$(B)/fuzz,$$(CLANG) $(SANITIZE) -fsanitize=fuzzer-no-link,$(FUZZED)))

$(B)/spantap: $(B)/user/main.o $(B)/libspantap.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/gen/%.pb-c.c: user/export/proto/%.proto $(B)/flags
	@mkdir -p $(@D)
	$(call say,PROTO,$@)
	$(Q)protoc-c --c_out=$(@D) -Iuser/export/proto $<

# The same BPF source three times: typed arguments, casts as well, probe reads (see bpf/maps.h).
$(B)/bpf/direct.bpf.o: BPF_VARIANT :=
$(B)/bpf/typed.bpf.o: BPF_VARIANT := -DST_CAST
$(B)/bpf/probe.bpf.o: BPF_VARIANT := -DST_PROBE
$(B)/bpf/%.bpf.o: bpf/spantap.bpf.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) $(BPF_VARIANT) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(B)/bpf/tasks.bpf.o: bpf/tasks.bpf.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(B)/bpf/propagate.bpf.o: bpf/propagate.bpf.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

# Programs of the tests' own.
TEST_BPF := $(patsubst tests/bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(wildcard tests/bpf/*.bpf.c))
$(TEST_BPF): $(B)/bpf/%.bpf.o: tests/bpf/%.bpf.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(B)/gen/%.skel.h: $(B)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name st_$* > $@.tmp && mv $@.tmp $@

# Other tools or flags build everything anew; a tool that is not there is named first.
FLAGS := $(CC) $(CLANG) $(BPFTOOL) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) $(BPF_CFLAGS)
$(B)/flags: FORCE
	@mkdir -p $(B)
	@test "$$(cat $@ 2>/dev/null)" = '$(subst ','\'',$(FLAGS))' || { \
		for tool in $(CC) $(CLANG) $(BPFTOOL) protoc-c; do command -v $$tool >/dev/null || { \
			echo "$$tool: not found; 'sudo make deps' installs what the build needs" >&2; exit 1; }; \
		done; echo '$(subst ','\'',$(FLAGS))' >$@; }

$(B)/layers.ok: tools/layers.sh $(SRC) $(HDR) user/main.c
	@mkdir -p $(B)
	$(Q)tools/layers.sh && touch $@

# ---- run, install ----

# What sudo built belongs to who called it, so that a later `make` without sudo goes on with it.
GIVE_BACK := test -z "$$SUDO_UID" || chown -R "$$SUDO_UID:$$SUDO_GID" $(B)

run:
	@tools/install-deps.sh
	@$(MAKE) all
	@$(GIVE_BACK)
	@$(B)/spantap $(ARGS)

deps:
	@tools/install-deps.sh

test-deps:
	@tools/install-deps.sh --tests

install: all
	install -D -m 755 $(B)/spantap $(DESTDIR)$(bindir)/spantap
	install -D -m 644 docs/spantap.1 $(DESTDIR)$(mandir)/man1/spantap.1
	install -D -m 644 docs/completion/spantap.bash $(DESTDIR)$(compdir)/spantap

uninstall:
	rm -f $(DESTDIR)$(bindir)/spantap $(DESTDIR)$(mandir)/man1/spantap.1 $(DESTDIR)$(compdir)/spantap

# ---- tests ----

check:
	@tools/install-deps.sh --tests
	@tools/check.sh </dev/null; status=$$?; $(GIVE_BACK); exit $$status

check-fast:
	@tools/install-deps.sh --tests
	@tools/check.sh --fast </dev/null; status=$$?; $(GIVE_BACK); exit $$status

UNIT := $(UNIT_SRC:%.c=$(B)/%)
ASAN := $(UNIT_SRC:%.c=$(B)/asan/%)
FUZZ := $(FUZZ_SRC:%.c=$(B)/%)
BENCH := $(BENCH_SRC:%.c=$(B)/%)

unit: $(UNIT) $(TEST_BPF)
asan: $(ASAN)
fuzzers: $(FUZZ)
benches: $(BENCH)

$(UNIT): $(B)/%: $(B)/%.o $(UNIT_LIB:%.c=$(B)/%.o) $(B)/libspantap.a
	$(call say,TEST,$@)
	$(Q)$(CC) $(CFLAGS) $(filter %.o %.a,$^) -lcmocka $(LDLIBS) -o $@

$(ASAN): $(B)/asan/%: $(B)/asan/%.o $(UNIT_LIB:%.c=$(B)/asan/%.o) $(B)/asan/libspantap.a
	$(call say,TEST,$@)
	$(Q)$(CC) $(SANITIZE) $(CFLAGS) $(filter %.o %.a,$^) -lcmocka $(LDLIBS) -o $@

$(B)/fuzz/tests/fuzz/%.o: WARN := $(filter-out -Wmissing-prototypes,$(WARN))
$(FUZZ): $(B)/%: $(B)/fuzz/%.o $(B)/fuzz/libspantap.a
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(SANITIZE) -fsanitize=fuzzer $(filter %.o %.a,$^) $(LDLIBS) -o $@

$(BENCH): $(B)/%: $(B)/%.o $(B)/libspantap.a
	$(call say,BENCH,$@)
	$(Q)$(CC) $(CFLAGS) $(filter %.o %.a,$^) $(LDLIBS) -o $@

$(addsuffix .o,$(filter %/test_uprobes,$(UNIT) $(ASAN))): | $(B)/gen/count.skel.h
# Tests of the exporters read what protobuf-c made.
$(addsuffix .o,$(UNIT) $(ASAN) $(BENCH) $(FUZZ_SRC:%.c=$(B)/fuzz/%)): | $(PROTO_C)

fuzz: $(FUZZ)
	@tools/fuzz.sh --keep $(TIME) $(FUZZ)

bench: all $(BENCH)
	@tools/bench.sh $(BENCH)

bench-insn: all
	@tests/bench/icount/run.sh --check

soak: all $(FUZZ)
	@tools/soak.sh 600 $(FUZZ)

# ---- the source ----

layers: $(B)/layers.ok

format:
	@tools/format.sh

count:
	@tools/count.sh

clean:
	rm -rf $(B)

# The kernels and servers that the tests fetched and built too.
distclean: clean
	rm -rf .cache

-include $(B)/user/main.d $(wildcard $(B)/bpf/*.d)
-include $(patsubst %.c,$(B)/%.d,$(UNIT_SRC) $(UNIT_LIB) $(BENCH_SRC))
-include $(patsubst %.c,$(B)/asan/%.d,$(UNIT_SRC) $(UNIT_LIB)) $(FUZZ_SRC:%.c=$(B)/fuzz/%.d)

FORCE:
.PHONY: all run deps test-deps install uninstall check check-fast unit asan fuzzers benches fuzz bench \
	bench-insn soak layers format count clean distclean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
