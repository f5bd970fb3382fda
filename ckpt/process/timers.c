/*
 * timers.c - the three interval timers of a process and its POSIX timers
 * (timer_create(2)). What is kept of each is the time that is left, the
 * interval, and where the signal goes. Monotonic clocks go on through the
 * time namespace of the revival, so what is left stays right; CPU clocks
 * begin again, and what is left is counted on them.
 *
 * Limits: whether a timer was given an absolute time cannot be asked, so
 * one on the clock of the wall counts on from where it was. The overruns of
 * the signal that was delivered last are not kept.
 *
 * A program knows its timers by number. From Linux 6.15 on a number can be
 * asked for (PR_TIMER_CREATE_RESTORE_IDS); before, numbers are given out in
 * turn, and those in between are made and deleted.
 *
 * Sources: getitimer(2), timer_create(2), proc_pid_timers(5), kernel:
 * kernel/time/posix-timers.c (5.14 to 6.18).
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/resource.h"

#define N_ITIMERS 3
#define N_BATCH 64          /* POSIX timers in one batch */
#define N_TURNS_MAX 4000000 /* numbers made and deleted, at most */

/* linux/prctl.h of 6.15 */
#define TIMER_CREATE_RESTORE_IDS 77
#define RESTORE_IDS_OFF 0
#define RESTORE_IDS_ON 1

/* What timer_create(2) takes; the C library hides the thread's place. */
struct event {
	uint64_t value;
	int32_t signo;
	int32_t notify;
	int32_t tid;
	int32_t pad[11];
};
_Static_assert(sizeof(struct event) == 64, "kernel: SIGEV_MAX_SIZE");

/* ---- save ---- */

struct saved {
	Img__Timers m;
	Img__IntervalTimer itimers[N_ITIMERS], *itimer_ptrs[N_ITIMERS];
	struct procfs_timer *list;    /* owned; ids ascending */
	Img__PosixTimer *timers;      /* owned */
	Img__PosixTimer **timer_ptrs; /* owned */
};

static void
saved_done(struct saved *s)
{
	free(s->list);
	free(s->timers);
	free(s->timer_ptrs);
}

static int
by_id(const void *a, const void *b)
{
	const struct procfs_timer *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* The thread that a timer wakes, as it sees itself; 0: there is none. */
static uint32_t
vtid_of(const struct task *t, pid_t tid)
{
	struct procfs_status st;
	uint32_t vtid = 0;

	for (size_t i = 0; i < t->n_threads; i++) {
		if (t->threads[i].tid != tid || procfs_status(tid, &st) < 0)
			continue;
		vtid = (uint32_t)st.nspid;
		procfs_status_done(&st);
	}
	return vtid;
}

static int
list_timers(struct ckpt *c, struct task *t, struct saved *s)
{
	size_t n;
	int r;

	r = procfs_timers(t->pid, &s->list, &n);
	if (r < 0)
		return err_num(c->err, r, "%s (pid %d): reading its timers",
		    t->comm, t->pid);
	s->timers = calloc(n + 1, sizeof *s->timers);
	s->timer_ptrs = calloc(n + 1, sizeof *s->timer_ptrs);
	if (s->timers == NULL || s->timer_ptrs == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	if (n > 1)
		qsort(s->list, n, sizeof *s->list, by_id);
	for (size_t i = 0; i < n; i++) {
		Img__PosixTimer *m = s->timer_ptrs[i] = &s->timers[i];

		*m = (Img__PosixTimer)IMG__POSIX_TIMER__INIT;
		m->id = s->list[i].id;
		m->clock = s->list[i].clock;
		m->notify = s->list[i].notify;
		m->signo = s->list[i].signo;
		m->value = s->list[i].value;
		if ((m->notify & SIGEV_THREAD_ID) != 0)
			m->vtid = vtid_of(t, s->list[i].notify_id);
	}
	s->m.timers = s->timer_ptrs;
	s->m.n_timers = n;
	return 0;
}

static int
ask_itimers(struct ckpt *c, struct task *t, struct saved *s)
{
	struct tracee_op ops[N_ITIMERS];
	struct itimerval v[N_ITIMERS];
	raddr at = tracee_put(&t->area, NULL, sizeof v);
	int r;

	for (int i = 0; i < N_ITIMERS; i++)
		ops[i] = (struct tracee_op){ .nr = SYS_getitimer,
			.args = { (uint64_t)i, at + (uint64_t)i * sizeof *v } };
	r = task_run(c, t, ops, N_ITIMERS);
	if (r >= 0)
		r = tracee_read(&t->area, at, v, sizeof v, c->err);
	if (r < 0)
		return r;
	for (int i = 0; i < N_ITIMERS; i++) {
		Img__IntervalTimer *m = s->itimer_ptrs[i] = &s->itimers[i];

		if (ops[i].ret < 0)
			return err_num(c->err, (int)ops[i].ret,
			    "%s (pid %d): asking for its timers", t->comm,
			    t->pid);
		*m = (Img__IntervalTimer)IMG__INTERVAL_TIMER__INIT;
		m->left_s = v[i].it_value.tv_sec;
		m->left_us = v[i].it_value.tv_usec;
		m->interval_s = v[i].it_interval.tv_sec;
		m->interval_us = v[i].it_interval.tv_usec;
	}
	s->m.itimers = s->itimer_ptrs;
	s->m.n_itimers = N_ITIMERS;
	return 0;
}

/* What is left of N timers from V on. */
static int
ask_timers(struct ckpt *c, struct task *t, Img__PosixTimer **v, size_t n)
{
	struct tracee_op ops[2 * N_BATCH];
	struct itimerspec left[N_BATCH];
	raddr at = tracee_put(&t->area, NULL, sizeof left);
	int r;

	for (size_t i = 0; i < n; i++) {
		uint64_t id = (uint64_t)v[i]->id;

		ops[2 * i] = (struct tracee_op){ .nr = SYS_timer_gettime,
			.args = { id, at + i * sizeof *left } };
		ops[2 * i + 1] = (struct tracee_op){ .nr = SYS_timer_getoverrun,
			.args = { id } };
	}
	r = task_run(c, t, ops, 2 * n);
	if (r >= 0)
		r = tracee_read(&t->area, at, left, n * sizeof *left, c->err);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (ops[2 * i].ret < 0)
			return err_num(c->err, (int)ops[2 * i].ret,
			    "%s (pid %d): asking for timer %d", t->comm, t->pid,
			    v[i]->id);
		if (ops[2 * i + 1].ret > 0)
			note(c, t,
			    "timer %d has missed %" PRId64 " times that "
			    "it will not report after a revival",
			    v[i]->id, ops[2 * i + 1].ret);
		v[i]->left_s = left[i].it_value.tv_sec;
		v[i]->left_ns = left[i].it_value.tv_nsec;
		v[i]->interval_s = left[i].it_interval.tv_sec;
		v[i]->interval_ns = left[i].it_interval.tv_nsec;
	}
	return r;
}

static int
timers_save(struct ckpt *c, struct task *t)
{
	scoped(saved_done) struct saved s = { .m = IMG__TIMERS__INIT };
	size_t n;
	int r;

	r = ask_itimers(c, t, &s);
	if (r >= 0)
		r = list_timers(c, t, &s);
	for (size_t i = 0; r >= 0 && i < s.m.n_timers; i += n) {
		n = s.m.n_timers - i < N_BATCH ? s.m.n_timers - i : N_BATCH;
		r = ask_timers(c, t, s.m.timers + i, n);
	}
	if (r < 0)
		return r;
	return record_put(c, IMG_TIMERS, (uint64_t)t->vpid, &s.m.base);
}

/* ---- revival ---- */

static int
not_made(struct ckpt *c, const struct task *t, int id, int64_t answer)
{
	return err_num(c->err, (int)answer, "%s (pid %d): timer %d", t->comm,
	    t->vpid, id);
}

/*
 * The ALARM clocks wake a sleeping machine and need CAP_WAKE_ALARM; without
 * it the same clock that lets it sleep.
 */
static int32_t
sleepy_clock(int32_t clock)
{
	return clock == CLOCK_REALTIME_ALARM ? CLOCK_REALTIME :
	    clock == CLOCK_BOOTTIME_ALARM    ? CLOCK_BOOTTIME :
					       clock;
}

/*
 * One timer_create(). With ASK its number is asked for, else the next is
 * taken; *RET_ID is what it got. A timer whose thread has ended wakes nobody.
 */
static int
create(struct ckpt *c, struct task *t, const Img__PosixTimer *m, bool ask,
    int32_t *ret_id)
{
	struct event ev = { .value = m->value,
		.signo = m->signo,
		.notify = m->notify,
		.tid = (int32_t)m->vtid };
	int32_t clock = m->clock;
	raddr id_at, ev_at;
	int64_t val;

	if ((m->notify & SIGEV_THREAD_ID) != 0 && m->vtid == 0)
		ev.notify = SIGEV_NONE;
	for (;;) {
		ev_at = tracee_put(&t->area, &ev, sizeof ev);
		id_at = tracee_put(&t->area, ask ? &m->id : NULL,
		    sizeof *ret_id);
		val = task_call(c, t, SYS_timer_create, (uint64_t)clock, ev_at,
		    id_at, 0, 0, 0);
		if (val != -EPERM || clock == sleepy_clock(clock))
			break;
		clock = sleepy_clock(clock);
		note(c, t, "timer %d will not wake a sleeping machine any more",
		    m->id);
	}
	if (val < 0)
		return not_made(c, t, m->id, val);
	return tracee_read(&t->area, id_at, ret_id, sizeof *ret_id, c->err);
}

/*
 * Use up N numbers, the first of which will be FIRST: timers that wake
 * nobody, made and deleted.
 */
static int
use_up(struct ckpt *c, struct task *t, int32_t first, int32_t n)
{
	struct event ev = { .notify = SIGEV_NONE };
	struct tracee_op ops[2 * N_BATCH];
	int r = 0;

	for (int32_t done = 0, some; r >= 0 && done < n; done += some) {
		raddr ev_at = tracee_put(&t->area, &ev, sizeof ev);
		raddr id_at = tracee_put(&t->area, NULL, sizeof first);

		some = n - done < N_BATCH ? n - done : N_BATCH;
		for (int32_t i = 0; i < some; i++) {
			ops[2 * i] = (struct tracee_op){ .nr = SYS_timer_create,
				.args = { CLOCK_MONOTONIC, ev_at, id_at } };
			ops[2 * i + 1] =
			    (struct tracee_op){ .nr = SYS_timer_delete,
				    .args = { (uint64_t)(first + done + i) } };
		}
		r = task_run(c, t, ops, 2 * (size_t)some);
		for (int32_t i = 0; r >= 0 && i < 2 * some; i++)
			if (ops[i].ret < 0)
				r = not_made(c, t, first + done, ops[i].ret);
	}
	return r;
}

/*
 * The kernel gives out numbers in turn: make the timer, and when numbers are
 * missing before it, delete it, use those up and make it again.
 */
static int
create_in_turn(struct ckpt *c, struct task *t, const Img__PosixTimer *m)
{
	int32_t id;
	int64_t val;
	int r;

	r = create(c, t, m, false, &id);
	if (r < 0 || id == m->id)
		return r;
	if (m->id < id || m->id - id > N_TURNS_MAX)
		return err_set(c->err, -EOPNOTSUPP,
		    "%s (pid %d): timer number "
		    "%d cannot be had again from this kernel (Linux 6.15 can)",
		    t->comm, t->vpid, m->id);
	val = task_call(c, t, SYS_timer_delete, (uint64_t)id, 0, 0, 0, 0, 0);
	if (val < 0)
		return not_made(c, t, id, val);
	r = use_up(c, t, id + 1, m->id - id - 1);
	if (r >= 0)
		r = create(c, t, m, false, &id);
	if (r >= 0 && id != m->id)
		r = err_set(c->err, -EIO,
		    "%s (pid %d): timer %d became "
		    "number %d",
		    t->comm, t->vpid, m->id, id);
	return r;
}

/* All timers, with their numbers; not yet armed. Ids ascend. */
static int
create_all(struct ckpt *c, struct task *t, const Img__Timers *m)
{
	int64_t off, on;
	int32_t id;
	int r = 0;

	on = task_call(c, t, SYS_prctl, TIMER_CREATE_RESTORE_IDS,
	    RESTORE_IDS_ON, 0, 0, 0, 0);
	for (size_t i = 0; r >= 0 && i < m->n_timers; i++) {
		if (m->timers[i]->id < 0)
			return err_set(c->err, -EBADMSG,
			    "the image is "
			    "damaged: timer %d",
			    m->timers[i]->id);
		r = on < 0 ? create_in_turn(c, t, m->timers[i]) :
			     create(c, t, m->timers[i], true, &id);
	}
	if (r < 0 || on < 0)
		return r;
	off = task_call(c, t, SYS_prctl, TIMER_CREATE_RESTORE_IDS,
	    RESTORE_IDS_OFF, 0, 0, 0, 0);
	return off < 0 ? (int)off : 0;
}

static int
arm_some(struct ckpt *c, struct task *t, Img__PosixTimer **v, size_t n)
{
	struct tracee_op ops[N_BATCH];
	int r;

	for (size_t i = 0; i < n; i++) {
		struct itimerspec left = {
			.it_value = { v[i]->left_s, v[i]->left_ns },
			.it_interval = { v[i]->interval_s, v[i]->interval_ns },
		};

		ops[i] = (struct tracee_op){ .nr = SYS_timer_settime,
			.args = { (uint64_t)v[i]->id, 0,
			    tracee_put(&t->area, &left, sizeof left), 0 } };
	}
	r = task_run(c, t, ops, n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (ops[i].ret < 0)
			r = not_made(c, t, v[i]->id, ops[i].ret);
	return r;
}

static int
arm_itimers(struct ckpt *c, struct task *t, const Img__Timers *m)
{
	struct tracee_op ops[N_ITIMERS];
	size_t n = m->n_itimers;
	int r;

	if (n > N_ITIMERS)
		return err_set(c->err, -EBADMSG,
		    "the image is damaged: "
		    "%zu interval timers",
		    n);
	for (size_t i = 0; i < n; i++) {
		const Img__IntervalTimer *it = m->itimers[i];
		struct itimerval v = {
			.it_value = { it->left_s, it->left_us },
			.it_interval = { it->interval_s, it->interval_us },
		};

		/*
		 * Expired, and its signal still waits: the kernel would go on
		 * with it when that is taken.
		 */
		if (it->left_s == 0 && it->left_us == 0)
			v.it_value = v.it_interval;
		ops[i] = (struct tracee_op){ .nr = SYS_setitimer,
			.args = { i, tracee_put(&t->area, &v, sizeof v), 0 } };
	}
	r = task_run(c, t, ops, n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (ops[i].ret < 0)
			r = err_num(c->err, (int)ops[i].ret,
			    "%s (pid %d): "
			    "interval timer %zu",
			    t->comm, t->vpid, i);
	return r;
}

/* They start counting here, so this comes last. */
static int
arm_all(struct ckpt *c, struct task *t, const Img__Timers *m)
{
	size_t n;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->n_timers; i += n) {
		n = m->n_timers - i < N_BATCH ? m->n_timers - i : N_BATCH;
		r = arm_some(c, t, m->timers + i, n);
	}
	return r < 0 ? r : arm_itimers(c, t, m);
}

static int
timers_revive(struct ckpt *c, struct task *t)
{
	Img__Timers *m = image_find(c->img, IMG_TIMERS, (uint64_t)t->vpid,
	    &img__timers__descriptor, c->err);
	int r = 0;

	if (m == NULL)
		return -EBADMSG;
	if (m->n_timers > 0)
		r = create_all(c, t, m);
	if (r >= 0)
		r = arm_all(c, t, m);
	img__timers__free_unpacked(m, NULL);
	return r;
}

const struct resource res_timers = {
	.name = "timers",
	.save = timers_save,
	.revive = timers_revive,
};
