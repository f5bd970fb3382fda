/*
 * modes_csi.c - control sequences and escapes that have been read to their
 * end: which modes they change, and which of them are questions that a
 * terminal answers.
 */
#include <string.h>

#include "base/scope.h"
#include "screen/modes_state.h"

#define N_PARAMS 32

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

		if (p.inter == 0 && c >= '0' && c <= '9') {
			int *v = &p.v[p.n - 1];

			*v = (*v < 0 ? 0 : *v) * 10 + (c - '0');
			if (*v > 99999)
				*v = 99999;
		} else if (p.inter == 0 && (c == ';' || c == ':')) {
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
	if (on && number == 1049)
		modes_save_cursor(m);
	if (on && m->alternate == 0)
		m->saved[1] = (struct saved){ .sets = { 'B', 'B', 'B', 'B' } };
	m->alternate = on ? number : 0;
	if (!on && number == 1049)
		modes_restore_cursor(m);
}

static void
set_mode(struct modes *m, unsigned number, unsigned ansi, bool on)
{
	int i = modes_find(number, ansi);
	size_t j;

	if (ansi == 0 && (number == 47 || number == 1047 || number == 1049))
		set_alternate(m, (int)number, on);
	if (ansi == 0 && number == 1048)
		(on ? modes_save_cursor : modes_restore_cursor)(m);
	if (i < 0)
		return;
	if (modes_table[i].flags & MOUSE)
		for (j = 0; j < MODES_N; j++)
			if (modes_table[j].flags & MOUSE)
				m->on[j] = false;
	m->on[i] = on;
	if (number == 69 && ansi == 0)
		m->left = m->right = 0;
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

/* XTSAVE and XTRESTORE. */
static void
csi_store(struct modes *m, const struct params *p)
{
	int i, n;

	for (n = 0; n < p->n; n++)
		if (p->v[n] >= 0 && (i = modes_find((unsigned)p->v[n], 0)) >= 0)
			m->stored[i] = m->on[i];
}

static void
csi_recall(struct modes *m, const struct params *p)
{
	int i, n;

	for (n = 0; n < p->n; n++)
		if (p->v[n] >= 0 && (i = modes_find((unsigned)p->v[n], 0)) >= 0)
			set_mode(m, (unsigned)p->v[n], 0, m->stored[i]);
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

/* DECSLRM where these margins are in force, else as ESC 7. */
static void
csi_sides(struct modes *m, const struct params *p)
{
	if (!modes_is_on(m, 69, 0)) {
		modes_save_cursor(m);
		return;
	}
	m->left = or_default(p->v[0], 0);
	m->right = p->n > 1 ? or_default(p->v[1], 0) : 0;
}

static void
csi_restore_cursor(struct modes *m, const struct params *p)
{
	(void)p;
	modes_restore_cursor(m);
}

static void
csi_window(struct modes *m, const struct params *p)
{
	int which = p->n > 1 ? or_default(p->v[1], 0) : 0;

	if (which > 2)
		return;
	if (p->v[0] == 22)
		modes_push_titles(m, which);
	else if (p->v[0] == 23)
		modes_pop_titles(m, which);
}

/* DECSTR, as xterm does it. */
static void
csi_soft_reset(struct modes *m, const struct params *p)
{
	(void)p;
	m->on[modes_find(1, 0)] = m->on[modes_find(6, 0)] = false;
	m->on[modes_find(4, ANSI)] = false;
	m->on[modes_find(7, 0)] = m->on[modes_find(25, 0)] = true;
	m->keypad = false;
	m->top = m->bottom = m->left = m->right = 0;
	m->on[modes_find(69, 0)] = false;
	memcpy(m->sets, "BBBB", 4);
	m->shift = 0;
	modes_save_cursor(m);
}

static void
set_resource(int *resources, const struct params *p, int value)
{
	if (p->v[0] < 0)
		modes_reset_keys(resources);
	else if (p->v[0] < N_RESOURCES)
		resources[p->v[0]] = value;
}

static void
csi_modify(struct modes *m, const struct params *p)
{
	set_resource(m->modify, p, p->n > 1 ? p->v[1] : -1);
}

/* Switched off, which is more than as it was. */
static void
csi_modify_not(struct modes *m, const struct params *p)
{
	if (p->v[0] >= 0)
		set_resource(m->modify, p, 0);
}

static void
csi_format(struct modes *m, const struct params *p)
{
	set_resource(m->format, p, p->n > 1 ? p->v[1] : -1);
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
	{ '?', 0, 's', csi_store },
	{ '?', 0, 'r', csi_recall },
	{ 0, 0, 'r', csi_margins },
	{ 0, 0, 's', csi_sides },
	{ 0, 0, 'u', csi_restore_cursor },
	{ 0, 0, 't', csi_window },
	{ 0, ' ', 'q', csi_style },
	{ 0, '!', 'p', csi_soft_reset },
	{ '>', 0, 'm', csi_modify },
	{ '>', 0, 'n', csi_modify_not },
	{ '>', 0, 'f', csi_format },
	{ '>', 0, 'u', csi_kitty_push },
	{ '<', 0, 'u', csi_kitty_pop },
	{ '=', 0, 'u', csi_kitty_set },
};

/* What a terminal answers: DA, DSR, DECREQTPARM, DECRQM, XTVERSION... */
static const struct {
	char prefix, inter, final;
} questions[] = {
	{ 0, 0, 'c' },
	{ '>', 0, 'c' },
	{ '=', 0, 'c' },
	{ 0, 0, 'n' },
	{ '?', 0, 'n' },
	{ 0, 0, 'x' },
	{ 0, '$', 'p' },
	{ '?', '$', 'p' },
	{ '>', 0, 'q' },
	{ '?', 0, 'u' },
	{ '?', 0, 'm' },
	{ '?', 0, 'S' },
};

static bool
is_question(const struct params *p, char final)
{
	size_t i;

	if (final == 't' && p->prefix == 0)
		return p->v[0] >= 11 && p->v[0] <= 21;
	for (i = 0; i < N_ELEMENTS(questions); i++)
		if (questions[i].final == final &&
		    questions[i].prefix == p->prefix &&
		    questions[i].inter == p->inter)
			return true;
	return false;
}

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
	if (is_question(&p, final)) {
		m->n_questions++;
		return;
	}
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
	if (m->n_seq == 1 && m->seq[0] == '#' && final == '8') {
		modes_unset_margins(m); /* DECALN */
		m->on[modes_find(6, 0)] = false;
	}
	if (m->n_seq > 0)
		return;
	if (final == '7')
		modes_save_cursor(m);
	else if (final == '8')
		modes_restore_cursor(m);
	else if (final == '=' || final == '>')
		m->keypad = final == '=';
	else if (final == 'n' || final == 'o')
		m->shift = final == 'n' ? 2 : 3;
	else if (final == 'c')
		modes_reset(m);
	else
		return;
	m->generation++;
}
