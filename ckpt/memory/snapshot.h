/*
 * snapshot.h - a copy-on-write copy of an address space, frozen (D5).
 */
#ifndef CKPT_SNAPSHOT_H
#define CKPT_SNAPSHOT_H

#include "ckpt/model.h"

/*
 * The tree is stopped: fork a snapshot of T (t->snapshot). It holds no
 * descriptor, is in a session of its own, ends when sess ends, and is no
 * child of T: T never sees it. Negative errno when the fork is refused
 * (memory, RLIMIT_NPROC, pids.max); T is then as before.
 */
int snapshot_take(struct ckpt *c, struct task *t);

/*
 * Open the files of the snapshot, or of T itself when it has none, that the
 * writer reads (t->snap_*). A descriptor opened now is good after the fork.
 */
int snapshot_open(struct ckpt *c, struct task *t);

/* End the snapshot and wait for it. */
void snapshot_end(struct task *t);

/*
 * In the writer: the snapshot of T has been read, so its memory may go while
 * the rest is written. It stays the server's, to be ended by snapshot_end().
 */
void snapshot_drop(const struct task *t);

#endif
