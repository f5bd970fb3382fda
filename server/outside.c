/*
 * outside.c - see outside.h.
 */
#include "server/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "server/control.h"
#include "server/launch.h"

#define N_STANDARD 3

/* Descriptors of OUTSIDE, in this order; then the passed ones. */
enum { FD_ORDER, FD_CWD, N_FIXED };

struct outside {
	LIST_ENTRY(outside) link;
	struct peer *peer; /* NULL: it has gone */
	pid_t pid;
	int master; /* a copy: to know whose turn on it is */
};

/* The standard descriptors that K brought; -1: the pty's. */
static int
get_standard(const struct packet *k, int ret_fds[N_STANDARD])
{
	size_t next = N_FIXED;

	for (int i = 0; i < N_STANDARD; i++) {
		ret_fds[i] = -1;
		if ((k->msg->passed & 1u << i) == 0)
			continue;
		if (next >= k->n_fds)
			return -EBADMSG;
		ret_fds[i] = k->fds[next++];
	}
	return next == k->n_fds ? 0 : -EBADMSG;
}

static int
start(const Sess__Order *m, const struct packet *k, const int fds[N_STANDARD],
    int *ret_master, pid_t *ret_pid, struct err *e)
{
	struct launch l;
	struct termios tio;
	struct pty_program prog;
	int r, exit_status;

	if (m->n_argv == 0)
		return err_set(e, -EBADMSG, "the request is malformed");
	r = launch_read(m, k->fds[FD_CWD], &l, &tio, e);
	if (r < 0)
		return r;
	prog = (struct pty_program){ .argv = l.argv,
		.env = l.env,
		.cwd = l.cwd,
		.umask = l.umask,
		.termios = l.termios,
		.size = l.size,
		.fds = fds };
	r = pty_start(&prog, ret_master, ret_pid, &exit_status, e);
	if (l.cwd != k->fds[FD_CWD])
		(void)close(l.cwd);
	free(l.argv);
	free(l.env);
	return r;
}

static struct outside *
find(const struct server *s, const struct peer *p)
{
	struct outside *o;

	LIST_FOREACH(o, &s->outsides, link)
	if (o->peer == p)
		return o;
	return NULL;
}

int
outside_start(struct server *s, struct peer *p, const struct packet *k,
    int *ret_master, struct err *e)
{
	struct outside *o = NULL;
	int fds[N_STANDARD], r;
	Sess__Order *m = NULL;

	if (find(s, p) != NULL)
		return err_set(e, -EBUSY, "one runs already");
	if (k->n_fds < N_FIXED || get_standard(k, fds) < 0)
		return err_set(e, -EBADMSG, "the request is malformed");
	r = launch_read_order(k->fds[FD_ORDER], &m, e);
	if (r == 0 && (o = calloc(1, sizeof *o)) == NULL)
		r = err_set(e, -ENOMEM, "no memory");
	if (r == 0)
		r = start(m, k, fds, ret_master, &o->pid, e);
	if (m != NULL)
		sess__order__free_unpacked(m, NULL);
	if (r < 0) {
		free(o);
		return r;
	}
	o->peer = p;
	o->master = fcntl(*ret_master, F_DUPFD_CLOEXEC, 0);
	LIST_INSERT_HEAD(&s->outsides, o, link);
	return 0;
}

void
outside_signal(struct server *s, const struct peer *p, int sig)
{
	struct outside *o = find(s, p);

	pid_t turn;

	if (o == NULL || sig < 1 || sig >= NSIG)
		return;
	turn = sig == SIGTSTP ? tcgetpgrp(o->master) : o->pid;
	/* A leader without a shell above it is deaf to SIGTSTP. */
	if (turn == o->pid && sig == SIGTSTP)
		sig = SIGSTOP;
	if (turn > 0)
		(void)kill(-turn, sig);
}

static void
tell(struct outside *o, Sess__Kind kind, int status)
{
	Sess__Message m = proto_message(kind);

	m.has_status = true;
	m.status = status;
	if (o->peer != NULL)
		control_send(o->peer, &m);
}

void
outside_look(struct server *s)
{
	struct outside *o, *next;
	int status;

	for (o = LIST_FIRST(&s->outsides); o != NULL; o = next) {
		next = LIST_NEXT(o, link);
		if (waitpid(o->pid, &status, WNOHANG | WUNTRACED) != o->pid)
			continue;
		if (WIFSTOPPED(status)) {
			tell(o, SESS__KIND__SUSPENDED, status);
			continue;
		}
		tell(o, SESS__KIND__ENDED, status);
		LIST_REMOVE(o, link);
		scope_close(&o->master);
		free(o);
	}
}

bool
outside_owns(const struct server *s, pid_t pid)
{
	struct outside *o;

	LIST_FOREACH(o, &s->outsides, link)
	if (o->pid == pid)
		return true;
	return false;
}

void
outside_forget(struct server *s, const struct peer *p)
{
	struct outside *o = find(s, p);

	if (o == NULL)
		return;
	scope_close(&o->master); /* the last one: a hangup */
	o->peer = NULL;
}
