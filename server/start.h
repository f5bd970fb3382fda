/*
 * start.h - where a server's session comes from: a program is started on a
 * pseudo terminal, or a saved session is revived. After either S has its
 * master, screen, size, first process and the login it was made by.
 */
#ifndef SERVER_START_H
#define SERVER_START_H

#include "server.h"

/*
 * Start the program of L, below an older screen if it is a relaunch. 0, or
 * negative errno; *RET_EXIT may then be the exit status for it (pty_start()).
 */
int start_program(struct server *s, const struct launch *l, int *ret_exit,
    struct err *e);

/*
 * Revive the session of L. Its socket is opened just before the processes are
 * let go, as they may ask for their server at once; of a program the caller
 * has opened it before. 0 or negative errno.
 */
int start_revived(struct server *s, const struct launch *l, struct err *e);

#endif
