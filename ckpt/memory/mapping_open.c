/*
 * mapping_open.c - see mapping.h: the files and the shared memory that are to
 * be mapped, opened in the restorer before any task exists.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/files/files.h"
#include "ckpt/image/objects.h"
#include "ckpt/memory/load.h"
#include "ckpt/memory/mapping.h"

static bool
unchanged(const Img__Mapped *m, const struct stat *st)
{
	return st->st_ino == m->ino && (uint64_t)st->st_size == m->size &&
	    (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec ==
	    m->mtime_ns;
}

/*
 * The copy of M that is kept in objects/, as WHY says that M is no use. Its
 * length is always looked at, its content only where it is to be USED.
 */
static int
open_kept(struct ckpt *c, const Img__Mapped *m, const char *why, bool used)
{
	Img__Object *o;
	autoclose int fd = -1;
	struct object_id id;
	int r;

	o = image_find(c->img, IMG_OBJECT, m->object, &img__object__descriptor,
	    c->err);
	if (o == NULL)
		return image_damaged(c, "a kept file is not listed");
	id = (struct object_id){ .hash_hi = o->hash_hi,
		.hash_lo = o->hash_lo,
		.size = o->size };
	img__object__free_unpacked(o, NULL);
	r = objects_open(c->saved_dirfd, &id, &fd, c->err);
	if (r >= 0 && used)
		r = objects_verify(fd, &id, c->err);
	if (r == -ENOENT || r == -EBADMSG)
		return err_set(c->err, r,
		    "%s %s, and the copy that was kept of it is %s: put it "
		    "back as it was, or -relaunch starts the command again",
		    m->path, why, r == -ENOENT ? "gone" : "damaged");
	if (r < 0)
		return r;
	return TAKE_FD(fd);
}

/* Why FD, opened at the path of M, is no use; NULL: it is what M was. */
static const char *
is_no_use(const Img__Mapped *m, int fd)
{
	struct stat st;

	if (!m->writable &&
	    (fd < 0 || fstat(fd, &st) < 0 || !unchanged(m, &st)))
		return "has changed since";
	if (m->program &&
	    faccessat(fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) < 0)
		return "may not be executed any more";
	return NULL;
}

static int
look(struct ckpt *c, const Img__Mapped *m)
{
	autoclose int fd = -1, kept = -1;
	const char *why;

	fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	why = is_no_use(m, fd);
	if (why == NULL)
		return 0;
	kept = open_kept(c, m, why, false);
	return kept < 0 ? kept : 0;
}

int
mapping_look(struct ckpt *c)
{
	size_t n = image_count(c->img, IMG_MAPPED);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		Img__Mapped *m = image_get(c->img, IMG_MAPPED, i,
		    &img__mapped__descriptor, NULL, c->err);

		if (m == NULL)
			return -EBADMSG;
		if (!m->writable)
			r = look(c, m);
		img__mapped__free_unpacked(m, NULL);
	}
	return r;
}

static int
open_mapped(struct ckpt *c, const Img__Mapped *m, struct mapped *ret_mapped)
{
	autoclose int fd = -1;
	const char *why;

	fd = open(m->path,
	    (m->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	if (m->writable && fd < 0)
		return err_sys(c->err,
		    "opening %s, which a program had "
		    "mapped for writing",
		    m->path);
	why = is_no_use(m, fd);
	if (why != NULL) {
		scope_close(&fd);
		fd = open_kept(c, m, why, true);
		if (fd < 0)
			return fd;
		note(c, NULL, "%s %s: the kept copy is used", m->path, why);
	}
	ret_mapped->fd = file_inherit(c, TAKE_FD(fd));
	return ret_mapped->fd < 0 ? ret_mapped->fd : 0;
}

/* The deleted file behind M, its content back, if a task has it open. */
static int
open_deleted(struct ckpt *c, const Img__Shm *m)
{
	char path[64];

	for (size_t i = 0; c->files != NULL && i < c->files->n; i++) {
		const struct file *f = c->files->v[i];

		if (f->fd < 0 || f->m == NULL || !f->m->deleted ||
		    f->m->ino != m->ino || f->m->dev != m->dev || m->ino == 0)
			continue;
		(void)snprintf(path, sizeof path, "/proc/self/fd/%d", f->fd);
		return open(path, O_RDWR | O_CLOEXEC);
	}
	errno = ENOENT;
	return -1;
}

/* Seals that forbid what is still to be done to it. */
#define LATE_SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

static int
make_memfd(struct ckpt *c, const Img__Shm *m)
{
	char name[256] = "";
	int fd, r;

	memcpy(name, m->name.data,
	    m->name.len < sizeof name ? m->name.len : sizeof name - 1);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_sys(c->err, "making a memfd");
	r = load_file(c, fd, m->len, m->pages, m->n_pages);
	if (r >= 0 && ftruncate(fd, (off_t)m->size) < 0)
		r = err_sys(c->err, "making a memfd");
	if (r >= 0 && m->mode != 0)
		(void)fchmod(fd, m->mode & 07777);
	if (r >= 0 && (m->seals & ~(uint32_t)LATE_SEALS) != 0 &&
	    fcntl(fd, F_ADD_SEALS, m->seals & ~(uint32_t)LATE_SEALS) < 0)
		r = err_sys(c->err, "sealing a memfd");
	if (r < 0)
		(void)close(fd);
	return r < 0 ? r : fd;
}

static int
make_shared(struct ckpt *c, const Img__Shm *m)
{
	int fd = open_deleted(c, m), r;

	if (fd >= 0)
		return fd;
	fd = memfd_create("sess-shared", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)m->len) < 0)
		return err_sys(c->err, "making shared memory");
	r = load_file(c, fd, m->len, m->pages, m->n_pages);
	if (r < 0)
		(void)close(fd);
	return r < 0 ? r : fd;
}

static int
open_shm(struct ckpt *c, const Img__Shm *m, struct shm *ret_shm)
{
	int fd;

	if (m->len % IMAGE_PAGE != 0 || m->len > (UINT64_C(1) << 46) ||
	    m->size > m->len)
		return image_damaged(c, "shared memory of an impossible size");
	fd = m->memfd ? make_memfd(c, m) : make_shared(c, m);
	if (fd < 0)
		return fd;
	ret_shm->len = m->len;
	ret_shm->seals = m->seals;
	ret_shm->fd = file_inherit(c, fd);
	return ret_shm->fd < 0 ? ret_shm->fd : 0;
}

int
mapping_open_shm(struct ckpt *c, uint64_t id)
{
	Img__Shm *m;
	int r;

	if (c->shms[id - 1].fd >= 0)
		return 0;
	m = image_find(c->img, IMG_SHM, id, &img__shm__descriptor, c->err);
	if (m == NULL)
		return -EBADMSG;
	r = open_shm(c, m, &c->shms[id - 1]);
	img__shm__free_unpacked(m, NULL);
	return r;
}

void
mapping_seal(struct ckpt *c)
{
	for (size_t i = 0; i < c->n_shms; i++)
		if ((c->shms[i].seals & LATE_SEALS) != 0 &&
		    fcntl(c->shms[i].fd, F_ADD_SEALS, c->shms[i].seals) < 0)
			note(c, NULL, "a memfd is not sealed as it was: %s",
			    strerror(errno));
}

int
mapping_open(struct ckpt *c)
{
	size_t n_mapped = image_count(c->img, IMG_MAPPED);
	size_t n_shms = image_count(c->img, IMG_SHM);
	int r = 0;

	c->mapped = calloc(n_mapped + 1, sizeof *c->mapped);
	c->shms = calloc(n_shms + 1, sizeof *c->shms);
	if (c->mapped == NULL || c->shms == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; r >= 0 && i < n_mapped; i++) {
		Img__Mapped *m = image_find(c->img, IMG_MAPPED, i + 1,
		    &img__mapped__descriptor, c->err);

		if (m == NULL)
			return -EBADMSG;
		c->mapped[i].writable = m->writable;
		if (!m->writable)
			r = open_mapped(c, m, &c->mapped[i]);
		c->n_mapped++;
		img__mapped__free_unpacked(m, NULL);
	}
	c->n_shms = n_shms;
	for (size_t i = 0; i < n_shms; i++)
		c->shms[i].fd = c->shms[i].source = -1;
	return r;
}

static int
open_writable(struct ckpt *c, size_t i)
{
	Img__Mapped *m = image_find(c->img, IMG_MAPPED, i + 1,
	    &img__mapped__descriptor, c->err);
	int r;

	if (m == NULL)
		return -EBADMSG;
	r = open_mapped(c, m, &c->mapped[i]);
	img__mapped__free_unpacked(m, NULL);
	return r;
}

int
mapping_open_shared(struct ckpt *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_mapped; i++)
		if (c->mapped[i].writable)
			r = open_writable(c, i);
	for (size_t i = 0; r >= 0 && i < c->n_shms; i++)
		r = mapping_open_shm(c, i + 1);
	return r;
}
