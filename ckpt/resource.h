/*
 * resource.h - a resource is a file (D7): ckpt/<kind>.c exports one const
 * struct resource, ckpt/resource.c lists them in the order of revival, each
 * with its reason. Any function may be NULL. All return 0 or negative errno
 * with the sentence in c->err.
 */
#ifndef CKPT_RESOURCE_H
#define CKPT_RESOURCE_H

#include "ckpt/model.h"

struct resource {
	const char *name;

	/*
	 * Before anything stops, from /proc alone: report obstacles and
	 * notes about T. Also run by `sess -check`. T has no threads seized
	 * and no area. A process that ends meanwhile is no error.
	 */
	int (*check)(struct ckpt *c, struct task *t);

	/* Before anything stops, after all of those. */
	int (*check_tree)(struct ckpt *c);

	/*
	 * The tree is stopped: record what belongs to T (live or stopped,
	 * never a zombie). Obstacles found only here are reported too.
	 * Must leave T exactly as it was.
	 */
	int (*save)(struct ckpt *c, struct task *t);

	/* The tree is stopped: what belongs to no single task, after save. */
	int (*save_tree)(struct ckpt *c);

	/* Revival, in the restorer, before the first task exists. */
	int (*open)(struct ckpt *c);

	/*
	 * Revival: the task exists with its pid, session, group and memory;
	 * bring back what belongs to it by remote calls.
	 */
	int (*revive)(struct ckpt *c, struct task *t);
};

/* In the order of revival; NULL at the end. */
extern const struct resource *const resources[];

#endif
