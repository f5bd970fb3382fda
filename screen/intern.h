/*
 * intern.h - texts by number, each kept once: the clusters and the links of
 * the screen's cells, which hold the numbers. Numbers count from 1. What no
 * cell holds any more goes when room is needed: its owner marks what is held.
 */
#ifndef INTERN_H
#define INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERN_MAX 65535 /* texts */

struct interned {
	char *text; /* owned; NULL: the number is free */
	uint32_t hash;
	uint16_t len;
	bool held;
};

struct intern {
	struct interned *v; /* number - 1 */
	uint32_t *index;    /* numbers by hash; 0: empty */
	size_t n, cap;      /* numbers given out, places */
	size_t n_texts;
	size_t first_free; /* no number below it is free */
	size_t bytes, max_bytes;
	size_t patience; /* texts to refuse before looking for room again */
};

/* Nothing is allocated before the first text. */
#define INTERN_INIT(max) ((struct intern){ .max_bytes = (max) })

void intern_done(struct intern *t);

/* The number of a text; 0: it is not here and there is no room or memory. */
uint32_t intern_put(struct intern *t, const char *text, size_t len);

/* Is it worth while to sweep and try again? */
bool intern_wants_sweep(struct intern *t);

void intern_mark(struct intern *t, uint32_t number);

/* Let go of all that is not marked; the marks are gone then. */
void intern_sweep(struct intern *t);

/* The text of a number that was given out and is held. */
const char *intern_get(const struct intern *t, uint32_t number,
    size_t *ret_len);

#endif
