/*
 * credentials.c - who a process is: user and group ids, groups, capabilities,
 * as /proc/self/status tells them. As root in children of other users, with
 * some capabilities and with none.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "test/victim/victim.h"

/* A user namespace of one id shows other groups and bounds otherwise. */
static const struct line {
	const char *key;
	bool root_only;
} lines[] = {
	{ "Uid:", false },
	{ "Gid:", false },
	{ "Groups:", true },
	{ "CapInh:", false },
	{ "CapPrm:", false },
	{ "CapEff:", false },
	{ "CapBnd:", true },
	{ "CapAmb:", false },
	{ "NoNewPrivs:", false },
	{ "Seccomp:", false },
};

struct status {
	char line[COUNT(lines)][512];
	int securebits, dumpable, keepcaps;
};

static void
look(struct status *s)
{
	size_t i;

	for (i = 0; i < COUNT(lines); i++)
		EXPECT(victim_proc_line("/proc/self/status", lines[i].key,
			   s->line[i], sizeof s->line[i]),
		    "no %s in /proc/self/status", lines[i].key);
	s->securebits = prctl(PR_GET_SECUREBITS);
	s->dumpable = prctl(PR_GET_DUMPABLE);
	s->keepcaps = prctl(PR_GET_KEEPCAPS);
}

static void
expect_same(const char *who, const struct status *a, const struct status *b,
    bool root)
{
	size_t i;

	for (i = 0; i < COUNT(lines); i++)
		if (root || !lines[i].root_only)
			EXPECT(strcmp(a->line[i], b->line[i]) == 0, "%s: %s",
			    who, strtok((char *)b->line[i], "\n"));
	EXPECT(a->securebits == b->securebits, "%s: securebits %#x, were %#x",
	    who, b->securebits, a->securebits);
	EXPECT(a->dumpable == b->dumpable, "%s: dumpable %d, was %d", who,
	    b->dumpable, a->dumpable);
	EXPECT(a->keepcaps == b->keepcaps, "%s: keepcaps %d, was %d", who,
	    b->keepcaps, a->keepcaps);
}

static void
ordinary(void)
{
	gid_t groups[] = { 7001, 7003, 7002 };

	MUST(setgroups(COUNT(groups), groups));
	MUST(setresgid(7001, 7001, 7001));
	MUST(setresuid(7000, 7000, 7000));
}

static void
set_user(void)
{
	gid_t groups[] = { 7003 };

	MUST(setgroups(COUNT(groups), groups));
	MUST(setresgid(7001, 7002, 7001));
	MUST(setresuid(7000, 7002, 0)); /* as a set-user-id program */
}

static void
some_capabilities(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct d[2] = { 0 };

	MUST(prctl(PR_SET_KEEPCAPS, 1));
	MUST(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT));
	MUST(setgroups(0, NULL));
	MUST(setresgid(7001, 7001, 7001));
	MUST(setresuid(7000, 7000, 7000));
	d[0].permitted = 1u << CAP_CHOWN | 1u << CAP_KILL;
	d[0].inheritable = 1u << CAP_KILL;
	d[0].effective = 1u << CAP_CHOWN;
	MUST(syscall(SYS_capset, &h, d));
	MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
	MUST(prctl(PR_SET_DUMPABLE, 1));
}

static const struct other {
	const char *name;
	void (*become)(void);
} others[] = {
	{ "ordinary user", ordinary },
	{ "set-user-id", set_user },
	{ "some capabilities", some_capabilities },
};

static pid_t
start(const struct other *o, int go, int done)
{
	struct status before, after;
	pid_t pid = MUST(fork());
	char c;

	if (pid != 0)
		return pid;
	o->become();
	look(&before);
	EXPECT(write(done, "", 1) == 1, "reporting");
	if (read(go, &c, 1) != 1)
		_exit(1);
	look(&after);
	expect_same(o->name, &before, &after, true);
	_exit(0);
}

int
main(void)
{
	bool root = geteuid() == 0;
	struct status before, after;
	pid_t pid[COUNT(others)];
	int go[2], done[2];
	size_t i;
	char c;

	victim_init();
	MUST(pipe(go));
	MUST(pipe(done));
	for (i = 0; root && i < COUNT(others); i++) {
		pid[i] = start(&others[i], go[0], done[1]);
		EXPECT(read(done[0], &c, 1) == 1, "no report");
	}
	look(&before);

	victim_wait();
	look(&after);
	expect_same("self", &before, &after, root);
	for (i = 0; root && i < COUNT(others); i++)
		EXPECT(write(go[1], "", 1) == 1, "telling a child");
	for (i = 0; root && i < COUNT(others); i++)
		victim_reap(pid[i], 0);
	victim_ok();
}
