/*
 * commands.c - see commands.h. Here is what commands share, and the short
 * ones: -d, -k, -pid.
 */
#include "cmd/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "client.h"
#include "config.h"
#include "server/launch.h"
#include "session/ended.h"
#include "session/own.h"
#include "session/proto.h"
#include "session/session.h"

#define LOOK_MS 1000
#define SETTLE_MS 20 /* between looks whether a server has gone */
#define SETTLE_TRIES 300

/* ---- what is known of a name ---- */

/* The latest generation of NAME; 0: there is none. */
static uint64_t
latest(struct context *c, const char *name)
{
	autofree struct ckpt_generation *v = NULL;
	size_t n = 0;

	if (ckpt_generations(c->places.saved, name, &v, &n, NULL) < 0 || n == 0)
		return 0;
	return v[n - 1].number;
}

bool
commands_has_snapshots(struct context *c, const char *name)
{
	return latest(c, name) > 0;
}

bool
commands_is_saved(struct context *c, const char *name)
{
	uint64_t newest = latest(c, name);
	struct ended d;
	bool since;

	if (newest == 0)
		return false;
	if (ended_get(&c->places, name, &d) < 0)
		return true;
	since = newest > d.generation;
	ended_done(&d);
	return since;
}

/* One record that is old: it goes, and so do snapshots that it keeps down. */
static void
expire(struct context *c, const struct ended *d)
{
	if (commands_is_saved(c, d->name))
		return;
	if (ended_snapshots_expired(d))
		(void)ckpt_remove(c->places.saved, d->name, 0, NULL);
	if (ended_expired(d) && !commands_has_snapshots(c, d->name))
		ended_remove(&c->places, d->name);
}

void
commands_expire(struct context *c)
{
	struct ended *v = NULL;
	size_t n = 0, i;

	if (ended_list(&c->places, &v, &n, NULL) < 0)
		return;
	for (i = 0; i < n; i++) {
		expire(c, &v[i]);
		ended_done(&v[i]);
	}
	free(v);
}

int
commands_tell_end(struct context *c, const char *name)
{
	struct ended d;
	int r = ended_get(&c->places, name, &d);

	if (r < 0)
		return r;
	if (d.seen) {
		ended_done(&d);
		return -ENOENT;
	}
	if (c->tell != NULL)
		c->tell(name, CLIENT_ENDED, d.status);
	else if (!c->quiet)
		client_say_ended(name, d.status);
	r = ended_exit_status(d.status);
	(void)ended_see(&c->places, name, commands_has_snapshots(c, name));
	ended_done(&d);
	return r;
}

/* Has the program of NAME, whose server lives, come to its end? */
static bool
is_over(struct context *c, const char *name)
{
	Sess__Message m = proto_message(SESS__KIND__STATUS);
	struct packet k autopacket = PACKET_NONE;
	autoclose int sock = -1;
	int r;

	if (session_connect(&c->places, name, &sock, NULL) < 0)
		return false;
	r = client_ask(sock, &m, LOOK_MS, &k, NULL);
	return r == -EPIPE || (r == 0 && k.msg->ended);
}

bool
commands_lives(struct context *c, const char *name)
{
	const struct timespec pause = { .tv_nsec = SETTLE_MS * 1000000 };
	int i;

	for (i = 0; i < SETTLE_TRIES; i++) {
		if (!session_lives(&c->places, name))
			return false;
		if (!is_over(c, name))
			return true;
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

int
commands_connect(struct context *c, const char *name, int *ret_sock)
{
	int r = session_check_name(name, &c->err);

	if (r == 0)
		r = session_connect(&c->places, name, ret_sock, &c->err);
	if (r == -ENOENT && commands_is_saved(c, name))
		return err_set(&c->err, r,
		    "session '%s' is saved and does "
		    "not run: sess -revive %s",
		    name, name);
	return r;
}

int
commands_own_name(struct context *c, const char *arg, char **ret_name)
{
	char *name = arg != NULL ? strdup(arg) : NULL;

	if (arg == NULL && own_session(&c->places, &name) < 0)
		return err_set(&c->err, -EINVAL,
		    "which session? Outside of "
		    "one a name is needed");
	*ret_name = name;
	return session_check_name(name, &c->err);
}

/* ---- servers ---- */

int
commands_ask(struct context *c, const char *name, Sess__Message *m,
    int timeout_ms, struct packet *ret)
{
	autoclose int sock = -1;
	int r = commands_connect(c, name, &sock);

	return r < 0 ? r : client_ask(sock, m, timeout_ms, ret, &c->err);
}

void
commands_copy_terminal(struct launch *l, struct termios *tio)
{
	int fd = isatty(0) ? 0 : isatty(1) ? 1 : -1;

	l->size = (struct pty_size){ .rows = DEFAULT_ROWS,
		.cols = DEFAULT_COLS };
	if (fd < 0)
		return;
	(void)pty_size(fd, &l->size);
	if (tcgetattr(fd, tio) == 0)
		l->termios = tio;
}

int
commands_start(struct context *c, struct launch *l,
    struct launch_result *ret_result)
{
	autoclose int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct termios tio;
	int r, exit_status;

	if (cwd < 0)
		return err_sys(&c->err,
		    "the current directory cannot be "
		    "opened");
	l->cwd = cwd;
	l->umask = umask(077);
	(void)umask(l->umask);
	l->env = environ;
	l->broker = c->broker;
	if (!l->relaunch)
		commands_copy_terminal(l, &tio);
	r = launch_start(&c->places, l, &exit_status, ret_result, &c->err);
	if (r < 0)
		c->exit_status = exit_status;
	return r;
}

/* ---- of a living session ---- */

int
run_detach(struct context *c, char *arg, char **rest)
{
	Sess__Message m = proto_message(SESS__KIND__DETACH);

	(void)rest;
	return commands_ask(c, arg, &m, ASK_MS, NULL);
}

int
run_kill(struct context *c, char *arg, char **rest)
{
	Sess__Message m = proto_message(SESS__KIND__KILL);
	int r;

	(void)rest;
	if (arg == NULL)
		return err_set(&c->err, -EINVAL, "which session is to end?");
	m.has_force = true;
	m.force = c->force;
	/* HUP, TERM and KILL, each with its wait */
	r = commands_ask(c, arg, &m, ASK_MS + 4 * KILL_WAIT_MS, NULL);
	if (r < 0)
		return r;
	/* Who ended it knows how: no status is kept for others. */
	(void)ended_see(&c->places, arg, commands_has_snapshots(c, arg));
	return 0;
}

int
run_pid(struct context *c, char *arg, char **rest)
{
	Sess__Message m = proto_message(SESS__KIND__STATUS);
	struct packet k autopacket = PACKET_NONE;
	struct buf info autobuf = BUF_INIT(4096);
	char path[64];
	const char *p;
	int r, pid;

	(void)rest;
	r = commands_ask(c, arg, &m, ASK_MS, &k);
	if (r < 0)
		return r;
	if (k.n_fds < 1)
		return err_set(&c->err, -ESRCH, "%s '%s' %s",
		    k.msg->ended ? "the program of" : "the server of", arg,
		    k.msg->ended ? "has ended" : "has no descriptor left");
	/* A pidfd says the number that our own /proc knows. */
	(void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", k.fds[0]);
	r = io_read_file(AT_FDCWD, path, &info);
	if (r < 0)
		return err_num(&c->err, r, "%s", path);
	p = strstr((char *)info.data, "\nPid:");
	pid = p == NULL ? 0 : atoi(p + 5);
	if (pid <= 0)
		return err_set(&c->err, -ESRCH,
		    "the program of '%s' cannot "
		    "be seen from here",
		    arg);
	printf("%d\n", pid);
	return 0;
}
