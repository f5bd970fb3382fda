/*
 * client.h - the command's side of a session: it lends its terminal to the
 * server and waits, and gives it back on every way out.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>

#include "base/err.h"
#include "pty.h"
#include "session/proto.h"

enum client_end { CLIENT_DETACHED, CLIENT_ENDED };

struct client_options {
	const char *name;
	int key;    /* control code of the detach key; -1: none */
	bool quiet; /* no line about what happened */
	bool read_only, low;
	const char *from; /* SESS_ID of the session we are in, or NULL */
	char **login;     /* login_words(); NULL: none are sent */
	enum client_redraw {
		CLIENT_REDRAW_NONE, /* it is painted in any case */
		CLIENT_REDRAW_CTRL_L,
		CLIENT_REDRAW_WINCH,
	} redraw;      /* what the program hears of it */
	bool stop_key; /* the terminal's suspend key suspends the client */
	/* NULL: the words of sess. STATUS is that of wait(2). */
	void (*tell)(const char *name, enum client_end end, int status);
};

/*
 * Could client_attach() be left again? -ENOTTY: only the output would go to a
 * terminal, so that nobody could type the detach key.
 */
int client_check(struct err *e);

/*
 * Attach the terminal on standard input and output to the session behind
 * SOCK, which is closed, until it is detached or the session ends. The exit
 * status of the command: the program's own (128 + signal), 0 when detached.
 * Negative errno and E: it could not be attached, or the server died; the
 * terminal is restored in any case.
 */
int client_attach(int sock, const struct client_options *o, struct err *e);

/*
 * Send M and wait for the answer, at most TIMEOUT_MS (-1: for ever). An
 * answer FAILED becomes E. RET may be NULL. 0 or negative errno.
 */
int client_ask(int sock, const Sess__Message *m, int timeout_ms,
    struct packet *ret, struct err *e);

/* Say how NAME came to its end, on a line of its own. */
void client_say_ended(const char *name, int wait_status);

#endif
