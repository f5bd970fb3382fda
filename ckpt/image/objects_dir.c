/*
 * objects_dir.c - see objects_dir.h.
 */
#include "ckpt/image/objects_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/dir.h"
#include "base/io.h"
#include "base/scope.h"

void
object_name(const struct object_id *id, char ret_name[OBJECT_NAME_CAP])
{
	(void)snprintf(ret_name, OBJECT_NAME_CAP,
	    "%016" PRIx64 "%016" PRIx64 "-%" PRIu64, id->hash_hi, id->hash_lo,
	    id->size);
}

bool
object_parse(const char *name, struct object_id *ret_id)
{
	struct object_id id;
	char hex[17] = { 0 }, is[OBJECT_NAME_CAP];

	if (strspn(name, "0123456789abcdef") != 32 || name[32] != '-')
		return false;
	memcpy(hex, name, 16);
	id.hash_hi = strtoull(hex, NULL, 16);
	memcpy(hex, name + 16, 16);
	id.hash_lo = strtoull(hex, NULL, 16);
	id.size = strtoull(name + 33, NULL, 10);
	object_name(&id, is);
	*ret_id = id;
	return strcmp(name, is) == 0;
}

int
object_cmp(const void *va, const void *vb)
{
	const struct object_id *a = va, *b = vb;

	if (a->hash_hi != b->hash_hi)
		return a->hash_hi < b->hash_hi ? -1 : 1;
	if (a->hash_lo != b->hash_lo)
		return a->hash_lo < b->hash_lo ? -1 : 1;
	return a->size < b->size ? -1 : a->size > b->size;
}

int
objects_lock(int saved_dirfd, int how, int *ret_dirfd, struct err *e)
{
	autoclose int dirfd = -1;
	int r;

	r = dir_open(saved_dirfd, "objects", true, &dirfd, e);
	if (r < 0)
		return r;
	while (flock(dirfd, how) < 0) {
		if (errno == EINTR)
			continue;
		/* ENOLCK: no locks on this file system, for anybody. */
		if (errno == EWOULDBLOCK || (how & LOCK_EX))
			return -EAGAIN;
		break;
	}
	*ret_dirfd = TAKE_FD(dirfd);
	return 0;
}

int
object_open(int dirfd, const struct object_id *id, int *ret_fd, struct err *e)
{
	char name[OBJECT_NAME_CAP];
	autofree char *path = NULL;
	autoclose int fd = -1;
	struct stat st;

	object_name(id, name);
	path = io_path(dirfd, name);
	if (path == NULL)
		return err_num(e, -ENOMEM, "%s", name);
	fd = openat(dirfd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 022) != 0)
		return err_set(e, -EPERM,
		    "%s is not a file that only you can write", path);
	if ((uint64_t)st.st_size != id->size)
		return err_set(e, -EBADMSG, "%s is damaged (its length)", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
