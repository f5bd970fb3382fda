/*
 * screen_paint.c - what the model shows, as bytes.
 *
 * libvterm can be asked for the cells of the screen that is shown, for the
 * cursor and the pen, and for nothing else. The hidden main screen and the
 * cursor that ESC 7 saved are got by making the model show them and putting
 * it back: that is done only in ground state, where bytes of our own do no
 * harm. A cursor that waits behind the last column (pending wrap) is told
 * from one that stands on it by what was drawn last.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/scope.h"
#include "screen/paint.h"
#include "screen/screen_state.h"

/* ---- cursor and pen ---- */

struct cursor {
	VTermPos pos;
	VTermScreenCell pen;
	bool pending; /* it waits behind the last column */
};

static struct paint_source
source(const struct screen *s)
{
	return (struct paint_source){ .screen = s->cells,
		.rows = s->rows,
		.cols = s->cols,
		.reversed = modes_reversed(s->fed) };
}

static VTermScreenCell
get_cell(const struct screen *s, VTermPos pos)
{
	struct paint_source p = source(s);

	return paint_cell(&p, pos);
}

static bool
is_pending(const struct screen *s, VTermPos pos)
{
	VTermScreenCell cell;

	if (pos.col != s->cols - 1 || !modes_wraps(s->modes) ||
	    s->n_moves > 1 || s->last_drawn.end_col != s->cols ||
	    s->last_drawn.end_row != pos.row + 1)
		return false;
	cell = get_cell(s, pos);
	return cell.chars[0] != 0;
}

static struct cursor
get_cursor(const struct screen *s)
{
	struct cursor c;

	vterm_state_get_cursorpos(s->state, &c.pos);
	c.pen = paint_model_pen(s->state);
	c.pending = is_pending(s, c.pos);
	return c;
}

/* Draw the last glyph of the row again, so that the wrap is pending again. */
static int
put_pending(struct screen *s, const struct cursor *c, int row, struct buf *out)
{
	struct pen pen = PEN_UNKNOWN;
	VTermPos pos = c->pos;
	VTermScreenCell cell;
	int r;

	cell = get_cell(s, pos);
	if (cell.chars[0] == (uint32_t)-1 && pos.col > 0) {
		pos.col--;
		cell = get_cell(s, pos);
	}
	if ((r = paint_move(row, pos.col, out)) < 0 ||
	    (r = paint_pen(&pen, &cell, out)) < 0)
		return r;
	return paint_glyph(&cell, out);
}

/* Append what puts cursor and pen where C has them. */
static int
put_cursor(struct screen *s, const struct cursor *c, bool origin,
    struct buf *out)
{
	struct pen pen = PEN_UNKNOWN;
	int row = c->pos.row, top, bottom, r;

	if (origin && modes_margins(s->modes, &top, &bottom))
		row = row > top ? row - top : 0;
	r = c->pending ? put_pending(s, c, row, out) :
			 paint_move(row, c->pos.col, out);
	return r < 0 ? r : paint_pen(&pen, &c->pen, out);
}

/*
 * Ask the model for the cursor that ESC 7 saved, by restoring it. The caller
 * puts the model's own back (restore_model()).
 */
static struct cursor
saved_cursor(struct screen *s)
{
	struct cursor c;

	screen_feed(s, "\0338", 2);
	c = get_cursor(s);
	c.pending = false;
	return c;
}

/* Take back what was done to the model to look into it. FRONT: its cells. */
static int
restore_model(struct screen *s, const struct cursor *c, const struct buf *front)
{
	static const char plain[] = "\033[?6l\033[4l\033(B\033)B\017";
	struct buf b autobuf = BUF_INIT(SCREEN_PAINT_MAX);
	int r;

	if (front != NULL) {
		screen_feed(s, plain, sizeof plain - 1);
		screen_feed(s, front->data, front->len);
	}
	if (modes_origin(s->modes))
		screen_feed(s, "\033[?6h", 5);
	r = put_cursor(s, c, modes_origin(s->modes), &b);
	if (r == 0 && front != NULL && modes_inserts(s->modes))
		r = buf_printf(&b, "\033[4h");
	if (r == 0 && front != NULL)
		r = modes_redo_sets(s->modes, &b);
	if (r == 0)
		screen_feed(s, b.data, b.len);
	return r;
}

/* ---- painting ---- */

/*
 * The size to paint for. Where it is smaller, the rows around the cursor are
 * kept and what is above them leaves at the top.
 */
struct frame {
	int rows, cols;
	bool push; /* into the scrollback */
};

static int
first_row(const struct frame *f, const struct cursor *c)
{
	return c->pos.row >= f->rows ? c->pos.row - f->rows + 1 : 0;
}

/* C as it is in the frame when its screen begins with row FIRST. */
static struct cursor
in_frame(const struct screen *s, const struct frame *f, const struct cursor *c,
    int first)
{
	struct cursor moved = *c;

	moved.pos.row = c->pos.row < first ? 0 : c->pos.row - first;
	if (moved.pos.row >= f->rows)
		moved.pos.row = f->rows - 1;
	if (moved.pos.col >= f->cols)
		moved.pos.col = f->cols - 1;
	moved.pending = c->pending && f->cols == s->cols && first == 0;
	return moved;
}

/* The rows from FIRST on, and those above into the scrollback. */
static int
put_rows(struct screen *s, const struct frame *f, int first, bool push,
    struct buf *out)
{
	struct paint_source p = source(s);
	autofree VTermScreenCell *cells = calloc((size_t)s->cols + 1,
	    sizeof *cells);
	VTermPos pos;

	if (cells == NULL)
		return -ENOMEM;
	for (pos.row = 0; push && pos.row < first; pos.row++) {
		for (pos.col = 0; pos.col < s->cols; pos.col++)
			cells[pos.col] = paint_cell(&p, pos);
		screen_push_line(s, cells, s->cols);
	}
	return paint_rows(&p, first, f->rows, f->cols, out);
}

/* The main screen and its cursor, where it is the one that is shown. */
static int
paint_main(struct screen *s, const struct frame *f, struct buf *out)
{
	struct cursor own = get_cursor(s), saved;
	int first = first_row(f, &own), r;

	r = put_rows(s, f, first, f->push, out);
	if (r < 0 || !modes_ground(s->fed))
		return r;
	saved = saved_cursor(s);
	r = restore_model(s, &own, NULL);
	if (r < 0)
		return r;
	saved = in_frame(s, f, &saved, first);
	r = put_cursor(s, &saved, false, out);
	return r < 0 ? r : buf_printf(out, "\0337");
}

/* What lies behind the alternate screen, which FRONT will restore. */
static int
paint_behind(struct screen *s, const struct frame *f, const struct buf *front,
    struct buf *out)
{
	VTermValue off = { .boolean = 0 }, on = { .boolean = 1 };
	struct cursor own = get_cursor(s), saved = saved_cursor(s);
	int first = first_row(f, &saved), r, q;

	(void)vterm_state_set_termprop(s->state, VTERM_PROP_ALTSCREEN, &off);
	r = put_rows(s, f, first, f->push, out);
	if (r == 0) {
		saved = in_frame(s, f, &saved, first);
		r = put_cursor(s, &saved, false, out);
	}
	(void)vterm_state_set_termprop(s->state, VTERM_PROP_ALTSCREEN, &on);
	q = restore_model(s, &own, front);
	return r < 0 ? r : q;
}

/* The main screen behind, and the alternate one over it. */
static int
paint_alternate(struct screen *s, const struct frame *f, struct buf *out)
{
	const struct frame all = { .rows = s->rows, .cols = s->cols };
	struct buf front autobuf = BUF_INIT(SCREEN_PAINT_MAX);
	struct cursor own = get_cursor(s);
	int r = 0;

	if (modes_ground(s->fed)) {
		r = put_rows(s, &all, 0, false, &front);
		if (r == 0)
			r = paint_behind(s, f, &front, out);
	}
	if (r == 0)
		r = buf_printf(out, "\0337\033[?%dh",
		    modes_alternate(s->modes));
	return r < 0 ? r : put_rows(s, f, first_row(f, &own), false, out);
}

static int
put_margins(const struct screen *s, struct buf *out)
{
	int top, bottom;

	if (!modes_margins(s->modes, &top, &bottom))
		return 0;
	return buf_printf(out, "\033[%d;%dr", top + 1,
	    bottom < 0 ? s->rows : bottom + 1);
}

static int
paint(struct screen *s, const struct frame *f, struct buf *out)
{
	struct cursor c = get_cursor(s);
	int r = buf_printf(out, "\033[?25l");

	c = in_frame(s, f, &c, first_row(f, &c));
	if (r == 0)
		r = modes_alternate(s->modes) != 0 ?
		    paint_alternate(s, f, out) :
		    paint_main(s, f, out);
	if (r == 0)
		r = put_margins(s, out);
	if (r == 0)
		r = modes_redo(s->modes, false, out);
	if (r == 0)
		r = put_cursor(s, &c, modes_origin(s->modes), out);
	if (r == 0)
		r = modes_redo_sets(s->modes, out);
	if (r == 0 && modes_cursor_visible(s->modes))
		r = buf_printf(out, "\033[?25h");
	return r < 0 ? r : modes_partial(s->modes, out);
}

int
screen_paint(struct screen *s, struct buf *out)
{
	struct frame f;

	screen_flush(s);
	f = (struct frame){ .rows = s->rows, .cols = s->cols };
	return paint(s, &f, out);
}

/*
 * A model of another size: a new one, painted from the old. libvterm (0.1.4)
 * can resize one, but what it does not bring into the new size - the margins,
 * the saved cursor, its notes on lines - later ends the process.
 */
int
screen_reshape(struct screen *s)
{
	struct frame f = { .rows = s->want_rows,
		.cols = s->want_cols,
		.push = true };
	struct buf b autobuf = BUF_INIT(SCREEN_PAINT_MAX);
	VTerm *vt = screen_new_model(s, f.rows, f.cols);
	int r;

	if (vt == NULL)
		return -ENOMEM;
	/* As terminals do: a new size has no margins. */
	modes_unset_margins(s->modes);
	modes_unset_margins(s->fed);
	r = paint(s, &f, &b);
	if (r < 0) {
		vterm_free(vt);
		return r;
	}
	vterm_free(s->vt);
	s->vt = vt;
	s->state = vterm_obtain_state(vt);
	s->cells = vterm_obtain_screen(vt);
	s->rows = f.rows;
	s->cols = f.cols;
	screen_feed(s, b.data, b.len);
	return 0;
}

int
screen_view(struct screen *s, int rows, int cols, struct buf *out)
{
	struct paint_source p;
	struct cursor c;
	int first, r;

	screen_flush(s);
	c = get_cursor(s);
	p = source(s);
	first = c.pos.row >= rows ? c.pos.row - rows + 1 : 0;
	r = buf_printf(out, "\033[?2026h\033[?25l");
	if (r == 0)
		r = paint_rows(&p, first, rows, cols, out);
	if (r == 0)
		r = paint_move(c.pos.row - first,
		    c.pos.col < cols ? c.pos.col : cols - 1, out);
	if (r == 0 && modes_cursor_visible(s->modes) && c.pos.col < cols)
		r = buf_printf(out, "\033[?25h");
	return r < 0 ? r : buf_printf(out, "\033[?2026l");
}

int
screen_bottom(struct screen *s)
{
	struct paint_source p;
	VTermPos pos;
	int row = s->rows - 1;

	screen_flush(s);
	if (modes_alternate(s->modes) != 0)
		return row;
	p = source(s);
	vterm_state_get_cursorpos(s->state, &pos);
	while (row > pos.row && paint_row_blank(&p, row))
		row--;
	return row;
}
