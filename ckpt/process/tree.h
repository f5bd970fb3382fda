/*
 * tree.h - the process tree: who is whose child, in which session and group,
 * who is stopped, who is a zombie. The order of births at revival follows
 * from what can only be inherited (a session) and what can be set later (a
 * process group). All return 0, or negative errno with a sentence in c->err.
 */
#ifndef CKPT_TREE_H
#define CKPT_TREE_H

#include "ckpt/model.h"

/* freeze_find for the descendants of ((struct ckpt *)arg)->parent. */
int tree_find(void *arg, pid_t **ret_pids, size_t *ret_n, struct err *e);

/*
 * Fill c->tasks with the descendants of c->parent, zombies included, parents
 * first; threads are attached when c->frozen holds them.
 */
int tree_collect(struct ckpt *c);

/* Fill c->tasks with process PID and its descendants. */
int tree_collect_one(struct ckpt *c, pid_t pid);

/* Record all tasks (IMG_TREE, IMG_TASK); the tree is stopped. */
int tree_save(struct ckpt *c);

/* Fill c->tasks from the image, checked: one tree, unique pids. */
int tree_load(struct ckpt *c);

/*
 * Revival: give birth to all tasks below MAKER, a stopped task that is the
 * restorer's stand-in for the old server, with an area mapped. On return
 * every task exists with its pid, session and process group, seized and
 * stopped, its area usable. Stand-ins for dead leaders are gone again.
 */
int tree_make(struct ckpt *c, struct task *maker);

/* Revival: threads of T beyond the leader, as clones of it. */
int tree_make_threads(struct ckpt *c, struct task *t);

/* Revival: let zombies end as they had ended. */
int tree_end_zombies(struct ckpt *c);

/*
 * Revival: let T, which is complete but for being stopped by job control, go
 * into its stop, unseen by its parent if that had seen it. T is not traced
 * any more then; its parent still is.
 */
int tree_stop(struct ckpt *c, struct task *t);

/* Free c->tasks with what is known of each; not its threads. */
void tree_done(struct ckpt *c);

/* Forget who was seen outside the tree: at the end of a save. */
void tree_forget(struct ckpt *c);

#endif
