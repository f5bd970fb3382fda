/*
 * wait.h - waiting for what a traced thread does next. Inside tracee/ only.
 *
 * A blocking waitpid() is not used: it never returns for the leader of a
 * process that was killed while other threads of it are traced by us and not
 * yet waited for. And an exit status is left for the target's parent, which
 * may be this very process with its own SIGCHLD handling.
 */
#ifndef TRACEE_WAIT_H
#define TRACEE_WAIT_H

#include "tracee/tracee.h"

/* What a stop was: signal number and PTRACE_EVENT_* (0: none). */
struct stop {
	int sig;
	int event;
};

uint64_t wait_now_ns(void);

/*
 * The next stop of T before DEADLINE_NS (CLOCK_MONOTONIC; UINT64_MAX: none).
 * -ESRCH: it died, T->dead is set; -ETIMEDOUT. Writes no sentence.
 */
int wait_next(struct tracee *t, uint64_t deadline_ns, struct stop *ret_stop);

/* Release what is left of the dead T, unless its parent is to see it. */
void wait_reap(const struct tracee *t);

/* The letter of /proc/TID/stat (proc_pid_stat(5)), 0 when it is gone. */
char wait_state(pid_t tid);

#endif
