/*
 * answers.h - telling what a terminal answers from what is typed on it. All
 * terminals that get the program's output hear its questions (DA, DSR,
 * DECRQM, colours...), but one answer is what the program waits for. What is
 * pasted, typed, pointed at, or said about the focus is no answer.
 */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define ANSWERS_HELD_MAX 64

struct answers {
	int where;                      /* in which kind of sequence */
	uint8_t held[ANSWERS_HELD_MAX]; /* may become an answer */
	size_t n_held;
	bool pasting;
};

/*
 * Append to OUT what of DATA is no answer. POSITIONS: reports of the cursor's
 * position are let through as well. *RET_KEYS: there was something that a
 * person does. 0 or as buf_put().
 */
int answers_drop(struct answers *a, const uint8_t *data, size_t len,
    bool positions, struct buf *out, bool *ret_keys);

#endif
