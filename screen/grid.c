/*
 * grid.c - see grid.h. The cells are one allocation, so that those of a large
 * screen that were never written take no memory; scrolling moves pointers.
 */
#include "screen/grid.h"

#include <errno.h>
#include <stdlib.h>

int
grid_init(struct grid *g, int rows, int cols)
{
	struct cell *cells = calloc((size_t)rows * (size_t)cols, sizeof *cells);
	struct cell **row = calloc((size_t)rows, sizeof *row);
	int i;

	if (cells == NULL || row == NULL) {
		free(cells);
		free(row);
		return -ENOMEM;
	}
	for (i = 0; i < rows; i++)
		row[i] = cells + (size_t)i * (size_t)cols;
	*g = (struct grid){ rows, cols, cells, row };
	return 0;
}

void
grid_done(struct grid *g)
{
	free(g->cells);
	free(g->row);
	*g = (struct grid){ .rows = 0 };
}

void
grid_split(struct grid *g, int row, int col)
{
	struct cell *c;

	if (col <= 0 || col >= g->cols)
		return;
	c = &g->row[row][col];
	if (c->glyph == GLYPH_TAIL)
		c[-1].glyph = c->glyph = ' ';
}

void
grid_erase(struct grid *g, int row, int from, int to, const struct cell *blank,
    bool spare)
{
	struct cell *c = g->row[row];

	grid_split(g, row, from);
	grid_split(g, row, to);
	for (; from < to; from++)
		if (!spare || !(c[from].pen.attrs & PROTECTED))
			c[from] = *blank;
}

static void
fill(struct cell *c, int n, const struct cell *blank)
{
	for (; n > 0; n--)
		*c++ = *blank;
}

static void
reverse(struct cell **row, int first, int last)
{
	struct cell *c;

	for (; first < last; first++, last--) {
		c = row[first];
		row[first] = row[last];
		row[last] = c;
	}
}

/* Whole rows from TOP to BOTTOM up by N, in a circle. */
static void
rotate(struct cell **row, int top, int bottom, int n)
{
	struct cell *c;

	if (n == 1) {
		c = row[top];
		memmove(&row[top], &row[top + 1],
		    (size_t)(bottom - top) * sizeof *row);
		row[bottom] = c;
		return;
	}
	reverse(row, top, top + n - 1);
	reverse(row, top + n, bottom);
	reverse(row, top, bottom);
}

static void
copy_part(struct grid *g, int to, int from, const struct area *a)
{
	memcpy(&g->row[to][a->left], &g->row[from][a->left],
	    (size_t)(a->right - a->left + 1) * sizeof(struct cell));
}

/* Part of each row, between left and right margins. */
static void
scroll_part(struct grid *g, const struct area *a, int n)
{
	int i;

	for (i = a->top; i <= a->bottom; i++) {
		grid_split(g, i, a->left);
		grid_split(g, i, a->right + 1);
	}
	if (n > 0)
		for (i = a->top; i + n <= a->bottom; i++)
			copy_part(g, i, i + n, a);
	else
		for (i = a->bottom; i + n >= a->top; i--)
			copy_part(g, i, i + n, a);
}

void
grid_scroll(struct grid *g, const struct area *a, int n,
    const struct cell *blank)
{
	int height = a->bottom - a->top + 1, i, from, to;

	if (n >= height || -n >= height)
		n = height;
	else if (a->left > 0 || a->right < g->cols - 1)
		scroll_part(g, a, n);
	else
		rotate(g->row, a->top, a->bottom, n > 0 ? n : height + n);
	from = n > 0 ? a->bottom - n + 1 : a->top;
	to = n > 0 ? a->bottom : a->top - n - 1;
	for (i = from; i <= to; i++)
		grid_erase(g, i, a->left, a->right + 1, blank, false);
}

void
grid_shift(struct grid *g, int row, int from, int to, int n,
    const struct cell *blank)
{
	struct cell *c = g->row[row];
	int width = to - from, kept;

	if (width <= 0)
		return;
	n = n > width ? width : n < -width ? -width : n;
	grid_split(g, row, from);
	grid_split(g, row, to);
	if (n > 0) {
		kept = width - n;
		grid_split(g, row, from + kept);
		memmove(c + from + n, c + from, (size_t)kept * sizeof *c);
		fill(c + from, n, blank);
	} else {
		kept = width + n;
		grid_split(g, row, from - n);
		memmove(c + from, c + from - n, (size_t)kept * sizeof *c);
		fill(c + from + kept, -n, blank);
	}
}

void
grid_move(struct grid *to, struct grid *from, int first)
{
	int n = to->cols < from->cols ? to->cols : from->cols, i;

	for (i = 0; i < to->rows && first + i < from->rows; i++) {
		grid_split(from, first + i, n);
		memcpy(to->row[i], from->row[first + i],
		    (size_t)n * sizeof(struct cell));
	}
	grid_done(from);
	*from = *to;
	*to = (struct grid){ .rows = 0 };
}
