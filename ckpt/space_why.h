/*
 * space_why.h - why a machine does not let a revival have its namespaces, in
 * words, and what can be done about it.
 */
#ifndef CKPT_SPACE_WHY_H
#define CKPT_SPACE_WHY_H

#include <stdbool.h>

#include "base/err.h"

enum space_step {
	SPACE_UNSHARE, /* making the namespaces */
	SPACE_IDS,     /* the map of the user namespace */
	SPACE_CLOCKS,
	SPACE_PROC, /* mounting */
	SPACE_PTS,
	SPACE_TID, /* a process with a number of our choice */
};

/*
 * STEP failed with NUM, a negative errno: NUM, and the sentence in E. USERNS:
 * for want of privilege there was to be a user namespace as well.
 */
int space_why(bool userns, enum space_step step, int num, struct err *e);

/* -ENOSYS and a sentence: the kernel is older than all that is needed. */
int space_kernel(struct err *e);

#endif
