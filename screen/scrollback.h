/*
 * scrollback.h - lines that have left the screen at the top, as text with
 * colours, bounded in rows and bytes: the oldest go first.
 */
#ifndef SCROLLBACK_H
#define SCROLLBACK_H

#include <stddef.h>
#include <stdint.h>

struct scrollback;

/* NULL when there is no memory. Little is allocated before the first line. */
struct scrollback *scrollback_new(size_t max_rows, size_t max_bytes);
void scrollback_free(struct scrollback *b);

/* Forget all lines. */
void scrollback_clear(struct scrollback *b);

/* Keep a copy of LINE. Without memory it is not kept. */
void scrollback_push(struct scrollback *b, const void *line, size_t len);

size_t scrollback_rows(const struct scrollback *b);

/* Row I, 0 the oldest; valid until the next push. */
const uint8_t *scrollback_row(const struct scrollback *b, size_t i,
    size_t *ret_len);

#endif
