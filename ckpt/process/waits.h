/*
 * waits.h - calls that wait with an end and that the kernel does not go on
 * with after a stop: they answer EINTR and are begun anew (tracee_fix_eintr()).
 * The end lies in memory of the program, which is not ours to change, or with
 * the socket.
 */
#ifndef CKPT_WAITS_H
#define CKPT_WAITS_H

#include "ckpt/model.h"

/* Nothing is stopped: is NR, of a thread of PID, such a call just now? */
bool wait_has_end(pid_t pid, uint64_t nr, const uint64_t args[6]);

/* T is stopped: how long call NR waits in all; 0: for ever, or unknown. */
uint64_t wait_whole_ns(struct task *t, uint64_t nr, const uint64_t args[6]);

/* What NR answers when its time is over: 0 or negative errno. */
int64_t wait_answer(uint64_t nr);

#endif
