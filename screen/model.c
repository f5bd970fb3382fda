/*
 * model.c - see model.h: life, size, cursor, lines, both screens.
 */
#include <errno.h>
#include <stdlib.h>

#include "screen/model_state.h"

#define TAB 8
#define CLUSTERS_MAX (1 << 20) /* bytes of text */
#define LINKS_MAX (4 << 20)

/* ---- life ---- */

/* Tab stops for COLS columns: those that there are, and every eighth. */
static bool *
new_tabs(const struct model *m, int cols)
{
	bool *tabs = calloc((size_t)cols, sizeof *tabs);
	int i;

	for (i = 0; tabs != NULL && i < cols; i++)
		tabs[i] = i < m->cols ? m->tabs[i] : i % TAB == 0;
	return tabs;
}

struct model *
model_new(int rows, int cols, const struct model_hooks *hooks, void *arg)
{
	struct model *m = calloc(1, sizeof *m);

	if (m == NULL)
		return NULL;
	m->osc = BUF_INIT(MODEL_OSC_MAX);
	m->clusters = INTERN_INIT(CLUSTERS_MAX);
	m->links = INTERN_INIT(LINKS_MAX);
	m->hooks = *hooks;
	m->arg = arg;
	m->g = &m->screen[0].grid;
	m->tabs = new_tabs(m, cols);
	if (m->tabs == NULL || grid_init(m->g, rows, cols) < 0) {
		model_free(m);
		return NULL;
	}
	m->rows = rows;
	m->cols = cols;
	m->wrap = true;
	model_unset_margins(m);
	return m;
}

void
model_free(struct model *m)
{
	if (m == NULL)
		return;
	grid_done(&m->screen[0].grid);
	grid_done(&m->screen[1].grid);
	free(m->tabs);
	buf_done(&m->osc);
	intern_done(&m->clusters);
	intern_done(&m->links);
	free(m);
}

bool
model_is_plain(const struct model *m)
{
	return m->where == M_GROUND && m->n_utf8 == 0 && m->single == 0 &&
	    m->top == 0 && m->bottom == m->rows - 1 && m->left == 0 &&
	    m->right == m->cols - 1;
}

/* ---- texts ---- */

static void
mark_grid(struct model *m, const struct grid *g)
{
	size_t i, n = (size_t)g->rows * (size_t)g->cols;

	for (i = 0; i < n; i++) {
		const struct cell *c = &g->cells[i];

		if (c->pen.link != 0)
			intern_mark(&m->links, c->pen.link);
		if (c->glyph != GLYPH_TAIL && (c->glyph & GLYPH_CLUSTER) != 0)
			intern_mark(&m->clusters, c->glyph & GLYPH_VALUE);
	}
}

static void
sweep(struct model *m)
{
	mark_grid(m, &m->screen[0].grid);
	mark_grid(m, &m->screen[1].grid);
	if (m->c.pen.link != 0)
		intern_mark(&m->links, m->c.pen.link);
	intern_sweep(&m->clusters);
	intern_sweep(&m->links);
}

uint32_t
model_intern(struct model *m, struct intern *t, const char *text, size_t len)
{
	uint32_t number = intern_put(t, text, len);

	if (number == 0 && intern_wants_sweep(t)) {
		sweep(m);
		number = intern_put(t, text, len);
	}
	return number;
}

/* ---- cursor ---- */

struct cell
model_blank(const struct model *m)
{
	return (struct cell){ .pen.bg = m->c.pen.bg };
}

static int
between(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

void
model_move(struct model *m, int row, int col)
{
	m->c.row = between(row, 0, m->rows - 1);
	m->c.col = between(col, 0, m->cols - 1);
	m->c.pending = false;
}

void
model_move_by(struct model *m, int rows, int cols)
{
	const struct model_cursor *c = &m->c;
	int top = c->row < m->top ? 0 : m->top;
	int bottom = c->row > m->bottom ? m->rows - 1 : m->bottom;
	int left = c->col < m->left ? 0 : m->left;
	int right = c->col > m->right ? m->cols - 1 : m->right;

	model_move(m, between(c->row + rows, top, bottom),
	    between(c->col + cols, left, right));
}

bool
model_in_margins(const struct model *m)
{
	return m->c.row >= m->top && m->c.row <= m->bottom &&
	    m->c.col >= m->left && m->c.col <= m->right;
}

void
model_unset_margins(struct model *m)
{
	m->top = m->left = 0;
	m->bottom = m->rows - 1;
	m->right = m->cols - 1;
}

/* ---- lines ---- */

void
model_scroll(struct model *m, int top, int n)
{
	struct area a = { top, m->bottom, m->left, m->right };
	struct cell blank = model_blank(m);
	int i;

	/* What leaves at the top of the main screen is scrollback. */
	if (top == 0 && m->shown == 0 && a.left == 0 && a.right == m->cols - 1)
		for (i = 0; i < n && i <= a.bottom; i++)
			m->hooks.line(m->arg, m->g->row[i], m->cols);
	grid_scroll(m->g, &a, n, &blank);
}

void
model_index(struct model *m)
{
	bool inside = m->c.col >= m->left && m->c.col <= m->right;

	m->c.pending = false;
	if (m->c.row == m->bottom) {
		if (inside)
			model_scroll(m, m->top, 1);
	} else if (m->c.row < m->rows - 1)
		m->c.row++;
}

void
model_reverse_index(struct model *m)
{
	bool inside = m->c.col >= m->left && m->c.col <= m->right;

	m->c.pending = false;
	if (m->c.row == m->top) {
		if (inside)
			model_scroll(m, m->top, -1);
	} else if (m->c.row > 0)
		m->c.row--;
}

void
model_erase_rows(struct model *m, int first, int end, bool spare)
{
	struct cell blank = model_blank(m);

	for (; first < end; first++)
		grid_erase(m->g, first, 0, m->cols, &blank, spare);
}

/* ---- what is saved, and the other screen ---- */

/* All but the link, which ESC 7 and 8 leave alone. */

void
model_save(struct model *m)
{
	m->screen[m->shown].saved = m->c;
	m->screen[m->shown].saved.pen.link = 0;
	m->screen[m->shown].has_saved = true;
}

void
model_restore(struct model *m)
{
	uint16_t link = m->c.pen.link;

	m->c = m->screen[m->shown].saved;
	m->c.pen.link = link;
	if (m->c.origin && !model_in_margins(m))
		model_move(m, between(m->c.row, m->top, m->bottom),
		    between(m->c.col, m->left, m->right));
}

bool
model_show(struct model *m, int which)
{
	struct model_screen *alt = &m->screen[1];

	if (which == m->shown)
		return true;
	/* Hidden it is forgotten: a painting tells nothing of it. */
	grid_done(&alt->grid);
	alt->saved = (struct model_cursor){ .row = 0 };
	alt->has_saved = false;
	if (which == 1 && grid_init(&alt->grid, m->rows, m->cols) < 0)
		return false;
	m->shown = which;
	m->g = &m->screen[which].grid;
	return true;
}

/* ---- resets ---- */

void
model_soft_reset(struct model *m)
{
	struct model_screen *s = &m->screen[m->shown];

	model_unset_margins(m);
	m->c.pen = (struct pen){ .link = m->c.pen.link };
	m->c.origin = m->c.pending = false;
	memset(m->c.sets, 0, sizeof m->c.sets);
	m->c.shift = m->single = 0;
	m->wrap = true;
	m->insert = m->reverse_wrap = m->side_margins = false;
	s->saved = (struct model_cursor){ .row = 0 };
	s->has_saved = false;
}

void
model_reset(struct model *m)
{
	int i;

	(void)model_show(m, 0);
	model_soft_reset(m);
	m->newline = m->columns = false;
	m->c = (struct model_cursor){ .row = 0 };
	m->last = 0;
	for (i = 0; i < m->cols; i++)
		m->tabs[i] = i % TAB == 0;
	model_erase_rows(m, 0, m->rows, false);
}

/* ---- size ---- */

/* The row that becomes the first one where C is to stay on the screen. */
static int
first_row(const struct model_cursor *c, int rows)
{
	return c->row >= rows ? c->row - rows + 1 : 0;
}

static void
fit_cursor(struct model_cursor *c, int first, int rows, int cols)
{
	c->row = between(c->row - first, 0, rows - 1);
	c->pending = c->pending && c->col == cols - 1;
	if (c->col >= cols)
		c->col = cols - 1;
}

int
model_resize(struct model *m, int rows, int cols)
{
	struct model_screen *main = &m->screen[0], *alt = &m->screen[1];
	int first = first_row(m->shown == 0 ? &m->c : &main->saved, rows);
	int alt_first = m->shown == 1 ? first_row(&m->c, rows) : 0, i;
	struct grid new[2] = { { .rows = 0 }, { .rows = 0 } };
	bool *tabs = new_tabs(m, cols);

	if (tabs == NULL || grid_init(&new[0], rows, cols) < 0 ||
	    (alt->grid.rows > 0 && grid_init(&new[1], rows, cols) < 0)) {
		grid_done(&new[0]);
		free(tabs);
		return -ENOMEM;
	}
	for (i = 0; i < first; i++)
		m->hooks.line(m->arg, main->grid.row[i], m->cols);
	grid_move(&new[0], &main->grid, first);
	if (alt->grid.rows > 0)
		grid_move(&new[1], &alt->grid, alt_first);
	free(m->tabs);
	m->tabs = tabs;
	fit_cursor(&m->c, m->shown == 0 ? first : alt_first, rows, cols);
	fit_cursor(&main->saved, first, rows, cols);
	fit_cursor(&alt->saved, alt_first, rows, cols);
	m->rows = rows;
	m->cols = cols;
	model_unset_margins(m);
	return 0;
}
