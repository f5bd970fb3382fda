/*
 * fifos.c - named pipes with what is in them: read and written by two
 * processes, opened for both, deleted since; one with a reader only.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "test/victim/victim.h"

static void
make(const char *name)
{
	(void)unlink(name);
	MUST(mkfifo(name, 0600));
}

static void
expect_read(int fd, const char *want, const char *what)
{
	char buf[64];
	ssize_t r = read(fd, buf, sizeof buf), len = (ssize_t)strlen(want);

	EXPECT(r == len && memcmp(buf, want, (size_t)len) == 0,
	    "%s: read %zd, wanted '%s'", what, r, want);
}

/* A child that writes into the FIFO when a byte comes on GO. */
static pid_t
start_writer(const char *name, int go)
{
	pid_t pid = MUST(fork());
	int fd;
	char c;

	if (pid != 0)
		return pid;
	fd = MUST(open(name, O_WRONLY | O_CLOEXEC));
	EXPECT(write(fd, "first ", 6) == 6, "writing into %s", name);
	EXPECT(read(go, &c, 1) == 1, "child was not told");
	EXPECT(write(fd, "second", 6) == 6, "writing into %s", name);
	_exit(0);
}

int
main(void)
{
	int go[2], rd, both, gone, lone;
	pid_t pid;

	victim_init();
	MUST(pipe2(go, O_CLOEXEC));
	make("fifos.rd");
	make("fifos.both");
	make("fifos.gone");
	make("fifos.lone");
	pid = start_writer("fifos.rd", go[0]);
	rd = MUST(open("fifos.rd", O_RDONLY | O_CLOEXEC));
	both = MUST(open("fifos.both", O_RDWR | O_NONBLOCK | O_CLOEXEC));
	EXPECT(write(both, "kept", 4) == 4, "write");
	gone = MUST(open("fifos.gone", O_RDWR | O_CLOEXEC));
	MUST(unlink("fifos.gone"));
	EXPECT(write(gone, "ghost", 5) == 5, "write");
	lone = MUST(open("fifos.lone", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	victim_until_state(pid, pid, 'S');

	victim_wait();
	expect_read(both, "kept", "FIFO opened for both");
	expect_read(gone, "ghost", "deleted FIFO");
	EXPECT(write(gone, "g2", 2) == 2, "deleted FIFO: %s", strerror(errno));
	expect_read(gone, "g2", "deleted FIFO again");
	EXPECT(access("fifos.gone", F_OK) < 0, "a deleted FIFO has come back");
	expect_read(lone, "", "FIFO without writer");
	expect_read(rd, "first ", "FIFO of two");
	EXPECT(write(go[1], "", 1) == 1, "telling the child");
	expect_read(rd, "second", "FIFO of two");
	victim_reap(pid, 0);
	expect_read(rd, "", "FIFO whose writer has gone");
	both = MUST(open("fifos.both", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	EXPECT(write(both, "named", 5) == 5, "write by name");
	victim_ok();
}
