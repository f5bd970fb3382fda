/*
 * trip.c - see trip.h, and tracee.h for the order that makes the self-cure
 * true. A fault point stands at every instant at which sess may die.
 *
 * The bell is known by the place where it was rung, not by its number: a
 * signal of that number which somebody else sent in the meantime is kept and
 * given back when the thread is let go.
 */
#include "tracee/trip.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/scope.h"
#include "tracee/wait.h"

/* What /proc/TID/status says that matters here; see proc_pid_status(5). */
struct status {
	pid_t vtid, vtgid;
	uint64_t pending, ignored, caught; /* signal N is bit N - 1 */
	unsigned seccomp;
};

static const int bells[] = { SIGURG, SIGWINCH, SIGCHLD };

static uint64_t
bit(int sig)
{
	return UINT64_C(1) << (sig - 1);
}

static const char *
status_line(const struct buf *b, const char *name)
{
	const char *p = strstr((const char *)b->data, name);

	return p == NULL ? "" : p + strlen(name);
}

/* The last of a line of numbers: the one in the innermost namespace. */
static pid_t
last_number(const char *line)
{
	int n = 0, used = 0;

	while (sscanf(line, "%*[ \t]%d%n", &n, &used) == 1)
		line += used;
	return n;
}

static int
read_status(pid_t tgid, pid_t tid, struct status *ret, struct err *e)
{
	autobuf struct buf b = BUF_INIT(65536);
	struct status st = { .vtid = 0 };
	uint64_t shared = 0;
	char path[64];
	int r;

	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/status", tgid, tid);
	r = io_read_file(AT_FDCWD, path, &b);
	if (r < 0)
		return err_num(e, r, "thread %d: reading its status", tid);
	st.vtid = last_number(status_line(&b, "\nNSpid:"));
	st.vtgid = last_number(status_line(&b, "\nNStgid:"));
	(void)sscanf(status_line(&b, "\nSigPnd:"), "%" SCNx64, &st.pending);
	(void)sscanf(status_line(&b, "\nShdPnd:"), "%" SCNx64, &shared);
	(void)sscanf(status_line(&b, "\nSigIgn:"), "%" SCNx64, &st.ignored);
	(void)sscanf(status_line(&b, "\nSigCgt:"), "%" SCNx64, &st.caught);
	(void)sscanf(status_line(&b, "\nSeccomp:"), "%u", &st.seccomp);
	st.pending |= shared;
	if (st.vtid <= 0 || st.vtgid <= 0)
		return err_set(e, -EBADMSG,
		    "thread %d: its status shows no numbers", tid);
	*ret = st;
	return 0;
}

/*
 * Best is a signal that means nothing to the target. One that it blocks may
 * be read from a signalfd, one that is pending would be taken for the bell,
 * one that is caught would run the handler if we died.
 */
static int
choose_bell(uint64_t caught, uint64_t pending, uint64_t blocked)
{
	const uint64_t avoid[] = { caught | pending | blocked, caught | pending,
		caught };
	size_t i, k;

	for (i = 0; i < N_ELEMENTS(avoid); i++)
		for (k = 0; k < N_ELEMENTS(bells); k++)
			if ((avoid[i] & bit(bells[k])) == 0)
				return bells[k];
	return SIGURG;
}

/* Calls of ours would pass its filter, and one that kills would kill it. */
static int
suspend_seccomp(struct tracee *t, struct err *e)
{
	int r;

	if ((t->options & PTRACE_O_SUSPEND_SECCOMP) != 0)
		return 0;
	r = tracee_set_options(t, t->options | PTRACE_O_SUSPEND_SECCOMP, NULL);
	if (r == 0 || r == -ESRCH)
		return r;
	return err_set(e, -EOPNOTSUPP,
	    "process %d runs under a seccomp "
	    "filter, which only root may suspend: save it as root, or start "
	    "it without the filter",
	    t->tgid);
}

static int
prepare(struct tracee *t, struct err *e)
{
	struct status st = { .vtid = 0 };
	int r;

	if (t->bell != 0)
		return 0;
	r = read_status(t->tgid, t->tid, &st, e);
	if (r < 0)
		return r;
	if (st.seccomp != 0) {
		r = suspend_seccomp(t, e);
		if (r < 0)
			return r;
	}
	t->vtid = st.vtid;
	t->vtgid = st.vtgid;
	t->bell = choose_bell(st.caught, st.pending, t->sigmask);
	return 0;
}

static int
set_mask(pid_t tid, uint64_t mask, struct err *e)
{
	if (ptrace(PTRACE_SETSIGMASK, tid, sizeof mask, &mask) < 0)
		return err_sys(e, "thread %d: setting its signal mask", tid);
	return 0;
}

raddr
trip_home(const struct trip *trip)
{
	struct arch_blob blob;

	arch_blob(&blob);
	return trip->code + blob.len - trip->from;
}

static int
enter(struct tracee *t, const struct trip *trip, struct err *e)
{
	struct arch_home home;
	int r;

	arch_fill_home(&home, &t->regs, t->sigmask, t->vtgid, t->vtid, t->bell);
	r = io_pwrite(trip->mem_fd, &home, sizeof home, trip_home(trip));
	if (r < 0)
		return err_num(e, r, "thread %d: writing its way back", t->tid);
	r = FAULT("tracee.home", e);
	if (r < 0)
		return r;
	r = arch_set_regs(t->tid, &trip->enter, e);
	if (r < 0)
		return r;
	t->inside = true;
	r = FAULT("tracee.enter", e);
	if (r < 0)
		return r;
	r = set_mask(t->tid, ~bit(t->bell), e);
	if (r < 0)
		return r;
	return FAULT("tracee.mask", e);
}

/* Was the stop at REGS rung by T itself? Anybody else's signal is kept. */
static bool
is_bell(struct tracee *t, const struct arch_regs *regs, raddr rung)
{
	siginfo_t si;
	bool own;

	if (ptrace(PTRACE_GETSIGINFO, t->tid, 0, &si) < 0)
		return arch_ip(regs) == rung;
	own = arch_ip(regs) == rung && si.si_code == SI_TKILL &&
	    si.si_pid == t->vtgid;
	if (!own && !t->bell_held) {
		t->bell_held = true;
		t->held = si;
	}
	return arch_ip(regs) == rung;
}

static void
note_child(struct tracee *t)
{
	unsigned long tid;

	if (ptrace(PTRACE_GETEVENTMSG, t->tid, 0, &tid) == 0)
		t->child = (pid_t)tid;
}

/* The signal to go on with after STOP, or negative errno. */
static int
after_stop(struct tracee *t, const struct stop *stop, struct err *e)
{
	switch (stop->event) {
	case PTRACE_EVENT_STOP:
		t->group_stopped = stop->sig != SIGTRAP;
		return 0;
	case PTRACE_EVENT_CLONE:
	case PTRACE_EVENT_FORK:
		note_child(t);
		return 0;
	case 0:
		break;
	default:
		return 0;
	}
	if (stop->sig == t->bell)
		return 0;
	if (stop->sig == SIGSTOP) /* cannot be blocked, takes effect later */
		return SIGSTOP;
	return err_set(e, -EFAULT,
	    "thread %d: signal %d (%s) in a call on "
	    "its behalf",
	    t->tid, stop->sig, strsignal(stop->sig));
}

/* Run T from where it is until it has rung. */
static int
ring(struct tracee *t, raddr rung, struct arch_regs *ret_regs, struct err *e)
{
	struct stop stop;
	int r, fault = 0, sig = 0;

	for (;;) {
		if (ptrace(PTRACE_CONT, t->tid, 0, (long)sig) < 0 &&
		    errno != ESRCH)
			return err_sys(e, "thread %d: letting it run", t->tid);
		if (fault == 0) /* it must come back before we may fail */
			fault = FAULT("tracee.run", e);
		r = wait_next(t, UINT64_MAX, &stop);
		if (r < 0)
			return err_set(e, r, "process %d was killed", t->tgid);
		sig = after_stop(t, &stop, e);
		if (sig < 0)
			return sig;
		if (stop.event != 0 || stop.sig != t->bell)
			continue;
		r = arch_get_regs(t->tid, ret_regs, e);
		if (r < 0)
			return r;
		if (is_bell(t, ret_regs, rung))
			return fault < 0 ? fault : FAULT("tracee.bell", e);
	}
}

/*
 * Mask first: when the registers are its own, the mask is too. Where that
 * fails T stays inside, from where it finds home by itself.
 */
static void
leave(struct tracee *t)
{
	if (t->dead || !t->inside || set_mask(t->tid, t->sigmask, NULL) < 0)
		return;
	(void)FAULT("tracee.unmask", NULL);
	if (arch_set_regs(t->tid, &t->regs, NULL) < 0)
		return;
	t->inside = false;
	(void)FAULT("tracee.leave", NULL);
}

int
trip_run(struct tracee *t, const struct trip *trip, struct arch_regs *ret_regs,
    struct err *e)
{
	struct arch_blob blob;
	int r;

	if (!t->stopped || !t->known || t->dead)
		return err_set(e, -ESRCH, "process %d is gone", t->tgid);
	arch_blob(&blob);
	r = prepare(t, e);
	if (r < 0)
		return r;
	r = enter(t, trip, e);
	if (r == 0)
		r = ring(t, trip->code + blob.rung - trip->from, ret_regs, e);
	leave(t);
	return r;
}
