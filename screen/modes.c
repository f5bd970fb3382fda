/*
 * modes.c - see modes.h.
 */
#include "screen/modes.h"

#include <stdlib.h>
#include <string.h>

#include "screen/modes_state.h"

const struct mode modes_table[MODES_N] = {
	{ 1, INPUT },            /* DECCKM: application cursor keys */
	{ 3, BRIEF },            /* DECCOLM: 132 columns */
	{ 5, 0 },                /* DECSCNM: reverse video */
	{ 6, 0 },                /* DECOM: origin */
	{ 7, ON },               /* DECAWM: wrap */
	{ 8, INPUT | ON },       /* DECARM: keys repeat */
	{ 9, INPUT | MOUSE },    /* X10 mouse */
	{ 12, 0 },               /* cursor blinks */
	{ 25, ON },              /* DECTCEM: cursor shows */
	{ 40, 0 },               /* DECCOLM is heard */
	{ 45, 0 },               /* reverse wrap */
	{ 66, INPUT },           /* DECNKM: application keypad */
	{ 67, INPUT },           /* DECBKM: backarrow sends BS */
	{ 69, 0 },               /* DECLRMM: left and right margins */
	{ 80, 0 },               /* DECSDM: sixels do not scroll */
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
	{ 1042, 0 },          /* the bell is urgent */
	{ 1043, 0 },          /* ... and raises the window */
	{ 1045, 0 },          /* reverse wrap, further */
	{ 2004, INPUT },      /* bracketed paste */
	{ 2026, BRIEF },      /* synchronized output */
	{ 2027, 0 },          /* cells hold grapheme clusters */
	{ 2031, INPUT },      /* reports of the colour scheme */
	{ 2048, INPUT },      /* reports of the size */
	{ 5522, INPUT },      /* pastes as kitty's clipboard events */
	{ 7727, INPUT },      /* mintty: escape key sends a sequence */
	{ 7786, INPUT },      /* mintty: wheel reports */
	{ 8452, 0 },          /* cursor stays right of a sixel */
	{ 9001, INPUT },      /* keys as Win32 sends them */
	{ 4, ANSI },          /* IRM: insert */
	{ 20, ANSI | INPUT }, /* LNM: newline */
};

int
modes_find(unsigned number, unsigned ansi)
{
	size_t i;

	for (i = 0; i < MODES_N; i++)
		if (modes_table[i].number == number &&
		    (modes_table[i].flags & ANSI) == ansi)
			return (int)i;
	return -1;
}

static void
set_defaults(struct modes *m)
{
	size_t i;

	for (i = 0; i < MODES_N; i++)
		m->on[i] = (modes_table[i].flags & ON) != 0;
	m->keypad = false;
	m->cursor_style = 0;
	m->top = m->bottom = m->left = m->right = 0;
	memcpy(m->sets, "BBBB", 4);
	m->shift = 0;
}

void
modes_save_cursor(struct modes *m)
{
	struct saved *v = &m->saved[m->alternate != 0];

	memcpy(v->sets, m->sets, sizeof v->sets);
	v->shift = m->shift;
	v->origin = m->on[modes_find(6, 0)];
}

void
modes_restore_cursor(struct modes *m)
{
	const struct saved *v = &m->saved[m->alternate != 0];

	memcpy(m->sets, v->sets, sizeof m->sets);
	m->shift = v->shift;
	m->on[modes_find(6, 0)] = v->origin;
}

void
modes_reset_keys(int *resources)
{
	size_t i;

	for (i = 0; i < N_RESOURCES; i++)
		resources[i] = -1;
}

void
modes_reset(struct modes *m)
{
	set_defaults(m);
	memcpy(m->stored, m->on, sizeof m->stored);
	for (m->alternate = 1; m->alternate >= 0; m->alternate--)
		modes_save_cursor(m);
	m->alternate = 0;
	modes_reset_keys(m->modify);
	modes_reset_keys(m->format);
	m->n_kitty[0] = m->n_kitty[1] = 0;
	modes_osc_reset(m);
	m->generation++;
}

struct modes *
modes_new(void)
{
	struct modes *m = calloc(1, sizeof *m);

	if (m != NULL)
		modes_reset(m);
	return m;
}

void
modes_free(struct modes *m)
{
	if (m == NULL)
		return;
	modes_osc_done(m);
	free(m);
}

bool
modes_is_on(const struct modes *m, unsigned number, unsigned ansi)
{
	return m->on[modes_find(number, ansi)];
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
	m->top = m->bottom = m->left = m->right = 0;
	m->generation++;
}

bool
modes_side_margins(const struct modes *m, int *ret_left, int *ret_right)
{
	if (!modes_is_on(m, 69, 0) || (m->left == 0 && m->right == 0))
		return false;
	*ret_left = m->left <= 0 ? 0 : m->left - 1;
	*ret_right = m->right - 1; /* -1: the last column */
	return true;
}

bool
modes_origin(const struct modes *m)
{
	return modes_is_on(m, 6, 0);
}

bool
modes_wraps(const struct modes *m)
{
	return modes_is_on(m, 7, 0);
}

bool
modes_reversed(const struct modes *m)
{
	return modes_is_on(m, 5, 0);
}

bool
modes_inserts(const struct modes *m)
{
	return modes_is_on(m, 4, ANSI);
}

bool
modes_cursor_visible(const struct modes *m)
{
	return modes_is_on(m, 25, 0);
}

int
modes_get(const struct modes *m, bool private, unsigned number)
{
	int i = modes_find(number, private ? 0 : ANSI);

	if (private && (number == 47 || number == 1047 || number == 1049))
		return m->alternate == (int)number ? 1 : 2;
	return i < 0 ? 0 : m->on[i] ? 1 : 2;
}

unsigned
modes_keyboard(const struct modes *m)
{
	int s = m->alternate != 0;

	return m->n_kitty[s] == 0 ? 0 : m->kitty[s][m->n_kitty[s] - 1];
}

uint32_t
modes_questions(const struct modes *m)
{
	return m->n_questions;
}

bool
modes_long_keys(const struct modes *m)
{
	int s = m->alternate != 0;

	return m->modify[4] > 0 || m->format[4] > 0 || m->n_kitty[s] > 0;
}
