/*
 * subreaper.c - a child subreaper inside the tree: orphans below it belong to
 * it, before and after; and one that dies later is reaped by it.
 */
#include <sys/prctl.h>

#include "test/victim/victim.h"

int
main(void)
{
	int on = 0, p[2], told[2], st;
	pid_t middle, orphan, second;
	char c;

	victim_init();
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
	MUST(pipe(p));
	MUST(pipe(told));
	middle = MUST(fork());
	if (middle == 0) {
		orphan = MUST(fork());
		if (orphan == 0)
			_exit(read(p[0], &c, 1) == 1 ? 21 : 1);
		EXPECT(write(told[1], &orphan, sizeof orphan) == sizeof orphan,
		    "telling a pid");
		_exit(0);
	}
	victim_reap(middle, 0);
	EXPECT(read(told[0], &orphan, sizeof orphan) == sizeof orphan,
	    "learning a pid");
	/* A second middle one, which becomes a subreaper's child's parent
	 * and is killed only after the save. */
	second = MUST(fork());
	if (second == 0) {
		if (MUST(fork()) == 0) {
			EXPECT(write(told[1], "", 1) == 1, "telling");
			while (getppid() != 0 && read(p[0], &c, 1) != 1)
				;
			_exit(22);
		}
		for (;;)
			pause();
	}
	EXPECT(read(told[0], &c, 1) == 1, "a child is not there");

	victim_wait();
	MUST(prctl(PR_GET_CHILD_SUBREAPER, &on));
	EXPECT(on == 1, "no longer a subreaper");
	MUST(kill(second, SIGKILL));
	EXPECT(waitpid(second, &st, 0) == second && WIFSIGNALED(st),
	    "waiting for a killed child");
	EXPECT(write(p[1], "ab", 2) == 2, "telling orphans");
	EXPECT(waitpid(orphan, &st, 0) == orphan && WEXITSTATUS(st) == 21,
	    "old orphan: %s, status %#x", strerror(errno), st);
	EXPECT(waitpid(-1, &st, 0) > 0 && WEXITSTATUS(st) == 22,
	    "new orphan: %s, status %#x", strerror(errno), st);
	victim_ok();
}
