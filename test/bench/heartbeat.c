/*
 * heartbeat MB FILE - hold MB mebibytes of touched memory and beat once a
 * millisecond. The largest gap between two beats is kept in memory, so that
 * measuring costs no system call that a save could delay. Lines in FILE:
 *
 *   ready PID       all memory is touched
 *   gap US          after SIGUSR1: the largest gap since the last one
 *   fork US         after SIGUSR2: how long a fork() of our own took
 *   back US         CLOCK_REALTIME of the first beat after a gap of over
 *                   20 ms by that clock, which a revival is: CLOCK_MONOTONIC
 *                   goes on where it was
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t want_gap, want_fork;

static void
on_signal(int sig)
{
	if (sig == SIGUSR1)
		want_gap = 1;
	else
		want_fork = 1;
}

static uint64_t
now_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t
fork_ns(void)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC), took;
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0)
		_exit(0);
	took = now_ns(CLOCK_MONOTONIC) - start;
	(void)waitpid(pid, NULL, 0);
	return took;
}

int
main(int argc, char **argv)
{
	uint64_t last, now, real, was, gap = 0, x = 88172645463325252u, i, n;
	struct timespec beat = { .tv_nsec = 1000000 };
	uint64_t *memory;
	int fd;

	if (argc != 3)
		errx(2, "usage: heartbeat MB FILE");
	n = (uint64_t)atoi(argv[1]) << 17;
	fd = open(argv[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		err(1, "%s", argv[2]);
	memory = mmap(NULL, n * 8 + 8, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	/* 4 KiB pages, as in most programs: the dearest to fork. */
	(void)madvise(memory, n * 8, MADV_NOHUGEPAGE);
	for (i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memory[i] = x;
	}
	(void)signal(SIGUSR1, on_signal);
	(void)signal(SIGUSR2, on_signal);
	(void)dprintf(fd, "ready %d\n", (int)getpid());
	last = now_ns(CLOCK_MONOTONIC);
	was = now_ns(CLOCK_REALTIME);
	for (;;) {
		(void)nanosleep(&beat, NULL);
		now = now_ns(CLOCK_MONOTONIC);
		if (now - last > gap)
			gap = now - last;
		real = now_ns(CLOCK_REALTIME);
		if (real - was > 20000000)
			(void)dprintf(fd, "back %llu\n",
			    (unsigned long long)real / 1000);
		if (want_gap) {
			want_gap = 0;
			(void)dprintf(fd, "gap %llu\n",
			    (unsigned long long)gap / 1000);
			gap = 0;
		}
		if (want_fork) {
			want_fork = 0;
			(void)dprintf(fd, "fork %llu\n",
			    (unsigned long long)fork_ns() / 1000);
		}
		last = now_ns(CLOCK_MONOTONIC);
		was = now_ns(CLOCK_REALTIME);
	}
}
