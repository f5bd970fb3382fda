/*
 * json.h - text as JSON strings (RFC 8259).
 */
#ifndef JSON_H
#define JSON_H

#include "base/buf.h"

/*
 * Append TEXT in quotes, all of it escaped that has to be; NULL is null, and
 * what is not UTF-8 becomes U+FFFD. 0, -ENOBUFS or -ENOMEM.
 */
int json_string(struct buf *out, const char *text);

#endif
