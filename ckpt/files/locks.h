/*
 * locks.h - locks on files: flock(2) and OFD locks belong to an open file
 * description, POSIX locks (fcntl(2), F_SETLK) to a task. Which are held is
 * told by the lines "lock:" of /proc/PID/fdinfo/N (proc_pid_fdinfo(5)).
 */
#ifndef CKPT_LOCKS_H
#define CKPT_LOCKS_H

#include "ckpt/files/files_table.h"

/* In images: never changed. */
enum lock_kind {
	LOCK_FLOCK = 1,
	LOCK_OFD = 2,
	LOCK_POSIX = 3,
};

/* Leases and locks of unknown kinds stand in the way. */
int locks_check(struct ckpt *c, struct file *f);

/* Put the locks of F's description into f->rec; those of the task into TAB. */
int locks_save(struct ckpt *c, struct file *f);
int locks_save_posix(struct ckpt *c, struct file *f, struct fd_table *tab);

/* Take them again: in the restorer by f->fd; in T. */
int locks_revive(struct ckpt *c, struct file *f);
int locks_revive_posix(struct ckpt *c, struct task *t,
    const struct fd_table *tab);

#endif
