/*
 * threads.h - what belongs to a single thread: registers with extended
 * state, signal mask, name, and the addresses that the kernel keeps for it
 * (restartable sequences, robust futexes, the tid to clear). All return 0, or
 * negative errno with a sentence in c->err.
 */
#ifndef CKPT_THREADS_H
#define CKPT_THREADS_H

#include "ckpt/model.h"

/* Before anything stops: who is traced, or not of 64 bits, is told. */
int threads_check(struct ckpt *c, struct task *t);

/* The tree is stopped: record every thread of T. */
int threads_save(struct ckpt *c, struct task *t);

/*
 * Revival: end the registration of restartable sequences that the restorer's
 * libc made, in the stand-in whose descendants would all inherit it: with it
 * the kernel would touch memory that is taken away.
 */
int threads_unregister(struct ckpt *c, struct task *t);

/*
 * Revival: give each thread of T its name and addresses back; all threads
 * exist, memory is filled.
 */
int threads_revive(struct ckpt *c, struct task *t);

/* Revival, last before the work area goes: sleepers fall asleep again. */
int threads_sleep(struct ckpt *c, struct task *t);

/*
 * Revival, after the work area of T is gone: registers, extended state and
 * signal mask. From here on only tracee_detach() may follow.
 */
int threads_finish(struct ckpt *c, struct task *t);

#endif
