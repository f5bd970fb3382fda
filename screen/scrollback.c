/*
 * scrollback.c - see scrollback.h. A circle of pointers that doubles until it
 * has max_rows places; a line is one allocation, its length in front.
 */
#include "screen/scrollback.h"

#include <stdlib.h>
#include <string.h>

struct line {
	uint32_t len;
	uint8_t text[];
};

struct scrollback {
	struct line **lines;
	size_t cap, first, n; /* places, oldest, lines */
	size_t max_rows, max_bytes, bytes;
};

struct scrollback *
scrollback_new(size_t max_rows, size_t max_bytes)
{
	struct scrollback *b = calloc(1, sizeof *b);

	if (b != NULL) {
		b->max_rows = max_rows;
		b->max_bytes = max_bytes;
	}
	return b;
}

static void
drop_oldest(struct scrollback *b)
{
	struct line *l = b->lines[b->first];

	b->bytes -= sizeof *l + l->len;
	free(l);
	b->first = (b->first + 1) % b->cap;
	b->n--;
}

void
scrollback_clear(struct scrollback *b)
{
	while (b->n > 0)
		drop_oldest(b);
	free(b->lines);
	b->lines = NULL;
	b->cap = b->first = 0;
}

void
scrollback_free(struct scrollback *b)
{
	if (b == NULL)
		return;
	scrollback_clear(b);
	free(b);
}

/* Twice as many places, the lines in order from the first. */
static int
grow(struct scrollback *b)
{
	size_t cap = b->cap == 0 ? 64 : b->cap * 2, i;
	struct line **v;

	if (cap > b->max_rows)
		cap = b->max_rows;
	v = calloc(cap, sizeof *v);
	if (v == NULL)
		return -1;
	for (i = 0; i < b->n; i++)
		v[i] = b->lines[(b->first + i) % b->cap];
	free(b->lines);
	b->lines = v;
	b->cap = cap;
	b->first = 0;
	return 0;
}

void
scrollback_push(struct scrollback *b, const void *line, size_t len)
{
	struct line *l;

	if (b->max_rows == 0 || len > b->max_bytes / 2)
		return;
	while (b->n > 0 &&
	    (b->n >= b->max_rows || b->bytes + sizeof *l + len > b->max_bytes))
		drop_oldest(b);
	if (b->n == b->cap && grow(b) < 0)
		return;
	l = malloc(sizeof *l + len);
	if (l == NULL)
		return;
	l->len = (uint32_t)len;
	if (len > 0)
		memcpy(l->text, line, len);
	b->lines[(b->first + b->n++) % b->cap] = l;
	b->bytes += sizeof *l + len;
}

size_t
scrollback_rows(const struct scrollback *b)
{
	return b->n;
}

const uint8_t *
scrollback_row(const struct scrollback *b, size_t i, size_t *ret_len)
{
	const struct line *l = b->lines[(b->first + i) % b->cap];

	*ret_len = l->len;
	return l->text;
}
