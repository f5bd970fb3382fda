/*
 * places.c - see places.h. Nothing is reached twice by its name: a directory
 * is opened (O_NOFOLLOW), its descriptor is checked, and all that follows is
 * relative to the descriptor.
 */
#include "session/places.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/scope.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Is FD ours, and closed to others as far as FORBIDDEN mode bits say? */
static int
check_dir(int fd, const char *path, mode_t forbidden, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (st.st_uid != geteuid())
		return err_set(e, -EPERM,
		    "%s belongs to uid %u and not to you (uid %u): "
		    "choose another directory with SESS_DIR",
		    path, (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & forbidden) != 0)
		return err_set(e, -EPERM,
		    "%s is open to others (mode %03o): chmod 700 %s", path,
		    (unsigned)st.st_mode & 0777, path);
	return 0;
}

/*
 * Open NAME in DIRFD. One that is missing is made, or without MAKE *RET_FD
 * stays as it is. PATH is for the error.
 */
static int
open_dir(int dirfd, const char *name, const char *path, mode_t forbidden,
    bool make, int *ret_fd, struct err *e)
{
	autoclose int fd = -1;
	struct stat st;
	int r;

	fd = openat(dirfd, name, OPEN_DIR);
	if (fd < 0 && errno == ENOENT && !make)
		return 0;
	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "cannot make directory %s", path);
		fd = openat(dirfd, name, OPEN_DIR);
	}
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
		r = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW);
		return err_set(e, -ENOTDIR,
		    r == 0 && S_ISLNK(st.st_mode) ?
			"%s is a symbolic link, which is not followed: "
			"name the directory itself" :
			"%s is not a directory",
		    path);
	}
	if (fd < 0)
		return err_sys(e, "cannot open directory %s", path);
	r = check_dir(fd, path, forbidden, e);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* mkdir -p for all of PATH but its last component. */
static int
make_parents(const char *path, struct err *e)
{
	autofree char *copy = strdup(path);
	char *p;

	if (copy == NULL)
		return err_num(e, -ENOMEM, "%s", path);
	for (p = strchr(copy + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = 0;
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "cannot make directory %s", copy);
		*p = '/';
	}
	return 0;
}

/* A directory that the user or a convention names; others may look in. */
static int
open_named(const char *path, bool make, int *ret_fd, struct err *e)
{
	int r = 0;

	if (path[0] != '/')
		return err_set(e, -EINVAL,
		    "directory '%s' is not an absolute path", path);
	if (make)
		r = make_parents(path, e);
	if (r < 0)
		return r;
	return open_dir(AT_FDCWD, path, path, 022, make, ret_fd, e);
}

/* One of our own, NAME in the directory PARENT of path BASE. */
static int
open_own(int parent, const char *base, const char *name, bool make, int *ret_fd,
    struct err *e)
{
	autofree char *path = NULL;

	if (asprintf(&path, "%s/%s", base, name) < 0)
		return err_num(e, -ENOMEM, "%s", name);
	return open_dir(parent, name, path, 077, make, ret_fd, e);
}

/* Path of STATE without SESS_DIR; malloc'd. */
static int
state_path(char **ret_path, struct err *e)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	struct passwd *pw;
	int n;

	if (xdg != NULL && xdg[0] == '/') {
		n = asprintf(ret_path, "%s/sess", xdg);
		return n < 0 ? err_num(e, -ENOMEM, "paths") : 0;
	}
	if (home == NULL || home[0] != '/') {
		pw = getpwuid(geteuid());
		home = pw == NULL ? NULL : pw->pw_dir;
	}
	if (home == NULL || home[0] != '/')
		return err_set(e, -ENOENT,
		    "there is no home directory: set HOME or SESS_DIR");
	n = asprintf(ret_path, "%s/.local/state/sess", home);
	return n < 0 ? err_num(e, -ENOMEM, "paths") : 0;
}

/* /run/user/UID, found by uid and not by environment. */
static int
open_run_user(bool make, int *ret_fd)
{
	autoclose int fd = -1;
	char path[64];
	int r;

	(void)snprintf(path, sizeof path, "/run/user/%u", (unsigned)geteuid());
	fd = open(path, OPEN_DIR);
	if (fd < 0)
		return -errno;
	r = check_dir(fd, path, 022, NULL);
	if (r < 0)
		return r;
	return open_own(fd, path, "sess", make, ret_fd, NULL);
}

static int
open_all(bool make, struct places *ret_p, struct err *e)
{
	struct places p scoped(places_close) = PLACES_NONE;
	const char *moved = getenv("SESS_DIR");
	autofree char *path = NULL;
	autoclose int state = -1;
	int r, n_run = 0;

	if (moved != NULL && moved[0] != 0) {
		path = strdup(moved);
		r = path == NULL ? err_num(e, -ENOMEM, "paths") : 0;
	} else {
		r = state_path(&path, e);
		if (r == 0 && open_run_user(make, &p.run[0]) >= 0)
			n_run = 1;
	}
	if (r < 0)
		return r;
	r = open_named(path, make, &state, e);
	if (r < 0)
		return r;
	if (state >= 0 &&
	    ((r = open_own(state, path, "run", make, &p.run[n_run], e)) < 0 ||
		(r = open_own(state, path, "saved", make, &p.saved, e)) < 0 ||
		(r = open_own(state, path, "ended", make, &p.ended, e)) < 0 ||
		(r = open_own(state, path, "env", make, &p.env, e)) < 0))
		return r;
	*ret_p = p;
	p = PLACES_NONE;
	return 0;
}

int
places_open(struct places *ret_p, struct err *e)
{
	return open_all(true, ret_p, e);
}

int
places_look(struct places *ret_p, struct err *e)
{
	return open_all(false, ret_p, e);
}

bool
places_exist(void)
{
	autofree char *path = NULL;
	struct stat st;

	return state_path(&path, NULL) == 0 && lstat(path, &st) == 0 &&
	    S_ISDIR(st.st_mode);
}

void
places_close(struct places *p)
{
	int i;

	for (i = 0; i < N_RUN; i++)
		scope_close(&p->run[i]);
	scope_close(&p->saved);
	scope_close(&p->ended);
	scope_close(&p->env);
}
