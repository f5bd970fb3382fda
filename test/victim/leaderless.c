/*
 * leaderless.c - the first thread has ended, others go on: the process is a
 * zombie to look at and is alive.
 */
#include <pthread.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

static pid_t tid;

static void *
live_on(void *arg)
{
	(void)arg;
	tid = (pid_t)syscall(SYS_gettid);
	victim_until_state(getpid(), getpid(), 'Z');
	victim_wait();
	EXPECT(victim_state(getpid(), getpid()) == 'Z',
	    "the first thread has come back");
	EXPECT(syscall(SYS_gettid) == tid, "thread %d is now %ld", tid,
	    syscall(SYS_gettid));
	victim_ok();
}

int
main(void)
{
	pthread_t t;

	victim_init();
	MUST0(pthread_create(&t, NULL, live_on, NULL));
	pthread_exit(NULL);
}
