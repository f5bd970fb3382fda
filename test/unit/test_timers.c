/* test_timers.c - ckpt/process/timers.c between two processes. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "test/unit/puppet.h"

extern const struct resource res_timers;

#define HOUR 3600

/* Timers are known by the kernel's numbers here. */
struct event {
	uint64_t value;
	int32_t signo, notify, tid, pad[11];
};

static int
create(clockid_t clock, int notify, int signo, uint64_t value)
{
	struct event ev = { .value = value,
		.signo = signo,
		.notify = notify,
		.tid = (int32_t)syscall(SYS_gettid) };
	int id = -1;

	if (syscall(SYS_timer_create, clock, &ev, &id) < 0)
		return -1;
	return id;
}

static int
arm(int id, time_t left, long left_ns, time_t interval)
{
	struct itimerspec v = { .it_value = { left, left_ns },
		.it_interval = { interval, 0 } };

	return (int)syscall(SYS_timer_settime, id, 0, &v, NULL);
}

/* Does about LEFT seconds remain of timer ID, with that INTERVAL? */
static bool
has(int id, time_t left, time_t interval)
{
	struct itimerspec v;

	if (syscall(SYS_timer_gettime, id, &v) < 0)
		return false;
	return v.it_interval.tv_sec == interval && v.it_interval.tv_nsec == 0 &&
	    v.it_value.tv_sec <= left && v.it_value.tv_sec >= left - 20;
}

static int
block_all(void)
{
	sigset_t all;

	(void)sigfillset(&all);
	return sigprocmask(SIG_SETMASK, &all, NULL);
}

/* ---- interval timers ---- */

static int
set_itimers(void)
{
	const struct itimerval real = { { 7, 500000 }, { HOUR, 0 } };
	const struct itimerval virtual = { { 0, 0 }, { 2 * HOUR, 0 } };
	const struct itimerval prof = { { 9, 0 }, { 3 * HOUR, 0 } };

	CHECK(block_all() == 0);
	CHECK(setitimer(ITIMER_REAL, &real, NULL) == 0);
	CHECK(setitimer(ITIMER_VIRTUAL, &virtual, NULL) == 0);
	CHECK(setitimer(ITIMER_PROF, &prof, NULL) == 0);
	return 0;
}

static bool
itimer_has(int which, time_t left, time_t interval_s, time_t interval_us)
{
	struct itimerval v;

	return getitimer(which, &v) == 0 &&
	    v.it_interval.tv_sec == interval_s &&
	    v.it_interval.tv_usec == interval_us && v.it_value.tv_sec <= left &&
	    v.it_value.tv_sec >= left - 20;
}

static int
verify_itimers(void)
{
	CHECK(itimer_has(ITIMER_REAL, HOUR, 7, 500000));
	CHECK(itimer_has(ITIMER_VIRTUAL, 2 * HOUR, 0, 0));
	CHECK(itimer_has(ITIMER_PROF, 3 * HOUR, 9, 0));
	return 0;
}

static void
interval_timers_count_on(void **state)
{
	(void)state;
	round_trip(&res_timers, set_itimers, block_all, verify_itimers, NULL);
}

static int
verify_unset(void)
{
	struct itimerval v;

	CHECK(getitimer(ITIMER_REAL, &v) == 0);
	CHECK(v.it_value.tv_sec == 0 && v.it_value.tv_usec == 0);
	return 0;
}

static void
a_timer_that_is_off_is_off_afterwards(void **state)
{
	(void)state;
	round_trip(&res_timers, block_all, set_itimers, verify_unset, NULL);
}

/* ---- POSIX timers ---- */

/* Numbers 1, 4 and 6 of the seven first; 300 in between for the last. */
static int
set_timers(void)
{
	CHECK(block_all() == 0);
	for (int i = 0; i < 7; i++)
		CHECK(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0) == i);
	CHECK(syscall(SYS_timer_delete, 6) == 0);
	for (int i = 0; i < 300; i++) {
		int id = create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);

		CHECK(id == 7 + i);
		CHECK(syscall(SYS_timer_delete, id) == 0);
	}
	CHECK(create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGUSR2,
		  0xfedcba9876543210) == 307);
	CHECK(
	    create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 5) == 308);
	for (int id = 0; id < 6; id++)
		if (id != 1 && id != 4)
			CHECK(syscall(SYS_timer_delete, id) == 0);
	CHECK(arm(1, HOUR, 0, 5) == 0);
	CHECK(arm(307, 2 * HOUR, 0, 0) == 0);
	CHECK(arm(308, 3 * HOUR, 0, 0) == 0);
	return 0;
}

static int
verify_timers(void)
{
	autofree struct procfs_timer *v = NULL;
	size_t n;

	CHECK(procfs_timers(getpid(), &v, &n) == 0);
	CHECK(n == 4);
	CHECK(has(1, HOUR, 5));
	CHECK(has(4, 0, 0));
	CHECK(has(307, 2 * HOUR, 0));
	CHECK(has(308, 3 * HOUR, 0));
	for (size_t i = 0; i < n; i++) {
		if (v[i].id == 4)
			CHECK(v[i].notify == SIGEV_NONE);
		if (v[i].id != 307)
			continue;
		CHECK(v[i].clock == CLOCK_REALTIME);
		CHECK(v[i].signo == SIGUSR2);
		CHECK(v[i].notify == SIGEV_SIGNAL);
		CHECK(v[i].value == 0xfedcba9876543210);
	}
	/* Numbers are given out in turn again. */
	CHECK(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0) == 309);
	CHECK(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0) == 310);
	return 0;
}

static void
timers_keep_numbers_values_clocks_and_time_left(void **state)
{
	(void)state;
	round_trip(&res_timers, set_timers, block_all, verify_timers, NULL);
}

/* As before Linux 6.15: prctl(77) is not known. */
static int
forbid_numbers(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 77, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { N_ELEMENTS(code), code };

	CHECK(block_all() == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	CHECK(prctl(77, 1, 0, 0, 0) < 0 && errno == EINVAL);
	return 0;
}

/*
 * A filter is suspended by the first batch, which also chooses the bell;
 * with a bell chosen the filter stays.
 */
static void
keep_filter(struct puppet *p)
{
	p->threads[0].bell = SIGURG;
	p->threads[0].vtid = p->threads[0].vtgid = p->pid;
}

static void
numbers_are_taken_in_turn_on_older_kernels(void **state)
{
	struct puppet a, b;

	(void)state;
	puppet_start(&a, set_timers, verify_timers);
	puppet_start(&b, forbid_numbers, verify_timers);
	puppet_save(&a, &res_timers);
	puppet_stop(&b, keep_filter);
	puppet_become(&b, &a, &res_timers);
	assert_int_equal(puppet_end(&a), 0);
	assert_int_equal(puppet_end(&b), 0);
}

/* ---- expiry ---- */

static int
set_soon(void)
{
	int id;

	CHECK(block_all() == 0);
	id = create(CLOCK_MONOTONIC, SIGEV_SIGNAL | SIGEV_THREAD_ID,
	    SIGRTMIN + 2, 77);
	CHECK(id == 0);
	CHECK(arm(id, 0, 400000000, 0) == 0);
	return 0;
}

static int
verify_soon(void)
{
	const struct timespec limit = { 20, 0 };
	siginfo_t info;
	sigset_t all;

	(void)sigfillset(&all);
	CHECK(syscall(SYS_timer_gettime, 0, &(struct itimerspec){ 0 }) == 0);
	CHECK(sigtimedwait(&all, &info, &limit) == SIGRTMIN + 2);
	CHECK(info.si_code == SI_TIMER && info.si_value.sival_int == 77);
	return 0;
}

/* The record of A names a thread: let that be the one of B. */
static void
point_at(struct puppet *a, const struct puppet *b)
{
	struct record *rec = &a->c.records[0];
	Img__Timers *m = img__timers__unpack(NULL, rec->len, rec->data);

	assert_non_null(m);
	assert_int_equal(m->timers[0]->vtid, a->pid);
	m->timers[0]->vtid = (uint32_t)b->pid;
	free(rec->data);
	rec->len = img__timers__get_packed_size(m);
	rec->data = malloc(rec->len);
	(void)img__timers__pack(m, rec->data);
	img__timers__free_unpacked(m, NULL);
}

static void
a_timer_expires_and_says_which_it_was(void **state)
{
	struct puppet a, b;

	(void)state;
	puppet_start(&a, set_soon, verify_soon);
	puppet_start(&b, block_all, verify_soon);
	puppet_save(&a, &res_timers);
	point_at(&a, &b);
	puppet_revive(&b, &a, &res_timers);
	assert_int_equal(puppet_end(&a), 0);
	assert_int_equal(puppet_end(&b), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interval_timers_count_on),
		cmocka_unit_test(a_timer_that_is_off_is_off_afterwards),
		cmocka_unit_test(
		    timers_keep_numbers_values_clocks_and_time_left),
		cmocka_unit_test(numbers_are_taken_in_turn_on_older_kernels),
		cmocka_unit_test(a_timer_expires_and_says_which_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
