/*
 * restorer.c - see restorer.h: the steps of a revival, in order. Until the
 * end every process of the tree is traced with PTRACE_O_EXITKILL: if the
 * restorer ends, nothing is left.
 */
#include "ckpt/restorer.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/pass.h"
#include "base/scope.h"
#include "ckpt/files/files.h"
#include "ckpt/machine.h"
#include "ckpt/memory/load.h"
#include "ckpt/memory/mapping.h"
#include "ckpt/process/standin.h"
#include "ckpt/process/threads.h"
#include "ckpt/process/tree.h"
#include "ckpt/resource.h"
#include "ckpt/save.h"
#include "ckpt/saved.h"
#include "ckpt/space.h"

static int
load_tree(struct restorer *rs)
{
	struct ckpt *c = &rs->c;
	Img__Tree *m;
	int r;

	m = image_find(c->img, IMG_TREE, 0, &img__tree__descriptor, c->err);
	if (m == NULL)
		return -EBADMSG;
	rs->first = (pid_t)m->first_vpid;
	rs->parent = (pid_t)m->parent_vpid;
	img__tree__free_unpacked(m, NULL);
	r = tree_load(c);
	if (r < 0)
		return r;
	if (rs->parent <= 1 || task_find(c, rs->parent) != NULL)
		rs->parent = 0; /* any number that is free */
	rs->mms = calloc(c->n_tasks, sizeof *rs->mms);
	if (rs->mms == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < c->n_tasks; i++) {
		if (c->tasks[i].state == TASK_ZOMBIE)
			continue;
		rs->mms[i] = image_find(c->img, IMG_MM,
		    (uint64_t)c->tasks[i].vpid, &img__mm__descriptor, c->err);
		if (rs->mms[i] == NULL)
			return -EBADMSG;
	}
	return 0;
}

/* ---- what is shared ---- */

static void
raise_descriptor_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static int
open_shared(struct restorer *rs)
{
	struct ckpt *c = &rs->c;
	int r;

	raise_descriptor_limit();
	r = FAULT("revive.open", c->err);
	if (r >= 0)
		r = files_fd_base(c, &c->fd_base);
	c->fd_next = c->fd_base;
	if (r >= 0)
		r = mapping_open(c);
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		if (rs->mms[i] != NULL)
			r = mapping_verify(c, rs->mms[i]);
	for (size_t k = 0; r >= 0 && resources[k] != NULL; k++)
		if (resources[k]->open != NULL)
			r = resources[k]->open(c);
	return r < 0 ? r : mapping_open_shared(c);
}

/* ---- the tree ---- */

/* What only the revival needed: two processes live on for long. */
static void
forget_image(struct restorer *rs)
{
	for (size_t i = 0; i < rs->c.n_tasks; i++)
		if (rs->mms[i] != NULL)
			img__mm__free_unpacked(rs->mms[i], NULL);
	files_done(&rs->c);
	image_close(rs->c.img);
	(void)malloc_trim(0);
}

/* Fork the stand-in: it waits to be seized, and when let go is one. */
static int
fork_standin(struct restorer *rs)
{
	struct ckpt *c = &rs->c;
	struct clone3_args args = { .exit_signal = SIGCHLD };
	struct tracee *th = &rs->server_thread;
	pid_t want = rs->parent;
	int hold[2], r;
	pid_t pid;
	char byte;

	if (want != 0) {
		args.set_tid = (uintptr_t)&want;
		args.set_tid_size = 1;
	}
	if (pipe2(hold, O_CLOEXEC) < 0)
		return err_sys(c->err, "making the stand-in");
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0) {
		(void)close(hold[1]);
		(void)!read(hold[0], &byte, 1);
		forget_image(rs);
		standin_main(rs->status[1], rs->first);
	}
	r = pid < 0 ? err_sys(c->err, "making the stand-in (number %d)", want) :
		      0;
	(void)close(hold[0]);
	if (r >= 0)
		r = tracee_seize(th, pid, pid, OWN_TASK_OPTIONS, c->err);
	if (r >= 0)
		r = tracee_wait_stop(th, UINT64_MAX, c->err);
	rs->server = (struct task){ .pid = pid,
		.vpid = pid,
		.threads = th,
		.n_threads = 1,
		.area = TRACEE_AREA_NONE,
		.comm = "(stand-in)" };
	(void)close(hold[1]); /* when it goes on, it reads the end */
	return r;
}

static int
make_tree(struct restorer *rs)
{
	struct ckpt *c = &rs->c;
	raddr hole;
	int r;

	r = fork_standin(rs);
	if (r < 0)
		return r;
	hole = mapping_hole(c, rs->mms, AREA_LEN + 16 * IMAGE_PAGE);
	if (hole == 0)
		return err_set(c->err, -ENOMEM,
		    "no address is free in all programs");
	r = tracee_area_open(rs->server.threads, hole, AREA_LEN,
	    &rs->server.area, c->err);
	if (r >= 0)
		r = (int)task_must(c, &rs->server, "adopting orphans",
		    SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0);
	if (r >= 0)
		r = threads_unregister(c, &rs->server);
	if (r >= 0)
		r = tree_make(c, &rs->server);
	if (r >= 0)
		r = tree_end_zombies(c);
	return r;
}

/* ---- memory ---- */

static int
make_memory(struct restorer *rs)
{
	struct ckpt *c = &rs->c;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
		if (rs->mms[i] == NULL)
			continue;
		r = FAULT("revive.map", c->err);
		if (r >= 0)
			r = mapping_make(c, &c->tasks[i], rs->mms[i]);
	}
	if (r >= 0)
		r = FAULT("revive.load", c->err);
	if (r >= 0)
		r = load_memory(c, rs->mms);
	if (r >= 0)
		mapping_seal(c);
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		if (rs->mms[i] != NULL)
			r = mapping_finish(c, &c->tasks[i], rs->mms[i]);
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		if (rs->mms[i] != NULL)
			r = tree_make_threads(c, &c->tasks[i]);
	return r;
}

/* ---- resources ---- */

extern const struct resource res_signals;

/*
 * Up to the signals, a resource comes back in all tasks before the next: one
 * task may hand another what both have. From the signals on, task by task:
 * nothing may be done to it afterwards that sends it one.
 */
static int
revive_shared_kinds(struct restorer *rs, size_t *ret_next)
{
	struct ckpt *c = &rs->c;
	size_t k;
	int r = 0;

	for (k = 0; resources[k] != NULL && resources[k] != &res_signals; k++)
		for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
			if (rs->mms[i] == NULL || resources[k]->revive == NULL)
				continue;
			r = FAULT("revive.resource", c->err);
			if (r >= 0)
				r = resources[k]->revive(c, &c->tasks[i]);
		}
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		if (rs->mms[i] != NULL)
			r = files_close(c, &c->tasks[i]);
	*ret_next = k;
	return r;
}

static int
complete_task(struct restorer *rs, struct task *t, size_t next)
{
	struct ckpt *c = &rs->c;
	int r;

	r = FAULT("revive.complete", c->err);
	if (r >= 0)
		r = threads_revive(c, t);
	for (size_t k = next; r >= 0 && resources[k] != NULL; k++)
		if (resources[k]->revive != NULL)
			r = resources[k]->revive(c, t);
	if (r >= 0)
		r = threads_sleep(c, t);
	if (r < 0)
		return r;
	tracee_area_close(&t->threads[0], &t->area);
	r = threads_finish(c, t);
	if (r >= 0 && t->state == TASK_STOPPED)
		r = tree_stop(c, t);
	return r;
}

/* Stopped ones first, children before parents: see tree_stop(). */
static int
complete_tasks(struct restorer *rs, size_t next)
{
	struct ckpt *c = &rs->c;
	int r = 0;

	for (size_t i = c->n_tasks; r >= 0 && i-- > 0;)
		if (c->tasks[i].state == TASK_STOPPED)
			r = complete_task(rs, &c->tasks[i], next);
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++)
		if (c->tasks[i].state == TASK_LIVE)
			r = complete_task(rs, &c->tasks[i], next);
	return r;
}

static int
restore(struct restorer *rs)
{
	size_t next = 0;
	int r;

	if (rs->c.userns)
		note_once(&rs->c,
		    "not revived by root: sudo, su and ping do not work in "
		    "it, but sess -outside sudo CMD does");
	r = FAULT("revive.mount", &rs->err);
	if (r >= 0 && !rs->mounted)
		r = space_mount(&rs->c);
	if (r >= 0)
		r = load_tree(rs);
	if (r >= 0)
		r = open_shared(rs);
	if (r >= 0)
		r = make_tree(rs);
	if (r >= 0)
		r = make_memory(rs);
	if (r >= 0)
		r = revive_shared_kinds(rs, &next);
	if (r >= 0)
		r = complete_tasks(rs, next);
	if (r >= 0)
		tracee_area_close(rs->server.threads, &rs->server.area);
	return r;
}

/* ---- the image ---- */

void
restorer_init(struct restorer *rs)
{
	rs->c = (struct ckpt){ .err = &rs->err,
		.session_master = -1,
		.notes = BUF_INIT(REPORT_NOTES_MAX),
		.obstacles = BUF_INIT(REPORT_NOTES_MAX) };
}

int
restorer_open(struct restorer *rs, int saved_dirfd, const char *name,
    uint64_t *generation, Img__Machine **ret_m)
{
	Img__Machine *m;
	int r;

	rs->c.saved_dirfd = saved_dirfd;
	r = FAULT("revive.image", &rs->err);
	if (r >= 0)
		r = saved_open(&rs->c, name, generation);
	if (r < 0)
		return r;
	m = image_find(rs->c.img, IMG_MACHINE, 0, &img__machine__descriptor,
	    &rs->err);
	if (m == NULL)
		return -EBADMSG;
	rs->c.machine = m;
	*ret_m = m;
	return machine_check(&rs->c);
}

/* ---- the report ---- */

int
restorer_report(struct restorer *rs, int result)
{
	struct report rep = { .result = result, .err = rs->err };
	int fds[N_REPORT_FDS];

	if (rs->c.notes.len > 0)
		(void)snprintf(rep.notes, sizeof rep.notes, "%.*s",
		    (int)rs->c.notes.len, (const char *)rs->c.notes.data);
	if (result >= 0) {
		fds[0] = rs->c.session_master;
		fds[1] = rs->status[0];
		fds[2] = (int)syscall(SYS_pidfd_open, rs->first, 0);
		fds[3] = (int)syscall(SYS_pidfd_open, rs->server.pid, 0);
		fds[4] = (int)syscall(SYS_pidfd_open, getpid(), 0);
		if (fds[2] < 0) /* the first process has ended before */
			fds[2] = fds[3];
	}
	return pass_send(rs->sock, &rep, sizeof rep, fds,
	    result >= 0 ? N_REPORT_FDS : 0, 0);
}

static void
let_go(struct restorer *rs)
{
	struct ckpt *c = &rs->c;

	for (size_t i = 0; i < c->n_tasks; i++)
		for (size_t k = 0; k < c->tasks[i].n_threads; k++)
			tracee_detach(&c->tasks[i].threads[k]);
	tracee_detach(rs->server.threads);
}

/* Ending it ends everything that it has made. */
noreturn void
restorer_main(struct restorer *rs)
{
	pid_t standin;
	sigset_t all;
	char go;
	int r;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	r = restore(rs);
	if (r >= 0)
		r = FAULT("revive.report", rs->c.err);
	if (r < 0)
		files_undo(&rs->c);
	if (restorer_report(rs, r) < 0 || r < 0)
		_exit(1);
	if (read(rs->sock, &go, 1) != 1 ||
	    FAULT("revive.let-go", rs->c.err) < 0) {
		files_undo(&rs->c);
		_exit(1);
	}
	standin = rs->server.pid;
	let_go(rs);
	forget_image(rs);
	(void)io_write(rs->sock, "", 1);
	standin_init(standin);
}

/* The process in between: it leaves for the namespaces. */
noreturn void
restorer_leave(struct restorer *rs, const Img__Machine *m)
{
	int r;
	pid_t pid;

	r = FAULT("revive.unshare", &rs->err);
	if (r >= 0)
		r = space_enter(&rs->c, m);
	if (r >= 0) {
		pid = fork();
		if (pid == 0)
			restorer_main(rs);
		if (pid < 0)
			r = err_sys(&rs->err, "forking the restorer");
	}
	if (r < 0)
		(void)restorer_report(rs, r);
	_exit(r < 0);
}
