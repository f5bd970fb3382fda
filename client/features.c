/*
 * features.c - see features.h. Private modes of xterm are not in terminfo
 * one by one: who has its alternate screen or says XT knows them, or passes
 * over them without harm.
 */
#include "client/features.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <term.h>

#include "base/scope.h"
#include "session/features.h"

/* Capability NAME begins with (or, FIND, contains) TEXT. */
static const struct capability {
	const char *name, *text;
	bool find;
	uint64_t features;
} capabilities[] = {
	{ "cup", "\033[%i%p1%d;%p2%dH", false, FEATURE_ADDRESS },
	{ "el", "\033[K", false, FEATURE_ERASE },
	{ "smcup", "\033[?1049h", true,
	    FEATURE_ALTERNATE | FEATURE_ALTERNATE_47 | FEATURE_XTERM },
	{ "smcup", "\033[?47h", true, FEATURE_ALTERNATE_47 },
	{ "csr", "\033[%i%p1%d;%p2%dr", false, FEATURE_REGION },
	{ "smir", "\033[4h", false, FEATURE_INSERT },
	{ "rmam", "\033[?7l", false, FEATURE_WRAP },
	{ "civis", "\033[?25l", true, FEATURE_HIDE },
	{ "smkx", "\033[?1h", true, FEATURE_CURSOR_KEYS },
	{ "smkx", "\033=", true, FEATURE_KEYPAD },
	{ "flash", "\033[?5h", true, FEATURE_FLASH },
	{ "is2", "\033[?6l", true, FEATURE_ORIGIN },
	{ "rs2", "\033[?6l", true, FEATURE_ORIGIN },
	{ "sc", "\0337", false, FEATURE_SAVE },
	{ "Ss", "\033[%p1%d q", false, FEATURE_STYLE },
	{ "tsl", "\033]", false, FEATURE_TITLE },
	{ "kmous", "\033[", false, FEATURE_MOUSE },
	{ "BE", "\033[?2004h", false, FEATURE_PASTE },
	{ "smacs", "\033(0", false, FEATURE_GRAPHICS },
	{ "smacs", "\016", false, FEATURE_GRAPHICS_G1 },
	{ "oc", "\033]R", false, FEATURE_LINUX_COLORS },
	{ "bold", "\033[1m", false, FEATURE_BOLD },
	{ "dim", "\033[2m", false, FEATURE_DIM },
	{ "sitm", "\033[3m", false, FEATURE_ITALIC },
	{ "smul", "\033[4m", false, FEATURE_UNDERLINE },
	{ "blink", "\033[5m", false, FEATURE_BLINK },
	{ "rev", "\033[7m", false, FEATURE_REVERSE },
	{ "invis", "\033[8m", false, FEATURE_INVISIBLE },
	{ "smxx", "\033[9m", false, FEATURE_STRIKE },
	{ "Smulx", "\033[4:", false, FEATURE_STYLED_LINES },
};

#define COLORS                                                       \
	(FEATURE_COLORS_8 | FEATURE_COLORS_16 | FEATURE_COLORS_256 | \
	    FEATURE_COLORS_DIRECT)

static const char *
string(const char *name)
{
	const char *s = tigetstr((char *)(uintptr_t)name);

	return s == NULL || s == (const char *)-1 ? "" : s;
}

static bool
flag(const char *name)
{
	return tigetflag((char *)(uintptr_t)name) > 0;
}

static bool
env_has(const char *name, const char *what)
{
	const char *value = getenv(name);

	return value != NULL && strcasestr(value, what) != NULL;
}

/* As setlocale(3) reads them: the first that is set decides. */
static bool
locale_is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	size_t i;

	for (i = 0; i < N_ELEMENTS(names); i++) {
		const char *value = getenv(names[i]);

		if (value != NULL && value[0] != 0)
			return env_has(names[i], "UTF-8") ||
			    env_has(names[i], "UTF8");
	}
	return false;
}

/* Does the terminal set foreground COLOR by TEXT? */
static bool
sets_color(int color, const char *text)
{
	const char *s = string("setaf");

	if (s[0] == 0)
		return false;
	s = tparm(s, (long)color, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L);
	return s != NULL && strcmp(s, text) == 0;
}

static uint64_t
find_colors(void)
{
	int n = tigetnum((char *)(uintptr_t) "colors");
	bool direct = env_has("COLORTERM", "truecolor") ||
	    env_has("COLORTERM", "24bit") || flag("RGB") || flag("Tc") ||
	    n > 256 || (n == 256 && flag("XT"));
	uint64_t f = 0;

	if (direct)
		return COLORS;
	if (sets_color(1, "\033[31m"))
		f |= FEATURE_COLORS_8;
	if (n >= 16 && sets_color(9, "\033[91m"))
		f |= FEATURE_COLORS_16;
	if (n >= 256 && sets_color(100, "\033[38;5;100m"))
		f |= FEATURE_COLORS_256;
	return f;
}

static uint64_t
find_known(void)
{
	uint64_t f = 0;
	const char *s;
	size_t i;

	for (i = 0; i < N_ELEMENTS(capabilities); i++) {
		const struct capability *c = &capabilities[i];

		s = string(c->name);
		if (c->find ? strstr(s, c->text) != NULL :
			      strncmp(s, c->text, strlen(c->text)) == 0)
			f |= c->features;
	}
	if ((f & FEATURE_ADDRESS) == 0 || flag("hc"))
		return 0;
	if ((f & FEATURE_XTERM) != 0)
		f |= FEATURE_GRAPHICS | FEATURE_ORIGIN | FEATURE_WRAP |
		    FEATURE_INSERT | FEATURE_SAVE; /* a VT220's */
	if (flag("XT"))
		f |= FEATURES_ALL & ~(COLORS | FEATURE_UTF8);
	if (strstr(string("enacs"), "\033)0") == NULL)
		f &= ~FEATURE_GRAPHICS_G1;
	if (!flag("am") || flag("xenl"))
		f |= FEATURE_LAST_CELL;
	return f | find_colors();
}

static bool
is_plain(const char *term)
{
	return term == NULL || term[0] == 0 || strcmp(term, "dumb") == 0 ||
	    strcmp(term, "unknown") == 0;
}

uint64_t
features_find(int fd, char *remark, size_t len)
{
	const char *term = getenv("TERM");
	uint64_t f = 0;
	int error;

	remark[0] = 0;
	if (!is_plain(term) && setupterm(NULL, fd, &error) == OK) {
		f = find_known();
		(void)del_curterm(cur_term);
	} else if (!is_plain(term)) {
		(void)snprintf(remark, len,
		    "terminfo does not know '%.40s': taken for an xterm", term);
		f = FEATURES_ALL & ~FEATURE_UTF8;
	}
	if (f == 0)
		(void)snprintf(remark, len,
		    "%s%.40s%s: no screen is painted, only the program writes",
		    term == NULL || term[0] == 0 ? "TERM is not set" :
						   "terminal '",
		    term == NULL ? "" : term,
		    term == NULL || term[0] == 0 ? "" : "' is too simple");
	return f | (locale_is_utf8() ? FEATURE_UTF8 : 0);
}
