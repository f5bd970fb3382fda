/*
 * naps.c - one thread, always asleep in nanosleep(2) or clock_nanosleep(2):
 * each nap ends by itself and at its time, never too early and never with
 * EINTR, on the clock that the program sees.
 */
#include <sys/syscall.h>

#include "test/victim/victim.h"

#define LATE (700 * MS) /* a busy machine, not a restarted nap */

static void
nap(clockid_t clock, int flags, int64_t ns)
{
	int64_t begin = victim_now_ns(CLOCK_MONOTONIC), took, end;
	struct timespec ts = { ns / SECOND, ns % SECOND }, rem = { 0, 0 };

	if (flags == TIMER_ABSTIME) {
		end = victim_now_ns(clock) + ns;
		ts.tv_sec = end / SECOND;
		ts.tv_nsec = end % SECOND;
	}
	EXPECT(syscall(SYS_clock_nanosleep, clock, flags, &ts, &rem) == 0,
	    "nap on clock %d, flags %d: %s", clock, flags, strerror(errno));
	took = victim_now_ns(CLOCK_MONOTONIC) - begin;
	EXPECT(clock != CLOCK_MONOTONIC || took >= ns,
	    "nap of %jd ms ended after %jd ms", ns / MS, took / MS);
	EXPECT(took < ns + LATE, "nap of %jd ms took %jd ms", ns / MS,
	    took / MS);
}

/* As sleep(3) does: what is left is written over the whole. */
static void
nap_in_place(int64_t ns)
{
	int64_t begin = victim_now_ns(CLOCK_MONOTONIC), took;
	struct timespec ts = { ns / SECOND, ns % SECOND };

	EXPECT(nanosleep(&ts, &ts) == 0, "nap in place: %s", strerror(errno));
	took = victim_now_ns(CLOCK_MONOTONIC) - begin;
	EXPECT(took >= ns && took < ns + LATE, "nap of %jd ms took %jd ms",
	    ns / MS, took / MS);
}

int
main(void)
{
	sigset_t pending;

	victim_init();
	victim_ready();
	do {
		nap(CLOCK_MONOTONIC, 0, 700 * MS);
		nap(CLOCK_MONOTONIC, TIMER_ABSTIME, 30 * MS);
		nap(CLOCK_REALTIME, 0, 200 * MS);
		nap_in_place(400 * MS);
		nap(CLOCK_BOOTTIME, TIMER_ABSTIME, 100 * MS);
		MUST(sigpending(&pending));
	} while (!sigismember(&pending, SIGTERM));
	victim_ok();
}
