/*
 * locks.c - see locks.h. A line is (kernel: fs/locks.c, lock_get_status())
 *
 *   lock:	1: POSIX  ADVISORY  WRITE 4711 fe:01:1234 0 EOF
 */
#include "ckpt/files/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>

/* 0: no lock that can be saved. */
static int
parse(const char *line, Img__FileLock *ret_lock)
{
	static const struct {
		const char *name;
		enum lock_kind kind;
	} kinds[] = { { "FLOCK", LOCK_FLOCK }, { "OFDLCK", LOCK_OFD },
		{ "POSIX", LOCK_POSIX } };
	char kind[16], mode[16], access[16], end[32];
	uint64_t start;

	img__file_lock__init(ret_lock);
	if (sscanf(line, "lock: %*d: %15s %15s %15s %*d %*s %" SCNu64 " %31s",
		kind, mode, access, &start, end) != 5)
		return 0;
	ret_lock->write = strcmp(access, "WRITE") == 0;
	ret_lock->start = start;
	if (strcmp(end, "EOF") != 0)
		ret_lock->len = strtoull(end, NULL, 10) - start + 1;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kind, kinds[i].name) == 0)
			ret_lock->kind = kinds[i].kind;
	return (int)ret_lock->kind;
}

static const char *
next_line(const char *s)
{
	s = strstr(s, "\nlock:");
	return s == NULL ? NULL : s + 1;
}

int
locks_check(struct ckpt *c, struct file *f)
{
	Img__FileLock lock;

	for (const char *s = f->info; (s = next_line(s)) != NULL;)
		if (parse(s, &lock) == 0)
			return obstacle(c, f->task,
			    "descriptor %d (%s) holds "
			    "a lease or a lock of a kind that cannot be "
			    "saved: close it",
			    f->fd, f->link);
	return 0;
}

int
locks_save(struct ckpt *c, struct file *f)
{
	Img__FileLock lock, *v;
	size_t n = 0;

	for (const char *s = f->info; (s = next_line(s)) != NULL;)
		n++;
	if (n == 0)
		return 0;
	/* The pointers and, behind them, what they lead to. */
	f->rec.locks = calloc(n, sizeof(*f->rec.locks) + sizeof *v);
	if (f->rec.locks == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	v = (Img__FileLock *)(f->rec.locks + n);
	for (const char *s = f->info; (s = next_line(s)) != NULL;) {
		int kind = parse(s, &lock);

		if (kind != LOCK_FLOCK && kind != LOCK_OFD)
			continue;
		v[f->rec.n_locks] = lock;
		f->rec.locks[f->rec.n_locks] = &v[f->rec.n_locks];
		f->rec.n_locks++;
	}
	return locks_check(c, f);
}

int
locks_save_posix(struct ckpt *c, struct file *f, struct fd_table *tab)
{
	Img__FileLock lock;

	for (const char *s = f->info; (s = next_line(s)) != NULL;) {
		if (parse(s, &lock) != LOCK_POSIX)
			continue;
		lock.fd = (uint32_t)f->fd;
		if (fd_table_lock(tab, &lock) < 0)
			return err_set(c->err, -ENOMEM, "out of memory");
	}
	return 0;
}

static struct flock
to_flock(const Img__FileLock *m)
{
	return (struct flock){ .l_type = m->write ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)m->start,
		.l_len = (off_t)m->len };
}

int
locks_revive(struct ckpt *c, struct file *f)
{
	for (size_t i = 0; i < f->m->n_locks; i++) {
		const Img__FileLock *m = f->m->locks[i];
		struct flock l = to_flock(m);
		int r;

		if (m->kind == LOCK_FLOCK)
			r = flock(f->fd,
			    (m->write ? LOCK_EX : LOCK_SH) | LOCK_NB);
		else
			r = fcntl(f->fd, F_OFD_SETLK, &l);
		if (r < 0)
			return err_sys(c->err,
			    "%s: taking its lock again "
			    "(somebody else may have it now)",
			    f->m->path);
	}
	return 0;
}

int
locks_revive_posix(struct ckpt *c, struct task *t, const struct fd_table *tab)
{
	for (size_t i = 0; i < tab->loaded->n_locks; i++) {
		const Img__FileLock *m = tab->loaded->locks[i];
		struct flock l = to_flock(m);
		raddr at = tracee_put(&t->area, &l, sizeof l);
		int64_t r;

		if (at == 0)
			return err_set(c->err, -EFAULT,
			    "%s (pid %d): no room "
			    "for a lock",
			    t->comm, t->pid);
		r = task_must(c, t,
		    "taking a file lock again (somebody else "
		    "may have it now)",
		    SYS_fcntl, m->fd, F_SETLK, at, 0, 0, 0);
		if (r < 0)
			return (int)r;
	}
	return 0;
}
