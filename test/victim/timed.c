/*
 * timed.c - a thread in each kind of sleep that has a limit. None ends early,
 * none sees EINTR, and each ends at its time as the program's clock counts
 * it. The kernel keeps what is left of some limits to itself; those may start
 * again after a revival (KINDS: again).
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

#define LIMIT (2 * SECOND)
#define LATE SECOND
#define AGAIN 4 /* three rounds, each with a new limit */

static struct timespec
in_future(clockid_t clock)
{
	int64_t end = victim_now_ns(clock) + LIMIT;

	return (struct timespec){ end / SECOND, end % SECOND };
}

static const struct timespec limit = { LIMIT / SECOND, LIMIT % SECOND };

/* Each returns 0 when its sleep ended by its limit, else an errno. */

static int
by_nanosleep(void)
{
	return nanosleep(&limit, NULL) == 0 ? 0 : errno;
}

static int
by_clock_nanosleep(void)
{
	return clock_nanosleep(CLOCK_MONOTONIC, 0, &limit, NULL);
}

static int
by_clock_nanosleep_abs(void)
{
	struct timespec ts = in_future(CLOCK_MONOTONIC);

	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int
by_poll(void)
{
	return poll(NULL, 0, LIMIT / MS) == 0 ? 0 : errno;
}

static int
by_ppoll(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigaddset(&none, SIGTERM);
	return ppoll(NULL, 0, &limit, &none) == 0 ? 0 : errno;
}

static int
by_select(void)
{
	struct timeval tv = { LIMIT / SECOND, 0 };

	return select(0, NULL, NULL, NULL, &tv) == 0 ? 0 : errno;
}

static int
by_pselect(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigaddset(&none, SIGTERM);
	return pselect(0, NULL, NULL, NULL, &limit, &none) == 0 ? 0 : errno;
}

static int
by_futex(void)
{
	uint32_t word = 1;

	if (syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &limit) == 0)
		return EAGAIN; /* nobody woke it */
	return errno == ETIMEDOUT ? 0 : errno;
}

static int
by_futex_abs(void)
{
	struct timespec ts = in_future(CLOCK_MONOTONIC);
	uint32_t word = 1;

	if (syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 1, &ts, NULL,
		FUTEX_BITSET_MATCH_ANY) == 0)
		return EAGAIN;
	return errno == ETIMEDOUT ? 0 : errno;
}

static int
by_condition(void)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	struct timespec ts = in_future(CLOCK_MONOTONIC);
	int r;

	pthread_mutex_lock(&m);
	do
		r = pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, &ts);
	while (r == 0);
	pthread_mutex_unlock(&m);
	return r == ETIMEDOUT ? 0 : r;
}

static int
by_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	if (sigtimedwait(&set, NULL, &limit) >= 0)
		return EAGAIN;
	return errno == EAGAIN ? 0 : errno;
}

static const struct kind {
	const char *name;
	int (*sleep)(void);
	bool again;
} kinds[] = {
	{ "nanosleep", by_nanosleep, false },
	{ "clock_nanosleep", by_clock_nanosleep, false },
	{ "clock_nanosleep, absolute", by_clock_nanosleep_abs, false },
	{ "poll", by_poll, true },
	{ "ppoll", by_ppoll, false },
	{ "select", by_select, false },
	{ "pselect", by_pselect, false },
	{ "futex", by_futex, true },
	{ "futex, absolute", by_futex_abs, false },
	{ "condition", by_condition, false },
	{ "sigtimedwait", by_sigtimedwait, true },
};

struct sleeper {
	pthread_t handle;
	const struct kind *kind;
	atomic_int tid;
};

static void *
sleep_one(void *arg)
{
	struct sleeper *s = arg;
	const char *name = s->kind->name;
	int64_t begin = victim_now_ns(CLOCK_MONOTONIC), took, most;
	int e;

	s->tid = (int)syscall(SYS_gettid);
	e = s->kind->sleep();
	took = victim_now_ns(CLOCK_MONOTONIC) - begin;
	EXPECT(e == 0, "%s: %s", name, strerror(e));
	EXPECT(took >= LIMIT, "%s: %jd ms too early", name,
	    (LIMIT - took) / MS);
	most = LATE + LIMIT * (s->kind->again ? AGAIN : 1);
	EXPECT(took < most, "%s: %jd ms late", name, (took - LIMIT) / MS);
	return NULL;
}

int
main(void)
{
	struct sleeper s[COUNT(kinds)];
	sigset_t set;
	size_t i;

	victim_init();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	for (i = 0; i < COUNT(kinds); i++) {
		s[i].kind = &kinds[i];
		s[i].tid = 0;
		MUST0(pthread_create(&s[i].handle, NULL, sleep_one, &s[i]));
	}
	for (i = 0; i < COUNT(kinds); i++)
		while (s[i].tid == 0)
			victim_nap();
	for (i = 0; i < COUNT(kinds); i++)
		victim_until_state(getpid(), s[i].tid, 'S');

	victim_wait();
	for (i = 0; i < COUNT(kinds); i++)
		MUST0(pthread_join(s[i].handle, NULL));
	victim_ok();
}
