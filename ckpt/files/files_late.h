/*
 * files_late.h - descriptions that only a task that exists can open, by their
 * path: struct file_kind.late. Between files_revive.c and files_late.c.
 */
#ifndef CKPT_FILES_LATE_H
#define CKPT_FILES_LATE_H

#include "ckpt/files/files_table.h"

bool late_is(const struct file *f);

/* In the restorer: a way from holder to holder, where there are several. */
int late_prepare(struct ckpt *c, struct file *f);

/*
 * Put all that are in TAB, T's table, in their places: opened where T is the
 * first of their holders, else taken over from the one before it. To be
 * called in the order of the tables.
 */
int late_place(struct ckpt *c, struct task *t, const struct fd_table *tab);

#endif
