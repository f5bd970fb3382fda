/*
 * modes_text.c - the state of a terminal as bytes: those that bring it back
 * to its defaults, and those that lead to the state from there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "screen/modes_state.h"

static const char designators[] = "()*+";

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
	int n, r = 0;

	if (m->palette)
		r = buf_printf(out, "\033]104\033\\");
	if (r == 0 && m->special)
		r = buf_printf(out, "\033]105\033\\");
	if (r == 0 && m->linux_palette)
		r = buf_printf(out, "\033]R");
	for (i = 0; i < m->n_colors && r == 0; i++) {
		n = atoi(m->colors[i].text);
		if (n >= 10)
			r = buf_printf(out, "\033]%d\033\\", 100 + n);
	}
	return r;
}

/* How the strings are introduced, and what takes them back. */
static const struct {
	const char *prefix, *undo; /* NULL: nothing does */
} kept_text[KEPT_N] = {
	[KEPT_CWD] = { "7;", NULL },
	[KEPT_LINK] = { "8;", "8;;" },
	[KEPT_PROGRESS] = { "9;4;", "9;4;0" },
	[KEPT_POINTER] = { "22;", "22;" },
};

static int
undo_osc(const struct modes *m, struct buf *out)
{
	int i, r = undo_colors(m, out);

	for (i = 0; i < KEPT_N && r == 0; i++)
		if (m->kept[i] != NULL && kept_text[i].undo != NULL)
			r = buf_printf(out, "\033]%s\033\\", kept_text[i].undo);
	for (i = m->n_stack - 1; i >= 0 && r == 0; i--)
		r = buf_printf(out, "\033[23;%dt", m->stack[i].which);
	return r;
}

/* The keyboard's resources that are not as they were; UNDO: as they were. */
static int
put_resources(const int *values, char final, bool undo, struct buf *out)
{
	int i, r = 0;

	for (i = 0; i < N_RESOURCES && r == 0; i++) {
		if (values[i] < 0)
			continue;
		r = undo ?
		    buf_printf(out, "\033[>%d%c", i, final) :
		    buf_printf(out, "\033[>%d;%d%c", i, values[i], final);
	}
	return r;
}

static int
undo_kitty(const struct modes *m, int s, struct buf *out)
{
	if (m->n_kitty[s] == 0)
		return 0;
	return buf_printf(out, "\033[<%du", m->n_kitty[s]);
}

/* BACK: what is in force once the alternate screen has been left. */
static int
undo_sets(const struct modes *m, const struct saved *back, struct buf *out)
{
	int i, r = 0;

	for (i = 0; i < 4 && r == 0; i++)
		if (m->sets[i] != 'B' || (back != NULL && back->sets[i] != 'B'))
			r = buf_printf(out, "\033%cB", designators[i]);
	if (r == 0 && (m->shift != 0 || (back != NULL && back->shift != 0)))
		r = buf_printf(out, "\017");
	return r;
}

int
modes_undo(const struct modes *m, struct buf *out)
{
	/* 1049 comes back with the cursor that it saved. */
	const struct saved *back = m->alternate == 1049 ? &m->saved[0] : NULL;
	int r;

	if (m->alternate != 0) {
		if ((r = undo_kitty(m, 1, out)) < 0 ||
		    (r = buf_printf(out, "\033[?%dl", m->alternate)) < 0)
			return r;
	}
	if ((r = undo_kitty(m, 0, out)) < 0 || (r = undo_modes(m, out)) < 0 ||
	    (r = undo_osc(m, out)) < 0 ||
	    (r = put_resources(m->modify, 'm', true, out)) < 0 ||
	    (r = put_resources(m->format, 'f', true, out)) < 0)
		return r;
	if (back != NULL && back->origin && !modes_origin(m))
		r = buf_printf(out, "\033[?6l");
	if (r == 0 && m->keypad)
		r = buf_printf(out, "\033>");
	if (r == 0 && m->cursor_style != 0)
		r = buf_printf(out, "\033[0 q");
	if (r == 0 && (m->top != 0 || m->bottom != 0))
		r = buf_printf(out, "\033[r");
	if (r == 0)
		r = undo_sets(m, back, out);
	return r < 0 ? r : buf_printf(out, "\033[m");
}

static int
put_titles(const char *icon, const char *title, struct buf *out)
{
	int r = 0;

	if (icon != NULL)
		r = buf_printf(out, "\033]1;%s\033\\", icon);
	if (r == 0 && title != NULL)
		r = buf_printf(out, "\033]2;%s\033\\", title);
	return r;
}

static int
redo_osc(const struct modes *m, struct buf *out)
{
	const struct titles *t;
	size_t i;
	int r = 0;

	for (i = 0; i < m->n_colors && r == 0; i++)
		r = buf_printf(out, "\033]%s\033\\", m->colors[i].text);
	for (i = 0; i < (size_t)m->n_stack && r == 0; i++) {
		t = &m->stack[i];
		r = put_titles(t->icon, t->title, out);
		if (r == 0)
			r = buf_printf(out, "\033[22;%dt", t->which);
	}
	for (i = 0; i < KEPT_N && r == 0; i++)
		if (m->kept[i] != NULL && i != KEPT_LINK)
			r = buf_printf(out, "\033]%s%s\033\\",
			    kept_text[i].prefix, m->kept[i]);
	return r < 0 ? r : put_titles(m->icon, m->title, out);
}

static int
redo_kitty(const struct modes *m, int s, struct buf *out)
{
	int i, r = 0;

	for (i = 0; i < m->n_kitty[s] && r == 0; i++)
		r = buf_printf(out, "\033[>%uu", m->kitty[s][i]);
	return r;
}

int
modes_redo_behind(const struct modes *m, struct buf *out)
{
	return m->alternate == 0 ? 0 : redo_kitty(m, 0, out);
}

int
modes_redo(const struct modes *m, bool view, struct buf *out)
{
	size_t j;
	int r = 0;

	for (j = 0; j < MODES_N && r == 0; j++) {
		const struct mode *mode = &modes_table[j];
		bool normal = (mode->flags & ON) != 0;

		if (m->on[j] == normal || (mode->flags & BRIEF) != 0 ||
		    mode->number == 25 || (view && !(mode->flags & INPUT)))
			continue;
		r = put_mode(out, mode, m->on[j]);
	}
	if (r == 0 && !view && (m->left != 0 || m->right != 0))
		r = m->right == 0 ?
		    buf_printf(out, "\033[%ds", m->left) :
		    buf_printf(out, "\033[%d;%ds", m->left, m->right);
	if (r == 0)
		r = redo_kitty(m, m->alternate != 0, out);
	if (r == 0)
		r = put_resources(m->modify, 'm', false, out);
	if (r == 0)
		r = put_resources(m->format, 'f', false, out);
	if (r == 0 && m->keypad)
		r = buf_printf(out, "\033=");
	if (r == 0 && m->cursor_style != 0)
		r = buf_printf(out, "\033[%d q", m->cursor_style);
	return r < 0 ? r : redo_osc(m, out);
}

int
modes_redo_sets(const struct modes *m, struct buf *out)
{
	int i, r = 0;

	for (i = 0; i < 4 && r == 0; i++)
		if (m->sets[i] != 'B')
			r = buf_printf(out, "\033%c%c", designators[i],
			    m->sets[i]);
	if (r == 0 && m->shift == 1)
		r = buf_printf(out, "\016");
	else if (r == 0 && m->shift > 1)
		r = buf_printf(out, "\033%c", m->shift == 2 ? 'n' : 'o');
	if (r == 0 && m->kept[KEPT_LINK] != NULL)
		r = buf_printf(out, "\033]8;%s\033\\", m->kept[KEPT_LINK]);
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
