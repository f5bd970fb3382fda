/*
 * start.c - see start.h.
 */
#include "server/start.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ckpt/ckpt.h"
#include "server/control.h"
#include "server/relaunch.h"
#include "session/ended.h"

/* What the login of the session's creation, or revival, offers. */
static int
take_login(struct server *s, const char *id, struct err *e)
{
	int r = login_open(&s->places, id, &s->links, e);

	if (r == 0 && login_get(&s->places, environ, &s->login) < 0)
		r = err_set(e, -ENOMEM, "no memory");
	if (r == 0)
		login_point(&s->links, &s->login);
	return r;
}

int
start_program(struct server *s, const struct launch *l, int *ret_exit,
    struct err *e)
{
	struct pty_program prog = { .argv = l->argv,
		.cwd = l->cwd,
		.umask = l->umask,
		.termios = l->termios,
		.size = l->size };
	int r = 0;

	if (l->relaunch)
		r = relaunch_screen(s, l, e);
	else if (screen_new(l->size.rows, l->size.cols, &s->screen) < 0)
		r = err_set(e, -ENOMEM, "cannot make the screen");
	if (r < 0)
		return r;
	s->size = l->size;
	s->created_s = (uint64_t)time(NULL);
	s->argv = l->argv;
	s->id = strdup(l->id);
	s->parent = getpid();
	s->sleeps = sleeps_new();
	r = take_login(s, l->id, e);
	if (r == 0 && login_export(&s->links, &s->login) < 0)
		r = err_set(e, -ENOMEM, "no memory");
	if (r < 0)
		return r;
	prog.env = environ;
	r = pty_start(&prog, &s->master, &s->first, ret_exit, e);
	if (r < 0)
		return r;
	ended_remove(&s->places, s->name);
	return 0;
}

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
	s->id = cs->id;
	s->notes = rv->notes;
	s->sleeps = rv->sleeps;
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
	(void)buf_put(&s->input, cs->input.data, cs->input.len);
	ended_remove(&s->places, s->name);
	return 0;
}

/* Reachable before the revived processes are let go. */
static int
on_ready(void *arg, const struct revived *rv)
{
	struct server *s = arg;

	if (rv->session.id != NULL)
		(void)take_login(s, rv->session.id, NULL);
	return control_open(s);
}

int
start_revived(struct server *s, const struct launch *l, struct err *e)
{
	struct revive_request req = { .name = l->name,
		.generation = l->generation,
		.force = l->force,
		.saved_dirfd = s->places.saved,
		.by_root = l->by_root };
	struct revived rv = { .master = -1, .status_fd = -1 };
	int r;

	r = revive_start(&req, on_ready, s, &rv, e);
	if (r < 0)
		return r;
	r = take_revived(s, &rv, e);
	rv.session.argv = NULL; /* the server's now */
	rv.session.id = NULL;
	ckpt_session_done(&rv.session);
	return r;
}
