/* scratch.h - a directory of its own for a test, gone when the test ends. */
#ifndef TEST_UNIT_SCRATCH_H
#define TEST_UNIT_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

struct scratch {
	char path[64];
	int fd;
};

static int
scratch_unlink(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void
scratch_done(struct scratch *s)
{
	scope_close(&s->fd);
	(void)nftw(s->path, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
}
#define autoscratch scoped(scratch_done)

static inline struct scratch
scratch_new(void)
{
	struct scratch s = { .path = "/tmp/sess-unit-XXXXXX", .fd = -1 };

	if (mkdtemp(s.path) == NULL)
		abort();
	s.fd = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.fd < 0)
		abort();
	return s;
}

/* The number of entries in DIRFD whose name begins with PREFIX. */
static inline size_t
scratch_count(int dirfd, const char *prefix)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclosedir DIR *d = fdopendir(fd);
	struct dirent *de;
	size_t n = 0;

	while ((de = readdir(d)) != NULL)
		n += de->d_name[0] != '.' &&
		    strncmp(de->d_name, prefix, strlen(prefix)) == 0;
	return n;
}

/* A file NAME in DIRFD that holds LEN bytes, open for reading and writing. */
static inline int
scratch_file(int dirfd, const char *name, const void *data, size_t len)
{
	int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	return fd;
}

#endif
