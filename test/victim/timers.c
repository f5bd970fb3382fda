/*
 * timers.c - the three interval timers, alarm-like ones that run over the
 * save, POSIX timers with ids that have holes, of several clocks and kinds of
 * notification, disarmed, periodic, with an overrun.
 */
#include <sys/syscall.h>
#include <sys/time.h>

#include "test/victim/victim.h"

#define FAR 1000 /* s: never fires here */

static volatile sig_atomic_t n_periodic, n_vtalrm;
static volatile int last_value;

static void
on_periodic(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	n_periodic++;
	last_value = info->si_value.sival_int;
}

static void
on_vtalrm(int sig)
{
	(void)sig;
	n_vtalrm++;
}

/* By system call: glibc's timer_create() hides the kernel's ids. */
static int
create(clockid_t clock, int notify, int sig, int value)
{
	struct sigevent ev = { .sigev_notify = notify, .sigev_signo = sig };
	int id = -1;

	ev.sigev_value.sival_int = value;
	if (notify == SIGEV_THREAD_ID)
		ev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	MUST(syscall(SYS_timer_create, clock, &ev, &id));
	return id;
}

static void
arm(int id, int64_t first_ns, int64_t interval_ns)
{
	struct itimerspec its = {
		.it_value = { first_ns / SECOND, first_ns % SECOND },
		.it_interval = { interval_ns / SECOND, interval_ns % SECOND },
	};

	MUST(syscall(SYS_timer_settime, id, 0, &its, NULL));
}

static void
expect_left(int id, int64_t most_ns, int64_t least_ns, int64_t interval_ns,
    const char *what)
{
	struct itimerspec its;
	int64_t left, every;

	EXPECT(syscall(SYS_timer_gettime, id, &its) == 0, "%s: timer %d: %s",
	    what, id, strerror(errno));
	left = its.it_value.tv_sec * SECOND + its.it_value.tv_nsec;
	every = its.it_interval.tv_sec * SECOND + its.it_interval.tv_nsec;
	EXPECT(left <= most_ns && left >= least_ns, "%s: %jd ms are left", what,
	    left / MS);
	EXPECT(every == interval_ns, "%s: interval %jd ms", what, every / MS);
}

static void
expect_itimer(int which, int value, int interval, const char *what)
{
	struct itimerval it;

	MUST(getitimer(which, &it));
	EXPECT(it.it_value.tv_sec <= value && it.it_value.tv_sec >= value - 30,
	    "%s: %ld s are left", what, it.it_value.tv_sec);
	EXPECT(it.it_interval.tv_sec == interval, "%s: interval %ld s", what,
	    it.it_interval.tv_sec);
}

/*
 * Timer ID fires faster than SIG is taken, so that there is an overrun. A
 * signal that was pending in the save need not know of it.
 */
static void
expect_overrun(int id, int sig)
{
	struct timespec pause = { 0, 100 * MS };
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, sig);
	for (i = 0; i < 5; i++) {
		EXPECT(sigwaitinfo(&set, NULL) == sig, "timer %d: %s", id,
		    strerror(errno));
		if (MUST(syscall(SYS_timer_getoverrun, id)) > 0)
			return;
		(void)nanosleep(&pause, NULL);
	}
	victim_fail("timer %d fires but has no overrun", id);
}

static void
burn(volatile sig_atomic_t *until)
{
	while (*until == 0)
		;
}

/*
 * A child whose interval timer has expired, the signal being blocked: with
 * that the kernel has stopped the timer until the signal is taken. When the
 * pipe ends it takes three, and exits with 5.
 */
static pid_t
start_blocker(int pip[2])
{
	struct itimerval soon = { { 0, 10000 }, { 0, 10000 } };
	sigset_t set, pending;
	int sig = 0;
	char b;
	pid_t pid = MUST(fork());

	if (pid != 0)
		return pid;
	MUST(close(pip[1]));
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	MUST(setitimer(ITIMER_REAL, &soon, NULL));
	do {
		victim_nap();
		MUST(sigpending(&pending));
	} while (!sigismember(&pending, SIGALRM));
	(void)!read(pip[0], &b, 1);
	for (int i = 0; i < 3; i++)
		if (sigwait(&set, &sig) != 0 || sig != SIGALRM)
			_exit(6);
	_exit(5);
}

int
main(void)
{
	struct itimerval real = { { 7, 0 }, { FAR, 0 } },
			 virtual = { { 5, 0 }, { 600, 0 } },
			 prof = { { 0, 0 }, { 700, 0 } },
			 soon = { { 0, 0 }, { 0, 10000 } };
	struct sigaction sa = { .sa_sigaction = on_periodic,
		.sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction va = { .sa_handler = on_vtalrm };
	int hole, off, far, every, thread, cpu, real_clock, blocked;
	int before, pip[2];
	sigset_t set;
	pid_t pid;

	victim_init();
	MUST(pipe(pip));
	pid = start_blocker(pip);
	MUST(close(pip[0]));
	MUST(sigaction(SIGRTMIN + 1, &sa, NULL));
	MUST(sigaction(SIGVTALRM, &va, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	hole = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);
	off = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 1);
	MUST(syscall(SYS_timer_delete, hole));
	far = create(CLOCK_BOOTTIME, SIGEV_NONE, 0, 0);
	every = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 42);
	MUST(syscall(SYS_timer_delete, far));
	far = create(CLOCK_BOOTTIME, SIGEV_NONE, 0, 0);
	thread = create(CLOCK_REALTIME, SIGEV_THREAD_ID, SIGUSR2, 3);
	cpu = create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 4);
	real_clock = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 43);
	blocked = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 2, 5);
	arm(far, FAR * SECOND, 0);
	arm(thread, FAR * SECOND, 3 * SECOND);
	arm(cpu, FAR * SECOND, 0);
	arm(blocked, 20 * MS, 20 * MS);
	MUST(setitimer(ITIMER_REAL, &real, NULL));
	MUST(setitimer(ITIMER_VIRTUAL, &virtual, NULL));
	MUST(setitimer(ITIMER_PROF, &prof, NULL));
	arm(every, 10 * MS, 10 * MS);
	while (n_periodic == 0)
		victim_nap();

	victim_wait();
	expect_itimer(ITIMER_REAL, FAR, 7, "ITIMER_REAL");
	expect_itimer(ITIMER_VIRTUAL, 600, 5, "ITIMER_VIRTUAL");
	expect_itimer(ITIMER_PROF, 700, 0, "ITIMER_PROF");
	expect_left(off, 0, 0, 0, "disarmed");
	expect_left(far, FAR * SECOND, (FAR - 30) * SECOND, 0, "far");
	expect_left(thread, FAR * SECOND, (FAR - 30) * SECOND, 3 * SECOND,
	    "of a thread");
	expect_left(cpu, FAR * SECOND, (FAR - 30) * SECOND, 0, "of the CPU");
	expect_left(every, 10 * MS, 0, 10 * MS, "periodic");
	before = n_periodic;
	while (n_periodic < before + 5)
		victim_nap();
	EXPECT(last_value == 42, "the periodic timer's value is %d",
	    last_value);
	arm(every, 0, 0);
	arm(real_clock, 10 * MS, 0);
	while (last_value != 43)
		victim_nap();
	expect_overrun(blocked, SIGRTMIN + 2);
	n_vtalrm = 0;
	MUST(setitimer(ITIMER_VIRTUAL, &soon, NULL));
	burn(&n_vtalrm);
	MUST(close(pip[1]));
	victim_reap(pid, 5);
	MUST(syscall(SYS_timer_delete, off));
	EXPECT(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0) > blocked,
	    "a new timer got an old id");
	victim_ok();
}
