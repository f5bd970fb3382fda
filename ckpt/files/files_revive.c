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
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/content/content.h"
#include "ckpt/content/places.h"
#include "ckpt/files/epoll.h"
#include "ckpt/files/files_late.h"
#include "ckpt/files/files_table.h"
#include "ckpt/files/inotify.h"
#include "ckpt/files/locks.h"
#include "ckpt/files/pipes.h"
#include "ckpt/files/ttys.h"
#include "ckpt/sockets/sockets.h"

#define BATCH 128                  /* operations at once */
#define REFUSED_MAX (ERR_MAX - 64) /* bytes that are told */
#define OURS 64                    /* numbers left to the restorer itself */
#define LIMIT_MAX (1u << 20)       /* numbers looked at: fs.nr_open of most */

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
		(void)buf_printf(b, "; ");
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

static int
open_one(struct ckpt *c, struct file *f)
{
	int fd, r;

	if (late_is(f))
		return late_prepare(c, f);
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
	/* Sockets have such a number already. */
	f->fd = fd >= c->fd_base ? fd : file_inherit(c, fd);
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
	if (r >= 0)
		r = places_restore(c);
	for (size_t i = 0; r >= 0 && i < fs->n; i++)
		if (fs->v[i]->kind->plan != NULL)
			r = fs->v[i]->kind->plan(c, fs->v[i]);
	if (r >= 0)
		r = contents_plan_mapped(c);
	if (r >= 0 && fs->refused.len > 0 && c->force)
		note(c, NULL, "revived in spite of this: %.*s",
		    (int)fs->refused.len, (const char *)fs->refused.data);
	else if (r >= 0 && fs->refused.len > 0)
		r = err_set(c->err, -ESTALE,
		    "%.*s (-force revives all the same)",
		    (int)(fs->refused.len < REFUSED_MAX ? fs->refused.len :
							  REFUSED_MAX),
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

void
files_undo(struct ckpt *c)
{
	contents_undo(c);
	places_undo(c);
	sockets_undo(c);
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

/* Those that a task opens itself may be handed on through a pair: two. */
static int
count_late(struct ckpt *c, uint32_t *ret_n)
{
	*ret_n = 0;
	for (size_t i = 0; i < image_count(c->img, IMG_FILE); i++) {
		struct file f = { .fd = -1 };
		Img__File *m = image_get(c->img, IMG_FILE, i,
		    &img__file__descriptor, NULL, c->err);

		if (m == NULL)
			return -EBADMSG;
		f.m = m;
		f.kind = kind_named(m->kind);
		*ret_n += f.kind != NULL && late_is(&f);
		img__file__free_unpacked(m, NULL);
	}
	return 0;
}

/*
 * How many numbers will be inherited at most, with both ends of the pipes,
 * which the restorer has open meanwhile; LEAVE for whoever else.
 */
static int
count_inherited(struct ckpt *c, uint32_t *ret_n)
{
	enum { LEAVE = 64 };
	uint32_t late;
	int r = count_late(c, &late);

	*ret_n = (uint32_t)(image_count(c->img, IMG_FILE) +
	    2 * image_count(c->img, IMG_PIPE) +
	    2 * image_count(c->img, IMG_TTY) + image_count(c->img, IMG_MAPPED) +
	    image_count(c->img, IMG_SHM) + LEAVE + late);
	return r;
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
	autofree uint8_t *used = NULL;
	uint32_t want;
	int r;

	r = count_inherited(c, &want);
	if (r < 0)
		return r;
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
	r = late_place(c, t, tab);
	if (r >= 0)
		r = epoll_revive(c, t, tab);
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
