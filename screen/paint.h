/*
 * paint.h - cells of the screen model as the bytes that draw them: UTF-8 and
 * SGR. Rows and columns count from 0.
 */
#ifndef PAINT_H
#define PAINT_H

#include <stdbool.h>
#include <vterm.h>

#include "base/buf.h"

/*
 * What the terminal's pen is known to be while painting. A painter starts
 * with PEN_UNKNOWN and passes the same one along.
 */
struct pen {
	bool known;
	VTermScreenCell like; /* a cell that was drawn with it */
};

#define PEN_UNKNOWN ((struct pen){ .known = false })

/* Append the SGR sequence that makes the pen that of CELL, if it is not. */
int paint_pen(struct pen *pen, const VTermScreenCell *cell, struct buf *out);

/* The pen with which the model would draw next. */
VTermScreenCell paint_model_pen(const VTermState *state);

/*
 * Append N cells. Blanks at the end are left out; then *RET_CUT is true and
 * the rest of the line is to be erased with the default pen.
 */
int paint_cells(struct pen *pen, const VTermScreenCell *cells, int n,
    bool *ret_cut, struct buf *out);

/* What is looked at: libvterm's cells, and how they are to be understood. */
struct paint_source {
	VTermScreen *screen;
	int rows, cols;
	bool reversed; /* DECSCNM is set: libvterm has reversed each cell */
};

/* The cell at POS as the program drew it. */
VTermScreenCell paint_cell(const struct paint_source *p, VTermPos pos);

/*
 * Append the rows FIRST and on of the model, at most ROWS and COLS, into the
 * upper left of the terminal, each line placed and erased to its end; rows
 * that the model does not have are erased.
 */
int paint_rows(const struct paint_source *p, int first, int rows, int cols,
    struct buf *out);

/* Append the glyph of CELL. */
int paint_glyph(const VTermScreenCell *cell, struct buf *out);

/* CUP. */
int paint_move(int row, int col, struct buf *out);

/* Is there nothing to see in ROW? */
bool paint_row_blank(const struct paint_source *p, int row);

#endif
