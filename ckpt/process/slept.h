/*
 * slept.h - what the scheduler remembers of a sleeping thread.
 */
#ifndef CKPT_SLEPT_H
#define CKPT_SLEPT_H

#include <stdint.h>
#include <sys/types.h>

/*
 * For how long TID, last seen on processor CPU, has slept, and how often in
 * its life. Negative errno: this kernel does not say.
 */
int slept_for(pid_t tid, int cpu, uint64_t *ret_ns, uint64_t *ret_switches);

/* How often TID has begun to sleep. */
int slept_often(pid_t tid, uint64_t *ret_n);

#endif
