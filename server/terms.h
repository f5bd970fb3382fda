/*
 * terms.h - what sess writes of its own, in a terminal's own terms. Paint
 * and modes are composed for a terminal that knows everything; for one that
 * knows less they pass through here: colours become fewer, line drawing
 * comes from the DEC set where there is no UTF-8, and sequences that the
 * terminal does not know are left out. One whose cursor cannot be placed
 * gets the text of the screen, line by line. The program's own output never
 * comes here.
 */
#ifndef TERMS_H
#define TERMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct terms {
	uint64_t features; /* session/features.h */
	int rows, cols;
	bool both; /* what is said in other terms follows as it is */
};

/*
 * Append what is in DATA, as T's terminal has to hear it. A sequence that is
 * cut off at the end of DATA is passed on as it is. 0 or as buf_put().
 */
int terms_put(const struct terms *t, const uint8_t *data, size_t len,
    struct buf *out);

#endif
