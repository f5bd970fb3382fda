/*
 * regular.c - regular files, directories, and what is open with O_PATH.
 *
 * A file comes back by its path (D12). What was only read may have changed
 * meanwhile, as may what is appended to: that is said. What is written
 * elsewhere must be as it was, or is put back from the image while the
 * present file is set aside. Deleted files travel in the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/content/content.h"
#include "ckpt/content/places.h"
#include "ckpt/files/files.h"

static bool
path_match(const struct file *f)
{
	return (f->m->flags & O_PATH) != 0;
}

static bool
regular_match(const struct file *f)
{
	return S_ISREG(f->st.st_mode) && f->link[0] == '/';
}

static bool
dir_match(const struct file *f)
{
	return S_ISDIR(f->st.st_mode) && f->link[0] == '/';
}

/* Does the path that /proc gives lead to the very file that is open? */
static bool
path_leads_there(const struct file *f)
{
	struct stat st;

	return lstat(f->link, &st) == 0 && st.st_ino == f->st.st_ino &&
	    st.st_dev == f->st.st_dev;
}

static int64_t
mtime_ns(const struct stat *st)
{
	return st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
}

/* ---- save ---- */

static bool
writes_anywhere(const struct file *f)
{
	return (f->m->flags & O_ACCMODE) != O_RDONLY &&
	    !(f->m->flags & O_APPEND);
}

static int
regular_check(struct ckpt *c, struct file *f)
{
	if (path_leads_there(f) &&
	    (writes_anywhere(f) || place_is_volatile(f->link)))
		content_check(c, f);
	return 0;
}

static int
regular_save(struct ckpt *c, struct file *f)
{
	f->rec.deleted = !path_leads_there(f);
	f->rec.volatile_place = !f->rec.deleted && place_is_volatile(f->link);
	if (f->rec.deleted || f->rec.volatile_place || writes_anywhere(f) ||
	    c->req->with_files)
		return content_keep(c, f);
	return 0;
}

static int
dir_save(struct ckpt *c, struct file *f)
{
	(void)c;
	f->rec.deleted = !path_leads_there(f);
	f->rec.volatile_place = place_is_volatile(f->link);
	return 0;
}

/* ---- revival ---- */

static void
plan_missing(struct ckpt *c, struct file *f)
{
	if (content_find(c, f->m->content) != NULL) {
		content_want(c, f->m->content);
		return;
	}
	files_refuse(c, f, "the file %s is gone: put it back and revive again",
	    f->m->path);
	content_spare(c, f->m->path);
}

static void
refuse_changed(struct ckpt *c, const struct file *f)
{
	files_refuse(c, f,
	    "the file %s, which it writes, has changed since the save: put "
	    "the old one back and revive again",
	    f->m->path);
	content_spare(c, f->m->path);
}

static int
plan_changed(struct ckpt *c, struct file *f, const struct stat *st)
{
	const Img__Content *k = content_find(c, f->m->content);
	int64_t more = (int64_t)((uint64_t)st->st_size - f->m->size);
	int same = content_same(c, f->m->content);

	if (same != 0)
		return same < 0 ? same : 0;
	if (writes_anywhere(f)) {
		if (k != NULL && !k->torn)
			content_want(c, f->m->content);
		else
			refuse_changed(c, f);
	} else if (more > 0) {
		note(c, NULL, "%s has grown by %lld bytes since the save",
		    f->m->path, (long long)more);
	} else if (more < 0) {
		note(c, NULL, "%s has shrunk by %lld bytes since the save",
		    f->m->path, (long long)-more);
	} else {
		note(c, NULL, "%s has changed since the save", f->m->path);
	}
	return 0;
}

static int
regular_plan(struct ckpt *c, struct file *f)
{
	struct stat st;

	if (f->m->deleted) {
		if (content_find(c, f->m->content) == NULL)
			files_refuse(c, f,
			    "the deleted file %s could not be "
			    "kept",
			    f->m->path);
		return 0;
	}
	if (stat(f->m->path, &st) < 0)
		plan_missing(c, f);
	else if (!S_ISREG(st.st_mode))
		files_refuse(c, f, "%s is no longer a regular file",
		    f->m->path);
	else if ((uint64_t)st.st_size != f->m->size ||
	    mtime_ns(&st) != f->m->mtime_ns)
		return plan_changed(c, f, &st);
	return 0;
}

static int
open_path(struct ckpt *c, struct file *f, int *ret_fd)
{
	int fd = open(f->m->path, file_open_flags(f));

	/* Nothing to read, and what is written there is nowhere. */
	if (fd < 0 && c->force && !S_ISDIR(f->m->mode))
		fd = open("/dev/null", file_open_flags(f));
	if (fd < 0)
		return err_sys(c->err, "opening %s", f->m->path);
	if (f->m->pos != 0 && lseek(fd, (off_t)f->m->pos, SEEK_SET) < 0) {
		int r = err_sys(c->err, "%s: going to byte %llu", f->m->path,
		    (unsigned long long)f->m->pos);

		(void)close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int
regular_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	int r;

	if (!f->m->deleted)
		return open_path(c, f, ret_fd);
	r = content_open(c, f->m->content, file_open_flags(f), ret_fd);
	if (r >= 0)
		(void)lseek(*ret_fd, (off_t)f->m->pos, SEEK_SET);
	return r;
}

static int
dir_plan(struct ckpt *c, struct file *f)
{
	struct stat st;

	if (f->m->deleted)
		return 0;
	if (f->m->volatile_place) {
		content_make_parents(f->m->path);
		(void)mkdir(f->m->path, f->m->mode & 07777);
	}
	if (stat(f->m->path, &st) < 0 || !S_ISDIR(st.st_mode))
		files_refuse(c, f,
		    "the directory %s is gone: make it again "
		    "and revive again",
		    f->m->path);
	return 0;
}

/*
 * A removed directory comes back as one: it is made, opened and removed, at
 * its place where that is free.
 */
static int
open_removed(struct ckpt *c, const struct file *f, int *ret_fd)
{
	char stand_in[] = "/tmp/sess-XXXXXX";
	const char *end = strrchr(f->m->path, ' '), *path = stand_in;
	autofree char *plain = NULL;

	if (end != NULL)
		plain = strndup(f->m->path, (size_t)(end - f->m->path));
	if (plain != NULL && mkdir(plain, f->m->mode & 07777) == 0)
		path = plain;
	else if (mkdtemp(stand_in) == NULL)
		return err_sys(c->err, "making the removed directory %s again",
		    f->m->path);
	*ret_fd = open(path, file_open_flags(f) | O_DIRECTORY);
	(void)rmdir(path);
	return *ret_fd < 0 ? err_sys(c->err, "opening %s", f->m->path) : 0;
}

static int
dir_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	int r = f->m->deleted ? -ENOENT : open_path(c, f, ret_fd);

	return r < 0 && (f->m->deleted || c->force) ?
	    open_removed(c, f, ret_fd) :
	    r;
}

static int
path_plan(struct ckpt *c, struct file *f)
{
	struct stat st;

	if (lstat(f->m->path, &st) < 0)
		files_refuse(c, f, "%s is gone: put it back and revive again",
		    f->m->path);
	return 0;
}

const struct file_kind kind_path = {
	.name = "path",
	.match = path_match,
	.plan = path_plan,
	.open = open_path,
};

const struct file_kind kind_regular = {
	.name = "regular",
	.match = regular_match,
	.check = regular_check,
	.save = regular_save,
	.plan = regular_plan,
	.open = regular_open,
};

const struct file_kind kind_dir = {
	.name = "dir",
	.match = dir_match,
	.save = dir_save,
	.plan = dir_plan,
	.open = dir_open,
};
