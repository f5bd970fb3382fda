/*
 * sleep.c - see sleep.h. A nanosleep that was told where to leave what is
 * left has done so at the stop. Of all others the scheduler knows for how
 * long they have slept (slept.h); where it does not, the time left is unknown
 * and the call sleeps its full time again.
 *
 * A call that was restarted once shows as restart_syscall(2) with its own
 * arguments; which it was, its wait channel tells.
 */
#include "ckpt/process/sleep.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h> /* CPU_SETSIZE */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/process/slept.h"
#include "ckpt/process/tree.h"
#include "ckpt/process/waits.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define FOREVER UINT64_MAX
#define SLEEPERS_MAX 65536

static uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* The call behind restart_syscall(2), by what it waits for. */
static uint64_t
restarted_call(pid_t tid, const uint64_t args[6])
{
	autobuf struct buf b = BUF_INIT(256);

	if (procfs_read(tid, "wchan", &b) < 0)
		return SYS_restart_syscall;
	if (strstr((char *)b.data, "nanosleep") != NULL)
		return args[0] < 16 ? SYS_clock_nanosleep : SYS_nanosleep;
	if (strstr((char *)b.data, "poll") != NULL)
		return SYS_poll;
	if (strstr((char *)b.data, "futex") != NULL)
		return SYS_futex;
	return SYS_restart_syscall;
}

static bool
has_restart_block(const struct asleep *s)
{
	switch (s->nr) {
	case SYS_nanosleep:
		return true;
	case SYS_clock_nanosleep:
		return (s->args[1] & TIMER_ABSTIME) == 0;
	case SYS_poll:
		return (int)s->args[2] > 0;
	case SYS_futex:
		return (s->args[1] & FUTEX_CMD_MASK) == FUTEX_WAIT &&
		    s->args[3] != 0;
	default:
		return false;
	}
}

/* epoll_wait(2) with an end. */
static bool
waits_by_register(uint64_t nr, const uint64_t args[6])
{
	return (nr == SYS_epoll_wait || nr == SYS_epoll_pwait) &&
	    (int)args[3] > 0;
}

static int
sample(struct ckpt *c, pid_t pid, pid_t tid)
{
	autobuf struct buf b = BUF_INIT(512);
	struct asleep s = { .tid = tid };
	unsigned long long nr, a[6];
	struct procfs_stat st;
	uint64_t slept;
	void *p;

	if (procfs_read(tid, "syscall", &b) < 0 ||
	    sscanf((char *)b.data, "%llu %llx %llx %llx %llx %llx %llx", &nr,
		&a[0], &a[1], &a[2], &a[3], &a[4], &a[5]) != 7)
		return 0; /* it runs */
	for (int i = 0; i < 6; i++)
		s.args[i] = a[i];
	s.nr = nr == SYS_restart_syscall ? restarted_call(tid, s.args) : nr;
	s.restarted = nr == SYS_restart_syscall;
	if (!has_restart_block(&s) && !waits_by_register(s.nr, s.args) &&
	    !wait_has_end(pid, s.nr, s.args))
		return 0;
	if (procfs_stat(tid, &st) < 0 || st.processor < 0 ||
	    st.processor >= CPU_SETSIZE ||
	    slept_for(tid, st.processor, &slept, &s.n_switches) < 0 ||
	    c->n_asleep == SLEEPERS_MAX)
		return 0;
	s.end_ns = now_ns() - slept;
	p = reallocarray(c->asleep, c->n_asleep + 1, sizeof *c->asleep);
	if (p == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	c->asleep = p;
	c->asleep[c->n_asleep++] = s;
	return 0;
}

int
sleep_sample(struct ckpt *c, struct task *t)
{
	autofree pid_t *tids = NULL;
	size_t n;
	int r = 0;

	if (procfs_tids(t->pid, &tids, &n) < 0)
		return 0; /* it has ended */
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = sample(c, t->pid, tids[i]);
	return r;
}

void
sleep_confirm(struct ckpt *c)
{
	uint64_t n;

	for (size_t i = 0; i < c->n_asleep; i++)
		if (!c->asleep[i].restarted &&
		    (slept_often(c->asleep[i].tid, &n) < 0 ||
			n != c->asleep[i].n_switches + 1))
			c->asleep[i].tid = 0; /* it woke up in between */
}

/* ---- the time left ---- */

static bool
same_call(const struct asleep *a, pid_t tid, uint64_t nr,
    const uint64_t args[6])
{
	return a->tid == tid && (nr == SYS_restart_syscall || a->nr == nr) &&
	    memcmp(a->args, args, sizeof a->args) == 0;
}

/* How long call NR with ARGS sleeps in all. */
static int
whole_time(struct ckpt *c, struct task *t, uint64_t nr, const uint64_t args[6],
    uint64_t *ret_ns)
{
	struct timespec ts;
	uint64_t at;
	int r;

	if (nr == SYS_poll) {
		*ret_ns = (uint64_t)(int)args[2] * NS_PER_MS;
		return 0;
	}
	at = nr == SYS_nanosleep      ? args[0] :
	    nr == SYS_clock_nanosleep ? args[2] :
					args[3];
	r = tracee_read(&t->area, at, &ts, sizeof ts, c->err);
	if (r < 0)
		return r;
	if (ts.tv_sec < 0 || (uint64_t)ts.tv_sec > FOREVER / NS_PER_S / 4)
		*ret_ns = FOREVER / 4;
	else
		*ret_ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	return 0;
}

/*
 * What call NR has left of its time where it was told to. It may be the very
 * place where the whole time was: that is gone.
 */
static bool
read_remainder(struct task *t, uint64_t nr, const uint64_t args[6],
    uint64_t *ret_ns)
{
	uint64_t at = nr == SYS_nanosleep ? args[1] :
	    nr == SYS_clock_nanosleep     ? args[3] :
					    0;
	struct timespec ts;

	if (at == 0 || tracee_read(&t->area, at, &ts, sizeof ts, NULL) < 0 ||
	    ts.tv_sec < 0 || (uint64_t)ts.tv_sec > FOREVER / NS_PER_S / 4 ||
	    ts.tv_nsec < 0 || (uint64_t)ts.tv_nsec >= NS_PER_S)
		return false;
	*ret_ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	return true;
}

static const struct asleep *
find(const struct asleep *v, size_t n, pid_t tid, uint64_t nr,
    const uint64_t args[6])
{
	for (size_t i = 0; i < n; i++)
		if (same_call(&v[i], tid, nr, args))
			return &v[i];
	return NULL;
}

/* When call NR of TH ends that is known from FOUND or from SAMPLED. */
static int
find_end(struct ckpt *c, struct task *t, uint64_t nr, const uint64_t args[6],
    const struct asleep *found, const struct asleep *sampled, uint64_t *ret_ns)
{
	uint64_t whole, left;
	int r;

	if (read_remainder(t, nr, args, &left)) {
		*ret_ns = now_ns() + left;
		return 0;
	}
	if (found != NULL) {
		*ret_ns = found->end_ns;
		return 0;
	}
	r = whole_time(c, t, nr, args, &whole);
	if (r >= 0)
		*ret_ns = sampled->end_ns + whole;
	return r;
}

int
sleep_save(struct ckpt *c, struct task *t, struct tracee *th, uint64_t *ret_nr,
    uint64_t *ret_left_ns)
{
	const struct sleeps *known = c->req->sleeps;
	const struct asleep *found = NULL;
	struct asleep *sampled;
	uint64_t args[6], nr = arch_syscall_nr(&th->regs), end, now;
	int r;

	*ret_nr = nr;
	*ret_left_ns = 0;
	for (int i = 0; i < 6; i++)
		args[i] = arch_syscall_arg(&th->regs, i);
	sampled = (struct asleep *)find(c->asleep, c->n_asleep, th->tid, nr,
	    args);
	if (nr == SYS_restart_syscall && known != NULL)
		found = find(known->v, known->n, th->tid, nr, args);
	if (found == NULL && sampled == NULL)
		return 0;
	*ret_nr = found != NULL ? found->nr : sampled->nr;
	r = find_end(c, t, *ret_nr, args, found, sampled, &end);
	if (r < 0)
		return r;
	now = now_ns();
	*ret_left_ns = end > now ? end - now : 1;
	if (sampled != NULL) { /* for the server's memory */
		sampled->nr = *ret_nr;
		sampled->end_ns = end;
		sampled->n_switches = FOREVER;
	}
	return 0;
}

/* Put what is left of epoll_wait(2) into its register. */
static void
shorten(struct tracee *th, const uint64_t args[6], const struct asleep *sampled)
{
	uint64_t end = sampled->end_ns + (uint64_t)(int)args[3] * NS_PER_MS;
	uint64_t left = 1, now = now_ns();

	if (end > now)
		left = (end - now) / NS_PER_MS + 1;
	if (left < args[3])
		arch_set_syscall_arg(&th->regs, 3, left);
}

/* The same call as at the last save: it has begun to sleep once since. */
static const struct asleep *
find_wait(const struct sleeps *known, const struct asleep *sampled)
{
	for (size_t i = 0; known != NULL && i < known->n; i++) {
		const struct asleep *a = &known->v[i];

		if (a->waits && a->n_switches + 1 == sampled->n_switches &&
		    same_call(a, sampled->tid, sampled->nr, sampled->args))
			return a;
	}
	return NULL;
}

void
sleep_again(struct ckpt *c, struct task *t, struct tracee *th,
    const struct arch_regs *was)
{
	const struct asleep *known;
	struct asleep *sampled;
	uint64_t args[6], nr = arch_syscall_nr(was), whole;

	for (int i = 0; i < 6; i++)
		args[i] = arch_syscall_arg(was, i);
	sampled = (struct asleep *)find(c->asleep, c->n_asleep, th->tid, nr,
	    args);
	if (sampled == NULL)
		return; /* it has only just begun, or has no end */
	if (waits_by_register(nr, args)) {
		shorten(th, args, sampled);
		return;
	}
	whole = wait_whole_ns(t, nr, args);
	if (whole == 0)
		return;
	known = find_wait(c->req->sleeps, sampled);
	if (known != NULL)
		sampled->end_ns = known->end_ns;
	if (now_ns() - sampled->end_ns < whole) {
		sampled->waits = true;
		return;
	}
	th->regs = *was;
	arch_set_syscall_ret(&th->regs, wait_answer(nr));
}

void
sleep_settle(struct ckpt *c)
{
	for (size_t i = 0; i < c->n_asleep; i++) {
		struct asleep *a = &c->asleep[i];

		if (a->waits && slept_often(a->tid, &a->n_switches) < 0)
			a->tid = 0;
	}
}

void
sleep_keep(struct ckpt *c, struct sleeps *keep)
{
	size_t n = 0;

	free(keep->v);
	for (size_t i = 0; i < c->n_asleep; i++)
		if (c->asleep[i].tid != 0 &&
		    (c->asleep[i].waits || c->asleep[i].n_switches == FOREVER))
			c->asleep[n++] = c->asleep[i];
	keep->v = TAKE_PTR(c->asleep);
	keep->n = n;
	c->n_asleep = 0;
}

struct sleeps *
sleeps_new(void)
{
	return calloc(1, sizeof(struct sleeps));
}

void
sleeps_free(struct sleeps *s)
{
	if (s != NULL) {
		free(s->v);
		free(s->strays.threads);
	}
	free(s);
}

/* ---- revival ---- */

int
sleep_revive(struct ckpt *c, struct task *t, struct tracee *th,
    const struct arch_regs *regs, uint64_t nr, uint64_t left_ns,
    bool *ret_rebuilt)
{
	struct timespec ts = { .tv_sec = (time_t)(left_ns / NS_PER_S),
		.tv_nsec = (long)(left_ns % NS_PER_S) };
	uint64_t args[6];
	raddr at;

	*ret_rebuilt = false;
	for (int i = 0; i < 6; i++)
		args[i] = arch_syscall_arg(regs, i);
	at = tracee_put(&t->area, &ts, sizeof ts);
	if (at == 0)
		return err_set(c->err, -ENOMEM, "no room in the work area");
	switch (nr) {
	case SYS_nanosleep:
		args[0] = at;
		break;
	case SYS_clock_nanosleep:
		args[2] = at;
		break;
	case SYS_poll:
		args[2] = left_ns / NS_PER_MS + 1;
		break;
	case SYS_futex:
		args[3] = at;
		break;
	default:
		return 0;
	}
	return tracee_rebuild_restart(th, &t->area, nr, args, ret_rebuilt,
	    c->err);
}

/* The thread below c->parent that sees itself as VTID; 0: none. */
static pid_t
find_thread(const pid_t *pids, size_t n_pids, pid_t vtid)
{
	for (size_t i = 0; i < n_pids; i++) {
		autofree pid_t *tids = NULL;
		size_t n;

		if (procfs_tids(pids[i], &tids, &n) < 0)
			continue;
		for (size_t k = 0; k < n; k++) {
			struct procfs_status st;
			pid_t nspid;

			if (procfs_status(tids[k], &st) < 0)
				continue;
			nspid = st.nspid;
			procfs_status_done(&st);
			if (nspid == vtid)
				return tids[k];
		}
	}
	return 0;
}

struct sleeps *
sleep_learn(struct ckpt *c)
{
	struct sleeps *s = sleeps_new();
	size_t n = image_count(c->img, IMG_THREAD), n_pids;
	autofree pid_t *pids = NULL;

	if (s == NULL || tree_find(c, &pids, &n_pids, NULL) < 0)
		return s;
	s->v = calloc(n + 1, sizeof *s->v);
	for (size_t i = 0; s->v != NULL && i < n; i++) {
		Img__Thread *m = image_get(c->img, IMG_THREAD, i,
		    &img__thread__descriptor, NULL, NULL);
		struct asleep *a = &s->v[s->n];
		struct arch_regs regs;

		if (m == NULL)
			break;
		if (m->sleep_left_ns != 0 && m->regs.len == sizeof regs) {
			memcpy(&regs, m->regs.data, sizeof regs);
			for (int k = 0; k < 6; k++)
				a->args[k] = arch_syscall_arg(&regs, k);
			a->nr = m->sleep_nr;
			a->end_ns = now_ns() + m->sleep_left_ns;
			a->tid = find_thread(pids, n_pids, (pid_t)m->vtid);
			s->n++;
		}
		img__thread__free_unpacked(m, NULL);
	}
	tree_forget(c);
	return s;
}
