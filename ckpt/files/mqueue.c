/*
 * mqueue.c - POSIX message queues (mq_overview(7)): refused. They look like
 * files, but lie in a file system of the kernel's own, and so do their
 * messages.
 */
#include <stdio.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "ckpt/files/files.h"

#define MQUEUE_MAGIC 0x19800202 /* kernel: ipc/mqueue.c */

static bool
mqueue_match(const struct file *f)
{
	struct statfs fs;
	char path[64];

	if (!S_ISREG(f->st.st_mode) || major(f->st.st_dev) != 0)
		return false;
	(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", f->task->pid,
	    f->fd);
	return statfs(path, &fs) == 0 && fs.f_type == MQUEUE_MAGIC;
}

static int
mqueue_refuse(struct ckpt *c, struct file *f)
{
	return obstacle(c, f->task,
	    "descriptor %d is the POSIX message queue %s, which cannot be "
	    "saved: close it or end the program",
	    f->fd, f->link);
}

const struct file_kind kind_mqueue = {
	.name = "mqueue",
	.match = mqueue_match,
	.check = mqueue_refuse,
	.save = mqueue_refuse,
};
