/*
 * screen_paint.c - what the model shows, as bytes.
 *
 * A painting begins on a terminal in its default state. The main screen comes
 * first, with the cursor that is saved there, then the alternate one where it
 * is shown; modes and margins last, because they change what painting does.
 */
#include "screen/paint.h"
#include "screen/screen_state.h"

/* ---- the cursor ---- */

/*
 * Draw the glyph again behind which the cursor waits, so that it waits there:
 * the last of its line, in G and at ROW and COL of the terminal.
 */
static int
put_pending(struct painter *p, const struct grid *g,
    const struct model_cursor *c, int row, int col)
{
	const struct cell *cell = &g->row[c->row][c->col];
	int r;

	if (cell->glyph == GLYPH_TAIL) {
		col--;
		cell--;
	}
	r = paint_move(row, col, p->out);
	if (r == 0)
		r = paint_pen(p, &cell->pen);
	return r < 0 ? r : paint_glyph(p->model, cell, p->out);
}

/* The pen with which the program goes on, its characters in their own set. */
static int
put_cursor(struct painter *p, const struct grid *g,
    const struct model_cursor *c, int row, int col)
{
	int r = c->pending ? put_pending(p, g, c, row, col) :
			     paint_move(row, col, p->out);

	return r < 0 ? r : paint_pen(p, &c->pen);
}

static const char designators[] = "()*+";

static int
put_sets(const struct model_cursor *c, struct buf *out)
{
	static const char *const shifts[] = { "", "\016", "\033n", "\033o" };
	int i, r = 0;

	for (i = 0; i < 4 && r == 0; i++)
		if (c->sets[i] != 0)
			r = buf_printf(out, "\033%c%c", designators[i],
			    CELL_SETS[c->sets[i]]);
	return r < 0 ? r : buf_printf(out, "%s", shifts[c->shift]);
}

/* What put_sets() did, undone. */
static int
unput_sets(const struct model_cursor *c, struct buf *out)
{
	int i, r = 0;

	for (i = 0; i < 4 && r == 0; i++)
		if (c->sets[i] != 0)
			r = buf_printf(out, "\033%cB", designators[i]);
	return r < 0 ? r : buf_printf(out, "%s", c->shift == 0 ? "" : "\017");
}

/*
 * Save cursor C of G; no margins are set. ENTER is the mode that then shows
 * the alternate screen, or 0: 1049 saves once more.
 */
static int
put_saved(struct painter *p, const struct grid *g, const struct model_cursor *c,
    int enter)
{
	static const struct pen plain;
	int r = 0;

	if (c->origin)
		r = buf_printf(p->out, "\033[?6h");
	if (r == 0)
		r = put_cursor(p, g, c, c->row, c->col);
	if (r == 0)
		r = put_sets(c, p->out);
	if (r == 0)
		r = buf_printf(p->out, "\0337");
	if (r == 0 && enter != 0)
		r = buf_printf(p->out, "\033[?%dh", enter);
	if (r == 0 && c->origin)
		r = buf_printf(p->out, "\033[?6l");
	if (r == 0)
		r = unput_sets(c, p->out);
	return r < 0 ? r : paint_pen(p, &plain);
}

/* ---- painting ---- */

static int
paint_screen(struct painter *p, const struct model_screen *s)
{
	return paint_rows(p, &s->grid, 0, p->model->rows, p->model->cols);
}

static int
paint_screens(struct painter *p, const struct modes *modes)
{
	const struct model *m = p->model;
	const struct model_screen *main = &m->screen[0], *alt = &m->screen[1];
	int enter = m->shown == 0 ? 0 : modes_alternate(modes);
	int r = paint_screen(p, main);

	if (r == 0)
		r = put_saved(p, &main->grid, &main->saved, enter);
	if (r < 0 || enter == 0)
		return r;
	r = paint_screen(p, alt);
	if (r == 0 && alt->has_saved)
		r = put_saved(p, &alt->grid, &alt->saved, 0);
	return r;
}

static int
put_tabs(const struct model *m, struct buf *out)
{
	int col, r;

	for (col = 0; col < m->cols && m->tabs[col] == (col % 8 == 0); col++)
		;
	if (col == m->cols)
		return 0;
	r = buf_printf(out, "\033[3g");
	for (col = 0; col < m->cols && r == 0; col++)
		if (m->tabs[col])
			r = buf_printf(out, "\033[%dG\033H", col + 1);
	return r;
}

/* Those that the program gave, be it all rows. */
static int
put_margins(const struct screen *s, struct buf *out)
{
	const struct model *m = s->model;
	int top, bottom;

	if (m->top == 0 && m->bottom == m->rows - 1 &&
	    !modes_margins(s->modes, &top, &bottom))
		return 0;
	return buf_printf(out, "\033[%d;%dr", m->top + 1, m->bottom + 1);
}

/*
 * Modes, and cursor and pen as the program goes on with them. The link comes
 * with the character sets (modes_redo_sets()).
 */
static int
put_state(struct screen *s, struct painter *p)
{
	const struct model *m = s->model;
	struct model_cursor c = m->c;
	int r = put_tabs(m, p->out);

	c.pen.link = 0;

	if (r == 0)
		r = put_margins(s, p->out);
	if (r == 0)
		r = modes_redo(s->modes, false, p->out);
	if (r == 0 && modes_origin(s->modes) != c.origin)
		r = buf_printf(p->out, "\033[?6%c", c.origin ? 'h' : 'l');
	if (r == 0)
		r = put_cursor(p, m->g, &c, c.row - (c.origin ? m->top : 0),
		    c.col - (c.origin ? m->left : 0));
	if (r == 0)
		r = modes_redo_sets(s->modes, p->out);
	return r;
}

int
screen_paint(struct screen *s, struct buf *out)
{
	struct painter p = PAINTER(s->model, out);
	int r = buf_printf(out, "\033[?25l");

	screen_flush(s);
	if (r == 0)
		r = paint_screens(&p, s->modes);
	if (r == 0)
		r = put_state(s, &p);
	if (r == 0 && modes_cursor_visible(s->modes))
		r = buf_printf(out, "\033[?25h");
	return r < 0 ? r : modes_partial(s->modes, out);
}

int
screen_view(struct screen *s, int rows, int cols, struct buf *out)
{
	struct painter p = PAINTER(s->model, out);
	const struct model_cursor *c = &s->model->c;
	int first, r;

	screen_flush(s);
	first = c->row >= rows ? c->row - rows + 1 : 0;
	r = buf_printf(out, "\033[?2026h\033[?25l");
	if (r == 0)
		r = paint_rows(&p, s->model->g, first, rows, cols);
	if (r == 0)
		r = paint_move(c->row - first,
		    c->col < cols ? c->col : cols - 1, out);
	if (r == 0 && modes_cursor_visible(s->modes) && c->col < cols)
		r = buf_printf(out, "\033[?25h");
	return r < 0 ? r : buf_printf(out, "\033[?2026l");
}

int
screen_bottom(struct screen *s)
{
	const struct model *m = s->model;
	int row = m->rows - 1;

	screen_flush(s);
	if (m->shown != 0)
		return row;
	while (row > m->c.row && paint_row_blank(m->g, row))
		row--;
	return row;
}
