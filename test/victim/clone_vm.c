/*
 * clone_vm.c - a process, not a thread, that shares memory with its parent.
 */
#include <sched.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

static int go[2];
static volatile int in_memory;

static int
life(void *arg)
{
	char c;

	/* By system call: errno is the parent's too. */
	(void)arg;
	(void)!syscall(SYS_read, go[0], &c, 1);
	in_memory = 77;
	syscall(SYS_exit_group, 0);
	return 0;
}

int
main(void)
{
	static char stack[64 * 1024];
	pid_t pid;

	victim_init();
	MUST(pipe(go));
	pid = MUST(clone(life, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL));
	victim_until_state(pid, pid, 'S');

	victim_wait();
	EXPECT(write(go[1], "", 1) == 1, "telling the child");
	victim_reap(pid, 0);
	EXPECT(in_memory == 77, "memory is no longer shared");
	victim_ok();
}
