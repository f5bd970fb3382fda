/*
 * content.c - see content.h.
 */
#include "ckpt/content/content_table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/scope.h"
#include "ckpt/content/places.h"
#include "config.h"

/* Bytes copied in all while the tree is stopped: 0.3 ms when cached. */
#define COPY_STOPPED (1u << 20)
#define SPARED_MAX (1u << 20)
#define BUSY_S 60 /* files written to so lately are copied in it anyway */

struct contents *
contents_get(struct ckpt *c)
{
	struct files *fs = files_get(c);

	if (fs == NULL)
		return NULL;
	if (fs->contents == NULL) {
		fs->contents = calloc(1, sizeof *fs->contents);
		if (fs->contents == NULL)
			(void)err_set(c->err, -ENOMEM, "out of memory");
		else
			fs->contents->spared = BUF_INIT(SPARED_MAX);
	}
	return fs->contents;
}

struct content *
contents_add(struct ckpt *c)
{
	struct contents *cs = contents_get(c);

	if (cs == NULL)
		return NULL;
	if (array_room(&cs->v, cs->n, &cs->cap) < 0) {
		(void)err_set(c->err, -ENOMEM, "out of memory");
		return NULL;
	}
	cs->v[cs->n] = (struct content){ .fd = -1 };
	img__content__init(&cs->v[cs->n].rec);
	return &cs->v[cs->n++];
}

void
contents_free(struct contents *cs)
{
	if (cs == NULL)
		return;
	for (size_t i = 0; i < cs->n; i++) {
		scope_close(&cs->v[i].fd);
		free(cs->v[i].copy);
		free(cs->v[i].aside);
		if (cs->v[i].loaded != NULL)
			img__content__free_unpacked(cs->v[i].loaded, NULL);
	}
	buf_done(&cs->spared);
	free(cs->v);
	free(cs);
}

/* ---- save ---- */

static struct content *
find_inode(struct contents *cs, dev_t dev, ino_t ino, uint64_t *ret_id)
{
	for (size_t i = 0; i < cs->n; i++)
		if (cs->v[i].ino == ino && cs->v[i].dev == dev) {
			*ret_id = i + 1;
			return &cs->v[i];
		}
	return NULL;
}

static bool
writes(const struct file *f)
{
	return (f->m->flags & O_ACCMODE) != O_RDONLY;
}

static int64_t
mtime_ns(const struct stat *st)
{
	return st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
}

/* A new one of what FD, which becomes its own, is open on; NULL: told. */
static struct content *
add(struct ckpt *c, int fd, const struct stat *st, char *path, bool deleted)
{
	struct content *n = contents_add(c);
	Img__Content *m;

	if (n == NULL) {
		(void)close(fd);
		return NULL;
	}
	n->fd = fd;
	n->dev = st->st_dev;
	n->ino = st->st_ino;
	m = &n->rec;
	m->size = (uint64_t)st->st_size;
	m->ino = st->st_ino;
	m->mtime_ns = mtime_ns(st);
	m->mode = st->st_mode & 07777;
	m->uid = st->st_uid;
	m->gid = st->st_gid;
	m->path = path;
	m->deleted = deleted;
	m->volatile_place = !deleted && place_is_volatile(path);
	if (!deleted)
		c->files->contents->bytes += m->size;
	return n;
}

static void
too_large(struct ckpt *c, const char *path)
{
	note_once(c,
	    "%s is too large to be kept in the image: revival needs it as it "
	    "is now",
	    path);
}

/* Would SIZE bytes more be too many? */
static bool
is_beyond(const struct ckpt *c, uint64_t size)
{
	return !c->req->with_files &&
	    c->files->contents->bytes + size > KEEP_FILES_BYTES;
}

void
content_check(struct ckpt *c, const struct file *f)
{
	if (f->m->size > KEEP_FILES_BYTES)
		too_large(c, f->link);
}

int
content_keep(struct ckpt *c, struct file *f)
{
	struct contents *cs = contents_get(c);
	struct content *n;
	uint64_t id;
	int fd;

	if (cs == NULL)
		return -ENOMEM;
	n = find_inode(cs, f->st.st_dev, f->st.st_ino, &id);
	if (n != NULL) {
		n->grows = n->grows && (!writes(f) || f->m->pos >= f->m->size);
		f->rec.content = id;
		return 0;
	}
	if (!f->m->deleted && is_beyond(c, f->m->size)) {
		too_large(c, f->link);
		return 0;
	}
	fd = file_reopen(f, O_RDONLY | O_NONBLOCK);
	if (fd < 0) {
		note(c, f->task,
		    "%s cannot be read, so it is not kept in "
		    "the image",
		    f->link);
		return 0;
	}
	n = add(c, fd, &f->st, f->m->path, f->m->deleted);
	if (n == NULL)
		return -ENOMEM;
	n->grows = !writes(f) || f->m->pos >= f->m->size;
	f->rec.content = cs->n;
	return 0;
}

int
content_keep_path(struct ckpt *c, char *path, const struct stat *st,
    uint64_t *ret_id)
{
	struct contents *cs = contents_get(c);
	autoclose int fd = -1;
	struct stat now;

	*ret_id = 0;
	if (cs == NULL)
		return -ENOMEM;
	if (find_inode(cs, st->st_dev, st->st_ino, ret_id) != NULL)
		return 0;
	if (is_beyond(c, (uint64_t)st->st_size)) {
		too_large(c, path);
		return 0;
	}
	fd = open(path,
	    O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &now) < 0 || now.st_ino != st->st_ino ||
	    !S_ISREG(now.st_mode)) {
		note(c, NULL,
		    "%s cannot be read, so it is not kept in the image", path);
		return 0;
	}
	if (add(c, TAKE_FD(fd), &now, path, false) == NULL)
		return -ENOMEM;
	*ret_id = cs->n;
	return 0;
}

/* Keep MP, which is mapped shared for writing. */
static int
keep_mapped(struct ckpt *c, struct mapped *mp)
{
	struct content *n;
	struct stat st;
	int r;

	if (stat(mp->path, &st) < 0 || st.st_ino != mp->ino)
		return 0; /* the writer will tell */
	r = content_keep_path(c, mp->path, &st, &mp->content);
	if (r >= 0 && mp->content != 0) {
		n = &c->files->contents->v[mp->content - 1];
		n->now = true;
		n->rec.mapped = true;
	}
	return r;
}

int
contents_keep_mapped(struct ckpt *c)
{
	struct content *n;
	uint64_t id;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->n_mapped; i++)
		if (c->mapped[i].writable)
			r = keep_mapped(c, &c->mapped[i]);
	for (size_t i = 0;
	     r >= 0 && c->files->contents != NULL && i < c->n_shms; i++) {
		n = find_inode(c->files->contents, c->shms[i].dev,
		    c->shms[i].ino, &id);
		if (n != NULL)
			n->now = true;
	}
	return r;
}

/* Copy N into memory. What is shorter than it was said is zeros at the end. */
static int
copy_now(struct ckpt *c, struct content *n)
{
	int r;

	n->copy = calloc(1, n->rec.size + 1);
	if (n->copy == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	r = io_pread(n->fd, n->copy, n->rec.size, 0);
	if (r < 0 && r != -ENODATA)
		return err_num(c->err, r, "reading %s", n->rec.path);
	return 0;
}

/* Let n->fd lead to a clone that nobody changes. */
static void
clone_now(struct ckpt *c, struct content *n)
{
	autoclose int fd = -1;

	fd = openat(c->req->saved_dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
	    0600);
	if (fd < 0 || ioctl(fd, FICLONE, n->fd) < 0)
		return;
	(void)close(n->fd);
	n->fd = TAKE_FD(fd);
	n->stays = true;
}

/* Has it been written to a moment ago? Then it will be again. */
static bool
is_busy(const struct content *n)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return n->rec.size <= KEEP_FILES_BYTES &&
	    now.tv_sec - n->rec.mtime_ns / 1000000000 < BUSY_S;
}

int
contents_take(struct ckpt *c)
{
	struct contents *cs = c->files->contents;
	uint64_t left = COPY_STOPPED;
	int r = 0;

	for (size_t i = 0; r >= 0 && cs != NULL && i < cs->n; i++) {
		struct content *n = &cs->v[i];

		if (c->req != NULL && c->req->stop) {
			n->stays = true;
		} else if (n->now || is_busy(n)) {
			r = copy_now(c, n);
		} else if (n->rec.size <= left) {
			left -= n->rec.size;
			r = copy_now(c, n);
		} else if (c->req != NULL) {
			clone_now(c, n);
		}
	}
	return r;
}

/* Up to LEN bytes of N from OFF, padded with zeros. */
static int
read_at(const struct content *n, uint64_t off, uint8_t *to, size_t len)
{
	uint64_t left = n->rec.size - off;
	size_t want = left < len ? (size_t)left : len;
	int r = 0;

	memset(to + want, 0, len - want);
	if (n->copy != NULL)
		memcpy(to, n->copy + off, want);
	else
		r = io_pread(n->fd, to, want, off);
	return r == -ENODATA ? 0 : r; /* it has shrunk: torn */
}

/* From OFF on, where data begins and ends; sparse files are not blown up. */
static void
find_data(const struct content *n, uint64_t off, uint64_t *ret_from,
    uint64_t *ret_to)
{
	off_t from, to;

	*ret_from = off;
	*ret_to = n->rec.size;
	if (n->copy != NULL)
		return;
	from = lseek(n->fd, (off_t)off, SEEK_DATA);
	if (from < 0 && errno == ENXIO)
		*ret_from = n->rec.size;
	if (from < 0)
		return;
	*ret_from = (uint64_t)from & ~(uint64_t)(IMAGE_PAGE - 1);
	to = lseek(n->fd, from, SEEK_HOLE);
	if (to > from && (uint64_t)to < *ret_to)
		*ret_to = (uint64_t)to;
}

/* The runs of one content; owned. */
struct runs {
	Img__PageRun *v;
	Img__PageRun **p;
	size_t n, cap;
};

static int
add_run(struct runs *rs, uint64_t off, uint64_t n_pages, uint64_t page)
{
	Img__PageRun *last = rs->n > 0 ? &rs->v[rs->n - 1] : NULL;

	if (last != NULL && last->page + last->n_pages == page &&
	    last->start + last->n_pages * IMAGE_PAGE == off) {
		last->n_pages += n_pages;
		return 0;
	}
	if (array_room(&rs->v, rs->n, &rs->cap) < 0)
		return -ENOMEM;
	img__page_run__init(&rs->v[rs->n]);
	rs->v[rs->n].start = off;
	rs->v[rs->n].n_pages = n_pages;
	rs->v[rs->n].page = page;
	rs->n++;
	return 0;
}

/* Bytes FROM..TO of N into the page stream. */
static int
write_data(struct ckpt *c, struct image_writer *w, struct content *n,
    uint64_t from, uint64_t to, struct runs *rs)
{
	int r = 0;

	while (r >= 0 && from < to) {
		size_t len;
		uint64_t page;
		uint8_t *room = image_pages_room(w, &len);
		uint64_t want = (to - from + IMAGE_PAGE - 1) &
		    ~(uint64_t)(IMAGE_PAGE - 1);

		if (want < len)
			len = (size_t)want;
		r = read_at(n, from, room, len);
		if (r < 0)
			return err_num(c->err, r, "reading %s", n->rec.path);
		r = image_pages_fill(w, len, &page, c->err);
		if (r >= 0)
			r = add_run(rs, from, len / IMAGE_PAGE, page);
		from += len;
	}
	return r;
}

/* Was it changed since the stop, other than by growing? */
static bool
is_torn(const struct content *n)
{
	struct stat st;

	if (n->copy != NULL || n->stays)
		return false;
	if (fstat(n->fd, &st) < 0 || (uint64_t)st.st_size < n->rec.size)
		return true;
	return !n->grows && mtime_ns(&st) != n->rec.mtime_ns;
}

static int
write_one(struct ckpt *c, struct image_writer *w, struct content *n,
    uint64_t id)
{
	struct runs rs = { .v = NULL };
	uint64_t off = 0, to = 0;
	int r = 0;

	while (r >= 0 && off < n->rec.size) {
		find_data(n, off, &off, &to);
		r = write_data(c, w, n, off, to, &rs);
		off = to > off ? to : n->rec.size;
	}
	n->rec.torn = is_torn(n);
	if (n->rec.torn)
		note(c, NULL,
		    "%s was written to while it was being kept: a revival "
		    "needs it as it is now, or -force",
		    n->rec.path);
	rs.p = calloc(rs.n + 1, sizeof *rs.p);
	if (rs.p == NULL)
		r = err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; r >= 0 && i < rs.n; i++)
		rs.p[i] = &rs.v[i];
	n->rec.pages = rs.p;
	n->rec.n_pages = rs.n;
	if (r >= 0)
		r = record_put(c, IMG_CONTENT, id, &n->rec.base);
	n->rec.pages = NULL;
	n->rec.n_pages = 0;
	free(rs.v);
	free(rs.p);
	return r;
}

int
contents_write(struct ckpt *c, struct image_writer *w)
{
	struct contents *cs = c->files->contents;
	int r = 0;

	for (size_t i = 0; r >= 0 && cs != NULL && i < cs->n; i++)
		r = write_one(c, w, &cs->v[i], i + 1);
	return r;
}
