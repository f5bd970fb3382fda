/*
 * model.h - the session tree as one save or one revival sees it: what the
 * resource files (ckpt/<kind>.c) are given to work on.
 *
 * Save. The tree is stopped; every live task has its threads seized, a work
 * area mapped, and may be asked anything by remote calls. Resources turn
 * what they learn into records (record_put), which a forked writer stores.
 *
 * Revival. The restorer is pid 1 of a new pid namespace and sees the tree
 * under its own (saved) pids: there pid == vpid. What is shared between
 * tasks (open file descriptions) is opened by the restorer itself before
 * the first task exists and inherited by all of them at high descriptor
 * numbers; each task then keeps what is its own.
 */
#ifndef CKPT_MODEL_H
#define CKPT_MODEL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "ckpt/ckpt.h"
#include "ckpt/image/image.h"
#include "ckpt/image/image.pb-c.h"
#include "tracee/freeze.h"
#include "tracee/tracee.h"

struct files;  /* ckpt/files/files.h: the open file descriptions of the tree */
struct memory; /* ckpt/memory/memory.h: the mappings of one process */

enum task_state {
	TASK_LIVE = 'L',    /* running or sleeping */
	TASK_STOPPED = 'T', /* stopped by job control */
	TASK_ZOMBIE = 'Z',  /* ended, not waited for */
};

/* One process of the tree. */
struct task {
	pid_t pid;  /* ours to signal, trace and find in /proc */
	pid_t vpid; /* what it sees itself as */
	pid_t vppid, vpgid, vsid;
	enum task_state state;
	int wait_status;        /* of a zombie, as wait(2) gives it */
	int exit_signal;        /* what its parent gets at its end */
	bool subreaper;         /* orphans below it become its children */
	char comm[16];          /* its name, for sentences */
	struct task *parent;    /* NULL: the server or stand-in */
	struct tracee *threads; /* leader first; not owned in a save */
	size_t n_threads;
	struct tracee_area area;
	struct memory *mem; /* owned */
	/* Save only: the copy-on-write snapshot. */
	pid_t snapshot;                         /* 0: none */
	int snap_mem, snap_pagemap, snap_smaps; /* its files; -1 */
	/* Revival only. */
	pid_t *vtids;   /* of threads[i], as saved */
	uint64_t *ips;  /* where threads[i] must go on; 0: as saved */
	pid_t born_sid; /* the session it inherits at birth */
	bool made;
	const Img__Task *rec; /* its record */
};

/* A packed record on its way into the image. */
struct record {
	enum image_tag tag;
	uint64_t id;
	uint8_t *data; /* owned */
	size_t len;
};

/* A file that is mapped or executed somewhere in the tree. */
struct mapped {
	char *path; /* owned; the path as the tree sees it */
	uint64_t dev, ino;
	bool writable;    /* mapped shared for writing */
	uint64_t content; /* save, of a writable one: what is kept of it */
	int fd;           /* revival: inherited; -1 */
};

/* Shared memory without a name, mapped by one or more tasks, or a memfd. */
struct shm {
	uint64_t dev, ino;
	uint64_t len;
	uint8_t *copy; /* len bytes taken during the stop; mmap'd, owned */
	uint8_t *have; /* one byte a page: taken; owned */
	/* Save, of a memfd that is open. */
	int source; /* to read all of it from; -1 */
	char *name; /* owned */
	uint64_t size;
	uint32_t seals, mode;
	int fd; /* revival: inherited; -1 */
};

/* A mapping that a snapshot would not show, seen before the stop. */
struct unforked {
	pid_t pid;
	uint64_t start, end;
	uint32_t flags; /* enum vma_flag */
};

struct ckpt {
	struct err *err;    /* the sentence of a failure goes here */
	struct task *tasks; /* parents before children */
	size_t n_tasks;
	struct buf notes;     /* lines for the user: what will differ */
	struct buf obstacles; /* lines: what stands in the way */
	struct files *files;
	struct mapped *mapped; /* id = index + 1; owned */
	size_t n_mapped;
	struct shm *shms; /* id = index + 1; owned */
	size_t n_shms;

	/* Save. */
	const struct save_request *req;
	pid_t parent; /* the tree is what descends from it */
	struct freeze frozen;
	struct record *records;
	size_t n_records, cap_records;
	pid_t *outside; /* processes seen not to be of the tree, ascending */
	size_t n_outside;
	struct unforked *unforked; /* owned */
	size_t n_unforked;
	struct asleep *asleep; /* sleep.h; owned */
	size_t n_asleep;

	/* Revival. */
	struct image *img;
	const Img__Machine *machine; /* what it was saved on */
	int saved_dirfd;
	bool userns;        /* in a one-id user namespace */
	bool force;         /* though files have changed or are gone */
	int fd_base;        /* inherited descriptors start here, in every
	                         task as in the restorer */
	int fd_next;        /* the next free of those */
	int session_master; /* the restorer's copy, to hand out; -1 */
};

/* ---- save ---- */

/* Pack M and queue it as record ID of TAG. 0 or negative errno. */
int record_put(struct ckpt *c, enum image_tag tag, uint64_t id,
    const ProtobufCMessage *m);

/*
 * Something stands in the way of saving T (NULL: of the whole tree): one
 * line "PROCESS (pid N): what: what to do". Returns 0: a check goes on to
 * find all; save refuses after the checks when any was reported.
 */
int obstacle(struct ckpt *c, const struct task *t, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One line about what will be different after revival. */
void note(struct ckpt *c, const struct task *t, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One line about the whole tree, unless it has been said already. */
void note_once(struct ckpt *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* It has threads that can be asked: no zombie, seized. */
bool task_is_live(const struct task *t);

/* The task with this vpid, or NULL. */
struct task *task_find(struct ckpt *c, pid_t vpid);

/* ---- both: remote calls in the leader of a stopped task ---- */

/* Run OPS in T's leader. 0 or negative errno of the carrying out. */
int task_run(struct ckpt *c, struct task *t, struct tracee_op *ops, size_t n);

/* One call: the kernel's answer (>= 0 or negative errno), or failure. */
int64_t task_call(struct ckpt *c, struct task *t, uint64_t nr, uint64_t a0,
    uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/*
 * Like task_call(), and a negative answer is a failure with the sentence
 * "PROCESS (pid N): WHAT: error".
 */
int64_t task_must(struct ckpt *c, struct task *t, const char *what, uint64_t nr,
    uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
    uint64_t a5);

/*
 * PTRACE_O_* for processes that we make: they end when we do, and their
 * children are ours too.
 */
#define OWN_TASK_OPTIONS                                                \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | \
	    PTRACE_O_TRACEVFORK)

/* ---- revival ---- */

/* struct clone_args of linux/sched.h, version 2 (5.7). */
struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack,
	    stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* -EBADMSG, and "the image is damaged: WHAT" as the sentence. */
int image_damaged(struct ckpt *c, const char *what);

/*
 * Move FD of the restorer to the next number that all tasks inherit and
 * return that number; FD is closed. Not CLOEXEC: nothing execs here.
 */
int file_inherit(struct ckpt *c, int fd);

#endif
