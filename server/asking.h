/*
 * asking.h - the program's questions to its terminal: which of the terminals
 * is the one whose answer it gets, and that the server answers where none is
 * there to do so.
 */
#ifndef ASKING_H
#define ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct server;
struct terminal;

/* From now on. */
void asking_start(struct server *s);

/* Output is about to be scanned, and has been: were there questions in it? */
void asking_prepare(struct server *s);
void asking_look(struct server *s);

/* T will be gone: what it was asked is not asked of another one. */
void asking_forget(struct server *s, const struct terminal *t);

/*
 * Append to OUT what the program is to get of DATA, which came from T.
 * *RET_TYPED: a person did something. 0 or as buf_put().
 */
int asking_filter(struct terminal *t, const uint8_t *data, size_t len,
    struct buf *out, bool *ret_typed);

#endif
