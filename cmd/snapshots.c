/*
 * snapshots.c - commands about what is on disk: -save, -revive, -rm.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"
#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "cmd/all.h"
#include "cmd/commands.h"
#include "cmd/moving.h"
#include "cmd/relaunch.h"
#include "cmd/users.h"
#include "server/launch.h"
#include "session/ended.h"
#include "session/own.h"
#include "session/proto.h"
#include "session/session.h"

void
snapshots_say_saved(const struct context *c, const Sess__Message *m,
    const char *name)
{
	FILE *to = c->out == NULL ? stdout : stderr;
	char who[64];

	if (m->text != NULL)
		say_lines(stderr, m->text);
	if (c->quiet)
		return;
	say_line(to,
	    "%ssaved as %s@%llu (%u process%s, %llu KiB, stopped for "
	    "%llu.%llu ms%s)%s%s",
	    users_prefix(c, who), name, (unsigned long long)m->generation,
	    m->n_tasks, m->n_tasks == 1 ? "" : "es",
	    (unsigned long long)m->image_len / 1024,
	    (unsigned long long)m->stopped_us / 1000,
	    (unsigned long long)m->stopped_us % 1000 / 100,
	    m->slow ? ": copied while stopped" : "",
	    c->stop ? ", revive with sess -revive " : "", c->stop ? name : "");
}

/*
 * What differs after a revival, in lines: a person is told ALL, the first
 * attach tells it again; a script only which files were set aside.
 */
static void
say_notes(const char *text, bool all)
{
	size_t len;

	for (; *text != 0; text += len) {
		const char *aside = strstr(text, CKPT_SET_ASIDE);

		len = strcspn(text, "\n");
		if (all || (aside != NULL && aside < text + len))
			say_line(stderr, "%.*s", (int)len, text);
		len += text[len] == '\n';
	}
}

void
snapshots_say_revived(const struct context *c, const char *name,
    const struct launch_result *lr)
{
	char who[64];

	if (c->quiet)
		return;
	say_line(stdout, "%srevived from %s@%llu, attach with sess -a %s",
	    users_prefix(c, who), name, (unsigned long long)lr->generation,
	    name);
	(void)fflush(stdout);
	say_notes(lr->text, isatty(STDERR_FILENO));
}

/* One name, or -all, which takes none. 1: all. */
static int
names_all(struct context *c, const char *arg)
{
	if (c->all && arg != NULL)
		return err_set(&c->err, -EINVAL,
		    "-all means every session: leave '%s' out", arg);
	if (c->all && (c->out != NULL || c->in != NULL))
		return err_set(&c->err, -EINVAL,
		    "a stream holds one session: -all does not go with -o "
		    "and -i");
	return c->all;
}

/*
 * Save NAME. The revived copy of this command finds REVIVED waiting on its
 * socket instead of SAVED: it is told where it is, and *RET_GENERATION is 0.
 */
static int
save(struct context *c, const char *name, uint64_t *ret_generation)
{
	Sess__Message m = proto_message(SESS__KIND__SAVE);
	struct packet k autopacket = PACKET_NONE;
	int r;

	m.has_stop = true;
	m.stop = c->stop;
	m.has_with_files = true;
	m.with_files = c->with_files;
	r = commands_ask(c, name, &m, -1, &k);
	if (r < 0)
		return r;
	if (k.msg->kind == SESS__KIND__REVIVED) {
		say_line(c->out == NULL ? stdout : stderr, "revived from %s",
		    k.msg->text == NULL ? name : k.msg->text);
		*ret_generation = 0;
		return 0;
	}
	snapshots_say_saved(c, k.msg, name);
	*ret_generation = k.msg->generation;
	return 0;
}

/* With -o a snapshot that is there already will do. */
static int
find_saved(struct context *c, const char *name, uint64_t *generation)
{
	autofree struct ckpt_generation *v = NULL;
	size_t n = 0;
	int r;

	if (*generation != 0 || commands_lives(c, name))
		return 0;
	r = ckpt_generations(c->places.saved, name, &v, &n, &c->err);
	if (r == 0 && n > 0)
		*generation = v[n - 1].number;
	return r;
}

/* Save NAME, or take what is saved of it, and send that to c->out. */
static int
save_out(struct context *c, char *name)
{
	scoped(moving_close) struct moving m = MOVING_NONE;
	autofree char *own = NULL;
	uint64_t generation;
	int r;

	session_split(name, &generation);
	r = session_check_name(name, &c->err);
	if (r == 0)
		r = find_saved(c, name, &generation);
	if (r == 0 && generation != 0 && c->stop)
		r = err_set(&c->err, -EINVAL,
		    "'%s' does not run, or a snapshot was named: there is "
		    "nothing to -stop",
		    name);
	if (r == 0 && c->stop && own_session(&c->places, &own) == 0 &&
	    strcmp(own, name) == 0)
		r = err_set(&c->err, -EINVAL,
		    "this command would end with the session before it has "
		    "written anything: run it outside of '%s'",
		    name);
	if (r == 0)
		r = moving_open(c, &m);
	if (r == 0 && generation == 0)
		r = save(c, name, &generation);
	if (r == 0 && generation != 0)
		r = moving_send(c, &m, name, generation);
	return r;
}

int
run_save(struct context *c, char *arg, char **rest)
{
	autofree char *name = NULL;
	uint64_t generation;
	int r;

	(void)rest;
	r = names_all(c, arg);
	if (r != 0)
		return r < 0 ? r : all_save(c);
	if (arg != NULL && c->out != NULL)
		return save_out(c, arg);
	r = commands_own_name(c, arg, &name);
	if (r < 0)
		return r;
	return c->out != NULL ? save_out(c, name) : save(c, name, &generation);
}

/* A snapshot that comes from c->in gets a name that nothing has. */
static int
take_in(struct context *c, const char *name, uint64_t *ret_generation)
{
	struct ended d;

	if (commands_has_snapshots(c, name))
		return err_set(&c->err, -EEXIST,
		    "there are snapshots of '%s' here: choose another name, "
		    "or sess -rm %s",
		    name, name);
	if (ended_get(&c->places, name, &d) == 0) {
		bool seen = d.seen;

		ended_done(&d);
		if (!seen)
			return err_set(&c->err, -EEXIST,
			    "session '%s' has ended here and nobody has seen "
			    "how: sess -a %s, or choose another name",
			    name, name);
	}
	return moving_receive(c, name, ret_generation);
}

int
run_revive(struct context *c, char *arg, char **rest)
{
	struct launch_result lr;
	struct launch l = { .name = arg, .revive = true, .force = c->force };
	int r;

	(void)rest;
	r = names_all(c, arg);
	if (r != 0)
		return r < 0 ? r : all_revive(c);
	if (arg == NULL)
		return err_set(&c->err, -EINVAL,
		    "which session? A name is needed, or -all");
	if (c->in == NULL)
		session_split(arg, &l.generation);
	r = session_check_name(arg, &c->err);
	if (r < 0)
		return r;
	if (commands_lives(c, arg))
		return err_set(&c->err, -EEXIST,
		    "session '%s' runs: "
		    "sess -a %s attaches to it",
		    arg, arg);
	if (c->in != NULL) {
		r = take_in(c, arg, &l.generation);
		if (r < 0)
			return r;
	}
	if (!commands_has_snapshots(c, arg))
		return err_set(&c->err, -ENOENT,
		    "there is no snapshot of "
		    "'%s'",
		    arg);
	r = commands_start(c, &l, &lr);
	if (r < 0 && c->relaunch && !commands_lives(c, arg))
		return relaunch_command(c, arg, l.generation);
	if (r < 0 && c->in != NULL)
		return moving_stays(c, arg, l.generation, r);
	if (r < 0)
		return r;
	snapshots_say_revived(c, arg, &lr);
	return 0;
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
	if (r == 0 && !commands_has_snapshots(c, arg)) {
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
