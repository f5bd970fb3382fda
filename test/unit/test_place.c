/*
 * test_place.c - where a process stands and how it is run: ckpt/process/fs.c,
 * limits.c and sched.c between two processes.
 */
#include <limits.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "test/unit/puppet.h"
#include "test/unit/skip.h"

extern const struct resource res_fs, res_limits, res_sched;

static int
nothing(void)
{
	return 0;
}

/* ---- fs ---- */

static char dir[64];

static int
set_place(void)
{
	CHECK(chdir(dir) == 0);
	(void)umask(0157);
	return 0;
}

static int
verify_place(void)
{
	autofree char *cwd = getcwd(NULL, 0);

	CHECK(cwd != NULL && strcmp(cwd, dir) == 0);
	CHECK(umask(0) == 0157);
	return 0;
}

static void
directory_and_umask_come_back(void **state)
{
	autoscratch struct scratch s = scratch_new();

	(void)state;
	(void)snprintf(dir, sizeof dir, "%s", s.path);
	round_trip(&res_fs, set_place, nothing, verify_place, NULL);
}

static int
set_removed(void)
{
	CHECK(chdir(dir) == 0);
	CHECK(mkdir("gone", 0700) == 0);
	CHECK(chdir("gone") == 0);
	CHECK(rmdir("../gone") == 0);
	return 0;
}

static int
verify_removed(void)
{
	char want[128], link[128] = "";
	autofree char *cwd = getcwd(NULL, 0);

	CHECK(cwd == NULL && errno == ENOENT);
	(void)snprintf(want, sizeof want, "%s/gone (deleted)", dir);
	CHECK(readlink("/proc/self/cwd", link, sizeof link - 1) > 0);
	CHECK(strcmp(link, want) == 0);
	CHECK(access(dir, F_OK) == 0);
	(void)snprintf(want, sizeof want, "%s/gone", dir);
	CHECK(access(want, F_OK) < 0);
	return 0;
}

static void
a_removed_directory_comes_back_removed(void **state)
{
	autoscratch struct scratch s = scratch_new();

	(void)state;
	(void)snprintf(dir, sizeof dir, "%s", s.path);
	round_trip(&res_fs, set_removed, nothing, verify_removed, NULL);
}

static int
verify_nowhere(void)
{
	autofree char *cwd = getcwd(NULL, 0);

	CHECK(cwd == NULL && errno == ENOENT);
	return 0;
}

static void
a_directory_that_is_gone_is_told_and_stood_in_for(void **state)
{
	struct puppet a, b;

	(void)state;
	{
		autoscratch struct scratch s = scratch_new();

		(void)snprintf(dir, sizeof dir, "%s", s.path);
		puppet_start(&a, set_place, verify_nowhere);
		puppet_save(&a, &res_fs);
	}
	puppet_start(&b, nothing, verify_nowhere);
	puppet_revive(&b, &a, &res_fs);
	assert_true(puppet_noted(&b, "is gone"));
	assert_true(puppet_noted(&b, dir));
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(puppet_end(&a), 0);
	assert_int_equal(puppet_end(&b), 0);
}

/* Somebody else has the path by now: it is left alone. */
static void
a_removed_directory_whose_path_is_taken_is_another(void **state)
{
	autoscratch struct scratch s = scratch_new();
	struct puppet a, b;
	struct stat st;
	char path[128];

	(void)state;
	(void)snprintf(dir, sizeof dir, "%s", s.path);
	puppet_start(&a, set_removed, verify_nowhere);
	puppet_save(&a, &res_fs);
	(void)snprintf(path, sizeof path, "%s/gone", dir);
	assert_int_equal(mkdir(path, 0711), 0);
	puppet_start(&b, nothing, verify_nowhere);
	puppet_revive(&b, &a, &res_fs);
	assert_int_equal(puppet_end(&a), 0);
	assert_int_equal(puppet_end(&b), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
}

static int
unshare_uts(void)
{
	int flags = geteuid() == 0 ? CLONE_NEWUTS :
				     CLONE_NEWUSER | CLONE_NEWUTS;

	(void)unshare(flags); /* where it is not allowed the test is skipped */
	return 0;
}

static void
a_namespace_of_its_own_is_refused(void **state)
{
	uint64_t ours, its = 0;
	struct puppet p;
	bool refused;

	(void)state;
	puppet_start(&p, unshare_uts, nothing);
	assert_int_equal(procfs_namespace(getpid(), "uts", &ours), 0);
	(void)procfs_namespace(p.pid, "uts", &its);
	refused = puppet_refused(&p, &res_fs, "namespace");
	assert_int_equal(puppet_end(&p), 0);
	if (its == ours)
		skip_because("no namespace can be made here");
	assert_true(refused);
}

static void
an_ordinary_process_is_not_refused(void **state)
{
	struct puppet p;

	(void)state;
	puppet_start(&p, nothing, nothing);
	assert_false(puppet_refused(&p, &res_fs, ""));
	assert_int_equal(puppet_end(&p), 0);
}

static int
set_root(void)
{
	CHECK(chdir(dir) == 0);
	CHECK(mkdir("in", 0755) == 0);
	CHECK(chroot(dir) == 0);
	return 0;
}

static int
verify_root(void)
{
	autofree char *cwd = getcwd(NULL, 0);

	CHECK(cwd != NULL && strcmp(cwd, "/") == 0);
	CHECK(access("/in", F_OK) == 0);
	CHECK(access("/proc", F_OK) < 0);
	return 0;
}

static void
a_changed_root_comes_back_for_root(void **state)
{
	autoscratch struct scratch s = scratch_new();

	(void)state;
	if (geteuid() != 0)
		skip_because("only root can do it");
	(void)snprintf(dir, sizeof dir, "%s", s.path);
	round_trip(&res_fs, set_root, nothing, verify_root, NULL);
}

/* ---- limits ---- */

static int
set_limits(void)
{
	const struct rlimit core = { 4096, 8192 }, files = { 100, 200 },
			    stack = { 1 << 20, RLIM_INFINITY };

	CHECK(setrlimit(RLIMIT_CORE, &core) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	CHECK(setrlimit(RLIMIT_STACK, &stack) == 0);
	return 0;
}

static bool
limit_is(int which, rlim_t soft, rlim_t hard)
{
	struct rlimit v;

	return getrlimit(which, &v) == 0 && v.rlim_cur == soft &&
	    v.rlim_max == hard;
}

static int
verify_limits(void)
{
	CHECK(limit_is(RLIMIT_CORE, 4096, 8192));
	CHECK(limit_is(RLIMIT_NOFILE, 100, 200));
	CHECK(limit_is(RLIMIT_STACK, 1 << 20, RLIM_INFINITY));
	return 0;
}

static void
limits_come_back(void **state)
{
	(void)state;
	round_trip(&res_limits, set_limits, nothing, verify_limits, NULL);
}

static int
set_low(void)
{
	const struct rlimit files = { 20, 50 };

	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	return 0;
}

/* Where a hard limit cannot be raised: as far as it goes. */
static void
a_hard_limit_that_is_not_allowed_is_told_and_kept(void **state)
{
	const struct rlimit raised = { 20, 51 };
	struct rlimit v;
	struct puppet a, b;
	bool may;

	(void)state;
	puppet_start(&a, set_limits, nothing);
	puppet_start(&b, set_low, nothing);
	puppet_save(&a, &res_limits);
	may = prlimit(b.pid, RLIMIT_NOFILE, &raised, NULL) == 0;
	puppet_revive(&b, &a, &res_limits);
	assert_int_equal(prlimit(b.pid, RLIMIT_NOFILE, NULL, &v), 0);
	if (may) {
		assert_int_equal(v.rlim_max, 200);
	} else {
		assert_int_equal(v.rlim_cur, 50);
		assert_int_equal(v.rlim_max, 50);
		assert_true(
		    puppet_noted(&b, "limit of open files: at most 50"));
	}
	assert_int_equal(prlimit(b.pid, RLIMIT_CORE, NULL, &v), 0);
	assert_int_equal(v.rlim_cur, 4096);
	assert_int_equal(puppet_end(&a), 0);
	assert_int_equal(puppet_end(&b), 0);
}

/* ---- scheduling ---- */

static int
set_sched(void)
{
	const struct sched_param zero = { 0 };
	cpu_set_t one;
	int fd;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK(setpriority(PRIO_PROCESS, 0, 7) == 0);
	CHECK(sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &zero) ==
	    0);
	CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
	CHECK(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6) == 0);
	CHECK(prctl(PR_SET_TIMERSLACK, 123456) == 0);
	CHECK(personality(ADDR_NO_RANDOMIZE) >= 0);
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	CHECK(fd >= 0 && write(fd, "321", 3) == 3 && close(fd) == 0);
	return 0;
}

static int
verify_sched(void)
{
	char text[16] = "";
	cpu_set_t now;
	int fd;

	CHECK(getpriority(PRIO_PROCESS, 0) == 7);
	CHECK(sched_getscheduler(0) == (SCHED_BATCH | SCHED_RESET_ON_FORK));
	CHECK(sched_getaffinity(0, sizeof now, &now) == 0);
	CHECK(CPU_COUNT(&now) == 1 && CPU_ISSET(0, &now));
	CHECK(syscall(SYS_ioprio_get, 1, 0) == (2 << 13 | 6));
	CHECK(prctl(PR_GET_TIMERSLACK) == 123456);
	CHECK(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
	fd = open("/proc/self/oom_score_adj", O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
	CHECK(atoi(text) == 321 && close(fd) == 0);
	return 0;
}

static void
scheduling_comes_back(void **state)
{
	cpu_set_t now;

	(void)state;
	if (sched_getaffinity(0, sizeof now, &now) < 0 || CPU_COUNT(&now) < 2 ||
	    !CPU_ISSET(0, &now))
		skip_because("there is but one processor");
	round_trip(&res_sched, set_sched, nothing, verify_sched, NULL);
}

static int
set_idle(void)
{
	const struct sched_param zero = { 0 };

	CHECK(setpriority(PRIO_PROCESS, 0, 3) == 0);
	CHECK(sched_setscheduler(0, SCHED_IDLE, &zero) == 0);
	return 0;
}

static int
verify_idle(void)
{
	const struct sched_param zero = { 0 };

	CHECK(sched_getscheduler(0) == SCHED_IDLE);
	CHECK(getpriority(PRIO_PROCESS, 0) == 3);
	(void)sched_setscheduler(0, SCHED_OTHER, &zero);
	return 0;
}

static void
an_idle_process_is_idle_again(void **state)
{
	(void)state;
	round_trip(&res_sched, set_idle, nothing, verify_idle, NULL);
}

static int
set_realtime(void)
{
	const struct sched_param param = { .sched_priority = 4 };

	/* Where it is not allowed there is nothing to bring back. */
	(void)sched_setscheduler(0, SCHED_RR, &param);
	return 0;
}

static int
verify_realtime(void)
{
	struct sched_param param;

	CHECK(sched_getscheduler(0) == SCHED_RR);
	CHECK(sched_getparam(0, &param) == 0 && param.sched_priority == 4);
	return 0;
}

static void
a_realtime_process_is_so_again_where_allowed(void **state)
{
	struct puppet p;
	int policy;

	(void)state;
	puppet_start(&p, set_realtime, nothing);
	policy = sched_getscheduler(p.pid);
	assert_int_equal(puppet_end(&p), 0);
	if (policy != SCHED_RR)
		skip_because("no real-time policy is allowed here");
	round_trip(&res_sched, set_realtime, nothing, verify_realtime, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directory_and_umask_come_back),
		cmocka_unit_test(a_removed_directory_comes_back_removed),
		cmocka_unit_test(
		    a_directory_that_is_gone_is_told_and_stood_in_for),
		cmocka_unit_test(
		    a_removed_directory_whose_path_is_taken_is_another),
		cmocka_unit_test(a_namespace_of_its_own_is_refused),
		cmocka_unit_test(an_ordinary_process_is_not_refused),
		cmocka_unit_test(a_changed_root_comes_back_for_root),
		cmocka_unit_test(limits_come_back),
		cmocka_unit_test(
		    a_hard_limit_that_is_not_allowed_is_told_and_kept),
		cmocka_unit_test(scheduling_comes_back),
		cmocka_unit_test(an_idle_process_is_idle_again),
		cmocka_unit_test(a_realtime_process_is_so_again_where_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
