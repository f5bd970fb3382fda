/*
 * ending.c - -k: the session is asked to end (SIGHUP), told (SIGTERM) and
 * made (SIGKILL), with a wait between. What is meant is the first process,
 * its session and whatever else has the session's terminal: processes that
 * made a session of their own stay, unless they are forced.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "config.h"
#include "pty.h"
#include "server.h"
#include "server/control.h"

#define LOOK_MS 20 /* between looks whether they are gone */

static const int signals[] = { SIGHUP, SIGTERM, SIGKILL };

struct ending {
	struct event *ev;
	unsigned step; /* of signals[]; the next one to be sent */
	unsigned waited_ms;
	bool force, done;
	pid_t sid;    /* the first process's session */
	unsigned tty; /* of the session, as /proc shows it */
};

/* Is process PID of ALL below TOP? */
static bool
is_below(const struct procfs_stat *all, size_t n, pid_t pid, pid_t top)
{
	size_t i, steps;

	for (steps = 0; steps < n && pid > 1; steps++) {
		for (i = 0; i < n && all[i].pid != pid; i++)
			;
		if (i == n)
			return false;
		if (all[i].ppid == top)
			return true;
		pid = all[i].ppid;
	}
	return false;
}

static bool
is_meant(const struct server *s, const struct ending *g,
    const struct procfs_stat *st, const struct procfs_stat *all, size_t n)
{
	if (st->state == 'Z' || st->state == 'X')
		return false;
	/* Numbers alone do not say whose a process is: those of ttys repeat
	 * in private devpts instances, those of sessions are used again. */
	if (!is_below(all, n, st->pid, s->parent))
		return false;
	return g->force || st->pid == s->first ||
	    (g->sid > 0 && st->session == g->sid) ||
	    (g->tty != 0 && (unsigned)st->tty_nr == g->tty);
}

/* Send SIG (0: none) to all that are meant; how many there are. */
static size_t
signal_all(struct server *s, int sig)
{
	struct ending *g = s->ending;
	autofree struct procfs_stat *all = NULL;
	autofree pid_t *pids = NULL;
	size_t n_pids, n = 0, i, n_meant = 0;

	if (procfs_pids(&pids, &n_pids) < 0)
		return 0;
	all = calloc(n_pids + 1, sizeof *all);
	for (i = 0; all != NULL && i < n_pids; i++)
		if (procfs_stat(pids[i], &all[n]) == 0)
			n++;
	for (i = 0; i < n; i++) {
		if (!is_meant(s, g, &all[i], all, n))
			continue;
		n_meant++;
		if (sig == 0)
			continue;
		(void)kill(all[i].pid, sig);
		/* Who is stopped hears only SIGKILL. */
		(void)kill(all[i].pid, SIGCONT);
	}
	return n_meant;
}

static void
wait_on(struct ending *g)
{
	const struct timeval tv = { .tv_usec = LOOK_MS * 1000 };

	(void)event_add(g->ev, &tv);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct ending *g = s->ending;

	(void)fd;
	(void)what;
	g->waited_ms += LOOK_MS;
	if (signal_all(s, 0) == 0 && s->over) {
		g->done = true;
		server_finish(s);
		return;
	}
	if (g->step < N_ELEMENTS(signals) && g->waited_ms >= KILL_WAIT_MS) {
		(void)signal_all(s, signals[g->step++]);
		g->waited_ms = 0;
	} else if (g->step == N_ELEMENTS(signals)) {
		/* Those that were born meanwhile. */
		(void)signal_all(s, SIGKILL);
		if (g->waited_ms >= 2 * KILL_WAIT_MS && s->over)
			g->done = true; /* D state: the kernel will */
	}
	if (g->done)
		server_finish(s);
	else
		wait_on(g);
}

int
ending_start(struct server *s, bool force, struct err *e)
{
	struct procfs_stat st = { .session = 0 };
	struct ending *g = s->ending;

	saving_abort(s);
	if (g != NULL) {
		g->force = g->force || force;
		return 0;
	}
	g = calloc(1, sizeof *g);
	if (g != NULL)
		g->ev = event_new(s->base, -1, 0, on_look, s);
	if (g == NULL || g->ev == NULL) {
		free(g);
		return err_set(e, -ENOMEM, "no memory");
	}
	g->force = force;
	g->tty = pty_device(s->master);
	if (!s->over && procfs_stat(s->first, &st) == 0)
		g->sid = st.session;
	s->ending = g;
	(void)signal_all(s, signals[g->step++]);
	wait_on(g);
	return 0;
}

bool
ending_busy(const struct server *s)
{
	return s->ending != NULL && !s->ending->done;
}

void
ending_free(struct server *s)
{
	if (s->ending != NULL)
		event_free(s->ending->ev);
	free(s->ending);
	s->ending = NULL;
}
