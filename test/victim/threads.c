/*
 * threads.c - several threads, each with its own id, name, thread-local
 * storage, signal mask, alternate stack and pending signal; some asleep in a
 * condition, some running; one has ended, so that the ids have a hole.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

#define N 7

struct thread {
	pthread_t handle;
	int index;
	pid_t tid;
	unsigned char altstack[32 * 1024];
};

static struct thread threads[N];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int n_ready;
static atomic_bool over;
static __thread uint64_t mark[300];

static void
set_up(struct thread *t)
{
	stack_t ss = { .ss_sp = t->altstack, .ss_size = sizeof t->altstack };
	char name[16];
	sigset_t set;

	t->tid = (pid_t)syscall(SYS_gettid);
	victim_fill(mark, sizeof mark, (uint64_t)t->index);
	snprintf(name, sizeof name, "thread %d", t->index);
	MUST(prctl(PR_SET_NAME, name));
	MUST(sigaltstack(&ss, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGRTMIN + t->index);
	MUST0(pthread_sigmask(SIG_SETMASK, &set, NULL));
	MUST0(pthread_kill(pthread_self(), SIGRTMIN + t->index));
}

static void
verify(struct thread *t)
{
	stack_t ss;
	char name[16], want[16];
	sigset_t set;
	int sig;

	EXPECT(syscall(SYS_gettid) == t->tid, "thread %d is now %ld", t->tid,
	    syscall(SYS_gettid));
	victim_compare(mark, sizeof mark, (uint64_t)t->index, "TLS");
	snprintf(want, sizeof want, "thread %d", t->index);
	MUST(prctl(PR_GET_NAME, name));
	EXPECT(strcmp(name, want) == 0, "name is '%s', not '%s'", name, want);
	MUST(sigaltstack(NULL, &ss));
	EXPECT(ss.ss_sp == t->altstack && ss.ss_size == sizeof t->altstack &&
		ss.ss_flags == 0,
	    "alternate stack of thread %d", t->index);
	MUST0(pthread_sigmask(SIG_SETMASK, NULL, &set));
	for (sig = 1; sig <= SIGRTMAX; sig++)
		EXPECT(sigismember(&set, sig) ==
			(sig == SIGTERM || sig == SIGRTMIN + t->index),
		    "thread %d: mask of signal %d", t->index, sig);
	MUST(sigpending(&set));
	for (sig = SIGRTMIN; sig < SIGRTMIN + N; sig++)
		EXPECT(sigismember(&set, sig) == (sig == SIGRTMIN + t->index),
		    "thread %d: pending signal %d", t->index, sig);
}

static void *
life(void *arg)
{
	struct thread *t = arg;
	unsigned char canary[4096];

	set_up(t);
	victim_fill(canary, sizeof canary, 100 + (uint64_t)t->index);
	pthread_mutex_lock(&lock);
	n_ready++;
	pthread_cond_broadcast(&cond);
	while (t->index % 3 != 0 && !over)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	while (!over)
		;
	verify(t);
	victim_compare(canary, sizeof canary, 100 + (uint64_t)t->index,
	    "stack");
	return t;
}

static void *
nothing(void *arg)
{
	return arg;
}

int
main(void)
{
	pthread_t hole, later;
	void *ret;
	int i;

	victim_init();
	for (i = 0; i < N; i++) {
		threads[i].index = i;
		if (i == 3)
			MUST0(pthread_create(&hole, NULL, nothing, NULL));
		MUST0(pthread_create(&threads[i].handle, NULL, life,
		    &threads[i]));
	}
	MUST0(pthread_join(hole, NULL));
	pthread_mutex_lock(&lock);
	while (n_ready < N)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);

	victim_wait();
	pthread_mutex_lock(&lock);
	over = true;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	for (i = 0; i < N; i++) {
		MUST0(pthread_join(threads[i].handle, &ret));
		EXPECT(ret == &threads[i], "thread %d returned otherwise", i);
	}
	MUST0(pthread_create(&later, NULL, nothing, NULL));
	MUST0(pthread_join(later, &ret));
	EXPECT(ret == NULL, "a new thread returned otherwise");
	victim_ok();
}
