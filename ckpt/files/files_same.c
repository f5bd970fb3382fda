/*
 * files_same.c - which descriptors lead to one description, told by kcmp(2).
 * Those that look alike form a tree in the order that it gives, which is by
 * chance as far as we are concerned: its depth is that of the logarithm.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/scope.h"
#include "ckpt/files/files_table.h"

static bool
looks_like(const struct file *a, const struct file *b)
{
	return a->st.st_ino == b->st.st_ino && a->st.st_dev == b->st.st_dev &&
	    a->rec.pos == b->rec.pos && a->rec.flags == b->rec.flags;
}

static struct file **
bucket(struct files *fs, const struct file *f)
{
	uint64_t h = f->st.st_ino * 31 + f->rec.pos * 7 + f->st.st_rdev;

	return &fs->buckets[(h ^ (h >> 8)) % N_ELEMENTS(fs->buckets)];
}

static int
append(struct ckpt *c, struct file *f)
{
	struct files *fs = c->files;

	if (array_room(&fs->v, fs->n, &fs->cap) < 0)
		return err_set(c->err, -ENOMEM, "out of memory");
	fs->v[fs->n++] = f;
	f->id = fs->n;
	return 0;
}

int
files_intern(struct ckpt *c, struct file *f, struct file **ret_f)
{
	struct file **at = bucket(c->files, f);
	int r;

	while (*at != NULL && !looks_like(*at, f))
		at = &(*at)->next;
	while (*at != NULL) {
		long order = syscall(SYS_kcmp, f->task->pid, (*at)->task->pid,
		    KCMP_FILE, f->fd, (*at)->fd);

		if (order < 0) {
			r = err_sys(c->err,
			    "comparing descriptors of %s "
			    "(pid %d)",
			    f->task->comm, f->task->pid);
			file_free(f);
			return r;
		}
		if (order == 0) {
			*ret_f = *at;
			file_free(f);
			return 0;
		}
		at = order == 1 ? &(*at)->less : &(*at)->more;
	}
	r = append(c, f);
	if (r < 0) {
		file_free(f);
		return r;
	}
	*at = f;
	*ret_f = f;
	return 0;
}
