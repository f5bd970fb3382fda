/*
 * ptyrun [-e N] CMD... - run CMD on a pty of its own, read all that comes,
 * and say in one line what it took, all children's children included:
 *
 *   bytes N wall_us N cpu_us N
 *
 * With -e: wait until CMD is quiet, send N single bytes, wait for the echo
 * of each, and print the median round trip instead: echo_ns N. CMD is then
 * ended by hanging up.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t
cpu_us(int who)
{
	struct rusage u;

	(void)getrusage(who, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	    (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
read_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		err(1, "the session ended");
}

static void
echo(int fd, int n)
{
	uint64_t *took = calloc((size_t)n, sizeof *took), start;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char trash[4096];
	int i;

	while (poll(&p, 1, 500) > 0)
		if (read(fd, trash, sizeof trash) <= 0)
			errx(1, "the session ended");
	for (i = 0; i < n; i++) {
		start = now_ns();
		if (write(fd, "x", 1) != 1)
			err(1, "write");
		read_byte(fd);
		took[i] = now_ns() - start;
	}
	qsort(took, (size_t)n, sizeof *took, compare);
	printf("echo_ns %llu\n", (unsigned long long)took[n / 2]);
	free(took);
}

int
main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	uint64_t start, bytes = 0, wall;
	static char block[1 << 16];
	int fd, n_echo = 0;
	ssize_t n;
	pid_t pid;

	if (argc > 2 && strcmp(argv[1], "-e") == 0) {
		n_echo = atoi(argv[2]);
		argv += 2;
	}
	if (argv[1] == NULL)
		errx(2, "usage: ptyrun [-e N] CMD...");
	/* A daemonised server becomes our child, so that its time counts. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	start = now_ns();
	pid = forkpty(&fd, NULL, NULL, &size);
	if (pid < 0)
		err(1, "forkpty");
	if (pid == 0) {
		(void)execvp(argv[1], argv + 1);
		err(127, "%s", argv[1]);
	}
	if (n_echo > 0) {
		echo(fd, n_echo);
		(void)close(fd);
		return 0;
	}
	while ((n = read(fd, block, sizeof block)) > 0 ||
	    (n < 0 && errno == EINTR))
		bytes += n > 0 ? (uint64_t)n : 0;
	wall = (now_ns() - start) / 1000;
	while (wait(NULL) > 0 || errno == EINTR)
		;
	printf("bytes %llu wall_us %llu cpu_us %llu\n",
	    (unsigned long long)bytes, (unsigned long long)wall,
	    (unsigned long long)(cpu_us(RUSAGE_SELF) +
		cpu_us(RUSAGE_CHILDREN)));
	return 0;
}
