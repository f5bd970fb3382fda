/*
 * family.c - children in every state: living, zombies of all sorts of ends,
 * stopped ones whose stop has been told and has not, one with threads, ones
 * cloned with another exit signal or none. No child may come or go by itself.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "test/victim/victim.h"

struct child {
	const char *name;
	int (*life)(void);
	char state; /* to wait for before `ready` */
	int exit_signal;
	bool told;  /* its stop was waited for before */
	int status; /* wait status in the end */
	pid_t pid;
};

static int
exits(void)
{
	return 3;
}

static int
kills_itself(void)
{
	MUST(kill(getpid(), SIGKILL));
	return 1;
}

static int
faults(void)
{
	struct rlimit none = { 0, 0 };

	MUST(setrlimit(RLIMIT_CORE, &none));
	MUST(raise(SIGSEGV));
	return 1;
}

static int
sleeps(void)
{
	while (!victim_told)
		pause();
	return 1;
}

static int
stops(void)
{
	MUST(raise(SIGSTOP));
	return 11;
}

static void *
nap_always(void *arg)
{
	for (;;)
		victim_nap();
	return arg;
}

static int
stops_with_threads(void)
{
	pthread_t t[3];
	size_t i;

	for (i = 0; i < COUNT(t); i++)
		MUST0(pthread_create(&t[i], NULL, nap_always, NULL));
	MUST(raise(SIGSTOP));
	return 12;
}

static struct child children[] = {
	{ "exit 3", exits, 'Z', SIGCHLD, false, 3 << 8, 0 },
	{ "killed", kills_itself, 'Z', SIGCHLD, false, SIGKILL, 0 },
	{ "faulted", faults, 'Z', SIGCHLD, false, SIGSEGV, 0 },
	{ "no signal", exits, 'Z', 0, false, 3 << 8, 0 },
	{ "asleep", sleeps, 'S', SIGCHLD, false, SIGKILL, 0 },
	{ "SIGUSR2", sleeps, 'S', SIGUSR2, false, SIGKILL, 0 },
	{ "stopped", stops, 'T', SIGCHLD, false, 11 << 8, 0 },
	{ "stopped, told", stops, 'T', SIGCHLD, true, 11 << 8, 0 },
	{ "threads, stopped", stops_with_threads, 'T', SIGCHLD, false, 12 << 8,
	    0 },
};

static int
begin(void *arg)
{
	const struct child *c = arg;

	_exit(c->life());
}

static void
start(struct child *c)
{
	static char stacks[COUNT(children)][64 * 1024];
	int st;

	c->pid = MUST(clone(begin, stacks[c - children] + sizeof stacks[0],
	    c->exit_signal, c));
	victim_until_state(c->pid, c->pid, c->state);
	if (!c->told)
		return;
	EXPECT(waitpid(c->pid, &st, WUNTRACED) == c->pid && WIFSTOPPED(st),
	    "%s: does not stop", c->name);
}

static void
verify(struct child *c)
{
	const int all = __WALL | WUNTRACED;
	int st;
	pid_t r;

	EXPECT(victim_state(c->pid, c->pid) == c->state, "%s: state is '%c'",
	    c->name, victim_state(c->pid, c->pid));
	if (c->state == 'T') {
		r = waitpid(c->pid, &st, WNOHANG | all);
		EXPECT(r == (c->told ? 0 : c->pid), "%s: its stop is told %s",
		    c->name, r == 0 ? "never" : "twice");
		MUST(kill(c->pid, SIGCONT));
	}
	if (c->state == 'S') {
		r = waitpid(c->pid, &st, WNOHANG | all);
		EXPECT(r == 0, "%s: waitpid gave %d", c->name, r);
		MUST(kill(c->pid, SIGKILL));
	}
	/* __WCLONE: only those that do not tell by SIGCHLD. */
	r = waitpid(c->pid, &st, c->exit_signal == SIGCHLD ? 0 : __WCLONE);
	EXPECT(r == c->pid, "%s: waitpid: %s", c->name, strerror(errno));
	EXPECT(st == c->status, "%s: wait status %#x, not %#x", c->name, st,
	    c->status);
}

static volatile sig_atomic_t n_usr2;

static void
on_usr2(int sig)
{
	(void)sig;
	n_usr2++;
}

int
main(void)
{
	struct sigaction sa = { .sa_handler = on_usr2, .sa_flags = SA_RESTART };
	pid_t self = getpid(), parent = getppid();
	size_t i;

	victim_init();
	MUST(sigaction(SIGUSR2, &sa, NULL));
	for (i = 0; i < COUNT(children); i++)
		start(&children[i]);

	victim_wait();
	EXPECT(getpid() == self, "process %d is now %d", self, getpid());
	EXPECT(getppid() == parent, "parent is %d, was %d", getppid(), parent);
	for (i = 0; i < COUNT(children); i++)
		verify(&children[i]);
	EXPECT(n_usr2 == 1, "exit signal SIGUSR2 came %d times", (int)n_usr2);
	EXPECT(waitpid(-1, NULL, __WALL | WNOHANG) < 0 && errno == ECHILD,
	    "a child that was never started");
	victim_ok();
}
