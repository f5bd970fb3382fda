/*
 * arch_x86_64.c - registers and the injected code. Sources: the psABI for
 * system calls (only rax, rcx and r11 change), kernel:
 * arch/x86/kernel/signal.c (arch_do_signal_or_restart) for the restart codes.
 */
#include "tracee/arch.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* kernel: include/linux/errno.h; they never reach a program. */
enum {
	ERESTARTSYS_ = 512,
	ERESTARTNOINTR_ = 513,
	ERESTARTNOHAND_ = 514,
	ERESTART_RESTARTBLOCK_ = 516,
};

/* struct arch_home as words; the assembler below counts in bytes. */
enum {
	HOME_RAX,
	HOME_RBX,
	HOME_RCX,
	HOME_RDX,
	HOME_RSI,
	HOME_RDI,
	HOME_RBP,
	HOME_RSP,
	HOME_R8,
	HOME_R9,
	HOME_R10,
	HOME_R11,
	HOME_R12,
	HOME_R13,
	HOME_R14,
	HOME_R15,
	HOME_RIP,
	HOME_MASK,
	HOME_TGID,
	HOME_TID,
	HOME_BELL,
};

/*
 * loop: rbx is the operation, rbp how many are left; no instruction here
 * changes a flag, so those of the target are still there at home. A word of
 * 0 in op.ret on entry marks an operation that makes a child: where such a
 * call returns 0 we are that child and no tracer took us over, so we exit.
 * The mark is read before the call, because a child may share the memory.
 */
/* clang-format off */
__asm__("	.pushsection .rodata\n"
	"	.balign 16\n"
	"	.set HOME, blob_end\n"
	"blob_loop:\n"
	"	movq	%rbp, %rcx\n"
	"	jrcxz	blob_bell\n"
	"	leaq	-1(%rbp), %rbp\n"
	"	movq	56(%rbx), %r12\n"
	"	movq	0(%rbx), %rax\n"
	"	movq	8(%rbx), %rdi\n"
	"	movq	16(%rbx), %rsi\n"
	"	movq	24(%rbx), %rdx\n"
	"	movq	32(%rbx), %r10\n"
	"	movq	40(%rbx), %r8\n"
	"	movq	48(%rbx), %r9\n"
	"	syscall\n"
	"	movq	%rax, %rcx\n"
	"	jrcxz	2f\n"
	"1:	movq	%rax, 56(%rbx)\n"
	"	leaq	64(%rbx), %rbx\n"
	"	jmp	blob_loop\n"
	"2:	movq	%r12, %rcx\n"
	"	jrcxz	3f\n"
	"	jmp	1b\n"
	"3:	movl	$60, %eax\n" /* exit(0), of this thread alone */
	"	movl	$0, %edi\n"
	"	syscall\n"
	"	jmp	3b\n"
	"blob_once:\n"
	"	syscall\n"
	"	movq	%rax, %rbx\n"
	"blob_bell:\n"
	"	movl	$234, %eax\n" /* tgkill */
	"	movq	HOME+144(%rip), %rdi\n"
	"	movq	HOME+152(%rip), %rsi\n"
	"	movq	HOME+160(%rip), %rdx\n"
	"	syscall\n"
	"blob_rung:\n"
	"	movl	$14, %eax\n" /* rt_sigprocmask(SIG_SETMASK, , NULL, 8) */
	"	movl	$2, %edi\n"
	"	leaq	HOME+136(%rip), %rsi\n"
	"	movl	$0, %edx\n"
	"	movl	$8, %r10d\n"
	"	syscall\n"
	"	movq	HOME+0(%rip), %rax\n"
	"	movq	HOME+8(%rip), %rbx\n"
	"	movq	HOME+16(%rip), %rcx\n"
	"	movq	HOME+24(%rip), %rdx\n"
	"	movq	HOME+32(%rip), %rsi\n"
	"	movq	HOME+40(%rip), %rdi\n"
	"	movq	HOME+48(%rip), %rbp\n"
	"	movq	HOME+56(%rip), %rsp\n"
	"	movq	HOME+64(%rip), %r8\n"
	"	movq	HOME+72(%rip), %r9\n"
	"	movq	HOME+80(%rip), %r10\n"
	"	movq	HOME+88(%rip), %r11\n"
	"	movq	HOME+96(%rip), %r12\n"
	"	movq	HOME+104(%rip), %r13\n"
	"	movq	HOME+112(%rip), %r14\n"
	"	movq	HOME+120(%rip), %r15\n"
	"	jmpq	*HOME+128(%rip)\n"
	"	.balign 8, 0x90\n"
	"blob_end:\n"
	"	.popsection\n");
/* clang-format on */

extern const uint8_t blob_loop[], blob_once[], blob_rung[], blob_end[];

const char *const arch_name = "x86_64";

void
arch_blob(struct arch_blob *ret_blob)
{
	*ret_blob = (struct arch_blob){
		.code = blob_loop,
		.len = (size_t)(blob_end - blob_loop),
		.loop = 0,
		.once = (size_t)(blob_once - blob_loop),
		.rung = (size_t)(blob_rung - blob_loop),
	};
}

int
arch_get_regs(pid_t tid, struct arch_regs *ret_regs, struct err *e)
{
	struct arch_regs regs;
	struct iovec iov = { .iov_base = &regs.gp, .iov_len = sizeof regs.gp };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return err_sys(e, "thread %d: reading registers", tid);
	if (iov.iov_len != sizeof regs.gp)
		return err_set(e, -EOPNOTSUPP,
		    "thread %d runs 32-bit code, which sess does not support",
		    tid);
	*ret_regs = regs;
	return 0;
}

int
arch_set_regs(pid_t tid, const struct arch_regs *regs, struct err *e)
{
	struct user_regs_struct gp = regs->gp;
	struct iovec iov = { .iov_base = &gp, .iov_len = sizeof gp };

	if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return err_sys(e, "thread %d: setting registers", tid);
	return 0;
}

uint64_t
arch_ip(const struct arch_regs *r)
{
	return r->gp.rip;
}

uint64_t
arch_sp(const struct arch_regs *r)
{
	return r->gp.rsp;
}

void
arch_set_ip(struct arch_regs *r, uint64_t ip)
{
	r->gp.rip = ip;
}

bool
arch_in_syscall(const struct arch_regs *r)
{
	return (int64_t)r->gp.orig_rax >= 0;
}

uint64_t
arch_syscall_nr(const struct arch_regs *r)
{
	return r->gp.orig_rax;
}

void
arch_set_syscall_nr(struct arch_regs *r, uint64_t nr)
{
	r->gp.orig_rax = nr;
}

uint64_t
arch_syscall_arg(const struct arch_regs *r, int i)
{
	const uint64_t args[6] = { r->gp.rdi, r->gp.rsi, r->gp.rdx, r->gp.r10,
		r->gp.r8, r->gp.r9 };

	return args[i];
}

void
arch_set_syscall_arg(struct arch_regs *r, int i, uint64_t val)
{
	unsigned long long *const args[6] = { &r->gp.rdi, &r->gp.rsi,
		&r->gp.rdx, &r->gp.r10, &r->gp.r8, &r->gp.r9 };

	*args[i] = val;
}

int64_t
arch_syscall_ret(const struct arch_regs *r)
{
	return (int64_t)r->gp.rax;
}

void
arch_set_syscall_ret(struct arch_regs *r, int64_t val)
{
	r->gp.rax = (uint64_t)val;
	arch_forget_syscall(r);
}

void
arch_forget_syscall(struct arch_regs *r)
{
	r->gp.orig_rax = (uint64_t)-1;
}

void
arch_rewind_syscall(struct arch_regs *r)
{
	r->gp.rip -= 2;
	r->gp.rax = r->gp.orig_rax;
	arch_forget_syscall(r);
}

bool
arch_is_syscall(const uint8_t bytes[2])
{
	return bytes[0] == 0x0f && bytes[1] == 0x05;
}

static bool
wants_restart(const struct arch_regs *r)
{
	if (!arch_in_syscall(r))
		return false;
	switch (-arch_syscall_ret(r)) {
	case ERESTARTSYS_:
	case ERESTARTNOINTR_:
	case ERESTARTNOHAND_:
	case ERESTART_RESTARTBLOCK_:
		return true;
	}
	return false;
}

void
arch_fill_home(struct arch_home *h, const struct arch_regs *regs, uint64_t mask,
    pid_t vtgid, pid_t vtid, int bell)
{
	struct arch_regs home = *regs;
	const struct user_regs_struct *gp = &home.gp;

	if (wants_restart(&home))
		arch_rewind_syscall(&home);
	*h = (struct arch_home){ .words = {
				     [HOME_RAX] = gp->rax,
				     [HOME_RBX] = gp->rbx,
				     [HOME_RCX] = gp->rcx,
				     [HOME_RDX] = gp->rdx,
				     [HOME_RSI] = gp->rsi,
				     [HOME_RDI] = gp->rdi,
				     [HOME_RBP] = gp->rbp,
				     [HOME_RSP] = gp->rsp,
				     [HOME_R8] = gp->r8,
				     [HOME_R9] = gp->r9,
				     [HOME_R10] = gp->r10,
				     [HOME_R11] = gp->r11,
				     [HOME_R12] = gp->r12,
				     [HOME_R13] = gp->r13,
				     [HOME_R14] = gp->r14,
				     [HOME_R15] = gp->r15,
				     [HOME_RIP] = gp->rip,
				     [HOME_MASK] = mask,
				     [HOME_TGID] = (uint64_t)vtgid,
				     [HOME_TID] = (uint64_t)vtid,
				     [HOME_BELL] = (uint64_t)bell,
				 } };
}

void
arch_enter_loop(struct arch_regs *r, uint64_t ip, uint64_t ops, size_t n)
{
	r->gp.rip = ip;
	r->gp.rbx = ops;
	r->gp.rbp = n;
	arch_forget_syscall(r);
}

void
arch_enter_once(struct arch_regs *r, uint64_t ip, uint64_t nr,
    const uint64_t args[6])
{
	r->gp.rip = ip;
	r->gp.rax = nr;
	r->gp.rdi = args[0];
	r->gp.rsi = args[1];
	r->gp.rdx = args[2];
	r->gp.r10 = args[3];
	r->gp.r8 = args[4];
	r->gp.r9 = args[5];
	arch_forget_syscall(r);
}

int64_t
arch_once_ret(const struct arch_regs *r)
{
	return (int64_t)r->gp.rbx;
}
