/*
 * tracee_victim.h - small programs that notice when they are disturbed. Each
 * lives in a child of the test, checks itself in every round and counts in a
 * page that it shares with the test.
 */
#ifndef TEST_UNIT_TRACEE_VICTIM_H
#define TEST_UNIT_TRACEE_VICTIM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct notes {
	atomic_ulong rounds;  /* came through its loop */
	atomic_ulong wrong;   /* a result that is not what it must be */
	atomic_ulong eintr;   /* a call that nobody interrupted said EINTR */
	atomic_ulong handled; /* handlers that ran */
	atomic_ulong early;   /* woke before its time */
	atomic_ulong late;    /* slept much longer than it should */
	atomic_int go;
	atomic_ulong value;
};

struct victim {
	pid_t pid;
	struct notes *notes;
};

/* What a victim does once; returns whether it was right. */
typedef bool victim_round(struct notes *n);

static inline uint64_t
victim_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A sum that hangs on the carry flag from turn to turn. */
static inline uint64_t
victim_carry(uint64_t seed)
{
	uint64_t n = 3000;

	__asm__ volatile("	clc\n"
			 "1:	adcq	%1, %0\n"
			 "	rcrq	$3, %0\n"
			 "	leaq	-1(%%rcx), %%rcx\n"
			 "	jrcxz	2f\n"
			 "	jmp	1b\n"
			 "2:\n"
			 : "+r"(seed)
			 : "r"(UINT64_C(0x9e3779b97f4a7c15)), "c"(n)
			 : "cc");
	return seed;
}

/*
 * victim_registers_asm: every general register but rsp holds its number for
 * a while; returns how many were found changed.
 */
__asm__("	.text\n"
	"victim_registers_asm:\n"
	"	push	%rbx\n"
	"	push	%rbp\n"
	"	push	%r12\n"
	"	push	%r13\n"
	"	push	%r14\n"
	"	push	%r15\n"
	"	movl	$5000, %ecx\n"
	"	.irp	n,8,9,10,11,12,13,14,15\n"
	"	movq	$0x1000+\\n, %r\\n\n"
	"	.endr\n"
	"	movq	$1, %rax\n"
	"	movq	$2, %rbx\n"
	"	movq	$3, %rdx\n"
	"	movq	$4, %rsi\n"
	"	movq	$5, %rdi\n"
	"	movq	$6, %rbp\n"
	"1:	leaq	-1(%rcx), %rcx\n"
	"	jrcxz	2f\n"
	"	jmp	1b\n"
	"2:	subq	$1, %rax\n"
	"	subq	$2, %rbx\n"
	"	orq	%rbx, %rax\n"
	"	subq	$3, %rdx\n"
	"	orq	%rdx, %rax\n"
	"	subq	$4, %rsi\n"
	"	orq	%rsi, %rax\n"
	"	subq	$5, %rdi\n"
	"	orq	%rdi, %rax\n"
	"	subq	$6, %rbp\n"
	"	orq	%rbp, %rax\n"
	"	.irp	n,8,9,10,11,12,13,14,15\n"
	"	subq	$0x1000+\\n, %r\\n\n"
	"	orq	%r\\n, %rax\n"
	"	.endr\n"
	"	pop	%r15\n"
	"	pop	%r14\n"
	"	pop	%r13\n"
	"	pop	%r12\n"
	"	pop	%rbp\n"
	"	pop	%rbx\n"
	"	ret\n");
extern uint64_t victim_registers_asm(void);

static inline bool
victim_registers(struct notes *n)
{
	(void)n;
	return victim_registers_asm() == 0;
}

/* Integers, flags, x87 and SSE, all kept in registers over a long loop. */
static inline bool
victim_compute(struct notes *n)
{
	static uint64_t expect_int;
	static double expect_sse;
	static long double expect_x87;
	static bool known;
	uint64_t a = 88172645463325252u, i;
	double d = 1.0, f = 0.5;
	long double x = 1.0L;

	(void)n;
	for (i = 1; i < 4000; i++) {
		a ^= a << 13;
		a ^= a >> 7;
		a ^= a << 17;
		d += 1.0 / (double)i * f;
		f = f * 1.0000001 - 1e-9;
		x = x * 1.0001L + 1.0L / (long double)i;
	}
	a += victim_carry(a);
	if (!known) {
		expect_int = a;
		expect_sse = d;
		expect_x87 = x;
		known = true;
	}
	return a == expect_int && memcmp(&d, &expect_sse, sizeof d) == 0 &&
	    memcmp(&x, &expect_x87, 10) == 0;
}

static inline bool
victim_nanosleep(struct notes *n)
{
	struct timespec ts = { .tv_nsec = 3000000 };
	uint64_t start = victim_now_ns();
	int r = nanosleep(&ts, NULL);

	if (r < 0 && errno == EINTR)
		n->eintr++;
	if (victim_now_ns() - start < 3000000)
		n->early++;
	return r == 0;
}

static inline bool
victim_timerfd(struct notes *n)
{
	const struct itimerspec its = { .it_value.tv_nsec = 3000000 };
	static int fd = -1;
	uint64_t ticks = 0;
	ssize_t r;

	if (fd < 0)
		fd = timerfd_create(CLOCK_MONOTONIC, 0);
	if (timerfd_settime(fd, 0, &its, NULL) < 0)
		return false;
	r = read(fd, &ticks, sizeof ticks);
	if (r < 0 && errno == EINTR)
		n->eintr++;
	return r == sizeof ticks && ticks == 1;
}

static inline void
victim_count(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	((struct notes *)si->si_value.sival_ptr)->handled++;
}

/* Signals come only in sigsuspend, and every one is seen. */
static inline bool
victim_sigsuspend(struct notes *n)
{
	static bool ready;
	static timer_t timer;
	const struct itimerspec its = { .it_value.tv_nsec = 2000000 };
	struct sigaction sa = { .sa_sigaction = victim_count,
		.sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGALRM,
		.sigev_value.sival_ptr = n };
	sigset_t block, wait;
	unsigned long before = n->handled;

	(void)sigemptyset(&wait);
	(void)sigaddset(&wait, SIGUSR1);
	if (!ready) {
		(void)sigaction(SIGALRM, &sa, NULL);
		(void)sigemptyset(&block);
		(void)sigaddset(&block, SIGALRM);
		(void)sigprocmask(SIG_BLOCK, &block, NULL);
		(void)timer_create(CLOCK_MONOTONIC, &ev, &timer);
		ready = true;
	}
	if (timer_settime(timer, 0, &its, NULL) < 0)
		return false;
	(void)sigsuspend(&wait);
	return n->handled == before + 1;
}

/* The mask is the one that the victim set for itself, and nothing else. */
static inline bool
victim_mask_is_right(const sigset_t *want)
{
	sigset_t now;

	(void)sigprocmask(SIG_SETMASK, NULL, &now);
	return memcmp(&now, want, 8) == 0;
}

static inline struct notes *
victim_notes(void)
{
	void *p = mmap(NULL, sizeof(struct notes), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static inline void
victim_main(struct notes *n, victim_round *round)
{
	sigset_t mask;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGUSR1);
	(void)sigaddset(&mask, SIGRTMIN + 3);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	(void)round(n);
	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	for (;;) {
		if (!round(n) || !victim_mask_is_right(&mask))
			n->wrong++;
		n->rounds++;
	}
}

/* Waits until V has come through its loop N more times; false after 10 s. */
static inline bool
victim_advances(const struct victim *v, unsigned long n)
{
	const struct timespec ts = { .tv_nsec = 200000 };
	uint64_t end = victim_now_ns() + UINT64_C(10000000000);
	unsigned long to = v->notes->rounds + n;

	while (v->notes->rounds < to) {
		if (victim_now_ns() > end || kill(v->pid, 0) < 0)
			return false;
		(void)nanosleep(&ts, NULL);
	}
	return true;
}

/* In a child: a crash is the end of it, not (as cmocka has it) of a test. */
static inline void
crash_for_good(void)
{
	(void)signal(SIGSEGV, SIG_DFL);
	(void)signal(SIGBUS, SIG_DFL);
	(void)signal(SIGILL, SIG_DFL);
	(void)signal(SIGFPE, SIG_DFL);
	(void)signal(SIGSYS, SIG_DFL);
}

static inline struct victim
victim_start(victim_round *round)
{
	struct victim v = { .notes = victim_notes() };

	v.pid = fork();
	if (v.pid == 0) {
		crash_for_good();
		victim_main(v.notes, round);
		_exit(1);
	}
	(void)victim_advances(&v, 1);
	return v;
}

static inline void
victim_done(struct victim *v)
{
	if (v->pid > 0) {
		(void)kill(v->pid, SIGKILL);
		(void)waitpid(v->pid, NULL, __WALL);
	}
	if (v->notes != NULL)
		(void)munmap(v->notes, sizeof *v->notes);
	*v = (struct victim){ .pid = 0 };
}
#define autovictim scoped(victim_done)

/* The value of a line of /proc/PID/status, in *RET_LINE. */
static inline bool
victim_status(pid_t pid, const char *name, char *ret_line, size_t len)
{
	char path[64], line[256];
	FILE *f;
	bool found = false;

	(void)snprintf(path, sizeof path, "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	while (!found && fgets(line, sizeof line, f) != NULL)
		found = strncmp(line, name, strlen(name)) == 0;
	(void)fclose(f);
	if (found)
		(void)snprintf(ret_line, len, "%s", line + strlen(name));
	return found;
}

#endif
