/*
 * arch.h - all that depends on the processor. One arch_<machine>.c per
 * machine implements it; nothing above this header names a register.
 */
#ifndef TRACEE_ARCH_H
#define TRACEE_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/err.h"

/* An address in the tracee, never to be dereferenced here. */
typedef uint64_t raddr;

#define ARCH_XSTATE_MAX 16384 /* XSTATE with AMX is 11 KiB */

/* General registers of a thread, with fs and gs base and orig_rax. */
struct arch_regs {
	struct user_regs_struct gp;
};

/* Extended state in the kernel's standard (not compacted) XSAVE format. */
struct arch_xstate {
	uint32_t len; /* bytes used of data */
	uint8_t data[ARCH_XSTATE_MAX] __attribute__((aligned(64)));
};

int arch_get_regs(pid_t tid, struct arch_regs *ret_regs, struct err *e);
int arch_set_regs(pid_t tid, const struct arch_regs *regs, struct err *e);
int arch_get_xstate(pid_t tid, struct arch_xstate *ret_x, struct err *e);

/*
 * Load X into TID. A state saved on another machine is brought to the local
 * length; -ENOTSUP names the components this processor lacks.
 */
int arch_set_xstate(pid_t tid, const struct arch_xstate *x, struct err *e);

uint64_t arch_ip(const struct arch_regs *r);
uint64_t arch_sp(const struct arch_regs *r);
void arch_set_ip(struct arch_regs *r, uint64_t ip);

/*
 * True when the thread was stopped inside a system call (orig_rax >= 0);
 * its number and its six arguments are then arch_syscall_nr() and _arg().
 */
bool arch_in_syscall(const struct arch_regs *r);
uint64_t arch_syscall_nr(const struct arch_regs *r);
uint64_t arch_syscall_arg(const struct arch_regs *r, int i);
int64_t arch_syscall_ret(const struct arch_regs *r);

/* The thread will not be subject to system call restart (orig_rax = -1). */
void arch_forget_syscall(struct arch_regs *r);

/*
 * Make R execute its interrupted call again from the start: ip back on the
 * instruction, number in place, restart forgotten (KERNEL: x86 rip -= 2).
 */
void arch_rewind_syscall(struct arch_regs *r);

/*
 * The injected code. All of it is position independent, uses no stack and
 * touches no flag; its registers are given by the functions below.
 * blob_len bytes starting at blob; offsets of the two entries in it.
 */
struct arch_blob {
	const uint8_t *code;
	size_t len;
	size_t loop; /* run an array of operations, then the bell */
	size_t once; /* one system call, then home */
};

const struct arch_blob *arch_blob(void);

/*
 * The features a program may have picked code paths by (cpuid leaves 1, 7,
 * 0xd and 0x80000001, and xcr0) as 32-bit words; the number of words.
 * arch_features_name() names the first feature of WANT missing in HAVE, or
 * returns NULL when none is.
 */
#define ARCH_N_FEATURES 12
size_t arch_features(uint32_t words[ARCH_N_FEATURES]);
const char *arch_features_missing(const uint32_t *want, size_t n);

extern const char *const arch_name; /* "x86_64" */

#endif
