/*
 * snapshot.c - see snapshot.h. The target clones a helper that shares its
 * memory and descriptors, the helper forks the snapshot and ends, all in the
 * same stop: the snapshot is thereby an orphan, adopted by the nearest
 * subreaper (the server), and no zombie is left for the target to reap. The
 * tables of pages are copied once, by the second of the two.
 */
#include "ckpt/memory/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/scope.h"

/* Clone in TH with FLAGS; the child is taken over into *RET_CHILD. */
static int
clone_traced(struct ckpt *c, struct tracee *th, struct tracee_area *area,
    uint64_t flags, struct tracee *ret_child, struct tracee_area *ret_area,
    pid_t *ret_vpid)
{
	int64_t val;
	int r;

	r = tracee_call(th, area, &val, c->err, SYS_clone, flags, 0, 0, 0, 0,
	    0);
	if (r < 0)
		return r;
	if (val < 0)
		return err_num(c->err, (int)val, "forking a snapshot");
	*ret_vpid = (pid_t)val;
	r = tracee_adopt(ret_child, th->child, th->child, OWN_TASK_OPTIONS,
	    c->err);
	if (r < 0)
		return r;
	return tracee_area_inherit(ret_child, area, ret_area, c->err);
}

/* The helper's part: fork the snapshot, which lets go of everything. */
static int
fork_snapshot(struct ckpt *c, struct task *t, struct tracee *helper,
    struct tracee_area *area)
{
	struct tracee snap = TRACEE_NONE;
	struct tracee_area snap_area = TRACEE_AREA_NONE;
	struct tracee_op ops[] = {
		{ .nr = SYS_close_range,
		    .args = { 0, ~0u, CLOSE_RANGE_UNSHARE } },
		{ .nr = SYS_setsid },
	};
	pid_t vpid;
	int r;

	r = clone_traced(c, helper, area, CLONE_FILES, &snap, &snap_area,
	    &vpid);
	if (r >= 0)
		r = tracee_run(&snap, &snap_area, ops, N_ELEMENTS(ops), c->err);
	tracee_area_forget(&snap_area);
	if (r < 0) {
		tracee_detach(&snap);
		return r;
	}
	t->snapshot = snap.tid; /* stays stopped, and ours, until its end */
	return 0;
}

/*
 * An orphan below a subreaper inside the tree becomes its child, and it would
 * see the end of a snapshot.
 */
static bool
below_subreaper(const struct task *t)
{
	for (; t != NULL; t = t->parent)
		if (t->subreaper)
			return true;
	return false;
}

int
snapshot_take(struct ckpt *c, struct task *t)
{
	struct tracee *th = &t->threads[0];
	struct tracee helper = TRACEE_NONE;
	struct tracee_area area = TRACEE_AREA_NONE;
	uint64_t options = th->options;
	pid_t vpid = 0;
	int64_t val;
	int r;

	if (below_subreaper(t))
		return err_set(c->err, -EOPNOTSUPP,
		    "it lives below a subreaper of the session");
	r = FAULT("save.snapshot", c->err);
	if (r >= 0)
		r = tracee_set_options(th,
		    options | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			PTRACE_O_TRACEVFORK,
		    c->err);
	if (r < 0)
		return r;
	r = clone_traced(c, th, &t->area, CLONE_VM | CLONE_FILES | CLONE_FS,
	    &helper, &area, &vpid);
	if (r >= 0)
		r = fork_snapshot(c, t, &helper, &area);
	tracee_area_forget(&area);
	tracee_detach(&helper); /* it exits by itself */
	if (vpid != 0)
		(void)tracee_call(th, &t->area, &val, NULL, SYS_wait4,
		    (uint64_t)vpid, 0, __WALL, 0, 0, 0);
	(void)tracee_set_options(th, options, NULL);
	return r;
}

static int
open_proc(struct ckpt *c, pid_t pid, const char *name)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(c->err, "opening %s", path) : fd;
}

int
snapshot_open(struct ckpt *c, struct task *t)
{
	pid_t pid = t->snapshot != 0 ? t->snapshot : t->pid;

	t->snap_mem = open_proc(c, pid, "mem");
	if (t->snap_mem < 0)
		return t->snap_mem;
	t->snap_pagemap = open_proc(c, pid, "pagemap");
	if (t->snap_pagemap < 0)
		return t->snap_pagemap;
	t->snap_smaps = open_proc(c, pid, "smaps");
	return t->snap_smaps < 0 ? t->snap_smaps : 0;
}

void
snapshot_end(struct task *t)
{
	if (t->snapshot == 0)
		return;
	(void)kill(t->snapshot, SIGKILL);
	while (waitpid(t->snapshot, NULL, __WALL) < 0 && errno == EINTR)
		;
	t->snapshot = 0;
}

void
snapshot_drop(const struct task *t)
{
	if (t->snapshot != 0)
		(void)kill(t->snapshot, SIGKILL);
}
