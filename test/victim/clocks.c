/*
 * clocks.c - looks at the clocks all the time, by the vdso and by system call:
 * the monotonic ones never go back, never jump, and never come apart.
 */
#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "test/victim/victim.h"

#define JUMP (2 * SECOND) /* a busy machine, not an hour on a disk */
#define APART (500 * MS)  /* between two looks at two clocks */

static const struct look {
	const char *name;
	clockid_t clock;
	bool by_call;
	int64_t coarse_ns; /* may lag behind by that */
} looks[] = {
	{ "monotonic", CLOCK_MONOTONIC, false, 0 },
	{ "monotonic by system call", CLOCK_MONOTONIC, true, 0 },
	{ "boottime", CLOCK_BOOTTIME, false, 0 },
	{ "boottime by system call", CLOCK_BOOTTIME, true, 0 },
	{ "coarse", CLOCK_MONOTONIC_COARSE, false, 20 * MS },
	{ "raw", CLOCK_MONOTONIC_RAW, false, 0 },
};

static int64_t
now(const struct look *l)
{
	struct timespec ts;

	if (!l->by_call)
		return victim_now_ns(l->clock);
	MUST(syscall(SYS_clock_gettime, l->clock, &ts));
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static void
verify_wall(void)
{
	struct timeval tv;
	time_t t = time(NULL);
	int64_t apart;
	unsigned cpu, node;

	MUST(gettimeofday(&tv, NULL));
	apart = tv.tv_sec - t;
	EXPECT(apart >= 0 && apart <= 2,
	    "time() and gettimeofday() are %jd s"
	    " apart",
	    apart);
	apart = victim_now_ns(CLOCK_REALTIME) -
	    (tv.tv_sec * SECOND + tv.tv_usec * 1000);
	EXPECT(apart >= -20 * MS && apart < SECOND,
	    "CLOCK_REALTIME and gettimeofday() are %jd ms apart", apart / MS);
	EXPECT(getcpu(&cpu, &node) == 0 && cpu < 4096, "getcpu");
}

int
main(void)
{
	int64_t last[COUNT(looks)], gap[COUNT(looks)], t;
	sigset_t none;
	size_t i;

	victim_init();
	for (i = 0; i < COUNT(looks); i++) {
		last[i] = now(&looks[i]);
		gap[i] = last[i] - last[0];
	}
	sigemptyset(&none);
	MUST(sigprocmask(SIG_SETMASK, &none, NULL));
	victim_ready();
	while (!victim_told) {
		for (i = 0; i < COUNT(looks); i++) {
			t = now(&looks[i]);
			EXPECT(t >= last[i], "%s went back by %jd us",
			    looks[i].name, (last[i] - t) / 1000);
			EXPECT(t - last[i] < JUMP, "%s jumped by %jd ms",
			    looks[i].name, (t - last[i]) / MS);
			last[i] = t;
			t -= last[0] + gap[i];
			EXPECT(t > -APART && t < APART,
			    "%s and %s came apart by %jd ms", looks[i].name,
			    looks[0].name, t / MS);
		}
		verify_wall();
		if (last[0] % 8 == 0)
			victim_nap();
	}
	victim_ok();
}
