/*
 * modes_scan.c - the scanner: output as text and sequences. Text is skipped
 * by memchr(3); the rest is a small machine with one state a kind.
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
	else if (m->where == CSI)
		scan_csi(m, c);
	else if (m->where == OSC)
		scan_osc(m, c);
	else if (m->where != STRING)
		scan_escape(m, c);
}

/* In ground state: the first of P that is ours to see, or END. */
static const uint8_t *
skip_text(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *esc = memchr(p, 0x1b, (size_t)(end - p));
	const uint8_t *shift;

	if (esc != NULL)
		end = esc;
	if ((shift = memchr(p, 0x0e, (size_t)(end - p))) != NULL)
		end = shift;
	if ((shift = memchr(p, 0x0f, (size_t)(end - p))) != NULL)
		end = shift;
	return end;
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

size_t
modes_scan_question(struct modes *m, const uint8_t *data, size_t len)
{
	const uint8_t *p = data, *end = data + len;
	uint32_t n = m->n_questions;

	while (p < end) {
		if (m->where != GROUND) {
			scan_byte(m, *p++);
			if (m->n_questions == n || m->where != GROUND)
				continue;
			end = p;
			break;
		}
		p = skip_text(p, end);
		if (p == end)
			break;
		if (*p == 0x1b)
			begin_escape(m);
		else {
			m->shift = *p == 0x0e;
			m->generation++;
		}
		p++;
	}
	keep_last(m, data, (size_t)(end - data));
	return (size_t)(end - data);
}

void
modes_scan(struct modes *m, const uint8_t *data, size_t len)
{
	size_t n;

	for (; len > 0; data += n, len -= n)
		n = modes_scan_question(m, data, len);
}

bool
modes_ground(const struct modes *m)
{
	return m->where == GROUND && utf8_torn(m->last, m->n_last) == 0;
}
