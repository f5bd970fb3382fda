/*
 * locks.c - threads that fight for a mutex all the time, one that sleeps for
 * a priority-inheriting mutex, and one that holds a robust mutex and ends
 * without giving it back: its robust list must still be known to the kernel.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

#define N 4

static pthread_mutex_t fought = PTHREAD_MUTEX_INITIALIZER, pi, robust;
static pthread_barrier_t barrier;
static uint64_t total, own[N];
static atomic_bool over, pi_over;
static atomic_int sleeper;

static void *
fight(void *arg)
{
	uint64_t *mine = arg;

	while (!over) {
		pthread_mutex_lock(&fought);
		total++;
		pthread_mutex_unlock(&fought);
		(*mine)++;
	}
	return NULL;
}

static void *
hold_pi(void *arg)
{
	(void)arg;
	MUST0(pthread_mutex_lock(&pi));
	pthread_barrier_wait(&barrier);
	while (!over)
		victim_nap();
	pi_over = true;
	MUST0(pthread_mutex_unlock(&pi));
	return NULL;
}

static void *
want_pi(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier);
	sleeper = (int)syscall(SYS_gettid);
	MUST0(pthread_mutex_lock(&pi));
	EXPECT(pi_over, "got the priority-inheriting mutex too early");
	MUST0(pthread_mutex_unlock(&pi));
	return NULL;
}

static void *
die_with_robust(void *arg)
{
	MUST0(pthread_mutex_lock(&robust));
	pthread_barrier_wait(&barrier);
	while (!over)
		victim_nap();
	return arg;
}

static void
init_mutex(pthread_mutex_t *m, int protocol, int robustness)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	MUST0(pthread_mutexattr_setprotocol(&a, protocol));
	MUST0(pthread_mutexattr_setrobust(&a, robustness));
	MUST0(pthread_mutex_init(m, &a));
}

int
main(void)
{
	static void *(*const more[])(
	    void *) = { hold_pi, want_pi, die_with_robust };
	pthread_t t[N + COUNT(more)];
	uint64_t sum = 0;
	size_t i;
	void *head_before, *head;
	size_t len;

	victim_init();
	MUST(syscall(SYS_get_robust_list, 0, &head_before, &len));
	init_mutex(&pi, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
	init_mutex(&robust, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
	pthread_barrier_init(&barrier, NULL, 4);
	for (i = 0; i < N; i++)
		MUST0(pthread_create(&t[i], NULL, fight, &own[i]));
	for (i = 0; i < COUNT(more); i++)
		MUST0(pthread_create(&t[N + i], NULL, more[i], NULL));
	pthread_barrier_wait(&barrier);
	while (sleeper == 0)
		victim_nap();
	victim_until_state(getpid(), sleeper, 'S');

	victim_wait();
	over = true;
	for (i = 0; i < COUNT(t); i++)
		MUST0(pthread_join(t[i], NULL));
	for (i = 0; i < N; i++)
		sum += own[i];
	EXPECT(sum == total, "%ju passages counted, %ju made", total, sum);
	MUST(syscall(SYS_get_robust_list, 0, &head, &len));
	EXPECT(head == head_before, "robust list %p, was %p", head,
	    head_before);
	EXPECT(pthread_mutex_lock(&robust) == EOWNERDEAD,
	    "the dead owner's robust mutex was not handed on");
	victim_ok();
}
