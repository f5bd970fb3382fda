/*
 * modes_text.c - the state of a terminal as bytes: those that bring it back
 * to its defaults, and those that lead to the state from there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "screen/modes_state.h"

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

	for (i = 0; i < MODES_N && r == 0; i++) {
		bool normal = (modes_table[i].flags & ON) != 0;

		if (m->on[i] != normal)
			r = put_mode(out, &modes_table[i], normal);
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

	for (j = 0; j < MODES_N && r == 0; j++) {
		const struct mode *mode = &modes_table[j];
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

int
modes_partial(const struct modes *m, struct buf *out)
{
	bool known = m->n_seq <= SEQ_MAX && m->n_string < STRING_MAX;
	size_t torn = utf8_torn(m->last, m->n_last);

	switch (m->where) {
	case GROUND:
		return buf_put(out, m->last + m->n_last - torn, torn);
	case ESCAPE:
	case ESCAPE_INTER:
		return buf_printf(out, "\033%.*s", known ? (int)m->n_seq : 0,
		    m->seq);
	case CSI:
		return buf_printf(out, "\033[%.*s", known ? (int)m->n_seq : 0,
		    m->seq);
	case OSC:
	case OSC_ESCAPE:
		return buf_printf(out, "\033%s%.*s%s", known ? "]" : "X",
		    known ? (int)m->n_string : 0, m->string,
		    m->where == OSC ? "" : "\033");
	default:
		/* SOS: a string that does nothing, up to its end */
		return buf_printf(out, "\033X%s",
		    m->where == STRING ? "" : "\033");
	}
}
