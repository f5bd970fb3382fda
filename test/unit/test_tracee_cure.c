/*
 * test_tracee_cure.c - whatever happens to sess while it works inside a
 * program, the program goes on. A tracer (standing for sess) seizes the
 * victim, opens an area, runs batches, closes it and lets go. The tracer is
 * itself traced here, so that it is ended before and after each call that
 * could matter, and that each such call is made to fail.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include <cmocka.h>

#include "base/scope.h"
#include "test/unit/tracee_victim.h"
#include "tracee/tracee.h"

enum mishap { KILL_BEFORE, KILL_AFTER, FAIL };

/* All that sess does to a program, in one go. */
static void
visit(pid_t pid)
{
	struct tracee_area area = TRACEE_AREA_NONE;
	struct tracee_op ops[64] = { { .nr = 0 } };
	struct tracee t;
	struct err e = { "" };
	int64_t val;
	size_t i;

	for (i = 0; i < N_ELEMENTS(ops); i++)
		ops[i].nr = i % 2 == 0 ? SYS_getppid : SYS_sched_yield;
	if (tracee_seize(&t, pid, pid, 0, &e) < 0)
		return;
	if (tracee_wait_stop(&t, UINT64_MAX, &e) == 0 &&
	    tracee_area_open(&t, 0, 65536, &area, &e) == 0) {
		(void)tracee_run(&t, &area, ops, N_ELEMENTS(ops), &e);
		(void)tracee_call(&t, &area, &val, &e, SYS_umask, 022, 0, 0, 0,
		    0, 0);
		tracee_area_close(&t, &area);
	}
	tracee_detach(&t);
}

static pid_t
start_tracer(pid_t victim, bool traced, int n_visits)
{
	pid_t pid = fork();
	int i;

	if (pid != 0)
		return pid;
	if (traced) {
		(void)ptrace(PTRACE_TRACEME, 0, 0, 0);
		(void)raise(SIGSTOP);
	}
	for (i = 0; i < n_visits; i++)
		visit(victim);
	_exit(0);
}

/* Calls by which a tracer changes something, or lets something happen. */
static bool
matters(uint64_t nr)
{
	return nr == SYS_ptrace || nr == SYS_pwrite64;
}

static void
make_fail(pid_t pid, bool entry)
{
	struct user_regs_struct regs;

	assert_int_equal(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
	if (entry)
		regs.orig_rax = (uint64_t)-1;
	else
		regs.rax = (uint64_t)-EIO;
	assert_int_equal(ptrace(PTRACE_SETREGS, pid, 0, &regs), 0);
}

/* Let PID go on to its next stop; its status. */
static int
next_stop(pid_t pid, enum __ptrace_request how, int sig)
{
	int status;

	if (ptrace(how, pid, 0, (long)sig) < 0)
		assert_int_equal(errno, ESRCH);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/*
 * PID is at the entry of the call that is to meet with MISHAP. The pause lets
 * what the victim waits for happen while it cannot take it.
 */
static void
let_happen(pid_t pid, enum mishap mishap)
{
	const struct timespec pause = { .tv_nsec = 4000000 };
	int status = 0;

	if (mishap == FAIL)
		make_fail(pid, true);
	if (mishap == FAIL || mishap == KILL_AFTER)
		status = next_stop(pid, PTRACE_SYSCALL, 0);
	(void)nanosleep(&pause, NULL);
	if (mishap == FAIL)
		make_fail(pid, false);
	else
		(void)kill(pid, SIGKILL);
	status = 0;
	while (!WIFSIGNALED(status)) {
		status = next_stop(pid, PTRACE_CONT, status >> 8);
		if (WIFEXITED(status))
			break;
	}
}

/*
 * Run a visit to VICTIM up to its NTH call that matters, and let MISHAP
 * happen there. False when the visit came to its end before.
 */
static bool
mishap_at(pid_t victim, unsigned nth, enum mishap mishap)
{
	pid_t pid = start_tracer(victim, true, 1);
	struct user_regs_struct regs;
	bool entry = false;
	unsigned n = 0;
	int status, sig = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, 0,
			     PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL),
	    0);
	for (;;) {
		status = next_stop(pid, PTRACE_SYSCALL, sig);
		if (WIFEXITED(status))
			return false;
		sig = WSTOPSIG(status);
		if (sig != (SIGTRAP | 0x80))
			continue;
		sig = 0;
		entry = !entry;
		if (!entry)
			continue;
		assert_int_equal(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
		if (matters(regs.orig_rax) && ++n == nth) {
			let_happen(pid, mishap);
			return true;
		}
	}
}

static void
assert_unharmed(const struct victim *v, const char *when, unsigned nth)
{
	char line[256] = "";
	bool ok;

	ok = victim_advances(v, 2);
	(void)victim_status(v->pid, "TracerPid:", line, sizeof line);
	ok = ok && atoi(line) == 0;
	(void)victim_status(v->pid, "SigQ:", line, sizeof line);
	ok = ok && v->notes->wrong == 0 && v->notes->eintr == 0 &&
	    v->notes->early == 0;
	if (!ok) {
		char text[128];

		(void)snprintf(text, sizeof text,
		    "cat /proc/%d/status "
		    "/proc/%d/syscall /proc/%d/maps >&2",
		    v->pid, v->pid, v->pid);
		(void)!system(text);
		fail_msg("%s %u: rounds %lu wrong %lu eintr %lu early %lu",
		    when, nth, v->notes->rounds, v->notes->wrong,
		    v->notes->eintr, v->notes->early);
	}
}

static void
walk(victim_round *round, enum mishap mishap, const char *when)
{
	autovictim struct victim v = victim_start(round);
	unsigned nth;

	for (nth = 1; mishap_at(v.pid, nth, mishap); nth++)
		assert_unharmed(&v, when, nth);
	/* Less than this, and the walk would not have seen the whole visit. */
	assert_true(nth > 40);
	assert_unharmed(&v, "in the end", nth);
}

static void
a_computation_survives_a_kill_before_each_call(void **state)
{
	(void)state;
	walk(victim_compute, KILL_BEFORE, "kill before");
}

static void
a_computation_survives_a_kill_after_each_call(void **state)
{
	(void)state;
	walk(victim_compute, KILL_AFTER, "kill after");
}

static void
a_computation_survives_the_failure_of_each_call(void **state)
{
	(void)state;
	walk(victim_compute, FAIL, "failing");
}

static void
no_register_changes_by_a_kill_after_any_call(void **state)
{
	(void)state;
	walk(victim_registers, KILL_AFTER, "kill after");
}

static void
a_sleeper_survives_a_kill_before_each_call(void **state)
{
	(void)state;
	walk(victim_nanosleep, KILL_BEFORE, "kill before");
}

static void
a_sleeper_survives_a_kill_after_each_call(void **state)
{
	(void)state;
	walk(victim_nanosleep, KILL_AFTER, "kill after");
}

static void
a_reader_survives_a_kill_after_each_call(void **state)
{
	(void)state;
	walk(victim_timerfd, KILL_AFTER, "kill after");
}

static void
a_reader_survives_the_failure_of_each_call(void **state)
{
	(void)state;
	walk(victim_timerfd, FAIL, "failing");
}

static void
a_sigsuspend_survives_a_kill_after_each_call(void **state)
{
	(void)state;
	walk(victim_sigsuspend, KILL_AFTER, "kill after");
}

/* Kills that hit the code inside the victim at any instruction. */
static void
kill_at_random(victim_round *round, unsigned n_kills)
{
	autovictim struct victim v = victim_start(round);
	struct timespec ts = { .tv_sec = 0 };
	unsigned i;
	pid_t pid;

	srand(1);
	for (i = 0; i < n_kills; i++) {
		pid = start_tracer(v.pid, false, 1000);
		ts.tv_nsec = rand() % 3000000;
		(void)nanosleep(&ts, NULL);
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_unharmed(&v, "random kill", i);
	}
}

static void
a_computation_survives_kills_at_any_moment(void **state)
{
	(void)state;
	kill_at_random(victim_compute, 400);
}

static void
a_sleeper_survives_kills_at_any_moment(void **state)
{
	(void)state;
	kill_at_random(victim_nanosleep, 200);
}

static void
a_sigsuspend_survives_kills_at_any_moment(void **state)
{
	(void)state;
	kill_at_random(victim_sigsuspend, 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_computation_survives_a_kill_before_each_call),
		cmocka_unit_test(a_computation_survives_a_kill_after_each_call),
		cmocka_unit_test(
		    a_computation_survives_the_failure_of_each_call),
		cmocka_unit_test(no_register_changes_by_a_kill_after_any_call),
		cmocka_unit_test(a_sleeper_survives_a_kill_before_each_call),
		cmocka_unit_test(a_sleeper_survives_a_kill_after_each_call),
		cmocka_unit_test(a_reader_survives_a_kill_after_each_call),
		cmocka_unit_test(a_reader_survives_the_failure_of_each_call),
		cmocka_unit_test(a_sigsuspend_survives_a_kill_after_each_call),
		cmocka_unit_test(a_computation_survives_kills_at_any_moment),
		cmocka_unit_test(a_sleeper_survives_kills_at_any_moment),
		cmocka_unit_test(a_sigsuspend_survives_kills_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
