/*
 * ttys_control.c - controlling terminals (tty(4), setsid(2)): which one a
 * session has, which group is in its foreground, and who in it has given it
 * up.
 *
 * Only the session itself can change that: TIOCSCTTY and TIOCSPGRP are called
 * in its leader, TIOCNOTTY in who gives up. So sessions take their terminals
 * when their leaders are born, and foreground groups are set when all groups
 * exist.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/procfs.h"
#include "ckpt/files/ttys_table.h"

/* ---- save ---- */

int
ttys_note_control(struct ckpt *c, struct task *t)
{
	struct ttys *ts = ttys_get(c);
	struct procfs_stat st;
	int r;

	if (ts == NULL)
		return -ENOMEM;
	if (array_room(&ts->cttys, ts->n_cttys, &ts->cap_cttys) < 0)
		return err_set(c->err, -ENOMEM, "out of memory");
	r = procfs_stat(t->pid, &st);
	if (r < 0)
		return err_num(c->err, r, "reading /proc/%d/stat", t->pid);
	ts->cttys[ts->n_cttys++] = (struct ctty){ .task = t,
		.tty_nr = st.tty_nr,
		.pgrp = st.pgrp,
		.tpgid = st.tpgid };
	return 0;
}

/* Major and minor as in /proc/PID/stat: kernel, new_encode_dev(). */
static dev_t
decode_dev(int nr)
{
	unsigned n = (unsigned)nr;

	return makedev((n & 0xfff00) >> 8, (n & 0xff) | ((n >> 12) & 0xfff00));
}

static struct tty *
controlling(struct ttys *ts, const struct ctty *ct)
{
	dev_t rdev = decode_dev(ct->tty_nr);
	struct tty *found = NULL;

	for (size_t i = 0; i < ts->n; i++) {
		struct tty *t = ts->v[i];

		if (major(rdev) == SLAVE_MAJOR && t->index == minor(rdev) &&
		    !t->gone && (found == NULL || t->rec.session))
			found = t;
	}
	return found;
}

static pid_t
vpgid_of(const struct ttys *ts, pid_t pgid)
{
	for (size_t i = 0; i < ts->n_cttys; i++)
		if (ts->cttys[i].pgrp == pgid)
			return ts->cttys[i].task->vpgid;
	return 0;
}

/* Tasks of T's session that have given T up (TIOCNOTTY). */
static int
find_without(struct ckpt *c, struct ttys *ts, struct tty *t)
{
	size_t n = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < ts->n_cttys; i++) {
			const struct ctty *ct = &ts->cttys[i];

			if (ct->tty_nr != 0 ||
			    (uint32_t)ct->task->vsid != t->rec.sid)
				continue;
			if (pass == 0)
				n++;
			else
				t->rec.without[t->rec.n_without++] =
				    (uint32_t)ct->task->vpid;
		}
		if (n == 0)
			break;
		if (pass == 0)
			t->rec.without = calloc(n, sizeof(uint32_t));
		if (t->rec.without == NULL)
			return err_set(c->err, -ENOMEM, "out of memory");
	}
	return 0;
}

int
ttys_find_controlled(struct ckpt *c, struct ttys *ts)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ts->n_cttys; i++) {
		const struct ctty *ct = &ts->cttys[i];
		struct tty *t;

		if (ct->tty_nr == 0 || ct->task->vsid != ct->task->vpid)
			continue;
		t = controlling(ts, ct);
		if (t == NULL) {
			note(c, ct->task,
			    "its controlling terminal is "
			    "outside the session and will be gone");
			continue;
		}
		t->rec.sid = (uint32_t)ct->task->vsid;
		t->rec.foreground = (uint32_t)vpgid_of(ts, ct->tpgid);
		r = find_without(c, ts, t);
	}
	return r;
}

/* ---- revival ---- */

int
ttys_claim(struct ckpt *c, struct task *leader)
{
	struct ttys *ts = c->files != NULL ? c->files->ttys : NULL;

	for (size_t i = 0; ts != NULL && i < ts->n; i++) {
		const struct tty *t = ts->v[i];
		int64_t r;

		if (t->loaded->sid == 0 || t->gone ||
		    t->loaded->sid != (uint32_t)leader->vpid)
			continue;
		r = task_must(c, leader, "taking its terminal", SYS_ioctl,
		    (uint64_t)t->slave, TIOCSCTTY, 0, 0, 0, 0);
		if (r < 0)
			return (int)r;
	}
	return 0;
}

static int
set_foreground(struct ckpt *c, const struct tty *t)
{
	struct task *leader = task_find(c, (pid_t)t->loaded->sid);
	int pgid = (int)t->loaded->foreground;
	raddr at;
	int64_t r;

	if (leader == NULL || leader->n_threads == 0 || pgid == 0)
		return 0;
	at = tracee_put(&leader->area, &pgid, sizeof pgid);
	if (at == 0)
		return err_set(c->err, -EFAULT,
		    "%s (pid %d): no room for a "
		    "number",
		    leader->comm, leader->pid);
	r = task_call(c, leader, SYS_ioctl, (uint64_t)t->slave, TIOCSPGRP, at,
	    0, 0, 0);
	/* A group that has no member any more: nobody is in front. */
	if (r < 0 && r != -EPERM && r != -ESRCH)
		return err_num(c->err, (int)r,
		    "setting the foreground group "
		    "of /dev/pts/%u",
		    t->index);
	return 0;
}

static int
give_up(struct ckpt *c, const struct tty *t)
{
	for (size_t i = 0; i < t->loaded->n_without; i++) {
		struct task *k = task_find(c, (pid_t)t->loaded->without[i]);
		int64_t r;

		if (k == NULL || k->state == TASK_ZOMBIE)
			continue;
		r = task_call(c, k, SYS_ioctl, (uint64_t)t->slave, TIOCNOTTY, 0,
		    0, 0, 0);
		if (r < 0 && r != -ENOTTY)
			return err_num(c->err, (int)r,
			    "%s (pid %d): giving "
			    "up its terminal",
			    k->comm, k->pid);
	}
	return 0;
}

int
ttys_claim_foreground(struct ckpt *c)
{
	struct ttys *ts = c->files != NULL ? c->files->ttys : NULL;
	int r = 0;

	if (ts == NULL || ts->foreground_set)
		return 0;
	ts->foreground_set = true;
	for (size_t i = 0; r >= 0 && i < ts->n; i++) {
		const struct tty *t = ts->v[i];

		if (t->loaded->sid == 0 || t->gone)
			continue;
		r = set_foreground(c, t);
		if (r >= 0)
			r = give_up(c, t);
	}
	return r;
}
