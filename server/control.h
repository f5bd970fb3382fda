/*
 * control.h - connections to the server and what is said on them.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "server.h"
#include "session/proto.h"

/* Accept connections on s->listener; they are of our own uid or root's. */
int control_open(struct server *s);

/* Accept nobody any more; who is connected stays. */
void control_unlisten(struct server *s);

/*
 * Listen on *LISTENER, which is taken over, in place of the listener there
 * was; who is waiting there is let in first.
 */
int control_move(struct server *s, int *listener, struct err *e);

/* The listener again, after somebody has removed the socket's file. */
void control_relisten(struct server *s);

void control_close(struct server *s);

/* Send M to P; a peer that does not read is cut off. */
void control_send(struct peer *p, const Sess__Message *m);

/* Where the terminal's cursor may be put when it is given back. */
void control_set_row(struct server *s, Sess__Message *m);

/* How the session has come to its end: ENDED or SAVED. */
void control_send_over(struct peer *p);

/* FAILED or OK. */
void control_fail(struct peer *p, const struct err *e);
void control_ok(struct peer *p);

/* Answer all that wait for the end (-k). */
void control_tell_end(struct server *s);

/* Tell all that wait for it (-wait) how the session has ended. */
void control_tell_status(struct server *s);

/* The terminal of P has hung up or was detached by its key. */
void control_detached(struct peer *p, struct terminal *t);

/* Detach P's terminal because the session is over: ENDED or SAVED. */
void control_over(struct peer *p);

#endif
