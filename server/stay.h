/*
 * stay.h - staying reachable. The directory of sockets may be taken away
 * while the server runs: /run/user/UID goes with the user's last login, and
 * what lies in /tmp may be cleaned away. The server watches the file of its
 * lock (inotify(7)), and when that has gone it takes its name again in the
 * place where a later login looks (session/places.h). It costs no wake-ups.
 */
#ifndef STAY_H
#define STAY_H

#include "server.h"

/* Begin to watch. Where it cannot, the session lives without. */
void stay_start(struct server *s);

/* Somebody says that the session cannot be reached (SIGUSR1): see to it. */
void stay_look(struct server *s);

/* The lock is another file now: the session was renamed. */
void stay_follow(struct server *s);

void stay_free(struct server *s);

#endif
