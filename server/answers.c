/*
 * answers.c - see answers.h. Sources: xterm's ctlseqs, the kitty keyboard
 * and graphics protocols. Keys never come as strings (DCS, OSC, APC), and as
 * control sequences they have finals and forms of their own; the one that
 * is both, CSI 1 ; 2 R, is taken for F3 with a modifier.
 */
#include "server/answers.h"

#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

enum {
	TEXT,
	ESCAPE,
	CSI,
	STRING,
	STRING_ESCAPE,
};

static const struct {
	char prefix; /* 0: none, or any where it is * */
	char final;
	bool focus; /* no answer, and nobody's key either */
} forms[] = {
	{ '*', 'c', false }, /* DA1 to DA3 */
	{ '*', 'n', false }, /* DSR, colour scheme */
	{ '*', 'y', false }, /* DECRPM */
	{ '*', 'x', false }, /* DECREPTPARM */
	{ 0, 't', false },   /* sizes, in-band resize */
	{ '?', 'u', false }, /* kitty keyboard flags */
	{ '?', 'R', false }, /* DECXCPR */
	{ '?', 'S', false }, /* XTSMGRAPHICS */
	{ '>', 'm', false }, /* XTQMODKEYS */
	{ 0, 'I', true },
	{ 0, 'O', true },
};

/* Is "CSI ROW ; COLUMN R" in HELD a position, or F3 with a modifier? */
static bool
is_position(const uint8_t *held, size_t len)
{
	int row = 0, col = 0;
	size_t i;

	for (i = 2; i < len && held[i] >= '0' && held[i] <= '9'; i++)
		row = row * 10 + held[i] - '0';
	if (i == len || held[i] != ';')
		return false;
	for (i++; i < len && held[i] >= '0' && held[i] <= '9'; i++)
		col = col * 10 + held[i] - '0';
	return i + 1 == len && (row != 1 || col > 8);
}

enum kind {
	KEY,
	FOCUS,
	POSITION,
	ANSWER,
};

static enum kind
kind_of(const uint8_t *held, size_t len)
{
	char final = (char)held[len - 1];
	char prefix = held[2] >= '<' && held[2] <= '?' ? (char)held[2] : 0;
	size_t i;

	if (final == 'R' && prefix == 0)
		return is_position(held, len) ? POSITION : KEY;
	for (i = 0; i < N_ELEMENTS(forms); i++)
		if (forms[i].final == final &&
		    (forms[i].prefix == '*' || forms[i].prefix == prefix))
			return forms[i].focus ? FOCUS : ANSWER;
	return KEY;
}

/* The sequence that is held is whole. */
static int
end_sequence(struct answers *a, bool positions, struct buf *out, bool *keys)
{
	enum kind kind = kind_of(a->held, a->n_held);
	size_t len = a->n_held;

	if (len == 6 && memcmp(a->held, "\033[20", 4) == 0 && a->held[5] == '~')
		a->pasting = a->held[4] == '0';
	if (a->pasting)
		kind = KEY;
	a->where = TEXT;
	a->n_held = 0;
	*keys = *keys || kind == KEY;
	if (kind == ANSWER || (kind == POSITION && !positions))
		return 0;
	return buf_put(out, a->held, len);
}

/* What is held is no sequence of ours. */
static int
let_go(struct answers *a, struct buf *out, bool *keys)
{
	size_t len = a->n_held;

	a->where = TEXT;
	a->n_held = 0;
	*keys = *keys || len > 0;
	return buf_put(out, a->held, len);
}

/* One byte in or after an escape sequence. */
static int
take(struct answers *a, uint8_t c, bool positions, struct buf *out, bool *keys)
{
	if (a->where == STRING || a->where == STRING_ESCAPE) {
		if (c == '\a' || (a->where == STRING_ESCAPE && c == '\\'))
			a->where = TEXT;
		else
			a->where = c == 0x1b ? STRING_ESCAPE : STRING;
		return 0;
	}
	if (a->n_held == ANSWERS_HELD_MAX)
		return let_go(a, out, keys);
	a->held[a->n_held++] = c;
	if (a->where == CSI) {
		if (c >= 0x40 && c <= 0x7e)
			return end_sequence(a, positions, out, keys);
		return c >= 0x20 && c < 0x40 ? 0 : let_go(a, out, keys);
	}
	if (c == '[')
		a->where = CSI;
	else if (!a->pasting && c != 0 && strchr("P]_^X", c) != NULL) {
		a->where = STRING;
		a->n_held = 0;
	} else
		return let_go(a, out, keys);
	return 0;
}

int
answers_drop(struct answers *a, const uint8_t *data, size_t len, bool positions,
    struct buf *out, bool *ret_keys)
{
	const uint8_t *p = data, *end = data + len, *esc;
	int r = 0;

	*ret_keys = false;
	while (p < end && r == 0) {
		if (a->where != TEXT) {
			r = take(a, *p++, positions, out, ret_keys);
			continue;
		}
		esc = memchr(p, 0x1b, (size_t)(end - p));
		esc = esc == NULL ? end : esc;
		*ret_keys = *ret_keys || esc > p;
		r = buf_put(out, p, (size_t)(esc - p));
		if (esc < end) {
			a->where = ESCAPE;
			a->held[0] = *esc++;
			a->n_held = 1;
		}
		p = esc;
	}
	/* ESC alone is a key; an answer is not cut just there. */
	if (r == 0 && a->where == ESCAPE)
		r = let_go(a, out, ret_keys);
	return r;
}
