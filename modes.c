/*
 * modes.c - see modes.h.
 */
#include "modes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/utf8.h"

#define SEQ_MAX 64     /* bytes of a control sequence that are looked at */
#define STRING_MAX 512 /* bytes of a title or colour that are kept */
#define N_PARAMS 16
#define N_KITTY 8
#define N_COLORS 32 /* colours set by OSC that are remembered */

enum where {
	GROUND,
	ESCAPE,       /* after ESC */
	ESCAPE_INTER, /* after ESC and intermediates */
	CSI,
	OSC,
	STRING,     /* DCS, APC, PM, SOS: passed over */
	OSC_ESCAPE, /* ESC in an OSC: ST, or another sequence */
	STRING_ESCAPE,
};

/*
 * Modes that are switched by CSI [?] NUMBER h and l. INPUT: they change what
 * the terminal sends. BRIEF: the program will end them in a moment; they are
 * undone and not redone. MOUSE: one replaces the other.
 */
#define INPUT 1u
#define BRIEF 2u
#define MOUSE 4u
#define ANSI 8u
#define ON 16u /* the default */

struct mode {
	unsigned number, flags;
};

static const struct mode table[] = {
	{ 1, INPUT },            /* DECCKM: application cursor keys */
	{ 5, 0 },                /* DECSCNM: reverse video */
	{ 6, 0 },                /* DECOM: origin */
	{ 7, ON },               /* DECAWM: wrap */
	{ 8, INPUT | ON },       /* DECARM: keys repeat */
	{ 9, INPUT | MOUSE },    /* X10 mouse */
	{ 12, 0 },               /* cursor blinks */
	{ 25, ON },              /* DECTCEM: cursor shows */
	{ 45, 0 },               /* reverse wrap */
	{ 66, INPUT },           /* DECNKM: application keypad */
	{ 67, INPUT },           /* DECBKM: backarrow sends BS */
	{ 69, 0 },               /* DECLRMM: left and right margins */
	{ 1000, INPUT | MOUSE }, /* clicks */
	{ 1001, INPUT | MOUSE }, /* highlight */
	{ 1002, INPUT | MOUSE }, /* clicks and drags */
	{ 1003, INPUT | MOUSE }, /* all motion */
	{ 1004, INPUT },         /* focus */
	{ 1005, INPUT },         /* mouse in UTF-8 */
	{ 1006, INPUT },         /* mouse in SGR form */
	{ 1007, INPUT },      /* wheel sends arrows on the alternate screen */
	{ 1015, INPUT },      /* mouse in urxvt form */
	{ 1016, INPUT },      /* mouse in pixels */
	{ 2004, INPUT },      /* bracketed paste */
	{ 2026, BRIEF },      /* synchronized output */
	{ 2031, INPUT },      /* reports of the colour scheme */
	{ 2048, INPUT },      /* reports of the size */
	{ 4, ANSI },          /* IRM: insert */
	{ 20, ANSI | INPUT }, /* LNM: newline */
};

struct color {
	char *text; /* "10;rgb:..." without OSC and end; owned */
	size_t key; /* length of the part that says which colour */
};

struct modes {
	enum where where;
	char seq[SEQ_MAX]; /* CSI or ESC so far, without its introducer */
	size_t n_seq;
	char string[STRING_MAX];
	size_t n_string;
	uint8_t last[3]; /* the last bytes, for characters cut in two */
	size_t n_last;
	uint32_t generation;

	bool on[N_ELEMENTS(table)];
	int alternate;
	bool keypad;
	int cursor_style;
	int top, bottom; /* of the scrolling region, from 1; 0: unset */
	char sets[4];    /* finals of the designated character sets */
	int shift;       /* which of them is in use */
	int other_keys;  /* xterm's modifyOtherKeys */
	unsigned kitty[2][N_KITTY]; /* main and alternate screen */
	int n_kitty[2];
	char *title, *icon; /* owned; NULL: never set */
	struct color colors[N_COLORS];
	size_t n_colors;
	bool palette; /* a colour of the palette was set */
};

static void
set_defaults(struct modes *m)
{
	size_t i;

	for (i = 0; i < N_ELEMENTS(table); i++)
		m->on[i] = (table[i].flags & ON) != 0;
	m->keypad = false;
	m->cursor_style = 0;
	m->top = m->bottom = 0;
	memcpy(m->sets, "BBBB", 4);
	m->shift = 0;
}

static void
drop_colors(struct modes *m, const char *key, size_t len)
{
	size_t i, kept = 0;

	for (i = 0; i < m->n_colors; i++) {
		if (m->colors[i].key >= len &&
		    memcmp(m->colors[i].text, key, len) == 0)
			free(m->colors[i].text);
		else
			m->colors[kept++] = m->colors[i];
	}
	m->n_colors = kept;
}

/* RIS, and the beginning. */
static void
reset(struct modes *m)
{
	set_defaults(m);
	m->alternate = 0;
	m->other_keys = 0;
	m->n_kitty[0] = m->n_kitty[1] = 0;
	drop_colors(m, "", 0);
	m->palette = false;
	m->generation++;
}

struct modes *
modes_new(void)
{
	struct modes *m = calloc(1, sizeof *m);

	if (m != NULL)
		reset(m);
	return m;
}

void
modes_free(struct modes *m)
{
	if (m == NULL)
		return;
	drop_colors(m, "", 0);
	free(m->title);
	free(m->icon);
	free(m);
}

static int
find(unsigned number, unsigned ansi)
{
	size_t i;

	for (i = 0; i < N_ELEMENTS(table); i++)
		if (table[i].number == number &&
		    (table[i].flags & ANSI) == ansi)
			return (int)i;
	return -1;
}

static bool
is_on(const struct modes *m, unsigned number, unsigned ansi)
{
	return m->on[find(number, ansi)];
}

/* ---- control sequences ---- */

struct params {
	char prefix;     /* one of <=>? or 0 */
	char inter;      /* intermediate or 0 */
	int v[N_PARAMS]; /* -1: left out */
	int n;
};

/* Take SEQ apart. False: nothing that we know has this form. */
static bool
parse(const char *seq, size_t len, struct params *ret_p)
{
	struct params p = { .v = { -1 }, .n = 1 };
	size_t i = 0;

	if (len > 0 && seq[0] >= '<' && seq[0] <= '?')
		p.prefix = seq[i++];
	for (; i < len; i++) {
		char c = seq[i];

		if (c >= '0' && c <= '9') {
			int *v = &p.v[p.n - 1];

			*v = (*v < 0 ? 0 : *v) * 10 + (c - '0');
			if (*v > 99999)
				*v = 99999;
		} else if (c == ';' || c == ':') {
			if (p.n == N_PARAMS)
				return false;
			p.v[p.n++] = -1;
		} else if (c >= 0x20 && c <= 0x2f && p.inter == 0)
			p.inter = c;
		else
			return false;
	}
	*ret_p = p;
	return true;
}

static int
or_default(int v, int value)
{
	return v < 0 ? value : v;
}

static void
set_alternate(struct modes *m, int number, bool on)
{
	m->alternate = on ? number : 0;
}

static void
set_mode(struct modes *m, unsigned number, unsigned ansi, bool on)
{
	int i = find(number, ansi);
	size_t j;

	if (ansi == 0 && (number == 47 || number == 1047 || number == 1049))
		set_alternate(m, (int)number, on);
	if (i < 0)
		return;
	if (table[i].flags & MOUSE)
		for (j = 0; j < N_ELEMENTS(table); j++)
			if (table[j].flags & MOUSE)
				m->on[j] = false;
	m->on[i] = on;
}

static void
csi_set(struct modes *m, const struct params *p, bool on)
{
	int i;

	for (i = 0; i < p->n; i++)
		if (p->v[i] >= 0)
			set_mode(m, (unsigned)p->v[i],
			    p->prefix == '?' ? 0 : ANSI, on);
}

static void
csi_high(struct modes *m, const struct params *p)
{
	csi_set(m, p, true);
}

static void
csi_low(struct modes *m, const struct params *p)
{
	csi_set(m, p, false);
}

static void
csi_style(struct modes *m, const struct params *p)
{
	m->cursor_style = or_default(p->v[0], 0);
}

static void
csi_margins(struct modes *m, const struct params *p)
{
	m->top = or_default(p->v[0], 0);
	m->bottom = p->n > 1 ? or_default(p->v[1], 0) : 0;
}

/* DECSTR, as xterm does it. */
static void
csi_soft_reset(struct modes *m, const struct params *p)
{
	(void)p;
	m->on[find(1, 0)] = m->on[find(6, 0)] = false;
	m->on[find(4, ANSI)] = false;
	m->on[find(7, 0)] = m->on[find(25, 0)] = true;
	m->keypad = false;
	m->top = m->bottom = 0;
	memcpy(m->sets, "BBBB", 4);
	m->shift = 0;
}

static void
csi_other_keys(struct modes *m, const struct params *p)
{
	if (p->v[0] == 4)
		m->other_keys = p->n > 1 ? or_default(p->v[1], 0) : 0;
	else if (p->v[0] < 0)
		m->other_keys = 0;
}

/* The kitty keyboard stack of the screen that is shown. */
static void
csi_kitty_push(struct modes *m, const struct params *p)
{
	int s = m->alternate != 0;

	if (m->n_kitty[s] == N_KITTY) {
		memmove(&m->kitty[s][0], &m->kitty[s][1],
		    (N_KITTY - 1) * sizeof m->kitty[s][0]);
		m->n_kitty[s]--;
	}
	m->kitty[s][m->n_kitty[s]++] = (unsigned)or_default(p->v[0], 0);
}

static void
csi_kitty_pop(struct modes *m, const struct params *p)
{
	int s = m->alternate != 0, n = or_default(p->v[0], 1);

	m->n_kitty[s] -= n > m->n_kitty[s] ? m->n_kitty[s] : n;
}

static void
csi_kitty_set(struct modes *m, const struct params *p)
{
	int s = m->alternate != 0, how = p->n > 1 ? or_default(p->v[1], 1) : 1;
	unsigned flags = (unsigned)or_default(p->v[0], 0), *top;

	/* Without an entry the terminal changes its own: one to be undone. */
	if (m->n_kitty[s] == 0)
		m->kitty[s][m->n_kitty[s]++] = 0;
	top = &m->kitty[s][m->n_kitty[s] - 1];
	*top = how == 1 ? flags : how == 2 ? *top | flags : *top & ~flags;
}

static const struct {
	char prefix, inter, final;
	void (*run)(struct modes *m, const struct params *p);
} csi_table[] = {
	{ '?', 0, 'h', csi_high },
	{ '?', 0, 'l', csi_low },
	{ 0, 0, 'h', csi_high },
	{ 0, 0, 'l', csi_low },
	{ 0, 0, 'r', csi_margins },
	{ 0, ' ', 'q', csi_style },
	{ 0, '!', 'p', csi_soft_reset },
	{ '>', 0, 'm', csi_other_keys },
	{ '>', 0, 'n', csi_other_keys },
	{ '>', 0, 'u', csi_kitty_push },
	{ '<', 0, 'u', csi_kitty_pop },
	{ '=', 0, 'u', csi_kitty_set },
};

static void
end_csi(struct modes *m, char final)
{
	struct params p;
	size_t i;

	m->where = GROUND;
	/* By far the most frequent, and not ours: SGR, cursor, erase. */
	if (m->n_seq > SEQ_MAX || !parse(m->seq, m->n_seq, &p))
		return;
	for (i = 0; i < N_ELEMENTS(csi_table); i++)
		if (csi_table[i].final == final &&
		    csi_table[i].prefix == p.prefix &&
		    csi_table[i].inter == p.inter) {
			csi_table[i].run(m, &p);
			m->generation++;
		}
}

static void
end_escape(struct modes *m, char final)
{
	static const char designators[] = "()*+";
	const char *d;

	m->where = GROUND;
	if (m->n_seq == 1 && (d = strchr(designators, m->seq[0])) != NULL) {
		m->sets[d - designators] = final;
		m->generation++;
		return;
	}
	if (m->n_seq > 0)
		return;
	if (final == '=' || final == '>')
		m->keypad = final == '=';
	else if (final == 'n' || final == 'o')
		m->shift = final == 'n' ? 2 : 3;
	else if (final == 'c')
		reset(m);
	else
		return;
	m->generation++;
}

/* ---- OSC ---- */

static void
keep_string(char **p, const char *text)
{
	free(*p);
	*p = strdup(text);
}

/* OSC 4;N;... and 10 to 19: remember the last one of each. */
static void
keep_color(struct modes *m, const char *text)
{
	const char *end = strchr(text, ';');

	if (end != NULL && strncmp(text, "4;", 2) == 0)
		end = strchr(end + 1, ';');
	if (end == NULL || strchr(text, '?') != NULL)
		return; /* malformed, or a question */
	drop_colors(m, text, (size_t)(end + 1 - text));
	if (strncmp(text, "4;", 2) == 0)
		m->palette = true;
	if (m->n_colors == N_COLORS)
		return;
	m->colors[m->n_colors].key = (size_t)(end + 1 - text);
	m->colors[m->n_colors].text = strdup(text);
	if (m->colors[m->n_colors].text != NULL)
		m->n_colors++;
}

static void
reset_color(struct modes *m, const char *text)
{
	char key[64];
	int n = atoi(text) - 100;
	const char *rest = strchr(text, ';');

	if (n == 4 && rest != NULL)
		(void)snprintf(key, sizeof key, "4;%.32s;", rest + 1);
	else
		(void)snprintf(key, sizeof key, "%d;", n);
	drop_colors(m, key, strlen(key));
}

static void
end_osc(struct modes *m)
{
	int n;

	m->where = GROUND;
	if (m->n_string >= STRING_MAX)
		return;
	m->string[m->n_string] = 0;
	n = atoi(m->string);
	if (strchr("012", m->string[0]) != NULL && m->n_string > 1 &&
	    m->string[1] == ';') {
		if (n != 1)
			keep_string(&m->title, m->string + 2);
		if (n != 2)
			keep_string(&m->icon, m->string + 2);
	} else if (n == 4 || (n >= 10 && n <= 19))
		keep_color(m, m->string);
	else if (n == 104 || (n >= 110 && n <= 119))
		reset_color(m, m->string);
	else
		return;
	m->generation++;
}

/* ---- the scanner ---- */

static void
begin_escape(struct modes *m)
{
	m->where = ESCAPE;
	m->n_seq = 0;
}

/* A byte after ESC. */
static void
scan_escape(struct modes *m, uint8_t c)
{
	if (c >= 0x20 && c <= 0x2f) {
		if (m->n_seq < SEQ_MAX)
			m->seq[m->n_seq] = (char)c;
		m->n_seq++;
		m->where = ESCAPE_INTER;
	} else if (m->where == ESCAPE && c == '[')
		m->where = CSI;
	else if (m->where == ESCAPE && c == ']') {
		m->where = OSC;
		m->n_string = 0;
	} else if (m->where == ESCAPE && strchr("PX^_", c) != NULL && c != 0)
		m->where = STRING;
	else if (c >= 0x30 && c <= 0x7e)
		end_escape(m, (char)c);
	else if (c >= 0x80)
		m->where = GROUND;
}

static void
scan_csi(struct modes *m, uint8_t c)
{
	if (c >= 0x40 && c <= 0x7e)
		end_csi(m, (char)c);
	else if (c >= 0x20 && c < 0x40) {
		if (m->n_seq < SEQ_MAX)
			m->seq[m->n_seq] = (char)c;
		m->n_seq++;
	} else if (c >= 0x80)
		m->where = GROUND;
}

static void
scan_osc(struct modes *m, uint8_t c)
{
	if (c == '\a')
		end_osc(m);
	else if (c >= 0x20) {
		if (m->n_string < STRING_MAX)
			m->string[m->n_string++] = (char)c;
	}
}

/* One byte, not in ground state. */
static void
scan_byte(struct modes *m, uint8_t c)
{
	if (m->where == OSC_ESCAPE || m->where == STRING_ESCAPE) {
		if (c == '\\') {
			if (m->where == OSC_ESCAPE)
				end_osc(m);
			m->where = GROUND;
			return;
		}
		begin_escape(m);
	}
	if (c == 0x18 || c == 0x1a)
		m->where = GROUND;
	else if (c == 0x1b && m->where == OSC)
		m->where = OSC_ESCAPE;
	else if (c == 0x1b && m->where == STRING)
		m->where = STRING_ESCAPE;
	else if (c == 0x1b)
		begin_escape(m);
	else if (m->where == CSI)
		scan_csi(m, c);
	else if (m->where == OSC)
		scan_osc(m, c);
	else if (m->where != STRING)
		scan_escape(m, c);
}

/* In ground state: the first of P that is ours to see, or END. */
static const uint8_t *
skip_text(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *esc = memchr(p, 0x1b, (size_t)(end - p));
	const uint8_t *shift;

	if (esc != NULL)
		end = esc;
	if ((shift = memchr(p, 0x0e, (size_t)(end - p))) != NULL)
		end = shift;
	if ((shift = memchr(p, 0x0f, (size_t)(end - p))) != NULL)
		end = shift;
	return end;
}

/* Remember the last bytes, for characters that are cut in two. */
static void
keep_last(struct modes *m, const uint8_t *data, size_t len)
{
	size_t old;

	if (len >= sizeof m->last) {
		memcpy(m->last, data + len - sizeof m->last, sizeof m->last);
		m->n_last = sizeof m->last;
		return;
	}
	old = sizeof m->last - len;
	if (old > m->n_last)
		old = m->n_last;
	memmove(m->last, m->last + m->n_last - old, old);
	memcpy(m->last + old, data, len);
	m->n_last = old + len;
}

void
modes_scan(struct modes *m, const uint8_t *data, size_t len)
{
	const uint8_t *p = data, *end = data + len;

	while (p < end) {
		if (m->where != GROUND) {
			scan_byte(m, *p++);
			continue;
		}
		p = skip_text(p, end);
		if (p == end)
			break;
		if (*p == 0x1b)
			begin_escape(m);
		else {
			m->shift = *p == 0x0e;
			m->generation++;
		}
		p++;
	}
	keep_last(m, data, len);
}

bool
modes_ground(const struct modes *m)
{
	return m->where == GROUND && utf8_torn(m->last, m->n_last) == 0;
}

uint32_t
modes_generation(const struct modes *m)
{
	return m->generation;
}

int
modes_alternate(const struct modes *m)
{
	return m->alternate;
}

bool
modes_margins(const struct modes *m, int *ret_top, int *ret_bottom)
{
	if (m->top == 0 && m->bottom == 0)
		return false;
	*ret_top = m->top <= 0 ? 0 : m->top - 1;
	*ret_bottom = m->bottom - 1; /* -1: the last row */
	return true;
}

bool
modes_origin(const struct modes *m)
{
	return is_on(m, 6, 0);
}

bool
modes_wraps(const struct modes *m)
{
	return is_on(m, 7, 0);
}

bool
modes_inserts(const struct modes *m)
{
	return is_on(m, 4, ANSI);
}

bool
modes_cursor_visible(const struct modes *m)
{
	return is_on(m, 25, 0);
}

bool
modes_long_keys(const struct modes *m)
{
	int s = m->alternate != 0;

	return m->other_keys > 0 || m->n_kitty[s] > 0;
}

/* ---- undo and redo ---- */

static int
put_mode(struct buf *out, const struct mode *mode, bool on)
{
	return buf_printf(out, "\033[%s%u%c",
	    (mode->flags & ANSI) != 0 ? "" : "?", mode->number, on ? 'h' : 'l');
}

static int
undo_modes(const struct modes *m, struct buf *out)
{
	size_t i;
	int r = 0;

	for (i = 0; i < N_ELEMENTS(table) && r == 0; i++) {
		bool normal = (table[i].flags & ON) != 0;

		if (m->on[i] != normal)
			r = put_mode(out, &table[i], normal);
	}
	return r;
}

static int
undo_colors(const struct modes *m, struct buf *out)
{
	size_t i;
	int r = 0;

	if (m->palette)
		r = buf_printf(out, "\033]104\033\\");
	for (i = 0; i < m->n_colors && r == 0; i++)
		if (strncmp(m->colors[i].text, "4;", 2) != 0)
			r = buf_printf(out, "\033]%d\033\\",
			    100 + atoi(m->colors[i].text));
	return r;
}

static int
undo_kitty(const struct modes *m, int s, struct buf *out)
{
	if (m->n_kitty[s] == 0)
		return 0;
	return buf_printf(out, "\033[<%du", m->n_kitty[s]);
}

int
modes_undo(const struct modes *m, struct buf *out)
{
	bool sets = m->shift != 0 || memcmp(m->sets, "BBBB", 4) != 0;
	int r;

	if (m->alternate != 0) {
		if ((r = undo_kitty(m, 1, out)) < 0 ||
		    (r = buf_printf(out, "\033[?%dl", m->alternate)) < 0)
			return r;
	}
	if ((r = undo_kitty(m, 0, out)) < 0 || (r = undo_modes(m, out)) < 0 ||
	    (r = undo_colors(m, out)) < 0)
		return r;
	if (m->other_keys != 0)
		r = buf_printf(out, "\033[>4m");
	if (r == 0 && m->keypad)
		r = buf_printf(out, "\033>");
	if (r == 0 && m->cursor_style != 0)
		r = buf_printf(out, "\033[0 q");
	if (r == 0 && (m->top != 0 || m->bottom != 0))
		r = buf_printf(out, "\033[r");
	if (r == 0 && sets)
		r = buf_printf(out, "\033(B\033)B\033*B\033+B\017");
	return r < 0 ? r : buf_printf(out, "\033[m");
}

static int
redo_titles(const struct modes *m, struct buf *out)
{
	int r = 0;

	if (m->icon != NULL)
		r = buf_printf(out, "\033]1;%s\033\\", m->icon);
	if (r == 0 && m->title != NULL)
		r = buf_printf(out, "\033]2;%s\033\\", m->title);
	return r;
}

int
modes_redo(const struct modes *m, bool view, struct buf *out)
{
	int s = m->alternate != 0, i, r = 0;
	size_t j;

	for (j = 0; j < N_ELEMENTS(table) && r == 0; j++) {
		const struct mode *mode = &table[j];
		bool normal = (mode->flags & ON) != 0;

		if (m->on[j] == normal || (mode->flags & BRIEF) != 0 ||
		    mode->number == 25 || (view && !(mode->flags & INPUT)))
			continue;
		r = put_mode(out, mode, m->on[j]);
	}
	for (i = 0; i < m->n_kitty[s] && r == 0; i++)
		r = buf_printf(out, "\033[>%uu", m->kitty[s][i]);
	if (r == 0 && m->other_keys != 0)
		r = buf_printf(out, "\033[>4;%dm", m->other_keys);
	if (r == 0 && m->keypad)
		r = buf_printf(out, "\033=");
	if (r == 0 && m->cursor_style != 0)
		r = buf_printf(out, "\033[%d q", m->cursor_style);
	for (j = 0; j < m->n_colors && r == 0; j++)
		r = buf_printf(out, "\033]%s\033\\", m->colors[j].text);
	if (r == 0)
		r = redo_titles(m, out);
	return r;
}

int
modes_redo_sets(const struct modes *m, struct buf *out)
{
	static const char designators[] = "()*+";
	int i, r = 0;

	for (i = 0; i < 4 && r == 0; i++)
		if (m->sets[i] != 'B')
			r = buf_printf(out, "\033%c%c", designators[i],
			    m->sets[i]);
	if (r == 0 && m->shift == 1)
		r = buf_printf(out, "\016");
	else if (r == 0 && m->shift > 1)
		r = buf_printf(out, "\033%c", m->shift == 2 ? 'n' : 'o');
	return r;
}
