/*
 * grid.h - rows of cells, and what moves and erases them. Columns are given
 * as FROM and the one behind the last, TO; rows as first and last. A wide
 * glyph of which one half is overwritten or moved away leaves blanks.
 */
#ifndef GRID_H
#define GRID_H

#include "screen/cell.h"

struct grid {
	int rows, cols;
	struct cell *cells; /* owned; in no order */
	struct cell **row;  /* owned; from the top */
};

/* A part of the grid; the last ones are in it. */
struct area {
	int top, bottom, left, right;
};

/* All blank. 0 or -ENOMEM. */
int grid_init(struct grid *g, int rows, int cols);
void grid_done(struct grid *g);

/* See to it that no glyph lies across the left edge of COL. */
void grid_split(struct grid *g, int row, int col);

/* Fill with BLANK; SPARE: but for what is PROTECTED. */
void grid_erase(struct grid *g, int row, int from, int to,
    const struct cell *blank, bool spare);

/* Move what is in A up by N lines, or down by -N; BLANK comes in. */
void grid_scroll(struct grid *g, const struct area *a, int n,
    const struct cell *blank);

/* Move cells in [FROM, TO) right by N, or left by -N; BLANK comes in. */
void grid_shift(struct grid *g, int row, int from, int to, int n,
    const struct cell *blank);

/*
 * Put what is in FROM, from row FIRST on, into TO, which is blank and may have
 * another size; FROM is that grid then, and TO is done.
 */
void grid_move(struct grid *to, struct grid *from, int first);

#endif
