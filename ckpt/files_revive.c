/*
 * files_revive.c - the reviving side of files.h.
 *
 * In the restorer: load all descriptions, let each kind say what stands in
 * the way (nothing has been changed yet), put kept contents back, open. In
 * each task: one batch that drops what the restorer had in its low numbers
 * and puts the inherited descriptions where they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/content.h"
#include "ckpt/files_table.h"
#include "ckpt/inotify.h"
#include "ckpt/locks.h"
#include "ckpt/pipes.h"
#include "ckpt/sockets.h"
#include "ckpt/ttys.h"

#define BATCH 128            /* operations at once */
#define OURS 64              /* numbers left to the restorer itself */
#define LIMIT_MAX (1u << 20) /* numbers looked at: fs.nr_open of most */

/* Flags that fcntl(F_SETFL) can change. */
#define SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

void
files_refuse(struct ckpt *c, const struct file *f, const char *fmt, ...)
{
	struct buf *b = &c->files->refused;
	const struct fd_table *tab;
	const struct task *t = NULL;
	char text[ERR_MAX];
	va_list ap;
	int fd = -1;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	tab = fd_table_holder(c->files, f, &fd);
	if (tab != NULL)
		t = task_find(c, tab->vpid);
	if (b->len > 0)
		(void)buf_printf(b, "\n");
	(void)buf_printf(b, "%s (pid %d): descriptor %d: %s",
	    t != NULL ? t->comm : "?", tab != NULL ? tab->vpid : 0, fd, text);
}

int
file_open_flags(const struct file *f)
{
	int keep = O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC |
	    O_DIRECT | O_NOFOLLOW | O_NOATIME | O_PATH;

	if (S_ISDIR(f->m->mode))
		keep |= O_DIRECTORY;
	return ((int)f->m->flags & keep) | O_CLOEXEC | O_NOCTTY;
}

static const struct file_kind *
kind_named(const char *name)
{
	for (size_t i = 0; file_kinds[i] != NULL; i++)
		if (strcmp(file_kinds[i]->name, name) == 0)
			return file_kinds[i];
	return NULL;
}

static int
load_one(struct ckpt *c, size_t i)
{
	struct files *fs = c->files;
	struct file *f;
	uint64_t id;

	f = calloc(1, sizeof *f);
	if (f == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	f->fd = f->relay[0] = f->relay[1] = -1;
	f->loaded = image_get(c->img, IMG_FILE, i, &img__file__descriptor, &id,
	    c->err);
	if (f->loaded == NULL || id != i + 1) {
		if (f->loaded != NULL)
			(void)err_set(c->err, -EBADMSG,
			    "the image's open files are out of order");
		file_free(f);
		return -EBADMSG;
	}
	f->id = id;
	f->m = f->loaded;
	fs->v[fs->n++] = f;
	f->kind = kind_named(f->m->kind);
	if (f->kind == NULL)
		return err_set(c->err, -ENOTSUP,
		    "the image has an open file "
		    "of kind \"%.32s\", which this version of sess does not "
		    "know",
		    f->m->kind);
	return 0;
}

static int
load(struct ckpt *c)
{
	struct files *fs = files_get(c);
	size_t n = image_count(c->img, IMG_FILE);
	int r = 0;

	if (fs == NULL)
		return -ENOMEM;
	fs->v = calloc(n + 1, sizeof *fs->v);
	if (fs->v == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	fs->cap = n + 1;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = load_one(c, i);
	return r < 0 ? r : fd_tables_load(c);
}

static bool
is_late(const struct file *f)
{
	return f->kind->late != NULL && f->kind->late(f);
}

/* A way from holder to holder, where a late one has several. */
static int
make_relay(struct ckpt *c, struct file *f)
{
	int pair[2];

	if (f->n_left < 2)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(c->err, "socketpair");
	f->relay[0] = file_inherit(c, pair[0]);
	if (f->relay[0] < 0) {
		(void)close(pair[1]);
		return f->relay[0];
	}
	f->relay[1] = file_inherit(c, pair[1]);
	return f->relay[1] < 0 ? f->relay[1] : 0;
}

static int
open_one(struct ckpt *c, struct file *f)
{
	int fd, r;

	if (is_late(f))
		return make_relay(c, f);
	r = f->kind->open(c, f, &fd);
	if (r < 0)
		return r;
	if (!(f->m->flags & O_PATH)) {
		int flags = fcntl(fd, F_GETFL);
		int want = (flags & ~SETTABLE) | ((int)f->m->flags & SETTABLE);

		if (want != flags && fcntl(fd, F_SETFL, want) < 0)
			note(c, NULL,
			    "%s: its open flags could not all be "
			    "set again: %s",
			    f->m->path, strerror(errno));
	}
	f->fd = file_inherit(c, fd);
	return f->fd < 0 ? f->fd : locks_revive(c, f);
}

int
files_open(struct ckpt *c)
{
	struct files *fs;
	int r;

	r = load(c);
	if (r < 0)
		return r;
	fs = c->files;
	r = contents_load(c);
	for (size_t i = 0; r >= 0 && i < fs->n; i++)
		if (fs->v[i]->kind->plan != NULL)
			r = fs->v[i]->kind->plan(c, fs->v[i]);
	if (r >= 0 && fs->refused.len > 0)
		r = err_set(c->err, -ESTALE, "%.*s", (int)fs->refused.len,
		    (const char *)fs->refused.data);
	if (r >= 0)
		r = contents_restore(c);
	if (r >= 0)
		r = pipes_make(c);
	if (r >= 0)
		r = sockets_make(c);
	if (r >= 0)
		r = ttys_make(c);
	for (size_t i = 0; r >= 0 && i < fs->n; i++)
		r = open_one(c, fs->v[i]);
	if (r >= 0)
		r = pipes_finish(c);
	if (r >= 0)
		r = sockets_finish(c);
	if (r >= 0)
		inotify_finish(c);
	return r;
}

/* The numbers below LIMIT that some task has, one byte each. */
static int
find_used(struct ckpt *c, uint8_t *used, uint32_t limit)
{
	for (size_t i = 0; i < image_count(c->img, IMG_FILES); i++) {
		Img__Files *m;
		uint32_t fd = 0;

		m = image_get(c->img, IMG_FILES, i, &img__files__descriptor,
		    NULL, c->err);
		if (m == NULL)
			return -EBADMSG;
		for (size_t k = 0; k < m->n_fds; k++) {
			if (m->fds[k]->fd < limit)
				used[m->fds[k]->fd] = 1;
			else
				fd = m->fds[k]->fd;
		}
		img__files__free_unpacked(m, NULL);
		if (fd != 0)
			return err_set(c->err, -EMFILE,
			    "descriptor %u is in "
			    "use, but here the limit is %u (ulimit -n)",
			    fd, limit);
	}
	return 0;
}

/* How many numbers will be inherited at most; LEAVE for whoever else. */
static uint32_t
count_inherited(const struct ckpt *c)
{
	enum { LEAVE = 64 };

	return (uint32_t)(3 * image_count(c->img, IMG_FILE) +
	    2 * image_count(c->img, IMG_TTY) + image_count(c->img, IMG_MAPPED) +
	    image_count(c->img, IMG_SHM) + LEAVE);
}

/* The lowest of WANT numbers in a row that nobody uses, as high as possible. */
static int
find_gap(const uint8_t *used, uint32_t limit, uint32_t want)
{
	uint32_t run = 0;

	for (uint32_t fd = limit; fd-- > OURS;) {
		run = used[fd] ? 0 : run + 1;
		if (run == want)
			return (int)fd;
	}
	return -EMFILE;
}

int
files_fd_base(struct ckpt *c, int *ret_base)
{
	uint32_t limit = (uint32_t)sysconf(_SC_OPEN_MAX), top = 0;
	uint32_t want = count_inherited(c);
	autofree uint8_t *used = NULL;
	int r;

	if (limit > LIMIT_MAX)
		limit = LIMIT_MAX;
	used = calloc(1, limit + 1);
	if (used == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	r = find_used(c, used, limit);
	if (r < 0)
		return r;
	for (uint32_t fd = 0; fd < limit; fd++)
		if (used[fd])
			top = fd + 1;
	if (top < OURS)
		top = OURS;
	r = top + want <= limit ? (int)top : find_gap(used, limit, want);
	if (r < 0)
		return err_set(c->err, r,
		    "no room for %u more descriptors "
		    "below the limit of %u (ulimit -n)",
		    want, limit);
	*ret_base = r;
	return 0;
}

/* ---- in each task ---- */

/*
 * Whom descriptions signal: set from here, where the numbers of processes
 * are those of the tree, once all of these exist.
 */
static void
set_owners(struct ckpt *c)
{
	struct files *fs = c->files;

	fs->owners_set = true;
	for (size_t i = 0; i < fs->n; i++) {
		const Img__File *m = fs->v[i]->m;
		struct f_owner_ex own = { .type = (int)m->owner_kind - 1,
			.pid = m->owner };
		int fd = fs->v[i]->fd;

		if (fd < 0)
			continue;
		if (m->signal != 0)
			(void)fcntl(fd, F_SETSIG, (int)m->signal);
		if (m->owner_kind != 0 && fcntl(fd, F_SETOWN_EX, &own) < 0)
			note(c, NULL,
			    "%s: process %d, which it signals, is "
			    "gone",
			    m->path, m->owner);
	}
}

/* Run the N operations of which all must succeed. */
static int
run_all(struct ckpt *c, struct task *t, struct tracee_op *ops, size_t *n)
{
	int r = *n == 0 ? 0 : task_run(c, t, ops, *n);

	for (size_t i = 0; r >= 0 && i < *n; i++)
		if (ops[i].ret < 0)
			return err_num(c->err, (int)ops[i].ret,
			    "%s (pid %d): "
			    "arranging its descriptors (%d)",
			    t->comm, t->pid, (int)ops[i].args[1]);
	*n = 0;
	return r;
}

static int
place_inherited(struct ckpt *c, struct task *t, const struct fd_table *tab)
{
	struct tracee_op ops[BATCH];
	size_t n = 0;
	int r = 0;

	if (c->fd_base > 0)
		ops[n++] = (struct tracee_op){ .nr = SYS_close_range,
			.args = { 0, (uint64_t)c->fd_base - 1, 0 } };
	for (size_t i = 0; r >= 0 && tab != NULL && i < tab->loaded->n_fds;
	     i++) {
		const Img__Fd *m = tab->loaded->fds[i];
		const struct file *f = c->files->v[m->file - 1];

		if (f->fd < 0)
			continue; /* late */
		ops[n++] = (struct tracee_op){ .nr = SYS_dup3,
			.args = { (uint64_t)f->fd, m->fd,
			    m->cloexec ? O_CLOEXEC : 0 } };
		if (n == BATCH)
			r = run_all(c, t, ops, &n);
	}
	return r < 0 ? r : run_all(c, t, ops, &n);
}

/* Open late F in T: the number it got, or an inherited one, or failure. */
static int64_t
open_late(struct ckpt *c, struct task *t, struct file *f)
{
	raddr path = tracee_put(&t->area, f->m->path, strlen(f->m->path) + 1);
	int64_t fd;

	if (path == 0)
		return err_set(c->err, -ENAMETOOLONG, "%s: too long",
		    f->m->path);
	fd = task_call(c, t, SYS_openat, (uint64_t)AT_FDCWD, path,
	    (uint64_t)file_open_flags(f) & ~(uint64_t)O_CLOEXEC, 0, 0, 0);
	if (fd < 0 && f->kind->instead != NULL)
		return f->kind->instead(c, f, (int)fd);
	if (fd < 0)
		return err_num(c->err, (int)fd, "%s (pid %d): opening %s",
		    t->comm, t->pid, f->m->path);
	if (f->m->pos != 0)
		(void)task_call(c, t, SYS_lseek, (uint64_t)fd, f->m->pos,
		    SEEK_SET, 0, 0, 0);
	return fd;
}

/* A message with room for one descriptor, in T's memory. */
struct relay_msg {
	struct msghdr hdr;
	struct iovec iov;
	char byte;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static raddr
put_message(struct task *t, int fd, size_t *ret_control)
{
	struct relay_msg m;
	raddr at = tracee_put(&t->area, NULL, sizeof m);
	struct cmsghdr *h = (struct cmsghdr *)m.control;

	memset(&m, 0, sizeof m);
	m.iov.iov_base = (void *)(uintptr_t)(at +
	    offsetof(struct relay_msg, byte));
	m.iov.iov_len = 1;
	m.hdr.msg_iov = (void *)(uintptr_t)(at +
	    offsetof(struct relay_msg, iov));
	m.hdr.msg_iovlen = 1;
	m.hdr.msg_control = (void *)(uintptr_t)(at +
	    offsetof(struct relay_msg, control));
	m.hdr.msg_controllen = CMSG_LEN(sizeof fd);
	h->cmsg_len = CMSG_LEN(sizeof fd);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	*ret_control = offsetof(struct relay_msg, control);
	if (at == 0 || tracee_write(&t->area, at, &m, sizeof m, NULL) < 0)
		return 0;
	return at;
}

static int64_t
relay_send(struct ckpt *c, struct task *t, struct file *f, int fd)
{
	size_t unused;
	raddr at = put_message(t, fd, &unused);

	if (at == 0)
		return err_set(c->err, -EFAULT, "%s (pid %d): handing on %s",
		    t->comm, t->pid, f->m->path);
	return task_must(c, t, "handing on a descriptor", SYS_sendmsg,
	    (uint64_t)f->relay[0], at, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0, 0);
}

static int64_t
relay_receive(struct ckpt *c, struct task *t, struct file *f)
{
	size_t control;
	raddr at = put_message(t, -1, &control);
	int64_t n;
	int fd, r;

	if (at == 0)
		return err_set(c->err, -EFAULT, "%s (pid %d): taking over %s",
		    t->comm, t->pid, f->m->path);
	n = task_must(c, t, "taking over a descriptor", SYS_recvmsg,
	    (uint64_t)f->relay[1], at, MSG_DONTWAIT, 0, 0, 0);
	if (n < 0)
		return n;
	r = tracee_read(&t->area, at + control + CMSG_LEN(0), &fd, sizeof fd,
	    c->err);
	return r < 0 ? r : fd;
}

/* Put late F at its number in T: by opening it, or from another holder. */
static int
place_late(struct ckpt *c, struct task *t, const struct fd_table *tab,
    const Img__Fd *m, int *first_fd)
{
	struct file *f = c->files->v[m->file - 1];
	int64_t fd, r = 0;

	if (*first_fd >= 0)
		fd = *first_fd; /* this very task has it already */
	else if (fd_table_holder(c->files, f, &(int){ 0 }) == tab)
		fd = open_late(c, t, f);
	else
		fd = relay_receive(c, t, f);
	if (fd < 0)
		return (int)fd;
	if (fd != m->fd)
		r = task_must(c, t, "putting a descriptor in its place",
		    SYS_dup3, (uint64_t)fd, m->fd, m->cloexec ? O_CLOEXEC : 0,
		    0, 0, 0);
	else if (m->cloexec)
		r = task_must(c, t, "marking a descriptor", SYS_fcntl,
		    (uint64_t)fd, F_SETFD, FD_CLOEXEC, 0, 0, 0);
	if (r >= 0 && fd != m->fd && *first_fd < 0 &&
	    (fd < c->fd_base || fd >= c->fd_next))
		r = task_must(c, t, "closing a descriptor", SYS_close,
		    (uint64_t)fd, 0, 0, 0, 0, 0);
	*first_fd = (int)m->fd;
	f->n_left--;
	return (int)r;
}

/* All numbers that late F has in T; then on to the next holder. */
static int
place_late_file(struct ckpt *c, struct task *t, const struct fd_table *tab,
    struct file *f)
{
	int first_fd = -1, r = 0;

	for (size_t i = 0; r >= 0 && i < tab->loaded->n_fds; i++)
		if (tab->loaded->fds[i]->file == f->id)
			r = place_late(c, t, tab, tab->loaded->fds[i],
			    &first_fd);
	if (r >= 0 && first_fd >= 0 && f->n_left > 0)
		r = (int)relay_send(c, t, f, first_fd);
	return r;
}

static int
place_all_late(struct ckpt *c, struct task *t, const struct fd_table *tab)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->files->n; i++)
		if (is_late(c->files->v[i]))
			r = place_late_file(c, t, tab, c->files->v[i]);
	return r;
}

/*
 * O_ASYNC of those that T is the first to have: the signal tells the number
 * by which it was set.
 */
static int
set_async(struct ckpt *c, struct task *t, const struct fd_table *tab)
{
	for (size_t i = 0; i < c->files->n; i++) {
		const struct file *f = c->files->v[i];
		int64_t r;
		int fd;

		if (!(f->m->flags & O_ASYNC) ||
		    fd_table_holder(c->files, f, &fd) != tab)
			continue;
		r = task_must(c, t, "asking for signals of a descriptor",
		    SYS_fcntl, (uint64_t)fd, F_SETFL,
		    f->m->flags & (SETTABLE | O_ASYNC), 0, 0, 0);
		if (r < 0)
			return (int)r;
	}
	return 0;
}

static const struct fd_table *
table_of(const struct ckpt *c, const struct task *t)
{
	for (size_t i = 0; i < c->files->n_tables; i++)
		if (c->files->tables[i].vpid == t->vpid)
			return &c->files->tables[i];
	return NULL;
}

int
files_revive(struct ckpt *c, struct task *t)
{
	const struct fd_table *tab = table_of(c, t);
	int r;

	if (!c->files->owners_set)
		set_owners(c);
	r = ttys_claim_foreground(c);
	if (r < 0)
		return r;
	r = place_inherited(c, t, tab);
	if (r < 0 || tab == NULL)
		return r;
	r = place_all_late(c, t, tab);
	if (r >= 0)
		r = set_async(c, t, tab);
	return r < 0 ? r : locks_revive_posix(c, t, tab);
}

/* Nothing stays open in T but what is in its table. */
int
files_close(struct ckpt *c, struct task *t)
{
	const struct fd_table *tab = table_of(c, t);
	size_t n_fds = tab == NULL ? 0 : tab->loaded->n_fds, n = 0;
	struct tracee_op ops[BATCH];
	uint64_t from = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i <= n_fds; i++) {
		uint64_t to = i < n_fds ? tab->loaded->fds[i]->fd :
					  (uint64_t)UINT32_MAX + 1;

		if (to > from)
			ops[n++] = (struct tracee_op){ .nr = SYS_close_range,
				.args = { from, to - 1, 0 } };
		from = to + 1;
		if (n == BATCH || i == n_fds)
			r = run_all(c, t, ops, &n);
	}
	return r;
}
