/*
 * skip.h - output that need not be modelled. A line of text, with colours
 * and whatever else stays within its line, has no effect on anything once so
 * many lines have followed that it has left the screen and the scrollback:
 * except on the pen, which is carried over.
 */
#ifndef SKIP_H
#define SKIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* What to do with waiting output, in this order. */
struct skip {
	size_t feed; /* bytes to be modelled: a sequence of consequence */
	size_t cut;  /* the bytes from FEED to here are passed over */
};

/*
 * Look at DATA, which begins in ground state with no margins set. N_LINES
 * lines at its end are to be modelled in any case. False: nothing is to be
 * gained.
 */
bool skip_find(const uint8_t *data, size_t len, size_t n_lines,
    struct skip *ret_skip);

/*
 * Append the SGR sequences of a part that is passed over: those since the
 * last one that resets all.
 */
int skip_carry(const uint8_t *data, size_t len, struct buf *out);

#endif
