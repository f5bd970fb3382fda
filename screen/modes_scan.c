/*
 * modes_scan.c - the scanner: output as text and sequences. Text and colours
 * are passed over in large steps; the rest is a small machine with one state a
 * kind.
 */
#include <string.h>

#include "base/utf8.h"
#include "screen/modes_state.h"

static void
begin_escape(struct modes *m)
{
	m->where = ESCAPE;
	m->n_seq = 0;
}

/* A byte after ESC. */
static void
scan_escape(struct modes *m, uint8_t c)
{
	if (c >= 0x20 && c <= 0x2f) {
		if (m->n_seq < SEQ_MAX)
			m->seq[m->n_seq] = (char)c;
		m->n_seq++;
		m->where = ESCAPE_INTER;
	} else if (m->where == ESCAPE && c == '[')
		m->where = CSI;
	else if (m->where == ESCAPE && c == ']') {
		m->where = OSC;
		m->n_string = 0;
	} else if (m->where == ESCAPE && strchr("PX^_", c) != NULL && c != 0) {
		/* DECRQSS, XTGETTCAP, kitty graphics: it may ask */
		m->n_questions += c == 'P' || c == '_';
		m->where = STRING;
	} else if (c >= 0x30 && c <= 0x7e)
		modes_escape(m, (char)c);
	else if (c >= 0x80)
		m->where = GROUND;
}

static void
scan_csi(struct modes *m, uint8_t c)
{
	if (c >= 0x40 && c <= 0x7e)
		modes_csi(m, (char)c);
	else if (c >= 0x20 && c < 0x40) {
		if (m->n_seq < SEQ_MAX)
			m->seq[m->n_seq] = (char)c;
		m->n_seq++;
	} else if (c >= 0x80)
		m->where = GROUND;
}

/*
 * The Linux console's palette has no end of its own: ESC ] R, and ESC ] P
 * with seven digits.
 */
static bool
ends_palette(const struct modes *m)
{
	return (m->string[0] == 'R' && m->n_string == 1) ||
	    (m->string[0] == 'P' && m->n_string == 8);
}

static void
scan_osc(struct modes *m, uint8_t c)
{
	if (c == '\a')
		modes_osc(m);
	else if (c >= 0x20) {
		if (m->n_string < STRING_MAX)
			m->string[m->n_string++] = (char)c;
		if (ends_palette(m))
			modes_osc(m);
	}
}

/* SO and SI. */
static void
shift(struct modes *m, uint8_t c)
{
	m->shift = c == 0x0e;
	m->generation++;
}

/* One byte, not in ground state. */
static void
scan_byte(struct modes *m, uint8_t c)
{
	if (m->where == OSC_ESCAPE || m->where == STRING_ESCAPE) {
		if (c == '\\') {
			if (m->where == OSC_ESCAPE)
				modes_osc(m);
			m->where = GROUND;
			return;
		}
		begin_escape(m);
	}
	if (c == 0x18 || c == 0x1a)
		m->where = GROUND;
	else if (c == 0x1b && m->where == OSC)
		m->where = OSC_ESCAPE;
	else if (c == 0x1b && m->where == STRING)
		m->where = STRING_ESCAPE;
	else if (c == 0x1b)
		begin_escape(m);
	else if (m->where == OSC)
		scan_osc(m, c);
	else if (m->where == STRING)
		return;
	else if ((c & 0xfe) == 0x0e)
		shift(m, c); /* controls work inside of sequences */
	else if (m->where == CSI)
		scan_csi(m, c);
	else
		scan_escape(m, c);
}

/* ---- in ground state ---- */

typedef uint8_t block __attribute__((vector_size(16)));

/* The first ESC, SO or SI, or END. */
static const uint8_t *
skip_text(const uint8_t *p, const uint8_t *end)
{
	uint64_t found[2];
	block b;

	for (; (size_t)(end - p) >= sizeof b; p += sizeof b) {
		memcpy(&b, p, sizeof b);
		b = (block)(b == 0x1b) | (block)((b & 0xfe) == 0x0e);
		memcpy(found, &b, sizeof found);
		if ((found[0] | found[1]) != 0)
			break;
	}
	while (p < end && *p != 0x1b && (*p & 0xfe) != 0x0e)
		p++;
	return p;
}

/* CUF CUB CHA ECH DCH ICH EL SGR HPA HPR */
static bool
stays_in_line(char final)
{
	switch (final) {
	case 'm':
	case 'K':
	case 'C':
	case 'D':
	case 'G':
	case 'X':
	case 'P':
	case '@':
	case '`':
	case 'a':
		return true;
	default:
		return false;
	}
}

/*
 * Behind the control sequence at P where it is whole and has no effect beyond
 * its line and the pen; else P.
 */
static const uint8_t *
skip_sequence(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *q = p + 2;

	if (end - p < 3 || p[1] != '[')
		return p;
	while (q < end && *q >= '0' && *q <= ';')
		q++;
	return q < end && stays_in_line((char)*q) ? q + 1 : p;
}

/* Remember the last bytes, for characters that are cut in two. */
static void
keep_last(struct modes *m, const uint8_t *data, size_t len)
{
	size_t old;

	if (len >= sizeof m->last) {
		memcpy(m->last, data + len - sizeof m->last, sizeof m->last);
		m->n_last = sizeof m->last;
		return;
	}
	old = sizeof m->last - len;
	if (old > m->n_last)
		old = m->n_last;
	memmove(m->last, m->last + m->n_last - old, old);
	memcpy(m->last + old, data, len);
	m->n_last = old + len;
}

/* Bytes of TEXT that are parameters and nothing else. */
static size_t
parameters(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] >= '0' && text[n] <= ';')
		n++;
	return n;
}

/*
 * A byte that is not text was seen: did it, or the sequence that it ends, have
 * an effect beyond its line? WAS is where the stream stood before.
 */
static bool
has_effect(const struct modes *m, enum where was, uint8_t c)
{
	if (m->where != GROUND)
		return c < 0x20 && c != 0x1b;
	return was != CSI || c < 0x40 || m->n_seq > SEQ_MAX ||
	    !stays_in_line((char)c) || parameters(m->seq, m->n_seq) < m->n_seq;
}

/* The first at P that is not text and colours. */
static const uint8_t *
skip_lines(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *next;

	for (;;) {
		p = skip_text(p, end);
		next = p < end ? skip_sequence(p, end) : p;
		if (next == p)
			return p;
		p = next;
	}
}

size_t
modes_scan(struct modes *m, const uint8_t *data, size_t len, bool stop,
    size_t *ret_plain)
{
	const uint8_t *p = data, *end = data + len, *from = data;
	uint32_t asked = m->n_questions;
	enum where was;

	while (p < end) {
		was = m->where;
		if (was != GROUND) {
			scan_byte(m, *p);
			if (has_effect(m, was, *p++))
				from = p;
			if (stop && m->n_questions != asked &&
			    m->where == GROUND)
				end = p;
			continue;
		}
		p = skip_lines(p, end);
		if (p == end)
			break;
		if (*p++ == 0x1b) {
			begin_escape(m);
			continue;
		}
		shift(m, p[-1]);
		from = p;
	}
	keep_last(m, data, (size_t)(end - data));
	if (m->where != GROUND && m->where != ESCAPE && m->where != CSI)
		from = end;
	*ret_plain = (size_t)(end - from);
	return (size_t)(end - data);
}

bool
modes_ground(const struct modes *m)
{
	return m->where == GROUND && utf8_torn(m->last, m->n_last) == 0;
}
