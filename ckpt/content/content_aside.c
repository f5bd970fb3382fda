/*
 * content_aside.c - what is in the place of a file that is put back is set
 * aside as NAME.sess-DATE, together with what belongs to it: a journal that
 * SQLite left beside a later state would be played back into the earlier one
 * and damage it (https://sqlite.org/howtocorrupt.html, 1.4), and the later one
 * needs it, under its new name.
 *
 * A file whose inode is still the saved one, and that nobody else has open,
 * keeps it, and a copy is set aside:
 * programs that remember the number (SQLite does) would else take the file for
 * one that has been moved away from under them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/scope.h"
#include "ckpt/content/content_table.h"
#include "ckpt/content/places.h"

/* NAME's journals are called NAME followed by one of these. */
static const char *const companions[] = { "-journal", "-wal", "-shm" };

static const char *
ending(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < N_ELEMENTS(companions); i++) {
		size_t n = strlen(companions[i]);

		if (len > n && strcmp(path + len - n, companions[i]) == 0)
			return path + len - n;
	}
	return NULL;
}

struct content *
content_owner(const struct contents *cs, const struct content *n)
{
	const char *path = n->loaded->path, *end = ending(path);

	for (size_t i = 0; end != NULL && i < cs->n; i++) {
		const char *other = cs->v[i].loaded->path;

		if (strlen(other) == (size_t)(end - path) &&
		    strncmp(other, path, (size_t)(end - path)) == 0)
			return &cs->v[i];
	}
	return NULL;
}

/* Do A and B belong to one database? */
static bool
belong_together(const char *a, const char *b)
{
	const char *end_a = ending(a), *end_b = ending(b);
	size_t n_a = end_a != NULL ? (size_t)(end_a - a) : strlen(a);
	size_t n_b = end_b != NULL ? (size_t)(end_b - b) : strlen(b);

	return n_a == n_b && strncmp(a, b, n_a) == 0;
}

void
contents_want_whole(struct ckpt *c)
{
	struct contents *cs = c->files->contents;

	for (size_t i = 0; i < cs->n; i++)
		for (size_t k = 0; cs->v[i].wanted && k < cs->n; k++)
			if (!cs->v[k].loaded->deleted &&
			    !cs->v[k].loaded->torn &&
			    belong_together(cs->v[i].loaded->path,
				cs->v[k].loaded->path))
				cs->v[k].wanted = true;
	for (size_t at = 0; at < cs->spared.len;) {
		const char *path = (const char *)cs->spared.data + at;

		for (size_t k = 0; k < cs->n; k++)
			if (belong_together(path, cs->v[k].loaded->path))
				cs->v[k].wanted = false;
		at += strlen(path) + 1;
	}
}

void
content_spare(struct ckpt *c, const char *path)
{
	struct contents *cs = contents_get(c);

	if (cs != NULL)
		(void)buf_put(&cs->spared, path, strlen(path) + 1);
}

static bool
is_saved(const struct contents *cs, const char *path)
{
	for (size_t i = 0; i < cs->n; i++)
		if (strcmp(cs->v[i].loaded->path, path) == 0)
			return true;
	return false;
}

/* A name beside NAME for what is there now: NAME.sess-DATE. */
static void
aside_name(const char *name, int turn, char *ret_name, size_t cap)
{
	time_t now = time(NULL);
	struct tm tm;
	char date[32] = "";

	if (localtime_r(&now, &tm) != NULL)
		(void)strftime(date, sizeof date, "%Y%m%d-%H%M%S", &tm);
	if (turn == 0)
		(void)snprintf(ret_name, cap, "%s.sess-%s", name, date);
	else
		(void)snprintf(ret_name, cap, "%s.sess-%s.%d", name, date,
		    turn);
}

/* Rename FROM to TO, which must not exist, in directory DIRFD. */
static int
rename_new(int dirfd, const char *from, const char *to)
{
	if (renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* A file system that cannot: renameat2(2). */
	if (faccessat(dirfd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(dirfd, from, dirfd, to) < 0 ? -errno : 0;
}

/* Owner, mode and times of FD as in ST. */
static void
set_attributes(int fd, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	(void)!fchown(fd, st->st_uid, st->st_gid); /* root alone can */
	(void)fchmod(fd, st->st_mode & 07777);
	(void)futimens(fd, times);
}

/* A copy of FROM as TO, which must not exist, in directory DIRFD. */
static int
copy_new(int dirfd, const char *from, const char *to)
{
	autoclose int in = -1, out = -1;
	struct stat st;
	int r;

	in = openat(dirfd, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	out = openat(dirfd, to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	r = copy_file(in, out);
	set_attributes(out, &st);
	if (r >= 0 && fsync(out) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, to, 0);
	return r;
}

/* What is at spot P is NAME from now on, or has a copy there. */
static int
move(const struct content *n, const struct spot *p, const char *name)
{
	return n->same ? copy_new(p->dirfd, p->base, name) :
			 rename_new(p->dirfd, p->base, name);
}

/* Names of a companion of P and of where it goes; false: it is a saved one. */
static bool
companion(const struct contents *cs, const struct content *n,
    const struct spot *p, size_t i, char *ret_from, char *ret_to)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof path, "%s%s", n->loaded->path,
	    companions[i]);
	(void)snprintf(ret_from, PATH_MAX, "%s%s", p->base, companions[i]);
	(void)snprintf(ret_to, PATH_MAX, "%s%s", n->aside, companions[i]);
	return !is_saved(cs, path);
}

static int
set_aside(struct ckpt *c, struct content *n, const struct spot *p)
{
	struct contents *cs = c->files->contents;
	const struct content *owner = content_owner(cs, n);
	const char *path = n->loaded->path;
	char name[PATH_MAX], from[PATH_MAX];
	int r = -EEXIST;

	if (owner != NULL && owner->aside != NULL) {
		(void)snprintf(name, sizeof name, "%s%s", owner->aside,
		    ending(path));
		r = move(n, p, name);
	}
	for (int turn = 0; turn < 100 && r == -EEXIST; turn++) {
		aside_name(p->base, turn, name, sizeof name);
		r = move(n, p, name);
	}
	if (r < 0 && r != -ENOENT)
		return err_num(c->err, r, "setting %s aside as %s", path, name);
	n->aside = strdup(name);
	if (n->aside == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	n->placed = true;
	if (r == 0)
		note(c, NULL,
		    "%s " CKPT_SET_ASIDE " %s, and the saved one is in its "
		    "place",
		    path, name);
	r = 0;
	for (size_t i = 0; r >= 0 && i < N_ELEMENTS(companions); i++)
		if (companion(cs, n, p, i, from, name)) {
			r = rename_new(p->dirfd, from, name);
			r = r == -ENOENT ? 0 : r;
		}
	return r < 0 ? err_num(c->err, r, "setting %s aside", from) : 0;
}

/* The file at spot P gets the content of FD. */
static int
rewrite(const struct spot *p, int fd)
{
	autoclose int to = -1;
	struct stat st;
	int r;

	to = openat(p->dirfd, p->base, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (to < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = copy_file(fd, to);
	set_attributes(to, &st);
	return r;
}

/* Has nobody else the file at P open? A write lease tells: fcntl(2). */
static bool
is_ours_alone(const struct spot *p)
{
	autoclose int fd = -1;

	fd = openat(p->dirfd, p->base,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	(void)fcntl(fd, F_SETSIG, SIGURG); /* somebody comes: no matter */
	return fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
}

int
content_place(struct ckpt *c, struct content *n, const struct spot *p, int fd,
    const char *name)
{
	struct stat st;
	int r;

	n->same = n->loaded->ino != 0 &&
	    fstatat(p->dirfd, p->base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_ino == n->loaded->ino &&
	    is_ours_alone(p);
	r = set_aside(c, n, p);
	if (r < 0)
		return r;
	if (!n->same)
		r = renameat(p->dirfd, name, p->dirfd, p->base) < 0 ? -errno :
								      0;
	else
		r = rewrite(p, fd);
	if (r < 0)
		return err_num(c->err, r, "putting back %s", n->loaded->path);
	if (n->same)
		(void)unlinkat(p->dirfd, name, 0);
	return 0;
}

/* What was at spot P is there again. */
static void
put_again(const struct contents *cs, const struct content *n,
    const struct spot *p)
{
	char from[PATH_MAX], to[PATH_MAX];
	autoclose int fd = -1;

	for (size_t i = 0; i < N_ELEMENTS(companions); i++)
		if (companion(cs, n, p, i, from, to))
			(void)renameat(p->dirfd, to, p->dirfd, from);
	fd = openat(p->dirfd, n->aside, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		(void)unlinkat(p->dirfd, p->base, 0); /* there was nothing */
	else if (!n->same)
		(void)renameat(p->dirfd, n->aside, p->dirfd, p->base);
	else if (fd >= 0 && rewrite(p, fd) >= 0)
		(void)unlinkat(p->dirfd, n->aside, 0);
}

void
contents_undo(struct ckpt *c)
{
	struct contents *cs = c->files != NULL ? c->files->contents : NULL;

	for (size_t i = 0; cs != NULL && i < cs->n; i++) {
		struct content *n = &cs->v[i];
		autoclose int dirfd = -1;
		struct spot p;

		if (!n->placed)
			continue;
		dirfd = place_open_parent(n->loaded->path, false, &p.base);
		p.dirfd = dirfd;
		if (dirfd >= 0)
			put_again(cs, n, &p);
	}
}
