/*
 * signals.c - what a process does about signals (all 64 dispositions), what
 * is pending for it and for each of its threads, and the alternate stacks
 * of the threads. The signal masks belong to threads.c.
 *
 * Pending signals are read without being taken (PTRACE_PEEKSIGINFO) and
 * queued again by the thread itself: from there the kernel lets every
 * si_code pass, from elsewhere next to none (kernel/signal.c:
 * do_rt_sigqueueinfo()). Everything is blocked meanwhile (tracee.h), and
 * blocked signals are not dropped even when they are ignored.
 *
 * Sources: rt_sigaction(2), rt_sigqueueinfo(2), sigaltstack(2), ptrace(2).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "base/scope.h"
#include "ckpt/resource.h"

#define N_SIGNALS 64
#define ALL_SIGNALS (~UINT64_C(0))
#define SET_LEN 8  /* sizeof(sigset_t) of the kernel */
#define N_FLUSH 8  /* signals taken away in one batch */
#define N_QUEUE 64 /* signals queued in one batch */
#define N_PEEK 64  /* signals read by one request */
#define SAVED_FLAGS ((int)SS_DISABLE | (int)SS_AUTODISARM)

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

/* kernel: include/linux/signal_types.h, struct sigaction */
struct action {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

/* Signals on their way to a thread or a process. */
struct queue {
	siginfo_t *infos;           /* owned */
	ProtobufCBinaryData *views; /* owned; of infos, when done */
	size_t n, cap;
	uint64_t set; /* of their numbers */
};

static uint64_t
bit(int signo)
{
	return UINT64_C(1) << (signo - 1);
}

static void
queue_done(struct queue *q)
{
	free(q->infos);
	free(q->views);
	*q = (struct queue){ .infos = NULL };
}

static int
queue_room(struct queue *q, size_t n)
{
	void *p;

	if (q->cap - q->n >= n)
		return 0;
	p = reallocarray(q->infos, q->cap + n, sizeof *q->infos);
	if (p == NULL)
		return -ENOMEM;
	q->infos = p;
	q->cap += n;
	return 0;
}

static int
queue_add(struct queue *q, const siginfo_t *info)
{
	int r = queue_room(q, 1);

	if (r < 0)
		return r;
	q->infos[q->n++] = *info;
	q->set |= bit(info->si_signo);
	return 0;
}

/*
 * Kernels before 6.12 keep a note in the signal of a timer that makes its
 * delivery start the timer again. The timer that comes back runs already.
 */
static void
forget_timer(siginfo_t *info)
{
	if (info->si_code == SI_TIMER) /* uapi: si_sys_private */
		memset((char *)info + offsetof(siginfo_t, si_value) +
			sizeof info->si_value,
		    0, sizeof(int));
}

/* Read the queue of thread TID, or with SHARED of its process, into Q. */
static int
queue_read(pid_t tid, bool shared, struct queue *q)
{
	struct __ptrace_peeksiginfo_args args = {
		.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
		.nr = N_PEEK,
	};
	long got;
	int r;

	do {
		r = queue_room(q, N_PEEK);
		if (r < 0)
			return r;
		args.off = q->n;
		got = ptrace(PTRACE_PEEKSIGINFO, tid, &args, q->infos + q->n);
		if (got < 0)
			return -errno;
		for (; got > 0; got--, q->n++) {
			forget_timer(&q->infos[q->n]);
			q->set |= bit(q->infos[q->n].si_signo);
		}
	} while (q->n - args.off == N_PEEK);
	return 0;
}

/*
 * A signal may be pending without an entry in a queue when the kernel had no
 * memory for one: it is then delivered as if kill(2) by nobody.
 */
static int
queue_add_bare(struct queue *q, uint64_t set)
{
	int r = 0;

	for (int sig = 1; r >= 0 && sig <= N_SIGNALS; sig++) {
		siginfo_t info = { .si_signo = sig, .si_code = SI_USER };

		if ((set & bit(sig)) != 0)
			r = queue_add(q, &info);
	}
	return r;
}

/* Q as the repeated bytes of a record; they are Q's. */
static int
queue_views(struct queue *q, ProtobufCBinaryData **ret_views, size_t *ret_n)
{
	q->views = calloc(q->n + 1, sizeof *q->views);
	if (q->views == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < q->n; i++)
		q->views[i] = (ProtobufCBinaryData){ sizeof q->infos[i],
			(uint8_t *)&q->infos[i] };
	*ret_views = q->views;
	*ret_n = q->n;
	return 0;
}

/* ---- save ---- */

/* All that becomes one record. */
struct saved {
	Img__Signals m;
	struct action actions[N_SIGNALS];
	Img__SigAction action_msgs[N_SIGNALS], *action_ptrs[N_SIGNALS];
	struct queue shared;
	struct queue *queues;         /* owned; one a thread */
	Img__SigThread *threads;      /* owned */
	Img__SigThread **thread_ptrs; /* owned */
	size_t n_threads;
};

static void
saved_done(struct saved *s)
{
	queue_done(&s->shared);
	for (size_t i = 0; i < s->n_threads && s->queues != NULL; i++)
		queue_done(&s->queues[i]);
	free(s->queues);
	free(s->threads);
	free(s->thread_ptrs);
}

static int
saved_init(struct saved *s, size_t n)
{
	s->m = (Img__Signals)IMG__SIGNALS__INIT;
	s->n_threads = n;
	s->queues = calloc(n, sizeof *s->queues);
	s->threads = calloc(n, sizeof *s->threads);
	s->thread_ptrs = calloc(n, sizeof *s->thread_ptrs);
	if (s->queues == NULL || s->threads == NULL || s->thread_ptrs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		s->threads[i] = (Img__SigThread)IMG__SIG_THREAD__INIT;
		s->thread_ptrs[i] = &s->threads[i];
	}
	s->m.n_threads = n;
	s->m.threads = s->thread_ptrs;
	return 0;
}

/* What a thread is asked; the dispositions are those of the process. */
struct answers {
	stack_t stack;
	uint64_t pending;
	struct action actions[N_SIGNALS];
};

static int
ask_thread(struct ckpt *c, struct task *t, size_t i, struct answers *ret)
{
	struct tracee_op ops[2 + N_SIGNALS];
	size_t n = 0;
	raddr at = tracee_put(&t->area, NULL, sizeof *ret);
	int r;

	ops[n++] = (struct tracee_op){ .nr = SYS_sigaltstack,
		.args = { 0, at + offsetof(struct answers, stack) } };
	ops[n++] = (struct tracee_op){ .nr = SYS_rt_sigpending,
		.args = { at + offsetof(struct answers, pending), SET_LEN } };
	for (int sig = 1; i == 0 && sig <= N_SIGNALS; sig++)
		ops[n++] = (struct tracee_op){ .nr = SYS_rt_sigaction,
			.args = { (uint64_t)sig, 0,
			    at + offsetof(struct answers, actions[sig - 1]),
			    SET_LEN } };
	r = tracee_run(&t->threads[i], &t->area, ops, n, c->err);
	if (r < 0)
		return r;
	for (size_t k = 0; k < n; k++)
		if (ops[k].ret < 0)
			return err_num(c->err, (int)ops[k].ret,
			    "%s (pid %d): asking for its signal handlers",
			    t->comm, t->pid);
	return tracee_read(&t->area, at, ret,
	    i == 0 ? sizeof *ret : offsetof(struct answers, actions), c->err);
}

static void
put_actions(struct saved *s)
{
	size_t n = 0;

	for (int sig = 1; sig <= N_SIGNALS; sig++) {
		const struct action *a = &s->actions[sig - 1];
		Img__SigAction *m = &s->action_msgs[n];

		if (a->handler == 0 && a->flags == 0 && a->mask == 0)
			continue;
		*m = (Img__SigAction)IMG__SIG_ACTION__INIT;
		m->signo = (uint32_t)sig;
		m->handler = a->handler;
		m->flags = a->flags;
		m->restorer = a->restorer;
		m->mask = a->mask;
		s->action_ptrs[n++] = m;
	}
	s->m.actions = s->action_ptrs;
	s->m.n_actions = n;
}

static int
save_thread(struct ckpt *c, struct task *t, struct saved *s, size_t i)
{
	struct tracee *th = &t->threads[i];
	struct queue *q = &s->queues[i];
	Img__SigThread *m = &s->threads[i];
	struct answers a;
	uint64_t bare;
	int r;

	r = ask_thread(c, t, i, &a);
	if (r < 0)
		return r;
	if (i == 0) {
		memcpy(s->actions, a.actions, sizeof s->actions);
		r = queue_read(th->tid, true, &s->shared);
	}
	if (r >= 0)
		r = queue_read(th->tid, false, q);
	/* Pending is asked for in union: what no queue shows is the process's. */
	bare = a.pending & ~(s->shared.set | q->set);
	if (r >= 0)
		r = queue_add_bare(&s->shared, bare);
	if (r >= 0 && th->bell_held)
		r = queue_add(q, &th->held);
	if (r >= 0)
		r = queue_views(q, &m->pending, &m->n_pending);
	if (r < 0)
		return err_num(c->err, r,
		    "%s (pid %d): reading its pending "
		    "signals",
		    t->comm, t->pid);
	m->vtid = (uint32_t)th->vtid;
	m->alt_sp = (uint64_t)(uintptr_t)a.stack.ss_sp;
	m->alt_size = a.stack.ss_size;
	m->alt_flags = (uint32_t)(a.stack.ss_flags & SAVED_FLAGS);
	return 0;
}

static int
signals_save(struct ckpt *c, struct task *t)
{
	scoped(saved_done) struct saved s = { .queues = NULL };
	int r;

	r = saved_init(&s, t->n_threads);
	if (r < 0)
		return err_set(c->err, r, "out of memory");
	for (size_t i = 0; r >= 0 && i < t->n_threads; i++)
		r = save_thread(c, t, &s, i);
	if (r < 0)
		return r;
	put_actions(&s);
	if (queue_views(&s.shared, &s.m.pending, &s.m.n_pending) < 0)
		return err_set(c->err, -ENOMEM, "out of memory");
	return record_put(c, IMG_SIGNALS, (uint64_t)t->vpid, &s.m.base);
}

/* ---- revival ---- */

/* Take away what making the process has left for its thread I. */
static int
flush(struct ckpt *c, struct task *t, size_t i)
{
	static const struct timespec now = { 0, 0 };
	static const uint64_t all = ALL_SIGNALS;
	struct tracee_op ops[N_FLUSH];
	int r;

	do {
		raddr set = tracee_put(&t->area, &all, sizeof all);
		raddr timeout = tracee_put(&t->area, &now, sizeof now);

		for (size_t k = 0; k < N_FLUSH; k++)
			ops[k] = (struct tracee_op){ .nr = SYS_rt_sigtimedwait,
				.args = { set, 0, timeout, SET_LEN } };
		r = tracee_run(&t->threads[i], &t->area, ops, N_FLUSH, c->err);
	} while (r >= 0 && ops[N_FLUSH - 1].ret > 0);
	t->threads[i].bell_held = false;
	return r;
}

static int
revive_actions(struct ckpt *c, struct task *t, const Img__Signals *m)
{
	struct action actions[N_SIGNALS] = { 0 };
	struct tracee_op ops[N_SIGNALS];
	size_t n = 0;
	raddr at;
	int r;

	for (size_t i = 0; i < m->n_actions; i++) {
		const Img__SigAction *a = m->actions[i];

		if (a->signo < 1 || a->signo > N_SIGNALS)
			return err_set(c->err, -EBADMSG,
			    "the image is "
			    "damaged: signal %u",
			    a->signo);
		actions[a->signo - 1] = (struct action){ a->handler, a->flags,
			a->restorer, a->mask };
	}
	at = tracee_put(&t->area, actions, sizeof actions);
	for (int sig = 1; sig <= N_SIGNALS; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			ops[n++] = (struct tracee_op){ .nr = SYS_rt_sigaction,
				.args = { (uint64_t)sig,
				    at + (uint64_t)(sig - 1) * sizeof *actions,
				    0, SET_LEN } };
	r = task_run(c, t, ops, n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (ops[i].ret < 0)
			r = err_num(c->err, (int)ops[i].ret,
			    "%s (pid %d): "
			    "handler of signal %d",
			    t->comm, t->vpid, (int)ops[i].args[0]);
	return r;
}

static int
revive_stack(struct ckpt *c, struct task *t, size_t i, const Img__SigThread *m)
{
	stack_t stack;
	struct tracee_op op = { .nr = SYS_sigaltstack };
	int r;

	memset(&stack, 0, sizeof stack);
	memcpy(&stack.ss_sp, &m->alt_sp, sizeof stack.ss_sp);
	stack.ss_size = m->alt_size;
	stack.ss_flags = (int)m->alt_flags & SAVED_FLAGS;
	op.args[0] = tracee_put(&t->area, &stack, sizeof stack);
	r = tracee_run(&t->threads[i], &t->area, &op, 1, c->err);
	if (r >= 0 && op.ret < 0)
		r = err_num(c->err, (int)op.ret,
		    "%s (pid %d): alternate "
		    "signal stack",
		    t->comm, t->vpid);
	return r;
}

/* Up to N_QUEUE signals; how many the kernel would not take in *RET_LOST. */
static int
queue_some(struct ckpt *c, struct task *t, size_t i, bool shared,
    const ProtobufCBinaryData *v, size_t n, size_t *ret_lost)
{
	const struct tracee *th = &t->threads[i];
	uint64_t vpid = (uint64_t)th->vtgid, vtid = (uint64_t)th->vtid;
	struct tracee_op ops[N_QUEUE];
	int r;

	for (size_t k = 0; k < n; k++) {
		siginfo_t info;
		uint64_t sig;
		raddr at;

		if (v[k].len != sizeof info)
			return err_set(c->err, -EBADMSG,
			    "the image is "
			    "damaged: pending signal");
		memcpy(&info, v[k].data, sizeof info);
		sig = (uint64_t)info.si_signo;
		at = tracee_put(&t->area, &info, sizeof info);
		ops[k] = shared ?
		    (struct tracee_op){ .nr = SYS_rt_sigqueueinfo,
			    .args = { vpid, sig, at } } :
		    (struct tracee_op){ .nr = SYS_rt_tgsigqueueinfo,
			    .args = { vpid, vtid, sig, at } };
	}
	r = tracee_run(&t->threads[i], &t->area, ops, n, c->err);
	*ret_lost = 0;
	for (size_t k = 0; r >= 0 && k < n; k++)
		*ret_lost += ops[k].ret < 0;
	return r;
}

static int
revive_pending(struct ckpt *c, struct task *t, size_t i, bool shared,
    const ProtobufCBinaryData *v, size_t n)
{
	size_t lost = 0;

	for (size_t k = 0; k < n; k += N_QUEUE) {
		size_t some = n - k < N_QUEUE ? n - k : N_QUEUE, here;
		int r = queue_some(c, t, i, shared, v + k, some, &here);

		if (r < 0)
			return r;
		lost += here;
	}
	if (lost > 0)
		note(c, t,
		    "%zu signals that were waiting for it are lost "
		    "(limit of pending signals)",
		    lost);
	return 0;
}

static uint64_t
set_of(const ProtobufCBinaryData *v, size_t n)
{
	uint64_t set = 0;
	siginfo_t info;

	for (size_t i = 0; i < n; i++) {
		if (v[i].len != sizeof info)
			continue;
		memcpy(&info, v[i].data, sizeof info);
		if (info.si_signo >= 1 && info.si_signo <= N_SIGNALS)
			set |= bit(info.si_signo);
	}
	return set;
}

/*
 * The signal that ends a batch cannot be blocked in it: one of that number
 * would come out as it is queued. Which it is does not matter any more when
 * all that can see it is a tracer that will not be outlived.
 */
static void
avoid_bell(struct tracee *th, uint64_t pending)
{
	static const int bells[] = { SIGURG, SIGWINCH, SIGCHLD };

	for (size_t i = 0; i < N_ELEMENTS(bells); i++)
		if ((pending & bit(th->bell)) != 0)
			th->bell = bells[i];
}

static const Img__SigThread *
find_thread(const Img__Signals *m, pid_t vtid)
{
	for (size_t i = 0; i < m->n_threads; i++)
		if (m->threads[i]->vtid == (uint32_t)vtid)
			return m->threads[i];
	return NULL;
}

/*
 * First everything is taken away, in all threads: a signal to the process is
 * taken by whichever asks. Then actions before signals: to ignore a signal
 * drops it.
 */
static int
revive_all(struct ckpt *c, struct task *t, const Img__Signals *m)
{
	uint64_t shared = set_of(m->pending, m->n_pending);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->n_threads; i++)
		r = flush(c, t, i);
	if (r >= 0)
		r = revive_actions(c, t, m);
	for (size_t i = 0; r >= 0 && i < t->n_threads; i++) {
		const Img__SigThread *th = find_thread(m, t->vtids[i]);

		if (th == NULL)
			return err_set(c->err, -EBADMSG,
			    "the image is "
			    "damaged: no signals of thread %d",
			    t->vtids[i]);
		avoid_bell(&t->threads[i],
		    shared | set_of(th->pending, th->n_pending));
		r = revive_stack(c, t, i, th);
		if (r >= 0 && i == 0)
			r = revive_pending(c, t, 0, true, m->pending,
			    m->n_pending);
		if (r >= 0)
			r = revive_pending(c, t, i, false, th->pending,
			    th->n_pending);
	}
	return r;
}

static int
signals_revive(struct ckpt *c, struct task *t)
{
	Img__Signals *m = image_find(c->img, IMG_SIGNALS, (uint64_t)t->vpid,
	    &img__signals__descriptor, c->err);
	int r;

	if (m == NULL)
		return -EBADMSG;
	r = revive_all(c, t, m);
	img__signals__free_unpacked(m, NULL);
	return r;
}

const struct resource res_signals = {
	.name = "signals",
	.save = signals_save,
	.revive = signals_revive,
};
