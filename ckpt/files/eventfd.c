/*
 * eventfd.c - eventfd(2): a counter, and whether it is read as a semaphore.
 * /proc/PID/fdinfo/N has both, the second since Linux 6.5: below, it is found
 * out by reading, and what was read is written back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/files/fdinfo.h"
#include "ckpt/files/files.h"

static bool
eventfd_match(const struct file *f)
{
	return strncmp(f->link, "anon_inode:[eventfd", 19) == 0;
}

/* ---- save ---- */

/*
 * One more makes the counter at least 2: a semaphore then gives 1. At the
 * highest count nothing can be added, nor needs to be.
 */
static int
try_semaphore(int fd, uint64_t count, bool *ret_semaphore)
{
	uint64_t one = 1, got = 0, back;
	bool added = false;
	int r = 0;

	if (count < 2) {
		r = io_write(fd, &one, sizeof one);
		added = r >= 0;
		if (r >= 0 && count == 0)
			r = io_write(fd, &one, sizeof one);
	}
	if (r >= 0)
		r = io_read(fd, &got, sizeof got);
	if (r < 0)
		return r;
	*ret_semaphore = got == 1;
	if (!*ret_semaphore) {
		back = count;
		return back == 0 ? 0 : io_write(fd, &back, sizeof back);
	}
	/* One was taken; one or two had been added. */
	if (!added)
		return io_write(fd, &one, sizeof one);
	return count == 0 ? io_read(fd, &got, sizeof got) : 0;
}

static int
eventfd_save(struct ckpt *c, struct file *f)
{
	Img__Eventfd *m = malloc(sizeof *m);
	autoclose int fd = -1;
	uint64_t semaphore = 0;
	bool is = false;
	int r = 0;

	if (m == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	f->extra = m;
	f->rec.eventfd = m;
	img__eventfd__init(m);
	if (!fdinfo_number(f->info, "eventfd-count:", 16, &m->count))
		return err_set(c->err, -EBADMSG,
		    "%s (pid %d): descriptor %d: no counter in its fdinfo",
		    f->task->comm, f->task->pid, f->fd);
	if (fdinfo_number(f->info, "eventfd-semaphore:", 10, &semaphore)) {
		m->semaphore = semaphore != 0;
		return 0;
	}
	fd = file_pull(c, f);
	if (fd < 0)
		return fd;
	r = try_semaphore(fd, m->count, &is);
	m->semaphore = is;
	return r < 0 ?
	    err_num(c->err, r, "%s (pid %d): descriptor %d: asking an eventfd",
		f->task->comm, f->task->pid, f->fd) :
	    0;
}

/* ---- revival ---- */

static int
eventfd_plan(struct ckpt *c, struct file *f)
{
	return f->m->eventfd == NULL ? image_damaged(c, "an eventfd") : 0;
}

static int
eventfd_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	uint64_t count = f->m->eventfd->count;
	autoclose int fd = -1;
	int r = 0;

	fd = eventfd(0,
	    EFD_CLOEXEC | EFD_NONBLOCK |
		(f->m->eventfd->semaphore ? EFD_SEMAPHORE : 0));
	if (fd < 0)
		return err_sys(c->err, "making an eventfd");
	if (count == UINT64_MAX) /* the kernel alone can count so far */
		count--;
	if (count != 0)
		r = io_write(fd, &count, sizeof count);
	if (r < 0)
		return err_num(c->err, r, "counting in an eventfd");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

const struct file_kind kind_eventfd = {
	.name = "eventfd",
	.match = eventfd_match,
	.save = eventfd_save,
	.plan = eventfd_plan,
	.open = eventfd_open,
};
