/*
 * restart.c - rebuilding what the kernel keeps for a call that sleeps for a
 * time (struct restart_block, kernel: include/linux/restart_block.h).
 */
#include <errno.h>
#include <sys/ptrace.h>

#include "tracee/tracee.h"
#include "tracee/trip.h"
#include "tracee/wait.h"

#define RESTART_BLOCK (-516) /* ERESTART_RESTARTBLOCK */

/* Go on to the next stop of a system call; any other stop ends it too. */
static int
step_syscall(struct tracee *t, struct stop *ret_stop)
{
	if (ptrace(PTRACE_SYSCALL, t->tid, 0, 0) < 0)
		return -errno;
	return wait_next(t, UINT64_MAX, ret_stop);
}

int
tracee_rebuild_restart(struct tracee *t, struct tracee_area *a, uint64_t nr,
    const uint64_t args[6], bool *ret_rebuilt, struct err *e)
{
	struct arch_regs regs = t->regs;
	struct arch_blob blob;
	struct stop stop;
	int r;

	arch_blob(&blob);
	arch_enter_once(&regs, a->code + blob.once, nr, args);
	r = arch_set_regs(t->tid, &regs, e);
	if (r < 0)
		return r;
	r = step_syscall(t, &stop); /* in */
	if (r == 0 && ptrace(PTRACE_INTERRUPT, t->tid, 0, 0) < 0)
		r = -errno;
	if (r == 0)
		r = step_syscall(t, &stop); /* out */
	if (r < 0)
		return err_num(e, r, "thread %d: going back to sleep", t->tid);
	r = arch_get_regs(t->tid, &regs, e);
	if (r < 0)
		return r;
	*ret_rebuilt = arch_syscall_ret(&regs) == RESTART_BLOCK;
	a->data_used = 0;
	return arch_set_regs(t->tid, &t->regs, e);
}
