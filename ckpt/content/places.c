/*
 * places.c - the saving side of places.h, and what both sides share.
 */
#include "ckpt/content/places_table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/array.h"
#include "base/procfs.h"
#include "base/scope.h"
#include "ckpt/content/content.h"

#define PLACES_MAX 4096        /* in all */
#define DEPTH_MAX 16           /* of directories in TMPDIR */
#define ENVIRON_MAX (1u << 20) /* bytes */
#define DELETED " (deleted)"

/* Systems empty these at boot, whatever file system they are on. */
static const char *const volatile_places[] = { "/tmp/", "/run/", "/var/run/",
	"/dev/shm/" };

bool
place_is_volatile(const char *path)
{
	struct statfs fs;

	for (size_t i = 0; i < N_ELEMENTS(volatile_places); i++)
		if (strncmp(path, volatile_places[i],
			strlen(volatile_places[i])) == 0)
			return true;
	return statfs(path, &fs) == 0 &&
	    (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

int
place_open_parent(const char *path, bool make, const char **ret_name)
{
	int follow = place_is_volatile(path) ? O_NOFOLLOW : 0;
	autoclose int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *at = path, *slash;
	char name[NAME_MAX + 1];

	while (at[0] == '/')
		at++;
	for (; fd >= 0 && (slash = strchr(at, '/')) != NULL; at = slash + 1) {
		size_t len = (size_t)(slash - at);
		int next;

		if (len == 0)
			continue;
		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, at, len);
		name[len] = '\0';
		if (make && follow != 0)
			(void)mkdirat(fd, name, 0700);
		next = openat(fd, name,
		    O_PATH | O_DIRECTORY | O_CLOEXEC | follow);
		if (next < 0)
			return -errno;
		(void)close(fd);
		fd = next;
	}
	if (fd < 0)
		return -errno;
	*ret_name = at;
	return at[0] == '\0' ? -EISDIR : TAKE_FD(fd);
}

struct places *
places_get(struct ckpt *c)
{
	struct files *fs = files_get(c);

	if (fs != NULL && fs->places == NULL)
		fs->places = calloc(1, sizeof *fs->places);
	if (fs != NULL && fs->places == NULL)
		(void)err_set(c->err, -ENOMEM, "out of memory");
	return fs == NULL ? NULL : fs->places;
}

struct place *
places_add(struct ckpt *c)
{
	struct places *ps = places_get(c);

	if (ps == NULL)
		return NULL;
	if (array_room(&ps->v, ps->n, &ps->cap) < 0) {
		(void)err_set(c->err, -ENOMEM, "out of memory");
		return NULL;
	}
	ps->v[ps->n] = (struct place){ .made = false };
	img__place__init(&ps->v[ps->n].rec);
	return &ps->v[ps->n++];
}

void
places_free(struct places *ps)
{
	for (size_t i = 0; ps != NULL && i < ps->n; i++) {
		free(ps->v[i].path);
		free(ps->v[i].target);
		if (ps->v[i].loaded != NULL)
			img__place__free_unpacked(ps->v[i].loaded, NULL);
	}
	if (ps != NULL)
		free(ps->v);
	free(ps);
}

/* ---- save ---- */

static bool
is_known(const struct places *ps, const char *path)
{
	for (size_t i = ps->n; i-- > 0;)
		if (strcmp(ps->v[i].path, path) == 0)
			return true;
	return false;
}

/* Remember PATH. 1: done; 0: known, or one too many. */
static int
remember(struct ckpt *c, const char *path, const struct stat *st)
{
	struct places *ps = places_get(c);
	struct place *p;

	if (ps == NULL)
		return -ENOMEM;
	if (is_known(ps, path))
		return 0;
	if (ps->n == PLACES_MAX) {
		note_once(c,
		    "more than %d files and directories in places that a "
		    "reboot empties: the others must be there at the revival",
		    PLACES_MAX);
		return 0;
	}
	p = places_add(c);
	if (p == NULL)
		return -ENOMEM;
	p->path = strdup(path);
	if (p->path == NULL) {
		ps->n--;
		return err_set(c->err, -ENOMEM, "out of memory");
	}
	p->rec.path = p->path;
	p->rec.mode = st->st_mode;
	p->rec.uid = st->st_uid;
	p->rec.gid = st->st_gid;
	p->rec.ino = st->st_ino;
	return 1;
}

/*
 * Remember the directories that lead to PATH, and PATH if it is one: those in
 * volatile places, or ANYWHERE.
 */
static int
keep(struct ckpt *c, const char *path, bool anywhere)
{
	char dir[PATH_MAX];
	size_t len = strlen(path), tail = strlen(DELETED);
	struct stat st;
	int r = 0;

	if (path[0] != '/' || len < 2 || len >= sizeof dir ||
	    (!anywhere && !place_is_volatile(path)))
		return 0;
	(void)strcpy(dir, path);
	if (len > tail && strcmp(dir + len - tail, DELETED) == 0)
		dir[len - tail] = '\0';
	for (char *p = dir; r >= 0 && p != NULL;) {
		p = strchr(p + 1, '/');
		if (p != NULL)
			*p = '\0';
		if ((anywhere || place_is_volatile(dir)) &&
		    lstat(dir, &st) == 0 && S_ISDIR(st.st_mode))
			r = remember(c, dir, &st);
		if (p != NULL)
			*p = '/';
	}
	return r < 0 ? r : 0;
}

int
places_keep(struct ckpt *c, const char *path)
{
	return keep(c, path, false);
}

static int keep_below(struct ckpt *c, const char *dir, dev_t dev, int depth);

/* What lies at PATH, in TMPDIR. */
static int
keep_one(struct ckpt *c, const char *path, dev_t dev, int depth)
{
	char target[PATH_MAX];
	struct place *p;
	struct stat st;
	ssize_t n;
	int r;

	if (lstat(path, &st) < 0 || S_ISSOCK(st.st_mode) || st.st_dev != dev)
		return 0; /* gone; or known by its owner; or mounted there */
	r = remember(c, path, &st);
	if (r < 0 || (r == 0 && !S_ISDIR(st.st_mode)))
		return r;
	if (S_ISDIR(st.st_mode))
		return keep_below(c, path, dev, depth + 1);
	p = &c->files->places->v[c->files->places->n - 1];
	if (S_ISREG(st.st_mode))
		return content_keep_path(c, p->path, &st, &p->rec.content);
	if (!S_ISLNK(st.st_mode))
		return 0;
	n = readlink(path, target, sizeof target - 1);
	if (n < 0)
		return 0;
	p->target = strndup(target, (size_t)n);
	if (p->target == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	p->rec.target = p->target;
	return 0;
}

static int
keep_below(struct ckpt *c, const char *dir, dev_t dev, int depth)
{
	autoclosedir DIR *d = opendir(dir);
	const struct dirent *ent;
	char path[PATH_MAX];
	int r = 0;

	while (r >= 0 && d != NULL && depth < DEPTH_MAX &&
	    (ent = readdir(d)) != NULL) {
		int n = snprintf(path, sizeof path, "%s/%s", dir, ent->d_name);

		if (strcmp(ent->d_name, ".") == 0 ||
		    strcmp(ent->d_name, "..") == 0 || n >= PATH_MAX)
			continue;
		r = keep_one(c, path, dev, depth);
	}
	return r;
}

/* TMPDIR of process PID; malloc'd, or NULL. */
static char *
tmpdir_of(pid_t pid)
{
	static const char key[] = "TMPDIR=";
	autobuf struct buf b = BUF_INIT(ENVIRON_MAX);

	if (procfs_read(pid, "environ", &b) < 0)
		return NULL;
	for (const char *s = (const char *)b.data, *end = s + b.len; s < end;
	     s += strlen(s) + 1)
		if (strncmp(s, key, sizeof key - 1) == 0)
			return strdup(s + sizeof key - 1);
	return NULL;
}

/*
 * Is DIR a directory for temporary files that is the session's own: no link,
 * its user's, nobody else writes in it, and none that others share?
 */
static bool
is_own(const char *dir, pid_t pid, struct stat *ret_st)
{
	autofree char *real = NULL;
	struct procfs_status ps;
	uid_t uid;

	if (dir[0] != '/' || !place_is_volatile(dir) ||
	    strncmp(dir, "/run/user/", 10) == 0 || lstat(dir, ret_st) < 0 ||
	    !S_ISDIR(ret_st->st_mode) || procfs_status(pid, &ps) < 0)
		return false;
	uid = ps.uids[1];
	procfs_status_done(&ps);
	real = realpath(dir, NULL);
	return real != NULL && strcmp(real, dir) == 0 &&
	    ret_st->st_uid == uid && (ret_st->st_mode & 022) == 0;
}

static int
keep_tmpdir(struct ckpt *c)
{
	autofree char *dir = tmpdir_of(c->req->first);
	struct stat st;
	size_t len = dir == NULL ? 0 : strlen(dir);
	int r;

	while (len > 1 && dir[len - 1] == '/')
		dir[--len] = '\0';
	if (dir == NULL || !is_own(dir, c->req->first, &st))
		return 0;
	r = places_keep(c, dir);
	return r < 0 ? r : keep_below(c, dir, st.st_dev, 0);
}

int
places_save(struct ckpt *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->files->n; i++)
		r = places_keep(c, c->files->v[i]->link);
	for (size_t i = 0; r >= 0 && i < c->n_mapped; i++)
		r = places_keep(c, c->mapped[i].path);
	for (size_t i = 0; r >= 0 && i < c->n_tasks; i++) {
		autofree char *cwd = NULL;

		if (task_is_live(&c->tasks[i]) &&
		    procfs_link(c->tasks[i].pid, "cwd", &cwd) >= 0)
			r = keep(c, cwd, true);
	}
	return r < 0 ? r : keep_tmpdir(c);
}

int
places_put(struct ckpt *c)
{
	const struct places *ps = c->files->places;
	int r = 0;

	for (size_t i = 0; r >= 0 && ps != NULL && i < ps->n; i++)
		r = record_put(c, IMG_PLACE, i + 1, &ps->v[i].rec.base);
	return r;
}
