/*
 * content.h - what open files held at the save, kept in the image (D12, D13):
 * deleted files always; files open for writing (not only for appending) or
 * mapped shared for writing and files in places that a reboot empties, within
 * KEEP_FILES_BYTES in all.
 *
 * The content must be that of the stop, but a save must be short: what is
 * small is copied while the tree is stopped; else the file is cloned (FICLONE:
 * instant, btrfs and xfs) into the directory saved/, or copied all the same
 * when it was written to in the last minute; else it is read after
 * the tree goes on, and counts as torn when it was changed meanwhile other
 * than by growing. A save that leaves the tree stopped needs none of this.
 */
#ifndef CKPT_CONTENT_H
#define CKPT_CONTENT_H

#include "ckpt/files/files.h"

struct contents;

/* Nothing is stopped: a note when F is too large to be kept. */
void content_check(struct ckpt *c, const struct file *f);

/*
 * Save: keep what is in F, a regular file, once per inode; sets
 * f->rec.content, or says in a note why not.
 */
int content_keep(struct ckpt *c, struct file *f);

/*
 * Save: keep the regular file at PATH, which is ST and lives as long as C;
 * *RET_ID is 0 when it cannot be kept, which is said.
 */
int content_keep_path(struct ckpt *c, char *path, const struct stat *st,
    uint64_t *ret_id);

/*
 * Save, when all open files are known: keep the files that are mapped shared
 * for writing as well. Such a write shows in no file time: they are copied in
 * the stop, as are deleted ones that are mapped and open.
 */
int contents_keep_mapped(struct ckpt *c);

/* Save, in the stop, when all to keep are known: copy or clone. */
int contents_take(struct ckpt *c);

/* Save, in the writer: page stream and IMG_CONTENT. */
int contents_write(struct ckpt *c, struct image_writer *w);

/* Revival: load the list. */
int contents_load(struct ckpt *c);

/* Revival: the record of content ID, or NULL. */
const Img__Content *content_find(const struct ckpt *c, uint64_t id);

/*
 * Revival: what is at the path of content ID now: 1 it is as it was saved,
 * 0 it is another or there is none, negative errno.
 */
int content_same(struct ckpt *c, uint64_t id);

/*
 * Revival: before anything is changed anywhere: put back the files that were
 * mapped for writing and have changed, or say what stands in the way.
 */
int contents_plan_mapped(struct ckpt *c);

/*
 * Revival: content ID is to be put at its path (a present file is set aside
 * as NAME.sess-DATE); deleted ones need no asking.
 */
void content_want(struct ckpt *c, uint64_t id);

/*
 * Revival: PATH has changed and will stay as it is: if it is of a database,
 * its other files stay too.
 */
void content_spare(struct ckpt *c, const char *path);

/* Revival: put back all that is wanted, and make the deleted ones. */
int contents_restore(struct ckpt *c);

/*
 * Revival: it has failed: what was set aside is put into its place again.
 */
void contents_undo(struct ckpt *c);

/* Revival: a new description of deleted content ID. */
int content_open(struct ckpt *c, uint64_t id, int flags, int *ret_fd);

/* Revival: make the directories that lead to PATH in a volatile place. */
void content_make_parents(const char *path);

void contents_free(struct contents *cs);

#endif
