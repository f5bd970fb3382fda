/*
 * dir.c - see dir.h.
 */
#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/scope.h"

int
dir_check(int fd, const char *name, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "directory %s", name);
	if (st.st_uid != geteuid())
		return err_set(e, -EPERM,
		    "directory %s belongs to user %u, not to you", name,
		    (unsigned)st.st_uid);
	if ((st.st_mode & 077) != 0)
		return err_set(e, -EPERM,
		    "directory %s is open to other users (mode %03o): chmod "
		    "700 it",
		    name, (unsigned)(st.st_mode & 0777));
	return 0;
}

int
dir_open(int parentfd, const char *name, bool create, int *ret_fd,
    struct err *e)
{
	autoclose int fd = -1;
	int r;

	if (create && mkdirat(parentfd, name, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "creating directory %s", name);
	fd = openat(parentfd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !create)
		return -ENOENT;
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return err_set(e, -EPERM, "%s is not a directory", name);
	if (fd < 0)
		return err_sys(e, "opening directory %s", name);
	r = dir_check(fd, name, e);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
