/*
 * json.c - see json.h.
 */
#include "cmd/json.h"

#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\\ufffd"

/* The character of N bytes at P, 0 for a byte that begins none. */
static int
put_character(struct buf *out, const char *p, int n)
{
	unsigned char b = (unsigned char)*p;

	if (n < 1)
		return buf_put(out, REPLACEMENT, strlen(REPLACEMENT));
	if (b < 0x20 || b == 0x7f)
		return buf_printf(out, "\\u%04x", b);
	if (b == '"' || b == '\\')
		return buf_printf(out, "\\%c", b);
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
