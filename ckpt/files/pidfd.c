/*
 * pidfd.c - pidfd_open(2): a process of the tree, opened late by a task when
 * all are there. One that has ended or is not of the tree comes back as one
 * of a process that has ended, which is what a reboot makes of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ckpt/files/fdinfo.h"
#include "ckpt/files/files.h"

static bool
pidfd_match(const struct file *f)
{
	return strncmp(f->link, "anon_inode:[pidfd", 17) == 0 ||
	    strncmp(f->link, "pidfd:", 6) == 0;
}

/* The task that F is of, a thread's counting as its own; NULL: none. */
static struct task *
find_target(struct ckpt *c, const struct file *f)
{
	const char *at = fdinfo_find(f->info, "Pid:");
	int pid = at == NULL ? -1 : atoi(at);

	for (size_t i = 0; i < c->n_tasks; i++)
		if (c->tasks[i].pid == pid)
			return &c->tasks[i];
	return NULL;
}

static int
pidfd_save(struct ckpt *c, struct file *f)
{
	const char *at = fdinfo_find(f->info, "Pid:");
	const struct task *of = find_target(c, f);
	Img__Pidfd *m = malloc(sizeof *m);

	if (m == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	f->extra = m;
	f->rec.pidfd = m;
	img__pidfd__init(m);
	if (of != NULL)
		m->vpid = (uint32_t)of->vpid;
	else if (at != NULL && atoi(at) > 0)
		note(c, f->task,
		    "descriptor %d is a pidfd of process %d, which is not of "
		    "the session: revived, it will be seen to have ended",
		    f->fd, atoi(at));
	return 0;
}

/* ---- revival ---- */

static int
pidfd_plan(struct ckpt *c, struct file *f)
{
	return f->m->pidfd == NULL ? image_damaged(c, "a pidfd") : 0;
}

static bool
pidfd_late(const struct file *f)
{
	return f->m->pidfd->vpid != 0;
}

static int64_t
pidfd_open_in(struct ckpt *c, struct task *t, struct file *f)
{
	return task_must(c, t, "opening a pidfd", SYS_pidfd_open,
	    f->m->pidfd->vpid, f->m->flags & (O_NONBLOCK | O_EXCL), 0, 0, 0, 0);
}

/* A process that has ended: one of our own. */
static int
pidfd_open_gone(struct ckpt *c, struct file *f, int *ret_fd)
{
	int num;
	pid_t pid;

	(void)f;
	pid = fork();
	if (pid < 0)
		return err_sys(c->err, "making a process for a pidfd");
	if (pid == 0)
		for (;;)
			(void)pause();
	*ret_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	num = errno;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = num;
	return *ret_fd < 0 ? err_sys(c->err, "making a pidfd") : 0;
}

const struct file_kind kind_pidfd = {
	.name = "pidfd",
	.match = pidfd_match,
	.save = pidfd_save,
	.plan = pidfd_plan,
	.open = pidfd_open_gone,
	.late = pidfd_late,
	.open_in = pidfd_open_in,
};
