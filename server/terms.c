/*
 * terms.c - see terms.h. What comes in is our own: every sequence is whole
 * but the last.
 */
#include "server/terms.h"

#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "base/utf8.h"
#include "screen/cell.h"
#include "server/terms_state.h"
#include "session/features.h"

struct writer {
	const struct terms *t;
	struct buf *out;
	size_t start; /* of what is ours in it */
	int row, col; /* where the cursor is */
	int line;     /* text only: the row that was written last */
	int text_col; /* ... up to this column */
	unsigned set; /* of CELL_SETS: it is ours to translate from */
};

/* ---- taking apart ---- */

/* Bytes of the sequence at P, which begins with ESC; 0: it is cut off. */
static size_t
sequence_len(const uint8_t *p, size_t len)
{
	size_t i;

	if (len < 2)
		return 0;
	if (strchr("]PX^_", p[1]) != NULL && p[1] != 0) {
		if (len > 2 && p[1] == ']' && p[2] == 'R')
			return 3; /* the Linux console's, without an end */
		for (i = 2; i < len; i++) {
			if (p[i] == '\a')
				return i + 1;
			if (p[i] == 0x1b && i + 1 < len)
				return i + 2;
		}
		return 0;
	}
	for (i = p[1] == '[' ? 2 : 1; i < len; i++)
		if (p[i] >= (p[1] == '[' ? 0x40 : 0x30))
			return i + 1;
	return 0;
}

static struct sequence
parse(const uint8_t *p, size_t len)
{
	struct sequence q = { .n = 1, .final = (char)p[len - 1] };
	size_t i = 2;

	if (p[i] >= '<' && p[i] <= '?')
		q.prefix = (char)p[i++];
	for (; i + 1 < len; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			q.v[q.n - 1] = (q.v[q.n - 1] * 10 + p[i] - '0') %
			    100000;
		else if ((p[i] == ';' || p[i] == ':') && q.n < TERMS_PARAMS)
			q.sub[q.n++] = p[i] == ':';
		else
			q.inter = (char)p[i];
	}
	return q;
}

/* ---- who knows what ---- */

/* Without a line of its own a sequence is xterm's. */
static const struct {
	char prefix, inter, final;
	uint64_t needs;
} csi_table[] = {
	{ 0, 0, 'K', FEATURE_ERASE },
	{ 0, 0, 'J', FEATURE_ERASE },
	{ 0, 0, 'r', FEATURE_REGION },
	{ 0, ' ', 'q', FEATURE_STYLE },
};

static const struct {
	char prefix;
	int number;
	uint64_t needs;
} mode_table[] = {
	{ '?', 1, FEATURE_CURSOR_KEYS },
	{ '?', 5, FEATURE_FLASH },
	{ '?', 6, FEATURE_ORIGIN },
	{ '?', 7, FEATURE_WRAP },
	{ '?', 25, FEATURE_HIDE },
	{ '?', 1000, FEATURE_MOUSE },
	{ '?', 2004, FEATURE_PASTE },
	{ 0, 4, FEATURE_INSERT },
};

static uint64_t
mode_needs(const struct sequence *q)
{
	size_t i;

	for (i = 0; i < N_ELEMENTS(mode_table); i++)
		if (mode_table[i].prefix == q->prefix &&
		    mode_table[i].number == q->v[0])
			return mode_table[i].needs;
	return FEATURE_XTERM;
}

static uint64_t
csi_needs(const struct sequence *q)
{
	size_t i;

	if (q->inter == 0 && (q->final == 'h' || q->final == 'l'))
		return mode_needs(q);
	for (i = 0; i < N_ELEMENTS(csi_table); i++)
		if (csi_table[i].prefix == q->prefix &&
		    csi_table[i].inter == q->inter &&
		    csi_table[i].final == q->final)
			return csi_table[i].needs;
	return FEATURE_XTERM;
}

/* Of an escape sequence or string. */
static uint64_t
escape_needs(const uint8_t *p)
{
	if (p[1] == ']' && p[2] == 'R')
		return FEATURE_LINUX_COLORS;
	if (p[1] == ']' && p[2] >= '0' && p[2] <= '2' && p[3] == ';')
		return FEATURE_TITLE;
	if (p[1] == '7' || p[1] == '8')
		return FEATURE_SAVE;
	if (p[1] == '=' || p[1] == '>')
		return FEATURE_KEYPAD;
	if (p[1] == '(')
		return FEATURE_GRAPHICS;
	if (p[1] == ')')
		return FEATURE_GRAPHICS_G1;
	return FEATURE_XTERM;
}

static bool
knows(const struct writer *w, uint64_t needs)
{
	return (w->t->features & needs) != 0;
}

/* ---- the alternate screen ---- */

static bool
is_alternate(const struct sequence *q)
{
	return q->prefix == '?' && (q->final == 'h' || q->final == 'l') &&
	    (q->v[0] == 47 || q->v[0] == 1047 || q->v[0] == 1049);
}

/* One screen shows what is on the other over what is on the first. */
static int
put_alternate(struct writer *w, const struct sequence *q)
{
	if (knows(w, FEATURE_ALTERNATE))
		return buf_printf(w->out, "\033[?%d%c", q->v[0], q->final);
	if (!knows(w, FEATURE_ALTERNATE_47))
		return 0;
	return buf_printf(w->out, "\033[?47%c", q->final);
}

/* ---- terminals that can be painted ---- */

static int
put_csi(struct writer *w, const uint8_t *p, size_t len)
{
	struct sequence q = parse(p, len);

	if (q.prefix == 0 && q.final == 'H') {
		w->row = q.v[0] > 0 ? q.v[0] - 1 : 0;
		w->col = q.v[1] > 0 ? q.v[1] - 1 : 0;
		return buf_put(w->out, p, len);
	}
	if (q.prefix == 0 && q.final == 'm')
		return terms_pen(w->t->features, &q, w->out);
	if (is_alternate(&q))
		return put_alternate(w, &q);
	return knows(w, csi_needs(&q)) ? buf_put(w->out, p, len) : 0;
}

static int
put_glyph(struct writer *w, const uint8_t *p, size_t len, uint32_t c)
{
	int width = terms_width(c);

	/* What cannot be filled without scrolling is erased. */
	if (!knows(w, FEATURE_LAST_CELL) && w->row == w->t->rows - 1 &&
	    w->col + width >= w->t->cols)
		return knows(w, FEATURE_ERASE) && width > 0 ?
		    buf_put(w->out, "\033[K", 3) :
		    0;
	w->col += width;
	if (c < 0x80 || knows(w, FEATURE_UTF8))
		return buf_put(w->out, p, len);
	return terms_glyph(w->t->features, c, w->out);
}

/* ---- terminals that get text ---- */

static int
text_csi(struct writer *w, const uint8_t *p, size_t len)
{
	struct sequence q = parse(p, len);

	if (q.prefix == 0 && q.final == 'H') {
		w->row = q.v[0] > 0 ? q.v[0] - 1 : 0;
		w->col = q.v[1] > 0 ? q.v[1] - 1 : 0;
	} else if (is_alternate(&q) && q.final == 'h') {
		w->out->len = w->start; /* what was hidden by it */
		w->line = w->text_col = 0;
	}
	return 0;
}

static int
text_lines(struct writer *w)
{
	int r = 0;

	for (; w->line < w->row && r == 0; w->line++) {
		w->text_col = 0;
		r = buf_put(w->out, "\r\n", 2);
	}
	return r;
}

static int
text_glyph(struct writer *w, const uint8_t *p, size_t len, uint32_t c)
{
	int r;

	if (w->row < w->line || (w->row == w->line && w->col < w->text_col))
		return 0; /* drawn a second time */
	r = text_lines(w);
	w->col += terms_width(c);
	w->text_col = w->col;
	if (r < 0 || c < 0x80 || knows(w, FEATURE_UTF8))
		return r < 0 ? r : buf_put(w->out, p, len);
	return terms_glyph(w->t->features, c, w->out);
}

static int
text_end(struct writer *w)
{
	int r = w->row < w->line ? 0 : text_lines(w);

	for (; r == 0 && w->row == w->line && w->text_col < w->col;
	     w->text_col++)
		r = buf_put(w->out, " ", 1);
	return r;
}

/* ---- all ---- */

static uint32_t
decode(const uint8_t *p, size_t len)
{
	static const uint8_t masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = p[0] & masks[len];
	size_t i;

	for (i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

static int
put_control(struct writer *w, const uint8_t *p)
{
	bool shift = p[0] == 0x0e || p[0] == 0x0f;

	if (!knows(w, FEATURE_ADDRESS) ||
	    (shift && !knows(w, FEATURE_GRAPHICS_G1 | FEATURE_XTERM)))
		return 0;
	return buf_put(w->out, p, 1);
}

/*
 * ESC ( FINAL: from a set that the terminal does not know what is in it is
 * translated.
 */
static int
put_designation(struct writer *w, const uint8_t *p, size_t len)
{
	const char *set = strchr(CELL_SETS, p[len - 1]);
	bool common = p[len - 1] == '0' || p[len - 1] == 'B';

	w->set = 0;
	if (knows(w, FEATURE_ADDRESS) &&
	    knows(w, common ? FEATURE_GRAPHICS : FEATURE_XTERM))
		return buf_put(w->out, p, len);
	if (set != NULL)
		w->set = (unsigned)(set - CELL_SETS);
	return 0;
}

static int
put_character(struct writer *w, const uint8_t *p, size_t len)
{
	uint32_t c = decode(p, len);
	char text[4];

	if (w->set != 0 && c < 0x80) {
		c = cell_code_point(w->set, c);
		len = utf8_put(c, text);
		p = (const uint8_t *)text;
	}
	return knows(w, FEATURE_ADDRESS) ? put_glyph(w, p, len, c) :
					   text_glyph(w, p, len, c);
}

static int
put_sequence(struct writer *w, const uint8_t *p, size_t len)
{
	bool paints = knows(w, FEATURE_ADDRESS);

	if (p[1] == '(' && len == 3)
		return put_designation(w, p, len);
	if (p[1] == '[')
		return paints ? put_csi(w, p, len) : text_csi(w, p, len);
	return paints && knows(w, escape_needs(p)) ? buf_put(w->out, p, len) :
						     0;
}

/* In its terms, and as it is where that is something else. */
static int
put_both(struct writer *w, const uint8_t *p, size_t len)
{
	size_t from = w->out->len;
	int r = put_sequence(w, p, len);

	if (r < 0 || !w->t->both ||
	    (w->out->len - from == len &&
		memcmp(w->out->data + from, p, len) == 0))
		return r;
	return buf_put(w->out, p, len);
}

/* What begins at P: *RET_LEN bytes of it. */
static int
put_next(struct writer *w, const uint8_t *p, size_t len, size_t *ret_len)
{
	int n;

	*ret_len = 1;
	if (p[0] == 0x1b) {
		*ret_len = sequence_len(p, len);
		if (*ret_len > 0)
			return put_both(w, p, *ret_len);
		*ret_len = len; /* the program's, cut off */
		return buf_put(w->out, p, len);
	}
	if (p[0] < 0x20)
		return put_control(w, p);
	n = utf8_len((const char *)p, len);
	if (n > 0) {
		*ret_len = (size_t)n;
		return put_character(w, p, (size_t)n);
	}
	if (n == -EAGAIN)
		*ret_len = len;
	return buf_put(w->out, p, *ret_len);
}

int
terms_put(const struct terms *t, const uint8_t *data, size_t len,
    struct buf *out)
{
	struct writer w = { .t = t, .out = out, .start = out->len };
	size_t n;
	int r = 0;

	if ((t->features & FEATURES_ALL) == FEATURES_ALL)
		return buf_put(out, data, len);
	for (; len > 0 && r == 0; data += n, len -= n)
		r = put_next(&w, data, len, &n);
	if (r < 0 || (t->features & FEATURE_ADDRESS) != 0)
		return r;
	/* Text ends where the cursor is, if it is not above. */
	if (out->len == w.start && w.row == 0)
		return 0;
	return text_end(&w);
}
