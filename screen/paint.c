/*
 * paint.c - see paint.h.
 */
#include "screen/paint.h"

#include "base/utf8.h"

#define ZWJ "\xe2\x80\x8d"
#define EMOJI 0x1f000 /* from here on widths are not agreed on */

/* ---- the pen ---- */

/* SGR numbers of the attributes that have one. */
static const struct {
	uint16_t attr;
	const char *sgr;
} attr_table[] = {
	{ BOLD, ";1" },
	{ FAINT, ";2" },
	{ ITALIC, ";3" },
	{ BLINK, ";5" },
	{ REVERSE, ";7" },
	{ CONCEAL, ";8" },
	{ STRIKE, ";9" },
	{ OVERLINE, ";53" },
};

static const char *const underline_table[8] = { "", ";4", ";21", ";4:3", ";4:4",
	";4:5", "", "" };

static int
put(struct buf *out, const char *text)
{
	return buf_put(out, text, strlen(text));
}

/* BASE is 30 or 40. */
static int
put_color(uint32_t c, int base, struct buf *out)
{
	unsigned v = c & 0xffffff;

	if (c == 0)
		return 0;
	if ((c & COLOR_KIND) == COLOR_RGB)
		return buf_printf(out, ";%d;2;%u;%u;%u", base + 8, v >> 16,
		    v >> 8 & 255, v & 255);
	if (v < 8)
		return buf_printf(out, ";%u", (unsigned)base + v);
	if (v < 16)
		return buf_printf(out, ";%u", (unsigned)base + 60 + v - 8);
	return buf_printf(out, ";%d;5;%u", base + 8, v);
}

/* The underline's: with colons, which others pass over as a whole. */
static int
put_underline_color(uint32_t c, struct buf *out)
{
	unsigned v = c & 0xffffff;

	if (c == 0)
		return 0;
	if ((c & COLOR_KIND) == COLOR_RGB)
		return buf_printf(out, ";58:2::%u:%u:%u", v >> 16, v >> 8 & 255,
		    v & 255);
	return buf_printf(out, ";58:5:%u", v);
}

static int
put_sgr(const struct pen *pen, struct buf *out)
{
	size_t i;
	int r = put(out, "\033[0");

	for (i = 0; i < N_ELEMENTS(attr_table) && r == 0; i++)
		if (pen->attrs & attr_table[i].attr)
			r = put(out, attr_table[i].sgr);
	if (r == 0)
		r = put(out,
		    underline_table[(pen->attrs & UNDERLINE) >>
			UNDERLINE_SHIFT]);
	if (r == 0)
		r = put_color(pen->fg, 30, out);
	if (r == 0)
		r = put_color(pen->bg, 40, out);
	if (r == 0)
		r = put_underline_color(pen->ul, out);
	return r < 0 ? r : put(out, "m");
}

static int
put_link(const struct painter *p, unsigned link)
{
	const char *text;
	size_t len;
	int r;

	if (link == 0)
		return put(p->out, "\033]8;;\033\\");
	text = intern_get(&p->model->links, link, &len);
	r = put(p->out, "\033]8;");
	if (r == 0)
		r = buf_put(p->out, text, len);
	return r < 0 ? r : put(p->out, "\033\\");
}

int
paint_pen(struct painter *p, const struct pen *pen)
{
	const unsigned sgr = 0xffff & ~(SET | PROTECTED);
	struct pen old = p->pen;
	unsigned changed = p->known ? old.attrs ^ pen->attrs : pen->attrs;
	int r = 0;

	if (p->known && pen_same(&old, pen))
		return 0;
	p->pen = *pen;
	if (!p->known || (changed & sgr) != 0 || old.fg != pen->fg ||
	    old.bg != pen->bg || old.ul != pen->ul)
		r = put_sgr(pen, p->out);
	if (r == 0 && (p->known ? old.link : 0) != pen->link)
		r = put_link(p, pen->link);
	if (r == 0 && (changed & SET) != 0)
		r = buf_printf(p->out, "\033(%c",
		    CELL_SETS[(pen->attrs & SET) >> SET_SHIFT]);
	if (r == 0 && (changed & PROTECTED) != 0)
		r = buf_printf(p->out, "\033[%d\"q",
		    (pen->attrs & PROTECTED) != 0);
	p->known = true;
	return r;
}

/* ---- cells ---- */

/* A blank that an erased place is as good as. */
static bool
is_blank(const struct cell *c)
{
	static const struct pen plain;

	return (c->glyph == 0 || c->glyph == ' ') && pen_same(&c->pen, &plain);
}

int
paint_glyph(const struct model *m, const struct cell *cell, struct buf *out)
{
	char text[4];
	const char *cluster;
	size_t len;

	if (cell->glyph == GLYPH_TAIL)
		return 0;
	if (cell->glyph == 0)
		return buf_put(out, " ", 1);
	if ((cell->glyph & GLYPH_CLUSTER) != 0) {
		cluster = intern_get(&m->clusters, cell->glyph & GLYPH_VALUE,
		    &len);
		/* A joiner at the end would have what is drawn next join. */
		if (len > 3 && memcmp(cluster + len - 3, ZWJ, 3) == 0)
			len -= 3;
		return buf_put(out, cluster, len);
	}
	len = utf8_put(cell->glyph & GLYPH_VALUE, text);
	return buf_put(out, text, len);
}

/* Are terminals of several minds about the width of this glyph? */
static bool
is_doubtful(const struct cell *c)
{
	return (c->glyph & GLYPH_CLUSTER) != 0 ||
	    (c->glyph & GLYPH_VALUE) >= EMOJI;
}

int
paint_cells(struct painter *p, const struct cell *cells, int n, bool placed,
    bool *ret_cut)
{
	static const struct pen plain;
	int i, end = n, r = 0;

	while (end > 0 && is_blank(&cells[end - 1]))
		end--;
	for (i = 0; i < end && r == 0; i++) {
		const struct cell *c = &cells[i];

		if (c->glyph == GLYPH_TAIL)
			continue;
		/* A wide glyph that does not fit is not drawn in half. */
		if ((c->glyph & GLYPH_WIDE) != 0 && i + 1 >= n)
			break;
		r = paint_pen(p, &c->pen);
		if (r == 0)
			r = paint_glyph(p->model, c, p->out);
		if (r == 0 && placed && is_doubtful(c) && i + 1 < n)
			r = buf_printf(p->out, "\033[%dG",
			    i + ((c->glyph & GLYPH_WIDE) != 0 ? 3 : 2));
	}
	*ret_cut = i < n;
	return r < 0 ? r : paint_pen(p, &plain);
}

int
paint_move(int row, int col, struct buf *out)
{
	return buf_printf(out, "\033[%d;%dH", row + 1, col + 1);
}

int
paint_rows(struct painter *p, const struct grid *g, int first, int rows,
    int cols)
{
	static const struct pen plain;
	int n = g->cols < cols ? g->cols : cols, row, r = 0;

	for (row = 0; row < rows && r == 0; row++) {
		bool cut = true;

		r = paint_move(row, 0, p->out);
		if (r == 0 && first + row < g->rows)
			r = paint_cells(p, g->row[first + row], n, true, &cut);
		if (r == 0)
			r = paint_pen(p, &plain);
		if (r == 0 && (cut || n < cols))
			r = put(p->out, "\033[K");
	}
	return r;
}

bool
paint_row_blank(const struct grid *g, int row)
{
	int col;

	for (col = 0; col < g->cols; col++)
		if (!is_blank(&g->row[row][col]))
			return false;
	return true;
}
