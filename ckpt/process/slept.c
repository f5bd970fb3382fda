/*
 * slept.c - see slept.h. /proc/TID/sched (CONFIG_SCHED_DEBUG, in every
 * distribution's kernel) shows when a sleeping thread last ran, by the clock
 * of its processor's run queue; what that clock says now is read the same way
 * of ourselves, on that processor. A sleeper that is moved to another
 * processor loses that time: since 6.12 the scheduler takes a while to let go
 * of one that has begun to sleep, and may move it meanwhile. When its load
 * was last looked at is then nearly as good (within 0.2 s on a machine four
 * times overloaded), and never before.
 */
#include "ckpt/process/slept.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/scope.h"

#define NS_PER_MS UINT64_C(1000000)

/* What /proc/TID/sched says; times are of the run queue's clocks. */
struct sched_times {
	uint64_t ran_ns;   /* it last ran; 0: moved since */
	uint64_t load_ns;  /* its load was last looked at; 0: not known */
	uint64_t switches; /* how often it has slept */
};

static int
read_sched(pid_t tid, struct sched_times *ret)
{
	autobuf struct buf b = BUF_INIT(65536);
	const char *ran, *switches, *load;
	unsigned long long ms, ns, n, at = 0;
	int r;

	r = procfs_read(tid, "sched", &b);
	if (r < 0)
		return r;
	ran = strstr((const char *)b.data, "se.exec_start");
	switches = strstr((const char *)b.data, "nr_voluntary_switches");
	if (ran == NULL || switches == NULL ||
	    sscanf(ran, "se.exec_start : %llu.%llu", &ms, &ns) != 2 ||
	    sscanf(switches, "nr_voluntary_switches : %llu", &n) != 1)
		return -ENOTSUP;
	load = strstr((const char *)b.data, "se.avg.last_update_time");
	if (load != NULL)
		(void)sscanf(load, "se.avg.last_update_time : %llu", &at);
	*ret = (struct sched_times){ .ran_ns = ms * NS_PER_MS + ns,
		.load_ns = at,
		.switches = n };
	return 0;
}

/* The clocks of the run queue of processor CPU: what they say of us now. */
static int
read_clock(int cpu, struct sched_times *ret)
{
	cpu_set_t was, one;
	int r;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_getaffinity(0, sizeof was, &was) < 0 ||
	    sched_setaffinity(0, sizeof one, &one) < 0)
		return -errno;
	(void)sched_yield();
	r = read_sched(getpid(), ret);
	(void)sched_setaffinity(0, sizeof was, &was);
	return r;
}

int
slept_often(pid_t tid, uint64_t *ret_n)
{
	struct sched_times its;
	int r;

	r = read_sched(tid, &its);
	if (r >= 0)
		*ret_n = its.switches;
	return r;
}

int
slept_for(pid_t tid, int cpu, uint64_t *ret_ns, uint64_t *ret_switches)
{
	struct sched_times its, now;
	uint64_t from, to;
	int r;

	r = read_sched(tid, &its);
	if (r >= 0)
		r = read_clock(cpu, &now);
	if (r < 0)
		return r;
	from = its.ran_ns != 0 ? its.ran_ns : its.load_ns;
	to = its.ran_ns != 0 ? now.ran_ns : now.load_ns;
	if (from == 0)
		return -ENOTSUP;
	*ret_ns = to > from ? to - from : 0;
	*ret_switches = its.switches;
	return 0;
}
