/* test_cred.c - ckpt/process/cred.c between two processes, and what it refuses. */
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "test/unit/puppet.h"
#include "test/unit/skip.h"

extern const struct resource res_cred;

#define USER 54321
#define GROUP 54322
#define CAP(n) (UINT64_C(1) << (n))

static int
nothing(void)
{
	return 0;
}

static int
set_caps(uint64_t eff, uint64_t prm, uint64_t inh)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct sets[2] = {
		{ (uint32_t)eff, (uint32_t)prm, (uint32_t)inh },
		{ (uint32_t)(eff >> 32), (uint32_t)(prm >> 32),
		    (uint32_t)(inh >> 32) },
	};

	return (int)syscall(SYS_capset, &head, sets);
}

/* ---- root ---- */

static int
become_user(void)
{
	const gid_t groups[] = { 7, 100, 54322 };

	CHECK(setgroups(3, groups) == 0);
	CHECK(prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE) == 0);
	CHECK(setresgid(GROUP, GROUP, GROUP) == 0);
	CHECK(setresuid(USER, USER, USER) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	CHECK(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	return 0;
}

static int
verify_user(void)
{
	scoped(procfs_status_done) struct procfs_status st = { 0 };
	int value;

	CHECK(procfs_status(getpid(), &st) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(st.uids[i] == USER && st.gids[i] == GROUP);
	CHECK(st.n_groups == 3 && st.groups[0] == 7 && st.groups[1] == 100 &&
	    st.groups[2] == 54322);
	CHECK(st.cap_prm == 0 && st.cap_eff == 0 && st.cap_inh == 0);
	CHECK((st.cap_bnd & CAP(CAP_SYS_MODULE)) == 0);
	CHECK((st.cap_bnd & CAP(CAP_CHOWN)) != 0);
	CHECK(st.no_new_privs);
	CHECK(prctl(PR_GET_DUMPABLE) == 1);
	CHECK(prctl(PR_GET_SECUREBITS) == 0);
	CHECK(prctl(PR_GET_PDEATHSIG, &value) == 0 && value == SIGTERM);
	CHECK(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1);
	return 0;
}

static void
root_makes_an_ordinary_user_again(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip_because("only root can do it");
	round_trip(&res_cred, become_user, nothing, verify_user, NULL);
}

/* Different ids, ambient capabilities, locked securebits, not dumpable. */
static int
become_odd(void)
{
	uint64_t caps = CAP(CAP_NET_BIND_SERVICE) | CAP(CAP_KILL) |
	    CAP(CAP_SETPCAP) | CAP(CAP_SETUID) | CAP(CAP_SETGID);

	CHECK(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) == 0);
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(1, 2, 3) == 0);
	CHECK(setresuid(11, 12, 13) == 0);
	(void)syscall(SYS_setfsuid, 13);
	CHECK(set_caps(caps, caps, CAP(CAP_KILL) | CAP(CAP_CHOWN)) == 0);
	CHECK(prctl(PR_CAPBSET_DROP, CAP_CHOWN) == 0);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0);
	CHECK(
	    prctl(PR_SET_SECUREBITS,
		SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS) == 0);
	CHECK(set_caps(CAP(CAP_NET_BIND_SERVICE),
		  CAP(CAP_NET_BIND_SERVICE) | CAP(CAP_KILL),
		  CAP(CAP_KILL) | CAP(CAP_CHOWN)) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	return 0;
}

static int
verify_odd(void)
{
	static const uint32_t uids[] = { 11, 12, 13, 13 };
	static const uint32_t gids[] = { 1, 2, 3, 2 };
	scoped(procfs_status_done) struct procfs_status st = { 0 };

	CHECK(procfs_status(getpid(), &st) == 0);
	CHECK(memcmp(st.uids, uids, sizeof uids) == 0);
	CHECK(memcmp(st.gids, gids, sizeof gids) == 0);
	CHECK(st.n_groups == 0);
	CHECK(st.cap_eff == CAP(CAP_NET_BIND_SERVICE));
	CHECK(st.cap_prm == (CAP(CAP_NET_BIND_SERVICE) | CAP(CAP_KILL)));
	CHECK(st.cap_inh == (CAP(CAP_KILL) | CAP(CAP_CHOWN)));
	CHECK(st.cap_amb == CAP(CAP_KILL));
	CHECK((st.cap_bnd & CAP(CAP_CHOWN)) == 0);
	CHECK(prctl(PR_GET_SECUREBITS) ==
	    (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS));
	CHECK(prctl(PR_GET_DUMPABLE) == 0);
	return 0;
}

static void
root_makes_odd_credentials_again(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip_because("only root can do it");
	round_trip(&res_cred, become_odd, nothing, verify_odd, NULL);
}

static int
lose_caps(void)
{
	CHECK(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME) == 0);
	return set_caps(0, 0, 0);
}

static int
verify_lost_caps(void)
{
	scoped(procfs_status_done) struct procfs_status st = { 0 };

	CHECK(procfs_status(getpid(), &st) == 0);
	CHECK(st.uids[0] == 0 && st.cap_prm == 0);
	CHECK((st.cap_bnd & CAP(CAP_SYS_TIME)) == 0);
	return 0;
}

static void
a_root_without_capabilities_is_so_again(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip_because("only root can do it");
	round_trip(&res_cred, lose_caps, nothing, verify_lost_caps, NULL);
}

/* ---- threads ---- */

static pthread_barrier_t barrier;
static pthread_t thread;
static int thread_answer;

static void *
other_thread(void *arg)
{
	struct procfs_status st;
	int value = 0;

	(void)arg;
	(void)pthread_barrier_wait(&barrier);
	(void)pthread_barrier_wait(&barrier);
	thread_answer = procfs_status((pid_t)syscall(SYS_gettid), &st) != 0 ||
	    st.uids[1] != USER || st.gids[1] != GROUP || st.n_groups != 3 ||
	    st.cap_prm != 0 || prctl(PR_GET_PDEATHSIG, &value) != 0 ||
	    value != 0;
	return NULL;
}

static int
start_thread(void)
{
	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0);
	(void)pthread_barrier_wait(&barrier);
	return 0;
}

static int
become_users(void)
{
	CHECK(become_user() == 0);
	return start_thread();
}

static int
verify_users(void)
{
	(void)pthread_barrier_wait(&barrier);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(thread_answer == 0);
	return verify_user();
}

static void
all_threads_get_the_same(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip_because("only root can do it");
	round_trip(&res_cred, become_users, start_thread, verify_users, NULL);
}

static int
differ(void)
{
	CHECK(start_thread() == 0);
	CHECK(syscall(SYS_setresuid, USER, USER, USER) == 0); /* one thread */
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	return 0;
}

static void
threads_that_differ_are_refused(void **state)
{
	struct puppet p;

	(void)state;
	if (geteuid() != 0)
		skip_because("only root can do it");
	puppet_start(&p, differ, nothing);
	assert_true(puppet_refused(&p, &res_cred, "different rights"));
	assert_int_equal(puppet_end(&p), 0);
}

/* ---- what is refused ---- */

static int
shut_in(void)
{
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0;
}

/* Strict: exit_group(2) is forbidden to it. */
static int
end_shut_in(void)
{
	(void)syscall(SYS_exit, 0);
	return 0;
}

static void
a_process_under_seccomp_is_refused(void **state)
{
	struct puppet p;

	(void)state;
	puppet_start(&p, shut_in, end_shut_in);
	assert_true(puppet_refused(&p, &res_cred, "seccomp"));
	assert_int_equal(puppet_end(&p), 0);
}

static void
an_ordinary_process_is_not_refused(void **state)
{
	struct puppet p;

	(void)state;
	puppet_start(&p, nothing, nothing);
	assert_false(puppet_refused(&p, &res_cred, ""));
	assert_int_equal(puppet_end(&p), 0);
}

static int
hide(void)
{
	return prctl(PR_SET_DUMPABLE, 0);
}

static void
what_cannot_be_looked_into_is_refused_to_users(void **state)
{
	struct puppet p;

	(void)state;
	puppet_start(&p, hide, nothing);
	assert_int_equal(puppet_refused(&p, &res_cred, "looked into"),
	    geteuid() != 0);
	assert_int_equal(puppet_end(&p), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_makes_an_ordinary_user_again),
		cmocka_unit_test(root_makes_odd_credentials_again),
		cmocka_unit_test(a_root_without_capabilities_is_so_again),
		cmocka_unit_test(all_threads_get_the_same),
		cmocka_unit_test(threads_that_differ_are_refused),
		cmocka_unit_test(a_process_under_seccomp_is_refused),
		cmocka_unit_test(an_ordinary_process_is_not_refused),
		cmocka_unit_test(
		    what_cannot_be_looked_into_is_refused_to_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
