/*
 * create.c - commands that end with a terminal attached, or could: -c, -n,
 * -a, -A.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"
#include "base/scope.h"
#include "client.h"
#include "cmd/commands.h"
#include "server/launch.h"
#include "session/login.h"
#include "session/own.h"
#include "session/proto.h"
#include "session/session.h"

int
commands_create(struct context *c, const char *name, char **rest, bool attach)
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
	if (r == 0 && attach)
		r = client_check(&c->err);
	if (r < 0)
		return r;
	alive = commands_lives(c, name);
	if (!alive && commands_is_saved(c, name) && !c->force)
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
		(void)commands_tell_end(c, name);
	return commands_start(c, &l, NULL);
}

/* What our login offers, as words to be sent. */
static char **
own_login(struct context *c)
{
	struct login l autologin = { .values = { NULL } };

	if (login_get(&c->places, environ, &l) < 0)
		return NULL;
	return login_words(&l);
}

/* RUNS: only if its program has not ended, else -ESTALE. */
static int
attach(struct context *c, const char *name, bool runs)
{
	struct client_options o = { .name = name,
		.key = c->key,
		.quiet = c->quiet,
		.read_only = c->read_only,
		.low = c->low,
		.redraw = c->redraw,
		.stop_key = c->stop_key,
		.tell = c->tell };
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
	r = client_check(&c->err);
	if (r == 0)
		r = client_ask(sock, &ask, ASK_MS, &k, &c->err);
	if (runs && (r == -EPIPE || (r == 0 && k.msg->ended)))
		r = err_set(&c->err, -ESTALE, "session '%s' has just ended",
		    name);
	if (r < 0) {
		(void)close(sock);
		return r;
	}
	if (own != NULL && k.msg->id != NULL &&
	    own_is_seen_in(&c->places, own, k.msg->id)) {
		(void)close(sock);
		return err_set(&c->err, -ELOOP,
		    "session '%s' shows '%s', in which you are: it cannot be "
		    "attached in itself",
		    name, own);
	}
	if (own != NULL && !c->quiet)
		say_line(stderr,
		    "%s: you are inside session '%s': the detach key is its "
		    "own, press it twice to detach '%s'",
		    c->program, own, name);
	if (k.msg->text != NULL && !c->quiet)
		say_lines(stderr, k.msg->text);
	o.from = own != NULL ? getenv("SESS_ID") : NULL;
	o.login = own_login(c);
	r = client_attach(sock, &o, &c->err);
	login_words_free(o.login);
	return r;
}

int
commands_attach(struct context *c, const char *name)
{
	return attach(c, name, false);
}

int
run_create(struct context *c, char *arg, char **rest)
{
	int r = commands_create(c, arg, rest, true);

	return r < 0 ? r : commands_attach(c, arg);
}

int
run_new(struct context *c, char *arg, char **rest)
{
	int r = commands_create(c, arg, rest, false);

	return r < 0 ? r : 0;
}

int
run_attach(struct context *c, char *arg, char **rest)
{
	int r = session_check_name(arg, &c->err), end;

	(void)rest;
	if (r == 0)
		r = attach(c, arg, true);
	if (r != -ENOENT && r != -ESTALE)
		return r;
	/* Another one may have taken the name meanwhile. */
	if (r == -ESTALE && commands_lives(c, arg))
		return attach(c, arg, true);
	end = commands_tell_end(c, arg);
	return end < 0 ? r : end;
}

int
run_any(struct context *c, char *arg, char **rest)
{
	int r = session_check_name(arg, &c->err);

	if (r < 0)
		return r;
	if (commands_lives(c, arg))
		return commands_attach(c, arg);
	if (commands_is_saved(c, arg)) {
		struct launch l = { .name = arg, .revive = true };

		r = client_check(&c->err);
		if (r == 0)
			r = commands_start(c, &l, NULL);
		return r < 0 ? r : commands_attach(c, arg);
	}
	return run_create(c, arg, rest);
}
