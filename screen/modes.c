/*
 * modes.c - see modes.h.
 */
#include "screen/modes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "screen/modes_state.h"

const struct mode modes_table[MODES_N] = {
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

#define N_PARAMS 16

static void
set_defaults(struct modes *m)
{
	size_t i;

	for (i = 0; i < MODES_N; i++)
		m->on[i] = (modes_table[i].flags & ON) != 0;
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

	for (i = 0; i < MODES_N; i++)
		if (modes_table[i].number == number &&
		    (modes_table[i].flags & ANSI) == ansi)
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
	if (modes_table[i].flags & MOUSE)
		for (j = 0; j < MODES_N; j++)
			if (modes_table[j].flags & MOUSE)
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

void
modes_csi(struct modes *m, char final)
{
	struct params p;
	size_t i;

	m->where = GROUND;
	/* By far the most frequent, and not ours: SGR without prefix. */
	if (final == 'm' && (m->n_seq == 0 || m->seq[0] != '>'))
		return;
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

void
modes_escape(struct modes *m, char final)
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

void
modes_osc(struct modes *m)
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

/* ---- questions ---- */

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

void
modes_unset_margins(struct modes *m)
{
	m->top = m->bottom = 0;
	m->generation++;
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
modes_reversed(const struct modes *m)
{
	return is_on(m, 5, 0);
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
