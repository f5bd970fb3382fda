/*
 * all.c - -save -all and -revive -all: every session, each with a line of its
 * own; what fails for one is no reason to leave out the others. This is what
 * a machine does that goes down and comes up (boot/).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/say.h"
#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "cmd/all.h"
#include "cmd/users.h"
#include "server/launch.h"
#include "session/own.h"
#include "session/proto.h"
#include "session/session.h"

/* A session that is being saved. */
struct one {
	const char *name;
	int sock; /* -1: it has answered, or could not be asked */
};

struct round {
	struct one *v; /* owned */
	size_t n, n_failed;
};

static void
round_done(struct round *g)
{
	for (size_t i = 0; i < g->n; i++)
		scope_close(&g->v[i].sock);
	free(g->v);
}

static void
fail(const struct context *c, struct round *g, const char *name,
    const char *why)
{
	char who[64];

	g->n_failed++;
	say_line(stderr, "sess: %ssession '%s': %s", users_prefix(c, who), name,
	    why);
}

static int
sum_up(struct context *c, const struct round *g, const char *what)
{
	if (g->n_failed == 0)
		return 0;
	return err_set(&c->err, -EIO, "%zu of %zu sessions were not %s",
	    g->n_failed, g->n, what);
}

/* ---- -save ---- */

static void
ask(struct context *c, struct round *g, struct one *o)
{
	Sess__Message m = proto_message(SESS__KIND__SAVE);
	struct err e = { .text = "" };
	int r;

	m.has_stop = true;
	m.stop = c->stop;
	r = session_connect(&c->places, o->name, &o->sock, &e);
	if (r == 0 && (r = proto_send(o->sock, &m, NULL, 0, 0)) < 0)
		(void)err_num(&e, r, "it cannot be asked");
	if (r < 0) {
		fail(c, g, o->name, e.text);
		scope_close(&o->sock);
	}
}

static void
take(struct context *c, struct round *g, struct one *o)
{
	struct packet k autopacket = PACKET_NONE;
	int r = proto_recv(o->sock, 0, &k);

	scope_close(&o->sock);
	if (r <= 0)
		fail(c, g, o->name, "its server has gone away");
	else if (k.msg->kind == SESS__KIND__SAVED)
		snapshots_say_saved(c, k.msg, o->name);
	else
		fail(c, g, o->name,
		    k.msg->text != NULL ? k.msg->text : "it refuses");
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* How long poll(2) may wait; -1: for ever. */
static int
left_ms(const struct context *c, int64_t began_ms)
{
	int64_t left = began_ms + (int64_t)c->limit_s * 1000 - now_ms();

	return c->limit_s == 0 ? -1 : left < 0 ? 0 : (int)left;
}

/* All that were asked answer, or the time is over. */
static int
await(struct context *c, struct round *g, int64_t began_ms)
{
	autofree struct pollfd *p = calloc(g->n + 1, sizeof *p);
	size_t waiting, i;
	int r;

	if (p == NULL)
		return err_set(&c->err, -ENOMEM, "no memory");
	do {
		for (i = 0, waiting = 0; i < g->n; i++) {
			p[i] = (struct pollfd){ .fd = g->v[i].sock,
				.events = POLLIN };
			waiting += g->v[i].sock >= 0;
		}
		r = waiting == 0 ? 0 : poll(p, g->n, left_ms(c, began_ms));
		for (i = 0; i < g->n && r > 0; i++)
			if (p[i].fd >= 0 && p[i].revents != 0)
				take(c, g, &g->v[i]);
	} while (waiting > 0 && (r > 0 || (r < 0 && errno == EINTR)));
	for (i = 0; i < g->n; i++)
		if (g->v[i].sock >= 0)
			fail(c, g, g->v[i].name, "it was not saved in time");
	return 0;
}

int
all_save(struct context *c)
{
	struct round g scoped(round_done) = { .v = NULL };
	int64_t began_ms = now_ms();
	autofree char *own = NULL;
	char **names = NULL;
	size_t n = 0, i;
	bool is_own = false;
	int r = session_names(&c->places, &names, &n, &c->err);

	if (r < 0)
		return r;
	(void)own_session(&c->places, &own);
	g.v = calloc(n + 1, sizeof *g.v);
	for (i = 0; i < n && g.v != NULL; i++) {
		/* The one that this is typed in: this ends with it. */
		if (own != NULL && strcmp(own, names[i]) == 0) {
			is_own = true;
			continue;
		}
		g.v[g.n] = (struct one){ .name = names[i], .sock = -1 };
		ask(c, &g, &g.v[g.n++]);
	}
	r = await(c, &g, began_ms);
	if (r == 0)
		r = sum_up(c, &g, "saved");
	if (r == 0 && is_own) {
		c->all = false;
		r = run_save(c, own, NULL);
	}
	session_names_free(names, n);
	return r;
}

/* ---- -revive ---- */

static void
revive(struct context *c, struct round *g, const char *name)
{
	struct launch l = { .name = name, .revive = true, .force = c->force };
	struct launch_result lr;

	g->n++;
	if (commands_start(c, &l, &lr) < 0)
		fail(c, g, name, c->err.text);
	else
		snapshots_say_revived(c, name, &lr);
}

int
all_revive(struct context *c)
{
	struct round g = { .v = NULL };
	char **names = NULL;
	size_t n = 0, i;
	int r;

	commands_expire(c);
	r = ckpt_names(c->places.saved, &names, &n, &c->err);
	if (r < 0)
		return r;
	for (i = 0; i < n; i++)
		if (!session_lives(&c->places, names[i]) &&
		    commands_is_saved(c, names[i]))
			revive(c, &g, names[i]);
	session_names_free(names, n);
	return sum_up(c, &g, "revived");
}
