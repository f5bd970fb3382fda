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
 * Fork it, as root. It ends when *RET_SOCK is closed. The descriptor is for
 * struct launch (launch.h).
 */
int broker_start(const struct account *a, int *ret_sock, struct err *e);

/* Order a server: the descriptors of launch.h's enum. */
int broker_order(int sock, const int *fds, struct err *e);

#endif
