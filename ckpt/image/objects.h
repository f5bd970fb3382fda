/*
 * objects.h - kept copies of executables and libraries: saved/objects/ holds
 * each content once, for all sessions and generations, under a name made of
 * its checksum and size. An image lists those it needs (IMG_OBJECT).
 *
 * Nothing here is removed while a save is under way: a save creates its
 * image (image_create()) before it puts the first object.
 */
#ifndef CKPT_OBJECTS_H
#define CKPT_OBJECTS_H

#include <stdint.h>

#include "base/err.h"

/* A content: its XXH3-128 and its length. */
struct object_id {
	uint64_t hash_hi, hash_lo;
	uint64_t size; /* bytes */
};

/* The id of the content of regular file FD, read from its beginning. */
int objects_hash(int fd, struct object_id *ret_id, struct err *e);

/*
 * Keep a copy of regular file FD, readable, whose offset stays as it is.
 * Returns when the copy is on disk. A file that was put before and has not
 * changed since (device, inode, size, mtime, ctime) is not read again; what
 * changes while it is copied is kept as copied. -EEXIST: another content
 * has the same checksum.
 */
int objects_put(int saved_dirfd, int fd, struct object_id *ret_id,
    struct err *e);

/*
 * Open a kept copy, read-only. -ENOENT: there is none; -EPERM: others could
 * have written to it; -EBADMSG: its length is wrong. objects_verify() reads
 * it and tells whether it is what it should be: do that before mapping it.
 */
int objects_open(int saved_dirfd, const struct object_id *id, int *ret_fd,
    struct err *e);
int objects_verify(int fd, const struct object_id *id, struct err *e);

/*
 * Remove what no image of any session refers to. When a save is under way,
 * or an image cannot be read (it may refer to anything), nothing is removed
 * and 0 is returned: a later call will do it.
 */
int objects_gc(int saved_dirfd, struct err *e);

#endif
