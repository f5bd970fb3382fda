/*
 * broker.h - servers of another user, started by root (D6): the command has
 * become that user for good, so it leaves a process behind that is still
 * root. For each session that the command orders, the broker forks a process
 * that forks root's helper (ckpt/by_root.h), becomes the user, and is the
 * session's server. The order is not looked at by root: it is read by the
 * server-to-be when it is the user.
 */
#ifndef BROKER_H
#define BROKER_H

#include "base/account.h"
#include "base/err.h"

/*
 * Fork it, as root, for servers of A. It ends when *RET_SOCK, the caller's,
 * is closed; that goes into struct launch (launch.h). 0 or negative errno.
 */
int broker_start(const struct account *a, int *ret_sock, struct err *e);

/*
 * Order a server by the N_LAUNCH_FDS descriptors of launch.h, which stay the
 * caller's: how it went comes to the other end of FDS[LAUNCH_RESULT]. -EPIPE:
 * root's part of the command has ended.
 */
int broker_order(int sock, const int *fds, struct err *e);

#endif
