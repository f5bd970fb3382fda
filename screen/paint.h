/*
 * paint.h - cells of the screen model as the bytes that draw them: UTF-8, SGR
 * and links. Rows and columns count from 0.
 */
#ifndef PAINT_H
#define PAINT_H

#include <stdbool.h>

#include "base/buf.h"
#include "screen/model_state.h"

/* Draws cells of MODEL and knows the pen that the terminal has by that. */
struct painter {
	const struct model *model;
	struct buf *out;
	bool known; /* PEN is the terminal's */
	struct pen pen;
};

#define PAINTER(m, o) ((struct painter){ .model = (m), .out = (o) })

/* Append what makes the terminal's pen that one, if it is not. */
int paint_pen(struct painter *p, const struct pen *pen);

/* Append the glyph of CELL as it is, in the pen that the terminal has. */
int paint_glyph(const struct model *m, const struct cell *cell,
    struct buf *out);

/*
 * Append N cells, in the default pen at the end. Blanks at the end are left
 * out; then *RET_CUT is true and the rest of the line is to be erased.
 * PLACED: they begin at the left edge; then the terminal is told where to go
 * on behind glyphs whose width terminals do not agree on.
 */
int paint_cells(struct painter *p, const struct cell *cells, int n, bool placed,
    bool *ret_cut);

/*
 * Append the rows FIRST and on of G, at most ROWS and COLS, into the upper
 * left of the terminal, each line placed and erased to its end; rows that
 * G does not have are erased.
 */
int paint_rows(struct painter *p, const struct grid *g, int first, int rows,
    int cols);

/* CUP. */
int paint_move(int row, int col, struct buf *out);

/* Is there nothing to see in ROW? */
bool paint_row_blank(const struct grid *g, int row);

#endif
