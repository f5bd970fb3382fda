/*
 * files_table.h - the descriptor table of a task. Between files.c, which
 * saves, files_same.c and files_revive.c alone.
 */
#ifndef CKPT_FILES_TABLE_H
#define CKPT_FILES_TABLE_H

#include "ckpt/files/files.h"

struct fd_table {
	pid_t vpid;
	Img__Fd *fds; /* save: owned */
	size_t n, cap;
	Img__FileLock *locks; /* save: owned; POSIX locks */
	size_t n_locks, cap_locks;
	Img__Files *loaded; /* revival: owned */
};

/* The tables are c->files->tables; a new one is the last. */
int fd_table_new(struct files *fs, pid_t vpid, struct fd_table **ret_tab);
int fd_table_add(struct fd_table *tab, int fd, uint64_t file, bool cloexec);
int fd_table_lock(struct fd_table *tab, const Img__FileLock *lock);

/* Descriptor FD of TAB, saved or loaded; NULL: it is not open. */
const Img__Fd *fd_table_find(const struct fd_table *tab, int fd);

/* Record them (IMG_FILES); load and check them. */
int fd_tables_put(struct ckpt *c);
int fd_tables_load(struct ckpt *c);
void fd_tables_free(struct files *fs);

/* The first task that has F, or NULL, and its number there. */
const struct fd_table *fd_table_holder(const struct files *fs,
    const struct file *f, int *ret_fd);

/*
 * Save, in files_same.c: the description of F if it is known, and F is freed;
 * else F itself becomes known, with an id. F is freed on failure, too.
 */
int files_intern(struct ckpt *c, struct file *f, struct file **ret_f);

extern const struct file_kind *const file_kinds[];

/* resource.open and .revive of res_files, in files_revive.c. */
int files_open(struct ckpt *c);
int files_revive(struct ckpt *c, struct task *t);

#endif
