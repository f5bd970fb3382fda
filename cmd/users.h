/*
 * users.h - root as other users: -user and -everyone. The process becomes the
 * user for good, before it looks at anything of his; everything after that is
 * what he could do himself, but for revivals, which root helps with
 * (server/broker.h).
 */
#ifndef USERS_H
#define USERS_H

#include "cmd/commands.h"

/*
 * Be c->user from now on; REVIVE: leave a broker behind in c->broker. 0; 1
 * when there is nothing of sess that is his (c->everyone only), c->exit_status
 * being set.
 */
int users_enter(struct context *c, bool revive);

/*
 * A process for every user that passwd(5) lists, all at the same time. In
 * each of them: 0, c->user being set. In the one that waited for all, at most
 * c->limit_s and a little: 1 and c->exit_status.
 */
int users_each(struct context *c);

/* "USER: " where lines of several users are printed, or "". */
const char *users_prefix(const struct context *c, char buf[64]);

#endif
