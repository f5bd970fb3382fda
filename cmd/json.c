/*
 * json.c - see json.h.
 */
#include "cmd/json.h"

#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\\ufffd"

/* JSON has 16 bits for a number: others are a pair of surrogates. */
static int
put_number(struct buf *out, uint32_t u)
{
	if (u < 0x10000)
		return buf_printf(out, "\\u%04x", (unsigned)u);
	u -= 0x10000;
	return buf_printf(out, "\\u%04x\\u%04x", 0xd800 | (unsigned)(u >> 10),
	    0xdc00 | (unsigned)(u & 0x3ff));
}

/* The character of N bytes at P, 0 for a byte that begins none. */
static int
put_character(struct buf *out, const char *p, int n)
{
	uint32_t u;

	if (n < 1)
		return buf_put(out, REPLACEMENT, strlen(REPLACEMENT));
	u = utf8_get(p, (size_t)n);
	/* A terminal may be what reads it. */
	if (u < 0x20 || (u >= 0x7f && u < 0xa0) || utf8_is_format(u))
		return put_number(out, u);
	if (u == '"' || u == '\\')
		return buf_printf(out, "\\%c", (char)u);
	return buf_put(out, p, (size_t)n);
}

int
json_string(struct buf *out, const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text), i;
	int r, n;

	if (text == NULL)
		return buf_put(out, "null", 4);
	r = buf_put(out, "\"", 1);
	for (i = 0; i < len && r == 0; i += (size_t)(n < 1 ? 1 : n)) {
		n = utf8_len(text + i, len - i);
		r = put_character(out, text + i, n);
	}
	return r < 0 ? r : buf_put(out, "\"", 1);
}
