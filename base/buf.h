/*
 * buf.h - a growing run of bytes with a hard maximum. Reaching the maximum
 * is an error (-ENOBUFS), never an abort.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/scope.h"

struct buf {
	uint8_t *data; /* owned */
	size_t len;    /* bytes used */
	size_t cap;    /* bytes allocated */
	size_t max;    /* bytes allowed */
};

/* An empty buffer that may grow to MAX bytes. Nothing is allocated. */
#define BUF_INIT(max_bytes) ((struct buf){ .max = (max_bytes) })

void buf_done(struct buf *b);
#define autobuf scoped(buf_done)

/* Room for LEN more bytes at b->data + b->len. 0, -ENOBUFS or -ENOMEM. */
int buf_reserve(struct buf *b, size_t len);

/* Append LEN bytes. 0, -ENOBUFS or -ENOMEM. */
int buf_put(struct buf *b, const void *data, size_t len);

/* Append formatted text without its NUL. 0, -ENOBUFS or -ENOMEM. */
int buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Drop the first LEN bytes. */
void buf_drop(struct buf *b, size_t len);

#endif
