# sess - one Makefile: sources by glob, dependencies by the compiler.
#
#   make                 build ./sess (config.h is made from config.def.h)
#   make check           unit, victim, e2e, fault and reboot tests in one run
#   make check-reboot    only saves and revivals across reboots, in QEMU
#   make check-bare      both setup.sh commands in a minimal Debian (root)
#   make check-property  1000 sessions disturbed by chance
#   make check-asan      the tests named by ASAN_TESTS, under sanitizers
#   make install-compat  also dtach and abduco, links to sess
#   make lint format bench fuzz install uninstall clean
#
# BUILD=dir and EXTRA_CFLAGS=... make a second build beside the first.
PREFIX  ?= /usr/local
DESTDIR ?=
MANDIR  ?= $(PREFIX)/share/man
BUILD   ?= build
CC      ?= cc
CFLAGS  ?= -O2 -g
PROTOC  ?= protoc-c
PKGS     = libevent_core libprotobuf-c libzstd libxxhash ncursesw libcap

WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wvla -Wformat=2 -Wundef -Wwrite-strings -Werror
HARDEN   = -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
           -fstack-clash-protection -fPIE
BASE_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(HARDEN) $(CFLAGS) $(EXTRA_CFLAGS)
ALL_CFLAGS  = $(BASE_CFLAGS) $(WARN) -iquote . -iquote $(BUILD) $(PKG_CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS) \
              $(EXTRA_LDFLAGS)
# Asked once, and only by a build that needs the answer.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
LIBS       = $(PKG_LIBS) -lutil -pthread
# One short line for each step; the whole command with V=1.
run        = $(if $(V),,@echo '  $(1) $(2)';)

ROOMS    := base tracee ckpt $(patsubst %/,%,$(wildcard ckpt/*/)) screen session \
            server client cmd
PROTOS   := $(wildcard *.proto ckpt/*/*.proto)
PB_C     := $(PROTOS:%.proto=$(BUILD)/%.pb-c.c)
PB_H     := $(PROTOS:%.proto=$(BUILD)/%.pb-c.h)
SRC      := $(wildcard *.c $(ROOMS:%=%/*.c))
OBJ      := $(SRC:%.c=$(BUILD)/%.o)
LIB_OBJ  := $(filter-out $(BUILD)/main.o,$(OBJ)) $(PB_C:%.c=%.o)
UNIT_SRC := $(wildcard test/unit/test_*.c)
UNITS    := $(UNIT_SRC:%.c=$(BUILD)/%)
VICTIMS  := $(patsubst %.c,$(BUILD)/%,$(wildcard test/victim/*.c))
BENCHES  := $(patsubst %.c,$(BUILD)/%,$(wildcard test/bench/*.c))
FUZZ_SRC := $(wildcard test/fuzz/fuzz_*.c)
C_FILES   = $(filter-out ./config.h,$(wildcard $(foreach d,. $(ROOMS) \
            $(wildcard test/*),$(d)/*.c $(d)/*.h)))

ifeq ($(BUILD),build)
all: sess
else
all: $(BUILD)/sess
endif

sess: $(BUILD)/sess
	@cp $(BUILD)/sess $@.new && mv -f $@.new $@

$(BUILD)/sess: $(OBJ) $(PB_C:%.c=%.o)
	$(call run,LD   ,$@) $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# A config.h that was edited is its owner's and is never overwritten.
config.h: config.def.h
	@if [ -f $@ ] && ! cmp -s $@ .config.copied; then \
		echo "config.h is kept as it is; config.def.h is newer: compare"; \
		touch $@; \
	else \
		cp config.def.h $@ && cp config.def.h .config.copied; \
	fi

# Objects are built again when the flags differ from those they were built by.
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(ALL_CFLAGS)' >$@

$(BUILD)/%.pb-c.c $(BUILD)/%.pb-c.h: %.proto
	@mkdir -p $(@D)
	$(call run,PROTO,$<) $(PROTOC) --c_out=$(BUILD) $<

$(BUILD)/%.pb-c.o: $(BUILD)/%.pb-c.c $(BUILD)/flags
	$(call run,CC   ,$<) $(CC) $(BASE_CFLAGS) -iquote $(BUILD) -c -o $@ $<

$(BUILD)/%.o: %.c $(BUILD)/flags | config.h $(PB_H)
	@mkdir -p $(@D)
	$(call run,CC   ,$<) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/test/unit/%: test/unit/%.c $(LIB_OBJ) $(BUILD)/flags | config.h $(PB_H)
	@mkdir -p $(@D)
	$(call run,TEST ,$<) $(CC) $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) \
		-o $@ $< $(LIB_OBJ) $(LIBS) -lcmocka

# Victims and bench programs are ordinary programs: nothing of sess in them.
ALONE = $(CC) -std=gnu11 -D_GNU_SOURCE -iquote . -Wall -Wextra -Werror -g \
        -MMD -MP -o $@ $<
$(BUILD)/test/victim/%: test/victim/%.c
	@mkdir -p $(@D)
	$(call run,TEST ,$<) $(ALONE) -O1 -lutil -lpthread -lm
$(BUILD)/test/bench/%: test/bench/%.c
	@mkdir -p $(@D)
	$(call run,TEST ,$<) $(ALONE) -O2 -lutil -lpthread

# What runs in the machines of test/reboot, with nothing around it.
$(BUILD)/test/reboot/%: test/reboot/%.c
	@mkdir -p $(@D)
	$(call run,TEST ,$<) $(ALONE) -Os -static

# Tests. pytest runs them all, so that one line at the end counts them; the
# python first in PATH need not be the one that has Debian's pytest.
PYTHON = $(shell for p in python3 /usr/bin/python3; do \
         $$p -c 'import pytest, xdist, pytest_timeout, pexpect, pyte' 2>/dev/null && \
         { echo $$p; exit; }; done; echo python3)
JOBS   = $(shell echo $$(( $$(nproc) * 2 )))
XDIST  = $(shell $(PYTHON) -c 'import xdist' 2>/dev/null && \
         echo ' -n $(JOBS) --dist loadgroup')
PYTEST = $(PYTHON) -B -m pytest -rs $(XDIST) $(PYTEST_ARGS)
# The machines first: they take long and mostly wait.
SUITES = $(wildcard test/reboot test/unit test/e2e test/fault)

units: $(UNITS)
victims: $(VICTIMS)
reboot: $(BUILD)/test/reboot/init $(BUILD)/test/reboot/events
fault:
	+$(MAKE) --no-print-directory BUILD=build-fault \
		EXTRA_CFLAGS='-DSESS_FAULT $(EXTRA_CFLAGS)' all
ASAN = $(MAKE) --no-print-directory BUILD=build-asan CFLAGS='-O1 -g' \
       EXTRA_CFLAGS='-fsanitize=address,undefined -U_FORTIFY_SOURCE \
       -fno-omit-frame-pointer'
asan-sess:
	+$(ASAN) all
asan:
	+$(ASAN) all units victims

check: all units victims fault asan-sess reboot
	sh test/run.sh $(PYTEST) $(SUITES)

ASAN_TESTS ?= test/unit test/e2e -k '(unit or smoke or bash or mux) and not test_tracee'
check-asan: asan
	SESS_BUILD=build-asan $(PYTEST) $(ASAN_TESTS)

# What chance does to a session: as many seeds as are wanted.
SEEDS ?= 1000
check-property: all
	SESS_SEEDS=$(SEEDS) $(PYTEST) test/e2e/test_mux_property.py

check-reboot: all reboot
	$(PYTEST) test/reboot

check-bare:
	sh test/bare/run.sh

bench: all $(BENCHES)
	$(PYTHON) -B test/bench/bench.py $(BENCH_ARGS)

# One libFuzzer program per test/fuzz/fuzz_*.c, each for FUZZ_S seconds.
FUZZ_S     ?= 60
FUZZ_FLAGS  = -fsanitize=fuzzer,address,undefined -g -O1
fuzz:
	@test -n "$(FUZZ_SRC)" || { echo "no test/fuzz/fuzz_*.c"; exit 1; }
	+$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang CFLAGS='-O1 -g' \
		EXTRA_CFLAGS='-fsanitize=fuzzer-no-link,address,undefined \
		-U_FORTIFY_SOURCE -w' fuzz-run
fuzz-run: $(FUZZ_SRC:%.c=$(BUILD)/%)
	@for f in $^; do \
		n=$$(basename $$f); mkdir -p $(BUILD)/corpus/$$n test/fuzz/corpus/$$n; \
		echo "$$n: $(FUZZ_S) s"; \
		$$f -max_total_time=$(FUZZ_S) -timeout=10 -artifact_prefix=$(BUILD)/$$n- \
			$(BUILD)/corpus/$$n test/fuzz/corpus/$$n || exit 1; \
	done
$(BUILD)/test/fuzz/%: test/fuzz/%.c $(LIB_OBJ)
	@mkdir -p $(@D)
	$(call run,FUZZ ,$<) $(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(ALL_LDFLAGS) -o $@ $< $(LIB_OBJ) \
		$(LIBS)

# What a machine checks better than a reader. See test/lint/.
CLANG_FORMAT ?= $(firstword $(shell command -v clang-format-14 clang-format) \
                clang-format)
lint: all
	@echo "  FORMAT $(words $(C_FILES)) files"
	@$(CLANG_FORMAT) --style=file --dry-run -Werror $(C_FILES)
	@$(PYTHON) -B test/lint/includes.py
	@$(PYTHON) -B test/lint/globals.py $(OBJ)
	@$(PYTHON) -B test/lint/words.py $(BUILD)/sess
	@sh test/lint/texts.sh

format:
	$(CLANG_FORMAT) --style=file -i $(C_FILES)

# Units for a home directory are looked for elsewhere, and no system unit is.
HOMELY  = $(filter $(HOME)/%,$(PREFIX))
UNITS_D ?= $(PREFIX)/lib/systemd/system
USER_D  ?= $(PREFIX)/$(if $(HOMELY),share,lib)/systemd/user
BEFORE   = session-.scope.d user@.service.d
APPARMOR = $(DESTDIR)/etc/apparmor.d
# A file of boot/ with the program's place filled in.
fill = sed 's|@BIN@|$(PREFIX)/bin|g' boot/$(1) >$(2) && chmod 644 $(2)

BIN  = $(DESTDIR)$(PREFIX)/bin
MAN  = $(DESTDIR)$(MANDIR)
DATA = $(DESTDIR)$(PREFIX)/share
install: all
	install -d $(BIN) $(MAN)/man1 $(MAN)/man5 \
		$(DATA)/bash-completion/completions $(DATA)/zsh/site-functions \
		$(DATA)/fish/vendor_completions.d
	install -m 755 $(BUILD)/sess $(BIN)/sess
	for f in man/*.1; do install -m 644 $$f $(MAN)/man1/; done
	for f in man/*.5; do \
		[ ! -f $$f ] || install -m 644 $$f $(MAN)/man5/ || exit 1; done
	install -m 644 completions/sess.bash \
		$(DATA)/bash-completion/completions/sess
	install -m 644 completions/_sess $(DATA)/zsh/site-functions/_sess
	install -m 644 completions/sess.fish \
		$(DATA)/fish/vendor_completions.d/sess.fish
	install -d $(DATA)/sess $(DESTDIR)$(USER_D)
	$(call fill,sess-user.service,$(DESTDIR)$(USER_D)/sess.service)
	$(call fill,sess.init,$(DATA)/sess/sess.init)
	$(call fill,sess.apparmor,$(DATA)/sess/sess.apparmor)
ifeq ($(HOMELY),)
	install -d $(BEFORE:%=$(DESTDIR)$(UNITS_D)/%)
	$(call fill,sess.service,$(DESTDIR)$(UNITS_D)/sess.service)
	for d in $(BEFORE); do install -m 644 boot/before-sess.conf \
		$(DESTDIR)$(UNITS_D)/$$d/50-sess.conf || exit 1; done
	if [ -e $(APPARMOR)/abi/4.0 ] && [ -w $(APPARMOR) ]; then \
		$(call fill,sess.apparmor,$(APPARMOR)/sess); \
		[ -n "$(DESTDIR)" ] || apparmor_parser -r $(APPARMOR)/sess || :; fi
endif

# Called by these names sess takes their command lines: for whoever wants it.
install-compat: install
	ln -sf sess $(BIN)/dtach
	ln -sf sess $(BIN)/abduco

uninstall:
	for f in dtach abduco; do [ "$$(readlink $(BIN)/$$f)" != sess ] || \
		rm -f $(BIN)/$$f || exit 1; done
ifeq ($(HOMELY),)
	rm -f $(DESTDIR)$(UNITS_D)/sess.service $(APPARMOR)/sess \
		$(BEFORE:%=$(DESTDIR)$(UNITS_D)/%/50-sess.conf)
	-rmdir $(BEFORE:%=$(DESTDIR)$(UNITS_D)/%) 2>/dev/null
endif
	rm -rf $(DATA)/sess $(DESTDIR)$(USER_D)/sess.service
	rm -f $(BIN)/sess $(DATA)/bash-completion/completions/sess \
		$(DATA)/zsh/site-functions/_sess \
		$(DATA)/fish/vendor_completions.d/sess.fish
	for f in man/*.[15]; do \
		rm -f $(MAN)/man$${f##*.}/$${f#man/}; done

clean:
	rm -rf build build-fault build-asan build-fuzz sess
	@if cmp -s config.h .config.copied; then rm -f config.h .config.copied; fi

FORCE:
.PHONY: all units victims reboot fault asan asan-sess check check-asan check-property check-reboot check-bare bench fuzz \
	fuzz-run lint format install install-compat uninstall clean FORCE
.SECONDARY: $(PB_C) $(PB_H)
.DELETE_ON_ERROR:
-include $(OBJ:.o=.d) $(UNITS:%=%.d) $(VICTIMS:%=%.d) $(BENCHES:%=%.d)
