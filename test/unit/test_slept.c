/*
 * For how long threads sleep. On a busy machine the scheduler moves sleepers
 * about, and forgets of some when they last ran.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/procfs.h"
#include "ckpt/process/slept.h"

#define SLEEPERS 200
#define BURNERS 2
#define SKEW INT64_C(2000000000) /* of the clocks; the mistake is since boot */

static int64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static pid_t
start(bool sleeps)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		if (sleeps)
			(void)pause();
}

static void
end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
wait_asleep(pid_t pid)
{
	struct timespec moment = { .tv_nsec = 1000000 };
	struct procfs_stat st;

	assert_int_equal(procfs_stat(pid, &st), 0);
	while (st.state != 'S') {
		(void)nanosleep(&moment, NULL);
		assert_int_equal(procfs_stat(pid, &st), 0);
	}
}

static void
nobody_has_slept_for_longer_than_he_has_lived(void **state)
{
	pid_t sleepers[SLEEPERS], burners[BURNERS];
	int64_t from = now_ns();
	uint64_t ns, n;

	(void)state;
	for (int i = 0; i < BURNERS; i++)
		burners[i] = start(false);
	for (int i = 0; i < SLEEPERS; i++)
		sleepers[i] = start(true);
	for (int i = 0; i < SLEEPERS; i++)
		wait_asleep(sleepers[i]);
	for (int i = 0; i < BURNERS; i++)
		end(burners[i]);
	for (int i = 0; i < SLEEPERS; i++) {
		struct procfs_stat st;
		int r;

		assert_int_equal(procfs_stat(sleepers[i], &st), 0);
		r = slept_for(sleepers[i], st.processor, &ns, &n);
		if (r == 0)
			assert_true((int64_t)ns < now_ns() - from + SKEW);
	}
	for (int i = 0; i < SLEEPERS; i++)
		end(sleepers[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_has_slept_for_longer_than_he_has_lived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
