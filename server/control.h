/*
 * control.h - connections to the server and what is said on them. Nothing
 * here waits: a peer that does not read what it is sent is cut off.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "server.h"
#include "session/proto.h"

/*
 * Make the session's socket, as holder of its lock, and accept connections:
 * of our own uid, or root's. 0, or negative errno without a sentence.
 */
int control_open(struct server *s);

/* Accept nobody any more; who is connected stays. */
void control_unlisten(struct server *s);

/*
 * Listen on *LISTENER, which is taken over on success, in place of the
 * listener there was; who is waiting there is let in first. 0 or -ENOMEM.
 */
int control_move(struct server *s, int *listener, struct err *e);

/*
 * The listener again, after somebody has removed the socket's file. Nothing
 * to do once the name has been given up (control_unlisten()).
 */
void control_relisten(struct server *s);

/* The end of the server: every peer is closed and freed. */
void control_close(struct server *s);

/* Send M to P. */
void control_send(struct peer *p, const Sess__Message *m);

/* Say in M in which row a terminal's cursor is put when it is given back. */
void control_set_row(struct server *s, Sess__Message *m);

/* Tell P how the session has come to its end: ENDED or SAVED. */
void control_send_over(struct peer *p);

/* Answer P: FAILED with the sentence of E, or OK. */
void control_fail(struct peer *p, const struct err *e);
void control_ok(struct peer *p);

/* Answer all that wait for the end (-k). */
void control_tell_end(struct server *s);

/* Tell all that wait for it (-wait) how the session has ended. */
void control_tell_status(struct server *s);

/* T of P has hung up or was detached by its key: it is freed, P is told. */
void control_detached(struct peer *p, struct terminal *t);

/* Free P's terminal because the session is over, and tell P so. */
void control_over(struct peer *p);

#endif
