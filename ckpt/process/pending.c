/*
 * pending.c - see pending.h.
 */
#include "ckpt/process/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#define N_FLUSH 8  /* signals taken away in one batch */
#define N_QUEUE 64 /* signals queued in one batch */
#define N_PEEK 64  /* signals read by one request */

void
pending_done(struct pending *q)
{
	free(q->infos);
	free(q->views);
	*q = PENDING_NONE;
}

static int
room_for(struct pending *q, size_t n)
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

int
pending_add(struct pending *q, const siginfo_t *info)
{
	int r = room_for(q, 1);

	if (r < 0)
		return r;
	q->infos[q->n++] = *info;
	q->set |= pending_bit(info->si_signo);
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

int
pending_read(pid_t tid, bool shared, struct pending *q)
{
	struct __ptrace_peeksiginfo_args args = {
		.flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0,
		.nr = N_PEEK,
	};
	long got;
	int r;

	do {
		r = room_for(q, N_PEEK);
		if (r < 0)
			return r;
		args.off = q->n;
		got = ptrace(PTRACE_PEEKSIGINFO, tid, &args, q->infos + q->n);
		if (got < 0)
			return -errno;
		for (; got > 0; got--, q->n++) {
			forget_timer(&q->infos[q->n]);
			q->set |= pending_bit(q->infos[q->n].si_signo);
		}
	} while (q->n - args.off == N_PEEK);
	return 0;
}

int
pending_add_bare(struct pending *q, uint64_t set)
{
	int r = 0;

	for (int sig = 1; r >= 0 && sig <= N_SIGNALS; sig++) {
		siginfo_t info = { .si_signo = sig, .si_code = SI_USER };

		if ((set & pending_bit(sig)) != 0)
			r = pending_add(q, &info);
	}
	return r;
}

int
pending_views(struct pending *q, ProtobufCBinaryData **ret_views, size_t *ret_n)
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

int
pending_flush(struct ckpt *c, struct task *t, size_t i)
{
	static const struct timespec now = { 0, 0 };
	static const uint64_t all = ~UINT64_C(0);
	struct tracee_op ops[N_FLUSH];
	int r;

	do {
		raddr set = tracee_put(&t->area, &all, sizeof all);
		raddr timeout = tracee_put(&t->area, &now, sizeof now);

		for (size_t k = 0; k < N_FLUSH; k++)
			ops[k] = (struct tracee_op){ .nr = SYS_rt_sigtimedwait,
				.args = { set, 0, timeout, SIGNAL_SET_LEN } };
		r = tracee_run(&t->threads[i], &t->area, ops, N_FLUSH, c->err);
	} while (r >= 0 && ops[N_FLUSH - 1].ret > 0);
	t->threads[i].bell_held = false;
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

int
pending_revive(struct ckpt *c, struct task *t, size_t i, bool shared,
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

uint64_t
pending_set(const ProtobufCBinaryData *v, size_t n)
{
	uint64_t set = 0;
	siginfo_t info;

	for (size_t i = 0; i < n; i++) {
		if (v[i].len != sizeof info)
			continue;
		memcpy(&info, v[i].data, sizeof info);
		if (info.si_signo >= 1 && info.si_signo <= N_SIGNALS)
			set |= pending_bit(info.si_signo);
	}
	return set;
}
