/*
 * inotify.h - what files.c needs of inotify.c.
 */
#ifndef CKPT_INOTIFY_H
#define CKPT_INOTIFY_H

#include "ckpt/files/files.h"

extern const struct file_kind kind_inotify;

/* Save: free what inotify_save() has put into f->rec. */
void inotify_free(struct file *f);

/* Free fs->watched. */
void inotify_forget(struct files *fs);

/* Revival: all files are open, and opening is an event: add the watches. */
void inotify_finish(struct ckpt *c);

#endif
