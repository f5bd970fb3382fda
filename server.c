/*
 * server.c - the life of a session's server, from its start to its end. See
 * server.h.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "config.h"
#include "server/control.h"
#include "server/outside.h"
#include "server/start.h"
#include "server/stay.h"
#include "server/terminal.h"
#include "server/unit.h"
#include "session/ended.h"
#include "session/session.h"

#define LAST_OUTPUT (1 << 20) /* taken after the program has ended */
#define LINGER_MS 5000        /* for a creator that does not come */
#define GOODBYE_MS 3000       /* for terminals that take nothing more */

void
server_timer(struct event *ev, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	(void)event_add(ev, &tv);
}

/* ---- the end ---- */

/* Before anybody is told: the record of the end. */
static void
record_end(struct server *s)
{
	struct ended d = { .name = s->name,
		.command = s->command,
		.status = s->status,
		.created_s = s->created_s,
		.ended_s = (uint64_t)time(NULL),
		.generation = saving_latest(s) };

	(void)ended_put(&s->places, &d, NULL);
}

/* The program is gone: tell the terminals when they have got all of it. */
static void
close_down(struct server *s)
{
	s->over = true;
	flow_stop(s);
	login_close(&s->places, &s->links);
	control_tell_status(s);
	if (s->expects_client)
		server_timer(s->ev_linger, LINGER_MS);
	else
		server_timer(s->ev_linger, GOODBYE_MS);
	server_finish(s);
}

void
server_ended(struct server *s, int status)
{
	if (s->over)
		return;
	saving_abort(s);
	flow_drain(s, LAST_OUTPUT);
	s->status = status;
	record_end(s);
	close_down(s);
}

void
server_give_up_name(struct server *s)
{
	if (s->lock < 0)
		return;
	control_unlisten(s);
	session_forget(&s->places, s->name);
	scope_close(&s->lock);
	login_close(&s->places, &s->links);
}

void
server_saved(struct server *s, uint64_t generation)
{
	s->saved = true;
	s->generation = generation;
	close_down(s);
}

void
server_finish(struct server *s)
{
	struct terminal *t, *next;

	if (!s->over)
		return;
	/* Who is told may look for it, or take the name, at once. */
	if (!s->expects_client)
		server_give_up_name(s);
	for (t = LIST_FIRST(&s->terminals); t != NULL; t = next) {
		next = LIST_NEXT(t, link);
		if (terminal_is_done(t))
			control_over(t->peer);
	}
	if (!ending_busy(s))
		control_tell_end(s);
	if (LIST_EMPTY(&s->peers) && !s->expects_client && !ending_busy(s))
		(void)event_base_loopbreak(s->base);
}

/* Somebody did not come, or did not take what was left for him. */
static void
on_linger(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct terminal *t, *next;

	(void)fd;
	(void)what;
	s->expects_client = false;
	if (s->taken) { /* slow, but it does */
		s->taken = false;
		server_timer(s->ev_linger, GOODBYE_MS);
		return;
	}
	for (t = LIST_FIRST(&s->terminals); t != NULL; t = next) {
		next = LIST_NEXT(t, link);
		control_over(t->peer);
	}
	if (!ending_busy(s))
		(void)event_base_loopbreak(s->base);
}

/* ---- children and signals ---- */

void
server_reap(struct server *s)
{
	siginfo_t si = { .si_pid = 0 };
	int status;

	save_tidy(s->sleeps);
	outside_look(s);
	/* Stops are not ours: waitpid() would tell those of a tracee, too. */
	if (s->status_fd < 0 && !s->over &&
	    waitid(P_PID, (id_t)s->first, &si, WEXITED | WNOHANG | WNOWAIT) ==
		0 &&
	    si.si_pid == s->first &&
	    waitpid(s->first, &status, WNOHANG) == s->first)
		server_ended(s, status);
	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    si.si_pid == 0 || saving_owns(s, si.si_pid))
			return;
		if (si.si_pid == s->first && s->status_fd < 0 && !s->over) {
			server_reap(s);
			return;
		}
		if (outside_owns(s, si.si_pid)) { /* ended just now */
			outside_look(s);
			continue;
		}
		(void)waitpid(si.si_pid, &status, WNOHANG);
	}
}

static void
on_child(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	server_reap(arg);
}

/* A revived session: the wait status of its first process has come. */
static void
on_status(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	int status = W_EXITCODE(0, SIGKILL), r;

	(void)fd;
	(void)what;
	r = io_read(s->status_fd, &status, sizeof status);
	if (r == -EAGAIN)
		return;
	(void)event_del(s->ev_status);
	server_ended(s, status);
}

/* The machine goes down, or somebody wants the server gone. */
static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	saving_abort(s);
	(void)event_base_loopbreak(s->base);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	control_relisten(arg);
	stay_look(arg);
}

/* ---- life ---- */

static int
make_event(struct server *s, struct event **ret_ev, int fd, short what,
    event_callback_fn fn)
{
	*ret_ev = event_new(s->base, fd, what, fn, s);
	return *ret_ev == NULL ? -ENOMEM : 0;
}

static int
make_base(struct server *s, struct err *e)
{
	struct event_config *cfg = event_config_new();

	if (cfg != NULL)
		(void)event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
	s->base = cfg == NULL ? NULL : event_base_new_with_config(cfg);
	if (cfg != NULL)
		event_config_free(cfg);
	if (s->base == NULL)
		return err_set(e, -ENOMEM, "cannot make an event loop");
	if (make_event(s, &s->ev_linger, -1, 0, on_linger) < 0 ||
	    make_event(s, &s->ev_child, SIGCHLD, EV_SIGNAL | EV_PERSIST,
		on_child) < 0 ||
	    make_event(s, &s->ev_term, SIGTERM, EV_SIGNAL | EV_PERSIST,
		on_term) < 0 ||
	    make_event(s, &s->ev_again, SIGUSR1, EV_SIGNAL | EV_PERSIST,
		on_again) < 0)
		return err_set(e, -ENOMEM, "cannot make events");
	(void)event_add(s->ev_child, NULL);
	(void)event_add(s->ev_term, NULL);
	(void)event_add(s->ev_again, NULL);
	return 0;
}

/* A revived session: where its first process's status comes. */
static int
watch_status(struct server *s, struct err *e)
{
	if (s->status_fd < 0)
		return 0;
	(void)fcntl(s->status_fd, F_SETFL, O_NONBLOCK);
	if (make_event(s, &s->ev_status, s->status_fd, EV_READ | EV_PERSIST,
		on_status) < 0)
		return err_set(e, -ENOMEM, "cannot make events");
	(void)event_add(s->ev_status, NULL);
	return 0;
}

/* The words of the command, for the listing. */
static char *
join(char *const *argv)
{
	struct buf b autobuf = BUF_INIT(4096);
	size_t i;

	for (i = 0; argv != NULL && argv[i] != NULL; i++)
		if (buf_printf(&b, "%s%s", i > 0 ? " " : "", argv[i]) < 0)
			break;
	return strndup(b.data == NULL ? "" : (char *)b.data, b.len);
}

static int
start(struct server *s, const struct launch *l, int *ret_exit, struct err *e)
{
	int r;

	*ret_exit = 1;
	r = places_open(&s->places, e);
	if (r == 0)
		unit_own(s->name);
	if (r == 0)
		r = make_base(s, e);
	/* The program may ask for its server as soon as it runs. */
	if (r == 0 && !l->revive && control_open(s) < 0)
		r = err_set(e, -EIO,
		    "the socket of session '%s' cannot be "
		    "made",
		    s->name);
	if (r == 0)
		r = l->revive ? start_revived(s, l, e) :
				start_program(s, l, ret_exit, e);
	if (r == 0)
		r = flow_start(s, e);
	if (r == 0)
		r = watch_status(s, e);
	if (r == 0)
		stay_start(s);
	if (r < 0)
		return r;
	s->command = join(s->argv);
	return 0;
}

/* No descriptor but ours, no terminal, signals as a daemon has them. */
static void
become_daemon(const struct launch *l, int lock, int result)
{
	int helper = l->by_root == NULL ? -1 : l->by_root->sock;
	int keep[] = { lock, result, l->cwd, helper }, fd, max;
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;
	size_t i;

	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; fd >= 0 && i < 3; i++)
		(void)dup2(fd, (int)i);
	for (i = 0, max = 2; i < N_ELEMENTS(keep); i++)
		max = keep[i] > max ? keep[i] : max;
	for (fd = 3; fd <= max; fd++)
		if (fd != lock && fd != result && fd != l->cwd && fd != helper)
			(void)close(fd);
	(void)close_range((unsigned)max + 1, ~0u, 0);
	(void)fcntl(lock, F_SETFD, FD_CLOEXEC);
	(void)fcntl(result, F_SETFD, FD_CLOEXEC);
	(void)fcntl(l->cwd, F_SETFD, FD_CLOEXEC);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigaction(SIGINT, &ignore, NULL);
	(void)sigaction(SIGQUIT, &ignore, NULL);
	(void)sigaction(SIGTSTP, &ignore, NULL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)umask(077);
	(void)mallopt(M_TRIM_THRESHOLD, 262144); /* a message and more */
	(void)mallopt(M_MMAP_THRESHOLD, 131072);
}

/* Say how it went to whoever waits at the other end of RESULT. */
static void
report(int result, int error, int exit_status, uint64_t generation,
    const char *text)
{
	struct launch_result lr = { .error = error,
		.exit_status = exit_status,
		.generation = generation };

	(void)snprintf(lr.text, sizeof lr.text, "%s", text);
	(void)io_write(result, &lr, sizeof lr);
}

static void
end_all(struct server *s)
{
	server_give_up_name(s);
	control_close(s);
	login_done(&s->login);
	ending_free(s);
	stay_free(s);
	scope_close(&s->master);
	screen_free(s->screen);
	free(s->name);
	free(s->id);
	free(s->command);
	free(s->notes);
	sleeps_free(s->sleeps);
}

_Noreturn void
server_main(const struct launch *l, int lock, int result)
{
	struct server s = { .places = PLACES_NONE,
		.name = strdup(l->name),
		.lock = lock,
		.listener = -1,
		.spare = -1,
		.links = LOGIN_LINKS_NONE,
		.master = -1,
		.status_fd = -1,
		.input = BUF_INIT(INPUT_QUEUE_BYTES * 2),
		.expects_client = l->expects_client };
	struct err e = { .text = "" };
	int r, exit_status = 1;

	become_daemon(l, lock, result);
	(void)prctl(PR_SET_NAME, "sess-server");
	r = s.name == NULL ? -ENOMEM : start(&s, l, &exit_status, &e);
	(void)close(l->cwd);
	(void)!chdir("/");
	if (r < 0) { /* who is told of it may take the name at once */
		session_forget(&s.places, l->name);
		login_close(&s.places, &s.links);
	}
	report(result, r, exit_status, s.generation,
	    r == 0 && s.notes != NULL ? s.notes : e.text);
	(void)close(result);
	if (r < 0)
		_exit(1);
	(void)event_base_dispatch(s.base);
	end_all(&s);
	exit(0);
}
