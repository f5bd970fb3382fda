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

int
mapped_write(struct ckpt *c, struct image_writer *w, struct mapped *mp,
    uint64_t id)
{
	Img__Mapped m = IMG__MAPPED__INIT;
	Img__Object o = IMG__OBJECT__INIT;
	struct object_id oid;
	autoclose int fd = -1;
	struct stat st;
	int r;

	m.path = mp->path;
	m.writable = mp->writable;
	m.content = mp->content;
	for (size_t i = 0; i < c->n_tasks; i++)
		if (c->tasks[i].mem != NULL && c->tasks[i].mem->exe == id)
			m.program = true;
	fd = open(mp->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	for (size_t i = 0; i < c->n_tasks &&
	     (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != mp->ino);
	     i++) {
		char exe[64];

		if (c->tasks[i].mem == NULL || c->tasks[i].mem->exe != id)
			continue;
		scope_close(&fd);
		(void)snprintf(exe, sizeof exe, "/proc/%d/exe",
		    c->tasks[i].snapshot != 0 ? c->tasks[i].snapshot :
						c->tasks[i].pid);
		fd = open(exe, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(c->err, "keeping a copy of %s", mp->path);
	if (st.st_ino != mp->ino)
		return err_set(c->err, -EAGAIN,
		    "%s was replaced while it was "
		    "being saved: save again",
		    mp->path);
	m.dev = st.st_dev;
	m.ino = st.st_ino;
	m.size = (uint64_t)st.st_size;
	m.mtime_ns = time_ns(st.st_mtim);
	m.ctime_ns = time_ns(st.st_ctim);
	if (!mp->writable) {
		r = objects_put(c->req->saved_dirfd, fd, &oid, c->err);
		if (r == -ENOSPC || r == -EDQUOT)
			return err_set(c->err, r,
			    "keeping a copy of %s (%llu KiB): %s: make room "
			    "there, sess -rm drops snapshots",
			    mp->path, (unsigned long long)m.size / 1024,
			    strerror(-r));
		if (r < 0)
			return r;
		o.hash_hi = oid.hash_hi;
		o.hash_lo = oid.hash_lo;
		o.size = oid.size;
		o.path = mp->path;
		r = image_put(w, IMG_OBJECT, id, &o.base, c->err);
		if (r < 0)
			return r;
		m.object = id;
	}
	return image_put(w, IMG_MAPPED, id, &m.base, c->err);
}
