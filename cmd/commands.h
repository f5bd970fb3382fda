/*
 * commands.h - what the commands of the command line do. Each gets the name
 * its option brought, and the words that follow; it returns the exit status,
 * or a negative errno with the sentence in c->err.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "client.h"
#include "server/launch.h"
#include "session/places.h"
#include "session/proto.h"

struct context {
	struct places places;
	struct err err;
	int key; /* detach key; -1: none */
	bool quiet, force, stop, with_files;
	bool read_only, low; /* how to attach */
	bool json;
	const char *out, *in; /* where a stream goes or comes from; NULL */
	const char *user;     /* act as; NULL: who we are */
	bool everyone;        /* ... as every user, one after the other */
	int broker;           /* broker.h; -1: none */
	bool relaunch;        /* -revive: start it again where it cannot be */
	bool all;             /* -save, -revive: every session */
	unsigned limit_s;     /* -save -all: seconds; 0: no limit */
	const char *program;  /* we were called as */
	/* for those who are used to other words (client.h) */
	void (*tell)(const char *name, enum client_end end, int status);
	enum client_redraw redraw;
	bool stop_key;
	int exit_status; /* for a negative result; 0: the usual 1 */
};

int run_list(struct context *c, char *arg, char **rest);
int run_create(struct context *c, char *arg, char **rest);
int run_new(struct context *c, char *arg, char **rest);
int run_attach(struct context *c, char *arg, char **rest);
int run_any(struct context *c, char *arg, char **rest);
int run_detach(struct context *c, char *arg, char **rest);
int run_kill(struct context *c, char *arg, char **rest);
int run_save(struct context *c, char *arg, char **rest);
int run_revive(struct context *c, char *arg, char **rest);
int run_check(struct context *c, char *arg, char **rest);
int run_inspect(struct context *c, char *arg, char **rest);
int run_remove(struct context *c, char *arg, char **rest);
int run_pid(struct context *c, char *arg, char **rest);
int run_send(struct context *c, char *arg, char **rest);
int run_wait(struct context *c, char *arg, char **rest);
int run_move(struct context *c, char *arg, char **rest);
int run_env(struct context *c, char *arg, char **rest);
int run_outside(struct context *c, char *arg, char **rest);
int run_history(struct context *c, char *arg, char **rest);

#define ASK_MS 10000 /* for an answer that needs no work */

bool commands_has_snapshots(struct context *c, const char *name);

/* Would NAME come back by itself: saved, and not ended since? */
bool commands_is_saved(struct context *c, const char *name);

/* Forget what ended long ago, and its snapshots (config.h). */
void commands_expire(struct context *c);

/* Somebody is told how NAME ended. -ENOENT: nothing is known of an end. */
int commands_tell_end(struct context *c, const char *name);

/*
 * A server that says goodbye is no session any more: wait until it has gone.
 * Does NAME live?
 */
bool commands_lives(struct context *c, const char *name);

/* The session's name, malloc'd: ARG, or the one we are in. */
int commands_own_name(struct context *c, const char *arg, char **ret_name);

/*
 * How a program's terminal is to be, after the one we are on: L's size and
 * termios, which then is TIO.
 */
void commands_copy_terminal(struct launch *l, struct termios *tio);

/*
 * Start a server for L, whose place and, unless it is relaunched, terminal are
 * filled in from ours.
 */
int commands_start(struct context *c, struct launch *l,
    struct launch_result *ret_result);

/* One line about a snapshot that was made, and about a revival. */
void snapshots_say_saved(const struct context *c, const Sess__Message *m,
    const char *name);
void snapshots_say_revived(const struct context *c, const char *name,
    const struct launch_result *lr);

/* Start ARGV, or the default command when it is empty, as session NAME. */
int commands_create(struct context *c, const char *name, char **argv,
    bool attach);

/* The exit status of the attached program, 0 when detached. */
int commands_attach(struct context *c, const char *name);

/* Connect to NAME, or say what there is instead of a living session. */
int commands_connect(struct context *c, const char *name, int *ret_sock);

/* The same, and client_ask(). RET may be NULL. */
int commands_ask(struct context *c, const char *name, Sess__Message *m,
    int timeout_ms, struct packet *ret);

#endif
