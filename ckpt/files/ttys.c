/*
 * ttys.c - pseudo terminals (pty(7), ioctl_tty(2)).
 *
 * The session's own has its master in the server and its slaves in the tree;
 * others have both ends in the tree (tmux, script, dvtm). Kept of each: its
 * number, settings, size, lock, packet and exclusive mode, input and output
 * that nobody has read yet, the session that it controls and the foreground
 * group. A slave whose master is outside the tree comes back hung up, as
 * after a lost connection.
 *
 * Everything is asked and set through the master, which needs no place in
 * the terminal's session, except what only the session itself may do
 * (ttys_control.c).
 */
#include "ckpt/files/ttys_table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/scope.h"

#define LDISC_TTY 0 /* N_TTY */

struct ttys *
ttys_get(struct ckpt *c)
{
	struct files *fs = files_get(c);

	if (fs == NULL)
		return NULL;
	if (fs->ttys == NULL) {
		fs->ttys = calloc(1, sizeof *fs->ttys);
		if (fs->ttys == NULL)
			(void)err_set(c->err, -ENOMEM, "out of memory");
		else
			fs->ttys->hung = -1;
	}
	return fs->ttys;
}

struct tty *
ttys_add(struct ckpt *c)
{
	struct ttys *ts = ttys_get(c);
	struct tty *t;

	if (ts == NULL)
		return NULL;
	t = calloc(1, sizeof *t);
	if (t == NULL || array_room(&ts->v, ts->n, &ts->cap) < 0) {
		free(t);
		(void)err_set(c->err, -ENOMEM, "out of memory");
		return NULL;
	}
	t->input = TTY_INPUT_NONE;
	t->output = BUF_INIT(TTY_QUEUE_MAX);
	t->master = t->slave = -1;
	img__tty__init(&t->rec);
	ts->v[ts->n++] = t;
	return t;
}

static void
tty_free(struct tty *t)
{
	tty_input_done(&t->input);
	buf_done(&t->output);
	free(t->lines);
	free(t->line_ptrs);
	free(t->rec.without);
	scope_close(&t->master);
	scope_close(&t->slave);
	if (t->loaded != NULL)
		img__tty__free_unpacked(t->loaded, NULL);
	free(t);
}

void
ttys_free(struct ttys *ts)
{
	if (ts == NULL)
		return;
	for (size_t i = 0; i < ts->n; i++)
		tty_free(ts->v[i]);
	scope_close(&ts->hung);
	free(ts->v);
	free(ts->cttys);
	free(ts);
}

/* ---- save: which terminals there are ---- */

static bool
slave_match(const struct file *f)
{
	return S_ISCHR(f->st.st_mode) && major(f->st.st_rdev) >= SLAVE_MAJOR &&
	    major(f->st.st_rdev) < SLAVE_MAJOR + 8;
}

static bool
master_match(const struct file *f)
{
	return S_ISCHR(f->st.st_mode) && f->st.st_rdev == makedev(5, 2);
}

static unsigned
slave_index(dev_t rdev)
{
	return (major(rdev) - SLAVE_MAJOR) * 256 + minor(rdev);
}

static bool
is_deleted(const char *link)
{
	size_t len = strlen(link);

	return len > 10 && strcmp(link + len - 10, " (deleted)") == 0;
}

/* The terminal that is this one, in *RET_ID; a new one if there is none. */
static struct tty *
tty_at(struct ckpt *c, dev_t dev, unsigned index, bool gone, uint64_t *ret_id)
{
	struct ttys *ts = ttys_get(c);
	struct tty *t;

	for (size_t i = 0; ts != NULL && i < ts->n; i++) {
		t = ts->v[i];
		if (t->dev == dev && t->index == index && t->gone == gone) {
			*ret_id = i + 1;
			return t;
		}
	}
	t = ttys_add(c);
	if (t == NULL)
		return NULL;
	t->dev = dev;
	t->rec.index = t->index = index;
	t->rec.gone = t->gone = gone;
	*ret_id = c->files->ttys->n;
	return t;
}

static int
slave_save(struct ckpt *c, struct file *f)
{
	struct tty *t;

	t = tty_at(c, f->st.st_dev, slave_index(f->st.st_rdev),
	    is_deleted(f->link), &f->rec.object);
	if (t == NULL)
		return -ENOMEM;
	t->rec.mode = f->m->mode & 07777;
	if (t->slave_file == NULL ||
	    (t->slave_file->m->flags & O_ACCMODE) == O_WRONLY)
		t->slave_file = f;
	return 0;
}

/*
 * The devpts that master FD belongs to: its own, or, when /dev/ptmx is a
 * node elsewhere, that beside the node (kernel: devpts_mntget()), as PID
 * sees it (0: this process).
 */
static dev_t
master_dev(int fd, pid_t pid)
{
	char path[64] = "/dev/pts";
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_SUPER_MAGIC &&
	    fstat(fd, &st) == 0)
		return st.st_dev;
	if (pid != 0)
		(void)snprintf(path, sizeof path, "/proc/%d/root/dev/pts", pid);
	return stat(path, &st) == 0 ? st.st_dev : 0;
}

static int
master_save(struct ckpt *c, struct file *f)
{
	autoclose int fd = -1;
	unsigned index;
	struct tty *t;

	fd = file_pull(c, f);
	if (fd < 0)
		return fd;
	if (ioctl(fd, TIOCGPTN, &index) < 0)
		return err_sys(c->err,
		    "%s (pid %d): descriptor %d: which "
		    "terminal it is",
		    f->task->comm, f->task->pid, f->fd);
	t = tty_at(c, master_dev(fd, f->task->pid), index, false,
	    &f->rec.object);
	if (t == NULL)
		return -ENOMEM;
	t->master_file = f;
	t->rec.master = true;
	return 0;
}

/* The session's own: the server has its master. */
static int
find_session_tty(struct ckpt *c)
{
	unsigned index;
	struct tty *t;
	uint64_t id;

	if (c->req == NULL || c->req->master < 0)
		return 0;
	if (ioctl(c->req->master, TIOCGPTN, &index) < 0)
		return err_sys(c->err, "the session's terminal");
	t = tty_at(c, master_dev(c->req->master, 0), index, false, &id);
	if (t == NULL)
		return -ENOMEM;
	t->rec.session = true;
	return 0;
}

/* ---- save: what they hold ---- */

static int
fill_input(struct ckpt *c, struct tty *t)
{
	t->lines = calloc(t->input.n + 1, sizeof *t->lines);
	t->line_ptrs = calloc(t->input.n + 1, sizeof *t->line_ptrs);
	if (t->lines == NULL || t->line_ptrs == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < t->input.n; i++) {
		img__tty_line__init(&t->lines[i]);
		t->lines[i].data.data = t->input.data.data +
		    t->input.lines[i].off;
		t->lines[i].data.len = t->input.lines[i].len;
		t->lines[i].partial = t->input.lines[i].partial;
		t->line_ptrs[i] = &t->lines[i];
	}
	t->rec.input = t->line_ptrs;
	t->rec.n_input = t->input.n;
	t->rec.raw_input = t->input.raw;
	return 0;
}

/*
 * Unread output and input: taken and put back, whatever fails between. The
 * server has read the session's own output before.
 */
static int
take_queues(struct ckpt *c, struct tty *t, int master, int slave)
{
	struct err *e = c->err;
	int r = 0, r2;

	if (!t->rec.session)
		r = tty_drain_output(master, slave, &t->output, e);
	if (r >= 0)
		r = tty_drain_input(master, slave, &t->input, e);
	r2 = tty_put_input(master, slave, &t->input, r < 0 ? NULL : e);
	r = r < 0 ? r : r2;
	r2 = tty_put_output(master, slave, &t->output, r < 0 ? NULL : e);
	r = r < 0 ? r : r2;
	t->rec.output.data = t->output.data;
	t->rec.output.len = t->output.len;
	return r < 0 ? r : fill_input(c, t);
}

/* Settings, as the master tells them. */
static int
take_settings(struct ckpt *c, struct tty *t, int master)
{
	int on = 0, ldisc = LDISC_TTY;

	if (ioctl(master, TCGETS2, &t->termios) < 0 ||
	    ioctl(master, TIOCGWINSZ, &t->winsize) < 0)
		return err_sys(c->err, "reading the settings of /dev/pts/%u",
		    t->index);
	t->rec.termios.data = (uint8_t *)&t->termios;
	t->rec.termios.len = sizeof t->termios;
	t->rec.winsize.data = (uint8_t *)&t->winsize;
	t->rec.winsize.len = sizeof t->winsize;
	if (ioctl(master, TIOCGPTLCK, &on) == 0)
		t->rec.locked = on != 0;
	if (ioctl(master, TIOCGPKT, &on) == 0)
		t->rec.packet = on != 0;
	if (ioctl(master, TIOCGETD, &ldisc) == 0 && ldisc != LDISC_TTY)
		return obstacle(c, NULL,
		    "/dev/pts/%u is used as something "
		    "else than a terminal (line discipline %d)",
		    t->index, ldisc);
	return 0;
}

/* Has the last slave been closed? Kernel: n_tty_poll(). */
static bool
is_hung_up(int master)
{
	struct pollfd p = { .fd = master };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

static int
take_data(struct ckpt *c, struct tty *t, int master)
{
	autoclose int slave = -1;
	int on = 0;

	if (t->slave_file == NULL && !is_hung_up(master)) {
		t->rec.fresh = true; /* opening it would be seen */
		return 0;
	}
	if (t->slave_file == NULL ||
	    (t->slave_file->m->flags & O_ACCMODE) == O_WRONLY)
		slave = ioctl(master, TIOCGPTPEER,
		    O_RDWR | O_NOCTTY | O_CLOEXEC);
	else
		slave = file_pull(c, t->slave_file);
	if (slave < 0)
		return err_sys(c->err, "opening /dev/pts/%u", t->index);
	if (ioctl(slave, TIOCGEXCL, &on) == 0)
		t->rec.exclusive = on != 0;
	return take_queues(c, t, master, slave);
}

static int
save_one(struct ckpt *c, struct tty *t, uint64_t id)
{
	autoclose int pulled = -1;
	int master = -1, r = 0;

	if (t->rec.session) {
		master = c->req->master;
	} else if (t->master_file != NULL) {
		master = pulled = file_pull(c, t->master_file);
		if (master < 0)
			return master;
	} else if (!t->gone) {
		note(c, t->slave_file->task,
		    "the other end of its terminal "
		    "/dev/pts/%u is outside the session: it will be hung up",
		    t->index);
	}
	if (master >= 0)
		r = take_settings(c, t, master);
	if (r >= 0 && master >= 0)
		r = take_data(c, t, master);
	return r < 0 ? r : record_put(c, IMG_TTY, id, &t->rec.base);
}

static int
ttys_save_tree(struct ckpt *c)
{
	struct ttys *ts = ttys_get(c);
	int r;

	if (ts == NULL)
		return -ENOMEM;
	r = find_session_tty(c);
	if (r >= 0)
		r = ttys_find_controlled(c, ts);
	for (size_t i = 0; r >= 0 && i < ts->n; i++)
		r = save_one(c, ts->v[i], i + 1);
	return r;
}

const struct file_kind kind_slave = {
	.name = "terminal",
	.match = slave_match,
	.save = slave_save,
	.open = ttys_open_slave,
};

const struct file_kind kind_master = {
	.name = "terminal-master",
	.match = master_match,
	.save = master_save,
	.open = ttys_open_master,
};

const struct resource res_ttys = {
	.name = "terminals",
	.save = ttys_note_control,
	.save_tree = ttys_save_tree,
	.open = ttys_open,
};
