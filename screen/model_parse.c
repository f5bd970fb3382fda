/*
 * model_parse.c - output as runs of text, controls and sequences: DEC STD
 * 070's parser, with OSC and other strings as xterm ends them. It is in
 * ground state exactly when the scanner is (modes_scan.c).
 */
#include <errno.h>

#include "base/utf8.h"
#include "screen/model_state.h"

#define VALUE_MAX 99999
#define REPLACEMENT 0xfffd

int
model_param(const struct model *m, int i, int value)
{
	return i < m->seq.n && m->seq.v[i] >= 0 ? m->seq.v[i] : value;
}

int
model_count(const struct model *m, int i)
{
	int v = model_param(m, i, 1);

	return v == 0 ? 1 : v;
}

static void
begin_escape(struct model *m)
{
	m->where = M_ESCAPE;
	m->seq = (struct model_seq){ .v = { -1 }, .n = 1 };
}

static void
parse_digit(struct model_seq *q, uint8_t c)
{
	int *v = &q->v[q->n - 1];

	*v = (*v < 0 ? 0 : *v) * 10 + (c - '0');
	if (*v > VALUE_MAX)
		*v = VALUE_MAX;
}

static void
parse_csi(struct model *m, uint8_t c)
{
	struct model_seq *q = &m->seq;
	bool first = q->n == 1 && q->v[0] < 0 && q->prefix == 0;

	if (c >= 0x40 && c <= 0x7e) {
		m->where = M_GROUND;
		if (!q->bad)
			model_csi(m, (char)c);
	} else if (c >= 0x20 && c <= 0x2f) {
		q->bad = q->bad || q->inter != 0;
		q->inter = (char)c;
	} else if (q->inter != 0)
		q->bad = true;
	else if (c >= '0' && c <= '9')
		parse_digit(q, c);
	else if (c == ';' || c == ':') {
		if (q->n == MODEL_PARAMS) {
			q->bad = true;
			return;
		}
		if (c == ':')
			q->colons |= 1u << q->n;
		q->v[q->n++] = -1;
	} else if (first)
		q->prefix = (char)c;
	else
		q->bad = true;
}

static void
parse_escape(struct model *m, uint8_t c)
{
	if (c >= 0x20 && c <= 0x2f) {
		m->seq.bad = m->seq.inter != 0;
		m->seq.inter = (char)c;
		m->where = M_ESCAPE_INTER;
	} else if (m->where == M_ESCAPE && c == '[')
		m->where = M_CSI;
	else if (m->where == M_ESCAPE && c == ']') {
		m->where = M_OSC;
		m->osc.len = 0;
	} else if (m->where == M_ESCAPE &&
	    (c == 'P' || c == 'X' || c == '^' || c == '_'))
		m->where = M_STRING;
	else if (c >= 0x30 && c <= 0x7e) {
		m->where = M_GROUND;
		if (!m->seq.bad)
			model_escape(m, (char)c);
	}
}

static void
end_osc(struct model *m)
{
	m->where = M_GROUND;
	if (!m->seq.bad) {
		model_osc(m);
		model_answer_color(m);
	}
	buf_done(&m->osc);
}

/*
 * The Linux console's palette has no end of its own: ESC ] R, and ESC ] P
 * with seven digits.
 */
static bool
ends_palette(const struct buf *b)
{
	return (b->len == 1 && b->data[0] == 'R') ||
	    (b->len == 8 && b->data[0] == 'P');
}

/* Links are wanted whole, and short questions; of others their beginning. */
static void
parse_osc(struct model *m, uint8_t c)
{
	struct buf *b = &m->osc;

	if (c == '\a')
		end_osc(m);
	else if (c >= 0x20 && !m->seq.bad &&
	    (b->len < MODEL_OSC_HEAD || memcmp(b->data, "8;", 2) == 0)) {
		m->seq.bad = buf_put(b, &c, 1) < 0; /* too long */
		if (ends_palette(b))
			end_osc(m);
	}
}

/* One byte, not in ground state. False: it was none of the sequence. */
static bool
parse_byte(struct model *m, uint8_t c)
{
	if (m->where == M_OSC_ESCAPE || m->where == M_STRING_ESCAPE) {
		if (c == '\\') {
			if (m->where == M_OSC_ESCAPE)
				end_osc(m);
			m->where = M_GROUND;
			return true;
		}
		begin_escape(m);
	}
	if (c == 0x18 || c == 0x1a)
		m->where = M_GROUND;
	else if (c == 0x1b)
		switch (m->where) {
		case M_OSC:
			m->where = M_OSC_ESCAPE;
			break;
		case M_STRING:
			m->where = M_STRING_ESCAPE;
			break;
		default:
			begin_escape(m);
		}
	else if (m->where == M_OSC)
		parse_osc(m, c);
	else if (m->where != M_STRING) {
		if (c >= 0x80) {
			m->where = M_GROUND;
			return false;
		}
		if (c < 0x20)
			model_control(m, c);
		else if (m->where == M_CSI)
			parse_csi(m, c);
		else
			parse_escape(m, c);
	}
	return true;
}

/* A character at P, perhaps begun before; the bytes taken. */
static size_t
parse_utf8(struct model *m, const uint8_t *p, size_t len)
{
	size_t had = (size_t)m->n_utf8, n = 0;
	int r;

	do {
		if (had + n == sizeof m->utf8 || n == len) {
			m->n_utf8 = (int)(had + n);
			return n; /* cut off */
		}
		m->utf8[had + n] = (char)p[n];
		n++;
		r = utf8_len(m->utf8, had + n);
	} while (r == -EAGAIN);
	m->n_utf8 = 0;
	if (r > 0) {
		model_put(m, utf8_get(m->utf8, (size_t)r));
		return n;
	}
	model_put(m, REPLACEMENT);
	/* The byte that does not fit may begin another character. */
	return had + n > 1 ? n - 1 : n;
}

static size_t
run_length(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && (uint8_t)(p[n] - 0x20) < 0x5f)
		n++;
	return n;
}

void
model_write(struct model *m, const uint8_t *data, size_t len)
{
	const uint8_t *p = data, *end = data + len;
	size_t n;

	while (p < end) {
		if (m->where != M_GROUND) {
			p += parse_byte(m, *p);
		} else if (m->n_utf8 > 0 || *p >= 0x80) {
			p += parse_utf8(m, p, (size_t)(end - p));
		} else if ((n = run_length(p, (size_t)(end - p))) > 0) {
			model_ascii(m, p, n);
			p += n;
		} else {
			if (*p == 0x1b)
				begin_escape(m);
			else
				model_control(m, *p);
			p++;
		}
	}
}
