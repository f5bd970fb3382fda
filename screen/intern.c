/*
 * intern.c - see intern.h. The index is a table of twice as many places as
 * there can be numbers, probed one after the other, and is made anew when it
 * grows and after a sweep.
 */
#include "screen/intern.h"

#include <stdlib.h>
#include <string.h>

#define CAP_FIRST 64
#define PATIENCE 4096

void
intern_done(struct intern *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		free(t->v[i].text);
	free(t->v);
	free(t->index);
	*t = INTERN_INIT(t->max_bytes);
}

/* FNV-1a */
static uint32_t
hash(const char *text, size_t len)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ (uint8_t)text[i]) * 16777619u;
	return h;
}

/* Where TEXT is in the index, or the empty place where it belongs. */
static uint32_t *
look_up(const struct intern *t, uint32_t h, const char *text, size_t len)
{
	size_t mask = t->cap * 2 - 1, i = h & mask;

	for (; t->index[i] != 0; i = (i + 1) & mask) {
		const struct interned *e = &t->v[t->index[i] - 1];

		if (e->hash == h && e->len == len &&
		    memcmp(e->text, text, len) == 0)
			break;
	}
	return &t->index[i];
}

static void
fill_index(struct intern *t)
{
	size_t i;

	memset(t->index, 0, t->cap * 2 * sizeof *t->index);
	for (i = 0; i < t->n; i++) {
		const struct interned *e = &t->v[i];

		if (e->text != NULL)
			*look_up(t, e->hash, e->text, e->len) = (uint32_t)i + 1;
	}
}

static bool
grow(struct intern *t)
{
	size_t cap = t->cap == 0 ? CAP_FIRST : t->cap * 2;
	uint32_t *index = calloc(cap * 2, sizeof *index);
	struct interned *v = NULL;

	if (index != NULL)
		v = realloc(t->v, cap * sizeof *v);
	if (v == NULL) {
		free(index);
		return false;
	}
	free(t->index);
	t->v = v;
	t->index = index;
	t->cap = cap;
	fill_index(t);
	return true;
}

/* A number that is free; 0: none. */
static uint32_t
take_number(struct intern *t)
{
	/* Numbers get free in a sweep only. */
	for (; t->n_texts < t->n && t->first_free < t->n; t->first_free++)
		if (t->v[t->first_free].text == NULL)
			return (uint32_t)++t->first_free;
	if (t->n == INTERN_MAX || (t->n == t->cap && !grow(t)))
		return 0;
	return (uint32_t)++t->n;
}

uint32_t
intern_put(struct intern *t, const char *text, size_t len)
{
	uint32_t h = hash(text, len), number, *place;
	struct interned *e;
	char *copy;

	if (t->cap > 0 && *(place = look_up(t, h, text, len)) != 0)
		return *place;
	if (len > UINT16_MAX || t->bytes + len > t->max_bytes)
		return 0;
	copy = malloc(len + 1);
	number = copy == NULL ? 0 : take_number(t);
	if (number == 0) {
		free(copy);
		return 0;
	}
	memcpy(copy, text, len);
	e = &t->v[number - 1];
	*e = (struct interned){ .text = copy, .hash = h, .len = (uint16_t)len };
	*look_up(t, h, text, len) = number;
	t->n_texts++;
	t->bytes += len;
	return number;
}

bool
intern_wants_sweep(struct intern *t)
{
	if (t->patience == 0)
		return true;
	t->patience--;
	return false;
}

void
intern_mark(struct intern *t, uint32_t number)
{
	t->v[number - 1].held = true;
}

void
intern_sweep(struct intern *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct interned *e = &t->v[i];

		if (e->text != NULL && !e->held) {
			t->bytes -= e->len;
			t->n_texts--;
			free(e->text);
			e->text = NULL;
		}
		e->held = false;
	}
	if (t->cap > 0)
		fill_index(t);
	t->first_free = 0;
	/* Little was gained: do not look again for every text. */
	if (t->n_texts > INTERN_MAX / 8 * 7 || t->bytes > t->max_bytes / 8 * 7)
		t->patience = PATIENCE;
}

const char *
intern_get(const struct intern *t, uint32_t number, size_t *ret_len)
{
	*ret_len = t->v[number - 1].len;
	return t->v[number - 1].text;
}
