/*
 * tracee.c - seizing, stopping and letting go of a thread; see tracee.h.
 */
#include "tracee/tracee.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/procfs.h"
#include "base/scope.h"
#include "tracee/wait.h"

/* Says why the kernel did not let us have thread TID. */
static int
not_ours(pid_t tid, int num, struct err *e)
{
	autobuf struct buf b = BUF_INIT(65536);
	const char *line;
	int tracer = 0;
	char state = wait_state(tid);

	/* The kernel says EPERM of a zombie as well. */
	if (num == -EPERM && (state == 0 || state == 'Z' || state == 'X'))
		num = -ESRCH;
	if (num == -EPERM && procfs_read(tid, "status", &b) == 0) {
		line = strstr((const char *)b.data, "\nTracerPid:");
		if (line != NULL)
			(void)sscanf(line, "\nTracerPid: %d", &tracer);
	}
	if (tracer != 0)
		return err_set(e, num,
		    "process %d is being traced by process "
		    "%d (a debugger?): end that first",
		    tid, tracer);
	if (num == -EPERM)
		return err_set(e, num,
		    "process %d may not be traced: it is "
		    "another user's, has more privileges, or protects its "
		    "memory (ssh-agent does)",
		    tid);
	return err_num(e, num, "process %d: seizing", tid);
}

int
tracee_seize(struct tracee *t, pid_t tgid, pid_t tid, uint64_t options,
    struct err *e)
{
	int r;

	*t = TRACEE_NONE;
	r = FAULT("tracee.seize", e);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_SEIZE, tid, 0, options) < 0)
		return not_ours(tid, -errno, e);
	*t = (struct tracee){ .tid = tid, .tgid = tgid, .options = options };
	/* ESRCH: it is dying, which the wait will find out. */
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0 && errno != ESRCH)
		return err_sys(e, "process %d: asking it to stop", tid);
	return 0;
}

/*
 * A restartable sequence (rseq(2)) in which the thread was stopped has to be
 * aborted, as after any preemption. The kernel does so when the thread goes
 * on where it was; when it runs our code first the kernel only forgets the
 * sequence (kernel/rseq.c: rseq_ip_fixup()), so the abort is done here.
 */
static void
abort_rseq(struct tracee *t)
{
	struct __ptrace_rseq_configuration conf;
	struct {
		uint32_t version, flags;
		uint64_t start, len, abort;
	} cs;
	uint64_t at = 0;
	struct iovec to = { &at, sizeof at }, from;

	if (arch_in_syscall(&t->regs) ||
	    ptrace(PTRACE_GET_RSEQ_CONFIGURATION, t->tid, sizeof conf, &conf) <
		0 ||
	    conf.rseq_abi_pointer == 0)
		return;
	from = (struct iovec){ (char *)NULL + conf.rseq_abi_pointer + 8,
		sizeof at };
	if (process_vm_readv(t->tid, &to, 1, &from, 1, 0) != sizeof at ||
	    at == 0)
		return;
	to = (struct iovec){ &cs, sizeof cs };
	from = (struct iovec){ (char *)NULL + at, sizeof cs };
	if (process_vm_readv(t->tid, &to, 1, &from, 1, 0) != sizeof cs)
		return;
	if (arch_ip(&t->regs) - cs.start < cs.len)
		arch_set_ip(&t->regs, cs.abort);
}

static int
read_state(struct tracee *t, struct err *e)
{
	int r = arch_get_regs(t->tid, &t->regs, e);

	if (r < 0)
		return r;
	if (ptrace(PTRACE_GETSIGMASK, t->tid, sizeof t->sigmask, &t->sigmask) <
	    0)
		return err_sys(e, "process %d: reading its signal mask",
		    t->tid);
	/*
	 * In sigsuspend(2) and the like the mask in force is the call's own,
	 * until the kernel puts back the saved one, which is what we have
	 * read. It is put in force now: a signal that only the call lets
	 * through must wait for the call to be started again. Delivered
	 * while the registers are elsewhere, its wake-up would be lost.
	 */
	if (ptrace(PTRACE_SETSIGMASK, t->tid, sizeof t->sigmask, &t->sigmask) <
	    0)
		return err_sys(e, "process %d: setting its signal mask",
		    t->tid);
	abort_rseq(t);
	t->known = true;
	return 0;
}

int
tracee_wait_stop(struct tracee *t, uint64_t deadline_ns, struct err *e)
{
	struct stop stop;
	long sig;
	int r;

	for (;;) {
		r = wait_next(t, deadline_ns, &stop);
		if (r == -ETIMEDOUT)
			return err_set(e, r, "process %d does not stop",
			    t->tid);
		if (r < 0)
			return err_set(e, r, "process %d has ended", t->tid);
		if (stop.event == PTRACE_EVENT_STOP)
			break;
		/* The stop that we asked for is still to come. */
		sig = stop.event == 0 ? stop.sig : 0;
		if (ptrace(PTRACE_CONT, t->tid, 0, sig) < 0 && errno != ESRCH)
			return err_sys(e, "process %d: letting it run", t->tid);
	}
	t->group_stopped = stop.sig != SIGTRAP;
	r = FAULT("tracee.stopped", e);
	if (r < 0)
		return r;
	return read_state(t, e);
}

int
tracee_set_options(struct tracee *t, uint64_t options, struct err *e)
{
	if (ptrace(PTRACE_SETOPTIONS, t->tid, 0, options) < 0)
		return err_sys(e, "process %d: setting trace options", t->tid);
	t->options = options;
	return 0;
}

int
tracee_adopt(struct tracee *t, pid_t tgid, pid_t tid, uint64_t options,
    struct err *e)
{
	int r;

	*t = (struct tracee){ .tid = tid, .tgid = tgid };
	r = tracee_wait_stop(t, UINT64_MAX, e);
	if (r < 0)
		return r;
	return tracee_set_options(t, options, e);
}

/* Let go of T, stopped, with signal SIG. -ESRCH: it is being killed. */
static int
let_go(struct tracee *t, int sig)
{
	if (t->known &&
	    ptrace(PTRACE_SETSIGMASK, t->tid, sizeof t->sigmask, &t->sigmask) ==
		0)
		(void)arch_set_regs(t->tid, &t->regs, NULL);
	if (t->bell_held) {
		(void)ptrace(PTRACE_SETSIGINFO, t->tid, 0, &t->held);
		sig = t->held.si_signo;
	}
	(void)FAULT("tracee.detach", NULL);
	if (ptrace(PTRACE_DETACH, t->tid, 0, (long)sig) < 0)
		return -errno;
	return 0;
}

void
tracee_detach(struct tracee *t)
{
	uint64_t deadline_ns = wait_now_ns() +
	    TRACEE_LINGER_MS * UINT64_C(1000000);
	struct stop stop = { .sig = 0 };
	int r;

	if (t->tid == 0)
		return;
	for (;;) {
		if (t->stopped && !t->dead &&
		    let_go(t, stop.event == 0 ? stop.sig : 0) != -ESRCH)
			break;
		/* A killed thread is waited for: others wait for its end. */
		r = t->dead ? -ESRCH : wait_next(t, deadline_ns, &stop);
		if (r == -ETIMEDOUT)
			return;
		if (r < 0)
			break;
	}
	*t = TRACEE_NONE;
}

int
tracee_pull_fd(pid_t pid, int fd, struct err *e)
{
	autoclose int pidfd = -1;
	int copy;

	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return err_sys(e, "process %d: opening it", pid);
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy < 0)
		return err_sys(e, "process %d: taking a copy of descriptor %d",
		    pid, fd);
	return copy;
}

/*
 * Calls that answer EINTR after a stop without a handler: signal(7),
 * "Interruption of system calls and library functions by stop signals", and
 * those that wait on a socket with a timeout (kernel: sock_intr_errno()).
 * EINTR means that nothing was done, so all may be started again.
 */
static bool
answers_eintr(uint64_t nr)
{
	static const int calls[] = { SYS_epoll_wait, SYS_epoll_pwait,
		SYS_epoll_pwait2, SYS_rt_sigtimedwait, SYS_semop,
		SYS_semtimedop, SYS_io_getevents, SYS_io_uring_enter,
		SYS_accept, SYS_accept4, SYS_connect, SYS_recvfrom, SYS_recvmsg,
		SYS_recvmmsg, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_read,
		SYS_readv, SYS_write, SYS_writev };
	size_t i;

	for (i = 0; i < N_ELEMENTS(calls); i++)
		if (nr == (uint64_t)calls[i])
			return true;
	return false;
}

bool
tracee_fix_eintr(struct tracee *t, bool pending)
{
	uint8_t insn[2];
	struct iovec to = { insn, sizeof insn }, from;

	if (pending || !t->known || !arch_in_syscall(&t->regs) ||
	    arch_syscall_ret(&t->regs) != -EINTR ||
	    !answers_eintr(arch_syscall_nr(&t->regs)))
		return false;
	/* A call by int 0x80 has other numbers. */
	from = (struct iovec){ (char *)NULL + arch_ip(&t->regs) - sizeof insn,
		sizeof insn };
	if (process_vm_readv(t->tid, &to, 1, &from, 1, 0) != sizeof insn ||
	    !arch_is_syscall(insn))
		return false;
	arch_rewind_syscall(&t->regs);
	return true;
}
