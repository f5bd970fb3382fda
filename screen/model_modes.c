/*
 * model_modes.c - modes that change what output does.
 */
#include "screen/model_state.h"

/* ---- modes ---- */

static void
set_flag(bool *flag, bool on)
{
	*flag = on;
}

static void
set_origin(struct model *m, bool on)
{
	m->c.origin = on;
	model_move(m, on ? m->top : 0, on ? m->left : 0);
}

/* DECCOLM: the size stays, all else is as after a change of it. */
static void
set_columns(struct model *m, bool on)
{
	(void)on;
	if (!m->columns)
		return;
	model_unset_margins(m);
	model_erase_rows(m, 0, m->rows, false);
	model_move(m, 0, 0);
}

static void
set_side_margins(struct model *m, bool on)
{
	m->side_margins = on;
	m->left = 0;
	m->right = m->cols - 1;
}

static void
set_screen(struct model *m, bool on)
{
	(void)model_show(m, on);
}

static void
set_saved(struct model *m, bool on)
{
	if (on)
		model_save(m);
	else
		model_restore(m);
}

static void
set_screen_saved(struct model *m, bool on)
{
	if (on)
		model_save(m);
	(void)model_show(m, on);
	if (!on)
		model_restore(m);
}

static const struct {
	unsigned number;
	void (*set)(struct model *m, bool on);
} private_table[] = {
	{ 3, set_columns },
	{ 6, set_origin },
	{ 47, set_screen },
	{ 69, set_side_margins },
	{ 1047, set_screen },
	{ 1048, set_saved },
	{ 1049, set_screen_saved },
};

static void
set_private(struct model *m, unsigned number, bool on)
{
	size_t i;

	if (number == 7)
		set_flag(&m->wrap, on);
	else if (number == 40)
		set_flag(&m->columns, on);
	else if (number == 45)
		set_flag(&m->reverse_wrap, on);
	for (i = 0; i < N_ELEMENTS(private_table); i++)
		if (private_table[i].number == number)
			private_table[i].set(m, on);
}

void
model_set_modes(struct model *m, bool on)
{
	int i;

	for (i = 0; i < m->seq.n; i++) {
		int number = model_param(m, i, 0);

		if (m->seq.prefix == '?')
			set_private(m, (unsigned)number, on);
		else if (number == 4)
			m->insert = on;
		else if (number == 20)
			m->newline = on;
	}
}
