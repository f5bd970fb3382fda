/*
 * server.c - the life of a session's server, its output and its input. See
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
#include "control.h"
#include "ended.h"
#include "session.h"
#include "terminal.h"

#define OUTPUT_MAX 65536      /* bytes in one read */
#define READS_MAX 16          /* reads before the loop turns again */
#define LAST_OUTPUT (1 << 20) /* taken after the program has ended */
#define SETTLE_BYTES 16384    /* modelled at once in slack time */
#define RETRY_MS 200
#define LINGER_MS 5000  /* for a creator that does not come */
#define GOODBYE_MS 3000 /* for terminals that do not take the rest */

static void
set_timer(struct event *ev, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	(void)event_add(ev, &tv);
}

/* ---- output ---- */

/* One read and what becomes of it. Bytes read; 0: none now; -EIO: no slave. */
static ssize_t
take_output(struct server *s, uint8_t *data, size_t len)
{
	struct terminal *t;
	ssize_t n = read(s->master, data, len);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EIO;
	if (n == 0)
		return -EIO;
	screen_write(s->screen, data, (size_t)n);
	LIST_FOREACH(t, &s->terminals, link)
	terminal_output(t, data, (size_t)n);
	if (!s->output_came) {
		s->output_came = true;
		if (!event_pending(s->ev_slack, EV_TIMEOUT, NULL))
			set_timer(s->ev_slack, MODEL_PAUSE_MS);
	}
	return n;
}

void
server_drain(struct server *s, size_t len)
{
	uint8_t data[OUTPUT_MAX];
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = take_output(s, data, sizeof data);
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

static void
on_output(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	uint8_t data[OUTPUT_MAX];
	ssize_t n = 1;
	int i;

	(void)fd;
	(void)what;
	for (i = 0; i < READS_MAX && n > 0 && !s->held_up; i++) {
		n = take_output(s, data, sizeof data);
		server_pace(s);
	}
	if (n < 0) {
		/* Nobody has the slave open. Somebody may open it again. */
		(void)event_del(s->ev_output);
		server_reap(s);
		if (!s->over)
			set_timer(s->ev_retry, RETRY_MS);
	}
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (!s->over && !s->held_up)
		(void)event_add(s->ev_output, NULL);
}

/*
 * Read on while any terminal takes output, or none is in the way; wait while
 * all that are there are full: the program is paced by the fastest of them.
 */
void
server_pace(struct server *s)
{
	struct terminal *t;
	bool any = false, all = true;

	LIST_FOREACH(t, &s->terminals, link)
	{
		if (!terminal_is_raw(t))
			continue;
		any = true;
		all = all && terminal_blocks(t);
	}
	if (any && all) {
		if (!s->held_up)
			(void)event_del(s->ev_output);
		s->held_up = true;
		if (!event_pending(s->ev_patience, EV_TIMEOUT, NULL))
			set_timer(s->ev_patience, TERMINAL_PATIENCE_MS);
	} else if (s->held_up) {
		s->held_up = false;
		(void)event_del(s->ev_patience);
		if (!s->over)
			(void)event_add(s->ev_output, NULL);
	}
}

/* No terminal has taken a byte for too long. */
static void
on_patience(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct terminal *t;

	(void)fd;
	(void)what;
	LIST_FOREACH(t, &s->terminals, link)
	if (terminal_blocks(t))
		terminal_leave_behind(t);
	server_pace(s);
}

/* Output has paused, or not: model what waits only when nothing comes. */
static void
on_slack(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (s->output_came) {
		s->output_came = false;
		set_timer(s->ev_slack, MODEL_PAUSE_MS);
		return;
	}
	if (screen_settle(s->screen, SETTLE_BYTES))
		set_timer(s->ev_slack, 0);
	else
		(void)malloc_trim(0);
}

static void
on_frame(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct terminal *t;

	(void)fd;
	(void)what;
	LIST_FOREACH(t, &s->terminals, link)
	(void)terminal_paint(t);
	server_pace(s);
	/* No frame within the next one's time. */
	set_timer(s->ev_frame, VIEW_FRAME_MS);
}

/* The pause after a frame is over: is another one due? */
static void
on_frame_timer(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct terminal *t;
	bool due = false;

	LIST_FOREACH(t, &s->terminals, link)
	due = due || (t->due && !t->suspended && t->queue.len == 0);
	if (due)
		on_frame(fd, what, s);
}

void
server_frame(struct server *s)
{
	if (!event_pending(s->ev_frame, EV_TIMEOUT, NULL))
		set_timer(s->ev_frame, 0);
}

void
server_lead(struct server *s, struct terminal *t)
{
	struct terminal *other;

	/* The list is kept in the order of activity: who leads next. */
	s->leader = t;
	LIST_REMOVE(t, link);
	LIST_INSERT_HEAD(&s->terminals, t, link);
	if (s->over || memcmp(&s->size, &t->size, sizeof s->size) == 0)
		return;
	s->size = t->size;
	(void)pty_resize(s->master, &s->size);
	screen_resize(s->screen, s->size.rows, s->size.cols);
	LIST_FOREACH(other, &s->terminals, link)
	terminal_fit(other);
}

/* Answers to the program's questions while no terminal is there to give. */
static void
on_answer(void *arg, const char *data, size_t len)
{
	struct server *s = arg;

	if (LIST_EMPTY(&s->terminals))
		(void)server_input(s, (const uint8_t *)data, len);
}

/* ---- input ---- */

static void
listen_all(struct server *s, bool on)
{
	struct terminal *t;

	LIST_FOREACH(t, &s->terminals, link)
	terminal_listen(t, on);
}

bool
server_input(struct server *s, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	if (s->over)
		return true;
	if (s->input.len == 0) {
		n = write(s->master, data, len);
		n = n < 0 ? 0 : n;
	}
	if ((size_t)n < len) {
		(void)buf_put(&s->input, data + n, len - (size_t)n);
		(void)event_add(s->ev_input, NULL);
	}
	return s->input.len < INPUT_QUEUE_BYTES;
}

static void
on_input(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	ssize_t n = write(s->master, s->input.data, s->input.len);

	(void)fd;
	(void)what;
	if (n > 0)
		buf_drop(&s->input, (size_t)n);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		s->input.len = 0; /* hung up: nobody will read it */
	if (s->input.len > 0)
		(void)event_add(s->ev_input, NULL);
	else
		buf_done(&s->input);
	if (s->input.len < INPUT_QUEUE_BYTES / 2)
		listen_all(s, true);
}

/* ---- the end ---- */

static uint64_t
now_s(void)
{
	return (uint64_t)time(NULL);
}

/* Before anybody is told: the record of the end. */
static void
record_end(struct server *s)
{
	struct ended d = { .name = s->name,
		.command = s->command,
		.status = s->status,
		.created_s = s->created_s,
		.ended_s = now_s() };

	(void)ended_put(&s->places, &d, NULL);
}

/* The program is gone: tell the terminals when they have got all of it. */
static void
close_down(struct server *s)
{
	s->over = true;
	(void)event_del(s->ev_output);
	(void)event_del(s->ev_retry);
	(void)event_del(s->ev_patience);
	s->held_up = false;
	if (s->expects_client)
		set_timer(s->ev_linger, LINGER_MS);
	else
		set_timer(s->ev_linger, GOODBYE_MS);
	server_finish(s);
}

void
server_ended(struct server *s, int status)
{
	if (s->over)
		return;
	saving_abort(s);
	server_drain(s, LAST_OUTPUT);
	s->status = status;
	record_end(s);
	close_down(s);
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
	siginfo_t si;
	int status;

	if (s->status_fd < 0 && !s->over &&
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
	if (make_event(s, &s->ev_retry, -1, 0, on_retry) < 0 ||
	    make_event(s, &s->ev_slack, -1, 0, on_slack) < 0 ||
	    make_event(s, &s->ev_frame, -1, 0, on_frame_timer) < 0 ||
	    make_event(s, &s->ev_patience, -1, 0, on_patience) < 0 ||
	    make_event(s, &s->ev_linger, -1, 0, on_linger) < 0 ||
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

/* The master is there: its events. */
static int
make_io(struct server *s, struct err *e)
{
	if (make_event(s, &s->ev_output, s->master, EV_READ | EV_PERSIST,
		on_output) < 0 ||
	    make_event(s, &s->ev_input, s->master, EV_WRITE, on_input) < 0)
		return err_set(e, -ENOMEM, "cannot make events");
	(void)event_add(s->ev_output, NULL);
	if (s->status_fd < 0)
		return 0;
	(void)fcntl(s->status_fd, F_SETFL, O_NONBLOCK);
	if (make_event(s, &s->ev_status, s->status_fd, EV_READ | EV_PERSIST,
		on_status) < 0)
		return err_set(e, -ENOMEM, "cannot make events");
	(void)event_add(s->ev_status, NULL);
	return 0;
}

/* A new session: the pty and the program on it. */
static int
start_program(struct server *s, const struct launch *l, int *ret_exit,
    struct err *e)
{
	struct pty_program prog = { .argv = l->argv,
		.env = l->env,
		.cwd = l->cwd,
		.umask = l->umask,
		.termios = l->termios,
		.size = l->size };
	int r;

	r = screen_new(l->size.rows, l->size.cols, &s->screen);
	if (r < 0)
		return err_num(e, r, "cannot make the screen");
	s->size = l->size;
	s->created_s = now_s();
	s->argv = l->argv;
	s->parent = getpid();
	r = pty_start(&prog, &s->master, &s->first, ret_exit, e);
	if (r < 0)
		return r;
	ended_remove(&s->places, s->name);
	return 0;
}

/* A revived one. */
static int
take_revived(struct server *s, const struct revived *rv, struct err *e)
{
	const struct ckpt_session *cs = &rv->session;
	int r;

	s->master = rv->master;
	s->first = rv->first;
	s->parent = rv->parent;
	s->init = rv->init;
	s->status_fd = rv->status_fd;
	s->created_s = cs->created_s;
	s->argv = cs->argv;
	s->notes = rv->notes;
	s->generation = rv->generation;
	(void)fcntl(s->master, F_SETFL, O_RDWR | O_NONBLOCK);
	if (screen_load(cs->screen.data, cs->screen.len, &s->screen) < 0) {
		r = screen_new((int)cs->rows, (int)cs->cols, &s->screen);
		if (r < 0)
			return err_num(e, r, "cannot make the screen");
	}
	if (pty_size(s->master, &s->size) < 0)
		return err_sys(e, "the revived terminal has no size");
	screen_resize(s->screen, s->size.rows, s->size.cols);
	ended_remove(&s->places, s->name);
	return 0;
}

/* Reachable before the revived processes are let go. */
static int
on_ready(void *arg, const struct revived *rv)
{
	struct server *s = arg;

	(void)rv;
	return control_open(s);
}

static int
start_revived(struct server *s, const struct launch *l, struct err *e)
{
	struct revive_request req = { .name = l->name,
		.generation = l->generation,
		.saved_dirfd = s->places.saved };
	struct revived rv = { .master = -1, .status_fd = -1 };
	int r;

	r = revive_start(&req, on_ready, s, &rv, e);
	return r < 0 ? r : take_revived(s, &rv, e);
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
		r = make_base(s, e);
	if (r == 0)
		r = l->revive ? start_revived(s, l, e) :
				start_program(s, l, ret_exit, e);
	if (r == 0 && !l->revive && control_open(s) < 0)
		r = err_set(e, -EIO,
		    "the socket of session '%s' cannot be "
		    "made",
		    s->name);
	if (r == 0)
		r = make_io(s, e);
	if (r < 0)
		return r;
	screen_answer(s->screen, on_answer, s);
	s->command = join(s->argv);
	return 0;
}

/* No descriptor but ours, no terminal, signals as a daemon has them. */
static void
become_daemon(const struct launch *l, int lock, int result)
{
	int keep[] = { lock, result, l->cwd }, fd, max;
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;
	size_t i;

	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; fd >= 0 && i < 3; i++)
		(void)dup2(fd, (int)i);
	for (i = 0, max = 2; i < N_ELEMENTS(keep); i++)
		max = keep[i] > max ? keep[i] : max;
	for (fd = 3; fd <= max; fd++)
		if (fd != lock && fd != result && fd != l->cwd)
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
	(void)mallopt(M_TRIM_THRESHOLD, 65536);
	(void)mallopt(M_MMAP_THRESHOLD, 131072);
}

/* Say how it went to whoever waits at the other end of RESULT. */
static void
report(int result, int error, int exit_status, uint64_t generation,
    const struct err *e)
{
	struct launch_result lr = { .error = error,
		.exit_status = exit_status,
		.generation = generation };

	(void)snprintf(lr.text, sizeof lr.text, "%s", e->text);
	(void)io_write(result, &lr, sizeof lr);
}

static void
end_all(struct server *s)
{
	session_forget(&s->places, s->name);
	control_close(s);
	ending_free(s);
	scope_close(&s->listener);
	scope_close(&s->master);
	scope_close(&s->lock);
	screen_free(s->screen);
	free(s->name);
	free(s->command);
	free(s->notes);
}

_Noreturn void
server_main(const struct launch *l, int lock, int result)
{
	struct server s = { .places = PLACES_NONE,
		.name = strdup(l->name),
		.lock = lock,
		.listener = -1,
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
	report(result, r, exit_status, s.generation, &e);
	(void)close(result);
	if (r < 0) {
		session_forget(&s.places, l->name);
		_exit(1);
	}
	(void)event_base_dispatch(s.base);
	end_all(&s);
	exit(0);
}
