/*
 * pending.c - signals that are blocked and wait: a plain one from another
 * process, real-time ones in their order with their values, one for the
 * thread and one for the process, each told apart by siginfo.
 */
#include <pthread.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

#define N 20

static void
send_value(int sig, int value)
{
	union sigval v = { .sival_int = value };

	MUST(sigqueue(getpid(), sig, v));
}

static void
take(int sig, siginfo_t *ret_info)
{
	static const struct timespec now = { 0, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	/* By system call: glibc passes SI_TKILL on as SI_USER. */
	EXPECT(syscall(SYS_rt_sigtimedwait, &set, ret_info, &now, 8) == sig,
	    "signal %d: %s", sig, strerror(errno));
}

static void
expect_none(int sig)
{
	sigset_t set;

	MUST(sigpending(&set));
	EXPECT(!sigismember(&set, sig), "signal %d is there once more", sig);
}

int
main(void)
{
	siginfo_t info;
	sigset_t all;
	pid_t pid, parent = getpid();
	int i, st;

	victim_init();
	sigfillset(&all);
	sigdelset(&all, SIGTERM);
	MUST(sigprocmask(SIG_BLOCK, &all, NULL));
	pid = MUST(fork());
	if (pid == 0)
		_exit(kill(parent, SIGUSR1) == 0 ? 0 : 1);
	victim_reap(pid, 0);
	take(SIGCHLD, &info);
	for (i = 0; i < N; i++)
		send_value(SIGRTMIN + 3 + i % 2, 1000 + i);
	MUST0(pthread_kill(pthread_self(), SIGUSR2));
	MUST0(pthread_sigqueue(pthread_self(), SIGRTMIN + 9,
	    (union sigval){ .sival_ptr = &info }));
	pid = MUST(fork());
	if (pid == 0)
		_exit(7); /* a zombie, and its SIGCHLD */
	victim_until_state(pid, pid, 'Z');

	victim_wait();
	take(SIGUSR1, &info);
	EXPECT(info.si_code == SI_USER && info.si_pid != parent &&
		info.si_uid == getuid(),
	    "SIGUSR1: code %d from %d", info.si_code, info.si_pid);
	for (i = 0; i < N; i++) {
		take(SIGRTMIN + 3 + (i < N / 2 ? 0 : 1), &info);
		st = 1000 + (i < N / 2 ? 2 * i : 2 * (i - N / 2) + 1);
		EXPECT(info.si_code == SI_QUEUE && info.si_pid == parent &&
			info.si_value.sival_int == st,
		    "real-time signal %d has value %d, not %d", i,
		    info.si_value.sival_int, st);
	}
	take(SIGUSR2, &info);
	EXPECT(info.si_code == SI_TKILL && info.si_pid == parent,
	    "SIGUSR2: code %d", info.si_code);
	take(SIGRTMIN + 9, &info);
	EXPECT(info.si_value.sival_ptr == &info, "value of a thread's signal");
	take(SIGCHLD, &info);
	EXPECT(info.si_code == CLD_EXITED && info.si_pid == pid &&
		info.si_status == 7,
	    "SIGCHLD: code %d, pid %d, status %d", info.si_code, info.si_pid,
	    info.si_status);
	victim_reap(pid, 7);
	for (i = 1; i < SIGRTMAX; i++)
		if (i != SIGTERM && (i < 32 || i >= SIGRTMIN))
			expect_none(i);
	victim_ok();
}
