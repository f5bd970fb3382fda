/*
 * skip.c - see skip.h.
 *
 * Within a line stay: printable text (it wraps: only more lines), C0 but ESC,
 * SO and SI (CAN and SUB end sequences, of which there are none here), and
 * CSI sequences without prefix that end in one of the finals below. A cut is
 * made behind CR LF, where the column is known.
 */
#include "screen/skip.h"

#include <string.h>

/* CUF CUB CHA ECH DCH ICH EL SGR HPA HPR */
#define WITHIN_LINE "CDGXP@Km`a"
#define GAIN_MIN 16384 /* bytes that make it worth while */

/*
 * The sequence at P, which begins with ESC: its length, 0 if it is not whole.
 * *RET_FINAL is 0 for one of consequence; it is then only its introducer.
 */
static size_t
sequence(const uint8_t *p, size_t len, uint8_t *ret_final)
{
	size_t i;

	*ret_final = 0;
	if (len < 2)
		return 0;
	if (p[1] != '[')
		return 2;
	for (i = 2; i < len; i++) {
		if ((p[i] >= '0' && p[i] <= '9') || p[i] == ';' || p[i] == ':')
			continue;
		if (p[i] == 'm')
			*ret_final = 'm';
		else if (p[i] >= 0x40 && p[i] < 0x7f &&
		    strchr(WITHIN_LINE, p[i]) != NULL)
			*ret_final = p[i];
		return i + 1;
	}
	return 0;
}

/* The first ESC, SO or SI; END if there is none. */
static const uint8_t *
find_control(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *q;

	if ((q = memchr(p, 0x1b, (size_t)(end - p))) != NULL)
		end = q;
	if ((q = memchr(p, 0x0e, (size_t)(end - p))) != NULL)
		end = q;
	if ((q = memchr(p, 0x0f, (size_t)(end - p))) != NULL)
		end = q;
	return end;
}

/*
 * Where the simple part of DATA at its end begins: behind the introducer of
 * the last thing of consequence, which is not simple itself; *RET_END is
 * where an unfinished sequence begins, or the end.
 */
static size_t
find_simple(const uint8_t *data, size_t len, size_t *ret_end)
{
	const uint8_t *p = data, *end = data + len;
	size_t from = 0, n;
	uint8_t final;

	while ((p = find_control(p, end)) < end) {
		if (*p != 0x1b) {
			from = (size_t)(++p - data);
			continue;
		}
		n = sequence(p, (size_t)(end - p), &final);
		if (n == 0)
			break;
		p += n;
		if (final == 0)
			from = (size_t)(p - data);
	}
	*ret_end = (size_t)(p - data);
	return from;
}

/* Behind the N-th CR LF from the end of DATA; 0: there are not so many. */
static size_t
nth_line(const uint8_t *data, size_t len, size_t n)
{
	const uint8_t *p = data + len;

	for (; n > 0; n--) {
		p = memrchr(data, '\n', (size_t)(p - data));
		if (p == NULL)
			return 0;
	}
	while (p > data && p[-1] != '\r') {
		p = memrchr(data, '\n', (size_t)(p - data));
		if (p == NULL)
			return 0;
	}
	return p > data ? (size_t)(p + 1 - data) : 0;
}

bool
skip_find(const uint8_t *data, size_t len, size_t n_lines,
    struct skip *ret_skip)
{
	size_t end, from = find_simple(data, len, &end);

	/*
	 * Of something of consequence only the introducer was looked at. It
	 * is over at the end of the line after it, or it is a string with
	 * text of its own: then it is whole lines, which are modelled.
	 */
	if (from > 0) {
		const uint8_t *nl = memchr(data + from, '\n', end - from);

		if (nl == NULL)
			return false;
		from = (size_t)(nl + 1 - data);
	}
	ret_skip->feed = from;
	ret_skip->cut = from + nth_line(data + from, end - from, n_lines);
	return ret_skip->cut > from + GAIN_MIN;
}

/* Do the parameters of an SGR sequence begin by resetting all? */
static bool
resets(const uint8_t *p)
{
	return p[2] == 'm' || p[2] == ';' ||
	    (p[2] == '0' && (p[3] == 'm' || p[3] == ';'));
}

int
skip_carry(const uint8_t *data, size_t len, struct buf *out)
{
	const uint8_t *p = data, *end = data + len;
	uint8_t final;
	size_t n;
	int r;

	while ((p = memchr(p, 0x1b, (size_t)(end - p))) != NULL) {
		n = sequence(p, (size_t)(end - p), &final);
		if (n == 0)
			return 0;
		if (final == 'm') {
			if (resets(p))
				out->len = 0;
			r = buf_put(out, p, n);
			if (r < 0)
				return r;
		}
		p += n;
	}
	return 0;
}
