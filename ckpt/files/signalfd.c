/*
 * signalfd.c - signalfd(2): the set of signals it is read for. Those that
 * wait are the reader's own and come back with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ckpt/files/fdinfo.h"
#include "ckpt/files/files.h"

static bool
signalfd_match(const struct file *f)
{
	return strncmp(f->link, "anon_inode:[signalfd", 20) == 0;
}

static int
signalfd_save(struct ckpt *c, struct file *f)
{
	Img__Signalfd *m = malloc(sizeof *m);

	if (m == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	f->extra = m;
	f->rec.signalfd = m;
	img__signalfd__init(m);
	if (!fdinfo_number(f->info, "sigmask:", 16, &m->mask))
		return err_set(c->err, -EBADMSG,
		    "%s (pid %d): descriptor %d: no signals in its fdinfo",
		    f->task->comm, f->task->pid, f->fd);
	return 0;
}

static int
signalfd_plan(struct ckpt *c, struct file *f)
{
	return f->m->signalfd == NULL ? image_damaged(c, "a signalfd") : 0;
}

static int
signalfd_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	uint64_t mask = f->m->signalfd->mask;

	*ret_fd = (int)syscall(SYS_signalfd4, -1, &mask, sizeof mask,
	    O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(c->err, "making a signalfd") : 0;
}

const struct file_kind kind_signalfd = {
	.name = "signalfd",
	.match = signalfd_match,
	.save = signalfd_save,
	.plan = signalfd_plan,
	.open = signalfd_open,
};
