/*
 * birth.c - the reviving side of tree.h: giving birth to the tree.
 *
 * A session can only be inherited from the parent or be begun by its leader;
 * a process group can be joined later, while somebody in it is alive. So a
 * leader first gives birth to the children that it had before setsid(2),
 * then begins its session, then to the others. A child whose parent died
 * (and which the server adopted) is born in its session by a helper that
 * dies at once, or, when the leader is dead too, by a stand-in with the
 * leader's number that lives until the tree is complete. A group whose
 * leader is dead is begun by a stand-in likewise.
 */
#include "ckpt/process/tree.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/files/ttys.h"

#define THREAD_FLAGS                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | \
	    CLONE_SYSVSEM)

/* A process that stands in for a dead leader while the tree is made. */
struct standin {
	struct task task;
	struct tracee thread;
	struct task *maker; /* who is to wait for it; NULL: the server's
	                       stand-in does, in its own time */
};

struct birth {
	struct ckpt *c;
	struct task *server;
	struct standin *standins; /* owned */
	size_t n_standins, cap_standins;
};

/* ---- one birth ---- */

/*
 * Clone in MAKER. VPID 0: any number. The child is taken over into *TH, its
 * area into *AREA; it belongs to process TGID (0: a process of its own).
 */
static int
clone_in(struct ckpt *c, struct task *maker, uint64_t flags, int exit_signal,
    pid_t vpid, struct tracee *th, pid_t tgid, struct tracee_area *ret_area)
{
	struct clone3_args args = { .flags = flags,
		.exit_signal = (uint64_t)exit_signal };
	raddr where;
	int64_t val;
	int r;

	r = FAULT("revive.clone", c->err);
	if (r < 0)
		return r;
	if (vpid != 0) {
		args.set_tid = tracee_put(&maker->area, &vpid, sizeof vpid);
		args.set_tid_size = 1;
	}
	where = tracee_put(&maker->area, &args, sizeof args);
	r = tracee_call(&maker->threads[0], &maker->area, &val, c->err,
	    SYS_clone3, where, sizeof args, 0, 0, 0, 0);
	if (r < 0)
		return r;
	if (val < 0)
		return err_num(c->err, (int)val, "making process %d", vpid);
	r = tracee_adopt(th, tgid != 0 ? tgid : (pid_t)val, (pid_t)val,
	    OWN_TASK_OPTIONS, c->err);
	if (r < 0 || ret_area == NULL)
		return r;
	return tracee_area_inherit(th, &maker->area, ret_area, c->err);
}

static int
begin_session(struct birth *b, struct task *t)
{
	int64_t val = task_must(b->c, t, "setsid", SYS_setsid, 0, 0, 0, 0, 0,
	    0);

	return val < 0 ? (int)val : ttys_claim(b->c, t);
}

static int make_children(struct birth *b, struct task *t, bool before);

/* T exists: its older children, its session, its other children. */
static int
grow(struct birth *b, struct task *t)
{
	int r = 0;

	t->made = true;
	if (t->vsid == t->vpid) {
		r = make_children(b, t, true);
		if (r >= 0)
			r = begin_session(b, t);
	}
	return r < 0 ? r : make_children(b, t, false);
}

static int
make(struct birth *b, struct task *maker, struct task *t)
{
	int r;

	r = clone_in(b->c, maker, 0, t->exit_signal, t->vpid, &t->threads[0], 0,
	    &t->area);
	return r < 0 ? r : grow(b, t);
}

/* Those of T's children that were born BEFORE its setsid, or the others. */
static int
make_children(struct birth *b, struct task *t, bool before)
{
	struct ckpt *c = b->c;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
		struct task *k = &c->tasks[i];

		if (k->parent != t || k->made)
			continue;
		if (before && (k->born_sid == 0 || k->born_sid == t->vpid))
			continue;
		r = make(b, t, k);
	}
	return r;
}

/* ---- orphans ---- */

static struct standin *
standin_new(struct birth *b)
{
	struct standin *s;

	/* Never moved: tasks and threads in it are pointed to. */
	if (b->n_standins == b->cap_standins)
		return NULL;
	s = &b->standins[b->n_standins++];
	*s = (struct standin){ .thread = TRACEE_NONE };
	s->task.area = TRACEE_AREA_NONE;
	s->task.threads = &s->thread;
	s->task.n_threads = 1;
	(void)strcpy(s->task.comm, "(stand-in)");
	return s;
}

static struct task *
standin_find(struct birth *b, pid_t vpid)
{
	for (size_t i = 0; i < b->n_standins; i++)
		if (b->standins[i].task.vpid == vpid)
			return &b->standins[i].task;
	return NULL;
}

/* A leader in the place of dead leader SID of a session. */
static int
make_leader(struct birth *b, pid_t sid, struct task **ret_leader)
{
	struct standin *s = standin_new(b);
	int r;

	if (s == NULL)
		return image_damaged(b->c, "too many dead leaders");
	s->task.vpid = s->task.pid = sid;
	r = clone_in(b->c, b->server, 0, SIGCHLD, sid, &s->thread, 0,
	    &s->task.area);
	if (r >= 0)
		r = begin_session(b, &s->task);
	*ret_leader = &s->task;
	return r;
}

/* T, adopted by the server, born in the session of living LEADER. */
static int
make_through(struct birth *b, struct task *leader, struct task *t)
{
	struct ckpt *c = b->c;
	struct tracee th = TRACEE_NONE;
	struct task helper = { .area = TRACEE_AREA_NONE,
		.threads = &th,
		.n_threads = 1,
		.comm = "(helper)" };
	pid_t pid;
	int r;

	r = clone_in(c, leader, 0, 0, 0, &th, 0, &helper.area);
	pid = th.tid;
	if (r >= 0)
		r = clone_in(c, &helper, 0, SIGCHLD, t->vpid, &t->threads[0], 0,
		    &t->area);
	tracee_area_forget(&helper.area);
	tracee_detach(&th); /* it exits by itself */
	if (r >= 0)
		r = (int)task_must(c, leader, "waiting for a helper", SYS_wait4,
		    (uint64_t)pid, 0, __WALL, 0, 0, 0);
	return r < 0 ? r : grow(b, t);
}

static int
make_orphan(struct birth *b, struct task *t)
{
	struct task *leader;
	int r;

	if (t->born_sid == 0)
		return make(b, b->server, t);
	leader = task_find(b->c, t->born_sid);
	if (leader != NULL && leader->state != TASK_ZOMBIE)
		return leader->made ? make_through(b, leader, t) : -EAGAIN;
	if (leader == NULL) {
		leader = standin_find(b, t->born_sid);
		r = leader == NULL ? make_leader(b, t->born_sid, &leader) : 0;
		return r < 0 ? r : make_through(b, leader, t);
	}
	return leader->made ? make_through(b, leader, t) : -EAGAIN;
}

/* ---- process groups ---- */

static int
set_group(struct birth *b, struct task *t, pid_t group)
{
	struct ckpt *c = b->c;
	int64_t val;

	if (t->vsid == t->vpid) /* a session leader leads its group for ever */
		return t->vpgid == t->vpid ?
		    0 :
		    image_damaged(c, "a session leader in another group");
	val = task_must(c, t, "setpgid", SYS_setpgid, 0, (uint64_t)group, 0, 0,
	    0, 0);
	return val < 0 ? (int)val : 0;
}

static int
make_group_leader(struct birth *b, struct task *member)
{
	struct standin *s = standin_new(b);
	int r;

	if (s == NULL)
		return image_damaged(b->c, "too many dead leaders");
	s->task.vpid = s->task.pid = member->vpgid;
	s->maker = member;
	r = clone_in(b->c, member, 0, 0, member->vpgid, &s->thread, 0,
	    &s->task.area);
	if (r >= 0)
		r = (int)task_must(b->c, &s->task, "setpgid", SYS_setpgid, 0, 0,
		    0, 0, 0, 0);
	return r;
}

/* Is there a group with the number of T? Its own, or one it has left. */
static bool
leads_group(struct ckpt *c, const struct task *t)
{
	if (t->vsid == t->vpid)
		return false; /* setsid(2) has made it */
	for (size_t i = 0; i < c->n_tasks; i++)
		if (c->tasks[i].vpgid == t->vpid)
			return true;
	return false;
}

/*
 * Groups are begun by their leaders first, then joined, then left by the
 * leaders that have moved on.
 */
static int
make_groups(struct birth *b)
{
	struct ckpt *c = b->c;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		if (leads_group(c, &c->tasks[i]))
			r = set_group(b, &c->tasks[i], c->tasks[i].vpid);
	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
			struct task *t = &c->tasks[i];

			if (t->vpgid == t->vpid ||
			    leads_group(c, t) != (pass == 1))
				continue;
			if (task_find(c, t->vpgid) == NULL &&
			    standin_find(b, t->vpgid) == NULL)
				r = make_group_leader(b, t);
			if (r >= 0)
				r = set_group(b, t, t->vpgid);
		}
	return r;
}

/* Let all stand-ins exit and wait for those the tree would have to reap. */
static int
end_standins(struct birth *b)
{
	int r = 0;

	for (size_t i = 0; i < b->n_standins; i++) {
		struct standin *s = &b->standins[i];
		int64_t val;

		tracee_area_forget(&s->task.area);
		tracee_detach(&s->thread);
		val = task_must(b->c, s->maker != NULL ? s->maker : b->server,
		    "waiting for a stand-in", SYS_wait4, (uint64_t)s->task.vpid,
		    0, __WALL, 0, 0, 0);
		if (val < 0 && r >= 0)
			r = (int)val;
	}
	return r;
}

int
tree_make(struct ckpt *c, struct task *maker)
{
	struct birth b = { .c = c,
		.server = maker,
		.cap_standins = 2 * c->n_tasks };
	size_t left = 1, was = 0;
	int r = 0;

	b.standins = calloc(b.cap_standins, sizeof *b.standins);
	if (b.standins == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	/* Orphans whose leader is to be born by another orphan wait. */
	for (size_t pass = 0; r >= 0 && left != 0 && left != was; pass++) {
		was = pass == 0 ? 0 : left;
		left = 0;
		for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
			struct task *t = &c->tasks[i];

			if (t->made || t->parent != NULL)
				continue;
			r = make_orphan(&b, t);
			if (r == -EAGAIN) {
				left++;
				r = 0;
			}
		}
	}
	if (r >= 0 && left != 0)
		r = image_damaged(c, "sessions that cannot have been");
	if (r >= 0)
		r = make_groups(&b);
	if (r >= 0)
		r = end_standins(&b);
	free(b.standins);
	return r;
}

int
tree_make_threads(struct ckpt *c, struct task *t)
{
	int r = 0;

	for (size_t i = 1; r >= 0 && i < t->n_threads; i++)
		r = clone_in(c, t, THREAD_FLAGS, 0, t->vtids[i], &t->threads[i],
		    t->pid, NULL);
	return r;
}

/* ---- ends and stops ---- */

#define STATE_TRIES 2000 /* milliseconds for a task to end or stop */

/* Wait until /proc shows T in state WANT. */
static int
await_state(struct ckpt *c, const struct task *t, char want)
{
	struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < STATE_TRIES; i++) {
		struct procfs_stat st;

		if (procfs_stat(t->pid, &st) >= 0 && st.state == want)
			return 0;
		(void)nanosleep(&ms, NULL);
	}
	return err_set(c->err, -ETIMEDOUT,
	    "%s (pid %d) did not come into "
	    "state %c",
	    t->comm, t->vpid, want);
}

/* Prepare T to die of signal SIG at its next instruction, without a core. */
static int
aim_signal(struct ckpt *c, struct task *t, int sig)
{
	static const uint64_t no_core[2], by_default[4];
	struct tracee_op ops[] = {
		{ .nr = SYS_prlimit64,
		    .args = { 0, RLIMIT_CORE,
			tracee_put(&t->area, no_core, sizeof no_core) } },
		{ .nr = SYS_rt_sigaction,
		    .args = { (uint64_t)sig,
			tracee_put(&t->area, by_default, sizeof by_default), 0,
			8 } },
	};
	int r;

	r = task_run(c, t, ops, N_ELEMENTS(ops));
	if (r < 0)
		return r;
	t->threads[0].sigmask = 0;
	return kill(t->pid, sig) < 0 ?
	    err_sys(c->err, "ending process %d", t->vpid) :
	    0;
}

/* End T as its wait status says: by exit_group, or by a signal. */
static int
end_zombie(struct ckpt *c, struct task *t)
{
	int r;

	if (WIFEXITED(t->wait_status)) {
		r = (int)task_call(c, t, SYS_exit_group,
		    (uint64_t)WEXITSTATUS(t->wait_status), 0, 0, 0, 0, 0);
		if (r == -ESRCH)
			r = 0;
	} else {
		r = aim_signal(c, t, WTERMSIG(t->wait_status));
	}
	tracee_area_forget(&t->area);
	tracee_detach(&t->threads[0]);
	return r < 0 ? r : await_state(c, t, 'Z');
}

int
tree_end_zombies(struct ckpt *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		if (c->tasks[i].state == TASK_ZOMBIE)
			r = end_zombie(c, &c->tasks[i]);
	return r;
}

/* What stopped T, when its parent is still to learn of it. */
static int
stop_signal(const struct task *t)
{
	switch (t->rec->stop_signal) {
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return (int)t->rec->stop_signal;
	default:
		return SIGSTOP;
	}
}

int
tree_stop(struct ckpt *c, struct task *t)
{
	int64_t val;
	int r;

	if (kill(t->pid, stop_signal(t)) < 0)
		return err_sys(c->err, "stopping process %d", t->vpid);
	for (size_t i = 0; i < t->n_threads; i++)
		tracee_detach(&t->threads[i]);
	r = await_state(c, t, 'T');
	if (r < 0 || t->parent == NULL || !t->rec->stop_seen)
		return r;
	val = task_call(c, t->parent, SYS_wait4, (uint64_t)t->vpid, 0,
	    WUNTRACED | WNOHANG | __WALL, 0, 0, 0);
	return val < 0 ? (int)val : 0;
}
