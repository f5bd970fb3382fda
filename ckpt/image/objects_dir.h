/*
 * objects_dir.h - objects/ itself, for those who put, fetch and remove what
 * is in it (objects.h). It holds <32 hex digits>-<size>, mode 0500 (a
 * program's file must be executable to be mapped as such and to become
 * /proc/PID/exe), and "cache" (objects_cache.h). A flock(2) on the directory,
 * shared while something is put or must stay, exclusive while things are
 * removed, keeps the two apart.
 */
#ifndef CKPT_OBJECTS_DIR_H
#define CKPT_OBJECTS_DIR_H

#include <stdbool.h>

#include "ckpt/image/objects.h"

#define OBJECT_NAME_CAP 64
#define OBJECT_MODE 0500

void object_name(const struct object_id *id, char ret_name[OBJECT_NAME_CAP]);

/* The reverse; false when NAME is not such a name. */
bool object_parse(const char *name, struct object_id *ret_id);

/* The order of ids, for qsort(3). */
int object_cmp(const void *va, const void *vb);

/*
 * Open objects/ and lock it: HOW is one of flock(2). -EAGAIN without a
 * sentence when it cannot be had.
 */
int objects_lock(int saved_dirfd, int how, int *ret_dirfd, struct err *e);

/* Open ID in DIRFD: ours, of the right size, for nobody else to write. */
int object_open(int dirfd, const struct object_id *id, int *ret_fd,
    struct err *e);

#endif
