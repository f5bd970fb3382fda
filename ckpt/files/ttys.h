/*
 * ttys.h - pseudo terminals: the session's own, and those inside the tree.
 * What is kept of one is told in ttys.c.
 */
#ifndef CKPT_TTYS_H
#define CKPT_TTYS_H

#include "ckpt/files/files.h"

struct ttys;

/*
 * Revival, in the restorer: make all terminals, each at its old number, with
 * settings, sizes and unread data. Called by res_files.open.
 */
int ttys_make(struct ckpt *c);

/*
 * Revival: LEADER has just begun its session: the terminal that controls it
 * becomes so. To be called before anything that inherits that session is
 * made: a session's terminal is inherited at birth and cannot be taken by
 * anybody but the leader (kernel: tiocsctty()).
 */
int ttys_claim(struct ckpt *c, struct task *leader);

/*
 * Revival, all tasks being in their process groups: set the foreground
 * groups. Done at the first call, later ones do nothing.
 */
int ttys_claim_foreground(struct ckpt *c);

/* Revival: an inherited descriptor of a terminal that was hung up. */
int ttys_hung(struct ckpt *c);

void ttys_free(struct ttys *ts);

#endif
