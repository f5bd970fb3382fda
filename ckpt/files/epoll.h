/*
 * epoll.h - what files_revive.c needs of epoll.c.
 */
#ifndef CKPT_EPOLL_H
#define CKPT_EPOLL_H

#include "ckpt/files/files_table.h"

/*
 * Revival: T has all its descriptors: watch again with the epoll instances
 * that it is the first to have.
 */
int epoll_revive(struct ckpt *c, struct task *t, const struct fd_table *tab);

#endif
