/*
 * watches.c - inotify: files and a directory, numbers with a gap, a reader
 * asleep in it.
 */
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "test/victim/victim.h"

struct event {
	int wd;
	uint32_t mask;
};

static struct event
next(int fd)
{
	union {
		struct inotify_event ev;
		char space[sizeof(struct inotify_event) + 256];
	} u;
	ssize_t n = read(fd, &u, sizeof u);

	EXPECT(n >= (ssize_t)sizeof u.ev, "no event: %s", strerror(errno));
	return (struct event){ u.ev.wd, u.ev.mask };
}

/* Waits for FILE to be written to; then exits with 6. */
static pid_t
start_watcher(const char *file)
{
	struct event ev;
	int fd, keep;
	pid_t pid = MUST(fork());

	if (pid != 0)
		return pid;
	keep = MUST(open(file, O_RDONLY));
	fd = MUST(inotify_init1(0));
	MUST(inotify_add_watch(fd, file, IN_MODIFY));
	ev = next(fd);
	(void)close(keep);
	_exit(ev.wd == 1 && ev.mask == IN_MODIFY ? 6 : 7);
}

int
main(void)
{
	struct event ev;
	int fd, a, b, wd_a, wd_b, wd_dir;
	pid_t pid;

	victim_init();
	a = MUST(open("watched-a", O_CREAT | O_WRONLY | O_APPEND, 0600));
	b = MUST(open("watched-b", O_CREAT | O_WRONLY | O_APPEND, 0600));
	(void)mkdir("watched", 0700);
	(void)unlink("watched/new");
	fd = MUST(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	wd_a = MUST(inotify_add_watch(fd, "watched-a", IN_MODIFY));
	MUST(inotify_rm_watch(fd, wd_a));
	EXPECT(next(fd).mask == IN_IGNORED, "event of the removal");
	wd_a = MUST(inotify_add_watch(fd, "watched-a", IN_MODIFY));
	wd_b = MUST(inotify_add_watch(fd, "watched-b", IN_MODIFY));
	wd_dir = MUST(inotify_add_watch(fd, "watched", IN_CREATE));
	pid = start_watcher("watched-b");
	victim_until_state(pid, pid, 'S');

	victim_wait();
	EXPECT(write(a, "x", 1) == 1, "writing");
	ev = next(fd);
	EXPECT(ev.wd == wd_a && ev.mask == IN_MODIFY, "watch %d, mask %#x",
	    ev.wd, ev.mask);
	EXPECT(write(b, "x", 1) == 1, "writing");
	ev = next(fd);
	EXPECT(ev.wd == wd_b && ev.mask == IN_MODIFY, "watch %d, mask %#x",
	    ev.wd, ev.mask);
	victim_reap(pid, 6);
	MUST(close(
	    MUST(open("watched/new", O_CREAT | O_EXCL | O_WRONLY, 0600))));
	ev = next(fd);
	EXPECT(ev.wd == wd_dir && ev.mask == IN_CREATE, "watch %d, mask %#x",
	    ev.wd, ev.mask);
	victim_ok();
}
