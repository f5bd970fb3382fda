/*
 * commands.c - see commands.h.
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

#define ASK_MS 10000
#define LOOK_MS 1000
#define SETTLE_MS 20 /* between looks whether a server has gone */
#define SETTLE_TRIES 300

/* ---- what is known of a name ---- */

static bool
has_snapshots(struct context *c, const char *name)
{
	autofree struct ckpt_generation *v = NULL;
	size_t n = 0;

	return ckpt_generations(c->places.saved, name, &v, &n, NULL) == 0 &&
	    n > 0;
}

/* Would NAME come back by itself: saved, and not ended since? */
static bool
is_saved(struct context *c, const char *name)
{
	struct ended d;

	if (!has_snapshots(c, name))
		return false;
	if (ended_get(&c->places, name, &d) < 0)
		return true;
	ended_done(&d);
	return false;
}

/* Somebody is told how NAME ended. -ENOENT: nothing is known of an end. */
static int
tell_end(struct context *c, const char *name)
{
	struct ended d;
	int r = ended_get(&c->places, name, &d);

	if (r < 0)
		return r;
	if (d.seen) {
		ended_done(&d);
		return -ENOENT;
	}
	if (!c->quiet)
		client_say_ended(name, d.status);
	r = ended_exit_status(d.status);
	(void)ended_see(&c->places, name, has_snapshots(c, name));
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

/*
 * A server that says goodbye is no session any more: wait until it has gone.
 * Does NAME live?
 */
static bool
lives(struct context *c, const char *name)
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
	if (r == -ENOENT && is_saved(c, name))
		return err_set(&c->err, r,
		    "session '%s' is saved and does "
		    "not run: sess -revive %s",
		    name, name);
	return r;
}

/* The session's name, malloc'd: ARG, or the one we are in. */
static int
own_name(struct context *c, const char *arg, char **ret_name)
{
	char *name = arg != NULL ? strdup(arg) : NULL;

	if (arg == NULL && own_session(&c->places, &name) < 0)
		return err_set(&c->err, -EINVAL,
		    "which session? Outside of "
		    "one a name is needed");
	*ret_name = name;
	return session_check_name(name, &c->err);
}

/* ---- create and attach ---- */

/* How the program's terminal is to be, after the one we are on. */
static void
copy_terminal(struct launch *l, struct termios *tio)
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

static int
start_server(struct context *c, struct launch *l,
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
	copy_terminal(l, &tio);
	r = launch_start(&c->places, l, &exit_status, ret_result, &c->err);
	if (r < 0)
		c->exit_status = exit_status;
	return r;
}

static int
create(struct context *c, const char *name, char **rest, bool attach)
{
	char *shell[] = { getenv("SESS_CMD"), NULL };
	char *words[] = { (char *)(uintptr_t) "/bin/sh",
		(char *)(uintptr_t) "-c", NULL, NULL };
	struct launch l = { .name = name,
		.argv = rest,
		.expects_client = attach };
	bool alive;
	int r;

	r = session_check_name(name, &c->err);
	if (r < 0)
		return r;
	alive = lives(c, name);
	if (!alive && is_saved(c, name) && !c->force)
		return err_set(&c->err, -EEXIST,
		    "session '%s' is saved: "
		    "sess -revive %s brings it back, sess -rm %s drops it",
		    name, name, name);
	if (rest[0] == NULL && shell[0] != NULL && shell[0][0] != 0) {
		words[2] = shell[0]; /* words like a shell's */
		l.argv = words;
	} else if (rest[0] == NULL) {
		shell[0] = getenv("SHELL");
		if (shell[0] == NULL || shell[0][0] == 0)
			shell[0] = words[0];
		l.argv = shell;
	}
	/* The status of an earlier one that nobody has seen is told now. */
	if (!alive)
		(void)tell_end(c, name);
	return start_server(c, &l, NULL);
}

static int
attach(struct context *c, const char *name)
{
	struct client_options o = { .name = name,
		.key = c->key,
		.quiet = c->quiet,
		.read_only = c->read_only,
		.low = c->low };
	Sess__Message ask = proto_message(SESS__KIND__STATUS);
	struct packet k autopacket = PACKET_NONE;
	autofree char *own = NULL;
	int r, sock;

	(void)own_session(&c->places, &own);
	if (own != NULL && strcmp(own, name) == 0)
		return err_set(&c->err, -ELOOP,
		    "this is session '%s' "
		    "itself",
		    name);
	r = commands_connect(c, name, &sock);
	if (r < 0)
		return r;
	r = client_ask(sock, &ask, ASK_MS, &k, &c->err);
	if (r < 0) {
		(void)close(sock);
		return r;
	}
	if (own != NULL && !c->quiet)
		fprintf(stderr,
		    "sess: you are inside session '%s': the detach key is its "
		    "own, press it twice to detach '%s'\n",
		    own, name);
	if (k.msg->text != NULL && !c->quiet)
		fprintf(stderr, "%s", k.msg->text);
	return client_attach(sock, &o, &c->err);
}

int
run_create(struct context *c, char *arg, char **rest)
{
	int r = create(c, arg, rest, true);

	return r < 0 ? r : attach(c, arg);
}

int
run_new(struct context *c, char *arg, char **rest)
{
	int r = create(c, arg, rest, false);

	return r < 0 ? r : 0;
}

int
run_attach(struct context *c, char *arg, char **rest)
{
	int r = session_check_name(arg, &c->err);

	(void)rest;
	if (r < 0)
		return r;
	if (!lives(c, arg)) {
		r = tell_end(c, arg);
		if (r >= 0)
			return r;
	}
	return attach(c, arg);
}

int
run_any(struct context *c, char *arg, char **rest)
{
	int r = session_check_name(arg, &c->err);

	if (r < 0)
		return r;
	if (lives(c, arg))
		return attach(c, arg);
	if (is_saved(c, arg)) {
		struct launch l = { .name = arg, .revive = true };

		r = start_server(c, &l, NULL);
		return r < 0 ? r : attach(c, arg);
	}
	return run_create(c, arg, rest);
}

/* ---- of a living session ---- */

int
commands_ask(struct context *c, const char *name, Sess__Message *m,
    int timeout_ms, struct packet *ret)
{
	autoclose int sock = -1;
	int r = commands_connect(c, name, &sock);

	return r < 0 ? r : client_ask(sock, m, timeout_ms, ret, &c->err);
}

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
	(void)ended_see(&c->places, arg, has_snapshots(c, arg));
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
		return err_set(&c->err, -ESRCH,
		    "the program of '%s' has "
		    "ended",
		    arg);
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

/* ---- snapshots ---- */

static void
say_saved(const struct context *c, const Sess__Message *m, const char *name)
{
	if (m->text != NULL)
		fprintf(stderr, "%s", m->text);
	if (c->quiet)
		return;
	printf("saved as %s@%llu (%u processes, %llu KiB, stopped for "
	       "%llu.%llu ms%s)%s%s\n",
	    name, (unsigned long long)m->generation, m->n_tasks,
	    (unsigned long long)m->image_len / 1024,
	    (unsigned long long)m->stopped_us / 1000,
	    (unsigned long long)m->stopped_us % 1000 / 100,
	    m->slow ? ": copied while stopped" : "",
	    c->stop ? ", revive with sess -revive " : "", c->stop ? name : "");
}

/*
 * The revived copy of this command finds REVIVED waiting on its socket
 * instead of SAVED: it is told where it is.
 */
int
run_save(struct context *c, char *arg, char **rest)
{
	Sess__Message m = proto_message(SESS__KIND__SAVE);
	struct packet k autopacket = PACKET_NONE;
	autofree char *name = NULL;
	int r;

	(void)rest;
	r = own_name(c, arg, &name);
	if (r < 0)
		return r;
	m.has_stop = true;
	m.stop = c->stop;
	r = commands_ask(c, name, &m, -1, &k);
	if (r < 0)
		return r;
	if (k.msg->kind == SESS__KIND__REVIVED)
		printf("revived from %s\n",
		    k.msg->text == NULL ? name : k.msg->text);
	else
		say_saved(c, k.msg, name);
	return 0;
}

int
run_revive(struct context *c, char *arg, char **rest)
{
	struct launch_result lr;
	struct launch l = { .name = arg, .revive = true };
	int r;

	(void)rest;
	session_split(arg, &l.generation);
	r = session_check_name(arg, &c->err);
	if (r < 0)
		return r;
	if (lives(c, arg))
		return err_set(&c->err, -EEXIST,
		    "session '%s' runs: "
		    "sess -a %s attaches to it",
		    arg, arg);
	if (!has_snapshots(c, arg))
		return err_set(&c->err, -ENOENT,
		    "there is no snapshot of "
		    "'%s'",
		    arg);
	r = start_server(c, &l, &lr);
	if (r < 0)
		return r;
	if (!c->quiet)
		printf("revived from %s@%llu, attach with sess -a %s\n", arg,
		    (unsigned long long)lr.generation, arg);
	return 0;
}

/* A process: a number that is no session's name. */
static int
check_pid(struct context *c, const char *arg)
{
	struct buf report autobuf = BUF_INIT(1 << 20);
	int r = ckpt_check(0, (pid_t)atoi(arg), &report, &c->err);

	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	if (report.len > 0)
		printf("%.*s", (int)report.len, (char *)report.data);
	return r == 0 ? 0 : 1;
}

int
run_check(struct context *c, char *arg, char **rest)
{
	Sess__Message m = proto_message(SESS__KIND__CHECK);
	struct packet k autopacket = PACKET_NONE;
	int r;

	(void)rest;
	if (arg[0] != 0 && arg[strspn(arg, "0123456789")] == 0 &&
	    !lives(c, arg))
		return check_pid(c, arg);
	r = commands_ask(c, arg, &m, ASK_MS, &k);
	if (r < 0)
		return r;
	if (k.msg->text != NULL)
		printf("%s", k.msg->text);
	return k.msg->force ? 1 : 0;
}

int
run_remove(struct context *c, char *arg, char **rest)
{
	uint64_t generation;
	int r;

	(void)rest;
	session_split(arg, &generation);
	r = session_check_name(arg, &c->err);
	if (r == 0)
		r = ckpt_remove(c->places.saved, arg, generation, &c->err);
	if (r == 0 && !has_snapshots(c, arg)) {
		struct ended d;

		/* A record that was only there because of them. */
		if (ended_get(&c->places, arg, &d) == 0) {
			if (d.seen)
				ended_remove(&c->places, arg);
			ended_done(&d);
		}
	}
	return r;
}
