/*
 * model_text.c - characters and C0 controls.
 */
#include "base/utf8.h"
#include "screen/model_state.h"
#include "screen/width.h"

#define ZWJ 0x200du
#define CLUSTER_MAX 48 /* bytes of text in a cell */

/* The column behind the last one that text may reach from the cursor. */
static int
text_end(const struct model *m)
{
	return m->c.col > m->right ? m->cols : m->right + 1;
}

static void
wrap(struct model *m)
{
	int left = m->c.col > m->right ? 0 : m->left;

	model_index(m);
	m->c.col = left;
}

/* The pen as it marks a cell: with the character set that is in use. */
static struct pen
marking_pen(struct model *m)
{
	struct pen pen = m->c.pen;
	unsigned set = m->c.sets[m->single != 0 ? m->single : m->c.shift];

	m->single = 0;
	pen.attrs |= (uint16_t)(set << SET_SHIFT);
	return pen;
}

/* Put the cursor behind COL, which was written; END is behind the last. */
static void
advance(struct model *m, int col, int end)
{
	m->c.pending = col >= end;
	m->c.col = m->c.pending ? end - 1 : col;
}

/* One glyph of WIDTH columns. */
static void
put_glyph(struct model *m, uint32_t glyph, int width, const struct pen *pen)
{
	struct cell blank = model_blank(m);
	int end = text_end(m);
	struct cell *c;

	if ((m->c.pending || m->c.col + width > end) && m->wrap) {
		wrap(m);
		end = text_end(m);
	}
	if (m->c.col + width > end)
		return;
	if (m->insert)
		grid_shift(m->g, m->c.row, m->c.col, end, width, &blank);
	grid_split(m->g, m->c.row, m->c.col);
	grid_split(m->g, m->c.row, m->c.col + width);
	c = &m->g->row[m->c.row][m->c.col];
	c[0] = (struct cell){ .glyph = glyph, .pen = *pen };
	if (width == 2) {
		c[0].glyph |= GLYPH_WIDE;
		c[1] = (struct cell){ .glyph = GLYPH_TAIL, .pen = *pen };
	}
	advance(m, m->c.col + width, end);
}

/* As many of N characters as fit into the line; how many that were. */
static size_t
put_run(struct model *m, const uint8_t *p, size_t n)
{
	int col = m->c.col, room = text_end(m) - col, i;
	struct cell cell = { .pen = m->c.pen };
	struct cell *c;

	room = n < (size_t)room ? (int)n : room;
	grid_split(m->g, m->c.row, col);
	grid_split(m->g, m->c.row, col + room);
	c = &m->g->row[m->c.row][col];
	for (i = 0; i < room; i++) {
		cell.glyph = p[i];
		c[i] = cell;
	}
	advance(m, col + room, text_end(m));
	return (size_t)room;
}

void
model_ascii(struct model *m, const uint8_t *p, size_t n)
{
	bool simple = m->single == 0 && !m->insert &&
	    m->c.sets[m->c.shift] == 0;
	struct pen pen;
	size_t done;

	m->last = p[n - 1];
	for (; n > 0; p += done, n -= done) {
		if (!simple) {
			pen = marking_pen(m);
			put_glyph(m, *p, 1, &pen);
			done = 1;
		} else if (m->c.pending && !m->wrap) {
			put_glyph(m, p[n - 1], 1, &m->c.pen);
			return; /* one over the other */
		} else {
			if (m->c.pending)
				wrap(m);
			done = put_run(m, p, n);
		}
	}
}

/* ---- clusters ---- */

/* The cell before the cursor; NULL: there is none. */
static struct cell *
cell_before(struct model *m)
{
	int col = m->c.pending ? m->c.col : m->c.col - 1;
	struct cell *row = m->g->row[m->c.row];

	if (col > 0 && row[col].glyph == GLYPH_TAIL)
		col--;
	return col < 0 ? NULL : &row[col];
}

/* The text of a cell into OUT, which has room for CLUSTER_MAX; its length. */
static size_t
cell_text(const struct model *m, const struct cell *c, char *out)
{
	const char *text;
	size_t len;

	if (c->glyph == 0)
		return utf8_put(' ', out);
	if ((c->glyph & GLYPH_CLUSTER) == 0)
		return utf8_put(c->glyph & GLYPH_VALUE, out);
	text = intern_get(&m->clusters, c->glyph & GLYPH_VALUE, &len);
	memcpy(out, text, len);
	return len;
}

/* C joins the character before it; without room it is left out. */
static void
join(struct model *m, struct cell *before, uint32_t c)
{
	char text[CLUSTER_MAX + 4];
	size_t len = cell_text(m, before, text);
	uint32_t number;

	len += utf8_put(c, text + len);
	if (len > CLUSTER_MAX)
		return;
	number = model_intern(m, &m->clusters, text, len);
	if (number != 0)
		before->glyph = GLYPH_CLUSTER | number |
		    (before->glyph & GLYPH_WIDE);
}

static bool
ends_in_joiner(const struct model *m, const struct cell *c)
{
	const char *text;
	size_t len;

	if (c == NULL || (c->glyph & GLYPH_CLUSTER) == 0)
		return false;
	text = intern_get(&m->clusters, c->glyph & GLYPH_VALUE, &len);
	return len > 3 && memcmp(text + len - 3, "\xe2\x80\x8d", 3) == 0;
}

void
model_put(struct model *m, uint32_t c)
{
	int width = width_of(c);
	struct cell *before = NULL;

	if (c < 0xa0)
		return; /* C1 */
	if (width == 0 || c >= 0x2000)
		before = cell_before(m);
	if (width == 0 || ends_in_joiner(m, before)) {
		if (before != NULL)
			join(m, before, c);
		return;
	}
	m->last = c;
	m->single = 0;
	put_glyph(m, c, width, &m->c.pen);
}

/* ---- controls ---- */

void
model_back(struct model *m, int n)
{
	int left = m->c.col < m->left ? 0 : m->left;

	/* Over the edge, to the end of the line above. */
	while (m->wrap && m->reverse_wrap && n > m->c.col - left) {
		n -= m->c.col - left + 1;
		model_move(m, m->c.row == m->top ? m->bottom : m->c.row - 1,
		    m->right);
	}
	model_move_by(m, 0, -n);
}

static void
tab(struct model *m)
{
	int last = text_end(m) - 1;

	while (m->c.col < last && !m->tabs[++m->c.col])
		;
}

void
model_control(struct model *m, uint8_t c)
{
	if (c == '\b')
		model_back(m, 1);
	else if (c == '\t')
		tab(m);
	else if (c == '\n' || c == '\v' || c == '\f') {
		model_index(m);
		if (m->newline)
			model_control(m, '\r');
	} else if (c == '\r') {
		m->c.col = m->c.col < m->left ? 0 : m->left;
		m->c.pending = false;
	} else if (c == 0x0e || c == 0x0f)
		m->c.shift = c == 0x0e;
}
