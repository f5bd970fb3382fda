/*
 * files_late.c - see files_late.h. A description goes from one task to the
 * next as SCM_RIGHTS through a pair of sockets that all have inherited
 * (unix(7)): unlike pidfd_getfd(2) that asks for no privilege.
 */
#include "ckpt/files/files_late.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
late_is(const struct file *f)
{
	return f->kind->late != NULL && f->kind->late(f);
}

int
late_prepare(struct ckpt *c, struct file *f)
{
	int pair[2];

	if (f->n_left < 2)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(c->err, "socketpair");
	f->relay[0] = file_inherit(c, pair[0]);
	if (f->relay[0] < 0) {
		(void)close(pair[1]);
		return f->relay[0];
	}
	f->relay[1] = file_inherit(c, pair[1]);
	return f->relay[1] < 0 ? f->relay[1] : 0;
}

/* Open late F in T: the number it got, or an inherited one, or failure. */
static int64_t
open_late(struct ckpt *c, struct task *t, struct file *f)
{
	raddr path = tracee_put(&t->area, f->m->path, strlen(f->m->path) + 1);
	int64_t fd;

	if (f->kind->open_in != NULL)
		return f->kind->open_in(c, t, f);
	if (path == 0)
		return err_set(c->err, -ENAMETOOLONG, "%s: too long",
		    f->m->path);
	fd = task_call(c, t, SYS_openat, (uint64_t)AT_FDCWD, path,
	    (uint64_t)file_open_flags(f) & ~(uint64_t)O_CLOEXEC, 0, 0, 0);
	if (fd < 0 && f->kind->instead != NULL)
		return f->kind->instead(c, f, (int)fd);
	if (fd < 0)
		return err_num(c->err, (int)fd, "%s (pid %d): opening %s",
		    t->comm, t->pid, f->m->path);
	if (f->m->pos != 0)
		(void)task_call(c, t, SYS_lseek, (uint64_t)fd, f->m->pos,
		    SEEK_SET, 0, 0, 0);
	return fd;
}

/* A message with room for one descriptor, in T's memory. */
struct relay_msg {
	struct msghdr hdr;
	struct iovec iov;
	char byte;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static raddr
put_message(struct task *t, int fd, size_t *ret_control)
{
	struct relay_msg m;
	raddr at = tracee_put(&t->area, NULL, sizeof m);
	struct cmsghdr *h = (struct cmsghdr *)m.control;

	memset(&m, 0, sizeof m);
	m.iov.iov_base = (void *)(uintptr_t)(at +
	    offsetof(struct relay_msg, byte));
	m.iov.iov_len = 1;
	m.hdr.msg_iov = (void *)(uintptr_t)(at +
	    offsetof(struct relay_msg, iov));
	m.hdr.msg_iovlen = 1;
	m.hdr.msg_control = (void *)(uintptr_t)(at +
	    offsetof(struct relay_msg, control));
	m.hdr.msg_controllen = CMSG_LEN(sizeof fd);
	h->cmsg_len = CMSG_LEN(sizeof fd);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	*ret_control = offsetof(struct relay_msg, control);
	if (at == 0 || tracee_write(&t->area, at, &m, sizeof m, NULL) < 0)
		return 0;
	return at;
}

static int64_t
relay_send(struct ckpt *c, struct task *t, struct file *f, int fd)
{
	size_t unused;
	raddr at = put_message(t, fd, &unused);

	if (at == 0)
		return err_set(c->err, -EFAULT, "%s (pid %d): handing on %s",
		    t->comm, t->pid, f->m->path);
	return task_must(c, t, "handing on a descriptor", SYS_sendmsg,
	    (uint64_t)f->relay[0], at, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0);
}

static int64_t
relay_receive(struct ckpt *c, struct task *t, struct file *f)
{
	size_t control;
	raddr at = put_message(t, -1, &control);
	int64_t n;
	int fd, r;

	if (at == 0)
		return err_set(c->err, -EFAULT, "%s (pid %d): taking over %s",
		    t->comm, t->pid, f->m->path);
	n = task_must(c, t, "taking over a descriptor", SYS_recvmsg,
	    (uint64_t)f->relay[1], at, MSG_DONTWAIT, 0, 0, 0);
	if (n < 0)
		return n;
	r = tracee_read(&t->area, at + control + CMSG_LEN(0), &fd, sizeof fd,
	    c->err);
	return r < 0 ? r : fd;
}

/* Put late F at its number in T: by opening it, or from another holder. */
static int
place_late(struct ckpt *c, struct task *t, const struct fd_table *tab,
    const Img__Fd *m, int *first_fd)
{
	struct file *f = c->files->v[m->file - 1];
	int64_t fd, r = 0;

	if (*first_fd >= 0)
		fd = *first_fd; /* this very task has it already */
	else if (fd_table_holder(c->files, f, &(int){ 0 }) == tab)
		fd = open_late(c, t, f);
	else
		fd = relay_receive(c, t, f);
	if (fd < 0)
		return (int)fd;
	if (fd != m->fd)
		r = task_must(c, t, "putting a descriptor in its place",
		    SYS_dup3, (uint64_t)fd, m->fd, m->cloexec ? O_CLOEXEC : 0,
		    0, 0, 0);
	else if (m->cloexec)
		r = task_must(c, t, "marking a descriptor", SYS_fcntl,
		    (uint64_t)fd, F_SETFD, FD_CLOEXEC, 0, 0, 0);
	if (r >= 0 && fd != m->fd && *first_fd < 0 &&
	    (fd < c->fd_base || fd >= c->fd_next))
		r = task_must(c, t, "closing a descriptor", SYS_close,
		    (uint64_t)fd, 0, 0, 0, 0, 0);
	*first_fd = (int)m->fd;
	f->n_left--;
	return (int)r;
}

/* All numbers that late F has in T; then on to the next holder. */
static int
place_late_file(struct ckpt *c, struct task *t, const struct fd_table *tab,
    struct file *f)
{
	int first_fd = -1, r = 0;

	for (size_t i = 0; r >= 0 && i < tab->loaded->n_fds; i++)
		if (tab->loaded->fds[i]->file == f->id)
			r = place_late(c, t, tab, tab->loaded->fds[i],
			    &first_fd);
	if (r >= 0 && first_fd >= 0 && f->n_left > 0)
		r = (int)relay_send(c, t, f, first_fd);
	return r;
}

int
late_place(struct ckpt *c, struct task *t, const struct fd_table *tab)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->files->n; i++)
		if (late_is(c->files->v[i]))
			r = place_late_file(c, t, tab, c->files->v[i]);
	return r;
}
