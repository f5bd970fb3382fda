/*
 * restorer.h - inside of ckpt/: the process that rebuilds a tree from within
 * its namespaces (revive.c tells the whole story).
 */
#ifndef CKPT_RESTORER_H
#define CKPT_RESTORER_H

#include <stdnoreturn.h>

#include "ckpt/model.h"

#define REPORT_NOTES_MAX 4096
#define N_REPORT_FDS 5

/* What the restorer tells the server; descriptors beside it on success:
 * the master, the status pipe, and pidfds of first, stand-in and pid 1. */
struct report {
	int result;
	struct err err;
	char notes[REPORT_NOTES_MAX];
};

struct restorer {
	struct ckpt c;
	struct err err;
	int sock;
	int status[2];      /* pipe: wait status of the first process */
	pid_t first;        /* its vpid */
	pid_t parent;       /* the vpid of the old server */
	Img__Mm **mms;      /* of c.tasks[i]; NULL for zombies; owned */
	struct task server; /* the stand-in, as a task */
	struct tracee server_thread;
	bool mounted; /* /proc and /dev/pts are there already */
};

/* RS as calloc'd, ready to be filled. */
void restorer_init(struct restorer *rs);

/*
 * Open GENERATION (0: the latest, told) of NAME in SAVED_DIRFD, and see
 * whether this machine can revive it. *RET_M is the caller's to free.
 */
int restorer_open(struct restorer *rs, int saved_dirfd, const char *name,
    uint64_t *generation, Img__Machine **ret_m);

/* Tell the server on RS->sock. 0 or negative errno. */
int restorer_report(struct restorer *rs, int result);

/* Pid 1: rebuild the tree, report, let it go. */
noreturn void restorer_main(struct restorer *rs);

/*
 * In a process of its own: leave for the namespaces, fork the restorer in
 * them, end. The restorer reports on RS->sock (struct report), waits for one
 * byte, lets the tree go, answers one byte, and is pid 1 from then on.
 */
noreturn void restorer_leave(struct restorer *rs, const Img__Machine *m);

#endif
