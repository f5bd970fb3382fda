/*
 * pending.h - signals that wait for a thread or a process.
 *
 * They are read without being taken (PTRACE_PEEKSIGINFO) and queued again by
 * the thread itself: from there the kernel lets every si_code pass, from
 * elsewhere next to none (kernel/signal.c: do_rt_sigqueueinfo()). Everything
 * is blocked meanwhile (tracee.h), and blocked signals are not dropped even
 * when they are ignored. Sources: ptrace(2), rt_sigqueueinfo(2).
 */
#ifndef CKPT_PENDING_H
#define CKPT_PENDING_H

#include <signal.h>

#include "ckpt/resource.h"

#define N_SIGNALS 64
#define SIGNAL_SET_LEN 8 /* sizeof(sigset_t) of the kernel */

/* A queue of them, in the order of their coming. */
struct pending {
	siginfo_t *infos;           /* owned */
	ProtobufCBinaryData *views; /* owned; of infos, when done */
	size_t n, cap;
	uint64_t set; /* of their numbers */
};

#define PENDING_NONE ((struct pending){ .infos = NULL })

void pending_done(struct pending *q);

/* The bit of SIGNO in a set. */
static inline uint64_t
pending_bit(int signo)
{
	return UINT64_C(1) << (signo - 1);
}

/* ---- save ---- */

/* Append INFO. 0 or -ENOMEM. */
int pending_add(struct pending *q, const siginfo_t *info);

/*
 * Append what waits for thread TID, which is stopped, or with SHARED for its
 * process. 0 or negative errno.
 */
int pending_read(pid_t tid, bool shared, struct pending *q);

/*
 * Append each of SET as if by kill(2) from nobody: so is delivered what is
 * pending without an entry in a queue, for which there was no memory. 0 or
 * -ENOMEM.
 */
int pending_add_bare(struct pending *q, uint64_t set);

/* Q as the repeated bytes of a record; they are Q's. 0 or -ENOMEM. */
int pending_views(struct pending *q, ProtobufCBinaryData **ret_views,
    size_t *ret_n);

/* ---- revival; with a sentence in c->err ---- */

/* Take away all that waits for thread I of T, or for its process. */
int pending_flush(struct ckpt *c, struct task *t, size_t i);

/*
 * Have thread I of T queue the N signals V to itself, or with SHARED to its
 * process. Those that the kernel would not take are noted. -EBADMSG: V is
 * damaged.
 */
int pending_revive(struct ckpt *c, struct task *t, size_t i, bool shared,
    const ProtobufCBinaryData *v, size_t n);

/* The numbers of the N signals V of a record, as a set. */
uint64_t pending_set(const ProtobufCBinaryData *v, size_t n);

#endif
