/*
 * dir.h - directories that are ours alone.
 */
#ifndef BASE_DIR_H
#define BASE_DIR_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Open directory NAME below PARENTFD (AT_FDCWD: NAME is a path), making it
 * with mode 0700 when it is missing and CREATE. A symbolic link is not
 * followed. -ENOENT without a sentence when it is missing and not CREATE;
 * -EPERM when it is not ours or open to others.
 */
int dir_open(int parentfd, const char *name, bool create, int *ret_fd,
    struct err *e);

/* The check alone, of an open directory; NAME is for E. */
int dir_check(int fd, const char *name, struct err *e);

#endif
