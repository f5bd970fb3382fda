/*
 * groups.c - sessions and process groups whose leaders are living, zombies,
 * gone, or have moved on; orphans and a daemon, which have a parent that is
 * not theirs; a leader of a group in which it is not.
 *
 * Every member looks at its own ids when it is told to, and answers. The one
 * report pipe and the one order pipe are inherited by all.
 */
#include <fcntl.h>
#include <sys/prctl.h>

#include "test/victim/victim.h"

static int orders[2], reports[2];
static int n_members;

struct ids {
	pid_t pid, ppid, pgid, sid;
};

static struct ids
ids_of_self(void)
{
	return (struct ids){ getpid(), getppid(), getpgrp(), getsid(0) };
}

static void
expect_same(const char *name, struct ids a, struct ids b)
{
	EXPECT(a.pid == b.pid, "%s: pid %d, was %d", name, b.pid, a.pid);
	EXPECT(a.ppid == b.ppid, "%s: parent %d, was %d", name, b.ppid, a.ppid);
	EXPECT(a.pgid == b.pgid, "%s: group %d, was %d", name, b.pgid, a.pgid);
	EXPECT(a.sid == b.sid, "%s: session %d, was %d", name, b.sid, a.sid);
}

/* Wait until the parent has gone; then be a member until told. */
static void __attribute__((noreturn))
be_member(const char *name, pid_t until_gone)
{
	struct ids before;
	char c;

	while (until_gone != 0 && getppid() == until_gone)
		victim_nap();
	before = ids_of_self();
	EXPECT(write(reports[1], "r", 1) == 1, "reporting");
	if (read(orders[0], &c, 1) != 1)
		_exit(1);
	expect_same(name, before, ids_of_self());
	EXPECT(write(reports[1], "k", 1) == 1, "reporting");
	_exit(0);
}

static void
expect_reports(char want)
{
	char c;
	int i;

	for (i = 0; i < n_members; i++)
		EXPECT(read(reports[0], &c, 1) == 1 && c == want,
		    "a member has failed");
}

/* A session whose leader has gone, or is a zombie: one member in the
 * leader's group, one in a group of its own. */
static pid_t
start_leaderless_session(bool reap)
{
	pid_t self, pid = MUST(fork());

	n_members += 2;
	if (pid == 0) {
		MUST(setsid());
		self = getpid();
		if (MUST(fork()) == 0)
			be_member("of a dead session leader", self);
		if (MUST(fork()) == 0) {
			MUST(setpgid(0, 0));
			be_member("in a session without leader", self);
		}
		_exit(0);
	}
	if (reap)
		victim_reap(pid, 0);
	return pid;
}

/* A group in this session whose leader has gone. */
static void
start_leaderless_group(void)
{
	pid_t self, pid = MUST(fork());
	int i;

	n_members += 2;
	if (pid != 0) {
		victim_reap(pid, 0);
		return;
	}
	MUST(setpgid(0, 0));
	self = getpid();
	for (i = 0; i < 2; i++)
		if (MUST(fork()) == 0)
			be_member("of a dead group leader", self);
	_exit(0);
}

/* Twice forked, as daemons are: own session, not its leader, no terminal. */
static void
start_daemon(void)
{
	pid_t self, pid = MUST(fork());

	n_members++;
	if (pid != 0) {
		victim_reap(pid, 0);
		return;
	}
	MUST(setsid());
	self = getpid();
	if (MUST(fork()) != 0)
		_exit(0);
	while (getppid() == self)
		victim_nap();
	EXPECT(open("/dev/tty", O_RDWR | O_CLOEXEC) < 0,
	    "a daemon has a terminal");
	be_member("daemon", 0);
}

/* A leads its group, B joins, A moves to C's group: A is alive, its group
 * too, and it is not in it. */
static void
start_moved_leader(pid_t v[3])
{
	int p[2], i;
	char c;

	MUST(pipe2(p, O_CLOEXEC));
	for (i = 0; i < 3; i++) {
		v[i] = MUST(fork());
		n_members++;
		if (v[i] == 0) {
			close(p[1]);
			(void)!read(p[0], &c, 1); /* until all is arranged */
			be_member("in moved groups", 0);
		}
	}
	MUST(setpgid(v[0], v[0]));
	MUST(setpgid(v[1], v[0]));
	MUST(setpgid(v[2], v[2]));
	MUST(setpgid(v[0], v[2]));
	close(p[0]);
	close(p[1]);
}

/* A leader that began its session late: its child is of the one before. */
static pid_t
start_late_leader(void)
{
	pid_t older, pid = MUST(fork());
	struct ids before;
	char c;

	n_members += 2;
	if (pid != 0)
		return pid;
	older = MUST(fork());
	if (older == 0)
		be_member("born before its parent's session", 0);
	MUST(setsid());
	before = ids_of_self();
	EXPECT(write(reports[1], "r", 1) == 1, "reporting");
	EXPECT(read(orders[0], &c, 1) == 1, "waiting for orders");
	expect_same("late leader", before, ids_of_self());
	victim_reap(older, 0);
	EXPECT(write(reports[1], "k", 1) == 1, "reporting");
	_exit(0);
}

int
main(void)
{
	pid_t late, zombie, moved[3];
	struct ids before;
	int i;

	victim_init();
	MUST(pipe2(orders, O_CLOEXEC));
	MUST(pipe2(reports, O_CLOEXEC));
	start_leaderless_session(true);
	zombie = start_leaderless_session(false);
	start_leaderless_group();
	start_daemon();
	late = start_late_leader();
	start_moved_leader(moved);
	expect_reports('r');
	before = ids_of_self();

	victim_wait();
	expect_same("first process", before, ids_of_self());
	for (i = 0; i < n_members; i++)
		EXPECT(write(orders[1], "", 1) == 1, "giving orders");
	expect_reports('k');
	victim_reap(zombie, 0);
	victim_reap(late, 0);
	for (i = 0; i < 3; i++)
		victim_reap(moved[i], 0);
	EXPECT(waitpid(-1, NULL, __WALL | WNOHANG) < 0 && errno == ECHILD,
	    "a child that was never started");
	victim_ok();
}
