/*
 * say.c - see say.h. A line goes out in one piece, so that those of several
 * processes do not mix.
 */
#include "base/say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

#define SAY_MAX (64u << 20) /* bytes; a longer one is cut */

/* Write the character of N bytes at P to C, which has room for 16. */
static int
put_character(const char *p, int n, bool lines, char *c)
{
	uint32_t u = n < 1 ? '?' : utf8_get(p, (size_t)n);

	if (u == '\n' && lines)
		c[0] = '\n';
	else if (u >= '\t' && u <= '\r')
		c[0] = ' ';
	else if (u < 0x20 || (u >= 0x7f && u < 0xa0))
		c[0] = '?';
	else if (utf8_is_format(u))
		return snprintf(c, 16, "\\u%04x", (unsigned)u);
	else
		return (int)utf8_put(u, c);
	return 1;
}

/* Append TEXT to OUT; its columns. */
static int
put(struct buf *out, const char *text, bool lines)
{
	size_t len = strlen(text);
	char c[16];
	int n, written, columns = 0;

	for (; len > 0; text += n, len -= (size_t)n) {
		n = utf8_len(text, len);
		written = put_character(text, n, lines, c);
		n = n < 1 ? 1 : n;
		columns += written > 4 ? written : 1; /* \u and a number */
		if (buf_put(out, c, (size_t)written) < 0)
			break;
	}
	return columns;
}

int
say_text(FILE *out, const char *text)
{
	struct buf b autobuf = BUF_INIT(SAY_MAX);
	int columns = put(&b, text, false);

	if (out != NULL)
		(void)fwrite(b.data, 1, b.len, out);
	return columns;
}

void
say_lines(FILE *out, const char *text)
{
	struct buf b autobuf = BUF_INIT(SAY_MAX);

	(void)put(&b, text, true);
	(void)fwrite(b.data, 1, b.len, out);
}

void
say_line(FILE *out, const char *fmt, ...)
{
	struct buf b autobuf = BUF_INIT(SAY_MAX);
	autofree char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r < 0) {
		text = NULL;
		return;
	}
	(void)put(&b, text, false);
	(void)buf_put(&b, "\n", 1);
	(void)fwrite(b.data, 1, b.len, out);
}
