/*
 * limits.c - resource limits of a process, asked for and set by the process
 * itself: prlimit(2) of another user's needs a capability that even root
 * may lack. A hard limit that may not be had any more is said and left at
 * what it is; that is no reason not to revive.
 *
 * They come late: a limit on descriptors, processes or memory would get in
 * the way of what is revived before.
 *
 * Sources: prlimit(2).
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/scope.h"
#include "ckpt/resource.h"

#define N_LIMITS 16 /* RLIM_NLIMITS: the kernel's, on all machines so far */

struct limit {
	uint64_t soft, hard;
};

static const char *const words[N_LIMITS] = {
	[RLIMIT_CPU] = "CPU time",
	[RLIMIT_FSIZE] = "file size",
	[RLIMIT_DATA] = "data size",
	[RLIMIT_STACK] = "stack size",
	[RLIMIT_CORE] = "core file size",
	[RLIMIT_RSS] = "resident memory",
	[RLIMIT_NPROC] = "processes",
	[RLIMIT_NOFILE] = "open files",
	[RLIMIT_MEMLOCK] = "locked memory",
	[RLIMIT_AS] = "address space",
	[RLIMIT_LOCKS] = "file locks",
	[RLIMIT_SIGPENDING] = "pending signals",
	[RLIMIT_MSGQUEUE] = "message queues",
	[RLIMIT_NICE] = "nice priority",
	[RLIMIT_RTPRIO] = "realtime priority",
	[RLIMIT_RTTIME] = "realtime CPU time",
};

static int
answered(struct ckpt *c, struct task *t, size_t limit, int64_t answer)
{
	if (answer >= 0)
		return 0;
	return err_num(c->err, (int)answer, "%s (pid %d): limit of %s", t->comm,
	    t->pid, words[limit]);
}

/* ---- save ---- */

static int
ask(struct ckpt *c, struct task *t, struct limit ret[N_LIMITS])
{
	struct tracee_op ops[N_LIMITS];
	raddr at = tracee_put(&t->area, NULL, N_LIMITS * sizeof *ret);
	int r;

	for (size_t i = 0; i < N_LIMITS; i++)
		ops[i] = (struct tracee_op){ .nr = SYS_prlimit64,
			.args = { 0, i, 0, at + i * sizeof *ret } };
	r = task_run(c, t, ops, N_LIMITS);
	for (size_t i = 0; r >= 0 && i < N_LIMITS; i++)
		r = answered(c, t, i, ops[i].ret);
	if (r < 0)
		return r;
	return tracee_read(&t->area, at, ret, N_LIMITS * sizeof *ret, c->err);
}

static int
limits_save(struct ckpt *c, struct task *t)
{
	Img__Limits m = IMG__LIMITS__INIT;
	struct limit v[N_LIMITS];
	uint64_t soft[N_LIMITS], hard[N_LIMITS];
	int r;

	r = ask(c, t, v);
	if (r < 0)
		return r;
	for (size_t i = 0; i < N_LIMITS; i++) {
		soft[i] = v[i].soft;
		hard[i] = v[i].hard;
	}
	m.soft = soft;
	m.hard = hard;
	m.n_soft = m.n_hard = N_LIMITS;
	return record_put(c, IMG_LIMITS, (uint64_t)t->vpid, &m.base);
}

/* ---- revival ---- */

/* Set those of V that have SET; *RET_ANSWERS are the kernel's. */
static int
set(struct ckpt *c, struct task *t, const struct limit v[N_LIMITS],
    int64_t ret_answers[N_LIMITS])
{
	struct tracee_op ops[N_LIMITS];
	raddr at = tracee_put(&t->area, v, N_LIMITS * sizeof *v);
	int r;

	for (size_t i = 0; i < N_LIMITS; i++)
		ops[i] = (struct tracee_op){ .nr = SYS_prlimit64,
			.args = { 0, i, at + i * sizeof *v, 0 } };
	r = task_run(c, t, ops, N_LIMITS);
	for (size_t i = 0; i < N_LIMITS; i++)
		ret_answers[i] = ops[i].ret;
	return r;
}

/* What could not be had keeps the hard limit that there is. */
static int
lower(struct ckpt *c, struct task *t, struct limit v[N_LIMITS],
    int64_t answers[N_LIMITS])
{
	struct limit now[N_LIMITS];
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < N_LIMITS; i++)
		any |= answers[i] == -EPERM;
	if (any)
		r = ask(c, t, now);
	for (size_t i = 0; any && r >= 0 && i < N_LIMITS; i++) {
		if (answers[i] != -EPERM)
			continue;
		note_once(c,
		    "limit of %s: at most %" PRIu64 " is allowed "
		    "here",
		    words[i], now[i].hard);
		v[i].hard = now[i].hard;
		if (v[i].soft > v[i].hard)
			v[i].soft = v[i].hard;
	}
	if (any && r >= 0)
		r = set(c, t, v, answers);
	for (size_t i = 0; r >= 0 && i < N_LIMITS; i++)
		r = answered(c, t, i, answers[i]);
	return r;
}

static int
limits_revive(struct ckpt *c, struct task *t)
{
	Img__Limits *m = image_find(c->img, IMG_LIMITS, (uint64_t)t->vpid,
	    &img__limits__descriptor, c->err);
	struct limit v[N_LIMITS];
	int64_t answers[N_LIMITS];
	bool whole;
	int r;

	if (m == NULL)
		return -EBADMSG;
	whole = m->n_soft >= N_LIMITS && m->n_hard >= N_LIMITS;
	for (size_t i = 0; whole && i < N_LIMITS; i++)
		v[i] = (struct limit){ m->soft[i], m->hard[i] };
	img__limits__free_unpacked(m, NULL);
	if (!whole)
		return err_set(c->err, -EBADMSG,
		    "the image is damaged: "
		    "limits of %s (pid %d)",
		    t->comm, t->vpid);
	r = set(c, t, v, answers);
	return r < 0 ? r : lower(c, t, v, answers);
}

const struct resource res_limits = {
	.name = "limits",
	.save = limits_save,
	.revive = limits_revive,
};
