/*
 * check.h - what can be saved is known before anything stops (D8).
 */
#ifndef CKPT_CHECK_H
#define CKPT_CHECK_H

#include "ckpt/model.h"

/*
 * The tree below c->parent runs: let every resource look at it, and remember
 * what can only be learnt now (sleepers, memory that no fork shows).
 * -EOPNOTSUPP and the first obstacle when something stands in the way, and
 * still does a moment later.
 */
int check_before(struct ckpt *c);

/* Obstacles for processes that share memory without being threads. RUNNING:
 * they may be in the middle of a vfork. */
void check_shared_memory(struct ckpt *c, bool running);

/* 0, or -EOPNOTSUPP with the first line of c->obstacles as the sentence. */
int check_refuse(struct ckpt *c);

#endif
