/*
 * launch.h - how a session comes to be: what is to run, and the start of a
 * server for it, from the command's own process or, typed inside a session,
 * by that session's server as a sibling of its own (so that no session is
 * part of another one's tree).
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#include "base/err.h"
#include "ckpt/ckpt.h"
#include "pty.h"
#include "session/own.h"
#include "session/places.h"
#include "session/proto.h"

/* What an order for a server consists of: descriptors, in this order. */
enum {
	LAUNCH_ORDER, /* an Order (sess.proto) */
	LAUNCH_CWD,
	LAUNCH_LOCK,   /* the name's */
	LAUNCH_RESULT, /* takes a struct launch_result */
	N_LAUNCH_FDS
};

struct launch {
	const char *name;
	char **argv; /* NULL-terminated; not for a revival */
	char **env;  /* NULL-terminated, without SESS_SESSION */
	int cwd;
	mode_t umask;
	const struct termios *termios; /* NULL: defaults */
	struct pty_size size;
	bool expects_client;           /* the creator is about to attach */
	bool revive;                   /* bring back instead of starting argv */
	bool relaunch;                 /* start argv below an older screen */
	uint64_t generation;           /* revive, relaunch: 0 is the latest */
	bool force;                    /* revive: though files have changed */
	char id[OWN_ID_LEN + 1];       /* made where the server is */
	const struct by_root *by_root; /* revive: root's helper, or NULL */
	int broker;                    /* broker.h: who starts it; -1: we do */
};

/* How it went, in one piece over a pipe. */
struct launch_result {
	int32_t error;       /* 0 or negative errno */
	int32_t exit_status; /* the command's, when there is an error */
	uint64_t generation; /* revive: which one it is */
	char text[ERR_MAX];  /* the error; of a revival, what differs */
};

/*
 * Start a server for L, whose lock is taken here, and wait until it says that
 * its session runs. RET_RESULT may be NULL. -EEXIST: the name is taken; other
 * negative errno. *RET_EXIT, set in any case, is then the exit status for it.
 */
int launch_start(const struct places *p, const struct launch *l, int *ret_exit,
    struct launch_result *ret_result, struct err *e);

/*
 * In the server of another session: start what P (CREATE) asks for. Closes
 * nothing of P. 0: it is on its way, and tells by itself how it goes.
 */
int launch_sibling(const struct packet *p, struct err *e);

/*
 * Where the server is to be, in a process of its own: do what the order FDS
 * asks for, a revival with the help of BY_ROOT.
 */
_Noreturn void launch_obey(const int *fds, const struct by_root *by_root);

/*
 * What L asks for, in a memory file that another process reads; the caller's.
 * 0 or negative errno.
 */
int launch_write_order(const struct launch *l, int *ret_fd, struct err *e);

/* Read such a file; -EBADMSG. *RET_M is freed as protobuf-c does. */
int launch_read_order(int fd, Sess__Order **ret_m, struct err *e);

/*
 * M as a struct launch. Its vectors and, unless it is CWD, its cwd are the
 * caller's; its strings are M's; TIO takes the terminal's settings. 0 or
 * -ENOMEM.
 */
int launch_read(const Sess__Order *m, int cwd, struct launch *ret_l,
    struct termios *tio, struct err *e);

#endif
