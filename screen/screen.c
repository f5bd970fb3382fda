/*
 * screen.c - see screen.h: the model's life, what is fed to it, its image.
 */
#include "screen/screen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "config.h"
#include "screen/paint.h"
#include "screen/screen_state.h"
#include "screen/skip.h"
#include "sess.pb-c.h"

#define SLICE 16384     /* bytes fed to the model at once */
#define RING_KEEP 16384 /* bytes of memory kept for the next output */
#define SKIP_MIN 65536  /* waiting lines' bytes of which some may be skipped */
#define LINE_MAX_BYTES (SCREEN_SIDE_MAX * 64)
#define SAVE_MAX (64 << 20)

/* ---- what the model tells ---- */

static void
on_line(void *arg, const struct cell *cells, int n)
{
	struct screen *s = arg;
	struct buf b autobuf = BUF_INIT(LINE_MAX_BYTES);
	struct painter p = PAINTER(s->model, &b);
	bool cut;

	p.known = true;
	if (paint_cells(&p, cells, n, false, &cut) == 0)
		scrollback_push(s->scrollback, b.data, b.len);
}

static void
on_forget(void *arg)
{
	struct screen *s = arg;

	scrollback_clear(s->scrollback);
}

static void
on_answer(void *arg, const char *data, size_t len)
{
	struct screen *s = arg;

	if (s->answer != NULL)
		s->answer(s->answer_arg, data, len);
}

static int
on_mode(void *arg, bool private, unsigned number)
{
	struct screen *s = arg;

	return modes_get(s->modes, private, number);
}

static unsigned
on_keyboard(void *arg)
{
	struct screen *s = arg;

	return modes_keyboard(s->modes);
}

static void
on_pixels(void *arg, int *ret_width, int *ret_height)
{
	struct screen *s = arg;

	*ret_width = s->width;
	*ret_height = s->height;
}

/* As the program set it, or as a dark terminal has it. */
static bool
on_color(void *arg, const char *which, struct rgb *ret_color)
{
	static const struct rgb ink = { 229, 229, 229 }, paper = { 0, 0, 0 };
	struct screen *s = arg;
	const char *text = modes_color(s->modes, which);
	unsigned r, g, b;
	int n = atoi(which);

	if (text != NULL &&
	    (sscanf(text, "#%2x%2x%2x", &r, &g, &b) == 3 ||
		sscanf(text, "rgb:%2x%*[^/]/%2x%*[^/]/%2x", &r, &g, &b) == 3 ||
		sscanf(text, "rgb:%2x/%2x/%2x", &r, &g, &b) == 3)) {
		*ret_color = (struct rgb){ (int)r, (int)g, (int)b };
		return true;
	}
	if (strncmp(which, "4;", 2) == 0 && atoi(which + 2) < 256 &&
	    which[2] >= '0' && which[2] <= '9')
		*ret_color = palette_color(atoi(which + 2));
	else if (n >= 10 && n <= 12)
		*ret_color = n == 11 ? paper : ink;
	else
		return false;
	return true;
}

static const struct model_hooks hooks = {
	.line = on_line,
	.forget = on_forget,
	.answer = on_answer,
	.mode = on_mode,
	.keyboard = on_keyboard,
	.pixels = on_pixels,
	.color = on_color,
};

/* ---- life ---- */

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
	s->ring = BUF_INIT(MODEL_RING_BYTES);
	s->modes = modes_new();
	s->scrollback = scrollback_new(SCROLLBACK_ROWS, SCROLLBACK_BYTES);
	s->model = model_new(rows, cols, &hooks, s);
	if (s->modes == NULL || s->scrollback == NULL || s->model == NULL) {
		screen_free(s);
		return -ENOMEM;
	}
	*ret_s = s;
	return 0;
}

void
screen_free(struct screen *s)
{
	if (s == NULL)
		return;
	model_free(s->model);
	modes_free(s->modes);
	scrollback_free(s->scrollback);
	buf_done(&s->ring);
	free(s);
}

/* ---- output ---- */

/* Give the model the next LEN bytes of what waits. */
static void
feed(struct screen *s, size_t len)
{
	model_write(s->model, s->ring.data + s->ring_done, len);
	s->ring_done += len;
}

static void
empty(struct screen *s)
{
	buf_drop(&s->ring, s->ring_done);
	s->ring_plain -= s->ring_plain < s->ring_done ? s->ring_plain :
							s->ring_done;
	s->ring_done = 0;
}

/* Pass over what has no effect any more. */
static void
skip(struct screen *s)
{
	size_t n_lines = (size_t)s->model->rows * 2 + SCROLLBACK_ROWS + 2;
	size_t from = s->ring_plain > s->ring_done ? s->ring_plain :
						     s->ring_done;
	const uint8_t *data = s->ring.data + from;
	struct buf pen autobuf = BUF_INIT(MODEL_RING_BYTES);
	size_t cut;

	if (s->ring.len - from < SKIP_MIN)
		return;
	cut = skip_find(data, s->ring.len - from, n_lines);
	if (cut == 0)
		return;
	feed(s, from - s->ring_done);
	if (!model_is_plain(s->model) || skip_carry(data, cut, &pen) < 0)
		return;
	model_write(s->model, (const uint8_t *)"\r", 1);
	model_write(s->model, pen.data, pen.len);
	s->ring_done += cut;
}

bool
screen_settle(struct screen *s, size_t len)
{
	size_t waiting;

	skip(s);
	waiting = s->ring.len - s->ring_done;
	len = len < waiting ? len : waiting;
	feed(s, len);
	if (len < waiting)
		return true;
	empty(s);
	if (s->ring.cap > RING_KEEP)
		buf_done(&s->ring);
	return false;
}

void
screen_flush(struct screen *s)
{
	while (screen_settle(s, SLICE))
		;
}

/* Append to the ring; where it is full, or memory is, room is made. */
static void
keep_output(struct screen *s, const uint8_t *data, size_t len)
{
	if (buf_put(&s->ring, data, len) == 0)
		return;
	skip(s);
	empty(s);
	if (s->ring.len < MODEL_RING_BYTES / 2 &&
	    buf_put(&s->ring, data, len) == 0)
		return;
	screen_flush(s);
	if (buf_put(&s->ring, data, len) < 0)
		model_write(s->model, data, len);
}

void
screen_write(struct screen *s, const uint8_t *data, size_t len)
{
	uint32_t asked = modes_questions(s->modes);
	size_t n, plain;

	for (; len > 0; data += n, len -= n) {
		n = modes_scan(s->modes, data, len, s->answers, &plain);
		keep_output(s, data, n);
		if (plain < n)
			s->ring_plain = s->ring.len < plain ?
			    0 :
			    s->ring.len - plain;
		if (s->answers && modes_questions(s->modes) != asked)
			screen_flush(s);
		asked = modes_questions(s->modes);
	}
}

void
screen_answers(struct screen *s, bool at_once)
{
	s->answers = at_once;
}

void
screen_resize(struct screen *s, int rows, int cols)
{
	clip_size(&rows, &cols);
	screen_flush(s);
	/* As terminals do: a new size has no margins. */
	if (model_resize(s->model, rows, cols) == 0)
		modes_unset_margins(s->modes);
}

void
screen_size(const struct screen *s, int *ret_rows, int *ret_cols)
{
	*ret_rows = s->model->rows;
	*ret_cols = s->model->cols;
}

void
screen_pixels(struct screen *s, int width, int height)
{
	if (width > 0 && height > 0) {
		s->width = width;
		s->height = height;
	}
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
	m.rows = (uint32_t)s->model->rows;
	m.cols = (uint32_t)s->model->cols;
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
