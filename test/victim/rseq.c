/*
 * rseq.c - restartable sequences as glibc registers them for each thread: the
 * kernel goes on writing the current processor there, after moves too, and
 * the other addresses that it keeps for a thread are the same.
 */
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

#define N 3

static atomic_bool over;
static atomic_int n_ready;

static struct rseq *
area(void)
{
	return (struct rseq *)(void *)((char *)__builtin_thread_pointer() +
	    __rseq_offset);
}

/* Move to each processor; the kernel must write it down. */
static void
verify(void)
{
	volatile struct rseq *r = area();
	cpu_set_t all, one;
	unsigned cpu, i;

	MUST(sched_getaffinity(0, sizeof all, &all));
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		MUST(sched_setaffinity(0, sizeof one, &one));
		for (i = 0; i < 100; i++)
			EXPECT(r->cpu_id == cpu,
			    "on processor %u, rseq says %u", cpu, r->cpu_id);
	}
	MUST(sched_setaffinity(0, sizeof all, &all));
	EXPECT(syscall(SYS_rseq, area(), sizeof(struct rseq), 0, RSEQ_SIG) <
		    0 &&
		(errno == EBUSY || errno == EINVAL || errno == EPERM),
	    "rseq could be registered anew");
}

static void *
life(void *arg)
{
	verify();
	n_ready++;
	while (!over)
		victim_nap();
	verify();
	return arg;
}

int
main(void)
{
	pthread_t t[N];
	size_t i;

	victim_init();
	if (__rseq_size == 0)
		victim_skip("this C library registers no rseq");
	for (i = 0; i < N; i++)
		MUST0(pthread_create(&t[i], NULL, life, NULL));
	while (n_ready < N)
		victim_nap();
	verify();

	victim_wait();
	verify();
	over = true;
	for (i = 0; i < N; i++)
		MUST0(pthread_join(t[i], NULL));
	victim_ok();
}
