/*
 * timerfds.c - timerfd(2): far away, periodic, expired and unread, to a time
 * of day, off; each on the clocks that there are, one with a reader asleep.
 */
#include <sys/timerfd.h>

#include "test/victim/victim.h"

#define FAR 5000
#define LATE (60 * SECOND) /* a slow machine, not a timer set anew */

static uint64_t
take(int fd)
{
	uint64_t v;

	EXPECT(read(fd, &v, sizeof v) == sizeof v, "reading %d: %s", fd,
	    strerror(errno));
	return v;
}

static int
make(clockid_t clock, int flags, int64_t ns, int64_t interval)
{
	int fd = MUST(timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK));
	struct itimerspec its = {
		.it_value = { ns / SECOND, ns % SECOND },
		.it_interval = { interval / SECOND, interval % SECOND },
	};

	MUST(timerfd_settime(fd, flags, &its, NULL));
	return fd;
}

static int64_t
left(int fd)
{
	struct itimerspec its;

	MUST(timerfd_gettime(fd, &its));
	return its.it_value.tv_sec * SECOND + its.it_value.tv_nsec;
}

static int64_t
interval(int fd)
{
	struct itimerspec its;

	MUST(timerfd_gettime(fd, &its));
	return its.it_interval.tv_sec * SECOND + its.it_interval.tv_nsec;
}

/* What is left of FAR seconds since BEGIN on CLOCK. */
static void
expect_left(int fd, clockid_t clock, int64_t begin, const char *what)
{
	int64_t want = begin + FAR * SECOND - victim_now_ns(clock);

	EXPECT(left(fd) > want - LATE && left(fd) <= want + LATE,
	    "%s: %jd ms left, not %jd", what, left(fd) / MS, want / MS);
}

static void
expect_nothing(int fd)
{
	uint64_t v;

	EXPECT(read(fd, &v, sizeof v) < 0 && errno == EAGAIN,
	    "timer %d has expired", fd);
}

int
main(void)
{
	int64_t mono, boot, day;
	int far, far_boot, far_day, abs_day, abs_mono, off, once, fast, soon;
	pid_t pid;

	victim_init();
	mono = victim_now_ns(CLOCK_MONOTONIC);
	boot = victim_now_ns(CLOCK_BOOTTIME);
	day = victim_now_ns(CLOCK_REALTIME);
	far = make(CLOCK_MONOTONIC, 0, FAR * SECOND, 7 * MS);
	far_boot = make(CLOCK_BOOTTIME, 0, FAR * SECOND, 0);
	far_day = make(CLOCK_REALTIME, 0, FAR * SECOND, 0);
	abs_day = make(CLOCK_REALTIME,
	    TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, day + FAR * SECOND, 0);
	abs_mono = make(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, mono + FAR * SECOND,
	    0);
	off = make(CLOCK_MONOTONIC, 0, 0, 0);
	once = make(CLOCK_MONOTONIC, 0, 1, 0);
	fast = make(CLOCK_MONOTONIC, 0, 1, 10 * MS);
	soon = make(CLOCK_MONOTONIC, 0, 300 * MS, 300 * MS);
	pid = MUST(fork());
	if (pid == 0) { /* blocks: another description */
		int fd = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
		struct itimerspec its = { .it_value = { 0, 900 * MS } };

		MUST(timerfd_settime(fd, 0, &its, NULL));
		_exit(take(fd) == 1 ? 5 : 6);
	}
	while (victim_now_ns(CLOCK_MONOTONIC) < mono + 100 * MS)
		victim_nap();

	victim_wait();
	expect_left(far, CLOCK_MONOTONIC, mono, "monotonic");
	EXPECT(interval(far) == 7 * MS, "the interval");
	expect_left(far_boot, CLOCK_BOOTTIME, boot, "boottime");
	/* Relative: what is left goes by the monotonic clock. */
	expect_left(far_day, CLOCK_MONOTONIC, mono, "realtime");
	expect_left(abs_day, CLOCK_REALTIME, day, "a time of day");
	expect_left(abs_mono, CLOCK_MONOTONIC, mono, "a monotonic time");
	expect_nothing(far);
	expect_nothing(abs_day);
	expect_nothing(off);
	EXPECT(left(off) == 0, "one that was off is on");
	EXPECT(take(once) == 1, "one that had expired");
	expect_nothing(once);
	/* One every 10 ms; a save asks clock and timer one after the other. */
	uint64_t n = take(fast);
	int64_t most = (victim_now_ns(CLOCK_MONOTONIC) - mono) / (10 * MS) +
	    LATE / (10 * MS);
	EXPECT(n >= 10 && n <= (uint64_t)most, "%ju ticks of at most %jd", n,
	    (intmax_t)most);
	EXPECT(interval(fast) == 10 * MS && left(fast) > 0, "it has stopped");
	while (left(soon) > 250 * MS || left(soon) == 0)
		victim_nap();
	victim_reap(pid, 5);
	victim_ok();
}
