/*
 * space.h - the namespaces a revived tree lives in (D6): numbers of its own,
 * its clocks going on, a mount namespace with its own /proc and /dev/pts,
 * and, for an ordinary user, a user namespace with one id.
 */
#ifndef CKPT_SPACE_H
#define CKPT_SPACE_H

#include "ckpt/model.h"

/* True when this process must have a user namespace to make the others. */
bool space_needs_userns(void);

/*
 * In a process of its own that forks the restorer next: leave for new
 * namespaces, with the clocks of M going on from where they were.
 */
int space_enter(struct ckpt *c, const Img__Machine *m);

/* The same as root, with the clocks going on from these. */
int space_leave(int64_t monotonic_ns, int64_t boottime_ns, struct err *e);

/* In the restorer, pid 1: its own /proc and /dev/pts. */
int space_mount(struct ckpt *c);

/* Give up all capabilities of this process for ever. */
void space_drop(void);

#endif
