/*
 * places_revive.c - the reviving side of places.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/scope.h"
#include "ckpt/content/content.h"
#include "ckpt/content/places_table.h"

/* Absolute, without "." and "..". */
static bool
is_plain(const char *path)
{
	size_t len = strlen(path);

	return path[0] == '/' && strstr(path, "/../") == NULL &&
	    strstr(path, "/./") == NULL &&
	    (len < 3 || strcmp(path + len - 3, "/..") != 0) &&
	    strcmp(path + len - 2, "/.") != 0;
}

static int
load(struct ckpt *c)
{
	for (size_t i = 0; i < image_count(c->img, IMG_PLACE); i++) {
		struct place *p = places_add(c);

		if (p == NULL)
			return -ENOMEM;
		p->loaded = image_get(c->img, IMG_PLACE, i,
		    &img__place__descriptor, NULL, c->err);
		if (p->loaded == NULL)
			return -EBADMSG;
		if (strlen(p->loaded->path) < 2 || !is_plain(p->loaded->path))
			return image_damaged(c, "a directory to be put back");
	}
	return 0;
}

/*
 * A directory that others have made at its place meanwhile would be theirs
 * to change while programs use it.
 */
static int
look_at_present(struct ckpt *c, const Img__Place *m, const struct stat *st)
{
	struct buf *refused = &c->files->refused;
	bool mine = m->uid == geteuid();

	if (!S_ISDIR(m->mode))
		return 0;
	if (S_ISDIR(st->st_mode) &&
	    (st->st_uid == m->uid || st->st_uid == 0 || (!mine && c->userns)))
		return 0;
	return buf_printf(refused, "%s%s %s", refused->len > 0 ? "; " : "",
	    m->path,
	    S_ISDIR(st->st_mode) ? "belongs to somebody else now: remove it" :
				   "is no directory any more: remove it");
}

static int
make(int dirfd, const char *name, const Img__Place *m)
{
	int r;

	if (S_ISDIR(m->mode))
		r = mkdirat(dirfd, name, m->mode & 07777);
	else if (S_ISFIFO(m->mode))
		r = mkfifoat(dirfd, name, m->mode & 07777);
	else
		r = symlinkat(m->target, dirfd, name);
	if (r < 0)
		return -errno;
	/* Root alone can; and a change of owner takes set-id bits away. */
	if (fchownat(dirfd, name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(m->mode)) {
		autoclose int fd = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0)
			(void)fchmod(fd, m->mode & 07777);
	}
	return 0;
}

/*
 * Is DIRFD, where P is to be made, the directory that it was? Else something
 * is not mounted here that was, and P would lie beneath it.
 */
static bool
is_same_parent(const struct places *ps, const struct place *p, int dirfd)
{
	const char *path = p->loaded->path;
	size_t len = (size_t)(strrchr(path, '/') - path);
	struct stat st;

	for (size_t i = 0; i < ps->n; i++) {
		const Img__Place *m = ps->v[i].loaded;

		if (strlen(m->path) == len && strncmp(m->path, path, len) == 0)
			return ps->v[i].made ||
			    (fstat(dirfd, &st) == 0 && st.st_ino == m->ino);
	}
	return len == 0;
}

static int
restore(struct ckpt *c, struct place *p)
{
	const Img__Place *m = p->loaded;
	autoclose int dirfd = -1;
	const char *name;
	struct stat st;
	bool place;
	int r;

	r = FAULT("revive.place", c->err);
	if (r < 0)
		return r;
	/* Elsewhere a working directory may fail to come back: fs.c tells. */
	place = place_is_volatile(m->path);
	dirfd = place_open_parent(m->path, false, &name);
	if (!place &&
	    (dirfd < 0 || !is_same_parent(c->files->places, p, dirfd)))
		return 0;
	if (dirfd < 0 && c->files->refused.len > 0)
		return 0; /* as has been said of what it lies in */
	if (dirfd < 0)
		return err_num(c->err, dirfd, "putting back %s%s", m->path,
		    dirfd == -ELOOP || dirfd == -ENOTDIR ?
			" (a file or symbolic link is in the way)" :
			"");
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return place ? look_at_present(c, m, &st) : 0;
	if (S_ISREG(m->mode)) {
		content_want(c, m->content);
		return 0;
	}
	if (!S_ISDIR(m->mode) && !S_ISFIFO(m->mode) && !S_ISLNK(m->mode))
		return 0;
	r = make(dirfd, name, m);
	p->made = r == 0;
	if (place)
		return r < 0 && r != -EEXIST ?
		    err_num(c->err, r, "putting back %s", m->path) :
		    0;
	if (p->made)
		note(c, NULL, "the directory %s was gone: it is made again",
		    m->path);
	return 0;
}

int
places_restore(struct ckpt *c)
{
	mode_t mask = umask(0);
	int r;

	r = load(c);
	for (size_t i = 0;
	     r >= 0 && c->files->places != NULL && i < c->files->places->n; i++)
		r = restore(c, &c->files->places->v[i]);
	(void)umask(mask);
	return r;
}

void
places_undo(struct ckpt *c)
{
	struct places *ps = c->files != NULL ? c->files->places : NULL;

	for (size_t i = ps != NULL ? ps->n : 0; i-- > 0;) {
		const Img__Place *m = ps->v[i].loaded;
		autoclose int dirfd = -1;
		const char *name;

		if (!ps->v[i].made)
			continue;
		dirfd = place_open_parent(m->path, false, &name);
		if (dirfd >= 0)
			(void)unlinkat(dirfd, name,
			    S_ISDIR(m->mode) ? AT_REMOVEDIR : 0);
	}
}
