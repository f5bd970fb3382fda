/*
 * sched.c - how the threads of a process are scheduled: policy, nice,
 * affinity, I/O priority, timer slack, personality; and how willing the
 * kernel is to kill the process for its memory.
 *
 * What a process was given and could not give itself now (a realtime policy,
 * a negative nice) is said and left out. An affinity to all the CPUs that
 * sess itself may use is none: the tree may use all of the next machine.
 *
 * Sources: sched_setattr(2), sched_setaffinity(2), ioprio_set(2), prctl(2),
 * personality(2), proc_pid_oom_score_adj(5).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/resource.h"

#define CPUS_LEN 1024 /* bytes: 8192 CPUs, what Linux can be built for */
#define ASK_PERSONALITY 0xffffffff

/* linux/ioprio.h */
#define IOPRIO_PROCESS 1
#define IOPRIO_CLASS(v) ((v) >> 13)

/* linux/sched/types.h, as of 3.14 */
struct attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns, deadline_ns, period_ns;
};

/* Which CPUs a thread may use; bytes, the first has CPUs 0 to 7. */
struct cpus {
	uint8_t bits[CPUS_LEN];
	size_t len; /* bytes used, 0: none */
};

static void
trim(struct cpus *cpus)
{
	while (cpus->len > 0 && cpus->bits[cpus->len - 1] == 0)
		cpus->len--;
}

static int
cpus_get(pid_t tid, struct cpus *ret)
{
	long n;

	memset(ret, 0, sizeof *ret);
	n = syscall(SYS_sched_getaffinity, tid, sizeof ret->bits, ret->bits);
	if (n < 0)
		return -errno;
	ret->len = (size_t)n;
	trim(ret);
	return 0;
}

static bool
cpus_equal(const struct cpus *a, const struct cpus *b)
{
	return a->len == b->len && memcmp(a->bits, b->bits, a->len) == 0;
}

/* ---- save ---- */

struct saved {
	Img__Sched m;
	Img__SchedThread *threads;      /* owned */
	Img__SchedThread **thread_ptrs; /* owned */
	struct cpus *cpus;              /* owned; one a thread */
	struct cpus ours;
};

static void
saved_done(struct saved *s)
{
	free(s->threads);
	free(s->thread_ptrs);
	free(s->cpus);
}

/*
 * The I/O priority, when it was set. Some kernels answer for one that was
 * not set with what they make of nice: class 2, level (20 + nice) / 5.
 */
static uint32_t
get_ioprio(pid_t tid, int nice)
{
	long v = syscall(SYS_ioprio_get, IOPRIO_PROCESS, tid);

	if (v < 0 || IOPRIO_CLASS(v) == 0 || v == (2L << 13 | (nice + 20) / 5))
		return 0;
	return (uint32_t)v;
}

/* What the kernel tells anybody about a thread. */
static int
look(pid_t tid, Img__SchedThread *m)
{
	struct attr attr = { .size = sizeof attr };

	if (syscall(SYS_sched_getattr, tid, &attr, sizeof attr, 0) < 0)
		return -errno;
	errno = 0;
	m->nice = getpriority(PRIO_PROCESS, (id_t)tid);
	if (errno != 0)
		return -errno;
	m->policy = attr.policy;
	m->flags = attr.flags;
	m->priority = attr.priority;
	m->runtime_ns = attr.runtime_ns;
	m->deadline_ns = attr.deadline_ns;
	m->period_ns = attr.period_ns;
	m->ioprio = get_ioprio(tid, m->nice);
	return 0;
}

static int
save_thread(struct ckpt *c, struct task *t, struct saved *s, size_t i)
{
	struct tracee *th = &t->threads[i];
	Img__SchedThread *m = &s->threads[i];
	struct tracee_op ops[] = {
		{ .nr = SYS_prctl, .args = { PR_GET_TIMERSLACK } },
		{ .nr = SYS_personality, .args = { ASK_PERSONALITY } },
	};
	int r;

	*m = (Img__SchedThread)IMG__SCHED_THREAD__INIT;
	r = tracee_run(th, &t->area, ops, N_ELEMENTS(ops), c->err);
	if (r < 0)
		return r;
	r = look(th->tid, m);
	if (r >= 0)
		r = cpus_get(th->tid, &s->cpus[i]);
	if (r >= 0 && (ops[0].ret < 0 || ops[1].ret < 0))
		r = -EIO;
	if (r < 0)
		return err_num(c->err, r,
		    "%s (pid %d): asking how it is "
		    "scheduled",
		    t->comm, t->pid);
	m->vtid = (uint32_t)th->vtid;
	m->slack_ns = (uint64_t)ops[0].ret;
	m->personality = (uint32_t)ops[1].ret;
	if (!cpus_equal(&s->cpus[i], &s->ours))
		m->cpus = (ProtobufCBinaryData){ s->cpus[i].len,
			s->cpus[i].bits };
	return 0;
}

static int
get_oom_score_adj(pid_t pid)
{
	autobuf struct buf b = BUF_INIT(64);

	return procfs_read(pid, "oom_score_adj", &b) < 0 ?
	    0 :
	    atoi((const char *)b.data);
}

static int
sched_save(struct ckpt *c, struct task *t)
{
	scoped(saved_done) struct saved s = { .m = IMG__SCHED__INIT };
	int r;

	s.threads = calloc(t->n_threads, sizeof *s.threads);
	s.thread_ptrs = calloc(t->n_threads, sizeof *s.thread_ptrs);
	s.cpus = calloc(t->n_threads, sizeof *s.cpus);
	if (s.threads == NULL || s.thread_ptrs == NULL || s.cpus == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	r = cpus_get(0, &s.ours);
	if (r < 0)
		return err_num(c->err, r, "asking for our CPUs");
	for (size_t i = 0; r >= 0 && i < t->n_threads; i++) {
		s.thread_ptrs[i] = &s.threads[i];
		r = save_thread(c, t, &s, i);
	}
	if (r < 0)
		return r;
	s.m.threads = s.thread_ptrs;
	s.m.n_threads = t->n_threads;
	s.m.oom_score_adj = get_oom_score_adj(t->pid);
	return record_put(c, IMG_SCHED, (uint64_t)t->vpid, &s.m.base);
}

/* ---- revival ---- */

static void
set_cpus(struct ckpt *c, struct task *t, pid_t tid, const Img__SchedThread *m)
{
	size_t len = m->cpus.len < CPUS_LEN ? m->cpus.len : CPUS_LEN;
	struct cpus cpus = { .len = len };

	if (len == 0)
		return;
	/* The kernel takes what there is of them, EINVAL: none. */
	memcpy(cpus.bits, m->cpus.data, len);
	if (syscall(SYS_sched_setaffinity, tid, sizeof cpus.bits, cpus.bits) <
	    0)
		note(c, t,
		    "the CPUs that it was bound to are not here: it may "
		    "use all of them");
}

/*
 * Policy and nice, when they are not what the thread has by birth. Nice on
 * its own first: a realtime thread has one too, for later.
 */
static void
set_policy(struct ckpt *c, struct task *t, pid_t tid, const Img__SchedThread *m)
{
	struct attr attr = { .size = sizeof attr,
		.policy = m->policy,
		.flags = m->flags,
		.nice = m->nice,
		.priority = m->priority,
		.runtime_ns = m->runtime_ns,
		.deadline_ns = m->deadline_ns,
		.period_ns = m->period_ns };
	Img__SchedThread now;

	if (look(tid, &now) < 0)
		return;
	if (now.nice != m->nice &&
	    setpriority(PRIO_PROCESS, (id_t)tid, m->nice) < 0) {
		note(c, t, "nice %d was not allowed, it has %d", m->nice,
		    now.nice);
		attr.nice = now.nice;
	}
	if (now.policy == m->policy && now.flags == m->flags &&
	    now.priority == m->priority && now.runtime_ns == m->runtime_ns)
		return;
	if (syscall(SYS_sched_setattr, tid, &attr, 0) < 0)
		note(c, t, "its scheduling policy was not allowed (%s)",
		    strerror(errno));
}

static void
set_ioprio(struct ckpt *c, struct task *t, pid_t tid, const Img__SchedThread *m)
{
	if (m->ioprio != 0 &&
	    syscall(SYS_ioprio_set, IOPRIO_PROCESS, tid, m->ioprio) < 0)
		note(c, t, "its I/O priority was not allowed (%s)",
		    strerror(errno));
}

static int
revive_thread(struct ckpt *c, struct task *t, size_t i,
    const Img__SchedThread *m)
{
	struct tracee *th = &t->threads[i];
	struct tracee_op ops[] = {
		{ .nr = SYS_personality, .args = { m->personality } },
		{ .nr = SYS_prctl, .args = { PR_SET_TIMERSLACK, m->slack_ns } },
	};
	int r;

	set_cpus(c, t, th->tid, m);
	set_policy(c, t, th->tid, m);
	set_ioprio(c, t, th->tid, m);
	r = tracee_run(th, &t->area, ops, N_ELEMENTS(ops), c->err);
	for (size_t k = 0; r >= 0 && k < N_ELEMENTS(ops); k++)
		if (ops[k].ret < 0)
			r = err_num(c->err, (int)ops[k].ret,
			    "%s (pid %d): "
			    "personality or timer slack",
			    t->comm, t->vpid);
	return r;
}

static void
set_oom_score_adj(struct ckpt *c, struct task *t, int adj)
{
	char path[64], text[16];
	autoclose int fd = -1;
	int had = get_oom_score_adj(t->pid);

	if (adj == had)
		return;
	(void)snprintf(path, sizeof path, "/proc/%d/oom_score_adj", t->pid);
	(void)snprintf(text, sizeof text, "%d", adj);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || io_write(fd, text, strlen(text)) < 0)
		note_once(c, "oom_score_adj %d was not allowed, %d is kept",
		    adj, had);
}

static const Img__SchedThread *
find_thread(const Img__Sched *m, pid_t vtid)
{
	for (size_t i = 0; i < m->n_threads; i++)
		if (m->threads[i]->vtid == (uint32_t)vtid)
			return m->threads[i];
	return NULL;
}

static int
sched_revive(struct ckpt *c, struct task *t)
{
	Img__Sched *m = image_find(c->img, IMG_SCHED, (uint64_t)t->vpid,
	    &img__sched__descriptor, c->err);
	int r = 0;

	if (m == NULL)
		return -EBADMSG;
	for (size_t i = 0; r >= 0 && i < t->n_threads; i++) {
		const Img__SchedThread *th = find_thread(m, t->vtids[i]);

		r = th != NULL ? revive_thread(c, t, i, th) :
				 err_set(c->err, -EBADMSG,
				     "the image is "
				     "damaged: scheduling of thread %d",
				     t->vtids[i]);
	}
	if (r >= 0)
		set_oom_score_adj(c, t, m->oom_score_adj);
	img__sched__free_unpacked(m, NULL);
	return r;
}

const struct resource res_sched = {
	.name = "sched",
	.save = sched_save,
	.revive = sched_revive,
};
