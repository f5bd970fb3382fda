/*
 * history.c - see history.h. Lines of the scrollback are text with the
 * sequences that paint_cells() makes; a revived session has them from an
 * image, so nothing of control gets out, whatever they are.
 */
#include "screen/history.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "base/utf8.h"
#include "screen/paint.h"
#include "screen/screen_state.h"

#define HISTORY_MAX (32 << 20)

/*
 * Lines of the scrollback have characters in the sets they were written in;
 * these are the designations that paint_pen() makes.
 */
static bool
is_designation(const uint8_t *p, size_t len)
{
	return len > 2 && p[0] == '\033' && p[1] == '(';
}

/* Bytes of the sequence at P, which begins with ESC. */
static size_t
sequence_len(const uint8_t *p, size_t len)
{
	size_t i;

	if (len < 2)
		return len;
	if (p[1] == '[') { /* CSI: up to a final byte */
		for (i = 2; i < len && (p[i] < 0x40 || p[i] > 0x7e); i++)
			;
		return i < len ? i + 1 : len;
	}
	if (is_designation(p, len))
		return 3;
	if (p[1] != ']')
		return 2;
	for (i = 2; i < len && p[i] != '\a'; i++) /* OSC: up to BEL or ST */
		if (p[i] == '\033')
			return i + 1 < len ? i + 2 : len;
	return i < len ? i + 1 : len;
}

/* Bytes at P that are no text; 0: it is text. */
static size_t
control_len(const uint8_t *p, size_t len)
{
	if (p[0] == '\033')
		return sequence_len(p, len);
	if (len > 1 && p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
		return 2;
	return p[0] < 0x20 || p[0] == 0x7f;
}

/* End a line that began at START of OUT: without blanks at its end. */
static int
end_line(struct buf *out, size_t start)
{
	while (out->len > start && out->data[out->len - 1] == ' ')
		out->len--;
	return buf_put(out, "\n", 1);
}

/* A character of SET. */
static int
put_char(unsigned set, uint32_t c, struct buf *out)
{
	char text[4];
	size_t len = utf8_put(cell_code_point(set, c), text);

	return buf_put(out, text, len);
}

static int
put_text(const uint8_t *p, size_t len, struct buf *out)
{
	size_t start = out->len, i, n;
	const char *set;
	unsigned in = 0;
	int r = 0;

	for (i = 0; i < len && r == 0; i += n == 0 ? 1 : n) {
		n = control_len(p + i, len - i);
		if (n == 0)
			r = in == 0 ? buf_put(out, p + i, 1) :
				      put_char(in, p[i], out);
		else if (is_designation(p + i, len - i) &&
		    (set = strchr(CELL_SETS, p[i + 2])) != NULL)
			in = (unsigned)(set - CELL_SETS);
	}
	return r < 0 ? r : end_line(out, start);
}

static int
put_row(const struct model *m, int row, struct buf *out)
{
	const struct cell *c = m->g->row[row], *end = c + m->cols;
	size_t start = out->len;
	unsigned set;
	int r = 0;

	for (; c < end && r == 0; c++) {
		set = (c->pen.attrs & SET) >> SET_SHIFT;
		r = set == 0 ? paint_glyph(m, c, out) :
			       put_char(set, c->glyph & GLYPH_VALUE, out);
	}
	return r < 0 ? r : end_line(out, start);
}

static int
put_all(struct screen *s, struct buf *out)
{
	const struct model *m = s->model;
	size_t i, len;
	int row, rows = m->rows, r = 0;
	const uint8_t *p;

	for (i = 0; i < scrollback_rows(s->scrollback) && r == 0; i++) {
		p = scrollback_row(s->scrollback, i, &len);
		r = put_text(p, len, out);
	}
	while (rows > 0 && paint_row_blank(m->g, rows - 1))
		rows--;
	for (row = 0; row < rows && r == 0; row++)
		r = put_row(m, row, out);
	return r;
}

int
history_file(struct screen *s, int *ret_fd, struct err *e)
{
	struct buf out autobuf = BUF_INIT(HISTORY_MAX);
	autoclose int fd = -1;
	int r;

	screen_flush(s);
	r = put_all(s, &out);
	if (r < 0)
		return err_num(e, r, "the history cannot be written");
	fd = memfd_create("sess-history", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot make a file in memory");
	r = io_pwrite(fd, out.data, out.len, 0);
	if (r < 0)
		return err_num(e, r, "the history cannot be written");
	*ret_fd = TAKE_FD(fd);
	return 0;
}
