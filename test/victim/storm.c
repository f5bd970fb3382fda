/*
 * storm.c - threads and children are born and die all the time, by each way,
 * so that a tree can be stopped only by looking again until nothing is new.
 * Every one of them must come to its end with its right result.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#include "test/victim/victim.h"

extern char **environ;

static atomic_bool over;
static atomic_int n_done[4];

static void *
short_life(void *arg)
{
	return (char *)arg + 1;
}

static void *
make_threads(void *arg)
{
	pthread_t t;
	void *ret;

	while (!over) {
		MUST0(pthread_create(&t, NULL, short_life, arg));
		MUST0(pthread_join(t, &ret));
		EXPECT(ret == (char *)arg + 1, "a thread's result");
		n_done[0]++;
	}
	return NULL;
}

static void *
make_children(void *arg)
{
	pid_t pid;

	(void)arg;
	while (!over) {
		pid = MUST(fork());
		if (pid == 0)
			_exit(n_done[1] % 100);
		victim_reap(pid, n_done[1] % 100);
		n_done[1]++;
	}
	return NULL;
}

/* Children that leave orphans, which the reaper above takes. */
static void *
make_orphans(void *arg)
{
	pid_t pid;

	(void)arg;
	while (!over) {
		pid = MUST(fork());
		if (pid == 0) {
			if (fork() == 0)
				victim_nap();
			_exit(0);
		}
		victim_reap(pid, 0);
		n_done[2]++;
		victim_nap();
	}
	return NULL;
}

static void *
spawn_programs(void *arg)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"exit 42", NULL };
	pid_t pid;

	(void)arg;
	while (!over) {
		MUST0(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ));
		victim_reap(pid, 42);
		n_done[3]++;
	}
	return NULL;
}

int
main(void)
{
	static void *(*const makers[])(void *) = { make_threads, make_children,
		make_orphans, spawn_programs };
	pthread_t t[COUNT(makers)];
	char mark[2];
	size_t i;

	victim_init();
	for (i = 0; i < COUNT(makers); i++)
		MUST0(pthread_create(&t[i], NULL, makers[i], mark));
	for (i = 0; i < COUNT(makers); i++)
		while (n_done[i] == 0)
			victim_nap();

	victim_wait();
	over = true;
	for (i = 0; i < COUNT(makers); i++)
		MUST0(pthread_join(t[i], NULL));
	victim_ok();
}
