/*
 * vforks.c - a parent asleep in vfork(2), which no tracer can stop until the
 * child has ended, again and again: a save must wait for its chance.
 */
#include "test/victim/victim.h"

#define CHILD_LIVES (40 * MS)

/* An argument: the children live for so many seconds instead. */
int
main(int argc, char **argv)
{
	const struct timespec ts = { .tv_sec = argc > 1 ? atoi(argv[1]) : 0,
		.tv_nsec = argc > 1 ? 0 : CHILD_LIVES };
	const struct timespec pause = { .tv_nsec = 20 * MS };
	sigset_t pending;
	pid_t pid;

	victim_init();
	victim_ready();
	do {
		pid = vfork();
		if (pid == 0) {
			(void)nanosleep(&ts, NULL);
			_exit(9);
		}
		EXPECT(pid > 0, "vfork: %s", strerror(errno));
		victim_reap(pid, 9);
		EXPECT(nanosleep(&pause, NULL) == 0, "nanosleep: %s",
		    strerror(errno));
		MUST(sigpending(&pending));
	} while (!sigismember(&pending, SIGTERM));
	victim_ok();
}
