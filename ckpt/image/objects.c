/*
 * objects.c - putting and opening kept copies, see objects.h.
 *
 * XXH3 is no defence against somebody who makes two files of one checksum,
 * and a mapped file may be somebody else's: when a content seems to be there
 * already the two are compared.
 */
#include "ckpt/image/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/copy.h"
#include "base/dir.h"
#include "base/fault.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/scope.h"
#include "base/temp.h"
#include "ckpt/image/objects_cache.h"
#include "ckpt/image/objects_dir.h"

#define BLOCK (64u << 10)

/* ---- content ---- */

/* Up to BLOCK bytes at OFF: how many, fewer only at the end. */
static ssize_t
read_block(int fd, uint8_t *buf, uint64_t off)
{
	size_t have = 0;
	ssize_t n;

	while (have < BLOCK) {
		n = pread(fd, buf + have, BLOCK - have, (off_t)(off + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static void
free_state(XXH3_state_t **st)
{
	(void)XXH3_freeState(*st);
	*st = NULL;
}

int
objects_hash(int fd, struct object_id *ret_id, struct err *e)
{
	scoped(free_state) XXH3_state_t *st = XXH3_createState();
	autofree uint8_t *buf = malloc(BLOCK);
	XXH128_hash_t h;
	uint64_t off = 0;
	ssize_t n;

	if (st == NULL || buf == NULL)
		return err_num(e, -ENOMEM, "reading a file to be kept");
	(void)XXH3_128bits_reset(st);
	do {
		n = read_block(fd, buf, off);
		if (n < 0)
			return err_num(e, (int)n, "reading a file to be kept");
		(void)XXH3_128bits_update(st, buf, (size_t)n);
		off += (uint64_t)n;
	} while (n == BLOCK);
	h = XXH3_128bits_digest(st);
	*ret_id = (struct object_id){ h.high64, h.low64, off };
	return 0;
}

/* 1: the two files have the same content; 0: not. */
static int
same_content(int a, int b)
{
	autofree uint8_t *buf = malloc(2 * BLOCK);
	uint64_t off = 0;
	ssize_t n, m;

	if (buf == NULL)
		return -ENOMEM;
	do {
		n = read_block(a, buf, off);
		m = read_block(b, buf + BLOCK, off);
		if (n < 0 || m < 0)
			return n < 0 ? (int)n : (int)m;
		if (n != m || memcmp(buf, buf + BLOCK, (size_t)n) != 0)
			return 0;
		off += (uint64_t)n;
	} while (n == BLOCK);
	return 1;
}

/* ---- putting and opening ---- */

/*
 * Is content ID, that of FD, there? 0: yes, -ENOENT: no. What stands there
 * damaged is removed.
 */
static int
object_present(int dirfd, int fd, const struct object_id *id, struct err *e)
{
	char name[OBJECT_NAME_CAP];
	autoclose int kept = -1;
	int r;

	object_name(id, name);
	r = object_open(dirfd, id, &kept, NULL);
	if (r == 0)
		r = same_content(fd, kept);
	if (r == 1)
		return 0;
	if (r == 0 && objects_verify(kept, id, NULL) == 0)
		return err_set(e, -EEXIST, "two files have the checksum %s",
		    name);
	if (r == 0 || r == -EBADMSG || r == -EPERM)
		r = unlinkat(dirfd, name, 0) < 0 ? -errno : -ENOENT;
	return r == -ENOENT ? r : err_num(e, r, "comparing %s", name);
}

/*
 * Copy FD. Its id is that of the copy, taken after the copying: a file that
 * changes meanwhile cannot make a name and a content that do not match.
 */
static int
object_copy(int dirfd, int fd, struct object_id *id, struct err *e)
{
	autotemp struct temp t = TEMP_NONE;
	char name[OBJECT_NAME_CAP];
	int r;

	r = FAULT("objects.copy", e);
	if (r < 0)
		return r;
	r = temp_create(dirfd, OBJECT_MODE, &t);
	if (r == 0)
		r = copy_file(fd, t.fd);
	if (r < 0)
		return err_num(e, r, "keeping a copy of a program's file");
	r = objects_hash(t.fd, id, e);
	if (r < 0)
		return r;
	object_name(id, name);
	r = temp_commit(&t, name);
	if (r < 0 && r != -EEXIST)
		return err_num(e, r, "keeping a copy of a program's file");
	return 0;
}

int
objects_put(int saved_dirfd, int fd, struct object_id *ret_id, struct err *e)
{
	autoclose int dirfd = -1, kept = -1;
	struct object_id id;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "keeping a copy of a program's file");
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL,
		    "only a regular file can be kept as a copy");
	r = objects_lock(saved_dirfd, LOCK_SH, &dirfd, e);
	if (r < 0)
		return r;
	if (objects_cache_find(dirfd, &st, ret_id) &&
	    object_open(dirfd, ret_id, &kept, NULL) == 0)
		return 0;
	r = objects_hash(fd, &id, e);
	if (r < 0)
		return r;
	r = object_present(dirfd, fd, &id, e);
	if (r == -ENOENT)
		r = object_copy(dirfd, fd, &id, e);
	if (r < 0)
		return r;
	objects_cache_put(dirfd, fd, &st, &id);
	*ret_id = id;
	return 0;
}

int
objects_open(int saved_dirfd, const struct object_id *id, int *ret_fd,
    struct err *e)
{
	autoclose int dirfd = -1;
	int r;

	r = dir_open(saved_dirfd, "objects", false, &dirfd, e);
	if (r == -ENOENT)
		return err_set(e, r, "there are no kept copies");
	if (r < 0)
		return r;
	return object_open(dirfd, id, ret_fd, e);
}

int
objects_verify(int fd, const struct object_id *id, struct err *e)
{
	char name[OBJECT_NAME_CAP];
	struct object_id is;
	int r;

	r = objects_hash(fd, &is, e);
	if (r < 0)
		return r;
	if (object_cmp(&is, id) == 0)
		return 0;
	object_name(id, name);
	return err_set(e, -EBADMSG, "kept copy %s is damaged", name);
}
