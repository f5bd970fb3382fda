/*
 * loan.h - the terminal that a client lends to the server. It is lent as a
 * description of its own (only the owner of a tty may open it anew), so that
 * its being non-blocking is nobody else's affair; where that cannot be, a
 * relay is lent. It comes back with its modes and settings as they were.
 */
#ifndef LOAN_H
#define LOAN_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#include "base/err.h"
#include "client/relay.h"
#include "pty.h"
#include "session/undo.h"

struct loan {
	int tty; /* descriptor of the terminal; -1: none */
	bool raw;
	struct termios before; /* as the terminal was */
	struct undo_page *page;
	struct relay *relay; /* NULL: the terminal itself is lent */
	uint64_t features;   /* of the terminal, session/features.h */
};

/*
 * Is there somebody who types? A terminal that only gets the output would be
 * left without one, and without a way out. -ENOTTY: so it is.
 */
int loan_check(struct err *e);

/*
 * Find the terminal on standard input, what it knows, and the descriptor to
 * lend. NAME, of the session, begins a remark on the terminal;
 * NULL: none is made.
 */
int loan_make(struct loan *l, const char *name, int *ret_fd, struct err *e);

/* From now on bytes come as they are typed. */
void loan_raw(struct loan *l);

struct pty_size loan_size(const struct loan *l);

/*
 * Modes undone, cursor below row ROW (-1: the last one), settings as before.
 * A terminal that takes nothing is not waited for. Nothing when it has been
 * returned.
 */
void loan_return(struct loan *l, int row);

/* Does standard output take what is said? A stuck terminal does not. */
bool loan_is_heard(void);

#endif
