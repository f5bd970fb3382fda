/*
 * ptyrun [-e N | -a TEXT] CMD... - run CMD on a pty of its own, read all that
 * comes, and say in one line what it took, all children's children included,
 * and what the whole machine did meanwhile (the kernel's own threads, too):
 *
 *   bytes N wall_us N cpu_us N busy_us N
 *
 * With -a: until TEXT has come, then CMD is ended by hanging up: attach_us N.
 * With -e: wait until CMD has said up and is quiet, send N single bytes, wait for the echo
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

/* Of all processors, from proc(5); in steps of 10 ms. */
static uint64_t
busy_us(void)
{
	unsigned long long user, nice, system, idle, io, irq, soft;
	FILE *f = fopen("/proc/stat", "re");
	int n = f == NULL ? 0 :
			    fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu",
				&user, &nice, &system, &idle, &io, &irq, &soft);

	if (n != 7)
		errx(1, "/proc/stat");
	(void)fclose(f);
	return (user + nice + system + irq + soft) * 1000000 /
	    (uint64_t)sysconf(_SC_CLK_TCK);
}

/* Until TEXT, which may come with whatever else. */
static void
read_text(int fd, const char *text)
{
	static char seen[1 << 16];
	size_t len = 0;
	ssize_t n;

	for (;;) {
		n = read(fd, seen + len, sizeof seen - len);
		if (n <= 0)
			err(1, "the session ended");
		len += (size_t)n;
		if (memmem(seen, len, text, strlen(text)) != NULL)
			return;
		if (len > sizeof seen / 2)
			len = 0;
	}
}

static void
echo(int fd, int n)
{
	uint64_t *took = calloc((size_t)n, sizeof *took), start;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char trash[4096], letter[2] = "";
	int i;

	read_text(fd, "up");
	while (poll(&p, 1, 500) > 0)
		if (read(fd, trash, sizeof trash) <= 0)
			errx(1, "the session ended");
	for (i = 0; i < n; i++) {
		letter[0] = (char)('a' + i % 26); /* no echo is another's */
		start = now_ns();
		if (write(fd, letter, 1) != 1)
			err(1, "write");
		read_text(fd, letter);
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
	uint64_t start, bytes = 0, wall, busy;
	const char *until = NULL;
	static char block[1 << 16];
	int fd, n_echo = 0;
	ssize_t n;
	pid_t pid;

	if (argc > 2 && strcmp(argv[1], "-e") == 0) {
		n_echo = atoi(argv[2]);
		argv += 2;
	}
	if (argc > 2 && strcmp(argv[1], "-a") == 0) {
		until = argv[2];
		argv += 2;
	}
	if (argv[1] == NULL)
		errx(2, "usage: ptyrun [-e N | -a TEXT] CMD...");
	/* A daemonised server becomes our child, so that its time counts. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	busy = busy_us();
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
	if (until != NULL) {
		read_text(fd, until);
		printf("attach_us %llu\n",
		    (unsigned long long)(now_ns() - start) / 1000);
		(void)close(fd);
		return 0;
	}
	while ((n = read(fd, block, sizeof block)) > 0 ||
	    (n < 0 && errno == EINTR))
		bytes += n > 0 ? (uint64_t)n : 0;
	wall = (now_ns() - start) / 1000;
	while (wait(NULL) > 0 || errno == EINTR)
		;
	busy = busy_us() - busy;
	printf("bytes %llu wall_us %llu cpu_us %llu busy_us %llu\n",
	    (unsigned long long)bytes, (unsigned long long)wall,
	    (unsigned long long)(cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN)),
	    (unsigned long long)busy);
	return 0;
}
