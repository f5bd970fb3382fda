# sess - one Makefile, sources by glob, dependencies by the compiler.
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
PKGS     = libevent_core vterm libprotobuf-c libzstd libxxhash ncursesw libcap
BUILD   ?= build

WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wvla -Wformat=2 -Wundef -Werror
HARDEN   = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS  ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. -I$(BUILD) $(WARN) $(HARDEN) \
           $(CFLAGS) $(EXTRA_CFLAGS) $(shell pkg-config --cflags $(PKGS))
LDFLAGS ?=
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS) $(EXTRA_LDFLAGS)
LIBS     = $(shell pkg-config --libs $(PKGS)) -lutil

PROTOS   = $(wildcard *.proto ckpt/*.proto)
PB_C     = $(PROTOS:%.proto=$(BUILD)/%.pb-c.c)
PB_H     = $(PROTOS:%.proto=$(BUILD)/%.pb-c.h)
LIB_SRC  = $(wildcard base/*.c tracee/*.c reptyr/*.c ckpt/*.c) \
           $(filter-out main.c,$(wildcard *.c))
LIB_OBJ  = $(LIB_SRC:%.c=$(BUILD)/%.o) $(PB_C:%.c=%.o)

all: sess

sess: $(BUILD)/sess
	cp $(BUILD)/sess sess

$(BUILD)/sess: $(BUILD)/main.o $(LIB_OBJ)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

config.h: config.def.h
	cp config.def.h $@

$(BUILD)/%.pb-c.c $(BUILD)/%.pb-c.h: %.proto
	@mkdir -p $(@D)
	protoc-c --c_out=$(BUILD) $<

$(BUILD)/%.pb-c.o: $(BUILD)/%.pb-c.c
	$(CC) -std=gnu11 -I$(BUILD) $(HARDEN) $(CFLAGS) $(EXTRA_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c config.h | $(PB_H)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/test/unit/%: test/unit/%.c $(LIB_OBJ) | $(PB_H)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(LIB_OBJ) $(LIBS) -lcmocka

$(BUILD)/test/victim/%: test/victim/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -I. -Wall -Wextra -O1 -g -o $@ $< -lutil -lpthread -lm

clean:
	rm -rf $(BUILD) sess config.h

.PHONY: all clean
.SECONDARY: $(PB_C) $(PB_H)
-include $(LIB_SRC:%.c=$(BUILD)/%.d) $(BUILD)/main.d
