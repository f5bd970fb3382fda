/*
 * places.h - the directories of sess, opened and checked by descriptor: they
 * belong to us and nobody else may enter, or they are refused.
 *
 *   run/    sockets and locks of living sessions. In /run/user/UID/sess where
 *           that is, else in STATE/run; looked for in both, because a session
 *           revived at boot is older than the login that makes /run/user/UID.
 *   saved/  snapshots, STATE/saved
 *   ended/  what came to an end, STATE/ended
 *   env/    links to what the latest login offers, STATE/env (login.h)
 *
 * STATE is $XDG_STATE_HOME/sess, by default ~/.local/state/sess. $SESS_DIR
 * moves everything: run/, saved/, ended/ and env/ are in it and nowhere else.
 */
#ifndef PLACES_H
#define PLACES_H

#include <stdbool.h>

#include "base/err.h"

#define N_RUN 2

struct places {
	int run[N_RUN]; /* first: where new sessions go; -1: there is none */
	int saved;
	int ended;
	int env;
};

#define PLACES_NONE                          \
	((struct places){ .run = { -1, -1 }, \
	    .saved = -1,                     \
	    .ended = -1,                     \
	    .env = -1 })

/* Open all of them, making what is missing. 0, or negative errno and E. */
int places_open(struct places *ret_p, struct err *e);

/*
 * The same, but nothing is made: what is missing is -1. With such places only
 * the list can be made.
 */
int places_look(struct places *ret_p, struct err *e);

/*
 * Has this user anything that places_open() would find? Nothing is made. For
 * the environment of account_enter(): SESS_DIR does not count.
 */
bool places_exist(void);

void places_close(struct places *p);
#define autoplaces scoped(places_close)

#endif
