/*
 * signals.c - what a process does about signals (all 64 dispositions), what
 * is pending for it and for each of its threads (pending.h), and the
 * alternate stacks of the threads. The signal masks belong to threads.c.
 *
 * Sources: rt_sigaction(2), sigaltstack(2).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/scope.h"
#include "ckpt/process/pending.h"
#include "ckpt/resource.h"

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

/* ---- save ---- */

/* All that becomes one record. */
struct saved {
	Img__Signals m;
	struct action actions[N_SIGNALS];
	Img__SigAction action_msgs[N_SIGNALS], *action_ptrs[N_SIGNALS];
	struct pending shared;
	struct pending *queues;       /* owned; one a thread */
	Img__SigThread *threads;      /* owned */
	Img__SigThread **thread_ptrs; /* owned */
	size_t n_threads;
};

static void
saved_done(struct saved *s)
{
	pending_done(&s->shared);
	for (size_t i = 0; i < s->n_threads && s->queues != NULL; i++)
		pending_done(&s->queues[i]);
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
		.args = { at + offsetof(struct answers, pending),
		    SIGNAL_SET_LEN } };
	for (int sig = 1; i == 0 && sig <= N_SIGNALS; sig++)
		ops[n++] = (struct tracee_op){ .nr = SYS_rt_sigaction,
			.args = { (uint64_t)sig, 0,
			    at + offsetof(struct answers, actions[sig - 1]),
			    SIGNAL_SET_LEN } };
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
	struct pending *q = &s->queues[i];
	Img__SigThread *m = &s->threads[i];
	struct answers a;
	uint64_t bare;
	int r;

	r = ask_thread(c, t, i, &a);
	if (r < 0)
		return r;
	if (i == 0) {
		memcpy(s->actions, a.actions, sizeof s->actions);
		r = pending_read(th->tid, true, &s->shared);
	}
	if (r >= 0)
		r = pending_read(th->tid, false, q);
	/* Pending is asked for in union: what no queue shows is the process's. */
	bare = a.pending & ~(s->shared.set | q->set);
	if (r >= 0)
		r = pending_add_bare(&s->shared, bare);
	if (r >= 0 && th->bell_held)
		r = pending_add(q, &th->held);
	if (r >= 0)
		r = pending_views(q, &m->pending, &m->n_pending);
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
	if (pending_views(&s.shared, &s.m.pending, &s.m.n_pending) < 0)
		return err_set(c->err, -ENOMEM, "out of memory");
	return record_put(c, IMG_SIGNALS, (uint64_t)t->vpid, &s.m.base);
}

/* ---- revival ---- */

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
				    0, SIGNAL_SET_LEN } };
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
		if ((pending & pending_bit(th->bell)) != 0)
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
	uint64_t shared = pending_set(m->pending, m->n_pending);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->n_threads; i++)
		r = pending_flush(c, t, i);
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
		    shared | pending_set(th->pending, th->n_pending));
		r = revive_stack(c, t, i, th);
		if (r >= 0 && i == 0)
			r = pending_revive(c, t, 0, true, m->pending,
			    m->n_pending);
		if (r >= 0)
			r = pending_revive(c, t, i, false, th->pending,
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
