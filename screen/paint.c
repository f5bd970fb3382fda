/*
 * paint.c - see paint.h.
 */
#include "screen/paint.h"

#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "base/utf8.h"

#define SECOND_HALF ((uint32_t)-1) /* libvterm: right half of a wide glyph */

static bool
same_pen(const VTermScreenCell *a, const VTermScreenCell *b)
{
	return a->attrs.bold == b->attrs.bold &&
	    a->attrs.underline == b->attrs.underline &&
	    a->attrs.italic == b->attrs.italic &&
	    a->attrs.blink == b->attrs.blink &&
	    a->attrs.reverse == b->attrs.reverse &&
	    a->attrs.strike == b->attrs.strike &&
	    a->attrs.font == b->attrs.font &&
	    vterm_color_is_equal(&a->fg, &b->fg) &&
	    vterm_color_is_equal(&a->bg, &b->bg);
}

/* BASE is 30 or 40. */
static int
put_color(const VTermColor *c, int base, struct buf *out)
{
	if (base == 30 ? VTERM_COLOR_IS_DEFAULT_FG(c) :
			 VTERM_COLOR_IS_DEFAULT_BG(c))
		return 0;
	if (VTERM_COLOR_IS_RGB(c))
		return buf_printf(out, ";%d;2;%u;%u;%u", base + 8, c->rgb.red,
		    c->rgb.green, c->rgb.blue);
	if (c->indexed.idx < 8)
		return buf_printf(out, ";%d", base + c->indexed.idx);
	if (c->indexed.idx < 16)
		return buf_printf(out, ";%d", base + 60 + c->indexed.idx - 8);
	return buf_printf(out, ";%d;5;%u", base + 8, c->indexed.idx);
}

int
paint_pen(struct pen *pen, const VTermScreenCell *cell, struct buf *out)
{
	const VTermScreenCellAttrs *a = &cell->attrs;
	char sgr[64] = "\033[0";
	int r;

	if (pen->known && same_pen(&pen->like, cell))
		return 0;
	pen->known = true;
	pen->like = *cell;
	if (a->bold)
		(void)strcat(sgr, ";1");
	if (a->italic)
		(void)strcat(sgr, ";3");
	if (a->underline == VTERM_UNDERLINE_SINGLE)
		(void)strcat(sgr, ";4");
	else if (a->underline == VTERM_UNDERLINE_DOUBLE)
		(void)strcat(sgr, ";21");
	else if (a->underline == VTERM_UNDERLINE_CURLY)
		(void)strcat(sgr, ";4:3");
	if (a->blink)
		(void)strcat(sgr, ";5");
	if (a->reverse)
		(void)strcat(sgr, ";7");
	if (a->strike)
		(void)strcat(sgr, ";9");
	if ((r = buf_put(out, sgr, strlen(sgr))) < 0 ||
	    (a->font != 0 && (r = buf_printf(out, ";%u", 10 + a->font)) < 0) ||
	    (r = put_color(&cell->fg, 30, out)) < 0 ||
	    (r = put_color(&cell->bg, 40, out)) < 0)
		return r;
	return buf_put(out, "m", 1);
}

VTermScreenCell
paint_model_pen(const VTermState *state)
{
	VTermScreenCell c;
	VTermValue v;

	memset(&c, 0, sizeof c);
#define GET(attr) (vterm_state_get_penattr(state, attr, &v), v)
	c.attrs.bold = GET(VTERM_ATTR_BOLD).boolean != 0;
	c.attrs.underline = (unsigned)GET(VTERM_ATTR_UNDERLINE).number & 3;
	c.attrs.italic = GET(VTERM_ATTR_ITALIC).boolean != 0;
	c.attrs.blink = GET(VTERM_ATTR_BLINK).boolean != 0;
	c.attrs.reverse = GET(VTERM_ATTR_REVERSE).boolean != 0;
	c.attrs.strike = GET(VTERM_ATTR_STRIKE).boolean != 0;
	c.attrs.font = (unsigned)GET(VTERM_ATTR_FONT).number & 15;
	c.fg = GET(VTERM_ATTR_FOREGROUND).color;
	c.bg = GET(VTERM_ATTR_BACKGROUND).color;
#undef GET
	return c;
}

/* Nothing to see: a blank on the default background. */
static bool
is_blank(const VTermScreenCell *c)
{
	return (c->chars[0] == 0 || (c->chars[0] == ' ' && c->chars[1] == 0)) &&
	    VTERM_COLOR_IS_DEFAULT_BG(&c->bg) && !c->attrs.reverse &&
	    !c->attrs.underline && !c->attrs.strike;
}

/* An erased cell has a background and nothing else, as in a terminal. */
static void
normalize(VTermScreenCell *c)
{
	if (c->chars[0] != 0)
		return;
	memset(&c->attrs, 0, sizeof c->attrs);
	c->fg.type = VTERM_COLOR_DEFAULT_FG;
}

VTermScreenCell
paint_cell(const struct paint_source *p, VTermPos pos)
{
	VTermScreenCell c;

	memset(&c, 0, sizeof c);
	(void)vterm_screen_get_cell(p->screen, pos, &c);
	c.attrs.reverse = c.attrs.reverse != p->reversed;
	normalize(&c);
	return c;
}

int
paint_glyph(const VTermScreenCell *cell, struct buf *out)
{
	char text[VTERM_MAX_CHARS_PER_CELL * 4];
	size_t len = 0;
	int i;

	if (cell->chars[0] == SECOND_HALF)
		return 0;
	if (cell->chars[0] == 0)
		return buf_put(out, " ", 1);
	for (i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell->chars[i] != 0; i++)
		len += utf8_put(cell->chars[i], text + len);
	return buf_put(out, text, len);
}

int
paint_cells(struct pen *pen, const VTermScreenCell *cells, int n, bool *ret_cut,
    struct buf *out)
{
	int i, end = n, r;

	while (end > 0 && is_blank(&cells[end - 1]))
		end--;
	for (i = 0; i < end; i++) {
		/* A wide glyph that does not fit is not drawn in half. */
		if (cells[i].width == 2 && i + 1 >= n)
			break;
		if (cells[i].chars[0] == SECOND_HALF)
			continue;
		r = paint_pen(pen, &cells[i], out);
		if (r == 0)
			r = paint_glyph(&cells[i], out);
		if (r < 0)
			return r;
	}
	*ret_cut = i < n;
	return 0;
}

int
paint_move(int row, int col, struct buf *out)
{
	return buf_printf(out, "\033[%d;%dH", row + 1, col + 1);
}

/* Erase to the end of the line, in the default colours. */
static int
erase_rest(struct pen *pen, struct buf *out)
{
	VTermScreenCell plain;
	int r;

	memset(&plain, 0, sizeof plain);
	plain.fg.type = VTERM_COLOR_DEFAULT_FG;
	plain.bg.type = VTERM_COLOR_DEFAULT_BG;
	r = paint_pen(pen, &plain, out);
	if (r < 0)
		return r;
	return buf_put(out, "\033[K", 3);
}

int
paint_rows(const struct paint_source *p, int first, int rows, int cols,
    struct buf *out)
{
	struct pen pen = PEN_UNKNOWN;
	int n = p->cols < cols ? p->cols : cols, row, r = 0;
	autofree VTermScreenCell *cells = NULL;

	cells = calloc((size_t)n + 1, sizeof *cells);
	if (cells == NULL)
		return -ENOMEM;
	for (row = 0; row < rows && r == 0; row++) {
		VTermPos pos = { .row = first + row };
		bool cut = true;

		r = paint_move(row, 0, out);
		if (r == 0 && pos.row < p->rows) {
			for (pos.col = 0; pos.col < n; pos.col++)
				cells[pos.col] = paint_cell(p, pos);
			r = paint_cells(&pen, cells, n, &cut, out);
			cut = cut || n < cols;
		}
		if (r == 0 && cut)
			r = erase_rest(&pen, out);
	}
	return r;
}

bool
paint_row_blank(const struct paint_source *p, int row)
{
	VTermPos pos = { .row = row };
	VTermScreenCell cell;

	for (pos.col = 0; pos.col < p->cols; pos.col++) {
		cell = paint_cell(p, pos);
		if (!is_blank(&cell))
			return false;
	}
	return true;
}
