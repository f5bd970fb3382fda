/*
 * send.h - what -send puts into a session, on the server's side. Each sender
 * has one piece on its way at a time and is answered when the program's
 * terminal has taken all of it: so the program sets the pace, and the server
 * holds no more than a piece for each connection.
 */
#ifndef SEND_H
#define SEND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "server.h"

#define SEND_PIECE_MAX 16384 /* bytes */

void send_init(struct server *s);

/*
 * Put a copy of DATA in line for the program; P is answered OK when it has
 * been taken, FAILED when the program ended before. -EMSGSIZE, -EBUSY (P has
 * a piece on its way already), -ESRCH (the session has ended), -ENOMEM.
 */
int send_put(struct server *s, struct peer *p, const uint8_t *data, size_t len,
    struct err *e);

/* The input queue has got shorter: on with the next piece. */
void send_next(struct server *s);

/* Is a piece of P in line? */
bool send_is_from(const struct server *s, const struct peer *p);

/* P has gone: what has not been passed on is dropped. */
void send_forget(struct server *s, const struct peer *p);

/* The program has ended: tell all that wait. */
void send_stop(struct server *s);

#endif
