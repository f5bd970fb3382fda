/*
 * trip.h - one stay of a stopped thread in the injected code, there and back.
 * Inside tracee/ only.
 */
#ifndef TRACEE_TRIP_H
#define TRACEE_TRIP_H

#include "tracee/tracee.h"

/* A copy of the injected code in a target. */
struct trip {
	int mem_fd; /* /proc/PID/mem, borrowed */
	raddr code; /* the byte at offset `from' of the blob */
	size_t from;
	/* where to enter; made from t->regs by arch_enter_loop() or _once() */
	struct arch_regs enter;
};

/*
 * Let T run TRIP until it rings; *RET_REGS are its registers then. On every
 * return its registers and mask are those of *T again.
 * -ESRCH: T died; -EFAULT: the code hit a fault.
 */
int trip_run(struct tracee *t, const struct trip *trip,
    struct arch_regs *ret_regs, struct err *e);

/* Address of the struct arch_home of TRIP. */
raddr trip_home(const struct trip *trip);

#endif
