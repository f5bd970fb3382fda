/*
 * skip.h - output that need not be modelled. A line of text, with colours
 * and whatever else stays within its line (modes_scan()), has no effect on
 * anything once so many lines have followed that it has left the screen and
 * the scrollback: except on the pen, which is carried over.
 */
#ifndef SKIP_H
#define SKIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * How many of the LEN bytes, which are such lines, may be passed over so that
 * N_LINES are left: up to behind a CR LF, where the column is known. 0 where
 * it is not worth while.
 */
size_t skip_find(const uint8_t *data, size_t len, size_t n_lines);

/*
 * Append the SGR sequences of a part that is passed over: those since the
 * last one that resets all.
 */
int skip_carry(const uint8_t *data, size_t len, struct buf *out);

#endif
