/*
 * device.c - devices without a state (null, zero, full, random, urandom),
 * /dev/tty, and the files of /proc and /sys.
 *
 * A file of /proc/PID, PID being of the tree, and /dev/tty mean something
 * else in every task: they are opened late, by a task that exists.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ckpt/files/files.h"
#include "ckpt/files/ttys.h"

#define MEM_MAJOR 1 /* linux/major.h; kernel: drivers/char/mem.c */

static bool
is_mem_device(dev_t rdev)
{
	static const unsigned minors[] = { 3, 5, 7, 8, 9 };

	if (major(rdev) != MEM_MAJOR)
		return false;
	for (size_t i = 0; i < sizeof minors / sizeof minors[0]; i++)
		if (minor(rdev) == minors[i])
			return true;
	return false;
}

static bool
device_match(const struct file *f)
{
	return S_ISCHR(f->st.st_mode) && is_mem_device(f->st.st_rdev);
}

static bool
ctty_match(const struct file *f)
{
	return S_ISCHR(f->st.st_mode) && f->st.st_rdev == makedev(5, 0);
}

static bool
proc_match(const struct file *f)
{
	struct statfs fs;
	char path[64];

	if (f->link[0] != '/' ||
	    (!S_ISREG(f->st.st_mode) && !S_ISDIR(f->st.st_mode)) ||
	    major(f->st.st_dev) != 0)
		return false;
	(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", f->task->pid,
	    f->fd);
	return statfs(path, &fs) == 0 &&
	    (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
		fs.f_type == CGROUP_SUPER_MAGIC ||
		fs.f_type == CGROUP2_SUPER_MAGIC);
}

static int
open_at_path(struct ckpt *c, struct file *f, int *ret_fd)
{
	int fd = open(f->m->path, file_open_flags(f));

	if (fd < 0)
		return err_sys(c->err, "opening %s", f->m->path);
	if (f->m->pos != 0)
		(void)lseek(fd, (off_t)f->m->pos, SEEK_SET);
	*ret_fd = fd;
	return 0;
}

/* The node may be called otherwise here, or be missing: any such will do. */
static int
device_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	static const char *const names[] = { [3] = "/dev/null",
		[5] = "/dev/zero",
		[7] = "/dev/full",
		[8] = "/dev/random",
		[9] = "/dev/urandom" };
	struct stat st;

	if (!is_mem_device(f->m->rdev))
		return err_set(c->err, -EBADMSG,
		    "the image has %s as a "
		    "device without a state, which it is not",
		    f->m->path);
	if (stat(f->m->path, &st) == 0 && st.st_rdev == f->m->rdev)
		return open_at_path(c, f, ret_fd);
	*ret_fd = open(names[minor(f->m->rdev)], file_open_flags(f));
	return *ret_fd < 0 ?
	    err_sys(c->err, "opening %s", names[minor(f->m->rdev)]) :
	    0;
}

static bool
ctty_late(const struct file *f)
{
	(void)f;
	return true;
}

/* Its terminal is gone: what it has open is a terminal that was hung up. */
static int
ctty_instead(struct ckpt *c, struct file *f, int num)
{
	(void)f;
	if (num != -ENXIO && num != -EIO)
		return err_num(c->err, num, "opening /dev/tty");
	return ttys_hung(c);
}

/* The number in /proc/NUMBER..., or 0. */
static pid_t
proc_pid(const char *path)
{
	if (strncmp(path, "/proc/", 6) != 0 || !isdigit((unsigned char)path[6]))
		return 0;
	return (pid_t)strtol(path + 6, NULL, 10);
}

static bool
in_tree(struct ckpt *c, pid_t vpid)
{
	for (size_t i = 0; i < c->n_tasks; i++) {
		const struct task *t = &c->tasks[i];

		if (t->vpid == vpid)
			return true;
		for (size_t k = 0; k < t->n_threads; k++)
			if (t->threads[k].vtid == vpid ||
			    t->threads[k].tid == vpid)
				return true;
	}
	return false;
}

static int
proc_check(struct ckpt *c, struct file *f)
{
	pid_t vpid = proc_pid(f->link);

	if (vpid == 0 || in_tree(c, vpid))
		return 0;
	return obstacle(c, f->task,
	    "descriptor %d is %s, of a process "
	    "outside the session: close it",
	    f->fd, f->link);
}

static bool
proc_late(const struct file *f)
{
	return proc_pid(f->m->path) != 0;
}

/* What is there of a task that has ended, or is not there on this machine. */
static int
proc_plan(struct ckpt *c, struct file *f)
{
	if (proc_late(f) || access(f->m->path, F_OK) == 0)
		return 0;
	files_refuse(c, f, "this machine has no %s", f->m->path);
	return 0;
}

const struct file_kind kind_device = {
	.name = "device",
	.match = device_match,
	.open = device_open,
};

const struct file_kind kind_ctty = {
	.name = "ctty",
	.match = ctty_match,
	.open = open_at_path,
	.late = ctty_late,
	.instead = ctty_instead,
};

const struct file_kind kind_proc = {
	.name = "proc",
	.match = proc_match,
	.check = proc_check,
	.save = proc_check,
	.plan = proc_plan,
	.open = open_at_path,
	.late = proc_late,
};
