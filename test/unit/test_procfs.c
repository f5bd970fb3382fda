/*
 * test_procfs.c - base/procfs.c: texts as kernels print them, texts as no
 * kernel prints them, and this process itself.
 */
#include "base/procfs.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"

#define STAT_TAIL                                                              \
	" S 12 13 14 34816 15 4194304 152 0 3 0 1 2 0 0 20 -5 1 0 4711 "       \
	"8241152 1271 18446744073709551615 94000 95000 140720000 0 0 0 65536 " \
	"3670020 1266777851 0 0 0 17 1 7 2 0 0 0 96000 97000 98000 1 2 3 4 "   \
	"256\n"

static void
fields_of_stat_are_found(void **state)
{
	struct procfs_stat st;

	(void)state;
	assert_int_equal(procfs_parse_stat("42 (bash)" STAT_TAIL, &st), 0);
	assert_int_equal(st.pid, 42);
	assert_string_equal(st.comm, "bash");
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.ppid, 12);
	assert_int_equal(st.pgrp, 13);
	assert_int_equal(st.session, 14);
	assert_int_equal(st.tty_nr, 34816);
	assert_int_equal(st.tpgid, 15);
	assert_int_equal(st.nice, -5);
	assert_int_equal(st.num_threads, 1);
	assert_int_equal(st.starttime, 4711);
	assert_int_equal(st.start_code, 94000);
	assert_int_equal(st.end_code, 95000);
	assert_int_equal(st.start_stack, 140720000);
	assert_int_equal(st.rt_priority, 7);
	assert_int_equal(st.policy, 2);
	assert_int_equal(st.start_data, 96000);
	assert_int_equal(st.end_data, 97000);
	assert_int_equal(st.start_brk, 98000);
	assert_int_equal(st.arg_start, 1);
	assert_int_equal(st.env_end, 4);
	assert_int_equal(st.exit_code, 256);
}

static void
a_name_may_contain_anything(void **state)
{
	struct procfs_stat st;

	(void)state;
	assert_int_equal(procfs_parse_stat("42 (a) R 1 (\n b)" STAT_TAIL, &st),
	    0);
	assert_string_equal(st.comm, "a) R 1 (\n b");
	assert_int_equal(st.ppid, 12);
}

static void
a_stat_cut_anywhere_is_refused(void **state)
{
	static const char whole[] = "42 (bash)" STAT_TAIL;
	struct procfs_stat st;
	char text[sizeof whole];

	(void)state;
	/* The last number can be cut and still be one: stop before it. */
	for (size_t n = 0; n < sizeof whole - 1 - strlen("256\n"); n++) {
		memcpy(text, whole, n);
		text[n] = 0;
		assert_int_equal(procfs_parse_stat(text, &st), -EBADMSG);
	}
}

static void
fields_of_status_are_found(void **state)
{
	struct procfs_status s;

	(void)state;
	assert_int_equal(procfs_parse_status("Name:\ta\\nUid: 7 7 7 7\n"
					     "Umask:\t0027\n"
					     "PPid:\t12\n"
					     "TracerPid:\t3\n"
					     "Uid:\t1\t2\t3\t4294967294\n"
					     "Gid:\t5\t6\t7\t8\n"
					     "Groups:\t5 24 100 \n"
					     "NSpid:\t900\t31\t4\n"
					     "NSpgid:\t900\t31\t5\n"
					     "NSsid:\t0\t0\t0\n"
					     "VmLck:\t      64 kB\n"
					     "Threads:\t3\n"
					     "SigPnd:\t0000000000000001\n"
					     "ShdPnd:\t8000000000000000\n"
					     "SigCgt:\t0000000180000002\n"
					     "CapBnd:\t000001ffffffffff\n"
					     "NoNewPrivs:\t1\n"
					     "Seccomp:\t2\n"
					     "Seccomp_filters:\t1\n",
			     &s),
	    0);
	assert_int_equal(s.umask, 027);
	assert_true(s.has_umask);
	assert_int_equal(s.ppid, 12);
	assert_int_equal(s.tracer, 3);
	assert_int_equal(s.uids[0], 1);
	assert_int_equal(s.uids[3], 4294967294U);
	assert_int_equal(s.gids[3], 8);
	assert_int_equal(s.n_groups, 3);
	assert_int_equal(s.groups[2], 100);
	assert_int_equal(s.nspid, 4);
	assert_int_equal(s.nspgid, 5);
	assert_int_equal(s.nssid, 0);
	assert_int_equal(s.vmlck_kib, 64);
	assert_int_equal(s.threads, 3);
	assert_int_equal(s.sigpnd, 1);
	assert_true(s.shdpnd == 1ULL << 63);
	assert_true(s.sigcgt == 0x180000002);
	assert_true(s.cap_bnd == 0x1ffffffffff);
	assert_true(s.no_new_privs);
	assert_int_equal(s.seccomp, 2);
	assert_int_equal(s.seccomp_filters, 1);
	procfs_status_done(&s);
}

static void
a_zombie_has_no_umask(void **state)
{
	struct procfs_status s;

	(void)state;
	assert_int_equal(procfs_parse_status("Groups:\t \nNSpid:\t4\n", &s), 0);
	assert_false(s.has_umask);
	assert_int_equal(s.n_groups, 0);
	procfs_status_done(&s);
}

static void
a_status_without_number_or_twice_is_refused(void **state)
{
	struct procfs_status s;

	(void)state;
	assert_int_equal(procfs_parse_status("", &s), -EBADMSG);
	assert_int_equal(procfs_parse_status("NSpid:\tx\nGroups:\t\n", &s),
	    -EBADMSG);
	assert_int_equal(
	    procfs_parse_status("Uid:\t1 2 3\nGroups:\t\nNSpid:\t1\n", &s),
	    -EBADMSG);
	assert_int_equal(
	    procfs_parse_status("Groups:\t1\nGroups:\t2\nNSpid:\t1\n", &s),
	    -EBADMSG);
}

static void
timers_are_found(void **state)
{
	autofree struct procfs_timer *v = NULL;
	size_t n;

	(void)state;
	assert_int_equal(
	    procfs_parse_timers("ID: 0\nsignal: 34/00007fff86e452a8\n"
				"notify: signal/pid.2634\nClockID: 1\n"
				"ID: 7\nsignal: 0/ffffffffffffffff\n"
				"notify: none/pid.2634\nClockID: -6\n"
				"ID: 9\nsignal: 10/0\n"
				"notify: signal/tid.2635\nClockID: 0\n",
		&v, &n),
	    0);
	assert_int_equal(n, 3);
	assert_int_equal(v[0].id, 0);
	assert_int_equal(v[0].signo, 34);
	assert_true(v[0].value == 0x7fff86e452a8);
	assert_int_equal(v[0].notify, SIGEV_SIGNAL);
	assert_int_equal(v[0].clock, CLOCK_MONOTONIC);
	assert_int_equal(v[1].notify, SIGEV_NONE);
	assert_true(v[1].value == UINT64_MAX);
	assert_int_equal(v[1].clock, -6);
	assert_int_equal(v[2].notify, SIGEV_THREAD_ID);
	assert_int_equal(v[2].notify_id, 2635);
}

static void
no_timers_and_half_a_timer(void **state)
{
	autofree struct procfs_timer *v = NULL;
	size_t n = 9;

	(void)state;
	assert_int_equal(procfs_parse_timers("", &v, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(procfs_parse_timers("ID: 0\nsignal: 34/0\n", &v, &n),
	    -EBADMSG);
	assert_int_equal(procfs_parse_timers("ID: 0\nsignal: 34/0\n"
					     "notify: x\nClockID: 1\n",
			     &v, &n),
	    -EBADMSG);
}

/* A few bytes changed, the same ones in every run. */
static void
texts_made_by_chance_are_read_or_refused(void **state)
{
	static const char *const good[] = {
		"42 (bash)" STAT_TAIL,
		"Umask:\t0027\nUid:\t1\t2\t3\t4\nGroups:\t5 24 100 \n"
		"NSpid:\t900\t31\t4\nSigCgt:\t0000000180000002\n",
		"ID: 0\nsignal: 34/00007fff86e452a8\nnotify: signal/pid.2634\n"
		"ClockID: 1\nID: 9\nsignal: 10/0\nnotify: signal/tid.2635\n"
		"ClockID: 0\n",
	};
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 30000; round++) {
		autofree char *text = strdup(good[round % 3]);
		autofree struct procfs_timer *timers = NULL;
		size_t len = strlen(text), n;
		struct procfs_stat st;
		struct procfs_status s;

		for (int i = 0; i < 1 + round % 5; i++) {
			size_t at;

			seed = seed * 1664525 + 1013904223;
			at = (seed >> 8) % len;
			text[at] = (char)(seed >> 24);
		}
		if (procfs_parse_stat(text, &st) == 0)
			assert_true(strlen(st.comm) < sizeof st.comm);
		if (procfs_parse_status(text, &s) == 0) {
			assert_true(s.n_groups < len && s.nspid > 0);
			procfs_status_done(&s);
		}
		if (procfs_parse_timers(text, &timers, &n) == 0)
			assert_true(n <= len / 40);
	}
}

static void
this_process_is_read(void **state)
{
	struct procfs_stat st;
	struct procfs_status s;
	autofree pid_t *tids = NULL, *pids = NULL;
	autofree char *cwd = NULL, *here = NULL;
	uint64_t mine, parents;
	size_t n, seen = 0;

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, "we (odd) \n"), 0);
	assert_int_equal(procfs_stat(getpid(), &st), 0);
	assert_int_equal(st.pid, getpid());
	assert_int_equal(st.ppid, getppid());
	assert_string_equal(st.comm, "we (odd) \n");
	assert_int_equal(st.state, 'R');
	assert_int_equal(procfs_status(getpid(), &s), 0);
	assert_int_equal(s.uids[1], geteuid());
	assert_int_equal(s.gids[0], getgid());
	assert_int_equal((int)s.n_groups, getgroups(0, NULL));
	procfs_status_done(&s);
	assert_int_equal(procfs_tids(getpid(), &tids, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(tids[0], getpid());
	assert_int_equal(procfs_pids(&pids, &n), 0);
	for (size_t i = 0; i < n; i++)
		seen += pids[i] == getpid();
	assert_int_equal(seen, 1);
	assert_int_equal(procfs_link(getpid(), "cwd", &cwd), 0);
	here = getcwd(NULL, 0);
	assert_string_equal(cwd, here);
	assert_int_equal(procfs_namespace(getpid(), "mnt", &mine), 0);
	assert_int_equal(procfs_namespace(getppid(), "mnt", &parents), 0);
	assert_int_equal(mine, parents);
}

static void
own_timers_are_read(void **state)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGUSR1,
		.sigev_value.sival_int = 77 };
	autofree struct procfs_timer *v = NULL;
	timer_t timer;
	size_t n;

	(void)state;
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &ev, &timer), 0);
	assert_int_equal(procfs_timers(getpid(), &v, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(v[0].signo, SIGUSR1);
	assert_int_equal(v[0].notify, SIGEV_SIGNAL);
	assert_int_equal(v[0].notify_id, getpid());
	assert_int_equal((int)v[0].value, 77);
	assert_int_equal(v[0].clock, CLOCK_MONOTONIC);
	assert_int_equal(timer_delete(timer), 0);
}

static void
a_process_that_is_gone_is_esrch(void **state)
{
	struct procfs_stat st;
	struct procfs_status s;
	pid_t *tids;
	size_t n;

	(void)state;
	assert_int_equal(procfs_stat(4194304, &st), -ESRCH);
	assert_int_equal(procfs_status(4194304, &s), -ESRCH);
	assert_int_equal(procfs_tids(4194304, &tids, &n), -ESRCH);
}

static void
a_stat_that_is_open_stays_that_of_its_thread(void **state)
{
	struct procfs_stat st;
	pid_t pid = fork();
	int fd;

	(void)state;
	if (pid == 0)
		for (;;)
			pause();
	fd = procfs_stat_open(pid);
	assert_true(fd >= 0);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	assert_int_equal(procfs_stat_look(fd, &st), 0);
	assert_int_equal(st.state, 'T');
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(procfs_stat_look(fd, &st), -ESRCH);
	assert_int_equal(close(fd), 0);
	assert_int_equal(procfs_stat_open(4194304), -ESRCH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_of_stat_are_found),
		cmocka_unit_test(a_name_may_contain_anything),
		cmocka_unit_test(a_stat_cut_anywhere_is_refused),
		cmocka_unit_test(fields_of_status_are_found),
		cmocka_unit_test(a_zombie_has_no_umask),
		cmocka_unit_test(a_status_without_number_or_twice_is_refused),
		cmocka_unit_test(timers_are_found),
		cmocka_unit_test(no_timers_and_half_a_timer),
		cmocka_unit_test(texts_made_by_chance_are_read_or_refused),
		cmocka_unit_test(this_process_is_read),
		cmocka_unit_test(own_timers_are_read),
		cmocka_unit_test(a_process_that_is_gone_is_esrch),
		cmocka_unit_test(a_stat_that_is_open_stays_that_of_its_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
