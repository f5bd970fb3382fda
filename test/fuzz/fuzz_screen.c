/*
 * fuzz_screen.c - any output, torn anywhere, between any changes of size: the
 * model stays in order, is the same as when it got each part whole, and the
 * screen painted from it is the same again.
 *
 * Input: rows, columns, then output; 0xf8 ROWS COLS in it is a change of size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen/screen.h"
#include "screen/screen_state.h"

#define PAINT_CAP (64 << 20)
#define RESIZE 0xf8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool truth, const char *what)
{
	if (!truth) {
		(void)fprintf(stderr, "not so: %s\n", what);
		abort();
	}
}

static void
check_grid(const struct model *m, const struct grid *g)
{
	int row, col;

	must(g->rows == m->rows && g->cols == m->cols, "grids have the size");
	for (row = 0; row < g->rows; row++)
		for (col = 0; col < g->cols; col++) {
			const struct cell *c = &g->row[row][col];
			bool tail = c->glyph == GLYPH_TAIL;
			bool wide = !tail && (c->glyph & GLYPH_WIDE) != 0;

			must(!wide ||
				(col + 1 < g->cols && c[1].glyph == GLYPH_TAIL),
			    "a wide glyph has both halves");
			must(!tail ||
				(col > 0 && c[-1].glyph != GLYPH_TAIL &&
				    (c[-1].glyph & GLYPH_WIDE) != 0),
			    "a half belongs to a wide glyph");
		}
}

static void
check_model(const struct model *m)
{
	check_grid(m, &m->screen[0].grid);
	if (m->screen[1].grid.rows > 0)
		check_grid(m, &m->screen[1].grid);
	must(m->c.row >= 0 && m->c.row < m->rows && m->c.col >= 0 &&
		m->c.col < m->cols,
	    "the cursor is on the screen");
	must(m->top >= 0 && m->bottom < m->rows && m->left >= 0 &&
		m->right < m->cols && m->top <= m->bottom &&
		m->left <= m->right,
	    "the margins are on the screen");
}

static void
paint(struct screen *s, struct buf *out)
{
	must(screen_paint(s, out) == 0 && buf_put(out, "", 1) == 0,
	    "there is room for a painting");
	check_model(s->model);
}

static void
must_equal(const struct buf *a, const struct buf *b, const char *what)
{
	size_t i = 0, from;

	while (i < a->len && i < b->len && a->data[i] == b->data[i])
		i++;
	if (i == a->len && i == b->len)
		return;
	from = i < 60 ? 0 : i - 60;
	(void)fprintf(stderr, "%.160s\n---\n%.160s\n",
	    (const char *)a->data + from, (const char *)b->data + from);
	must(false, what);
}

static void
write_torn(struct screen *s, const uint8_t *data, size_t len, unsigned *seed)
{
	size_t n;

	for (; len > 0; data += n, len -= n) {
		*seed = *seed * 1103515245u + 12345;
		n = 1 + (*seed >> 16) % 7;
		n = n < len ? n : len;
		screen_write(s, data, n);
		screen_flush(s);
	}
}

/* A terminal that is painted now; NULL: no memory. */
static struct screen *
new_terminal(struct screen *s)
{
	struct buf x autobuf = BUF_INIT(PAINT_CAP);
	struct screen *t;
	int rows, cols;

	screen_size(s, &rows, &cols);
	paint(s, &x);
	if (screen_new(rows, cols, &t) < 0)
		return NULL;
	screen_write(t, x.data, x.len - 1);
	return t;
}

/*
 * What A shows is shown by B, by a terminal that was painted from A and got
 * what came since then, and by one that is painted now.
 */
static void
compare(struct screen *a, struct screen *b, struct screen *old)
{
	struct buf x autobuf = BUF_INIT(PAINT_CAP);
	struct buf y autobuf = BUF_INIT(PAINT_CAP);
	struct buf z autobuf = BUF_INIT(PAINT_CAP);
	struct buf o autobuf = BUF_INIT(PAINT_CAP);
	struct screen *copy = new_terminal(a);

	paint(a, &x);
	paint(b, &y);
	must_equal(&x, &y, "torn output makes the same screen");
	if (copy != NULL) {
		paint(copy, &z);
		must_equal(&x, &z, "a painted screen is the same");
	}
	if (old != NULL) {
		paint(old, &o);
		must_equal(&x, &o, "a painted screen goes on the same");
	}
	screen_free(copy);
}

/* What was put in, when it is asked for. */
static void
tell(const uint8_t *data, size_t len)
{
	FILE *f;

	if (getenv("FUZZ_INPUT") == NULL)
		return;
	f = fopen(getenv("FUZZ_INPUT"), "w");
	if (f != NULL) {
		(void)fwrite(data, 1, len, f);
		(void)fclose(f);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len, *p, *next;
	struct screen *a = NULL, *b = NULL, *old;
	unsigned seed = (unsigned)len;
	/* A painting tells not what REP repeats, nor hidden keyboards. */
	bool goes_on = memchr(data, 'b', len) == NULL &&
	    memchr(data, 'u', len) == NULL;

	tell(data, len);
	if (len < 2 || screen_new(1 + data[0] % 40, 1 + data[1] % 140, &a) < 0)
		return 0;
	if (screen_new(1 + data[0] % 40, 1 + data[1] % 140, &b) < 0) {
		screen_free(a);
		return 0;
	}
	for (p = data + 2; p < end; p = next) {
		next = memchr(p, RESIZE, (size_t)(end - p));
		next = next == NULL ? end : next;
		old = goes_on ? new_terminal(a) : NULL;
		screen_write(a, p, (size_t)(next - p));
		if (old != NULL)
			screen_write(old, p, (size_t)(next - p));
		write_torn(b, p, (size_t)(next - p), &seed);
		compare(a, b, old);
		screen_free(old);
		if (end - next < 3)
			break;
		screen_resize(a, 1 + next[1] % 40, 1 + next[2] % 140);
		screen_resize(b, 1 + next[1] % 40, 1 + next[2] % 140);
		check_model(a->model);
		next += 3;
	}
	screen_free(a);
	screen_free(b);
	return 0;
}
