/*
 * temp.c - see temp.h.
 *
 * The lock can only be taken once the file exists, so a sweep may get in
 * between: then either the lock is refused or the file has no name any more,
 * and another one is made.
 */
#include "base/temp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/scope.h"

#define TEMP_PREFIX "tmp-"
#define TEMP_TRIES 16

/* One try: -EAGAIN when the name was taken or a sweep got hold of it. */
static int
temp_try(int dirfd, mode_t mode, char name[24], int *ret_fd)
{
	autoclose int fd = -1;
	struct stat st;
	uint64_t r;

	if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
		return -EIO;
	(void)snprintf(name, 24, TEMP_PREFIX "%016llx", (unsigned long long)r);
	fd = openat(dirfd, name,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? -EAGAIN : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return -EAGAIN;
		/* No locks on this file system: sweeps fail there too. */
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return -EAGAIN;
	if (fchmod(fd, mode) < 0) {
		int r2 = -errno;

		(void)unlinkat(dirfd, name, 0);
		return r2;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int
temp_create(int dirfd, mode_t mode, struct temp *ret_t)
{
	autotemp struct temp t = TEMP_NONE;
	int i, r = -EAGAIN;

	t.dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	if (t.dirfd < 0)
		return -errno;
	for (i = 0; i < TEMP_TRIES && r == -EAGAIN; i++)
		r = temp_try(t.dirfd, mode, t.name, &t.fd);
	if (r < 0)
		return r;
	*ret_t = t;
	t = TEMP_NONE;
	return 0;
}

int
temp_sync_dir(int dirfd)
{
	if (fsync(dirfd) == 0 || errno == EINVAL || errno == EROFS)
		return 0;
	return -errno;
}

/* Rename without replacing; NFS and some others only know link(2). */
static int
temp_rename(const struct temp *t, const char *name)
{
	if (renameat2(t->dirfd, t->name, t->dirfd, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (linkat(t->dirfd, t->name, t->dirfd, name, 0) < 0)
		return -errno;
	(void)unlinkat(t->dirfd, t->name, 0);
	return 0;
}

int
temp_commit(struct temp *t, const char *name)
{
	int r;

	r = FAULT("temp.fsync", NULL);
	if (r == 0 && fsync(t->fd) < 0)
		r = -errno;
	if (r == 0)
		r = FAULT("temp.rename", NULL);
	if (r == 0)
		r = temp_rename(t, name);
	if (r < 0) {
		temp_done(t);
		return r;
	}
	r = FAULT("temp.sync", NULL);
	if (r == 0)
		r = temp_sync_dir(t->dirfd);
	if (r < 0)
		(void)unlinkat(t->dirfd, name, 0);
	(void)close(t->fd);
	(void)close(t->dirfd);
	*t = TEMP_NONE;
	return r;
}

void
temp_done(struct temp *t)
{
	if (t->fd >= 0) {
		(void)unlinkat(t->dirfd, t->name, 0);
		(void)close(t->fd);
	}
	if (t->dirfd >= 0)
		(void)close(t->dirfd);
	*t = TEMP_NONE;
}

static bool
temp_is_name(const char *name)
{
	size_t n = strlen(TEMP_PREFIX);

	return strncmp(name, TEMP_PREFIX, n) == 0 && strlen(name) == n + 16 &&
	    strspn(name + n, "0123456789abcdef") == 16;
}

int
temp_sweep(int dirfd)
{
	autoclosedir DIR *d = NULL;
	struct dirent *de;
	int fd, n_live = 0;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (d == NULL) {
		(void)close(fd);
		return -ENOMEM;
	}
	while ((de = readdir(d)) != NULL) {
		autoclose int f = -1;

		if (!temp_is_name(de->d_name))
			continue;
		f = openat(dirfd, de->d_name,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (f < 0)
			continue;
		if (flock(f, LOCK_EX | LOCK_NB) == 0)
			(void)unlinkat(dirfd, de->d_name, 0);
		else
			n_live++;
	}
	return n_live;
}
