/*
 * freeze.h - stop every thread of a changing set of processes, to a fixed
 * point: passes are made until one finds no thread that is not stopped.
 */
#ifndef TRACEE_FREEZE_H
#define TRACEE_FREEZE_H

#include "tracee/tracee.h"

/* The stopped threads, those of one process adjacent, its leader first. */
struct freeze {
	struct tracee *threads; /* owned */
	size_t n_threads;
	size_t cap;
};

#define FREEZE_NONE ((struct freeze){ .threads = NULL })

/*
 * Lists the processes to stop: fills *RET_PIDS (malloc'd) with thread group
 * ids as they are now, parents before children. 0 or negative errno.
 */
typedef int freeze_find(void *arg, pid_t **ret_pids, size_t *ret_n,
    struct err *e);

/*
 * Stop all that FIND lists. Zombies are left alone. A thread that cannot stop
 * now (D: the parent of a vfork, a disk that answers slowly) is not touched
 * but waited for, and nothing that FIND lists after it is stopped first: the
 * vfork child has to go on for its parent to come back. After TIMEOUT_MS
 * without a fixed point everything runs again and -ETIMEDOUT names the
 * process that did not stop and where it waits (/proc/PID/wchan); any other
 * error names the process that could not be seized, and everything runs.
 */
int freeze_all(struct freeze *f, freeze_find *find, void *arg, int timeout_ms,
    struct err *e);

/* The thread TID, or NULL. */
struct tracee *freeze_find_thread(struct freeze *f, pid_t tid);

/*
 * Let all go on (tracee_detach of each, leaders last); accepts and leaves
 * FREEZE_NONE. In the rare case that a thread was seized and then does not
 * stop for TRACEE_LINGER_MS, it stays in F (n_threads > 0): call again, or
 * it will stand still when it stops at last.
 */
void freeze_thaw(struct freeze *f);

#endif
