/*
 * epoll.c - epoll(7) instances and what they watch.
 *
 * A registration is known by a descriptor number and the description that was
 * behind it then; the number may have been closed or mean another file since.
 * /proc/PID/fdinfo/N has the numbers, kcmp(2) finds the descriptions.
 *
 * Registering must be done by a task that has the instance: of a signalfd the
 * kernel watches the signals of whoever registers it. Where the number is
 * something else in that task by now, it is borrowed for the moment.
 *
 * Every registration reports anew what is ready. So nothing is lost; what
 * EPOLLET had told before may be told again, as epoll(7) allows. One that had
 * fired with EPOLLONESHOT is made to fire while it is the only one, or, when
 * nothing of it is ready, can still report an error or hangup.
 *
 * Sources: kernel: fs/eventpoll.c (6.1 to 6.18).
 */
#include "ckpt/files/epoll.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/files/fdinfo.h"

#define BATCH 64              /* registrations at once */
#define TARGET_MAX (1u << 30) /* numbers beyond are nonsense */

/* EP_PRIVATE_BITS: what is left of one that has fired. */
#define PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

static bool
epoll_match(const struct file *f)
{
	return strncmp(f->link, "anon_inode:[eventpoll", 21) == 0;
}

/* ---- save ---- */

/* A registration, as fdinfo tells it. */
struct seen {
	int tfd;
	uint32_t events;
	uint64_t data;
	ino_t ino;
	dev_t dev;
};

static bool
parse(const char *line, struct seen *s)
{
	unsigned long long data, ino;
	unsigned events, dev;

	if (sscanf(line, "%d events: %x data: %llx pos:%*d ino:%llx sdev:%x",
		&s->tfd, &events, &data, &ino, &dev) != 5)
		return false;
	s->events = events;
	s->data = data;
	s->ino = ino;
	/* The kernel's own dev_t: linux/kdev_t.h */
	s->dev = makedev(dev >> 20, dev & 0xfffff);
	return true;
}

/* Is T's descriptor FD what EP has registered as its Nth with this number? */
static bool
is_target(const struct file *ep, const struct seen *s, unsigned nth,
    const struct task *t, int fd)
{
	struct kcmp_epoll_slot slot = { .efd = (uint32_t)ep->fd,
		.tfd = (uint32_t)s->tfd,
		.toff = nth };

	return syscall(SYS_kcmp, t->pid, ep->task->pid, KCMP_EPOLL_TFD, fd,
		   &slot) == 0;
}

/* The id of what S has registered; 0: no task has it open. */
static uint64_t
find_target(const struct ckpt *c, const struct file *ep, const struct seen *s,
    unsigned nth)
{
	const struct files *fs = c->files;

	for (size_t i = 0; i < fs->n_tables; i++) {
		const struct fd_table *tab = &fs->tables[i];
		const Img__Fd *m;

		if (tab->vpid != ep->task->vpid)
			continue;
		m = fd_table_find(tab, s->tfd);
		if (m != NULL && is_target(ep, s, nth, ep->task, s->tfd))
			return m->file;
	}
	for (size_t i = 0; i < fs->n; i++) {
		const struct file *f = fs->v[i];

		if (f->st.st_ino == s->ino && f->st.st_dev == s->dev &&
		    is_target(ep, s, nth, f->task, f->fd))
			return f->id;
	}
	return 0;
}

static void
save_target(struct ckpt *c, const struct file *ep, const struct seen *s,
    unsigned nth, Img__Epoll *m)
{
	Img__Registration *reg = m->registrations[m->n_registrations];

	img__registration__init(reg);
	reg->file = find_target(c, ep, s, nth);
	if (reg->file == 0) {
		note(c, ep->task,
		    "descriptor %d (epoll) watches what had been its "
		    "descriptor %d, which nobody in the session has open: "
		    "revived, it will not",
		    ep->fd, s->tfd);
		return;
	}
	reg->fd = s->tfd;
	reg->events = s->events;
	reg->data = s->data;
	m->n_registrations++;
}

/* How many before S[I] have its number: registrations are in no order. */
static unsigned
count_before(const struct seen *s, size_t i)
{
	unsigned n = 0;

	for (size_t k = 0; k < i; k++)
		n += s[k].tfd == s[i].tfd;
	return n;
}

static int
epoll_save(struct ckpt *c, struct file *f)
{
	autofree struct seen *s = NULL;
	Img__Registration *v;
	Img__Epoll *m;
	size_t n = 0, i = 0;

	for (const char *l = f->info; (l = fdinfo_find(l, "tfd:")) != NULL;)
		n++;
	s = calloc(n + 1, sizeof *s);
	/* The record, its pointers and, behind them, what they lead to. */
	f->extra = calloc(1, sizeof *m + n * (sizeof(void *) + sizeof *v));
	if (s == NULL || f->extra == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	f->rec.epoll = m = f->extra;
	img__epoll__init(m);
	m->registrations = (Img__Registration **)(m + 1);
	v = (Img__Registration *)(m->registrations + n);
	for (const char *l = f->info; (l = fdinfo_find(l, "tfd:")) != NULL;) {
		m->registrations[i] = &v[i];
		if (!parse(l, &s[i++]))
			return err_set(c->err, -EBADMSG,
			    "%s (pid %d): what epoll descriptor %d watches "
			    "cannot be read",
			    f->task->comm, f->task->pid, f->fd);
	}
	for (i = 0; i < n; i++)
		save_target(c, f, &s[i], count_before(s, i), m);
	return 0;
}

/* ---- revival ---- */

static int
epoll_plan(struct ckpt *c, struct file *f)
{
	const Img__Epoll *m = f->m->epoll;

	if (m == NULL)
		return image_damaged(c, "an epoll instance");
	for (size_t i = 0; i < m->n_registrations; i++) {
		const Img__Registration *reg = m->registrations[i];

		if (reg->file == 0 || reg->file > c->files->n ||
		    reg->file == f->id || reg->fd < 0 ||
		    (uint32_t)reg->fd > TARGET_MAX)
			return image_damaged(c, "what an epoll watches");
	}
	return 0;
}

static int
epoll_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	(void)f;
	*ret_fd = epoll_create1(EPOLL_CLOEXEC);
	return *ret_fd < 0 ? err_sys(c->err, "making an epoll instance") : 0;
}

static bool
has_fired(const Img__Registration *reg)
{
	return (reg->events & EPOLLONESHOT) != 0 &&
	    (reg->events & ~(uint32_t)PRIVATE_BITS) == 0;
}

static void
tell_failure(struct ckpt *c, struct task *t, const Img__Registration *reg,
    int64_t r)
{
	note(c, t, "descriptor %d is no longer watched (epoll): %s", reg->fd,
	    strerror((int)-r));
}

/* epoll_ctl(2) in T. */
static int64_t
control(struct ckpt *c, struct task *t, int efd, int op,
    const Img__Registration *reg, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = reg->data };
	raddr at = tracee_put(&t->area, &ev, sizeof ev);

	return task_call(c, t, SYS_epoll_ctl, (uint64_t)efd, (uint64_t)op,
	    (uint64_t)reg->fd, at, 0, 0);
}

/* Register REG, whose number is in its place. */
static int64_t
add_one(struct ckpt *c, struct task *t, int efd, const Img__Registration *reg)
{
	raddr at;
	int64_t r;

	if (!has_fired(reg))
		return control(c, t, efd, EPOLL_CTL_ADD, reg, reg->events);
	r = control(c, t, efd, EPOLL_CTL_ADD, reg,
	    reg->events | EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP);
	if (r < 0)
		return r;
	at = tracee_put(&t->area, NULL, sizeof(struct epoll_event));
	r = task_call(c, t, SYS_epoll_pwait, (uint64_t)efd, at, 1, 0, 0, 8);
	return r != 0 ? r : control(c, t, efd, EPOLL_CTL_MOD, reg, reg->events);
}

/* A number by which T has F now; -1: none. */
static int
number_in(const struct fd_table *tab, const struct file *f)
{
	if (f->fd >= 0)
		return f->fd; /* inherited */
	for (size_t i = 0; i < tab->loaded->n_fds; i++)
		if (tab->loaded->fds[i]->file == f->id)
			return (int)tab->loaded->fds[i]->fd;
	return -1;
}

/* Register REG under its number, which T lends for the moment. */
static int64_t
add_borrowed(struct ckpt *c, struct task *t, const struct fd_table *tab,
    int efd, const Img__Registration *reg)
{
	int from = number_in(tab, c->files->v[reg->file - 1]);
	uint64_t to = (uint64_t)reg->fd;
	int64_t flags, keep = -1, r, val;

	if (from < 0)
		return -EBADF;
	flags = task_call(c, t, SYS_fcntl, to, F_GETFD, 0, 0, 0, 0);
	if (flags >= 0) {
		keep = task_call(c, t, SYS_fcntl, to, F_DUPFD,
		    (uint64_t)c->fd_next, 0, 0, 0);
		if (keep < 0)
			return keep;
	}
	r = task_call(c, t, SYS_dup2, (uint64_t)from, to, 0, 0, 0, 0);
	if (r < 0)
		return r;
	r = add_one(c, t, to == (uint64_t)efd ? (int)keep : efd, reg);
	if (keep < 0) {
		(void)task_call(c, t, SYS_close, to, 0, 0, 0, 0, 0);
		return r;
	}
	val = task_must(c, t, "putting a descriptor back", SYS_dup3,
	    (uint64_t)keep, to, (flags & FD_CLOEXEC) ? O_CLOEXEC : 0, 0, 0, 0);
	(void)task_call(c, t, SYS_close, (uint64_t)keep, 0, 0, 0, 0, 0);
	return val < 0 ? val : r;
}

static bool
in_its_place(const struct fd_table *tab, const Img__Registration *reg)
{
	const Img__Fd *m = fd_table_find(tab, reg->fd);

	return m != NULL && m->file == reg->file;
}

/* Registrations of EFD that are made by one call each. */
static int
add_plain(struct ckpt *c, struct task *t, int efd,
    const Img__Registration *const *regs, size_t n)
{
	struct tracee_op ops[BATCH];
	struct epoll_event evs[BATCH] = { { .events = 0 } };
	raddr at;
	int r;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		evs[i] = (struct epoll_event){ .events = regs[i]->events,
			.data.u64 = regs[i]->data };
	at = tracee_put(&t->area, evs, n * sizeof evs[0]);
	for (size_t i = 0; i < n; i++)
		ops[i] = (struct tracee_op){ .nr = SYS_epoll_ctl,
			.args = { (uint64_t)efd, EPOLL_CTL_ADD,
			    (uint64_t)regs[i]->fd, at + i * sizeof evs[0] } };
	r = task_run(c, t, ops, n);
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (ops[i].ret < 0)
			tell_failure(c, t, regs[i], ops[i].ret);
	return r;
}

/* Those that have fired come first: they need the instance for themselves. */
static int
revive_one(struct ckpt *c, struct task *t, const struct fd_table *tab, int efd,
    const Img__Epoll *m)
{
	const Img__Registration *plain[BATCH];
	size_t n = 0;
	int r = 0;

	for (int fired = 1; fired >= 0; fired--)
		for (size_t i = 0; r >= 0 && i < m->n_registrations; i++) {
			const Img__Registration *reg = m->registrations[i];
			int64_t val = 0;

			if (has_fired(reg) != (fired == 1))
				continue;
			if (!in_its_place(tab, reg))
				val = add_borrowed(c, t, tab, efd, reg);
			else if (fired)
				val = add_one(c, t, efd, reg);
			else
				plain[n++] = reg;
			if (val < 0)
				tell_failure(c, t, reg, val);
			if (n == BATCH) {
				r = add_plain(c, t, efd, plain, n);
				n = 0;
			}
		}
	return r < 0 ? r : add_plain(c, t, efd, plain, n);
}

int
epoll_revive(struct ckpt *c, struct task *t, const struct fd_table *tab)
{
	int r = 0, efd;

	for (size_t i = 0; r >= 0 && i < c->files->n; i++) {
		const struct file *f = c->files->v[i];

		if (f->kind == &kind_epoll &&
		    fd_table_holder(c->files, f, &efd) == tab)
			r = revive_one(c, t, tab, efd, f->m->epoll);
	}
	return r;
}

const struct file_kind kind_epoll = {
	.name = "epoll",
	.match = epoll_match,
	.save = epoll_save,
	.plan = epoll_plan,
	.open = epoll_open,
};
