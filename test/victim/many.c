/*
 * many.c - much of everything: 200 threads asleep, 1000 descriptors of 500
 * files, a chain of 40 processes each waiting for the next, 5000 mappings,
 * 500 pending real-time signals.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "test/victim/victim.h"

#define N_THREADS 200
#define N_FILES 500
#define N_CHAIN 40
#define N_MAPS 5000
#define N_SIGNALS 500
#define PAGE 4096u

static pthread_barrier_t over;

static void *
sleep_on(void *arg)
{
	pthread_barrier_wait(&over);
	return arg;
}

static int
open_files(int *fds)
{
	struct rlimit lim;
	char name[32];
	int i, n = N_FILES;

	MUST(getrlimit(RLIMIT_NOFILE, &lim));
	if (lim.rlim_cur < 2 * N_FILES + 100)
		n = 100;
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof name, "many.%d", i);
		fds[2 * i] = MUST(open(name, O_RDWR | O_CREAT, 0600));
		EXPECT(write(fds[2 * i], &i, sizeof i) == sizeof i, "write");
		fds[2 * i + 1] = MUST(dup(fds[2 * i]));
	}
	return n;
}

/* The last of the chain waits for the byte; each exits with its depth. */
static pid_t
chain(int depth, int go)
{
	pid_t next, pid = MUST(fork());
	char c;

	if (pid != 0)
		return pid;
	if (depth == N_CHAIN)
		_exit(read(go, &c, 1) == 1 ? depth : 0);
	next = chain(depth + 1, go);
	victim_reap(next, depth + 1);
	_exit(depth);
}

/* Neighbours of different protection, so that each is a mapping. */
static unsigned char *
make_maps(void)
{
	unsigned char *p = mmap(NULL, N_MAPS * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned i;

	EXPECT(p != MAP_FAILED, "mmap: %s", strerror(errno));
	for (i = 0; i < N_MAPS; i++) {
		p[i * PAGE] = (unsigned char)(i % 251);
		if (i % 2 != 0)
			MUST(mprotect(p + i * PAGE, PAGE, PROT_READ));
	}
	return p;
}

static void
verify_signals(void)
{
	const struct timespec now = { 0, 0 };
	siginfo_t info;
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	for (i = 0; i < N_SIGNALS; i++)
		EXPECT(sigtimedwait(&set, &info, &now) == SIGRTMIN &&
			info.si_value.sival_int == i,
		    "signal %d of %d", i, N_SIGNALS);
}

int
main(void)
{
	static int fds[2 * N_FILES];
	pthread_t t[N_THREADS];
	unsigned char *maps;
	int go[2], n_files, i, content;
	sigset_t set;
	void *ret;
	pid_t pid;

	victim_init();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	for (i = 0; i < N_SIGNALS; i++)
		MUST(sigqueue(getpid(), SIGRTMIN, (union sigval){ i }));
	MUST(pipe(go));
	pid = chain(1, go[0]);
	n_files = open_files(fds);
	maps = make_maps();
	pthread_barrier_init(&over, NULL, N_THREADS + 1);
	for (i = 0; i < N_THREADS; i++)
		MUST0(pthread_create(&t[i], NULL, sleep_on, fds + i));

	victim_wait();
	pthread_barrier_wait(&over);
	for (i = 0; i < N_THREADS; i++) {
		MUST0(pthread_join(t[i], &ret));
		EXPECT(ret == fds + i, "thread %d returned otherwise", i);
	}
	EXPECT(write(go[1], "", 1) == 1, "telling the chain");
	victim_reap(pid, 1);
	for (i = 0; i < n_files; i++) {
		EXPECT(pread(fds[2 * i], &content, sizeof content, 0) ==
			    sizeof content &&
			content == i,
		    "file %d", i);
		MUST(lseek(fds[2 * i], i, SEEK_SET));
		EXPECT(lseek(fds[2 * i + 1], 0, SEEK_CUR) == i,
		    "descriptors %d and its twin", i);
	}
	for (i = 0; i < N_MAPS; i++)
		EXPECT(maps[(unsigned)i * PAGE] == i % 251, "mapping %d", i);
	verify_signals();
	victim_ok();
}
