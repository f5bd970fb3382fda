/*
 * clones.c - processes that are not threads and yet share: one the table of
 * descriptors, one working directory and umask.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "test/victim/victim.h"

#define FREE_FD 100 /* all below are taken */

static int go[2];

static int
in_files(void *arg)
{
	char c;

	(void)arg;
	(void)!read(go[0], &c, 1);
	_exit(open("/dev/null", O_RDONLY) == FREE_FD ? 0 : 1);
}

static int
in_fs(void *arg)
{
	char c;

	(void)arg;
	(void)!read(go[0], &c, 1);
	umask(0123);
	_exit(chdir("clones.d") == 0 ? 0 : 1);
}

static pid_t
start(int (*life)(void *), int flags)
{
	static char stacks[2][64 * 1024];
	static int n;
	pid_t pid;

	pid = MUST(
	    clone(life, stacks[n++] + sizeof stacks[0], flags | SIGCHLD, NULL));
	victim_until_state(pid, pid, 'S');
	return pid;
}

int
main(void)
{
	char cwd[4096];
	pid_t files, fs;
	int i;

	victim_init();
	(void)mkdir("clones.d", 0700);
	MUST(pipe(go));
	for (i = 0; i < FREE_FD; i++)
		if (fcntl(i, F_GETFD) < 0)
			MUST(dup2(1, i));
	umask(022);
	files = start(in_files, CLONE_FILES);
	fs = start(in_fs, CLONE_FS);

	victim_wait();
	EXPECT(write(go[1], "ab", 2) == 2, "telling the children");
	victim_reap(files, 0);
	victim_reap(fs, 0);
	EXPECT(fcntl(FREE_FD, F_GETFD) >= 0,
	    "descriptors are no longer shared");
	EXPECT(umask(0) == 0123, "the umask is no longer shared");
	EXPECT(getcwd(cwd, sizeof cwd) != NULL &&
		strcmp(strrchr(cwd, '/'), "/clones.d") == 0,
	    "the working directory is no longer shared");
	victim_ok();
}
