/*
 * mapped.c - see mapped.h. A program whose file has been replaced at its path
 * is still there as /proc/PID/exe.
 */
#include "ckpt/memory/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/image/objects.h"
#include "ckpt/memory/memory.h"

static int64_t
time_ns(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/*
 * The file of MP, number ID, as it was seen: by its path, or as the program
 * of a task when another is there by now.
 */
static int
open_mapped(struct ckpt *c, const struct mapped *mp, uint64_t id, int *ret_fd,
    struct stat *ret_st)
{
	autoclose int fd = open(mp->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const struct task *t;
	char exe[64];

	for (size_t i = 0; i < c->n_tasks &&
	     (fd < 0 || fstat(fd, ret_st) < 0 || ret_st->st_ino != mp->ino);
	     i++) {
		t = &c->tasks[i];
		if (t->mem == NULL || t->mem->exe != id)
			continue;
		scope_close(&fd);
		(void)snprintf(exe, sizeof exe, "/proc/%d/exe",
		    t->snapshot != 0 ? t->snapshot : t->pid);
		fd = open(exe, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return err_sys(c->err, "keeping a copy of %s", mp->path);
	if (ret_st->st_ino != mp->ino)
		return err_set(c->err, -EAGAIN,
		    "%s was replaced while it was "
		    "being saved: save again",
		    mp->path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Keep a copy of FD, the file of MP, and write down which it is. */
static int
keep_mapped(struct ckpt *c, struct image_writer *w, const struct mapped *mp,
    uint64_t id, int fd, uint64_t size)
{
	Img__Object o = IMG__OBJECT__INIT;
	struct object_id oid;
	int r;

	r = objects_put(c->req->saved_dirfd, fd, &oid, c->err);
	if (r == -ENOSPC || r == -EDQUOT)
		return err_set(c->err, r,
		    "keeping a copy of %s (%llu KiB): %s: make room "
		    "there, sess -rm drops snapshots",
		    mp->path, (unsigned long long)size / 1024, strerror(-r));
	if (r < 0)
		return r;
	o.hash_hi = oid.hash_hi;
	o.hash_lo = oid.hash_lo;
	o.size = oid.size;
	o.path = mp->path;
	return image_put(w, IMG_OBJECT, id, &o.base, c->err);
}

int
mapped_write(struct ckpt *c, struct image_writer *w, struct mapped *mp,
    uint64_t id)
{
	Img__Mapped m = IMG__MAPPED__INIT;
	autoclose int fd = -1;
	struct stat st;
	int r;

	r = open_mapped(c, mp, id, &fd, &st);
	if (r < 0)
		return r;
	m.path = mp->path;
	m.writable = mp->writable;
	m.content = mp->content;
	for (size_t i = 0; i < c->n_tasks; i++)
		if (c->tasks[i].mem != NULL && c->tasks[i].mem->exe == id)
			m.program = true;
	m.dev = st.st_dev;
	m.ino = st.st_ino;
	m.size = (uint64_t)st.st_size;
	m.mtime_ns = time_ns(st.st_mtim);
	m.ctime_ns = time_ns(st.st_ctim);
	if (!mp->writable) {
		r = keep_mapped(c, w, mp, id, fd, m.size);
		if (r < 0)
			return r;
		m.object = id;
	}
	return image_put(w, IMG_MAPPED, id, &m.base, c->err);
}
