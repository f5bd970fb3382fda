/*
 * dtach.c - sess as dtach(1): the command line, the messages (on standard
 * output) and the exit status of dtach 0.9. A session goes by the path of its
 * socket (session/path.h).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "client.h"
#include "cmd/compat.h"
#include "server/keys.h"
#include "session/session.h"

#define HELP "\nTry 'dtach --help' for more information."

static const char usage[] =
    "Usage: dtach -a <socket> <options>\n"
    "       dtach -A <socket> <options> <command...>\n"
    "       dtach -c <socket> <options> <command...>\n"
    "       dtach -n <socket> <options> <command...>\n"
    "       dtach -N <socket> <options> <command...>\n"
    "       dtach -p <socket>\n"
    "Modes:\n"
    "  -a         attach to the socket's session\n"
    "  -A         attach, or create it if it does not exist\n"
    "  -c         create it, running the command, and attach\n"
    "  -n         create it detached\n"
    "  -N         create it detached, and stay in the foreground\n"
    "  -p         copy standard input into it\n"
    "Options:\n"
    "  -e <char>  the detach character, ^\\ by default\n"
    "  -E         no detach character\n"
    "  -r <how>   none, ctrl_l or winch: what the program gets at an attach\n"
    "  -z         the suspend key is the program's\n"
    "\n"
    "This is sess, which also saves and revives sessions: sess -h.\n";

static const char *const redraws[] = {
	[CLIENT_REDRAW_NONE] = "none",
	[CLIENT_REDRAW_CTRL_L] = "ctrl_l",
	[CLIENT_REDRAW_WINCH] = "winch",
};

static void
tell(const char *name, enum client_end end, int status)
{
	(void)name;
	(void)status;
	printf("%s\n",
	    end == CLIENT_ENDED ? "[EOF - dtach terminating]" : "[detached]");
	(void)fflush(stdout);
}

/* ---- options ---- */

static int
set_key(struct context *c, const char *text)
{
	char caret[] = "^@";

	if (text[0] == '^' && text[1] != 0) {
		caret[1] = text[1];
		text = caret;
	}
	/* Any character will do; those that can be typed by accident not. */
	c->key = keys_parse(text);
	return c->key == -EINVAL ? -1 : c->key;
}

static int
set_redraw(struct context *c, const char *text)
{
	unsigned i;

	for (i = 0; i < N_ELEMENTS(redraws); i++)
		if (strcmp(redraws[i], text) == 0) {
			c->redraw = (enum client_redraw)i;
			return 0;
		}
	return err_set(&c->err, -EINVAL,
	    "Invalid redraw method specified." HELP);
}

/* The letters of one word; *V is moved on to the last word that was used. */
static int
parse_letters(struct context *c, char ***v)
{
	const char *p;

	for (p = **v + 1; *p != 0; p++) {
		if (*p == 'E') {
			c->key = -1;
		} else if (*p == 'z') {
			c->stop_key = false;
		} else if (*p == 'e') {
			if ((*v)[1] == NULL)
				return err_set(&c->err, -EINVAL,
				    "No escape character specified." HELP);
			c->key = set_key(c, *++*v);
			return 0;
		} else if (*p == 'r') {
			if ((*v)[1] == NULL)
				return err_set(&c->err, -EINVAL,
				    "No redraw method specified." HELP);
			return set_redraw(c, *++*v);
		} else {
			return err_set(&c->err, -EINVAL,
			    "Invalid option '-%c'" HELP, *p);
		}
	}
	return 0;
}

/* What remains, the command line, is in *V. */
static int
parse_options(struct context *c, char ***v)
{
	int r = 0;

	for (; r == 0 && **v != NULL && (**v)[0] == '-'; ++*v) {
		if (strcmp(**v, "--") == 0) {
			++*v;
			break;
		}
		r = parse_letters(c, v);
	}
	return r;
}

/* ---- modes ---- */

static int
create(struct context *c, const char *path, const char *name, char **argv,
    bool attach)
{
	int r;

	if (!commands_lives(c, name) && compat_is_taken(c, name))
		return compat_fail(c, -EADDRINUSE, path);
	c->force = c->quiet = true; /* what was before is of no interest */
	c->tell = NULL;
	r = commands_create(c, name, argv, attach);
	c->tell = tell;
	if (r == -EEXIST)
		return compat_fail(c, -EADDRINUSE, path);
	if (c->exit_status > 1)
		return err_set(&c->err, r, "could not execute %s: %s", argv[0],
		    strerror(-r));
	return r;
}

static int
attach(struct context *c, const char *path, const char *name)
{
	int r;

	if (!commands_lives(c, name) && compat_is_taken(c, name))
		return compat_fail(c, -ENOTSOCK, path);
	r = commands_attach(c, name);
	if (r == -ENOENT && !commands_is_saved(c, name))
		return compat_fail(c, r, path);
	return r > 0 ? 0 : r; /* dtach does not tell the status */
}

static int
push(struct context *c, const char *path, char *name)
{
	int r;

	if (!commands_lives(c, name) && compat_is_taken(c, name))
		return compat_fail(c, -ENOTSOCK, path);
	r = run_send(c, name, NULL);
	return r == -ENOENT ? compat_fail(c, r, path) : r;
}

static int
catch_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* -N: until the session's end; who ends us ends it. */
static int
stay(struct context *c, const char *name, int signals)
{
	Sess__Message wait = proto_message(SESS__KIND__WAIT);
	Sess__Message kill = proto_message(SESS__KIND__KILL);
	struct packet k autopacket = PACKET_NONE;
	autoclose int sock = -1;
	struct pollfd fds[2];

	if (commands_connect(c, name, &sock) < 0)
		return 1; /* it has ended already */
	(void)proto_send(sock, &wait, NULL, 0, 0);
	fds[0] = (struct pollfd){ .fd = sock, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (fds[0].revents == 0)
		(void)client_ask(sock, &kill, -1, &k, NULL);
	scope_close(&sock);
	(void)commands_lives(c, name); /* until its socket is gone, too */
	return 1;                      /* as dtach's master does */
}

/* ---- the command line ---- */

static int
run_mode(struct context *c, char mode, const char *path, char **argv)
{
	autofree char *name = NULL;
	autoclose int signals = mode == 'N' ? catch_signals() : -1;
	int r = compat_name(c, path, true, &name);

	/* What cannot be a name is no session's either. */
	if (r == -EADDRINUSE && (mode == 'a' || mode == 'p'))
		r = compat_fail(c, -ENOTSOCK, path);
	if (r == 0)
		r = places_open(&c->places, &c->err);
	if (r < 0)
		return r;
	switch (mode) {
	case 'p':
		return push(c, path, name);
	case 'a':
		return attach(c, path, name);
	case 'A':
		if (commands_lives(c, name))
			return attach(c, path, name);
		if (compat_is_taken(c, name))
			return compat_fail(c, -ENOTSOCK, path);
		if (commands_is_saved(c, name)) {
			r = run_any(c, name, argv);
			return r > 0 ? 0 : r;
		}
		break;
	}
	r = create(c, path, name, argv, mode == 'A' || mode == 'c');
	if (r < 0 || mode == 'n')
		return r;
	return mode == 'N' ? stay(c, name, signals) : attach(c, path, name);
}

static int
parse(struct context *c, char **v)
{
	const char *path;
	char mode;
	int r;

	if (*v == NULL || (*v)[0] != '-')
		return err_set(&c->err, -EINVAL, "No mode was specified." HELP);
	if (strcmp(*v, "--help") == 0 || strcmp(*v, "-?") == 0 ||
	    strcmp(*v, "--version") == 0) {
		printf("%s - version 0.9 (sess)\n%s", c->program,
		    strcmp(*v, "--version") == 0 ? "" : usage);
		return 0;
	}
	mode = (*v)[1];
	if (mode == 0 || strchr("aAcnNp", mode) == NULL)
		return err_set(&c->err, -EINVAL, "Invalid mode '-%c'" HELP,
		    mode);
	if ((path = *++v) == NULL)
		return err_set(&c->err, -EINVAL,
		    "No socket was specified." HELP);
	v++;
	if (mode == 'p' && *v != NULL)
		return err_set(&c->err, -EINVAL,
		    "Invalid number of arguments." HELP);
	r = parse_options(c, &v);
	if (r < 0)
		return r;
	if (strchr("ap", mode) == NULL && *v == NULL)
		return err_set(&c->err, -EINVAL,
		    "No command was specified." HELP);
	if (strchr("aAc", mode) != NULL && !isatty(0))
		return err_set(&c->err, -ENOTTY,
		    "Attaching to a session requires a terminal.");
	return run_mode(c, mode, path, v);
}

int
dtach_main(struct context *c, int argc, char **argv)
{
	int r;

	if (argc > 0)
		c->program = argv[0];
	c->tell = tell;
	c->stop_key = true;
	r = parse(c, argc > 0 ? argv + 1 : argv);
	c->exit_status = 1;
	return r;
}
