# make            build/spantap
# sudo make run   install what is missing, build, trace this host; ARGS="-p PID" passes options
# sudo make check install the test parts, run every test
# make bench, make bench-insn, make fuzz, make soak, make install (prefix, DESTDIR)

VERSION := 0.1.0
B := build
ARCH := $(shell uname -m | sed 's/aarch64/arm64/')
prefix ?= /usr/local
ARGS ?=

CC := gcc
# V=1 shows the commands
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1) $(2)')
CLANG := $(firstword $(shell command -v clang-19 clang-18 clang-17 clang-16 clang-15 clang 2>/dev/null) clang)
BPFTOOL := $(firstword $(shell command -v bpftool 2>/dev/null) /usr/sbin/bpftool)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
CPPFLAGS := -Iinclude -Iuser -I$(B)/gen -D_GNU_SOURCE -DST_VERSION='"$(VERSION)"'
CFLAGS := -std=gnu11 -O2 -g $(WARN)
LDLIBS := -lbpf -lelf -lcurl -lz -lprotobuf-c -lcap -lpthread -lm
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_$(subst x86_64,x86,$(ARCH)) \
	-Iinclude -Ibpf -Ivmlinux/$(ARCH) -Wall -Wno-missing-declarations -Wno-unused-function -Werror

PROTO := $(wildcard user/export/proto/*.proto)
PROTO_C := $(PROTO:user/export/proto/%.proto=$(B)/gen/%.pb-c.c)
SRC := $(filter-out user/main.c,$(sort $(wildcard user/*.c user/*/*.c)))
OBJ := $(SRC:%.c=$(B)/%.o) $(PROTO_C:.c=.o)
PURE := $(sort $(wildcard user/lib/*.c user/core/*.c user/protocols/*.c))
SKEL := $(B)/gen/direct.skel.h $(B)/gen/probe.skel.h

all: $(B)/spantap

$(B)/spantap: $(B)/user/main.o $(B)/libspantap.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libspantap.a: $(OBJ)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/gen/%.pb-c.o: $(B)/gen/%.pb-c.c
	$(Q)$(CC) -I$(B)/gen -O2 -g -c $< -o $@

$(B)/gen/%.pb-c.c: user/export/proto/%.proto
	@mkdir -p $(@D)
	$(call say,PROTO,$<)
	$(Q)protoc-c --c_out=$(@D) -Iuser/export/proto $<

# The same BPF source twice: typed arguments, and probe reads (see bpf/maps.h).
$(B)/bpf/direct.bpf.o: BPF_VARIANT :=
$(B)/bpf/probe.bpf.o: BPF_VARIANT := -DST_PROBE
$(B)/bpf/%.bpf.o: bpf/spantap.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) $(BPF_VARIANT) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(B)/gen/%.skel.h: $(B)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name st_$* > $@.tmp && mv $@.tmp $@

$(filter $(B)/user/kern/%,$(OBJ)): | $(SKEL)
$(filter $(B)/user/export/%,$(OBJ)): | $(PROTO_C)

# ---- tests ----

UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

$(B)/tests/unit/%: tests/unit/%.c $(B)/libspantap.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $< $(B)/libspantap.a -lcmocka $(LDLIBS) -o $@

unit: $(UNIT)

-include $(OBJ:.o=.d) $(B)/user/main.d $(wildcard $(B)/tests/*/*.d) $(wildcard $(B)/bpf/*.d)

clean:
	rm -rf $(B)

.PHONY: all unit clean
.DELETE_ON_ERROR:
.SECONDARY:
