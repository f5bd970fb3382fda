/*
 * tree_load.c - the tree as an image tells it, checked: tree_load() of tree.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "ckpt/process/tree.h"

#define PIDS_MAX 4194304 /* PID_MAX_LIMIT, kernel: linux/threads.h */
#define TASKS_MAX 65536

static bool
pid_is_possible(uint32_t pid)
{
	return pid > 1 && pid < PIDS_MAX;
}

static int
load_task(struct ckpt *c, struct task *t, const Img__Task *m)
{
	bool live = m->state == TASK_LIVE || m->state == TASK_STOPPED;

	if (!pid_is_possible(m->vpid) || !pid_is_possible(m->vpgid) ||
	    !pid_is_possible(m->vsid) || task_find(c, (pid_t)m->vpid) != NULL)
		return image_damaged(c, "a process number that cannot be");
	if ((!live && m->state != TASK_ZOMBIE) || (live && m->n_threads == 0) ||
	    m->n_threads > TASKS_MAX)
		return image_damaged(c, "a process in no state");
	*t = (struct task){ .vpid = (pid_t)m->vpid,
		.pid = (pid_t)m->vpid,
		.vppid = (pid_t)m->vppid,
		.vpgid = (pid_t)m->vpgid,
		.vsid = (pid_t)m->vsid,
		.state = m->state,
		.wait_status = m->wait_status,
		.area = TRACEE_AREA_NONE,
		.snap_mem = -1,
		.snap_pagemap = -1,
		.snap_smaps = -1,
		.rec = m };
	if (m->exit_signal > 65)
		return image_damaged(c, "a signal that cannot be");
	t->exit_signal = m->exit_signal == 0 ? SIGCHLD :
					       (int)m->exit_signal - 1;
	memcpy(t->comm, m->comm.data, m->comm.len < 15 ? m->comm.len : 15);
	if (m->vppid != 0) {
		t->parent = task_find(c, t->vppid);
		if (t->parent == NULL || t->parent->state == TASK_ZOMBIE)
			return image_damaged(c, "a process without its parent");
	}
	t->n_threads = live ? m->n_threads : 1;
	t->threads = calloc(t->n_threads, sizeof *t->threads);
	t->vtids = calloc(t->n_threads, sizeof *t->vtids);
	t->ips = calloc(t->n_threads, sizeof *t->ips);
	if (t->threads == NULL || t->vtids == NULL || t->ips == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	t->vtids[0] = t->vpid;
	return 0;
}

/* Threads in the order of the image; the leader is already there. */
static int
load_threads(struct ckpt *c)
{
	size_t n = image_count(c->img, IMG_THREAD);
	autofree size_t *seen = calloc(c->n_tasks + 1, sizeof *seen);

	if (seen == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		Img__Thread *m = image_get(c->img, IMG_THREAD, i,
		    &img__thread__descriptor, NULL, c->err);
		struct task *t;
		uint32_t vtid;

		if (m == NULL)
			return -EBADMSG;
		vtid = m->vtid;
		t = task_find(c, (pid_t)m->vpid);
		img__thread__free_unpacked(m, NULL);
		if (t == NULL || !pid_is_possible(vtid) ||
		    t->state == TASK_ZOMBIE)
			return image_damaged(c, "a thread of no process");
		if (vtid == (uint32_t)t->vpid)
			continue;
		if (++seen[t - c->tasks] >= t->n_threads)
			return image_damaged(c, "a thread too many");
		t->vtids[seen[t - c->tasks]] = (pid_t)vtid;
	}
	for (size_t i = 0; i < c->n_tasks; i++)
		if (seen[i] + 1 < c->tasks[i].n_threads)
			return image_damaged(c, "a thread is missing");
	return 0;
}

/*
 * The session a leader was born in: that of a child it had before its own
 * setsid(2). Children come after parents, so go backwards.
 */
static void
find_births(struct ckpt *c)
{
	for (size_t i = c->n_tasks; i-- > 0;) {
		struct task *t = &c->tasks[i];
		struct task *p = t->parent;

		if (t->vsid != t->vpid)
			t->born_sid = t->vsid;
		if (p != NULL && p->vsid == p->vpid && t->born_sid != 0 &&
		    t->born_sid != p->vpid)
			p->born_sid = t->born_sid;
	}
}

int
tree_load(struct ckpt *c)
{
	size_t n = image_count(c->img, IMG_TASK);
	int r = 0;

	if (n == 0 || n > TASKS_MAX)
		return image_damaged(c, "no process in it");
	c->tasks = calloc(n, sizeof *c->tasks);
	if (c->tasks == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; r >= 0 && i < n; i++) {
		Img__Task *m = image_get(c->img, IMG_TASK, i,
		    &img__task__descriptor, NULL, c->err);

		if (m == NULL)
			return -EBADMSG;
		r = load_task(c, &c->tasks[c->n_tasks], m);
		c->n_tasks++;
	}
	if (r >= 0)
		r = load_threads(c);
	if (r >= 0)
		find_births(c);
	return r;
}
