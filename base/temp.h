/*
 * temp.h - a file that appears complete or not at all. It is written under
 * a name of its own ("tmp-" and 16 hex digits), flushed, and then given its
 * real name, which it never takes from another file. While it is written its
 * writer holds a flock(2) on it: what carries such a name and is not locked
 * was left behind by a writer that died, and temp_sweep() removes it.
 */
#ifndef BASE_TEMP_H
#define BASE_TEMP_H

#include <sys/types.h>

#include "base/err.h"

struct temp {
	int dirfd; /* owned */
	int fd;    /* owned, read and write; -1: none */
	char name[24];
};

#define TEMP_NONE ((struct temp){ .dirfd = -1, .fd = -1 })

/*
 * Create an empty one of mode MODE (whatever the umask) in directory DIRFD,
 * which stays the caller's. 0 or negative errno.
 */
int temp_create(int dirfd, mode_t mode, struct temp *ret_t);

/*
 * Flush the file, name it NAME and flush the directory. -EEXIST when NAME
 * exists: it is left alone. T is released either way; after a failure no
 * trace of it is left, except when only the directory could not be flushed:
 * then NAME may or may not be there after a power cut, and is removed.
 */
int temp_commit(struct temp *t, const char *name);

/* Close and remove it; nothing to do for TEMP_NONE. */
void temp_done(struct temp *t);
#define autotemp scoped(temp_done)

/*
 * Remove what dead writers left in DIRFD. The number of those that are still
 * being written, or negative errno when DIRFD cannot be listed.
 */
int temp_sweep(int dirfd);

/* fsync(2) of a directory; file systems that cannot are let off. */
int temp_sync_dir(int dirfd);

#endif
