/*
 * objects_cache.h - checksums of files that were read before, in the file
 * "cache" of objects/. Losing it costs time, nothing else.
 */
#ifndef CKPT_OBJECTS_CACHE_H
#define CKPT_OBJECTS_CACHE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "ckpt/image/objects.h"

/* The content of the file that is ST, in the cache of DIRFD; false: unknown. */
bool objects_cache_find(int dirfd, const struct stat *st,
    struct object_id *ret_id);

/*
 * Remember that file FD, which was ST before it was read, has content ID.
 * Not when it was changed so short ago that another change might leave it
 * with the same times: they advance with the timer tick.
 */
void objects_cache_put(int dirfd, int fd, const struct stat *st,
    const struct object_id *id);

#endif
