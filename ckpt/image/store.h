/*
 * store.h - the snapshots of sessions on disk. saved/ holds a directory for
 * each session, named by its key (base/name.h), and objects/ (objects.h). A
 * session's directory holds <n>.sess for each generation (image.h), a file
 * "name" with the true name where the key is a hash, and temporaries
 * (base/temp.h). Names, listing and removal for the commands: ckpt.h.
 */
#ifndef CKPT_STORE_H
#define CKPT_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "ckpt/ckpt.h"

/*
 * Open the directory of NAME; it is ours and closed to others. CREATE makes
 * it when it is missing, and clears what writers that died left in it.
 * -ENOENT: there are no snapshots of NAME.
 */
int store_open(int saved_dirfd, const char *name, bool create, int *ret_dirfd,
    struct err *e);

/*
 * Remove the directory of NAME if there is no snapshot in it and none is
 * being written.
 */
void store_tidy(int saved_dirfd, const char *name);

/* The generations in directory DIRFD, oldest first; malloc'd. */
int store_list(int dirfd, struct ckpt_generation **ret_v, size_t *ret_n,
    struct err *e);

/*
 * Call FN for the directory of every session, KEY being its name in saved/,
 * until it answers something else than 0; that is returned. DIRFD is -1 for
 * a directory that cannot be opened or is not ours alone.
 */
int store_each(int saved_dirfd,
    int (*fn)(void *arg, int dirfd, const char *key, struct err *e), void *arg,
    struct err *e);

#endif
