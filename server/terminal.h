/*
 * terminal.h - one terminal attached to the session: lent by its client as a
 * descriptor (a tty, or a stream socket behind which the client copies).
 *
 * A terminal of the session's size gets the program's bytes as they are. One
 * of another size is painted from the model, a few times a second. One that
 * takes nothing is left behind, and painted when it takes again. The queue
 * is bounded in every case.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <termios.h>

#include "base/buf.h"
#include "pty.h"
#include "server.h"
#include "server/answers.h"
#include "server/keys.h"
#include "server/terms.h"
#include "session/undo.h"

struct terminal {
	LIST_ENTRY(terminal) link;
	struct server *server;
	struct peer *peer; /* the client's connection */
	int fd;
	bool is_tty;
	struct event *ev_read, *ev_write;
	struct event *ev_key;   /* the detach key waits for its twin */
	struct undo_page *page; /* NULL: the client gave none */
	struct pty_size size;
	uint64_t features; /* session/features.h */
	struct keys keys;
	struct answers answers;
	struct termios before; /* its settings before it was lent */
	bool has_before;
	int client_stat;    /* of the client, in /proc; -1: not to be seen */
	uint64_t looked_ns; /* when the client was last seen running */

	struct buf queue;    /* bytes it has not taken yet */
	size_t queue_done;   /* but of these at its beginning */
	uint64_t lag_ns;     /* when it was seen to lag; 0: it does not */
	size_t lag_len;      /* of the queue then */
	bool fresh;          /* nothing has been written yet */
	bool due;            /* to be painted before it gets anything else */
	int n_waits;         /* frames it has been due inside a sequence */
	bool view;           /* painted from the model: another size */
	bool suspended;      /* its client is stopped: hands off */
	bool no_input;       /* its input has ended */
	bool read_only;      /* nothing of it reaches the program */
	int stop_key;        /* suspends the client; -1: none does */
	bool low;            /* leads only where no other does */
	bool gone;           /* hung up: to be freed */
	uint32_t generation; /* modes that it was last given */
	bool told;           /* ... some of them by the program itself */
	int alternate;       /* modes_alternate() when it was painted */
	struct buf undo;     /* what undoes them */
};

struct terminal_request {
	int fd;      /* taken over on success */
	int page_fd; /* -1: none; stays the caller's */
	struct pty_size size;
	uint64_t features;
	int key, stop_key;
	bool read_only, low;
	pid_t client;
	const struct termios *before; /* NULL: not known */
};

/* Attach. 0, or a negative errno and the descriptor is the caller's. */
int terminal_new(struct server *s, struct peer *p,
    const struct terminal_request *req, struct terminal **ret_t);

/*
 * Let go of the terminal: the descriptor is closed first of all. UNDO: bring
 * it back to where it was, because its client has gone without doing so.
 */
void terminal_free(struct terminal *t, bool undo);

/* The program's output, already seen by the screen. */
void terminal_output(struct terminal *t, const uint8_t *data, size_t len);

/* The session's size or its own has changed: raw or view, paint anew. */
void terminal_fit(struct terminal *t);

void terminal_resize(struct terminal *t, const struct pty_size *size);

/* Hands off until the client says so. */
void terminal_suspend(struct terminal *t);
void terminal_resume(struct terminal *t);

/* Paint it if it is due and can take it. True: it is still due. */
bool terminal_paint(struct terminal *t);

/* Does it hold up the program? Views and those left behind never do. */
bool terminal_blocks(const struct terminal *t);

/* More waits for it than should. */
bool terminal_lags(const struct terminal *t);

/* ... for long enough, and it hardly takes any. */
bool terminal_lags_behind(struct terminal *t);

/* It gets raw output and is not behind. */
bool terminal_is_raw(const struct terminal *t);

/* Do without it until it takes output again. */
void terminal_leave_behind(struct terminal *t);

/* All that it was to get is written. */
bool terminal_is_done(const struct terminal *t);

/* Take input from it again, or stop for now. */
void terminal_listen(struct terminal *t, bool on);

/* ---- between terminal.c and terminal_write.c ---- */

/* It has hung up; it is freed where nobody is walking the list. */
void terminal_hang_up(struct terminal *t);

/*
 * Is the client stopped by a signal it could not tell us of? Not AT_ONCE: an
 * answer a millisecond old will do.
 */
bool terminal_client_stopped(struct terminal *t, bool at_once);

/* What waits for it is not for it any more. */
void terminal_drop_queue(struct terminal *t);

void terminal_on_write(evutil_socket_t fd, short what, void *arg);

/*
 * Bring modes and settings back to where they were, as far as it takes bytes
 * at this moment.
 */
void terminal_undo(struct terminal *t);

#endif
