/*
 * epolls.c - epoll(7): what is registered, under which number and with which
 * data; numbers that are closed or mean another file by now; instances in
 * instances, shared with a child, and with a signalfd; EPOLLONESHOT before
 * and after it has fired; sleepers in epoll_wait with and without an end.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

static void
add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
}

/* The only event of EP: its data; 0: none. */
static uint64_t
only(int ep)
{
	struct epoll_event ev[4];
	int n = MUST(epoll_wait(ep, ev, 4, 0));

	EXPECT(n <= 1, "%d events", n);
	return n == 0 ? 0 : ev[0].data.u64;
}

static void
drain(int fd)
{
	char b[64];

	while (read(fd, b, sizeof b) > 0)
		;
}

struct waiter {
	pthread_t handle;
	int ep, timeout_ms;
	atomic_int tid;
	uint64_t got; /* data; 0: the time was over */
	int64_t took_ns;
};

static void *
wait_there(void *arg)
{
	struct waiter *w = arg;
	struct epoll_event ev;
	int64_t begin = victim_now_ns(CLOCK_MONOTONIC);
	int n;

	w->tid = (int)syscall(SYS_gettid);
	n = epoll_wait(w->ep, &ev, 1, w->timeout_ms);
	EXPECT(n >= 0, "epoll_wait: %s", strerror(errno));
	w->got = n == 0 ? 0 : ev.data.u64;
	w->took_ns = victim_now_ns(CLOCK_MONOTONIC) - begin;
	return NULL;
}

static void
start(struct waiter *w, int ep, int timeout_ms)
{
	w->ep = ep;
	w->timeout_ms = timeout_ms;
	MUST0(pthread_create(&w->handle, NULL, wait_there, w));
	while (w->tid == 0)
		victim_nap();
	victim_until_state(getpid(), w->tid, 'S');
}

static int
event(void)
{
	return MUST(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

static void
tell(int fd)
{
	uint64_t one = 1;

	EXPECT(write(fd, &one, sizeof one) == sizeof one, "telling %d", fd);
}

int
main(void)
{
	int ep, level, edge, gone, gone_twin, moved, moved_twin, other;
	int twin, nest, inner, deep, once, fired, fired_ep, quiet, sig_ep, sig,
	    pip[2];
	int forever_ep, forever, timed_ep, shared_ep, shared;
	struct waiter w1 = { .tid = 0 }, w2 = { .tid = 0 };
	struct epoll_event ev;
	sigset_t set;
	pid_t pid;

	victim_init();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));

	ep = MUST(epoll_create1(EPOLL_CLOEXEC));
	level = event();
	add(ep, level, EPOLLIN, UINT64_C(0x123456789abcdef0));
	edge = event();
	add(ep, edge, EPOLLIN | EPOLLET, 2);
	/* Its number is closed, its file is not. */
	gone = MUST(fcntl(level, F_DUPFD_CLOEXEC, 50));
	MUST(dup3(twin = event(), gone, O_CLOEXEC));
	MUST(close(twin));
	add(ep, gone, EPOLLIN, 3);
	gone_twin = MUST(fcntl(gone, F_DUPFD_CLOEXEC, 60));
	MUST(close(gone));
	moved = event(); /* its number is another file's */
	add(ep, moved, EPOLLIN, 4);
	moved_twin = MUST(fcntl(moved, F_DUPFD_CLOEXEC, 70));
	other = event();
	MUST(dup3(other, moved, O_CLOEXEC));
	add(ep, moved, EPOLLIN, 5); /* the same number once more */
	once = event();
	add(ep, once, EPOLLIN | EPOLLONESHOT, 6);
	MUST(pipe2(pip, O_CLOEXEC | O_NONBLOCK));
	add(ep, pip[0], EPOLLIN | EPOLLRDHUP, 7);

	fired_ep = MUST(epoll_create1(EPOLL_CLOEXEC));
	fired = event();
	quiet = MUST(dup(fired));
	add(fired_ep, fired, EPOLLIN | EPOLLONESHOT, 8);
	tell(fired);
	EXPECT(only(fired_ep) == 8 && only(fired_ep) == 0, "one shot");

	nest = MUST(epoll_create1(EPOLL_CLOEXEC));
	inner = MUST(epoll_create1(EPOLL_CLOEXEC));
	deep = event();
	add(inner, deep, EPOLLIN, 9);
	add(nest, inner, EPOLLIN, 10);

	sig_ep = MUST(epoll_create1(EPOLL_CLOEXEC));
	sig = MUST(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	add(sig_ep, sig, EPOLLIN, 11);

	shared_ep = MUST(epoll_create1(EPOLL_CLOEXEC));
	shared = event();
	add(shared_ep, shared, EPOLLIN, 12);
	pid = MUST(fork());
	if (pid == 0) {
		int n = epoll_wait(shared_ep, &ev, 1, -1);

		_exit(n == 1 && ev.data.u64 == 12 ? 5 : 6);
	}
	victim_until_state(pid, pid, 'S');

	forever_ep = MUST(epoll_create1(EPOLL_CLOEXEC));
	forever = event();
	add(forever_ep, forever, EPOLLIN, 13);
	start(&w1, forever_ep, -1);
	timed_ep = MUST(epoll_create1(EPOLL_CLOEXEC));
	add(timed_ep, forever, EPOLLHUP, 14); /* never */
	start(&w2, timed_ep, 1500);

	victim_wait();
	EXPECT(only(ep) == 0, "an event of nothing");
	tell(level);
	EXPECT(only(ep) == UINT64_C(0x123456789abcdef0), "data");
	EXPECT(only(ep) == UINT64_C(0x123456789abcdef0), "level-triggered");
	drain(level);
	tell(edge);
	EXPECT(only(ep) == 2 && only(ep) == 0, "edge-triggered");
	tell(gone_twin);
	uint64_t x = only(ep);
	EXPECT(x == 3, "closed number %ju", (uintmax_t)x);
	drain(gone_twin);
	tell(moved_twin);
	EXPECT(only(ep) == 4, "moved number");
	drain(moved_twin);
	tell(other);
	EXPECT(only(ep) == 5, "the number's second file");
	drain(other);
	tell(once);
	EXPECT(only(ep) == 6 && only(ep) == 0, "one shot");
	EXPECT(write(pip[1], "x", 1) == 1 && only(ep) == 7, "a pipe");
	drain(pip[0]);
	MUST(epoll_ctl(ep, EPOLL_CTL_DEL, level, NULL));
	MUST(epoll_ctl(ep, EPOLL_CTL_DEL, moved, NULL));

	EXPECT(only(fired_ep) == 0, "it fires twice");
	tell(quiet);
	EXPECT(only(fired_ep) == 0, "it fires again");
	ev = (struct epoll_event){ .events = EPOLLIN, .data.u64 = 15 };
	MUST(epoll_ctl(fired_ep, EPOLL_CTL_MOD, fired, &ev));
	EXPECT(only(fired_ep) == 15, "it cannot be armed again");

	EXPECT(only(nest) == 0, "the outer instance has an event");
	tell(deep);
	EXPECT(only(nest) == 10 && only(inner) == 9, "instance in instance");

	EXPECT(only(sig_ep) == 0, "a signal that was not sent");
	MUST(kill(getpid(), SIGUSR2));
	EXPECT(only(sig_ep) == 11, "a signal is not told");

	tell(shared);
	victim_reap(pid, 5);
	MUST(close(pip[1]));
	EXPECT(only(ep) == 7, "hangup of a pipe");
	EXPECT(fcntl(gone, F_GETFD) < 0, "a closed number is open");
	tell(forever);
	MUST0(pthread_join(w1.handle, NULL));
	EXPECT(w1.got == 13, "the sleeper got %ju", (uintmax_t)w1.got);
	MUST0(pthread_join(w2.handle, NULL));
	EXPECT(w2.got == 0 && w2.took_ns >= 1500 * MS,
	    "the timed sleeper got %ju after %jd ms", (uintmax_t)w2.got,
	    (intmax_t)(w2.took_ns / MS));
	victim_ok();
}
