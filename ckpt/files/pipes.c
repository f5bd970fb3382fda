/*
 * pipes.c - pipes and FIFOs (pipe(7), fifo(7)), with what is in them.
 *
 * Save: the content is duplicated by tee(2) into a pipe of our own, which
 * takes nothing away. It belongs to whoever reads: where nobody in the tree
 * does, it is left out. Revival: only the ends that the tree has are opened,
 * so that a pipe whose other end was outside gives end of file or EPIPE.
 * The two ends that pipe(2) gave are told from those that were opened through
 * /proc/self/fd by O_LARGEFILE, which open(2) alone sets; each of the latter
 * is opened so again, with a description of its own.
 */
#include "ckpt/files/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/scope.h"
#include "ckpt/content/content.h"
#include "ckpt/content/places.h"

#define KERNEL_O_LARGEFILE 0100000 /* asm-generic/fcntl.h; glibc has 0 */
#define PIPE_MAX (64u << 20)       /* beyond any F_SETPIPE_SZ that is allowed */

struct pipe {
	const struct file *f;  /* save: a description of it */
	const struct file *in; /* save: one that reads, or NULL */
	Img__Pipe rec;
	bool by_packet;    /* save: somebody writes with O_DIRECT */
	uint8_t *data;     /* owned */
	uint32_t *packets; /* owned */
	Img__Pipe *loaded; /* revival; owned */
	int ends[2];       /* revival: of our own; -1 */
};

struct pipes {
	struct pipe *v; /* id = index + 1 */
	size_t n, cap;
};

static struct pipe *
pipe_new(struct ckpt *c)
{
	struct files *fs = files_get(c);
	struct pipes *ps;

	if (fs != NULL && fs->pipes == NULL)
		fs->pipes = calloc(1, sizeof *fs->pipes);
	ps = fs != NULL ? fs->pipes : NULL;
	if (ps == NULL || array_room(&ps->v, ps->n, &ps->cap) < 0) {
		(void)err_set(c->err, -ENOMEM, "out of memory");
		return NULL;
	}
	ps->v[ps->n] = (struct pipe){ .ends = { -1, -1 } };
	img__pipe__init(&ps->v[ps->n].rec);
	return &ps->v[ps->n++];
}

void
pipes_free(struct pipes *ps)
{
	for (size_t i = 0; ps != NULL && i < ps->n; i++) {
		free(ps->v[i].data);
		free(ps->v[i].packets);
		scope_close(&ps->v[i].ends[0]);
		scope_close(&ps->v[i].ends[1]);
		if (ps->v[i].loaded != NULL)
			img__pipe__free_unpacked(ps->v[i].loaded, NULL);
	}
	if (ps != NULL)
		free(ps->v);
	free(ps);
}

/* ---- save ---- */

static bool
pipe_match(const struct file *f)
{
	return S_ISFIFO(f->st.st_mode) && f->link[0] != '/';
}

static bool
fifo_match(const struct file *f)
{
	return S_ISFIFO(f->st.st_mode) && f->link[0] == '/';
}

static bool
leads_there(const struct file *f)
{
	struct stat st;

	return lstat(f->link, &st) == 0 && st.st_ino == f->st.st_ino &&
	    st.st_dev == f->st.st_dev;
}

/* Find or make the pipe that F is an end of. */
static int
pipe_save(struct ckpt *c, struct file *f)
{
	struct pipes *ps = c->files->pipes;
	struct pipe *p = NULL;

	for (size_t i = 0; ps != NULL && p == NULL && i < ps->n; i++)
		if (ps->v[i].f->st.st_ino == f->st.st_ino &&
		    ps->v[i].f->st.st_dev == f->st.st_dev)
			p = &ps->v[i];
	if (p == NULL) {
		p = pipe_new(c);
		if (p == NULL)
			return -ENOMEM;
		p->f = f;
	}
	f->rec.object = (uint64_t)(p - c->files->pipes->v) + 1;
	if ((f->m->flags & O_ACCMODE) != O_WRONLY)
		p->in = f;
	p->by_packet = p->by_packet || (f->m->flags & O_DIRECT) != 0;
	return 0;
}

static int
fifo_save(struct ckpt *c, struct file *f)
{
	int r = pipe_save(c, f);

	f->rec.deleted = !leads_there(f);
	f->rec.volatile_place = place_is_volatile(f->link);
	if (r >= 0) {
		struct pipe *p = &c->files->pipes->v[f->rec.object - 1];

		p->rec.path = f->link;
		p->rec.mode = f->m->mode & 07777;
	}
	return r;
}

/* Read what was duplicated: with O_DIRECT in use, packet by packet. */
static int
take(struct ckpt *c, struct pipe *p, int from, size_t len)
{
	size_t done = 0, n_packets = 0;

	p->data = malloc(len);
	/* A packet takes a slot of a page at least. */
	p->packets = calloc(p->rec.size / 4096 + 1, sizeof *p->packets);
	if (p->data == NULL || p->packets == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	while (done < len && n_packets <= p->rec.size / 4096) {
		ssize_t n = read(from, p->data + done, len - done);

		if (n <= 0)
			return err_sys(c->err, "reading a copy of a pipe");
		p->packets[n_packets++] = (uint32_t)n;
		done += (size_t)n;
	}
	p->rec.data.data = p->data;
	p->rec.data.len = len;
	p->rec.packets = p->packets;
	p->rec.n_packets = n_packets > 1 || p->by_packet ? n_packets : 0;
	return done < len ? err_set(c->err, -EIO,
				"a pipe has more packets "
				"than room") :
			    0;
}

static int
duplicate(struct ckpt *c, struct pipe *p, int fd, size_t len)
{
	autoclose int in = -1, out = -1;
	int ends[2];
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(c->err, "making a pipe");
	in = ends[0];
	out = ends[1];
	if (fcntl(out, F_SETPIPE_SZ, (int)p->rec.size) < 0)
		return err_sys(c->err, "a pipe of %u bytes, to copy one",
		    p->rec.size);
	n = tee(fd, out, INT_MAX, SPLICE_F_NONBLOCK);
	if (n < 0 || (size_t)n != len)
		return err_set(c->err, -EIO,
		    "%s (pid %d): the content of %s "
		    "could not be copied (%zd of %zu bytes)",
		    p->f->task->comm, p->f->task->pid, p->f->link, n, len);
	return take(c, p, in, len);
}

static int
save_one(struct ckpt *c, struct pipe *p, uint64_t id)
{
	autoclose int fd = -1;
	int size, len = 0, r = 0;

	fd = file_pull(c, p->in != NULL ? p->in : p->f);
	if (fd < 0)
		return fd;
	size = fcntl(fd, F_GETPIPE_SZ);
	if (size < 0 || ioctl(fd, FIONREAD, &len) < 0)
		return err_sys(c->err, "%s (pid %d): asking about %s",
		    p->f->task->comm, p->f->task->pid, p->f->link);
	p->rec.size = (uint32_t)size;
	if (p->in != NULL && len > 0)
		r = duplicate(c, p, fd, (size_t)len);
	return r < 0 ? r : record_put(c, IMG_PIPE, id, &p->rec.base);
}

int
pipes_save(struct ckpt *c)
{
	struct pipes *ps = c->files->pipes;
	int r = 0;

	for (size_t i = 0; r >= 0 && ps != NULL && i < ps->n; i++)
		r = save_one(c, &ps->v[i], i + 1);
	return r;
}

/* ---- revival ---- */

static int
refill(struct ckpt *c, struct pipe *p)
{
	const Img__Pipe *m = p->loaded;
	size_t done = 0;
	int r = 0;

	if (m->n_packets > 0 &&
	    fcntl(p->ends[1], F_SETFL, O_DIRECT | O_NONBLOCK) < 0)
		return err_sys(c->err, "a pipe of packets");
	for (size_t i = 0; r >= 0 && i < m->n_packets; i++) {
		if (m->packets[i] > m->data.len - done)
			return err_set(c->err, -EBADMSG,
			    "the image's pipe makes no sense");
		r = io_write(p->ends[1], m->data.data + done, m->packets[i]);
		done += m->packets[i];
	}
	if (r >= 0 && done < m->data.len)
		r = io_write(p->ends[1], m->data.data + done,
		    m->data.len - done);
	return r < 0 ? err_num(c->err, r, "filling a pipe again") : 0;
}

/* Both ends in one description, which never waits: fifo(7). */
static int
make_fifo(struct ckpt *c, struct pipe *p)
{
	char path[PATH_MAX];
	size_t len = strlen(p->loaded->path);
	struct stat st;

	if (len > 10 && strcmp(p->loaded->path + len - 10, " (deleted)") == 0)
		len -= 10;
	(void)snprintf(path, sizeof path, "%.*s", (int)len, p->loaded->path);
	if (lstat(path, &st) < 0) {
		content_make_parents(path);
		if (mkfifo(path, p->loaded->mode & 07777) < 0)
			return err_sys(c->err, "making the FIFO %s again",
			    path);
		(void)chmod(path, p->loaded->mode & 07777);
	} else if (!S_ISFIFO(st.st_mode)) {
		return err_set(c->err, -EEXIST, "%s is no longer a FIFO", path);
	}
	p->ends[1] = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (p->ends[1] < 0)
		return err_sys(c->err, "opening the FIFO %s", path);
	if (len != strlen(p->loaded->path))
		(void)unlink(path);
	return 0;
}

static int
make_one(struct ckpt *c, struct pipe *p)
{
	int r = 0;

	if (p->loaded->size > PIPE_MAX)
		return err_set(c->err, -EBADMSG,
		    "the image's pipe makes no sense");
	if (p->loaded->path[0] != '\0')
		r = make_fifo(c, p);
	else if (pipe2(p->ends, O_CLOEXEC | O_NONBLOCK) < 0)
		r = err_sys(c->err, "making a pipe");
	if (r < 0)
		return r;
	if (fcntl(p->ends[1], F_GETPIPE_SZ) != (int)p->loaded->size &&
	    fcntl(p->ends[1], F_SETPIPE_SZ, (int)p->loaded->size) < 0)
		note(c, NULL, "a pipe is smaller than it was (%u bytes): %s",
		    p->loaded->size, strerror(errno));
	return refill(c, p);
}

int
pipes_make(struct ckpt *c)
{
	size_t n = image_count(c->img, IMG_PIPE);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct pipe *p = pipe_new(c);
		uint64_t id;

		if (p == NULL)
			return -ENOMEM;
		p->loaded = image_get(c->img, IMG_PIPE, i,
		    &img__pipe__descriptor, &id, c->err);
		if (p->loaded == NULL)
			return -EBADMSG;
		if (id != i + 1)
			return err_set(c->err, -EBADMSG,
			    "the image's pipes are out of order");
		r = make_one(c, p);
	}
	return r;
}

static int
pipe_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	struct pipes *ps = c->files->pipes;
	const struct pipe *p;
	char path[64];
	int end = (f->m->flags & O_ACCMODE) == O_WRONLY;

	if (ps == NULL || f->m->object == 0 || f->m->object > ps->n)
		return err_set(c->err, -EBADMSG, "the image lacks a pipe");
	p = &ps->v[f->m->object - 1];
	if (!(f->m->flags & KERNEL_O_LARGEFILE) && p->ends[end] >= 0) {
		*ret_fd = fcntl(p->ends[end], F_DUPFD_CLOEXEC, 0);
		return *ret_fd < 0 ? err_sys(c->err, "an end of a pipe") : 0;
	}
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", p->ends[1]);
	/* O_DIRECT is refused here and set by F_SETFL afterwards. */
	*ret_fd = open(path,
	    (file_open_flags(f) & ~(O_DIRECT | O_NOFOLLOW | O_APPEND)) |
		O_NONBLOCK);
	return *ret_fd < 0 ? err_sys(c->err, "opening an end of a pipe") : 0;
}

int
pipes_finish(struct ckpt *c)
{
	struct pipes *ps = c->files->pipes;

	for (size_t i = 0; ps != NULL && i < ps->n; i++) {
		scope_close(&ps->v[i].ends[0]);
		scope_close(&ps->v[i].ends[1]);
	}
	return 0;
}

const struct file_kind kind_pipe = {
	.name = "pipe",
	.match = pipe_match,
	.save = pipe_save,
	.open = pipe_open,
};

const struct file_kind kind_fifo = {
	.name = "fifo",
	.match = fifo_match,
	.save = fifo_save,
	.open = pipe_open,
};
