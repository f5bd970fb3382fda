/*
 * places.h - places that a reboot empties (D13): /tmp, /run, /dev/shm and
 * whatever lies in memory. The directories there that lead to what the tree
 * has open, mapped, bound or as its working directory are remembered with
 * mode and owner (those that lead to a working directory wherever they are),
 * and so is all that lies in a TMPDIR of the session's own:
 * directories, FIFOs, symbolic links, and files within KEEP_FILES_BYTES. A
 * revival puts back what is absent and touches nothing that is there. It
 * goes from directory to directory by descriptor and through no symbolic
 * link, since others may write in these places too.
 */
#ifndef CKPT_PLACES_H
#define CKPT_PLACES_H

#include "ckpt/files/files.h"

struct places;

/* True when PATH is in a place that a reboot empties. */
bool place_is_volatile(const char *path);

/* Save: remember the directories that lead to PATH, and PATH if it is one. */
int places_keep(struct ckpt *c, const char *path);

/* Save, all open files being known: all that this header speaks of. */
int places_save(struct ckpt *c);

/* Save: IMG_PLACE, after contents were counted. */
int places_put(struct ckpt *c);

/*
 * Revival, before anything is opened: put back what is absent; files are
 * only wished for (content_want()).
 */
int places_restore(struct ckpt *c);

/* Revival: it has failed: what was made goes, unless others use it. */
void places_undo(struct ckpt *c);

void places_free(struct places *ps);

/*
 * Revival: the directory of PATH, O_PATH, reached through no symbolic link
 * where the place is volatile; with MAKE what is missing there is made, 0700.
 * *RET_NAME points into PATH. Negative errno without a sentence.
 */
int place_open_parent(const char *path, bool make, const char **ret_name);

#endif
