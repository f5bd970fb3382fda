/*
 * files.c - see files.h: the saving side. What a descriptor is, is found out
 * in files_look.c, which are of one description in files_same.c.
 */
#include "ckpt/files/files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/content/content.h"
#include "ckpt/content/places.h"
#include "ckpt/files/files_table.h"
#include "ckpt/files/inotify.h"
#include "ckpt/files/locks.h"
#include "ckpt/files/pipes.h"
#include "ckpt/files/ttys.h"
#include "ckpt/sockets/sockets.h"

#define ASK 32 /* descriptions asked in one batch */

struct files *
files_get(struct ckpt *c)
{
	if (c->files == NULL) {
		c->files = calloc(1, sizeof *c->files);
		if (c->files == NULL)
			(void)err_set(c->err, -ENOMEM, "out of memory");
		else
			c->files->refused = BUF_INIT(64 * 1024);
	}
	return c->files;
}

void
file_free(struct file *f)
{
	if (f == NULL)
		return;
	free(f->link);
	free(f->info);
	free(f->rec.locks);
	free(f->extra);
	inotify_free(f);
	if (f->loaded != NULL) {
		scope_close(&f->fd);
		scope_close(&f->relay[0]);
		scope_close(&f->relay[1]);
		img__file__free_unpacked(f->loaded, NULL);
	}
	free(f);
}

void
files_done(struct ckpt *c)
{
	struct files *fs = c->files;

	if (fs == NULL)
		return;
	for (size_t i = 0; i < fs->n; i++)
		file_free(fs->v[i]);
	free(fs->v);
	fd_tables_free(fs);
	contents_free(fs->contents);
	places_free(fs->places);
	pipes_free(fs->pipes);
	ttys_free(fs->ttys);
	sockets_free(fs->sockets);
	inotify_forget(fs);
	buf_done(&fs->refused);
	free(fs);
	c->files = NULL;
}

/* ---- every descriptor of a task ---- */

typedef int each_fn(struct ckpt *c, struct task *t, struct file *f);

/* Call FN with each of T's descriptors, ascending; F becomes FN's. */
static int
for_each_fd(struct ckpt *c, struct task *t, each_fn *fn)
{
	autoclosedir DIR *d = NULL;
	char path[64];
	struct dirent *ent;

	(void)snprintf(path, sizeof path, "/proc/%d/fd", t->pid);
	d = opendir(path);
	if (d == NULL)
		return -errno;
	while (errno = 0, (ent = readdir(d)) != NULL) {
		struct file *f;
		int r;

		if (!isdigit((unsigned char)ent->d_name[0]))
			continue;
		r = file_look(t, atoi(ent->d_name), &f);
		if (r == -ENOENT && t->n_threads == 0)
			continue; /* closed meanwhile */
		if (r >= 0)
			r = fn(c, t, f);
		if (r < 0)
			return r;
	}
	return -errno;
}

/* ---- check ---- */

static int
check_descriptor(struct ckpt *c, struct task *t, struct file *f)
{
	char what[PATH_MAX + 32];
	int r = 0;

	if (f->kind == NULL) {
		file_describe(f, what, sizeof what);
		r = obstacle(c, t,
		    "descriptor %d is %s, which cannot be "
		    "saved yet: close it or end the program",
		    f->fd, what);
	} else if (f->kind->check != NULL) {
		r = f->kind->check(c, f);
	}
	if (r >= 0)
		r = locks_check(c, f);
	file_free(f);
	return r;
}

/* Two tasks with one table (clone(2), CLONE_FILES) come back with two. */
static int
check_table(struct ckpt *c, struct task *t)
{
	for (size_t i = 0; i < c->n_tasks && &c->tasks[i] != t; i++) {
		struct task *o = &c->tasks[i];

		if (o->state != TASK_ZOMBIE &&
		    syscall(SYS_kcmp, t->pid, o->pid, KCMP_FILES, 0, 0) == 0)
			return obstacle(c, t,
			    "it shares its descriptor table "
			    "with %s (pid %d), which cannot be saved yet: end "
			    "one of them",
			    o->comm, o->pid);
	}
	return 0;
}

/* Threads that have left the table of their process (unshare(2)). */
static int
check_threads(struct ckpt *c, struct task *t)
{
	autofree pid_t *tids = NULL;
	size_t n = 0;

	if (procfs_tids(t->pid, &tids, &n) < 0)
		return 0; /* it has ended */
	for (size_t i = 0; i < n; i++)
		if (tids[i] != t->pid &&
		    syscall(SYS_kcmp, t->pid, tids[i], KCMP_FILES, 0, 0) > 0)
			return obstacle(c, t,
			    "its thread %d has a descriptor table of its own, "
			    "which cannot be saved yet: end the program",
			    tids[i]);
	return 0;
}

static int
files_check(struct ckpt *c, struct task *t)
{
	int r;

	r = for_each_fd(c, t, check_descriptor);
	if (r == -ESRCH || r == -ENOENT)
		return 0;
	if ((r == -EACCES || r == -EPERM) && procfs_is_ending(t->pid))
		return 0;
	if (r == -EACCES || r == -EPERM)
		return obstacle(c, t,
		    "its descriptors cannot be read: it "
		    "belongs to somebody else or protects itself; end it "
		    "before the save");
	if (r < 0)
		return err_num(c->err, r,
		    "%s (pid %d): reading its "
		    "descriptors",
		    t->comm, t->pid);
	r = check_threads(c, t);
	return r < 0 ? r : check_table(c, t);
}

/* ---- save ---- */

static int
save_descriptor(struct ckpt *c, struct task *t, struct file *f)
{
	struct fd_table *tab = &c->files->tables[c->files->n_tables - 1];
	struct file *known = NULL;
	bool cloexec = f->cloexec;
	int fd = f->fd, r;

	if (f->kind == NULL) {
		char what[PATH_MAX + 32];

		file_describe(f, what, sizeof what);
		file_free(f);
		return obstacle(c, t,
		    "descriptor %d is %s, which cannot be "
		    "saved yet: close it or end the program",
		    fd, what);
	}
	/* Of a slave opened by TIOCGPTPEER fdinfo tells how it was opened. */
	if (cloexec && S_ISCHR(f->st.st_mode))
		cloexec = task_call(c, t, SYS_fcntl, (uint64_t)fd, F_GETFD, 0,
			      0, 0, 0) != 0;
	r = locks_save_posix(c, f, tab);
	if (r < 0) {
		file_free(f);
		return r;
	}
	r = files_intern(c, f, &known);
	if (r < 0)
		return r;
	r = fd_table_add(tab, fd, known->id, cloexec);
	return r < 0 ? err_num(c->err, r, "recording descriptors") : 0;
}

/*
 * Who is signalled about descriptions FIRST.. of T, which are new, is asked
 * from within T, for its own numbers of processes.
 */
static int
ask_owners(struct ckpt *c, struct task *t, size_t first, size_t n)
{
	struct tracee_op ops[2 * ASK];
	struct f_owner_ex own[ASK];
	struct file **v = &c->files->v[first];
	raddr at = tracee_put(&t->area, NULL, sizeof own);
	int r;

	if (at == 0)
		return err_set(c->err, -EFAULT,
		    "%s (pid %d): no room for "
		    "questions",
		    t->comm, t->pid);
	for (size_t i = 0; i < n; i++) {
		ops[2 * i] = (struct tracee_op){ .nr = SYS_fcntl,
			.args = { (uint64_t)v[i]->fd, F_GETOWN_EX,
			    at + i * sizeof own[0] } };
		ops[2 * i + 1] = (struct tracee_op){ .nr = SYS_fcntl,
			.args = { (uint64_t)v[i]->fd, F_GETSIG } };
	}
	r = task_run(c, t, ops, 2 * n);
	if (r >= 0)
		r = tracee_read(&t->area, at, own, n * sizeof own[0], c->err);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		Img__File *m = &v[i]->rec;

		if (ops[2 * i].ret >= 0 && own[i].pid != 0) {
			m->owner_kind = (uint32_t)own[i].type + 1;
			m->owner = own[i].pid;
		}
		if (ops[2 * i + 1].ret > 0)
			m->signal = (uint32_t)ops[2 * i + 1].ret;
	}
	return r;
}

static int
files_save(struct ckpt *c, struct task *t)
{
	struct files *fs = files_get(c);
	struct fd_table *tab;
	size_t first;
	int r;

	if (fs == NULL)
		return -ENOMEM;
	first = fs->n;
	r = fd_table_new(fs, t->vpid, &tab);
	if (r < 0)
		return err_num(c->err, r, "recording descriptors");
	r = for_each_fd(c, t, save_descriptor);
	if (r < 0)
		return err_num(c->err, r,
		    "%s (pid %d): reading its "
		    "descriptors",
		    t->comm, t->pid);
	r = check_table(c, t);
	for (size_t i = first; r >= 0 && i < fs->n; i += ASK)
		r = ask_owners(c, t, i, fs->n - i < ASK ? fs->n - i : ASK);
	return r;
}

static int
files_save_tree(struct ckpt *c)
{
	struct files *fs = files_get(c);
	int r = 0;

	if (fs == NULL)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < fs->n; i++) {
		r = locks_save(c, fs->v[i]);
		if (r >= 0 && fs->v[i]->kind->save != NULL)
			r = fs->v[i]->kind->save(c, fs->v[i]);
	}
	if (r >= 0)
		r = pipes_save(c);
	if (r >= 0)
		r = sockets_save(c);
	if (r >= 0)
		r = contents_keep_mapped(c);
	if (r >= 0)
		r = places_save(c);
	if (r >= 0)
		r = contents_take(c);
	if (r >= 0)
		r = places_put(c);
	for (size_t i = 0; r >= 0 && i < fs->n; i++)
		r = record_put(c, IMG_FILE, fs->v[i]->id, &fs->v[i]->rec.base);
	return r < 0 ? r : fd_tables_put(c);
}

/*
 * What the tree has written to F, which is not kept in the image, is on disk
 * when the image is: a power loss that brings this image back must not take
 * away what its programs remember as written.
 */
static int
sync_written(struct ckpt *c, const struct file *f)
{
	autoclose int fd = -1;
	struct stat st;

	if (f->kind != &kind_regular || f->rec.deleted || f->rec.content != 0 ||
	    (f->rec.flags & O_ACCMODE) == O_RDONLY)
		return 0;
	fd = open(f->link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != f->st.st_dev ||
	    st.st_ino != f->st.st_ino)
		return 0; /* it cannot be read, or has been replaced since */
	if (fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS)
		return err_sys(c->err, "bringing %s to the disk", f->link);
	return 0;
}

int
files_write(struct ckpt *c, struct image_writer *w)
{
	int r;

	if (c->files == NULL)
		return 0;
	r = contents_write(c, w);
	for (size_t i = 0; r >= 0 && i < c->files->n; i++)
		r = sync_written(c, c->files->v[i]);
	return r;
}

const struct resource res_files = {
	.name = "files",
	.check = files_check,
	.check_tree = sockets_check,
	.save = files_save,
	.save_tree = files_save_tree,
	.open = files_open,
	.revive = files_revive,
};
