/*
 * events.c - a static program in the machines of test/reboot that lives by
 * descriptors of events: an epoll waits for a timerfd, whose ticks go through
 * an eventfd into a log of lines "number monotonic-time", and for a signalfd,
 * whose signals go into the file "usr1". It ends when the timer ran faster
 * than its clock, or a wait was interrupted; why is in the file "events.why".
 */
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 200000000

static double
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
watch(int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		err(1, "watching");
}

static void
note(const char *path, uint64_t n, double t_s)
{
	FILE *f = fopen(path, "a");

	if (f == NULL || fprintf(f, "%ju %.3f\n", (uintmax_t)n, t_s) < 0 ||
	    fclose(f) != 0)
		err(1, "%s", path);
}

static uint64_t
number(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof n) != sizeof n)
		err(1, "reading %d", fd);
	return n;
}

int
main(int argc, char **argv)
{
	struct itimerspec every = { { 0, TICK_NS }, { 0, TICK_NS } };
	int epoll = epoll_create1(0), event = eventfd(0, 0);
	int timer = timerfd_create(CLOCK_MONOTONIC, 0), signals;
	uint64_t ticks = 0, counted = 0;
	double begun_s = now_s();
	sigset_t usr1;

	if (argc != 2)
		errx(2, "usage: events LOG");
	if (freopen("events.why", "w", stderr) == NULL)
		return 2;
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &usr1, NULL);
	signals = signalfd(-1, &usr1, 0);
	watch(epoll, event);
	watch(epoll, timer);
	watch(epoll, signals);
	if (timerfd_settime(timer, 0, &every, NULL) < 0)
		err(1, "timer");
	for (;;) {
		struct signalfd_siginfo si;
		struct epoll_event ev;
		uint64_t one = 1;

		if (epoll_wait(epoll, &ev, 1, -1) != 1)
			err(1, "epoll_wait");
		if (ev.data.fd == timer) {
			ticks += number(timer);
			if ((double)ticks * TICK_NS / 1e9 > now_s() - begun_s)
				errx(1, "a tick too early");
			if (write(event, &one, sizeof one) != sizeof one)
				err(1, "eventfd");
		} else if (ev.data.fd == event) {
			(void)number(event);
			note(argv[1], ++counted, now_s());
		} else {
			if (read(signals, &si, sizeof si) != sizeof si)
				err(1, "signalfd");
			note("usr1", si.ssi_signo, now_s());
		}
	}
}
