/*
 * late.c - what only a task itself can open: /dev/tty, and files of
 * /proc/PID. Each shared with a child and under two numbers, with an offset.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "test/victim/victim.h"

#define AT 7

static int status, status_twice, of_child, dir, tty, tty_child;

static void
expect_shared(int a, int b, const char *what)
{
	off_t was = MUST(lseek(a, 0, SEEK_CUR));

	MUST(lseek(a, was + 3, SEEK_SET));
	EXPECT(lseek(b, 0, SEEK_CUR) == was + 3, "%s is not shared", what);
	MUST(lseek(a, was, SEEK_SET));
}

static void
expect_line(int fd, const char *key, int value, const char *what)
{
	char text[4096], want[64], *at;
	ssize_t n;

	EXPECT(lseek(fd, 0, SEEK_CUR) == AT, "%s: offset", what);
	n = MUST(pread(fd, text, sizeof text - 1, 0));
	text[n] = '\0';
	snprintf(want, sizeof want, "\n%s:\t%d\n", key, value);
	at = strstr(text, want);
	EXPECT(at != NULL, "%s: no '%s:%d'", what, key, value);
}

/* In the child: told by the parent through the shared offset of STATUS. */
static void
child_main(pid_t parent)
{
	int fl;

	while (lseek(status, 0, SEEK_CUR) != 1234) {
		EXPECT(getppid() == parent, "parent is gone");
		victim_nap();
	}
	MUST(lseek(status, AT, SEEK_SET));
	expect_line(status, "Pid", parent, "parent's status in the child");
	fl = MUST(fcntl(tty_child, F_GETFL));
	EXPECT(fl & O_NONBLOCK, "/dev/tty of the child may wait");
	/* The parent waits for this to appear in its description. */
	MUST(fcntl(tty_child, F_SETFL, fl & ~O_NONBLOCK));
	_exit(5);
}

int
main(void)
{
	char path[64];
	pid_t pid;

	if (!isatty(0))
		victim_skip("standard input is no terminal");
	victim_init();
	tty = MUST(open("/dev/tty", O_RDWR | O_NONBLOCK | O_CLOEXEC));
	tty_child = MUST(dup2(tty, 40));
	snprintf(path, sizeof path, "/proc/%d/status", getpid());
	status = MUST(open(path, O_RDONLY | O_CLOEXEC));
	status_twice = MUST(fcntl(status, F_DUPFD, 100));
	MUST(lseek(status, AT, SEEK_SET));
	dir = MUST(open("/proc/self", O_RDONLY | O_DIRECTORY));
	pid = MUST(fork());
	if (pid == 0)
		child_main(getppid());
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	of_child = MUST(open(path, O_RDONLY));
	MUST(lseek(of_child, AT, SEEK_SET));

	victim_wait();
	expect_line(status, "Pid", getpid(), "own status");
	expect_line(of_child, "PPid", getpid(), "child's status");
	expect_shared(status, status_twice, "own status");
	EXPECT(MUST(fcntl(status, F_GETFD)) == FD_CLOEXEC, "close-on-exec");
	EXPECT(MUST(fcntl(status_twice, F_GETFD)) == 0, "close-on-exec, dup");
	MUST(faccessat(dir, "task", F_OK, 0));
	EXPECT(isatty(tty) && tcgetpgrp(tty) == getpgrp(), "/dev/tty");
	MUST(lseek(status, 1234, SEEK_SET));
	victim_reap(pid, 5);
	EXPECT(!(MUST(fcntl(tty, F_GETFL)) & O_NONBLOCK),
	    "/dev/tty is not shared with the child");
	victim_ok();
}
