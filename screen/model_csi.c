/*
 * model_csi.c - what control sequences and ESC sequences do to the screen.
 */
#include "screen/model_state.h"

/* ---- the cursor ---- */

/* Row and column as the program counts them, from 1 and from the origin. */
static void
move_to(struct model *m, int row, int col)
{
	const struct model_cursor *c = &m->c;

	if (!c->origin) {
		model_move(m, row - 1, col - 1);
		return;
	}
	row += m->top - 1;
	col += m->left - 1;
	model_move(m, row > m->bottom ? m->bottom : row,
	    col > m->right ? m->right : col);
}

static int
own_row(const struct model *m)
{
	return m->c.row + 1 - (m->c.origin ? m->top : 0);
}

static int
own_col(const struct model *m)
{
	return m->c.col + 1 - (m->c.origin ? m->left : 0);
}

static void
csi_up(struct model *m)
{
	model_move_by(m, -model_count(m, 0), 0);
}

static void
csi_down(struct model *m)
{
	model_move_by(m, model_count(m, 0), 0);
}

static void
csi_forward(struct model *m)
{
	model_move_by(m, 0, model_count(m, 0));
}

static void
csi_back(struct model *m)
{
	model_back(m, model_count(m, 0));
}

static void
csi_next_line(struct model *m)
{
	csi_down(m);
	model_control(m, '\r');
}

static void
csi_previous_line(struct model *m)
{
	csi_up(m);
	model_control(m, '\r');
}

static void
csi_column(struct model *m)
{
	move_to(m, own_row(m), model_count(m, 0));
}

static void
csi_row(struct model *m)
{
	move_to(m, model_count(m, 0), own_col(m));
}

static void
csi_position(struct model *m)
{
	move_to(m, model_count(m, 0), model_count(m, 1));
}

static void
csi_tab(struct model *m)
{
	int i, n = model_count(m, 0);

	for (i = 0; i < n && i < m->cols; i++)
		model_control(m, '\t');
}

static void
csi_back_tab(struct model *m)
{
	int n = model_count(m, 0), col = m->c.col;

	for (; n > 0 && col > 0; n--)
		while (col > 0 && !m->tabs[--col])
			;
	model_move(m, m->c.row, col);
}

static void
csi_clear_tab(struct model *m)
{
	int what = model_param(m, 0, 0);

	if (what == 0)
		m->tabs[m->c.col] = false;
	else if (what == 3)
		memset(m->tabs, 0, (size_t)m->cols * sizeof *m->tabs);
}

/* ---- erasing, inserting, deleting ---- */

static void
erase(struct model *m, int from, int to)
{
	struct cell blank = model_blank(m);

	m->c.pending = false;
	grid_erase(m->g, m->c.row, from, to, &blank, m->seq.prefix == '?');
}

static void
csi_erase_line(struct model *m)
{
	int what = model_param(m, 0, 0);

	if (what <= 2)
		erase(m, what == 0 ? m->c.col : 0,
		    what == 1 ? m->c.col + 1 : m->cols);
}

static void
csi_erase_screen(struct model *m)
{
	int what = model_param(m, 0, 0);
	bool spare = m->seq.prefix == '?';

	if (what == 3) {
		m->hooks.forget(m->arg);
		return;
	}
	if (what <= 1)
		csi_erase_line(m);
	if (what == 0)
		model_erase_rows(m, m->c.row + 1, m->rows, spare);
	else if (what == 1)
		model_erase_rows(m, 0, m->c.row, spare);
	else if (what == 2)
		model_erase_rows(m, 0, m->rows, spare);
	m->c.pending = false;
}

static void
csi_erase_chars(struct model *m)
{
	int n = model_count(m, 0), room = m->cols - m->c.col;

	erase(m, m->c.col, m->c.col + (n < room ? n : room));
}

static void
shift(struct model *m, int n)
{
	struct cell blank = model_blank(m);

	m->c.pending = false;
	if (m->c.col >= m->left && m->c.col <= m->right)
		grid_shift(m->g, m->c.row, m->c.col, m->right + 1, n, &blank);
}

static void
csi_insert_chars(struct model *m)
{
	shift(m, model_count(m, 0));
}

static void
csi_delete_chars(struct model *m)
{
	shift(m, -model_count(m, 0));
}

/* The lines between the cursor and the bottom margin. */
static void
shift_lines(struct model *m, int n)
{
	struct area a = { m->c.row, m->bottom, m->left, m->right };
	struct cell blank = model_blank(m);

	if (!model_in_margins(m))
		return;
	grid_scroll(m->g, &a, n, &blank);
	m->c.col = m->left;
	m->c.pending = false;
}

static void
csi_insert_lines(struct model *m)
{
	shift_lines(m, -model_count(m, 0));
}

static void
csi_delete_lines(struct model *m)
{
	shift_lines(m, model_count(m, 0));
}

static void
csi_scroll_up(struct model *m)
{
	model_scroll(m, m->top, model_count(m, 0));
}

static void
csi_scroll_down(struct model *m)
{
	/* With more parameters it is about the mouse. */
	if (m->seq.n == 1)
		model_scroll(m, m->top, -model_count(m, 0));
}

static void
csi_repeat(struct model *m)
{
	int n = model_count(m, 0), most = m->rows * m->cols;
	uint8_t c = (uint8_t)m->last;

	for (n = n < most ? n : most; n > 0 && m->last != 0; n--)
		if (m->last < 0x80)
			model_ascii(m, &c, 1);
		else
			model_put(m, m->last);
}

/* ---- margins and what else is set ---- */

static void
csi_margins(struct model *m)
{
	int top = model_count(m, 0), bottom = model_param(m, 1, 0);

	if (bottom == 0 || bottom > m->rows)
		bottom = m->rows;
	if (top >= bottom)
		return;
	m->top = top - 1;
	m->bottom = bottom - 1;
	move_to(m, 1, 1);
}

/* DECSLRM where side margins are in use, else SCOSC. */
static void
csi_side_margins(struct model *m)
{
	int left = model_count(m, 0), right = model_param(m, 1, 0);

	if (!m->side_margins) {
		model_save(m);
		return;
	}
	if (right == 0 || right > m->cols)
		right = m->cols;
	if (left >= right)
		return;
	m->left = left - 1;
	m->right = right - 1;
	move_to(m, 1, 1);
}

static void
csi_set(struct model *m)
{
	model_set_modes(m, true);
}

static void
csi_reset(struct model *m)
{
	model_set_modes(m, false);
}

static void
csi_protect(struct model *m)
{
	m->c.pen.attrs &= (uint16_t)~PROTECTED;
	if (model_param(m, 0, 0) == 1)
		m->c.pen.attrs |= PROTECTED;
}

static const struct {
	char prefix, inter, final;
	void (*run)(struct model *m);
} csi_table[] = {
	{ 0, 0, 'm', model_sgr },
	{ 0, 0, 'H', csi_position },
	{ 0, 0, 'K', csi_erase_line },
	{ 0, 0, 'A', csi_up },
	{ 0, 0, 'B', csi_down },
	{ 0, 0, 'C', csi_forward },
	{ 0, 0, 'D', csi_back },
	{ 0, 0, 'E', csi_next_line },
	{ 0, 0, 'F', csi_previous_line },
	{ 0, 0, 'G', csi_column },
	{ 0, 0, 'I', csi_tab },
	{ 0, 0, 'J', csi_erase_screen },
	{ 0, 0, 'L', csi_insert_lines },
	{ 0, 0, 'M', csi_delete_lines },
	{ 0, 0, 'P', csi_delete_chars },
	{ 0, 0, 'S', csi_scroll_up },
	{ 0, 0, 'T', csi_scroll_down },
	{ 0, 0, 'X', csi_erase_chars },
	{ 0, 0, 'Z', csi_back_tab },
	{ 0, 0, '@', csi_insert_chars },
	{ 0, 0, '`', csi_column },
	{ 0, 0, 'a', csi_forward },
	{ 0, 0, 'b', csi_repeat },
	{ 0, 0, 'd', csi_row },
	{ 0, 0, 'e', csi_down },
	{ 0, 0, 'f', csi_position },
	{ 0, 0, 'g', csi_clear_tab },
	{ 0, 0, 'h', csi_set },
	{ 0, 0, 'l', csi_reset },
	{ 0, 0, 'r', csi_margins },
	{ 0, 0, 's', csi_side_margins },
	{ 0, 0, 'u', model_restore },
	{ '?', 0, 'J', csi_erase_screen },
	{ '?', 0, 'K', csi_erase_line },
	{ '?', 0, 'h', csi_set },
	{ '?', 0, 'l', csi_reset },
	{ 0, '!', 'p', model_soft_reset },
	{ 0, '"', 'q', csi_protect },
};

void
model_csi(struct model *m, char final)
{
	const struct model_seq *q = &m->seq;
	size_t i;

	for (i = 0; i < N_ELEMENTS(csi_table); i++)
		if (csi_table[i].final == final &&
		    csi_table[i].prefix == q->prefix &&
		    csi_table[i].inter == q->inter) {
			csi_table[i].run(m);
			return;
		}
	(void)model_answer(m, final);
}

/* ---- ESC ---- */

static void
esc_next_line(struct model *m)
{
	model_index(m);
	model_control(m, '\r');
}

static void
esc_set_tab(struct model *m)
{
	m->tabs[m->c.col] = true;
}

/* DECALN: a screen of E. */
static void
esc_align(struct model *m)
{
	const struct cell e = { .glyph = 'E' };
	int row;

	m->c.origin = false;
	model_unset_margins(m);
	for (row = 0; row < m->rows; row++)
		grid_erase(m->g, row, 0, m->cols, &e, false);
	model_move(m, 0, 0);
}

static void
esc_single_2(struct model *m)
{
	m->single = 2;
}

static void
esc_single_3(struct model *m)
{
	m->single = 3;
}

static void
esc_lock_2(struct model *m)
{
	m->c.shift = 2;
}

static void
esc_lock_3(struct model *m)
{
	m->c.shift = 3;
}

static const struct {
	char inter, final;
	void (*run)(struct model *m);
} esc_table[] = {
	{ 0, 'D', model_index },
	{ 0, 'E', esc_next_line },
	{ 0, 'H', esc_set_tab },
	{ 0, 'M', model_reverse_index },
	{ 0, 'N', esc_single_2 },
	{ 0, 'O', esc_single_3 },
	{ 0, '7', model_save },
	{ 0, '8', model_restore },
	{ 0, 'c', model_reset },
	{ 0, 'n', esc_lock_2 },
	{ 0, 'o', esc_lock_3 },
	{ '#', '8', esc_align },
};

void
model_escape(struct model *m, char final)
{
	static const char designators[] = "()*+";
	const char *d, *set;
	size_t i;

	d = m->seq.inter == 0 ? NULL : strchr(designators, m->seq.inter);
	if (d != NULL) {
		set = strchr(CELL_SETS, final);
		m->c.sets[d - designators] = set == NULL ?
		    0 :
		    (uint8_t)(set - CELL_SETS);
		return;
	}
	for (i = 0; i < N_ELEMENTS(esc_table); i++)
		if (esc_table[i].final == final &&
		    esc_table[i].inter == m->seq.inter) {
			esc_table[i].run(m);
			return;
		}
}
