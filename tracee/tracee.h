/*
 * tracee.h - THE primitive: stop a thread and run batches of system calls in
 * it. Nothing but a loop of some 400 bytes is injected; there is no libc, no stack
 * and no prepared state in the target, and nothing is left behind.
 *
 * Self-cure. At every moment at which the target can run, it restores itself
 * when its tracer has died: the code it runs ends by putting back the signal
 * mask and every register from a saved copy that lies behind the code, and
 * jumping home. It is bootstrapped without a single step (a pending single
 * step would kill an untraced target): the code is first written into unused
 * bytes of an executable mapping (the zero tail of the [vdso]; written
 * through /proc/PID/mem, put back afterwards), run from there to mmap the
 * work area, and from then on from the area. Each run ends by tgkill of
 * itself with a signal whose disposition is default-ignored or SIG_IGN, which
 * only a tracer sees ("the bell"). A child that a batch creates and that
 * finds itself without a tracer exits. What a dead tracer may leave behind:
 * the mapped area, the bytes in the unused tail, and, where the target
 * catches all of SIGURG, SIGWINCH and SIGCHLD, one SIGURG.
 *
 * The order that makes this true: the registers point into the code before
 * the mask is changed, and the mask is put back before the registers are.
 * So the mask is the target's own whenever its registers are.
 *
 * Sources: ptrace(2), KERNEL facts in HACKING.md, kernel: kernel/signal.c
 * (get_signal, ptrace_stop), arch/x86/kernel/signal.c (6.1 to 6.18).
 */
#ifndef TRACEE_TRACEE_H
#define TRACEE_TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "tracee/arch.h"

/* One system call of a batch; the layout is known to the injected loop. */
struct tracee_op {
	uint64_t nr;
	uint64_t args[6];
	int64_t ret; /* the kernel's answer, negative errno included */
};

/*
 * A mapped pair in the address space of a target: code (r-x) and data (rw-).
 * Shared by all threads of the process, used by one at a time.
 */
struct tracee_area {
	raddr code; /* 0: none */
	raddr data;
	size_t data_len; /* bytes for operations and for tracee_put() */
	size_t data_used;
	int mem_fd; /* /proc/PID/mem, read-write; -1: none */
};

#define TRACEE_AREA_NONE ((struct tracee_area){ .mem_fd = -1 })

/* One seized thread. */
struct tracee {
	pid_t tid; /* as seen by the caller; 0: none */
	pid_t tgid;
	pid_t vtid, vtgid; /* as seen by itself; 0 before the first batch */
	bool stopped;      /* in a ptrace stop that we have waited for */
	bool dead;         /* it ended while it was ours */
	bool known;        /* regs and sigmask have been read */
	bool inside;       /* its registers point into the injected code */
	bool
	    group_stopped; /* was stopped (T) by job control; is so again later */
	uint64_t options;      /* PTRACE_O_* in force */
	struct arch_regs regs; /* at the stop; set by tracee_wait_stop() */
	uint64_t sigmask;      /* at the stop, before anything was blocked */
	int bell;              /* signal number, chosen at the first batch; 0 */
	pid_t
	    child; /* tid, as seen by us (PTRACE_GETEVENTMSG), of the child that
	                the latest cloning operation made; op.ret is its
	                number in the namespace of the target */
	bool resleeps;  /* the caller's: its restart block has been rebuilt */
	bool bell_held; /* a real one of that number arrived and is due */
	siginfo_t held; /* ... this one */
};

#define TRACEE_NONE ((struct tracee){ .tid = 0 })

/*
 * Seize thread TID of process TGID with PTRACE options OPTIONS and ask it to
 * stop; does not wait. -EPERM: not ours to trace; -ESRCH: gone.
 */
int tracee_seize(struct tracee *t, pid_t tgid, pid_t tid, uint64_t options,
    struct err *e);

/*
 * Wait until T has stopped and read its registers and mask. A signal that
 * arrives first is kept for it (PTRACE_CONT with it, then the stop).
 * DEADLINE_NS is CLOCK_MONOTONIC. -ETIMEDOUT: still running (vfork parent,
 * D state); -ESRCH: it died.
 */
int tracee_wait_stop(struct tracee *t, uint64_t deadline_ns, struct err *e);

/* Change the PTRACE_O_* options of T, stopped. */
int tracee_set_options(struct tracee *t, uint64_t options, struct err *e);

/*
 * A child that appeared by PTRACE_O_TRACE{FORK,VFORK,CLONE} in a batch: wait
 * for its first stop and take it over with OPTIONS. Its registers are those
 * in the middle of the batch: unless the caller changes t->regs, a child that
 * is let go exits.
 */
int tracee_adopt(struct tracee *t, pid_t tgid, pid_t tid, uint64_t options,
    struct err *e);

/*
 * Put back registers and mask as they are in *T (a caller may have changed
 * them) and let go. Accepts TRACEE_NONE, leaves it behind. Never fails
 * visibly: a target that died is simply gone (a dead child of our own stays
 * a zombie for its parent's wait). A T that has not stopped yet cannot be let
 * go: it is waited for, at most TRACEE_LINGER_MS, and if even that was in
 * vain *T stays as it is, for the caller to try again later.
 */
#define TRACEE_LINGER_MS 1000
void tracee_detach(struct tracee *t);
#define autodetach scoped(tracee_detach)

/*
 * Map a work area with DATA_LEN bytes of data into the process of T, at
 * HINT (0: anywhere; else exactly there, -EEXIST if taken).
 */
int tracee_area_open(struct tracee *t, raddr hint, size_t data_len,
    struct tracee_area *ret_area, struct err *e);

/*
 * The same area as seen in T, a child that a batch in AREA made (it has a
 * copy of the area, or shares it when it is a thread).
 */
int tracee_area_inherit(struct tracee *t, const struct tracee_area *area,
    struct tracee_area *ret_area, struct err *e);

/*
 * Unmap the area by a call of its own, which runs from the same spare bytes
 * as the bootstrap. Accepts TRACEE_AREA_NONE, leaves it behind.
 */
void tracee_area_close(struct tracee *t, struct tracee_area *a);

/* Forget an area without touching the target (it is gone or was replaced). */
void tracee_area_forget(struct tracee_area *a);

/*
 * Run OPS[0..N) in T, stopped. Each ops[i].ret is filled. Registers and mask
 * of T are as before on return. An operation that clones stops the child
 * before its first instruction, if T's options trace it (see tracee_adopt());
 * one that nobody traces exits. Once started, the operations run to the end
 * even when sess dies. All signals but the bell are blocked meanwhile and
 * stay pending. No operation may sleep when T was stopped in a call to be
 * restarted with its remaining time (arch_syscall_ret() -516): it would lose
 * the remainder.
 * 0; -ESRCH: T died in it; -E2BIG: more than the area holds; -EINVAL: vfork,
 * which would wait for a child that nobody lets go; -EFAULT: the area is
 * gone from the target, registers and mask are as before.
 */
int tracee_run(struct tracee *t, struct tracee_area *a, struct tracee_op *ops,
    size_t n, struct err *e);

/*
 * One call; the kernel's answer in *RET_VAL.
 */
int tracee_call(struct tracee *t, struct tracee_area *a, int64_t *ret_val,
    struct err *e, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
    uint64_t a3, uint64_t a4, uint64_t a5);

/*
 * Place LEN bytes into the data of the area for the operations that follow
 * and return their address (aligned to 16), 0 when the area is full or the
 * target is gone; DATA NULL: room only.
 * The room is taken back by the next tracee_run()/tracee_call() that returns.
 */
raddr tracee_put(struct tracee_area *a, const void *data, size_t len);

/* Copy memory of the process behind A. 0 or -EFAULT, -ESRCH. */
int tracee_read(const struct tracee_area *a, raddr from, void *data, size_t len,
    struct err *e);
int tracee_write(const struct tracee_area *a, raddr to, const void *data,
    size_t len, struct err *e);

/*
 * Bring a copy of descriptor FD of process PID here, CLOEXEC
 * (pidfd_getfd(2)). The descriptor or negative errno.
 */
int tracee_pull_fd(pid_t pid, int fd, struct err *e);

/*
 * Make the interrupted system call of a stopped T start again where the
 * kernel would have answered EINTR only because of the stop (epoll_wait,
 * sigtimedwait, semtimedop, socket calls with timeouts...), with its full
 * timeout. PENDING is true when a signal is deliverable: then the EINTR is
 * genuine and stays. True: it will start again.
 */
bool tracee_fix_eintr(struct tracee *t, bool pending);

/*
 * In a revival: let T, in its area A, begin call NR with ARGS, which sleeps
 * for a time, and interrupt it at once. When *RET_REBUILT, the kernel then
 * has a restart block for T as if NR had been interrupted: registers that
 * say so (-516) go on with the time that was left. Not when the call had no
 * reason to sleep. T must have nothing to be delivered.
 */
int tracee_rebuild_restart(struct tracee *t, struct tracee_area *a, uint64_t nr,
    const uint64_t args[6], bool *ret_rebuilt, struct err *e);

#endif
