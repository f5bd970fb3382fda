/*
 * screen.c - see screen.h: the model's life, what is fed to it, its image.
 */
#include "screen/screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <vterm.h>

#include "base/scope.h"
#include "base/utf8.h"
#include "config.h"
#include "screen/paint.h"
#include "screen/screen_state.h"
#include "screen/skip.h"
#include "sess.pb-c.h"

#define SLICE 16384     /* bytes fed to the model at once */
#define RING_KEEP 16384 /* bytes of memory kept for the next output */
#define SKIP_MIN 65536  /* waiting bytes of which some may be skipped */
#define MODEL_COLS_MIN 4
#define SAVE_MAX (64 << 20)

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

void
screen_push_line(struct screen *s, const VTermScreenCell *cells, int n)
{
	struct buf b autobuf = BUF_INIT(SCREEN_SIDE_MAX * 64);
	struct pen pen = PEN_UNKNOWN;
	bool cut;

	if (paint_cells(&pen, cells, n, &cut, &b) == 0)
		scrollback_push(s->scrollback, b.data, b.len);
}

static int
on_pushline(int cols, const VTermScreenCell *cells, void *arg)
{
	screen_push_line(arg, cells, cols);
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

void
screen_feed(struct screen *s, const void *data, size_t len)
{
	(void)vterm_input_write(s->vt, data, len);
}

/*
 * libvterm (0.1.4) ends the process when a wide glyph meets a line of one
 * column; a double-width line has half the columns.
 */
static int
model_cols(int cols)
{
	return cols < MODEL_COLS_MIN ? MODEL_COLS_MIN : cols;
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

VTerm *
screen_new_model(struct screen *s, int rows, int cols)
{
	VTerm *vt = vterm_new(rows, model_cols(cols));
	VTermScreen *cells;

	if (vt == NULL)
		return NULL;
	vterm_set_utf8(vt, 1);
	vterm_output_set_callback(vt, on_output, s);
	cells = vterm_obtain_screen(vt);
	vterm_screen_set_callbacks(cells, &callbacks, s);
	vterm_screen_enable_altscreen(cells, 1);
	vterm_screen_reset(cells, 1);
	/* Else what ESC 8 restores is no pen at all. */
	(void)vterm_input_write(vt, "\0337", 2);
	return vt;
}

int
screen_new(int rows, int cols, struct screen **ret_s)
{
	struct screen *s = calloc(1, sizeof *s);

	if (s == NULL)
		return -ENOMEM;
	clip_size(&rows, &cols);
	s->rows = s->want_rows = rows;
	s->cols = s->want_cols = cols;
	s->ring = BUF_INIT(MODEL_RING_BYTES);
	s->modes = modes_new();
	s->fed = modes_new();
	s->scrollback = scrollback_new(SCROLLBACK_ROWS, SCROLLBACK_BYTES);
	s->vt = screen_new_model(s, rows, cols);
	if (s->modes == NULL || s->fed == NULL || s->scrollback == NULL ||
	    s->vt == NULL) {
		screen_free(s);
		return -ENOMEM;
	}
	s->state = vterm_obtain_state(s->vt);
	s->cells = vterm_obtain_screen(s->vt);
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
	screen_feed(s, data, len);
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
	if ((s->want_rows != s->rows || s->want_cols != s->cols) &&
	    modes_ground(s->fed))
		(void)screen_reshape(s);
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
	s->want_rows = rows;
	s->want_cols = cols;
	screen_flush(s);
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
