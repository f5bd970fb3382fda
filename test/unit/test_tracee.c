/*
 * test_tracee.c - a thread that was stopped and made to run calls answers
 * rightly and notices nothing. All of it runs again as an ordinary user.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/user.h>

#include <cmocka.h>

#include "base/scope.h"
#include "test/unit/skip.h"
#include "test/unit/tracee_victim.h"
#include "tracee/freeze.h"
#include "tracee/tracee.h"

#define SECOND_NS UINT64_C(1000000000)
#define ORDINARY_UID 65534

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static void
area_done(struct tracee_area *a)
{
	tracee_area_forget(a);
}
#define autoarea scoped(area_done)

/* Must be 0, or the sentence says why. */
#define assert_done(r, e)                                        \
	do {                                                     \
		if ((r) < 0)                                     \
			fail_msg("%s (%d)", (e).text, (int)(r)); \
	} while (0)

static void
seize(struct tracee *t, pid_t pid)
{
	struct err e = { "" };

	assert_done(tracee_seize(t, pid, pid, 0, &e), e);
	assert_done(tracee_wait_stop(t, victim_now_ns() + 5 * SECOND_NS, &e),
	    e);
}

static void
open_area(struct tracee *t, struct tracee_area *a)
{
	struct err e = { "" };

	assert_done(tracee_area_open(t, 0, 65536, a, &e), e);
}

/* A short stay in PID, as a save makes it. */
static void
visit(pid_t pid)
{
	autodetach struct tracee t = TRACEE_NONE;
	autoarea struct tracee_area a = TRACEE_AREA_NONE;
	struct tracee_op ops[16] = { { .nr = 0 } };
	struct err e = { "" };
	size_t i;

	for (i = 0; i < N_ELEMENTS(ops); i++)
		ops[i].nr = SYS_getppid;
	seize(&t, pid);
	tracee_fix_eintr(&t, false);
	open_area(&t, &a);
	assert_done(tracee_run(&t, &a, ops, N_ELEMENTS(ops), &e), e);
	for (i = 0; i < N_ELEMENTS(ops); i++)
		assert_int_equal(ops[i].ret, getpid());
	tracee_area_close(&t, &a);
}

static void
pause_ms(long ms)
{
	const struct timespec ts = { .tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

static void
assert_well(const struct victim *v)
{
	if (!victim_advances(v, 2) || v->notes->wrong != 0 ||
	    v->notes->eintr != 0 || v->notes->early != 0 || v->notes->late != 0)
		fail_msg("rounds %lu wrong %lu eintr %lu early %lu late %lu",
		    v->notes->rounds, v->notes->wrong, v->notes->eintr,
		    v->notes->early, v->notes->late);
}

static char
state_of(pid_t pid)
{
	char line[256] = "";

	(void)victim_status(pid, "State:\t", line, sizeof line);
	return line[0];
}

/* Wait until PID is in one of STATES. */
static bool
comes_to(pid_t pid, const char *states)
{
	uint64_t end = victim_now_ns() + 5 * SECOND_NS;

	while (victim_now_ns() < end) {
		if (strchr(states, state_of(pid)) != NULL)
			return true;
		pause_ms(1);
	}
	return false;
}

/* ---- batches ---- */

static void
a_batch_answers_as_the_kernel_does(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	autodetach struct tracee t = TRACEE_NONE;
	autoarea struct tracee_area a = TRACEE_AREA_NONE;
	struct err e = { "" };
	char got[6] = "";
	int32_t fds[2] = { -1, -1 };
	raddr text, pair;
	int64_t val;

	(void)state;
	seize(&t, v.pid);
	open_area(&t, &a);
	text = tracee_put(&a, "hello", 5);
	pair = tracee_put(&a, NULL, sizeof fds);
	assert_true(text != 0 && pair != 0 && pair % 16 == 0);
	struct tracee_op ops[] = {
		{ .nr = SYS_getpid },
		{ .nr = SYS_pipe2, .args = { pair, O_CLOEXEC } },
		{ .nr = SYS_close, .args = { 9999 } },
		{ .nr = SYS_getppid },
	};

	assert_done(tracee_run(&t, &a, ops, N_ELEMENTS(ops), &e), e);
	assert_int_equal(ops[0].ret, v.pid);
	assert_int_equal(ops[1].ret, 0);
	assert_int_equal(ops[2].ret, -EBADF);
	assert_int_equal(ops[3].ret, getpid());
	assert_done(tracee_read(&a, pair, fds, sizeof fds, &e), e);
	text = tracee_put(&a, "hello", 5);
	assert_done(tracee_call(&t, &a, &val, &e, SYS_write, (uint64_t)fds[1],
			text, 5, 0, 0, 0),
	    e);
	assert_int_equal(val, 5);

	autoclose int copy = tracee_pull_fd(v.pid, fds[0], &e);

	assert_done(copy, e);
	assert_int_equal(read(copy, got, 5), 5);
	assert_string_equal(got, "hello");
	assert_int_equal(fcntl(copy, F_GETFD), FD_CLOEXEC);
	tracee_area_close(&t, &a);
	tracee_detach(&t);
	assert_well(&v);
}

static void
what_a_batch_cannot_do_is_refused(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	autodetach struct tracee t = TRACEE_NONE;
	autoarea struct tracee_area a = TRACEE_AREA_NONE;
	struct tracee_op fork_op = { .nr = SYS_vfork };
	struct tracee_op many[65] = { { .nr = SYS_getpid } };
	struct err e = { "" };
	char byte;

	(void)state;
	assert_int_equal(tracee_wait_stop(&t, UINT64_MAX, &e), -ESRCH);
	assert_int_equal(tracee_run(&t, &a, many, 1, &e), -ESRCH);
	seize(&t, v.pid);
	assert_done(tracee_area_open(&t, 0, 4096, &a, &e), e);
	assert_int_equal(tracee_run(&t, &a, &fork_op, 1, &e), -EINVAL);
	assert_int_equal(tracee_run(&t, &a, many, 65, &e), -E2BIG);
	assert_done(tracee_run(&t, &a, many, 64, &e), e);
	assert_int_equal(tracee_put(&a, NULL, 4097), 0);
	assert_int_not_equal(tracee_put(&a, NULL, 4096), 0);
	assert_int_equal(tracee_put(&a, NULL, 1), 0);
	assert_int_equal(tracee_read(&a, 8, &byte, 1, &e), -EFAULT);
	assert_int_equal(tracee_write(&a, 8, &byte, 1, &e), -EFAULT);
	a.data_used = 0;
	tracee_area_close(&t, &a);
	tracee_detach(&t);
	assert_well(&v);
}

/* The work area taken away under our feet: sess says so, the victim lives. */
static void
a_vanished_area_harms_nobody(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	autodetach struct tracee t = TRACEE_NONE;
	autoarea struct tracee_area a = TRACEE_AREA_NONE;
	struct err e = { "" };
	int64_t val;

	(void)state;
	seize(&t, v.pid);
	open_area(&t, &a);
	assert_int_equal(tracee_call(&t, &a, &val, &e, SYS_munmap, a.data,
			     a.data_len, 0, 0, 0, 0),
	    -EFAULT);
	assert_non_null(strstr(e.text, "Segmentation"));
	tracee_area_close(&t, &a);
	tracee_detach(&t);
	assert_well(&v);
}

static void
an_area_lies_where_it_is_asked_for(void **state)
{
	const raddr at = 0x123450000000;
	autovictim struct victim v = victim_start(victim_compute);
	autodetach struct tracee t = TRACEE_NONE;
	autoarea struct tracee_area a = TRACEE_AREA_NONE;
	autoarea struct tracee_area second = TRACEE_AREA_NONE;
	struct err e = { "" };

	(void)state;
	seize(&t, v.pid);
	assert_done(tracee_area_open(&t, at, 10000, &a, &e), e);
	assert_int_equal(a.code, at);
	assert_int_equal(tracee_area_open(&t, at, 10000, &second, &e), -EEXIST);
	tracee_area_close(&t, &a);
	assert_done(tracee_area_open(&t, at, 10000, &a, &e), e);
	tracee_area_close(&t, &a);
	tracee_detach(&t);
	assert_well(&v);
}

/* ---- nothing is different afterwards ---- */

static size_t
read_proc(pid_t pid, const char *name, char *text, size_t cap)
{
	char path[64];
	ssize_t n;
	size_t len = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	while ((n = read(fd, text + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return len;
}

static void
read_vdso(pid_t pid, uint8_t bytes[8192])
{
	char maps[65536], path[64], *line;
	uint64_t at;

	(void)read_proc(pid, "maps", maps, sizeof maps);
	line = strstr(maps, "[vdso]");
	assert_non_null(line);
	while (line > maps && line[-1] != '\n')
		line--;
	at = strtoull(line, NULL, 16);
	(void)snprintf(path, sizeof path, "/proc/%d/mem", pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(bytes, 0, 8192);
	assert_true(pread(fd, bytes, 8192, (off_t)at) >= 4096);
}

static void
mappings_signals_and_vdso_are_as_before(void **state)
{
	static const char *const lines[] = { "SigPnd:", "ShdPnd:", "SigBlk:",
		"SigIgn:", "SigCgt:", "Threads:" };
	autovictim struct victim v = victim_start(victim_compute);
	char maps[2][65536], line[2][256];
	uint8_t vdso[2][8192];
	size_t i;

	(void)state;
	(void)read_proc(v.pid, "maps", maps[0], sizeof maps[0]);
	read_vdso(v.pid, vdso[0]);
	for (i = 0; i < N_ELEMENTS(lines); i++) {
		(void)victim_status(v.pid, lines[i], line[0], 256);
		visit(v.pid);
		(void)victim_status(v.pid, lines[i], line[1], 256);
		assert_string_equal(line[0], line[1]);
	}
	(void)read_proc(v.pid, "maps", maps[1], sizeof maps[1]);
	read_vdso(v.pid, vdso[1]);
	assert_string_equal(maps[0], maps[1]);
	assert_memory_equal(vdso[0], vdso[1], sizeof vdso[0]);
	assert_well(&v);
}

static void
registers_are_as_before(void **state)
{
	autovictim struct victim v = victim_start(victim_registers);
	int i;

	(void)state;
	for (i = 0; i < 150; i++)
		visit(v.pid);
	assert_well(&v);
}

static void
flags_and_floating_point_are_as_before(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	int i;

	(void)state;
	for (i = 0; i < 150; i++)
		visit(v.pid);
	assert_well(&v);
}

/* ---- sleepers: each knows when it has to wake ---- */

#define NAP_MS 120

/* How a nap ended: R as the call returned it, OK when it timed out. */
static bool
judge(struct notes *n, uint64_t start, long r, bool ok)
{
	uint64_t took = victim_now_ns() - start;

	if (r < 0 && errno == EINTR)
		n->eintr++;
	if (took < NAP_MS * UINT64_C(1000000) - 1000000)
		n->early++;
	/* A full restart at each visit would take twice as long and more. */
	if (took > NAP_MS * UINT64_C(1000000) * 2)
		n->late++;
	return ok;
}

static bool
nap_nanosleep(struct notes *n)
{
	const struct timespec ts = { .tv_nsec = NAP_MS * 1000000 };
	uint64_t start = victim_now_ns();
	long r = nanosleep(&ts, NULL);

	return judge(n, start, r, r == 0);
}

static bool
nap_absolute(struct notes *n)
{
	struct timespec ts;
	uint64_t start = victim_now_ns(), end = start + NAP_MS * 1000000;
	int r;

	ts.tv_sec = (time_t)(end / SECOND_NS);
	ts.tv_nsec = (long)(end % SECOND_NS);
	r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	errno = r;
	return judge(n, start, r == 0 ? 0 : -1, r == 0);
}

static bool
nap_poll(struct notes *n)
{
	uint64_t start = victim_now_ns();
	long r = poll(NULL, 0, NAP_MS);

	return judge(n, start, r, r == 0);
}

static bool
nap_ppoll(struct notes *n)
{
	struct timespec ts = { .tv_nsec = NAP_MS * 1000000 };
	uint64_t start = victim_now_ns();
	sigset_t none;
	long r;

	(void)sigemptyset(&none);
	r = ppoll(NULL, 0, &ts, &none);
	return judge(n, start, r, r == 0);
}

static bool
nap_select(struct notes *n)
{
	struct timeval tv = { .tv_usec = NAP_MS * 1000 };
	uint64_t start = victim_now_ns();
	long r = select(0, NULL, NULL, NULL, &tv);

	return judge(n, start, r, r == 0);
}

static bool
nap_futex(struct notes *n)
{
	const struct timespec ts = { .tv_nsec = NAP_MS * 1000000 };
	uint64_t start = victim_now_ns();
	uint32_t word = 0;
	long r = syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts, NULL, 0);

	return judge(n, start, r, r < 0 && errno == ETIMEDOUT);
}

/* These are started again with their whole timeout: late is no fault. */
static bool
nap_epoll(struct notes *n)
{
	static int fd = -1;
	uint64_t start = victim_now_ns();
	struct epoll_event ev;
	long r;

	if (fd < 0)
		fd = epoll_create1(0);
	r = epoll_wait(fd, &ev, 1, NAP_MS);
	(void)judge(n, start, r, true);
	n->late = 0;
	return r == 0;
}

static bool
nap_epoll_pwait(struct notes *n)
{
	static int fd = -1;
	uint64_t start = victim_now_ns();
	struct epoll_event ev;
	sigset_t none;
	long r;

	(void)sigemptyset(&none);
	if (fd < 0)
		fd = epoll_create1(0);
	r = epoll_pwait(fd, &ev, 1, NAP_MS, &none);
	(void)judge(n, start, r, true);
	n->late = 0;
	return r == 0;
}

static bool
nap_sigtimedwait(struct notes *n)
{
	const struct timespec ts = { .tv_nsec = NAP_MS * 1000000 };
	uint64_t start = victim_now_ns();
	sigset_t set;
	long r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	r = sigtimedwait(&set, NULL, &ts);
	(void)judge(n, start, r, true);
	n->late = 0;
	return r < 0 && errno == EAGAIN;
}

static bool
nap_recv(struct notes *n)
{
	const struct timeval tv = { .tv_usec = NAP_MS * 1000 };
	static int fd[2] = { -1, -1 };
	uint64_t start = victim_now_ns();
	char byte;
	long r;

	if (fd[0] < 0) {
		(void)socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
		(void)setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv,
		    sizeof tv);
	}
	r = n->rounds % 2 == 0 ? recv(fd[0], &byte, 1, 0) :
				 read(fd[0], &byte, 1);
	(void)judge(n, start, r, true);
	n->late = 0;
	return r < 0 && errno == EAGAIN;
}

static bool
nap_semaphore(struct notes *n)
{
	const struct timespec ts = { .tv_nsec = NAP_MS * 1000000 };
	struct sembuf op = { .sem_op = -1 };
	static int id = -1;
	uint64_t start;
	long r;

	if (id < 0)
		id = semget(IPC_PRIVATE, 1, 0600);
	start = victim_now_ns();
	r = semtimedop(id, &op, 1, &ts);
	(void)judge(n, start, r, true);
	n->late = 0;
	if (n->go != 0) {
		(void)semctl(id, 0, IPC_RMID);
		n->go = 2;
		for (;;)
			(void)pause();
	}
	return r < 0 && errno == EAGAIN;
}

/* Visits all through a nap; whether it was in time. */
static bool
disturb_once(victim_round *round)
{
	autovictim struct victim v = victim_start(round);
	bool late;
	int i;

	for (i = 0; i < 12; i++) {
		visit(v.pid);
		pause_ms(17);
	}
	assert_true(victim_advances(&v, 1));
	late = v.notes->late > 0;
	v.notes->late = 0;
	assert_well(&v);
	if (round == nap_semaphore)
		v.notes->go = 1;
	while (round == nap_semaphore && v.notes->go != 2)
		pause_ms(1);
	return !late;
}

/* A busy machine may make one nap late, a wrong restart makes every one. */
static void
disturb(victim_round *round)
{
	assert_true(
	    disturb_once(round) || disturb_once(round) || disturb_once(round));
}

static void
a_relative_sleep_wakes_in_time(void **state)
{
	(void)state;
	disturb(nap_nanosleep);
}

static void
an_absolute_sleep_wakes_in_time(void **state)
{
	(void)state;
	disturb(nap_absolute);
}

static void
poll_returns_in_time(void **state)
{
	(void)state;
	disturb(nap_poll);
}

static void
ppoll_returns_in_time(void **state)
{
	(void)state;
	disturb(nap_ppoll);
}

static void
select_returns_in_time(void **state)
{
	(void)state;
	disturb(nap_select);
}

static void
a_futex_wait_returns_in_time(void **state)
{
	(void)state;
	disturb(nap_futex);
}

static void
epoll_wait_sees_no_eintr(void **state)
{
	(void)state;
	disturb(nap_epoll);
}

static void
epoll_pwait_sees_no_eintr(void **state)
{
	(void)state;
	disturb(nap_epoll_pwait);
}

static void
sigtimedwait_sees_no_eintr(void **state)
{
	(void)state;
	disturb(nap_sigtimedwait);
}

static void
a_socket_with_a_timeout_sees_no_eintr(void **state)
{
	(void)state;
	disturb(nap_recv);
}

static void
semtimedop_sees_no_eintr(void **state)
{
	(void)state;
	disturb(nap_semaphore);
}

static void
a_read_sees_no_eintr(void **state)
{
	autovictim struct victim v = victim_start(victim_timerfd);
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		visit(v.pid);
	assert_well(&v);
}

static void
no_wake_up_of_sigsuspend_is_lost(void **state)
{
	autovictim struct victim v = victim_start(victim_sigsuspend);
	int i;

	(void)state;
	for (i = 0; i < 150; i++)
		visit(v.pid);
	assert_well(&v);
}

/* ---- signals ---- */

/* Takes all that is pending, in order, and adds up what it carried. */
static bool
take_pending(struct notes *n)
{
	const struct timespec none = { .tv_sec = 0 };
	siginfo_t si;
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	if (n->go != 1) {
		(void)sched_yield();
		return true;
	}
	while (sigtimedwait(&all, &si, &none) > 0) {
		n->value = n->value * 31 + (unsigned long)si.si_signo * 7 +
		    (unsigned long)(si.si_code + 100) +
		    (si.si_code == SI_QUEUE ?
			    (unsigned long)si.si_value.sival_int :
			    0);
		n->handled++;
	}
	n->go = 2;
	return true;
}

static unsigned long
sum_of_pending(int n_visits)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGCHLD, SIGURG, SIGPIPE,
		SIGTERM, SIGCONT, SIGTSTP, SIGSEGV };
	autovictim struct victim v = victim_start(take_pending);
	union sigval val;
	size_t i;
	int k;

	for (i = 0; i < N_ELEMENTS(signals); i++)
		if (signals[i] != SIGTSTP) /* SIGCONT would take it away */
			assert_int_equal(kill(v.pid, signals[i]), 0);
	assert_int_equal(kill(v.pid, SIGTSTP), 0);
	(void)syscall(SYS_tgkill, v.pid, v.pid, SIGUSR2);
	for (k = 0; k < 5; k++) {
		val.sival_int = 1000 + k;
		assert_int_equal(sigqueue(v.pid, SIGRTMIN + 1, val), 0);
		assert_int_equal(sigqueue(v.pid, SIGRTMIN + k, val), 0);
	}
	for (k = 0; k < n_visits; k++)
		visit(v.pid);
	v.notes->go = 1;
	while (v.notes->go != 2)
		pause_ms(1);
	assert_int_equal(v.notes->handled, 19);
	return v.notes->value;
}

static void
pending_signals_survive_in_order_with_their_values(void **state)
{
	(void)state;
	assert_true(sum_of_pending(0) == sum_of_pending(5));
}

static void
count_all(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
}

static struct notes *caught_notes;

static void
count_caught(int sig)
{
	(void)sig;
	caught_notes->handled++;
}

/* A program that catches every signal there is. */
static bool
catch_all(struct notes *n)
{
	struct sigaction sa = { .sa_handler = count_caught };
	int sig;

	if (caught_notes == NULL) {
		caught_notes = n;
		(void)count_all;
		for (sig = 1; sig < NSIG; sig++)
			(void)sigaction(sig, &sa, NULL);
	}
	return victim_compute(n);
}

static void
a_handler_of_every_signal_never_runs(void **state)
{
	autovictim struct victim v = victim_start(catch_all);
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		visit(v.pid);
	assert_well(&v);
	assert_int_equal(v.notes->handled, 0);
}

/* Sends SIG to a victim under visits; each must be handled exactly once. */
static void
send_under_visits(int sig)
{
	autovictim struct victim v = victim_start(catch_all);
	unsigned long i;
	uint64_t end;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		for (i = 0; i < 150; i++) {
			while (v.notes->handled < i)
				(void)sched_yield();
			(void)kill(v.pid, sig);
		}
		_exit(0);
	}
	end = victim_now_ns() + 20 * SECOND_NS;
	while (v.notes->handled < 150 && victim_now_ns() < end) {
		autodetach struct tracee t = TRACEE_NONE;
		autoarea struct tracee_area a = TRACEE_AREA_NONE;
		struct tracee_op ops[200] = { { .nr = 0 } };
		struct err e = { "" };

		for (i = 0; i < N_ELEMENTS(ops); i++)
			ops[i].nr = SYS_sched_yield;
		seize(&t, v.pid);
		open_area(&t, &a);
		assert_done(tracee_run(&t, &a, ops, N_ELEMENTS(ops), &e), e);
		assert_done(tracee_run(&t, &a, ops, N_ELEMENTS(ops), &e), e);
		tracee_area_close(&t, &a);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	assert_well(&v);
	assert_int_equal(v.notes->handled, 150);
}

static void
a_signal_of_the_bells_number_is_handled_once(void **state)
{
	(void)state;
	send_under_visits(SIGURG);
}

static void
a_signal_sent_during_a_batch_is_handled_once(void **state)
{
	(void)state;
	send_under_visits(SIGUSR2);
}

static void
a_stopped_process_is_stopped_again(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	unsigned long rounds;
	int i;

	(void)state;
	assert_int_equal(kill(v.pid, SIGSTOP), 0);
	assert_true(comes_to(v.pid, "T"));
	rounds = v.notes->rounds;
	for (i = 0; i < 20; i++) {
		visit(v.pid);
		assert_true(comes_to(v.pid, "T"));
	}
	assert_int_equal(v.notes->rounds, rounds);
	assert_int_equal(kill(v.pid, SIGCONT), 0);
	assert_well(&v);
}

static void
a_stop_that_comes_during_a_batch_takes_effect(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	int i, k;
	pid_t pid;

	(void)state;
	for (i = 0; i < 30; i++) {
		pid = fork();
		if (pid == 0) {
			for (k = rand() % 60; k > 0; k--)
				(void)sched_yield();
			(void)kill(v.pid, SIGSTOP);
			_exit(0);
		}
		for (k = 0; k < 3; k++)
			visit(v.pid);
		(void)waitpid(pid, NULL, 0);
		assert_true(comes_to(v.pid, "T"));
		assert_int_equal(kill(v.pid, SIGCONT), 0);
		assert_true(victim_advances(&v, 1));
	}
	assert_well(&v);
}

/* ---- many threads and processes ---- */

static void *
count_thread(void *arg)
{
	struct notes *n = arg;

	for (;;)
		if (!victim_registers(n))
			n->wrong++;
	return NULL;
}

static void *
short_thread(void *arg)
{
	return arg;
}

static bool
with_threads(struct notes *n)
{
	static bool started;
	pthread_t th;
	int i;

	for (i = 0; !started && i < 3; i++)
		(void)pthread_create(&th, NULL, count_thread, n);
	started = true;
	if (pthread_create(&th, NULL, short_thread, n) == 0)
		(void)pthread_join(th, NULL);
	return victim_compute(n);
}

static int
find_one(void *arg, pid_t **ret_pids, size_t *ret_n, struct err *e)
{
	(void)e;
	*ret_pids = malloc(sizeof(pid_t));
	(*ret_pids)[0] = *(pid_t *)arg;
	*ret_n = 1;
	return 0;
}

static void
all_threads_stand_still_and_go_on(void **state)
{
	autovictim struct victim v = victim_start(with_threads);
	struct err e = { "" };
	int i;
	size_t k;

	(void)state;
	for (i = 0; i < 100; i++) {
		struct freeze f = FREEZE_NONE;
		autoarea struct tracee_area a = TRACEE_AREA_NONE;
		unsigned long rounds;
		int64_t val;

		assert_done(freeze_all(&f, find_one, &v.pid, 2000, &e), e);
		assert_true(f.n_threads >= 4);
		assert_int_equal(f.threads[0].tid, v.pid);
		rounds = v.notes->rounds;
		open_area(&f.threads[0], &a);
		for (k = 0; k < f.n_threads; k++) {
			assert_done(tracee_call(&f.threads[k], &a, &val, &e,
					SYS_gettid, 0, 0, 0, 0, 0, 0),
			    e);
			assert_int_equal(val, f.threads[k].tid);
		}
		assert_int_equal(v.notes->rounds, rounds);
		tracee_area_close(&f.threads[f.n_threads - 1], &a);
		freeze_thaw(&f);
		assert_int_equal(f.n_threads, 0);
	}
	assert_well(&v);
}

static void
a_stop_that_came_to_nothing_is_not_seen(void **state)
{
	autovictim struct victim v = victim_start(nap_epoll);
	struct err e = { "" };

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct freeze f = FREEZE_NONE;

		pause_ms(7);
		assert_done(freeze_all(&f, find_one, &v.pid, 2000, &e), e);
		freeze_thaw(&f);
	}
	assert_well(&v);
}

static bool
in_vfork(struct notes *n)
{
	struct timespec ts = { .tv_nsec = 500000000 };
	pid_t pid;

	if (n->rounds == 0) {
		n->rounds = 1;
		return true;
	}
	/* The C library's vfork() in a function that returns is fine here. */
	pid = vfork();
	if (pid == 0) {
		n->value++;
		(void)syscall(SYS_nanosleep, &ts, NULL);
		_exit(7);
	}
	ts.tv_nsec = 50000000;
	return waitpid(pid, NULL, 0) == pid && nanosleep(&ts, NULL) == 0;
}

static int
find_family(void *arg, pid_t **ret_pids, size_t *ret_n, struct err *e)
{
	pid_t pid = *(pid_t *)arg, child = 0;
	char path[64];
	FILE *f;

	(void)e;
	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid,
	    pid);
	f = fopen(path, "re");
	if (f != NULL) {
		if (fscanf(f, "%d", &child) != 1)
			child = 0;
		(void)fclose(f);
	}
	*ret_pids = malloc(2 * sizeof(pid_t));
	(*ret_pids)[0] = pid;
	(*ret_pids)[1] = child;
	*ret_n = child == 0 ? 1 : 2;
	return 0;
}

static void
the_parent_of_a_vfork_times_out_and_goes_on(void **state)
{
	autovictim struct victim v = victim_start(in_vfork);
	struct freeze f = FREEZE_NONE;
	struct err e = { "" };
	uint64_t start;
	char line[256] = "";

	(void)state;
	assert_true(comes_to(v.pid, "D"));
	start = victim_now_ns();
	assert_int_equal(freeze_all(&f, find_family, &v.pid, 150, &e),
	    -ETIMEDOUT);
	assert_true(victim_now_ns() - start < SECOND_NS);
	assert_non_null(strstr(e.text, "does not stop"));
	assert_int_equal(f.n_threads, 0);
	assert_true(victim_advances(&v, 2));
	(void)victim_status(v.pid, "TracerPid:", line, sizeof line);
	assert_int_equal(atoi(line), 0);
	assert_int_equal(v.notes->wrong, 0);
	/* With patience it stops when the child has ended. */
	assert_done(freeze_all(&f, find_family, &v.pid, 5000, &e), e);
	freeze_thaw(&f);
	assert_true(victim_advances(&v, 1));
}

static bool
vfork_often(struct notes *n)
{
	pid_t pid = vfork();

	if (pid == 0) {
		n->value++;
		_exit(7);
	}
	return waitpid(pid, NULL, 0) == pid;
}

static void
a_program_that_always_forks_is_frozen(void **state)
{
	autovictim struct victim v = victim_start(vfork_often);
	struct err e = { "" };
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		struct freeze f = FREEZE_NONE;
		unsigned long value;

		assert_done(freeze_all(&f, find_family, &v.pid, 5000, &e), e);
		value = v.notes->value;
		pause_ms(1);
		assert_int_equal(v.notes->value, value);
		freeze_thaw(&f);
	}
	assert_well(&v);
}

static void
a_process_killed_while_frozen_is_noticed(void **state)
{
	autovictim struct victim v = victim_start(with_threads);
	struct freeze f = FREEZE_NONE;
	autoarea struct tracee_area a = TRACEE_AREA_NONE;
	struct err e = { "" };
	int64_t val;
	int status;

	(void)state;
	assert_done(freeze_all(&f, find_one, &v.pid, 2000, &e), e);
	open_area(&f.threads[0], &a);
	assert_int_equal(kill(v.pid, SIGKILL), 0);
	assert_int_equal(tracee_call(&f.threads[0], &a, &val, &e, SYS_getpid, 0,
			     0, 0, 0, 0, 0),
	    -ESRCH);
	freeze_thaw(&f);
	/* Its parent, which we are, still learns how it ended. */
	assert_int_equal(waitpid(v.pid, &status, 0), v.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	v.pid = 0;
}

/* ---- children made by a batch ---- */

#define CHILD_OPTIONS \
	(PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)

static void
a_child_is_taken_over_and_runs_calls(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	autodetach struct tracee t = TRACEE_NONE;
	autoarea struct tracee_area a = TRACEE_AREA_NONE;
	autoarea struct tracee_area b = TRACEE_AREA_NONE;
	struct tracee c = TRACEE_NONE;
	struct err e = { "" };
	int64_t child, val;

	(void)state;
	seize(&t, v.pid);
	open_area(&t, &a);
	assert_done(tracee_set_options(&t,
			CHILD_OPTIONS & ~(uint64_t)PTRACE_O_EXITKILL, &e),
	    e);
	assert_done(tracee_call(&t, &a, &child, &e, SYS_clone, 0, 0, 0, 0, 0,
			0),
	    e);
	assert_true(child > 0);
	assert_int_equal(t.child, child);
	assert_done(tracee_adopt(&c, t.child, t.child, CHILD_OPTIONS, &e), e);
	assert_done(tracee_area_inherit(&c, &a, &b, &e), e);
	assert_done(tracee_call(&c, &b, &val, &e, SYS_getppid, 0, 0, 0, 0, 0,
			0),
	    e);
	assert_int_equal(val, v.pid);
	assert_done(tracee_call(&c, &b, &val, &e, SYS_getpid, 0, 0, 0, 0, 0, 0),
	    e);
	assert_int_equal(val, child);
	/* The parent is not mixed up with it. */
	assert_done(tracee_call(&t, &a, &val, &e, SYS_getpid, 0, 0, 0, 0, 0, 0),
	    e);
	assert_int_equal(val, v.pid);
	/* Let go as it is, it exits. */
	tracee_area_forget(&b);
	tracee_detach(&c);
	assert_done(tracee_call(&t, &a, &val, &e, SYS_wait4, (uint64_t)child, 0,
			__WALL, 0, 0, 0),
	    e);
	assert_int_equal(val, child);
	tracee_area_close(&t, &a);
	tracee_detach(&t);
	assert_well(&v);
}

static void
clone_for_ever(pid_t pid)
{
	struct tracee_area a = TRACEE_AREA_NONE;
	struct tracee t, c;
	struct err e = { "" };
	int64_t val;

	if (tracee_seize(&t, pid, pid, 0, &e) < 0 ||
	    tracee_wait_stop(&t, UINT64_MAX, &e) < 0 ||
	    tracee_area_open(&t, 0, 65536, &a, &e) < 0)
		_exit(1);
	(void)tracee_set_options(&t, PTRACE_O_TRACECLONE, &e);
	for (;;) {
		(void)tracee_call(&t, &a, &val, &e, SYS_clone, 0, 0, 0, 0, 0,
		    0);
		if (tracee_adopt(&c, t.child, t.child, CHILD_OPTIONS, &e) < 0)
			_exit(2);
		(void)kill(t.child, SIGKILL);
		tracee_detach(&c);
		(void)tracee_call(&t, &a, &val, &e, SYS_wait4, (uint64_t)val, 0,
		    __WALL, 0, 0, 0);
	}
}

/* No child of PID is alive, soon. */
static bool
no_child_lives(pid_t pid)
{
	uint64_t end = victim_now_ns() + 5 * SECOND_NS;
	char text[4096], *p;
	char name[64];
	bool alive;

	(void)snprintf(name, sizeof name, "task/%d/children", pid);
	do {
		alive = false;
		(void)read_proc(pid, name, text, sizeof text);
		for (p = strtok(text, " "); p != NULL; p = strtok(NULL, " "))
			if (state_of(atoi(p)) != 'Z' && state_of(atoi(p)) != 0)
				alive = true;
	} while (alive && victim_now_ns() < end);
	return !alive;
}

static void
no_child_outlives_a_killed_tracer(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	struct timespec ts = { .tv_sec = 0 };
	int i;
	pid_t pid;

	(void)state;
	for (i = 0; i < 80; i++) {
		pid = fork();
		if (pid == 0)
			clone_for_ever(v.pid);
		ts.tv_nsec = 200000 + rand() % 2000000;
		(void)nanosleep(&ts, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_true(no_child_lives(v.pid));
		assert_well(&v);
	}
}

/* ---- awkward targets ---- */

static bool
with_mdwe(struct notes *n)
{
	if (n->go == 0)
		n->go = prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) ==
			0 ?
		    1 :
		    2;
	return victim_compute(n);
}

static void
a_target_that_forbids_writable_code_is_no_obstacle(void **state)
{
	autovictim struct victim v = victim_start(with_mdwe);

	(void)state;
	if (v.notes->go == 2)
		skip_because("this kernel cannot forbid writable code");
	visit(v.pid);
	assert_well(&v);
}

static bool
without_vdso(struct notes *n)
{
	static bool done;
	char line[256];
	unsigned long from, to;
	FILE *f;

	f = done ? NULL : fopen("/proc/self/maps", "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (strstr(line, "[vdso]") != NULL &&
		    sscanf(line, "%lx-%lx", &from, &to) == 2)
			(void)munmap((char *)NULL + from, to - from);
	if (f != NULL)
		(void)fclose(f);
	done = true;
	return victim_compute(n);
}

static void
a_target_without_a_vdso_is_no_obstacle(void **state)
{
	autovictim struct victim v = victim_start(without_vdso);
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		visit(v.pid);
	assert_well(&v);
}

/* Goes over to 32-bit code for ever: a jump to itself at a low address. */
static void
loop_in_32_bit_code(atomic_int *go)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	code[0] = 0xeb;
	code[1] = 0xfe;
	*go = 1;
	__asm__ volatile("pushq	$0x23\n"
			 "	pushq	%0\n"
			 "	lretq\n"
			 :
			 : "r"(code));
}

static bool
in_32_bit_code(struct notes *n)
{
	if (n->rounds == 0) {
		n->rounds = 1;
		return true;
	}
	loop_in_32_bit_code(&n->go);
	return false;
}

/* Some virtual machines cannot: there is no such segment. */
static bool
has_32_bit_code(void)
{
	atomic_int go;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		crash_for_good();
		(void)alarm(1);
		loop_in_32_bit_code(&go);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGALRM;
}

static void
code_of_32_bits_is_refused_in_words(void **state)
{
	autovictim struct victim v = victim_start(in_32_bit_code);
	struct tracee t = TRACEE_NONE;
	struct err e = { "" };

	(void)state;
	if (!has_32_bit_code())
		skip_because("this machine runs no code of 32 bits");
	while (v.notes->go != 1)
		pause_ms(1);
	pause_ms(20);
	assert_done(tracee_seize(&t, v.pid, v.pid, 0, &e), e);
	assert_int_equal(tracee_wait_stop(&t, UINT64_MAX, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "32-bit"));
	tracee_detach(&t);
	assert_true(comes_to(v.pid, "R"));
}

/* Anything but the calls of its own loop kills it. */
static bool
with_seccomp(struct notes *n)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigprocmask, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = { N_ELEMENTS(code), code };

	if (n->go == 0) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		n->go = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0 ?
		    1 :
		    2;
	}
	return victim_compute(n);
}

static void
a_seccomp_filter_is_suspended_or_refused(void **state)
{
	autovictim struct victim v = victim_start(with_seccomp);
	autoarea struct tracee_area a = TRACEE_AREA_NONE;
	struct tracee t = TRACEE_NONE;
	struct err e = { "" };

	(void)state;
	assert_int_equal(v.notes->go, 1);
	if (geteuid() == 0) {
		visit(v.pid);
	} else {
		seize(&t, v.pid);
		assert_int_equal(tracee_area_open(&t, 0, 4096, &a, &e),
		    -EOPNOTSUPP);
		assert_non_null(strstr(e.text, "seccomp"));
		tracee_detach(&t);
	}
	assert_well(&v);
}

static void
a_process_under_a_debugger_is_refused_in_words(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	struct tracee t = TRACEE_NONE;
	struct err e = { "" };
	pid_t pid;
	int fd[2];
	char byte;

	(void)state;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		(void)ptrace(PTRACE_SEIZE, v.pid, 0, 0);
		(void)!write(fd[1], "x", 1);
		(void)pause();
	}
	assert_int_equal(read(fd[0], &byte, 1), 1);
	assert_int_equal(tracee_seize(&t, v.pid, v.pid, 0, &e), -EPERM);
	assert_non_null(strstr(e.text, "traced by process"));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)close(fd[0]);
	(void)close(fd[1]);
	assert_well(&v);
}

/*
 * A long restartable sequence: it either runs to its end undisturbed or is
 * aborted. Here it is so long that a visit always falls into it.
 */
static bool
in_rseq(struct notes *n)
{
	static struct {
		uint32_t version, flags;
		uint64_t start, len, abort;
	} __attribute__((aligned(32))) cs;
	extern const ptrdiff_t __rseq_offset;
	extern const unsigned __rseq_size;
	uint64_t *field, aborted = 0;

	if (__rseq_size == 0) {
		n->go = 2;
		return victim_compute(n);
	}
	n->go = 1;
	field = (uint64_t *)((char *)__builtin_thread_pointer() +
	    __rseq_offset + 8);
	__asm__ volatile("	leaq	1f(%%rip), %%rax\n"
			 "	movq	%%rax, 8+%1\n"
			 "	leaq	2f(%%rip), %%rcx\n"
			 "	subq	%%rax, %%rcx\n"
			 "	movq	%%rcx, 16+%1\n"
			 "	leaq	3f(%%rip), %%rax\n"
			 "	movq	%%rax, 24+%1\n"
			 "	leaq	%1, %%rax\n"
			 "	movl	$100000000, %%ecx\n"
			 "	movq	%%rax, (%2)\n"
			 "1:	leaq	-1(%%rcx), %%rcx\n"
			 "	jrcxz	2f\n"
			 "	jmp	1b\n"
			 "2:	jmp	4f\n"
			 "	.byte	0x0f, 0xb9, 0x3d\n"
			 "	.long	0x53053053\n"
			 "3:	movq	$1, %0\n"
			 "4:\n"
			 : "+r"(aborted), "+m"(cs)
			 : "r"(field)
			 : "rax", "rcx", "cc", "memory");
	n->handled += aborted;
	return true;
}

static void
a_restartable_sequence_is_aborted(void **state)
{
	autovictim struct victim v = { .notes = victim_notes() };
	unsigned long before;
	int i;

	(void)state;
	v.pid = fork();
	if (v.pid == 0)
		victim_main(v.notes, in_rseq);
	while (v.notes->go == 0)
		pause_ms(1);
	if (v.notes->go == 2)
		skip_because(
		    "this C library registers no restartable sequence");
	for (i = 0; i < 20; i++) {
		uint64_t end = victim_now_ns() + 5 * SECOND_NS;

		pause_ms(2);
		before = v.notes->handled;
		visit(v.pid);
		while (v.notes->handled == before && victim_now_ns() < end)
			pause_ms(1);
		assert_true(v.notes->handled > before);
	}
}

/* ---- extended state ---- */

static void
extended_state_is_read_changed_and_put_back(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	autofree struct arch_xstate *x = calloc(2, sizeof *x);
	autodetach struct tracee t = TRACEE_NONE;
	struct err e = { "" };
	uint64_t used;

	(void)state;
	assert_non_null(x);
	seize(&t, v.pid);
	assert_done(arch_get_xstate(t.tid, &x[0], &e), e);
	x[1] = x[0];
	memset(x[1].data + 160, 0x5a, 256); /* xmm0 to xmm15 */
	used = 3;
	memcpy(x[1].data + 512, &used, sizeof used);
	assert_done(arch_set_xstate(t.tid, &x[1], &e), e);
	assert_done(arch_get_xstate(t.tid, &x[1], &e), e);
	assert_int_equal(x[1].data[160], 0x5a);
	/* Of a processor with other components, or cut short, or garbage. */
	x[1] = x[0];
	used = UINT64_C(1) << 60;
	memcpy(x[1].data + 512, &used, sizeof used);
	assert_int_equal(arch_set_xstate(t.tid, &x[1], &e), -ENOTSUP);
	x[1] = x[0];
	used = 7;
	memcpy(x[1].data + 512, &used, sizeof used);
	x[1].len = 600;
	assert_int_equal(arch_set_xstate(t.tid, &x[1], &e), -EBADMSG);
	x[1].len = 100;
	assert_int_equal(arch_set_xstate(t.tid, &x[1], &e), -EBADMSG);
	memset(x[1].data, 0xff, sizeof x[1].data);
	x[1].len = x[0].len;
	assert_int_equal(arch_set_xstate(t.tid, &x[1], &e), -EBADMSG);
	assert_done(arch_set_xstate(t.tid, &x[0], &e), e);
	tracee_detach(&t);
	assert_well(&v);
}

/* The upper halves of ymm0 to ymm15, moved to another place, arrive. */
static void
extended_state_with_other_places_is_understood(void **state)
{
	autovictim struct victim v = victim_start(victim_compute);
	autofree struct arch_xstate *x = calloc(3, sizeof *x);
	autodetach struct tracee t = TRACEE_NONE;
	struct err e = { "" };
	uint64_t used = 7;
	uint16_t at;

	(void)state;
	assert_non_null(x);
	seize(&t, v.pid);
	assert_done(arch_get_xstate(t.tid, &x[0], &e), e);
	memcpy(&at, x[0].data + 472, sizeof at);
	if (at == 0)
		skip_because("this processor keeps no such state");
	x[1] = x[0];
	memcpy(x[1].data + 512, &used, sizeof used);
	at = 2048;
	memcpy(x[1].data + 472, &at, sizeof at);
	memset(x[1].data + 576, 0, sizeof x[1].data - 576);
	memset(x[1].data + at, 0xc3, 256);
	x[1].len = 4096;
	assert_done(arch_set_xstate(t.tid, &x[1], &e), e);
	assert_done(arch_get_xstate(t.tid, &x[2], &e), e);
	assert_int_equal(x[2].len, x[0].len);
	memcpy(&at, x[2].data + 472, sizeof at);
	assert_int_equal(x[2].data[at], 0xc3);
	assert_int_equal(x[2].data[at + 255], 0xc3);
	assert_done(arch_set_xstate(t.tid, &x[0], &e), e);
	tracee_detach(&t);
	assert_well(&v);
}

static void
a_missing_processor_feature_has_a_name(void **state)
{
	uint32_t words[ARCH_N_FEATURES];
	size_t n;

	(void)state;
	n = arch_features(words);
	assert_int_equal(n, ARCH_N_FEATURES);
	assert_null(arch_features_missing(words, n));
	memset(words, 0xff, sizeof words);
	assert_non_null(arch_features_missing(words, n));
	assert_null(arch_features_missing(words, 0));
}

/* ---- all of it once more, without privilege ---- */

static void
an_ordinary_user_can_do_all_this(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip_because("only root can become an ordinary user");
	pid = fork();
	if (pid == 0) {
		if (setresgid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID) < 0 ||
		    setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID) < 0)
			_exit(125);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(2, 1);
		(void)setenv("CMOCKA_MESSAGE_OUTPUT", "STDOUT", 1);
		(void)execl("/proc/self/exe", "test_tracee", (char *)NULL);
		_exit(126);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_answers_as_the_kernel_does),
		cmocka_unit_test(what_a_batch_cannot_do_is_refused),
		cmocka_unit_test(a_vanished_area_harms_nobody),
		cmocka_unit_test(an_area_lies_where_it_is_asked_for),
		cmocka_unit_test(mappings_signals_and_vdso_are_as_before),
		cmocka_unit_test(registers_are_as_before),
		cmocka_unit_test(flags_and_floating_point_are_as_before),
		cmocka_unit_test(a_relative_sleep_wakes_in_time),
		cmocka_unit_test(an_absolute_sleep_wakes_in_time),
		cmocka_unit_test(poll_returns_in_time),
		cmocka_unit_test(ppoll_returns_in_time),
		cmocka_unit_test(select_returns_in_time),
		cmocka_unit_test(a_futex_wait_returns_in_time),
		cmocka_unit_test(epoll_wait_sees_no_eintr),
		cmocka_unit_test(epoll_pwait_sees_no_eintr),
		cmocka_unit_test(sigtimedwait_sees_no_eintr),
		cmocka_unit_test(a_socket_with_a_timeout_sees_no_eintr),
		cmocka_unit_test(semtimedop_sees_no_eintr),
		cmocka_unit_test(a_read_sees_no_eintr),
		cmocka_unit_test(no_wake_up_of_sigsuspend_is_lost),
		cmocka_unit_test(
		    pending_signals_survive_in_order_with_their_values),
		cmocka_unit_test(a_handler_of_every_signal_never_runs),
		cmocka_unit_test(a_signal_of_the_bells_number_is_handled_once),
		cmocka_unit_test(a_signal_sent_during_a_batch_is_handled_once),
		cmocka_unit_test(a_stopped_process_is_stopped_again),
		cmocka_unit_test(a_stop_that_comes_during_a_batch_takes_effect),
		cmocka_unit_test(all_threads_stand_still_and_go_on),
		cmocka_unit_test(a_stop_that_came_to_nothing_is_not_seen),
		cmocka_unit_test(the_parent_of_a_vfork_times_out_and_goes_on),
		cmocka_unit_test(a_program_that_always_forks_is_frozen),
		cmocka_unit_test(a_process_killed_while_frozen_is_noticed),
		cmocka_unit_test(a_child_is_taken_over_and_runs_calls),
		cmocka_unit_test(no_child_outlives_a_killed_tracer),
		cmocka_unit_test(
		    a_target_that_forbids_writable_code_is_no_obstacle),
		cmocka_unit_test(a_target_without_a_vdso_is_no_obstacle),
		cmocka_unit_test(code_of_32_bits_is_refused_in_words),
		cmocka_unit_test(a_seccomp_filter_is_suspended_or_refused),
		cmocka_unit_test(
		    a_process_under_a_debugger_is_refused_in_words),
		cmocka_unit_test(a_restartable_sequence_is_aborted),
		cmocka_unit_test(extended_state_is_read_changed_and_put_back),
		cmocka_unit_test(
		    extended_state_with_other_places_is_understood),
		cmocka_unit_test(a_missing_processor_feature_has_a_name),
		cmocka_unit_test(an_ordinary_user_can_do_all_this),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
