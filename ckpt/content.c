/*
 * content.c - see content.h.
 */
#include "ckpt/content.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/io.h"
#include "base/scope.h"
#include "config.h"

/* Bytes copied in all while the tree is stopped: 0.3 ms when cached. */
#define COPY_STOPPED (1u << 20)
#define COPY_LEN (1u << 20) /* bytes moved at once at revival */

struct content {
	const struct file *f; /* save: one that has it */
	int fd;               /* save: to read from; revival: of a deleted
	                         one; -1 */
	uint8_t *copy;        /* save: taken in the stop; owned */
	bool grows;           /* save: whoever writes stands at its end */
	bool stays;           /* save: what fd leads to cannot change */
	bool wanted;          /* revival */
	Img__Content rec;     /* save */
	Img__Content *loaded; /* revival; owned */
};

struct contents {
	struct content *v; /* id = index + 1 */
	size_t n, cap;
	uint64_t bytes; /* save: of those that count against the bound */
};

static struct contents *
contents_get(struct ckpt *c)
{
	struct files *fs = files_get(c);

	if (fs == NULL)
		return NULL;
	if (fs->contents == NULL)
		fs->contents = calloc(1, sizeof *fs->contents);
	if (fs->contents == NULL)
		(void)err_set(c->err, -ENOMEM, "out of memory");
	return fs->contents;
}

static struct content *
content_new(struct ckpt *c)
{
	struct contents *cs = contents_get(c);

	if (cs == NULL)
		return NULL;
	if (cs->n == cs->cap) {
		size_t cap = cs->cap == 0 ? 16 : cs->cap * 2;
		void *p = reallocarray(cs->v, cap, sizeof *cs->v);

		if (p == NULL) {
			(void)err_set(c->err, -ENOMEM, "out of memory");
			return NULL;
		}
		cs->v = p;
		cs->cap = cap;
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
		if (cs->v[i].loaded != NULL)
			img__content__free_unpacked(cs->v[i].loaded, NULL);
	}
	free(cs->v);
	free(cs);
}

/* Systems empty these at boot, whatever file system they are on. */
bool
content_is_volatile(const char *path)
{
	static const char *const places[] = { "/tmp/", "/run/", "/var/run/",
		"/dev/shm/" };
	struct statfs fs;

	for (size_t i = 0; i < N_ELEMENTS(places); i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return true;
	return statfs(path, &fs) == 0 &&
	    (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* ---- save ---- */

static struct content *
find_inode(struct contents *cs, const struct file *f, uint64_t *ret_id)
{
	for (size_t i = 0; i < cs->n; i++)
		if (cs->v[i].f->st.st_ino == f->st.st_ino &&
		    cs->v[i].f->st.st_dev == f->st.st_dev) {
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

int
content_keep(struct ckpt *c, struct file *f)
{
	struct contents *cs = contents_get(c);
	struct content *n;
	Img__Content *m;
	uint64_t id;
	int fd;

	if (cs == NULL)
		return -ENOMEM;
	n = find_inode(cs, f, &id);
	if (n != NULL) {
		n->grows = n->grows && (!writes(f) || f->m->pos >= f->m->size);
		f->rec.content = id;
		return 0;
	}
	if (!f->m->deleted && cs->bytes + f->m->size > KEEP_FILES_BYTES) {
		note(c, f->task,
		    "%s is too large to be kept in the image: "
		    "revival needs it as it is now",
		    f->link);
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
	n = content_new(c);
	if (n == NULL) {
		(void)close(fd);
		return -ENOMEM;
	}
	n->f = f;
	n->fd = fd;
	n->grows = !writes(f) || f->m->pos >= f->m->size;
	if (!f->m->deleted)
		cs->bytes += f->m->size;
	m = &n->rec;
	m->size = f->m->size;
	m->mtime_ns = f->m->mtime_ns;
	m->mode = f->m->mode & 07777;
	m->uid = f->st.st_uid;
	m->gid = f->st.st_gid;
	m->path = f->m->path;
	m->deleted = f->m->deleted;
	m->volatile_place = f->m->volatile_place;
	f->rec.content = cs->n;
	return 0;
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
	void *p;

	if (last != NULL && last->page + last->n_pages == page &&
	    last->start + last->n_pages * IMAGE_PAGE == off) {
		last->n_pages += n_pages;
		return 0;
	}
	if (rs->n == rs->cap) {
		size_t cap = rs->cap == 0 ? 8 : rs->cap * 2;

		p = reallocarray(rs->v, cap, sizeof *rs->v);
		if (p == NULL)
			return -ENOMEM;
		rs->v = p;
		rs->cap = cap;
	}
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
	return !n->grows &&
	    st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec !=
	    n->rec.mtime_ns;
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

/* ---- revival ---- */

int
contents_load(struct ckpt *c)
{
	size_t n = image_count(c->img, IMG_CONTENT);

	for (size_t i = 0; i < n; i++) {
		struct content *k = content_new(c);
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
	char dir[PATH_MAX];

	if (!content_is_volatile(path) || strlen(path) >= sizeof dir)
		return;
	(void)strcpy(dir, path);
	for (char *p = strchr(dir + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdir(dir, 0700);
		*p = '/';
	}
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

		if (run->kind != IMG__PAGE_RUN__KIND__HERE ||
		    run->n_pages > INT64_MAX / IMAGE_PAGE / 2 ||
		    run->start > INT64_MAX / 2)
			return err_set(c->err, -EBADMSG,
			    "the image's copy of %s makes no sense", m->path);
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

/* A name beside PATH for what is there now: PATH.sess-DATE. */
static void
aside_name(const char *path, int turn, char *ret_name, size_t cap)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[32] = "";

	if (localtime_r(&now, &tm) != NULL)
		(void)strftime(date, sizeof date, "%Y%m%d-%H%M%S", &tm);
	if (turn == 0)
		(void)snprintf(ret_name, cap, "%s.sess-%s", path, date);
	else
		(void)snprintf(ret_name, cap, "%s.sess-%s.%d", path, date,
		    turn);
}

static int
set_aside(struct ckpt *c, const char *path)
{
	char name[PATH_MAX + 64];

	for (int turn = 0; turn < 100; turn++) {
		aside_name(path, turn, name, sizeof name);
		if (renameat2(AT_FDCWD, path, AT_FDCWD, name,
			RENAME_NOREPLACE) == 0) {
			note(c, NULL,
			    "%s had changed since the save: it is "
			    "now %s, and the saved one is in its place",
			    path, name);
			return 0;
		}
		if (errno == ENOENT)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return err_sys(c->err, "setting %s aside as %s", path, name);
}

static int
put_back(struct ckpt *c, struct image_pages *pages, const Img__Content *m)
{
	char name[PATH_MAX + 64];
	autoclose int fd = -1;
	int r;

	content_make_parents(m->path);
	(void)snprintf(name, sizeof name, "%s.sess-%d", m->path, getpid());
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(c->err, "putting back %s", m->path);
	r = fill(c, pages, m, fd);
	if (r >= 0)
		r = set_aside(c, m->path);
	if (r >= 0 && rename(name, m->path) < 0)
		r = err_sys(c->err, "putting back %s", m->path);
	if (r < 0)
		(void)unlink(name);
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
	char path[PATH_MAX], name[PATH_MAX + 64];

	plain_path(n->loaded->path, path, sizeof path);
	content_make_parents(path);
	(void)snprintf(name, sizeof name, "%s", path);
	n->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (n->fd < 0 && errno == EEXIST) {
		(void)snprintf(name, sizeof name, "%s.sess-%d", path, getpid());
		n->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (n->fd >= 0)
		(void)unlink(name);
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
	r = image_pages_open(c->img, &pages, c->err);
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < cs->n; i++) {
		struct content *n = &cs->v[i];

		if (n->loaded->deleted)
			r = make_deleted(c, pages, n);
		else if (n->wanted)
			r = put_back(c, pages, n->loaded);
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
