/*
 * tree.c - the saving side of tree.h. Parenthood is read from /proc/PID/stat
 * of all processes (CONFIG_PROC_CHILDREN is not everywhere), numbers as the
 * tasks see them from the last column of NSpid, NSpgid and NSsid in
 * /proc/PID/status (proc_pid_status(5)).
 */
#include "ckpt/process/tree.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/memory/memory.h"

/* A process while the tree is being found. */
struct node {
	pid_t pid, ppid;
	bool zombie;
	bool leaderless; /* its first thread has ended, others go on */
	bool in;
};

static int
compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

/*
 * Nobody comes into a tree but by birth: who was seen outside once is not
 * looked at again in this save, whose stop would last longer for it.
 */
static bool
is_outside(const struct ckpt *c, pid_t pid)
{
	return c->n_outside > 0 &&
	    bsearch(&pid, c->outside, c->n_outside, sizeof pid, compare_pids) !=
	    NULL;
}

static void
remember_outside(struct ckpt *c, const struct node *all, size_t n)
{
	void *p;

	p = reallocarray(c->outside, c->n_outside + n + 1, sizeof(pid_t));
	if (p == NULL)
		return;
	c->outside = p;
	for (size_t i = 0; i < n; i++)
		if (!all[i].in && all[i].pid != c->parent)
			c->outside[c->n_outside++] = all[i].pid;
	qsort(c->outside, c->n_outside, sizeof(pid_t), compare_pids);
}

/* The processes below PARENT, in breadth order. */
static int
find_nodes(struct ckpt *c, pid_t parent, struct node **ret_nodes, size_t *ret_n)
{
	autofree pid_t *pids = NULL;
	struct node *all, *out;
	size_t n, n_all = 0, n_out = 0, next = 0;
	int r;

	r = procfs_pids(&pids, &n);
	if (r < 0)
		return r;
	all = calloc(n + 1, sizeof *all);
	out = calloc(n + 1, sizeof *out);
	if (all == NULL || out == NULL) {
		free(all);
		free(out);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct procfs_stat st;

		if (is_outside(c, pids[i]) || procfs_stat(pids[i], &st) < 0)
			continue; /* or it has ended meanwhile */
		all[n_all++] = (struct node){ .pid = pids[i],
			.ppid = st.ppid,
			.zombie = st.state == 'Z' || st.state == 'X',
			.leaderless = st.state == 'Z' && st.num_threads > 1 };
	}
	for (;;) {
		for (size_t i = 0; i < n_all; i++)
			if (!all[i].in && all[i].ppid == parent) {
				all[i].in = true;
				out[n_out++] = all[i];
			}
		if (next == n_out)
			break;
		parent = out[next++].pid;
	}
	remember_outside(c, all, n_all);
	free(all);
	*ret_nodes = out;
	*ret_n = n_out;
	return 0;
}

int
tree_find(void *arg, pid_t **ret_pids, size_t *ret_n, struct err *e)
{
	struct ckpt *c = arg;
	autofree struct node *nodes = NULL;
	size_t n, n_live = 0;
	pid_t *pids;
	int r;

	r = find_nodes(c, c->parent, &nodes, &n);
	if (r < 0)
		return err_num(e, r, "listing processes");
	pids = calloc(n + 1, sizeof *pids);
	if (pids == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (!nodes[i].zombie)
			pids[n_live++] = nodes[i].pid;
	*ret_pids = pids;
	*ret_n = n_live;
	return 0;
}

static struct task *
find_by_pid(struct ckpt *c, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (c->tasks[i].pid == pid)
			return &c->tasks[i];
	return NULL;
}

/* The threads of T among those that were stopped. */
static void
take_threads(struct ckpt *c, struct task *t)
{
	for (size_t i = 0; i < c->frozen.n_threads; i++) {
		if (c->frozen.threads[i].tgid != t->pid)
			continue;
		if (t->n_threads++ == 0)
			t->threads = &c->frozen.threads[i];
		if (c->frozen.threads[i].group_stopped)
			t->state = TASK_STOPPED;
	}
}

static int
fill_task(struct ckpt *c, struct task *t, const struct node *node, size_t n)
{
	struct procfs_stat st;
	struct procfs_status status;
	int r;

	r = procfs_stat(node->pid, &st);
	if (r >= 0)
		r = procfs_status(node->pid, &status);
	if (r < 0)
		return r;
	*t = (struct task){ .pid = node->pid,
		.vpid = status.nspid,
		.vpgid = status.nspgid,
		.vsid = status.nssid,
		.area = TRACEE_AREA_NONE,
		.snap_mem = -1,
		.snap_pagemap = -1,
		.snap_smaps = -1 };
	t->exit_signal = st.exit_signal;
	memcpy(t->comm, st.comm, sizeof t->comm - 1);
	procfs_status_done(&status);
	t->state = st.state == 'T' ? TASK_STOPPED : TASK_LIVE;
	if (node->zombie) {
		t->state = TASK_ZOMBIE;
		t->wait_status = st.exit_code;
	}
	t->parent = find_by_pid(c, n, node->ppid);
	if (t->parent != NULL)
		t->vppid = t->parent->vpid;
	take_threads(c, t);
	return 0;
}

static int
collect_nodes(struct ckpt *c, const struct node *nodes, size_t n)
{
	int r;

	c->tasks = calloc(n + 1, sizeof *c->tasks);
	if (c->tasks == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		r = fill_task(c, &c->tasks[c->n_tasks], &nodes[i], c->n_tasks);
		if (r < 0 && c->frozen.n_threads == 0)
			continue; /* nothing is stopped: it has ended */
		if (r < 0)
			return err_num(c->err, r, "reading /proc/%d",
			    nodes[i].pid);
		if (nodes[i].leaderless)
			(void)obstacle(c, &c->tasks[c->n_tasks],
			    "its first "
			    "thread has ended while others go on: end it "
			    "before the save");
		c->n_tasks++;
	}
	if (c->n_tasks == 0)
		return err_set(c->err, -ESRCH, "there is no process");
	return 0;
}

int
tree_collect(struct ckpt *c)
{
	autofree struct node *nodes = NULL;
	size_t n;
	int r;

	r = find_nodes(c, c->parent, &nodes, &n);
	if (r < 0)
		return err_num(c->err, r, "listing processes");
	return collect_nodes(c, nodes, n);
}

int
tree_collect_one(struct ckpt *c, pid_t pid)
{
	autofree struct node *below = NULL;
	autofree struct node *nodes = NULL;
	size_t n;
	int r;

	r = find_nodes(c, pid, &below, &n);
	if (r < 0)
		return err_num(c->err, r, "listing processes");
	nodes = calloc(n + 1, sizeof *nodes);
	if (nodes == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	nodes[0].pid = pid;
	memcpy(nodes + 1, below, n * sizeof *below);
	return collect_nodes(c, nodes, n + 1);
}

/*
 * Whether the parent of stopped T has waited for that stop already: a
 * waitid(WNOWAIT) in the parent sees it only when not, and then knows the
 * signal (else *RET_SIG is 0).
 */
static int
stop_was_seen(struct ckpt *c, struct task *t, bool *ret_seen, uint32_t *ret_sig)
{
	siginfo_t info = { .si_pid = 0 };
	raddr where;
	int64_t val;
	int r;

	*ret_seen = true;
	if (t->parent == NULL || t->parent->state == TASK_ZOMBIE)
		return 0;
	where = tracee_put(&t->parent->area, &info, sizeof info);
	val = task_call(c, t->parent, SYS_waitid, P_PID, (uint64_t)t->vpid,
	    where, WSTOPPED | WNOWAIT | WNOHANG | __WALL, 0, 0);
	if (val == -ECHILD)
		return 0;
	if (val < 0)
		return (int)val;
	r = tracee_read(&t->parent->area, where, &info, sizeof info, c->err);
	if (r < 0)
		return r;
	*ret_seen = info.si_pid == 0;
	*ret_sig = *ret_seen ? 0 : (uint32_t)info.si_status;
	return 0;
}

static int
save_task(struct ckpt *c, struct task *t)
{
	Img__Task m = IMG__TASK__INIT;
	bool seen = true;
	int r;

	if (t->state == TASK_STOPPED) {
		r = stop_was_seen(c, t, &seen, &m.stop_signal);
		if (r < 0)
			return r;
	}
	m.vpid = (uint32_t)t->vpid;
	m.vppid = (uint32_t)t->vppid;
	m.vpgid = (uint32_t)t->vpgid;
	m.vsid = (uint32_t)t->vsid;
	m.state = (uint32_t)t->state;
	m.wait_status = t->wait_status;
	m.comm.data = (uint8_t *)t->comm;
	m.comm.len = strlen(t->comm);
	m.n_threads = (uint32_t)t->n_threads;
	m.stop_seen = seen;
	if (t->exit_signal != SIGCHLD)
		m.exit_signal = (uint32_t)t->exit_signal + 1;
	return record_put(c, IMG_TASK, (uint64_t)t->vpid, &m.base);
}

int
tree_save(struct ckpt *c)
{
	Img__Tree m = IMG__TREE__INIT;
	struct procfs_status status;
	struct task *first;
	int r;

	r = procfs_status(c->parent, &status);
	if (r < 0)
		return err_num(c->err, r, "reading /proc/%d", c->parent);
	m.parent_vpid = (uint32_t)status.nspid;
	procfs_status_done(&status);
	first = find_by_pid(c, c->n_tasks, c->req->first);
	m.first_vpid = first != NULL ? (uint32_t)first->vpid : 0;
	r = record_put(c, IMG_TREE, 0, &m.base);
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		r = save_task(c, &c->tasks[i]);
	return r;
}

void
tree_done(struct ckpt *c)
{
	for (size_t i = 0; i < c->n_tasks; i++) {
		struct task *t = &c->tasks[i];

		memory_free(t->mem);
		free(t->vtids);
		free(t->ips);
		scope_close(&t->snap_mem);
		scope_close(&t->snap_pagemap);
		scope_close(&t->snap_smaps);
	}
	free(c->tasks);
	c->tasks = NULL;
	c->n_tasks = 0;
}

void
tree_forget(struct ckpt *c)
{
	free(c->outside);
	c->outside = NULL;
	c->n_outside = 0;
}
