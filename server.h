/*
 * server.h - the server of one session, as its own files see it: server.c
 * (life), start.c (a program, or a revival), flow.c (output, input),
 * terminal.c (an attached terminal), control.c (messages), ending.c (-k),
 * saving.c (save).
 *
 * Output goes master -> one buffer -> each terminal, the screen seeing it on
 * the way; input goes terminal -> detach key -> master. Everything happens
 * in one thread and one libevent loop; nothing in it blocks.
 */
#ifndef SERVER_H
#define SERVER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "pty.h"
#include "screen/screen.h"
#include "server/launch.h"
#include "session/login.h"
#include "session/places.h"

struct terminal;
struct peer;
struct outside;
struct stay;
struct saving;
struct ending;

LIST_HEAD(terminals, terminal);
LIST_HEAD(peers, peer);
LIST_HEAD(outsides, outside);
TAILQ_HEAD(pieces, piece);

struct server {
	struct event_base *base;
	struct places places;
	char *name, *command; /* owned */
	char *id;             /* own.h; owned, NULL: none */
	char **argv;
	uint64_t created_s;
	int lock, listener, spare; /* spare: see control.c */
	struct event *ev_listener, *ev_child, *ev_term, *ev_again;

	int master;
	struct event *ev_output, *ev_input; /* master readable, writable */
	struct event *ev_retry;             /* nobody has the slave open */
	struct pty_size size;
	struct screen *screen;
	struct event *ev_slack;    /* time to model output */
	bool output_came;          /* since ev_slack was set */
	bool shed;                 /* shed_memory() since something rare */
	struct event *ev_frame;    /* time to paint */
	struct event *ev_patience; /* terminals hold up the program */
	unsigned patience_ms;      /* ... for so long */
	bool held_up;
	struct buf input;     /* typed, not yet taken */
	struct pieces pieces; /* of -send, in line (send.h) */

	struct terminals terminals;
	struct terminal *leader; /* its size is the session's */
	struct terminal *asked;  /* whose answers count; NULL: the screen's */
	uint32_t n_questions;    /* that there have been */
	pid_t asker;             /* the process group that asked; 0: none */
	struct peers peers;
	size_t n_peers;
	struct login login; /* of the latest attach */
	struct login_links links;

	pid_t first;   /* the session's first process */
	pid_t parent;  /* the tree is its descendants */
	int status_fd; /* revived: first's wait status comes here */
	pid_t init;    /* revived: pid 1 of the namespace, our child */
	struct event *ev_status;
	char *notes;      /* what differs after a revival, told once; owned */
	uint64_t saved_s; /* last save, CLOCK_REALTIME; 0: never */

	bool over;           /* the program has ended */
	bool saved;          /* ... by -save -stop */
	uint64_t generation; /* ... as this snapshot */
	int status;          /* its wait status */
	bool first_words;    /* ... and output waits for its terminal */
	bool expects_client; /* -c: the creator is about to attach */
	struct event *ev_linger;
	bool taken; /* terminals took bytes since ev_linger was set */

	struct sleeps *sleeps;    /* what saves remember from one to the next */
	struct saving *saving;    /* NULL: no save is under way */
	struct stay *stay;        /* stay.h; NULL: nobody watches */
	struct outsides outsides; /* outside.h */
	struct ending *ending;    /* NULL: nobody has asked for the end */
};

/* ---- server.c ---- */

/*
 * Be the server of the session L describes: daemon, pty, program, socket.
 * LOCK is the session's lock. Success or failure goes to RESULT, a pipe, as
 * a struct launch_result. Never returns.
 */
_Noreturn void server_main(const struct launch *l, int lock, int result);

/* The first process has ended. */
void server_ended(struct server *s, int status);

/*
 * Its processes are gone: another server may take the name at once, before
 * anybody is told of the end.
 */
void server_give_up_name(struct server *s);

/* The session is over by -save -stop. */
void server_saved(struct server *s, uint64_t generation);

/* Reap children that nobody else waits for; see whether FIRST has ended. */
void server_reap(struct server *s);

/* Leave the loop if nothing is left to be done. */
void server_finish(struct server *s);

/* Let EV, which has no descriptor, come once in MS from now, not before. */
void server_timer(struct event *ev, unsigned ms);

/* ---- flow.c ---- */

/* The master and the screen are there: begin. 0 or negative errno. */
int flow_start(struct server *s, struct err *e);

/* The program has ended: no more of either. */
void flow_stop(struct server *s);

/* Input for the program. False: take no more from terminals for now. */
bool flow_input(struct server *s, const uint8_t *data, size_t len);

/* Take output from the master now, at most LEN bytes, until there is none. */
void flow_drain(struct server *s, size_t len);

/* Whether output is read depends on the terminals: look again. */
void flow_pace(struct server *s);

/* The session takes T's size, unless T is low and follows another one. */
void flow_lead(struct server *s, struct terminal *t);

/* The leader has gone: the one that was active last before it leads. */
void flow_lead_next(struct server *s);

/* Something rare is over (the start, a save): give its memory back soon. */
void flow_shed(struct server *s);

/* Have terminals painted soon, as many frames later as are due. */
void flow_frame(struct server *s);

/* ---- ending.c ---- */

/*
 * End the session in steps; who waits for it is answered when it is over
 * (control_tell_end()). FORCE: also processes that have left the session. 0
 * or negative errno.
 */
int ending_start(struct server *s, bool force, struct err *e);
bool ending_busy(const struct server *s);
void ending_free(struct server *s);

/* ---- saving.c ---- */

/*
 * Start a save for P, who gets the answer if this returns 0; STOP: the session
 * ends by it. -EBUSY: one is under way, or the end; other negative errno.
 */
int saving_start(struct server *s, struct peer *p, bool stop, bool with_files,
    struct err *e);

/* P has gone: do not answer it. */
void saving_forget(struct server *s, const struct peer *p);

/* Does P wait for its save? */
bool saving_is_for(const struct server *s, const struct peer *p);

/* Give up the save that is under way, if any. */
void saving_abort(struct server *s);

/* Is PID a process of the save? */
bool saving_owns(const struct server *s, pid_t pid);

/* Its latest generation, 0: none; UINT64_MAX when that cannot be told. */
uint64_t saving_latest(const struct server *s);

/* Has the session snapshots? */
bool saving_has_snapshots(const struct server *s);

#endif
