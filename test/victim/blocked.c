/*
 * blocked.c - a thread in each kind of call that waits for ever. None returns
 * before what it waits for has happened, and then with the right result:
 * what stopped the process in between is never seen.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "test/victim/victim.h"

#define FIFO "blocked.fifo"

struct sleeper {
	pthread_t handle;
	const struct kind *kind;
	atomic_int tid;
	atomic_bool may_return;
	int fd[2]; /* a pipe */
	pid_t child;
	uint32_t word;
	sem_t sem;
};

struct kind {
	const char *name;
	void (*prepare)(struct sleeper *s); /* or NULL */
	void (*call)(struct sleeper *s);    /* sleeps */
	void (*let_go)(struct sleeper *s);
};

static void
make_pipe(struct sleeper *s)
{
	MUST(pipe2(s->fd, O_CLOEXEC));
}

static void
feed(struct sleeper *s)
{
	EXPECT(write(s->fd[1], "data", 4) == 4, "feeding a pipe: %s",
	    strerror(errno));
}

static void
by_read(struct sleeper *s)
{
	char b[8];

	EXPECT(read(s->fd[0], b, sizeof b) == 4, "read: %s", strerror(errno));
}

static void
by_readv(struct sleeper *s)
{
	char b[8];
	struct iovec v[2] = { { b, 2 }, { b + 2, 6 } };

	EXPECT(readv(s->fd[0], v, 2) == 4, "readv: %s", strerror(errno));
}

static void
by_splice(struct sleeper *s)
{
	int out[2];

	MUST(pipe2(out, O_CLOEXEC));
	EXPECT(splice(s->fd[0], NULL, out[1], NULL, 8, 0) == 4, "splice: %s",
	    strerror(errno));
}

static void
by_poll(struct sleeper *s)
{
	struct pollfd p = { .fd = s->fd[0], .events = POLLIN };

	EXPECT(poll(&p, 1, -1) == 1 && p.revents == POLLIN, "poll: %s, %#x",
	    strerror(errno), (unsigned)p.revents);
}

static void
by_ppoll(struct sleeper *s)
{
	struct pollfd p = { .fd = s->fd[0], .events = POLLIN };
	sigset_t set;

	sigfillset(&set);
	EXPECT(ppoll(&p, 1, NULL, &set) == 1, "ppoll: %s", strerror(errno));
}

static void
by_select(struct sleeper *s)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(s->fd[0], &set);
	EXPECT(select(s->fd[0] + 1, &set, NULL, NULL, NULL) == 1 &&
		FD_ISSET(s->fd[0], &set),
	    "select: %s", strerror(errno));
}

static void
by_pselect(struct sleeper *s)
{
	fd_set set;
	sigset_t mask;

	FD_ZERO(&set);
	FD_SET(s->fd[0], &set);
	sigfillset(&mask);
	EXPECT(pselect(s->fd[0] + 1, &set, NULL, NULL, NULL, &mask) == 1,
	    "pselect: %s", strerror(errno));
}

static void
fill_pipe(struct sleeper *s)
{
	static const char page[4096];

	MUST(pipe2(s->fd, O_CLOEXEC));
	MUST(fcntl(s->fd[1], F_SETFL, O_NONBLOCK));
	while (write(s->fd[1], page, sizeof page) > 0)
		;
	EXPECT(errno == EAGAIN, "filling a pipe: %s", strerror(errno));
	MUST(fcntl(s->fd[1], F_SETFL, 0));
}

static void
by_write(struct sleeper *s)
{
	EXPECT(write(s->fd[1], "data", 4) == 4, "write: %s", strerror(errno));
}

static void
drain(struct sleeper *s)
{
	char page[4096];

	EXPECT(read(s->fd[0], page, sizeof page) == sizeof page,
	    "draining a pipe: %s", strerror(errno));
}

static void
by_futex(struct sleeper *s)
{
	EXPECT(syscall(SYS_futex, &s->word, FUTEX_WAIT, 0, NULL) == 0,
	    "futex: %s", strerror(errno));
}

static void
wake(struct sleeper *s)
{
	__atomic_store_n(&s->word, 1, __ATOMIC_SEQ_CST);
	EXPECT(syscall(SYS_futex, &s->word, FUTEX_WAKE, 1) == 1,
	    "nobody sleeps on the futex");
}

static void
make_sem(struct sleeper *s)
{
	MUST(sem_init(&s->sem, 0, 0));
}

static void
by_sem(struct sleeper *s)
{
	EXPECT(sem_wait(&s->sem) == 0, "sem_wait: %s", strerror(errno));
}

static void
post(struct sleeper *s)
{
	MUST(sem_post(&s->sem));
}

static void
by_sigwaitinfo(struct sleeper *s)
{
	siginfo_t info;
	sigset_t set;

	(void)s;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	EXPECT(sigwaitinfo(&set, &info) == SIGUSR2, "sigwaitinfo: %s",
	    strerror(errno));
}

static void
send_usr2(struct sleeper *s)
{
	MUST0(pthread_kill(s->handle, SIGUSR2));
}

static __thread volatile sig_atomic_t got_usr1;

static void
on_usr1(int sig)
{
	(void)sig;
	got_usr1 = 1;
}

static void
by_pause(struct sleeper *s)
{
	sigset_t set;

	(void)s;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST0(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	EXPECT(pause() == -1 && errno == EINTR && got_usr1,
	    "pause returned without a signal");
}

static void
by_sigsuspend(struct sleeper *s)
{
	sigset_t set;

	(void)s;
	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	EXPECT(sigsuspend(&set) == -1 && errno == EINTR && got_usr1,
	    "sigsuspend returned without a signal");
	MUST0(pthread_sigmask(SIG_SETMASK, NULL, &set));
	EXPECT(sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2 + 1),
	    "mask after sigsuspend");
}

static void
send_usr1(struct sleeper *s)
{
	MUST0(pthread_kill(s->handle, SIGUSR1));
}

static void
make_child(struct sleeper *s)
{
	char c;

	make_pipe(s);
	s->child = MUST(fork());
	if (s->child == 0)
		_exit(read(s->fd[0], &c, 1) == 1 ? 9 : 1);
}

static void
by_wait4(struct sleeper *s)
{
	victim_reap(s->child, 9);
}

static void
by_waitid(struct sleeper *s)
{
	siginfo_t info;

	EXPECT(waitid(P_PID, (id_t)s->child, &info, WEXITED) == 0, "waitid: %s",
	    strerror(errno));
	EXPECT(info.si_code == CLD_EXITED && info.si_status == 9,
	    "waitid: code %d, status %d", info.si_code, info.si_status);
}

static void
make_fifo(struct sleeper *s)
{
	(void)s;
	(void)unlink(FIFO);
	MUST(mkfifo(FIFO, 0600));
}

static void
by_open(struct sleeper *s)
{
	(void)s;
	MUST(open(FIFO, O_RDONLY | O_CLOEXEC));
}

static void
open_fifo(struct sleeper *s)
{
	(void)s;
	MUST(open(FIFO, O_WRONLY | O_CLOEXEC));
}

static const struct kind kinds[] = {
	{ "read", make_pipe, by_read, feed },
	{ "readv", make_pipe, by_readv, feed },
	{ "splice", make_pipe, by_splice, feed },
	{ "poll", make_pipe, by_poll, feed },
	{ "ppoll", make_pipe, by_ppoll, feed },
	{ "select", make_pipe, by_select, feed },
	{ "pselect", make_pipe, by_pselect, feed },
	{ "write", fill_pipe, by_write, drain },
	{ "futex", NULL, by_futex, wake },
	{ "sem_wait", make_sem, by_sem, post },
	{ "sigwaitinfo", NULL, by_sigwaitinfo, send_usr2 },
	{ "pause", NULL, by_pause, send_usr1 },
	{ "sigsuspend", NULL, by_sigsuspend, send_usr1 },
	{ "wait4", make_child, by_wait4, feed },
	{ "waitid", make_child, by_waitid, feed },
	{ "open", make_fifo, by_open, open_fifo },
};

static void *
sleep_one(void *arg)
{
	struct sleeper *s = arg;

	s->tid = (int)syscall(SYS_gettid);
	s->kind->call(s);
	EXPECT(s->may_return, "%s returned before its time", s->kind->name);
	return NULL;
}

int
main(void)
{
	static struct sleeper sleepers[COUNT(kinds)];
	struct sigaction sa = { .sa_handler = on_usr1 };
	struct sleeper *s;
	sigset_t set;

	victim_init();
	MUST(sigaction(SIGUSR1, &sa, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	for (s = sleepers; s < sleepers + COUNT(kinds); s++) {
		s->kind = &kinds[s - sleepers];
		if (s->kind->prepare != NULL)
			s->kind->prepare(s);
	}
	for (s = sleepers; s < sleepers + COUNT(kinds); s++) {
		MUST0(pthread_create(&s->handle, NULL, sleep_one, s));
		while (s->tid == 0)
			victim_nap();
		victim_until_state(getpid(), s->tid, 'S');
	}

	victim_wait();
	for (s = sleepers; s < sleepers + COUNT(kinds); s++) {
		s->may_return = true;
		s->kind->let_go(s);
		MUST0(pthread_join(s->handle, NULL));
	}
	(void)unlink(FIFO);
	victim_ok();
}
