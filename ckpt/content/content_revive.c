/*
 * content_revive.c - the reviving side of content.h: a file is made complete
 * under a name of its own before it takes its place, and what is in its
 * place is never overwritten (content_aside.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/content/content_table.h"
#include "ckpt/content/places.h"

#define COPY_LEN (1u << 20) /* bytes moved at once */

int
contents_load(struct ckpt *c)
{
	size_t n = image_count(c->img, IMG_CONTENT);

	for (size_t i = 0; i < n; i++) {
		struct content *k = contents_add(c);
		uint64_t id;

		if (k == NULL)
			return -ENOMEM;
		k->loaded = image_get(c->img, IMG_CONTENT, i,
		    &img__content__descriptor, &id, c->err);
		if (k->loaded == NULL)
			return -EBADMSG;
		if (id != i + 1 || k->loaded->size > INT64_MAX ||
		    k->loaded->path[0] != '/')
			return err_set(c->err, -EBADMSG,
			    "the image's kept files make no sense");
	}
	return 0;
}

static bool
run_is_sane(const Img__PageRun *run)
{
	return run->kind == IMG__PAGE_RUN__KIND__HERE &&
	    run->n_pages <= INT64_MAX / IMAGE_PAGE / 2 &&
	    run->start <= INT64_MAX / 2;
}

static int
not_sane(struct ckpt *c, const Img__Content *m)
{
	return err_set(c->err, -EBADMSG,
	    "the image's copy of %s makes no sense", m->path);
}

static struct content *
find(const struct ckpt *c, uint64_t id)
{
	struct contents *cs = c->files->contents;

	return cs == NULL || id == 0 || id > cs->n ? NULL : &cs->v[id - 1];
}

const Img__Content *
content_find(const struct ckpt *c, uint64_t id)
{
	struct content *n = find(c, id);

	return n == NULL ? NULL : n->loaded;
}

/* What is in FD from OFF on, LEN bytes: is it DATA? */
static bool
same_bytes(int fd, uint64_t off, const uint8_t *data, size_t len, uint8_t *room)
{
	return io_pread(fd, room, len, off) == 0 &&
	    memcmp(room, data, len) == 0;
}

/* Bytes FROM..TO of FD are zeros: M has nothing there. */
static bool
is_hole(int fd, uint64_t from, uint64_t to, uint8_t *room, uint8_t *zeros)
{
	memset(zeros, 0, COPY_LEN);
	while (from < to) {
		size_t n = to - from < COPY_LEN ? to - from : COPY_LEN;

		if (!same_bytes(fd, from, zeros, n, room))
			return false;
		from += n;
	}
	return true;
}

/* 1: FD has what M has kept; 0: it has not. */
static int
compare(struct ckpt *c, struct image_pages *pages, const Img__Content *m,
    int fd)
{
	autofree uint8_t *data = malloc(COPY_LEN), *room = malloc(COPY_LEN);
	uint64_t at = 0;

	if (data == NULL || room == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < m->n_pages; i++) {
		const Img__PageRun *run = m->pages[i];

		if (!run_is_sane(run) || run->start < at)
			return not_sane(c, m);
		if (!is_hole(fd, at, run->start, room, data))
			return 0;
		at = run->start;
		for (uint64_t done = 0, n; done < run->n_pages; done += n) {
			uint64_t len;
			int r;

			n = run->n_pages - done;
			if (n > COPY_LEN / IMAGE_PAGE)
				n = COPY_LEN / IMAGE_PAGE;
			r = image_read_pages(pages, run->page + done, data, n,
			    c->err);
			if (r < 0)
				return r;
			len = n * IMAGE_PAGE;
			if (at + len > m->size)
				len = m->size > at ? m->size - at : 0;
			if (!same_bytes(fd, at, data, len, room))
				return 0;
			at += n * IMAGE_PAGE;
		}
	}
	return at >= m->size || is_hole(fd, at, m->size, room, data);
}

int
content_same(struct ckpt *c, uint64_t id)
{
	struct content *n = find(c, id);
	struct image_pages *pages;
	autoclose int fd = -1;
	struct stat st;
	int r;

	if (n == NULL || n->loaded->deleted || n->loaded->torn)
		return 0;
	fd = open(n->loaded->path,
	    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != n->loaded->size)
		return 0;
	r = image_pages_open(c->img, &pages, c->err);
	if (r < 0)
		return r;
	r = compare(c, pages, n->loaded, fd);
	image_pages_close(pages);
	return r;
}

void
content_want(struct ckpt *c, uint64_t id)
{
	struct content *n = find(c, id);

	if (n != NULL)
		n->wanted = true;
}

void
content_make_parents(const char *path)
{
	const char *name;
	int fd;

	if (!place_is_volatile(path))
		return;
	fd = place_open_parent(path, true, &name);
	if (fd >= 0)
		(void)close(fd);
}

static int
fill(struct ckpt *c, struct image_pages *pages, const Img__Content *m, int fd)
{
	autofree uint8_t *data = malloc(COPY_LEN);
	struct timespec times[2];
	int r = 0;

	if (data == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; r >= 0 && i < m->n_pages; i++) {
		const Img__PageRun *run = m->pages[i];
		uint64_t done = 0;

		if (!run_is_sane(run))
			return not_sane(c, m);
		while (r >= 0 && done < run->n_pages) {
			uint64_t n = run->n_pages - done;

			if (n > COPY_LEN / IMAGE_PAGE)
				n = COPY_LEN / IMAGE_PAGE;
			r = image_read_pages(pages, run->page + done, data, n,
			    c->err);
			if (r < 0)
				return r;
			r = io_pwrite(fd, data, n * IMAGE_PAGE,
			    run->start + done * IMAGE_PAGE);
			done += n;
		}
	}
	if (r >= 0 && ftruncate(fd, (off_t)m->size) < 0)
		r = -errno;
	if (r < 0)
		return err_num(c->err, r, "putting back %s", m->path);
	(void)!fchown(fd, m->uid, m->gid); /* root alone can */
	(void)fchmod(fd, m->mode & 07777);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_sec = m->mtime_ns / 1000000000;
	times[1].tv_nsec = m->mtime_ns % 1000000000;
	(void)futimens(fd, times);
	return 0;
}

/* What is to be done about M, which was mapped for writing. */
static int
plan_mapped(struct ckpt *c, const Img__Mapped *m)
{
	struct buf *refused = &c->files->refused;
	struct content *n = find(c, m->content);
	struct stat st;
	int r;

	if (n == NULL && stat(m->path, &st) == 0 &&
	    (uint64_t)st.st_size == m->size &&
	    st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec ==
		m->mtime_ns)
		return 0;
	r = n == NULL || n->wanted ? 0 : content_same(c, m->content);
	if (r != 0)
		return r < 0 ? r : 0;
	if (n != NULL && !n->loaded->torn)
		n->wanted = true;
	else
		(void)buf_printf(refused,
		    "%sthe file %s, which was mapped for writing, has changed "
		    "since the save: put the old one back and revive again",
		    refused->len > 0 ? "; " : "", m->path);
	return 0;
}

int
contents_plan_mapped(struct ckpt *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < image_count(c->img, IMG_MAPPED); i++) {
		Img__Mapped *m = image_get(c->img, IMG_MAPPED, i,
		    &img__mapped__descriptor, NULL, c->err);

		if (m == NULL)
			return -EBADMSG;
		if (m->writable)
			r = plan_mapped(c, m);
		img__mapped__free_unpacked(m, NULL);
	}
	return r;
}

static int
put_back(struct ckpt *c, struct image_pages *pages, struct content *n)
{
	const Img__Content *m = n->loaded;
	autoclose int dirfd = -1, fd = -1;
	char name[PATH_MAX + 64];
	const char *base;
	int r;

	dirfd = place_open_parent(m->path, true, &base);
	if (dirfd == -ENOENT && c->force)
		return 0; /* who opens it gets /dev/null */
	if (dirfd == -ENOENT)
		return err_set(c->err, dirfd,
		    "the directory of %s is gone: make it again and revive "
		    "again (-force revives all the same)",
		    m->path);
	if (dirfd < 0)
		return err_num(c->err, dirfd, "putting back %s", m->path);
	(void)snprintf(name, sizeof name, "%s.sess-%d", base, getpid());
	fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(c->err, "putting back %s", m->path);
	r = fill(c, pages, m, fd);
	if (r >= 0)
		r = content_place(c, n, &(struct spot){ dirfd, base }, fd,
		    name);
	if (r < 0)
		(void)unlinkat(dirfd, name, 0);
	return r;
}

/* Without " (deleted)", which d_path() appends (kernel: fs/d_path.c). */
static void
plain_path(const char *path, char *ret_path, size_t cap)
{
	size_t len = strlen(path);

	if (len > 10 && strcmp(path + len - 10, " (deleted)") == 0)
		len -= 10;
	(void)snprintf(ret_path, cap, "%.*s", (int)len, path);
}

/* A file without a name, under its old name where that is free. */
static int
make_deleted(struct ckpt *c, struct image_pages *pages, struct content *n)
{
	enum { FLAGS = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC };
	char path[PATH_MAX], name[PATH_MAX + 64];
	autoclose int dirfd = -1;
	const char *base;

	plain_path(n->loaded->path, path, sizeof path);
	dirfd = place_open_parent(path, false, &base);
	if (dirfd >= 0) {
		(void)snprintf(name, sizeof name, "%s", base);
		n->fd = openat(dirfd, name, FLAGS, 0600);
		if (n->fd < 0 && errno == EEXIST) {
			(void)snprintf(name, sizeof name, "%s.sess-%d", base,
			    getpid());
			n->fd = openat(dirfd, name, FLAGS, 0600);
		}
	}
	if (n->fd >= 0)
		(void)unlinkat(dirfd, name, 0);
	else
		n->fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (n->fd < 0)
		return err_sys(c->err, "making the deleted file %s again",
		    path);
	if (n->loaded->torn)
		note(c, NULL, "%s was being written to while it was saved",
		    n->loaded->path);
	return fill(c, pages, n->loaded, n->fd);
}

int
contents_restore(struct ckpt *c)
{
	struct contents *cs = c->files->contents;
	struct image_pages *pages;
	int r;

	if (cs == NULL || cs->n == 0)
		return 0;
	contents_want_whole(c);
	r = image_pages_open(c->img, &pages, c->err);
	if (r < 0)
		return r;
	/* Journals go aside under the names of what they belong to: later. */
	for (size_t i = 0; r >= 0 && i < cs->n * 2; i++) {
		struct content *n = &cs->v[i % cs->n];

		if ((content_owner(cs, n) != NULL) != (i >= cs->n))
			continue;
		if (n->loaded->deleted)
			r = make_deleted(c, pages, n);
		else if (n->wanted)
			r = put_back(c, pages, n);
	}
	image_pages_close(pages);
	return r;
}

int
content_open(struct ckpt *c, uint64_t id, int flags, int *ret_fd)
{
	struct content *n = find(c, id);
	char path[64];

	if (n == NULL || n->fd < 0)
		return err_set(c->err, -EBADMSG,
		    "the image lacks the content of a deleted file");
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", n->fd);
	*ret_fd = open(path, flags & ~O_NOFOLLOW);
	return *ret_fd < 0 ? err_sys(c->err, "opening %s", n->loaded->path) : 0;
}
