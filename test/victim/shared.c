/*
 * shared.c - anonymous memory shared by relatives: parent, child and
 * grandchild count in it with atomics all the time, at two addresses in one
 * of them, and none may lose a count; a mutex shared by processes in it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "test/victim/victim.h"

#define PATTERN (1u << 20)
#define N 3

struct shared {
	_Atomic uint64_t total;
	uint64_t own[N], under_lock;
	atomic_bool over;
	pthread_mutex_t lock;
	unsigned char pattern[PATTERN];
	unsigned char untouched[PATTERN];
};

static void
count(struct shared *s, struct shared *twin, int me)
{
	while (!s->over) {
		atomic_fetch_add(&twin->total, 1);
		pthread_mutex_lock(&s->lock);
		twin->under_lock++;
		pthread_mutex_unlock(&s->lock);
		s->own[me]++;
	}
}

static pid_t
start(struct shared *s, struct shared *twin, int me)
{
	pid_t below = 0, pid = MUST(fork());

	if (pid != 0)
		return pid;
	if (me + 1 < N)
		below = start(s, s, me + 1);
	count(s, twin, me);
	if (below != 0)
		victim_reap(below, 0);
	victim_compare(s->pattern, PATTERN, 5, "pattern in a child");
	_exit(0);
}

int
main(void)
{
	pthread_mutexattr_t attr;
	struct shared *s, *twin;
	uint64_t sum = 0;
	pid_t pid;
	int i;

	victim_init();
	s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(s != MAP_FAILED, "mmap: %s", strerror(errno));
	twin = mremap(s, 0, sizeof *s, MREMAP_MAYMOVE); /* a second view */
	EXPECT(twin != MAP_FAILED, "mremap: %s", strerror(errno));
	victim_fill(s->pattern, PATTERN, 5);
	pthread_mutexattr_init(&attr);
	MUST0(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
	MUST0(pthread_mutex_init(&s->lock, &attr));
	pid = start(s, twin, 0);
	for (i = 0; i < N; i++)
		while (*(volatile uint64_t *)&s->own[i] == 0)
			victim_nap();

	victim_wait();
	s->over = true;
	victim_reap(pid, 0);
	for (i = 0; i < N; i++) {
		EXPECT(s->own[i] > 0, "process %d never counted", i);
		sum += s->own[i];
	}
	EXPECT(sum == s->total && sum == s->under_lock,
	    "%ju passages, %ju by atomics, %ju under lock", sum, s->total,
	    s->under_lock);
	victim_compare(twin->pattern, PATTERN, 5, "pattern, second view");
	victim_zero(s->untouched, PATTERN, "untouched shared memory");
	s->untouched[9] = 7;
	EXPECT(twin->untouched[9] == 7, "the two views have come apart");
	victim_ok();
}
