/*
 * screen.c - see screen.h.
 *
 * libvterm can be asked for the cells of the screen that is shown, for the
 * cursor and the pen, and for nothing else. The hidden main screen and the
 * cursor that ESC 7 saved are got by making the model show them and putting
 * it back: that is done only in ground state, where bytes of our own do no
 * harm. A cursor that waits behind the last column (pending wrap) is told
 * from one that stands on it by what was drawn last.
 */
#include "screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <vterm.h>

#include "base/scope.h"
#include "base/utf8.h"
#include "config.h"
#include "paint.h"
#include "scrollback.h"
#include "sess.pb-c.h"
#include "skip.h"

#define SLICE 16384     /* bytes fed to the model at once */
#define RING_KEEP 16384 /* bytes of memory kept for the next output */
#define SKIP_MIN 65536  /* waiting bytes of which some may be skipped */
#define SAVE_MAX (64 << 20)

struct screen {
	VTerm *vt;
	VTermState *state;
	VTermScreen *cells;
	int rows, cols;
	struct modes *modes; /* of all output that has come */
	struct modes *fed;   /* of what the model has been given */
	struct scrollback *scrollback;
	struct buf ring;  /* output that is not yet modelled */
	size_t ring_done; /* bytes of it that are */
	VTermRect last_drawn;
	int n_moves; /* of the cursor since then */
	void (*answer)(void *arg, const char *data, size_t len);
	void *answer_arg;
};

/* ---- the model's callbacks ---- */

static int
on_damage(VTermRect rect, void *arg)
{
	struct screen *s = arg;

	s->last_drawn = rect;
	s->n_moves = 0;
	return 1;
}

static int
on_movecursor(VTermPos pos, VTermPos old, int visible, void *arg)
{
	struct screen *s = arg;

	(void)pos;
	(void)old;
	(void)visible;
	s->n_moves++;
	return 1;
}

static int
on_pushline(int cols, const VTermScreenCell *cells, void *arg)
{
	struct screen *s = arg;
	struct buf b autobuf = BUF_INIT(SCREEN_SIDE_MAX * 64);
	struct pen pen = PEN_UNKNOWN;
	bool cut;

	if (paint_cells(&pen, cells, cols, &cut, &b) == 0)
		scrollback_push(s->scrollback, b.data, b.len);
	return 1;
}

static void
on_output(const char *data, size_t len, void *arg)
{
	struct screen *s = arg;

	if (s->answer != NULL)
		s->answer(s->answer_arg, data, len);
}

static const VTermScreenCallbacks callbacks = {
	.damage = on_damage,
	.movecursor = on_movecursor,
	.sb_pushline = on_pushline,
};

/* ---- life ---- */

static void
feed(struct screen *s, const void *data, size_t len)
{
	(void)vterm_input_write(s->vt, data, len);
}

static void
clip_size(int *rows, int *cols)
{
	*rows = *rows < 1 ? 1 : *rows;
	*cols = *cols < 1 ? 1 : *cols;
	*rows = *rows > SCREEN_SIDE_MAX ? SCREEN_SIDE_MAX : *rows;
	*cols = *cols > SCREEN_SIDE_MAX ? SCREEN_SIDE_MAX : *cols;
	if (*rows * *cols > SCREEN_CELLS_MAX)
		*rows = SCREEN_CELLS_MAX / *cols;
}

int
screen_new(int rows, int cols, struct screen **ret_s)
{
	struct screen *s = calloc(1, sizeof *s);

	if (s == NULL)
		return -ENOMEM;
	clip_size(&rows, &cols);
	s->rows = rows;
	s->cols = cols;
	s->ring = BUF_INIT(MODEL_RING_BYTES);
	s->modes = modes_new();
	s->fed = modes_new();
	s->scrollback = scrollback_new(SCROLLBACK_ROWS, SCROLLBACK_BYTES);
	s->vt = vterm_new(rows, cols);
	if (s->modes == NULL || s->fed == NULL || s->scrollback == NULL ||
	    s->vt == NULL) {
		screen_free(s);
		return -ENOMEM;
	}
	vterm_set_utf8(s->vt, 1);
	vterm_output_set_callback(s->vt, on_output, s);
	s->state = vterm_obtain_state(s->vt);
	s->cells = vterm_obtain_screen(s->vt);
	vterm_screen_set_callbacks(s->cells, &callbacks, s);
	vterm_screen_enable_altscreen(s->cells, 1);
	vterm_screen_reset(s->cells, 1);
	feed(s, "\0337", 2); /* else what ESC 8 restores is no pen at all */
	*ret_s = s;
	return 0;
}

void
screen_free(struct screen *s)
{
	if (s == NULL)
		return;
	if (s->vt != NULL)
		vterm_free(s->vt);
	modes_free(s->modes);
	modes_free(s->fed);
	scrollback_free(s->scrollback);
	buf_done(&s->ring);
	free(s);
}

/* ---- output ---- */

/* The program's own output, as against what we make the model do. */
static void
feed_output(struct screen *s, const uint8_t *data, size_t len)
{
	modes_scan(s->fed, data, len);
	feed(s, data, len);
}

/* Could lines that come now push all that is there off the screen? */
static bool
may_skip(const struct screen *s)
{
	int top, bottom;

	return modes_ground(s->fed) && !modes_margins(s->fed, &top, &bottom);
}

/* Pass over what has no effect any more. */
static void
skip(struct screen *s)
{
	const uint8_t *data = s->ring.data + s->ring_done;
	size_t waiting = s->ring.len - s->ring_done;
	size_t n_lines = (size_t)s->rows * 2 + SCROLLBACK_ROWS + 2;
	struct buf pen autobuf = BUF_INIT(MODEL_RING_BYTES);
	struct skip k;

	if (waiting < SKIP_MIN || !may_skip(s) ||
	    !skip_find(data, waiting, n_lines, &k))
		return;
	feed_output(s, data, k.feed);
	s->ring_done += k.feed;
	if (!may_skip(s) || skip_carry(data + k.feed, k.cut - k.feed, &pen) < 0)
		return;
	feed_output(s, (const uint8_t *)"\r", 1);
	feed_output(s, pen.data, pen.len);
	s->ring_done += k.cut - k.feed;
}

/*
 * libvterm (0.1.4) forgets the beginning of a character that is cut by the
 * end of what it is given when ASCII came before it. So it is never given
 * one: up to three bytes stay in the ring until the rest has come.
 */
bool
screen_settle(struct screen *s, size_t len)
{
	size_t waiting = s->ring.len - s->ring_done, whole, take;
	const uint8_t *data;

	if (waiting == 0)
		return false;
	if (waiting >= SKIP_MIN)
		skip(s);
	waiting = s->ring.len - s->ring_done;
	data = s->ring.data + s->ring_done;
	whole = waiting - utf8_torn(data, waiting);
	take = whole;
	if (whole > len)
		take = len - utf8_torn(data, len);
	if (take > 0)
		feed_output(s, data, take);
	s->ring_done += take;
	if (take < whole)
		return true;
	buf_drop(&s->ring, s->ring_done);
	s->ring_done = 0;
	if (s->ring.len == 0 && s->ring.cap > RING_KEEP)
		buf_done(&s->ring);
	return false;
}

void
screen_flush(struct screen *s)
{
	skip(s);
	while (screen_settle(s, SLICE))
		;
}

void
screen_write(struct screen *s, const uint8_t *data, size_t len)
{
	modes_scan(s->modes, data, len);
	if (buf_put(&s->ring, data, len) == 0)
		return;
	/* Full, or no memory: now is the time. */
	skip(s);
	buf_drop(&s->ring, s->ring_done);
	s->ring_done = 0;
	if (s->ring.len < MODEL_RING_BYTES / 2 &&
	    buf_put(&s->ring, data, len) == 0)
		return;
	screen_flush(s);
	if (buf_put(&s->ring, data, len) < 0)
		feed_output(s, data, len);
}

void
screen_resize(struct screen *s, int rows, int cols)
{
	clip_size(&rows, &cols);
	screen_flush(s);
	if (rows == s->rows && cols == s->cols)
		return;
	vterm_set_size(s->vt, rows, cols);
	s->rows = rows;
	s->cols = cols;
}

void
screen_size(const struct screen *s, int *ret_rows, int *ret_cols)
{
	*ret_rows = s->rows;
	*ret_cols = s->cols;
}

const struct modes *
screen_modes(const struct screen *s)
{
	return s->modes;
}

void
screen_answer(struct screen *s,
    void (*answer)(void *arg, const char *data, size_t len), void *arg)
{
	s->answer = answer;
	s->answer_arg = arg;
}

/* ---- cursor and pen ---- */

struct cursor {
	VTermPos pos;
	VTermScreenCell pen;
	bool pending; /* it waits behind the last column */
};

static bool
is_pending(const struct screen *s, VTermPos pos)
{
	VTermScreenCell cell;

	if (pos.col != s->cols - 1 || !modes_wraps(s->modes) ||
	    s->n_moves > 1 || s->last_drawn.end_col != s->cols ||
	    s->last_drawn.end_row != pos.row + 1)
		return false;
	(void)vterm_screen_get_cell(s->cells, pos, &cell);
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

	(void)vterm_screen_get_cell(s->cells, pos, &cell);
	if (cell.chars[0] == (uint32_t)-1 && pos.col > 0) {
		pos.col--;
		(void)vterm_screen_get_cell(s->cells, pos, &cell);
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

	feed(s, "\0338", 2);
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
		feed(s, plain, sizeof plain - 1);
		feed(s, front->data, front->len);
	}
	if (modes_origin(s->modes))
		feed(s, "\033[?6h", 5);
	r = put_cursor(s, c, modes_origin(s->modes), &b);
	if (r == 0 && front != NULL && modes_inserts(s->modes))
		r = buf_printf(&b, "\033[4h");
	if (r == 0 && front != NULL)
		r = modes_redo_sets(s->modes, &b);
	if (r == 0)
		feed(s, b.data, b.len);
	return r;
}

/* ---- painting ---- */

static int
put_rows(struct screen *s, struct buf *out)
{
	return paint_rows(s->cells, s->rows, s->cols, 0, s->rows, s->cols, out);
}

/* The main screen and its cursor, where it is the one that is shown. */
static int
paint_main(struct screen *s, struct buf *out)
{
	struct cursor own = get_cursor(s), saved;
	int r = put_rows(s, out);

	if (r < 0 || !modes_ground(s->fed))
		return r;
	saved = saved_cursor(s);
	r = restore_model(s, &own, NULL);
	if (r == 0)
		r = put_cursor(s, &saved, false, out);
	return r < 0 ? r : buf_printf(out, "\0337");
}

/* The main screen behind, and the alternate one over it. */
static int
paint_alternate(struct screen *s, struct buf *out)
{
	struct buf front autobuf = BUF_INIT(SCREEN_PAINT_MAX);
	struct cursor own = get_cursor(s), saved;
	VTermValue off = { .boolean = 0 }, on = { .boolean = 1 };
	int r = put_rows(s, &front), q;

	if (r < 0)
		return r;
	if (modes_ground(s->fed)) {
		saved = saved_cursor(s);
		(void)vterm_state_set_termprop(s->state, VTERM_PROP_ALTSCREEN,
		    &off);
		r = put_rows(s, out);
		if (r == 0)
			r = put_cursor(s, &saved, false, out);
		(void)vterm_state_set_termprop(s->state, VTERM_PROP_ALTSCREEN,
		    &on);
		q = restore_model(s, &own, &front);
		r = r < 0 ? r : q;
	}
	if (r == 0)
		r = buf_printf(out, "\0337\033[?%dh",
		    modes_alternate(s->modes));
	return r < 0 ? r : buf_put(out, front.data, front.len);
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

int
screen_paint(struct screen *s, struct buf *out)
{
	struct cursor c;
	int r;

	screen_flush(s);
	c = get_cursor(s);
	r = buf_printf(out, "\033[?25l");
	if (r == 0)
		r = modes_alternate(s->modes) != 0 ? paint_alternate(s, out) :
						     paint_main(s, out);
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
screen_view(struct screen *s, int rows, int cols, struct buf *out)
{
	struct cursor c;
	int first, r;

	screen_flush(s);
	c = get_cursor(s);
	first = c.pos.row >= rows ? c.pos.row - rows + 1 : 0;
	r = buf_printf(out, "\033[?2026h\033[?25l");
	if (r == 0)
		r = paint_rows(s->cells, s->rows, s->cols, first, rows, cols,
		    out);
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
	VTermPos pos;
	int row = s->rows - 1;

	screen_flush(s);
	if (modes_alternate(s->modes) != 0)
		return row;
	vterm_state_get_cursorpos(s->state, &pos);
	while (row > pos.row && paint_row_blank(s->cells, row, s->cols))
		row--;
	return row;
}

/* ---- the image ---- */

int
screen_save(struct screen *s, struct buf *out)
{
	struct buf paint autobuf = BUF_INIT(SCREEN_PAINT_MAX);
	Sess__Screen m = SESS__SCREEN__INIT;
	autofree ProtobufCBinaryData *lines = NULL;
	size_t i, n, len;
	int r;

	r = screen_paint(s, &paint);
	if (r < 0)
		return r;
	n = scrollback_rows(s->scrollback);
	lines = calloc(n + 1, sizeof *lines);
	if (lines == NULL)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		lines[i].data = (uint8_t *)(uintptr_t)
		    scrollback_row(s->scrollback, i, &lines[i].len);
	m.rows = (uint32_t)s->rows;
	m.cols = (uint32_t)s->cols;
	m.paint.data = paint.data;
	m.paint.len = paint.len;
	m.n_scrollback = n;
	m.scrollback = lines;
	len = sess__screen__get_packed_size(&m);
	r = buf_reserve(out, len);
	if (r < 0)
		return r;
	out->len += sess__screen__pack(&m, out->data + out->len);
	return 0;
}

static int
load(const Sess__Screen *m, struct screen **ret_s)
{
	struct screen *s;
	size_t i;
	int r;

	if (m->rows < 1 || m->rows > SCREEN_SIDE_MAX || m->cols < 1 ||
	    m->cols > SCREEN_SIDE_MAX || m->rows * m->cols > SCREEN_CELLS_MAX)
		return -EBADMSG;
	r = screen_new((int)m->rows, (int)m->cols, &s);
	if (r < 0)
		return r;
	for (i = 0; i < m->n_scrollback; i++)
		scrollback_push(s->scrollback, m->scrollback[i].data,
		    m->scrollback[i].len);
	screen_write(s, m->paint.data, m->paint.len);
	screen_flush(s);
	*ret_s = s;
	return 0;
}

int
screen_load(const void *data, size_t len, struct screen **ret_s)
{
	Sess__Screen *m;
	int r;

	if (len > SAVE_MAX)
		return -EBADMSG;
	m = sess__screen__unpack(NULL, len, data);
	if (m == NULL)
		return -EBADMSG;
	r = load(m, ret_s);
	sess__screen__free_unpacked(m, NULL);
	return r;
}
