/*
 * abduco.c - sess as abduco(1): the command line, the messages and the exit
 * status of abduco 0.6 and later. A name that is a path is one
 * (session/path.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/say.h"
#include "base/scope.h"
#include "cmd/compat.h"
#include "cmd/list.h"
#include "server/keys.h"
#include "session/ended.h"
#include "session/path.h"
#include "session/session.h"

#define DEFAULT_CMD "dvtm"

static void
tell(const char *name, enum client_end end, int status)
{
	if (end == CLIENT_DETACHED)
		say_line(stderr, "abduco: %s: detached", name);
	else
		say_line(stderr,
		    "abduco: %s: session terminated with exit status %d", name,
		    ended_exit_status(status));
}

static void
tell_nothing(const char *name, enum client_end end, int status)
{
	(void)name;
	(void)end;
	(void)status;
}

/* ---- the list ---- */

static void
print_row(const struct row *row)
{
	time_t t = (time_t)row->since_s;
	char when[64] = "";
	struct tm tm;

	if (localtime_r(&t, &tm) != NULL)
		(void)strftime(when, sizeof when, "%a%t %F %T", &tm);
	printf("%c %s\t%d\t",
	    row->status >= 0       ? '+' :
		row->terminals > 0 ? '*' :
				     ' ',
	    when, (int)row->server);
	say_line(stdout, "%s", row->name);
}

static int
list(struct context *c)
{
	struct rows rows scoped(rows_done) = { .v = NULL };
	char host[256] = "";
	size_t i;
	int r = rows_collect(c, &rows);

	if (r < 0)
		return r;
	(void)gethostname(host, sizeof host - 1);
	printf("Active sessions (on host %s)\n", host);
	for (i = 0; i < rows.n; i++)
		if (rows.v[i].server > 0 ||
		    (rows.v[i].status >= 0 && !rows.v[i].seen))
			print_row(&rows.v[i]);
	return 0;
}

/* ---- actions ---- */

/* Ended, and nobody has been told how. */
static bool
is_pending(struct context *c, const char *name)
{
	struct ended d;
	bool pending;

	if (commands_lives(c, name) || ended_get(&c->places, name, &d) < 0)
		return false;
	pending = !d.seen;
	ended_done(&d);
	return pending;
}

static int
attach(struct context *c, char *name, bool pass)
{
	int r;

	if (pass)
		return run_send(c, name, NULL);
	r = run_attach(c, name, NULL);
	return r == -ENOENT && !commands_is_saved(c, name) ?
	    compat_fail(c, r, "attach-session") :
	    r;
}

/* What the program finds in its environment. */
static void
set_environment(struct context *c, const char *name)
{
	autofree char *path = path_of(name), *socket = NULL;

	(void)setenv("ABDUCO_SESSION", name, 1);
	if (path == NULL)
		socket = session_socket(&c->places, name);
	if (path != NULL || socket != NULL)
		(void)setenv("ABDUCO_SOCKET", path != NULL ? path : socket, 1);
}

static int
create(struct context *c, char *name, char **argv, bool attach)
{
	bool alive = commands_lives(c, name);
	char *words[] = { (char *)(uintptr_t) "/bin/sh",
		(char *)(uintptr_t) "-c", getenv("ABDUCO_CMD"), NULL };
	int r;

	if (alive && c->force)
		return err_set(&c->err, -EEXIST,
		    "session exists and has not yet terminated");
	if (!alive &&
	    (compat_is_taken(c, name) || (!c->force && is_pending(c, name))))
		return compat_fail(c, -EADDRINUSE, "create-session");
	set_environment(c, name);
	if (words[2] == NULL || words[2][0] == 0)
		words[2] = (char *)(uintptr_t)DEFAULT_CMD;
	r = commands_create(c, name, argv[0] != NULL ? argv : words, attach);
	if (r == -EEXIST && alive)
		return compat_fail(c, -EADDRINUSE, "create-session");
	if (c->exit_status > 1)
		return err_set(&c->err, r, "server-execvp: %s: %s", argv[0],
		    strerror(-r));
	return r;
}

static int
run_action(struct context *c, char action, char *name, char **argv, bool pass)
{
	bool attaches = action != 'n' && !pass;
	int r = session_check_name(name, &c->err);

	if (r < 0)
		return r;
	if (action == 'a' ||
	    (action == 'A' &&
		(commands_lives(c, name) ||
		    (!c->force && is_pending(c, name)))))
		return attach(c, name, pass);
	if (action == 'A' && commands_is_saved(c, name))
		return run_any(c, name, argv);
	r = create(c, name, argv, attaches);
	return r < 0 || action == 'n' ? r : attach(c, name, pass);
}

/* ---- the command line ---- */

static int
fail_usage(struct context *c)
{
	return err_set(&c->err, -EINVAL,
	    "usage: abduco [-a|-A|-c|-n] [-p] [-r] [-q] [-l] [-f] "
	    "[-e detachkey] name command");
}

static int
set_key(struct context *c, const char *text)
{
	int key = keys_parse(text);

	if (key == -EINVAL)
		return fail_usage(c);
	c->key = key;
	return 0;
}

/* Sessions of a directory of their own: everything of sess is there. */
static void
move_places(void)
{
	const char *dir = getenv("ABDUCO_SOCKET_DIR");
	autofree char *path = NULL;

	if (dir == NULL || dir[0] != '/' || getenv("SESS_DIR") != NULL)
		return;
	if (asprintf(&path, "%s/abduco-sess-%u", dir, (unsigned)geteuid()) >= 0)
		(void)setenv("SESS_DIR", path, 1);
}

static int
take_option(struct context *c, int option, char *action, bool *pass)
{
	switch (option) {
	case 'a':
	case 'A':
	case 'c':
	case 'n':
		*action = (char)option;
		return 0;
	case 'e':
		return set_key(c, optarg);
	case 'f':
		c->force = true;
		return 0;
	case 'p':
		*pass = c->quiet = c->low = true;
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	case 'r':
		c->read_only = true;
		return 0;
	case 'l':
		c->low = true;
		return 0;
	default:
		return fail_usage(c);
	}
}

static int
run(struct context *c, int argc, char **argv)
{
	autofree char *name = NULL;
	char action = 0;
	bool pass = false;
	int option, r = 0;

	opterr = 0;
	while (r == 0 && (option = getopt(argc, argv, "+aAcne:fpqrlv")) != -1) {
		if (option == 'v') {
			printf("abduco-0.6 (sess)\n");
			return 0;
		}
		r = take_option(c, option, &action, &pass);
	}
	if (r < 0)
		return r;
	move_places();
	if (action == 0 && argv[optind] == NULL)
		return (r = places_look(&c->places, &c->err)) < 0 ? r : list(c);
	action = action == 0 && pass ? 'a' : action;
	if (action == 0 || argv[optind] == NULL)
		return fail_usage(c);
	c->tell = c->quiet ? tell_nothing : tell;
	r = places_open(&c->places, &c->err);
	if (r == 0)
		r = compat_name(c, argv[optind], false, &name);
	return r < 0 ? r : run_action(c, action, name, argv + optind + 1, pass);
}

int
abduco_main(struct context *c, int argc, char **argv)
{
	int r = run(c, argc, argv);

	c->exit_status = 1;
	return r;
}
