/*
 * requests.h - what a connected client asks for, and what is done about it.
 * A request is input: what makes no sense is answered with FAILED.
 */
#ifndef REQUESTS_H
#define REQUESTS_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "server.h"
#include "session/proto.h"

/* A connection, made and freed by control.c. */
struct peer {
	LIST_ENTRY(peer) link;
	struct server *server;
	int fd;
	struct event *ev;
	struct terminal *terminal; /* NULL: it has attached none */
	bool awaits_end;           /* -k: answered when it is over */
	bool awaits_status;        /* -wait: told how it ended */
	pid_t pid;                 /* 0: not to be seen from here */
	struct login login;        /* what it lends while it is attached */
	bool lends;
	char id[OWN_ID_LEN + 1]; /* of the session it attached from, or "" */
};

/* A terminal has gone: the login of the latest that is left counts. */
void requests_take_login(struct server *s);

/* Do what K asks for, and answer P. */
void requests_run(struct peer *p, struct packet *k);

#endif
