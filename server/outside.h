/*
 * outside.h - sess -outside: a program that a client inside of a revived
 * session has run outside of its namespaces, where the server is. It gets a
 * pty of its own; the master goes to the client, which copies. The server
 * only tells how the program stops and ends, and sends it signals. When the
 * client goes its master goes, and the program is hung up.
 */
#ifndef OUTSIDE_H
#define OUTSIDE_H

#include <stdbool.h>

#include "server.h"
#include "session/proto.h"

struct peer;

/*
 * Start what K (OUTSIDE) asks for, for P: one at a time. *RET_MASTER is the
 * caller's. -EBUSY and other failures: E says it.
 */
int outside_start(struct server *s, struct peer *p, const struct packet *k,
    int *ret_master, struct err *e);

/*
 * Send SIG to what P has running; SIGTSTP: stop what has the terminal, as ^Z
 * would.
 */
void outside_signal(struct server *s, const struct peer *p, int sig);

/* SIGCHLD has come: tell of what has stopped or ended. */
void outside_look(struct server *s);

/* Is PID one of these? */
bool outside_owns(const struct server *s, pid_t pid);

/* P has gone: nobody is to be told. */
void outside_forget(struct server *s, const struct peer *p);

#endif
