/*
 * sleep.h - calls that sleep for a time: nanosleep, clock_nanosleep, poll,
 * futex with a relative timeout. The kernel goes on with them from a restart
 * block that nobody can read, so the time that is left must be learnt in
 * another way: when the thread fell asleep is asked of the scheduler before
 * the thread is stopped, and ends that are known from an earlier save or
 * revival are remembered by the server (struct sleeps).
 */
#ifndef CKPT_SLEEP_H
#define CKPT_SLEEP_H

#include "ckpt/model.h"

/* A thread asleep, and until when. */
struct asleep {
	pid_t tid;   /* as this process sees it */
	uint64_t nr; /* the call */
	uint64_t args[6];
	uint64_t end_ns; /* CLOCK_MONOTONIC of this process; sampled: since */
	uint64_t n_switches; /* of the scheduler, at the sample; of one that
	                        WAITS, when the server remembers it: at the end
	                        of the stop */
	bool waits;          /* a call of waits.h; end_ns is when it began */
	bool restarted;      /* seen in restart_syscall(2): no call begun since
	                       looks like that */
};

/* What the server remembers from save to save (ckpt.h). */
struct sleeps {
	struct asleep *v; /* owned */
	size_t n;
	struct freeze strays; /* not let go yet; see save_tidy() */
};

/*
 * Before the stop: remember since when threads of T have been asleep. After
 * it: forget those that woke up in between.
 */
int sleep_sample(struct ckpt *c, struct task *t);
void sleep_confirm(struct ckpt *c);

/*
 * The tree is stopped, TH in a call with a restart block: which call, and
 * how long it would sleep on. *RET_LEFT_NS 0: unknown.
 */
int sleep_save(struct ckpt *c, struct task *t, struct tracee *th,
    uint64_t *ret_nr, uint64_t *ret_left_ns);

/*
 * The tree is stopped, and TH, of T, will begin anew with the call it was in,
 * WAS being its registers at the stop. Where a register says for how long, it
 * is told what is left of it. Else the call ends here if its time was over
 * already, with all the stops in between: saved often, it would never end.
 */
void sleep_again(struct ckpt *c, struct task *t, struct tracee *th,
    const struct arch_regs *was);

/* The last of the stop: by what calls are known that will begin anew. */
void sleep_settle(struct ckpt *c);

/*
 * Revival: put TH, a thread of T, to sleep again in NR, with the arguments
 * in REGS but for LEFT_NS. *RET_REBUILT: see tracee_rebuild_restart().
 */
int sleep_revive(struct ckpt *c, struct task *t, struct tracee *th,
    const struct arch_regs *regs, uint64_t nr, uint64_t left_ns,
    bool *ret_rebuilt);

/* The saved is now the remembered: moves what C has learnt into *KEEP. */
void sleep_keep(struct ckpt *c, struct sleeps *keep);

/*
 * After a revival, in the server: the sleepers of the image c->img, which
 * now live as threads of the descendants of c->parent. NULL: no memory.
 */
struct sleeps *sleep_learn(struct ckpt *c);

#endif
