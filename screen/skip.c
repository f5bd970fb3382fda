/*
 * skip.c - see skip.h.
 */
#include "screen/skip.h"

#include <stdbool.h>
#include <string.h>

#define GAIN_MIN 16384 /* bytes that make it worth while */

/* Behind the N-th LF from the end, or a CR LF before it; 0: none. */
size_t
skip_find(const uint8_t *data, size_t len, size_t n_lines)
{
	const uint8_t *p = data + len;

	do {
		p = memrchr(data, '\n', (size_t)(p - data));
		if (p == NULL || p == data)
			return 0;
		n_lines -= n_lines > 0;
	} while (n_lines > 0 || p[-1] != '\r');
	return p + 1 - data > GAIN_MIN ? (size_t)(p + 1 - data) : 0;
}

/* Behind the parameters of the sequence at P, which begins with ESC [. */
static const uint8_t *
final_of(const uint8_t *p, const uint8_t *end)
{
	for (p += 2; p < end && *p >= '0' && *p <= ';'; p++)
		;
	return p;
}

/* Do the parameters of an SGR sequence begin by resetting all? */
static bool
resets(const uint8_t *p)
{
	return p[2] == 'm' || p[2] == ';' ||
	    (p[2] == '0' && (p[3] == 'm' || p[3] == ';'));
}

/* The last sequence that resets all, or the beginning. */
static const uint8_t *
last_reset(const uint8_t *data, const uint8_t *end)
{
	const uint8_t *p = end, *final;

	while ((p = memrchr(data, 0x1b, (size_t)(p - data))) != NULL) {
		final = final_of(p, end);
		if (final < end && *final == 'm' && resets(p))
			return p;
	}
	return data;
}

int
skip_carry(const uint8_t *data, size_t len, struct buf *out)
{
	const uint8_t *end = data + len, *final;
	const uint8_t *p = last_reset(data, end);
	int r = 0;

	while (r == 0 && (p = memchr(p, 0x1b, (size_t)(end - p))) != NULL) {
		final = final_of(p, end);
		if (final >= end)
			break;
		if (*final == 'm')
			r = buf_put(out, p, (size_t)(final + 1 - p));
		p = final + 1;
	}
	return r;
}
