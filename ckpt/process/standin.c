/*
 * standin.c - see standin.h. Both block in wait(2) and never wake up
 * otherwise. All signals are blocked: a hangup or a kill of the session's
 * group is not for them; SIGKILL from outside ends pid 1 and with it all.
 */
#include "ckpt/process/standin.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "ckpt/space.h"

static void
settle(const char *name, int keep_fd)
{
	uint64_t all = ~UINT64_C(0); /* libc's own two signals as well */

	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
	(void)prctl(PR_SET_NAME, name);
	if (keep_fd < 0) {
		(void)syscall(SYS_close_range, 0, ~0u, 0);
	} else {
		if (keep_fd > 0)
			(void)syscall(SYS_close_range, 0, keep_fd - 1, 0);
		(void)syscall(SYS_close_range, keep_fd + 1, ~0u, 0);
	}
	(void)!chdir("/");
	space_drop();
}

noreturn void
standin_main(int status_fd, pid_t first)
{
	int status;
	pid_t pid;

	settle("sess-parent", status_fd);
	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			_exit(0);
		if (pid == first) {
			(void)io_write(status_fd, &status, sizeof status);
			(void)close(status_fd);
		}
	}
}

noreturn void
standin_init(pid_t standin)
{
	pid_t pid;

	settle("sess-init", -1);
	for (;;) {
		pid = waitpid(-1, NULL, __WALL);
		if (pid == standin || (pid < 0 && errno != EINTR))
			_exit(0);
	}
}
