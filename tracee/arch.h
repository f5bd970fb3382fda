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

/*
 * Registers of a stopped thread. -ESRCH: it is gone; -EOPNOTSUPP: it runs
 * code of another mode (32-bit), which sess cannot handle.
 */
int arch_get_regs(pid_t tid, struct arch_regs *ret_regs, struct err *e);
int arch_set_regs(pid_t tid, const struct arch_regs *regs, struct err *e);

/*
 * The extended state of TID. Where its components lie differs between
 * processors (XSAVE leaves that to cpuid), so the places are written into
 * bytes 464..511 of the data, which XSAVE leaves to software.
 */
int arch_get_xstate(pid_t tid, struct arch_xstate *ret_x, struct err *e);

/*
 * Load X into TID. A state taken on another machine is brought to the local
 * places and length; -ENOTSUP names a component in use that this processor
 * lacks, -EBADMSG: X is not what arch_get_xstate() made.
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

/* Let the call have answered VAL: it is over, and not begun anew. */
void arch_set_syscall_ret(struct arch_regs *r, int64_t val);

/* Give argument I of a call that is to be executed another value. */
void arch_set_syscall_arg(struct arch_regs *r, int i, uint64_t val);

/* Name another call as the interrupted one: restart_syscall(2) hides it. */
void arch_set_syscall_nr(struct arch_regs *r, uint64_t nr);

/* The thread will not be subject to system call restart (orig_rax = -1). */
void arch_forget_syscall(struct arch_regs *r);

/*
 * Make R execute its interrupted call again from the start: ip back on the
 * instruction, number in place, restart forgotten (KERNEL: x86 rip -= 2).
 */
void arch_rewind_syscall(struct arch_regs *r);

/* True when BYTES, those before ip, are the instruction of a system call. */
bool arch_is_syscall(const uint8_t bytes[2]);

/*
 * The injected code: position independent, without a stack, without touching
 * a flag. It is copied with a struct arch_home directly behind it and reads
 * all it needs from there:
 *
 *   loop   run operations (struct tracee_op); fall into the bell
 *   once   one system call whose registers are loaded; fall into the bell
 *   (bell) tgkill of itself, the place where a tracer takes over
 *   (home) put back the signal mask and every register, jump home
 *
 * Offsets count from code. A copy for calls of its own may begin at once.
 */
struct arch_blob {
	const uint8_t *code;
	size_t len; /* of the code; struct arch_home follows */
	size_t loop;
	size_t once;
	size_t rung; /* ip when the bell has been rung */
};

void arch_blob(struct arch_blob *ret_blob);

/* What lies behind the code; the layout is known to arch_<machine>.c alone. */
struct arch_home {
	uint64_t words[24];
};

/*
 * The thread, as it sees its own numbers, that will ring BELL and then go on
 * with REGS and MASK. An interrupted system call is started again.
 */
void arch_fill_home(struct arch_home *h, const struct arch_regs *regs,
    uint64_t mask, pid_t vtgid, pid_t vtid, int bell);

/* Make R start the loop at IP with N operations at OPS. */
void arch_enter_loop(struct arch_regs *r, uint64_t ip, uint64_t ops, size_t n);

/* Make R start one call at IP; the kernel's answer when it has rung. */
void arch_enter_once(struct arch_regs *r, uint64_t ip, uint64_t nr,
    const uint64_t args[6]);
int64_t arch_once_ret(const struct arch_regs *r);

/*
 * The features a program may have picked code paths by (cpuid leaves 1, 7,
 * 0xd and 0x80000001, and xcr0) as 32-bit words; the number of words.
 * arch_features_missing() names the first feature among the N words of WANT
 * that this processor lacks, or returns NULL when none is.
 */
#define ARCH_N_FEATURES 12
size_t arch_features(uint32_t words[ARCH_N_FEATURES]);
const char *arch_features_missing(const uint32_t *want, size_t n);

/*
 * Code to be written over the entry of a function: go on at TO instead, or
 * make system call NR of the function's own arguments, at most three, and
 * return the kernel's answer.
 */
#define ARCH_JUMP_LEN 12
void arch_put_jump(uint8_t code[ARCH_JUMP_LEN], uint64_t to);
void arch_put_syscall(uint8_t code[ARCH_JUMP_LEN], uint32_t nr);

extern const char *const arch_name; /* "x86_64" */

#endif
