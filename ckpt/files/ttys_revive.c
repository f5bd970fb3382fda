/*
 * ttys_revive.c - the reviving side of ttys.h.
 *
 * The private devpts gives the lowest free number: gaps are filled while the
 * masters are made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/files/ttys_table.h"

#define INDEX_MAX 65536 /* kernel.pty.max is 4096 */

/* ---- making them ---- */

static int
by_index(const void *a, const void *b)
{
	const struct tty *x = *(struct tty *const *)a;
	const struct tty *y = *(struct tty *const *)b;

	if (x->gone != y->gone)
		return x->gone ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int
load(struct ckpt *c)
{
	size_t n = image_count(c->img, IMG_TTY);

	for (size_t i = 0; i < n; i++) {
		struct tty *t = ttys_add(c);
		uint64_t id;

		if (t == NULL)
			return -ENOMEM;
		t->loaded = image_get(c->img, IMG_TTY, i, &img__tty__descriptor,
		    &id, c->err);
		if (t->loaded == NULL)
			return -EBADMSG;
		t->index = t->loaded->index;
		t->gone = t->loaded->gone ||
		    (!t->loaded->session && !t->loaded->master);
		if (id != i + 1 || t->index >= INDEX_MAX ||
		    (!t->gone &&
			(t->loaded->termios.len != sizeof(struct termios2) ||
			    t->loaded->winsize.len != sizeof(struct winsize))))
			return err_set(c->err, -EBADMSG,
			    "the image's terminals make no sense");
	}
	return 0;
}

static int
open_master(struct ckpt *c, unsigned *ret_index)
{
	int fd, unlocked = 0;

	fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(c->err, "making a terminal");
	if (ioctl(fd, TIOCGPTN, ret_index) < 0 ||
	    ioctl(fd, TIOCSPTLCK, &unlocked) < 0) {
		int r = err_sys(c->err, "making a terminal");

		(void)close(fd);
		return r;
	}
	return fd;
}

/*
 * Every master at its number. The kernel gives the lowest that is free: the
 * gaps are filled while this lasts.
 */
static int
make_masters(struct ckpt *c, struct tty **order, size_t n)
{
	int *fillers = NULL;
	size_t n_fillers = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n;) {
		unsigned index;
		int fd = open_master(c, &index);

		if (fd < 0) {
			r = fd;
		} else if (order[i]->gone || index == order[i]->index) {
			order[i++]->master = fd;
		} else if (index > order[i]->index) {
			(void)close(fd);
			r = err_set(c->err, -EEXIST, "/dev/pts/%u is taken",
			    order[i]->index);
		} else {
			void *p = reallocarray(fillers, n_fillers + 1,
			    sizeof *fillers);

			if (p == NULL) {
				(void)close(fd);
				r = err_set(c->err, -ENOMEM, "out of memory");
				break;
			}
			fillers = p;
			fillers[n_fillers++] = fd;
		}
	}
	while (n_fillers > 0)
		(void)close(fillers[--n_fillers]);
	free(fillers);
	return r;
}

static int
open_slave(struct ckpt *c, const struct tty *t, int flags)
{
	/* With O_CLOEXEC fdinfo would for ever show the flag in every copy. */
	int fd = ioctl(t->master, TIOCGPTPEER, flags | O_NOCTTY);

	if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(c->err, "opening /dev/pts/%u", t->index);
	return fd;
}

static int
load_input(const Img__Tty *m, struct tty_input *in)
{
	int r = 0;

	in->raw = m->raw_input;
	for (size_t i = 0; r >= 0 && i < m->n_input; i++)
		r = tty_input_add(in, m->input[i]->data.data,
		    m->input[i]->data.len, m->input[i]->partial);
	return r;
}

static int
set_up(struct ckpt *c, struct tty *t)
{
	const Img__Tty *m = t->loaded;
	int on = 1, r;

	if (ioctl(t->master, TCSETS2, m->termios.data) < 0 ||
	    ioctl(t->master, TIOCSWINSZ, m->winsize.data) < 0)
		return err_sys(c->err, "setting up /dev/pts/%u", t->index);
	if (m->packet)
		(void)ioctl(t->master, TIOCPKT, &on);
	if (m->fresh)
		return 0;
	r = load_input(m, &t->input);
	if (r >= 0)
		r = buf_put(&t->output, m->output.data, m->output.len);
	if (r < 0)
		return err_num(c->err, r, "setting up /dev/pts/%u", t->index);
	r = tty_put_input(t->master, t->slave, &t->input, c->err);
	if (r >= 0)
		r = tty_put_output(t->master, t->slave, &t->output, c->err);
	if (r < 0)
		return r;
	if (m->mode != 0)
		(void)fchmod(t->slave, m->mode & 0777);
	return 0;
}

static int
make_hung(struct ckpt *c, struct ttys *ts)
{
	struct tty t = { .slave = -1 };
	int fd;

	for (size_t i = 0; i < c->files->n; i++) {
		if (c->files->v[i]->kind != &kind_ctty)
			continue;
		t.master = open_master(c, &t.index);
		if (t.master < 0)
			return t.master;
		fd = open_slave(c, &t, O_RDWR);
		(void)close(t.master);
		ts->hung = fd < 0 ? fd : file_inherit(c, fd);
		return ts->hung < 0 ? ts->hung : 0;
	}
	return 0;
}

int
ttys_make(struct ckpt *c)
{
	struct ttys *ts = ttys_get(c);
	autofree struct tty **order = NULL;
	int r;

	if (ts == NULL)
		return -ENOMEM;
	r = load(c);
	if (r < 0)
		return r;
	order = calloc(ts->n + 1, sizeof *order);
	if (order == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	if (ts->n > 0) {
		memcpy(order, ts->v, ts->n * sizeof *order);
		qsort(order, ts->n, sizeof *order, by_index);
	}
	r = make_masters(c, order, ts->n);
	for (size_t i = 0; r >= 0 && i < ts->n; i++) {
		struct tty *t = ts->v[i];
		int fd;

		if (!t->loaded->fresh) {
			fd = open_slave(c, t, O_RDWR);
			t->slave = fd < 0 ? fd : file_inherit(c, fd);
			r = t->slave;
		}
		if (r >= 0 && !t->gone)
			r = set_up(c, t);
	}
	return r < 0 ? r : make_hung(c, ts);
}

static struct tty *
tty_of(struct ckpt *c, const struct file *f)
{
	struct ttys *ts = c->files->ttys;

	if (ts == NULL || f->m->object == 0 || f->m->object > ts->n) {
		(void)err_set(c->err, -EBADMSG, "the image lacks a terminal");
		return NULL;
	}
	return ts->v[f->m->object - 1];
}

int
ttys_open_slave(struct ckpt *c, struct file *f, int *ret_fd)
{
	const struct tty *t = tty_of(c, f);

	if (t == NULL)
		return -EBADMSG;
	*ret_fd = open_slave(c, t,
	    (file_open_flags(f) & ~O_NOFOLLOW) |
		((int)f->m->flags & KERNEL_O_LARGEFILE));
	return *ret_fd < 0 ? *ret_fd : 0;
}

int
ttys_open_master(struct ckpt *c, struct file *f, int *ret_fd)
{
	const struct tty *t = tty_of(c, f);

	if (t == NULL)
		return -EBADMSG;
	*ret_fd = fcntl(t->master, F_DUPFD_CLOEXEC, 0);
	return *ret_fd < 0 ? err_sys(c->err, "a terminal's master") : 0;
}

/* All descriptions are open: what is to be hung up is, the rest is locked. */
int
ttys_open(struct ckpt *c)
{
	struct ttys *ts = ttys_get(c);

	if (ts == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ts->n; i++) {
		struct tty *t = ts->v[i];
		int on = 1;

		if (t->loaded->exclusive)
			(void)ioctl(t->slave, TIOCEXCL);
		if (t->loaded->locked)
			(void)ioctl(t->master, TIOCSPTLCK, &on);
		if (t->loaded->session)
			c->session_master = TAKE_FD(t->master);
		scope_close(&t->master);
		if (t->loaded->sid == 0)
			scope_close(&t->slave);
	}
	return 0;
}

int
ttys_hung(struct ckpt *c)
{
	return c->files->ttys == NULL || c->files->ttys->hung < 0 ?
	    err_set(c->err, -ENXIO, "there is no terminal for /dev/tty") :
	    c->files->ttys->hung;
}
