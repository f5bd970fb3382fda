/*
 * saving.c - saves, as the server carries them out: ckpt/ does the work, the
 * server goes on with its loop until the writer has ended. One at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "config.h"
#include "server.h"
#include "server/control.h"

#define LAST_OUTPUT (1 << 20) /* what is left in the master, in bytes */

struct saving {
	struct save *save;
	struct event *ev;
	struct peer *peer; /* who waits for it; NULL: gone */
	bool stop;
};

/*
 * The tree stands still: nothing comes after what is in the master now. What
 * is handed over is copied, for the session goes on.
 */
static int
collect(void *arg, struct ckpt_session *ret_session, struct err *e)
{
	struct server *s = arg;
	struct ckpt_session cs = { .created_s = s->created_s };
	size_t n = 0, i;
	int r;

	flow_drain(s, LAST_OUTPUT);
	while (s->argv[n] != NULL)
		n++;
	cs.rows = s->size.rows;
	cs.cols = s->size.cols;
	cs.screen = BUF_INIT(64 << 20);
	cs.input = BUF_INIT(64 << 20);
	cs.name = strdup(s->name);
	cs.id = s->id == NULL ? NULL : strdup(s->id);
	cs.argv = calloc(n + 1, sizeof *cs.argv);
	r = cs.name == NULL || cs.argv == NULL ? -ENOMEM : 0;
	for (i = 0; i < n && r == 0; i++)
		if ((cs.argv[i] = strdup(s->argv[i])) == NULL)
			r = -ENOMEM;
	if (r == 0)
		r = screen_save(s->screen, &cs.screen);
	if (r == 0)
		r = buf_put(&cs.input, s->input.data, s->input.len);
	if (r < 0) {
		ckpt_session_done(&cs);
		return err_num(e, r, "the screen cannot be saved");
	}
	*ret_session = cs;
	return 0;
}

static void
saving_free(struct server *s)
{
	struct saving *g = s->saving;

	s->saving = NULL;
	if (g->ev != NULL)
		event_free(g->ev);
	free(g);
	flow_shed(s);
}

static void
tell(struct peer *p, const struct server *s, const struct save_report *rep)
{
	Sess__Message m = proto_message(SESS__KIND__SAVED);

	m.has_generation = m.has_image_len = m.has_n_tasks = true;
	m.has_stopped_us = m.has_slow = true;
	m.name = s->name;
	m.text = rep->notes;
	m.generation = rep->generation;
	m.image_len = rep->image_len;
	m.n_tasks = rep->n_tasks;
	m.stopped_us = rep->stopped_us;
	m.slow = rep->slow;
	control_send(p, &m);
}

/* The writer has ended. */
static void
on_written(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct saving *g = s->saving;
	struct save_report rep = { .notes = NULL };
	struct err e = { .text = "" };
	struct peer *peer = g->peer;
	bool stop = g->stop;
	int r;

	(void)fd;
	(void)what;
	(void)event_del(g->ev);
	r = save_finish(g->save, &rep, &e);
	saving_free(s);
	if (r < 0) {
		if (peer != NULL)
			control_fail(peer, &e);
		server_reap(s);
		return;
	}
	s->saved_s = (uint64_t)time(NULL);
	if (stop)
		server_give_up_name(s);
	if (peer != NULL)
		tell(peer, s, &rep);
	(void)ckpt_prune(s->places.saved, s->name, KEEP_GENERATIONS, NULL);
	free(rep.notes);
	if (stop)
		server_saved(s, rep.generation);
	server_reap(s);
}

/* The message that the revived copy of the asking command will read. */
static int
make_farewell(const struct server *s, uint8_t **ret_data, size_t *ret_len,
    struct err *e)
{
	Sess__Message m = proto_message(SESS__KIND__REVIVED);
	autofree char *text = NULL;
	uint64_t generation;
	int r;

	r = save_next_generation(s->places.saved, s->name, &generation, e);
	if (r < 0)
		return r;
	if (asprintf(&text, "%s@%llu", s->name,
		(unsigned long long)generation) < 0)
		return err_set(e, -ENOMEM, "no memory");
	m.text = text;
	r = proto_encode(&m, ret_data, ret_len);
	return r < 0 ? err_num(e, r, "cannot make a message") : 0;
}

int
saving_start(struct server *s, struct peer *p, bool stop, bool with_files,
    struct err *e)
{
	struct save_request req = { .name = s->name,
		.saved_dirfd = s->places.saved,
		.parent = s->parent,
		.first = s->first,
		.master = s->master,
		.stop = stop,
		.with_files = with_files,
		.zstd_level = SAVE_ZSTD_LEVEL,
		.sleeps = s->sleeps,
		.collect = collect,
		.arg = s };
	autofree uint8_t *farewell = NULL;
	struct saving *g;
	int r;

	if (s->over)
		return err_set(e, -ESRCH, "session '%s' has ended", s->name);
	if (s->saving != NULL)
		return err_set(e, -EBUSY,
		    "session '%s' is being saved "
		    "already",
		    s->name);
	if (s->ending != NULL)
		return err_set(e, -EBUSY, "session '%s' is being ended",
		    s->name);
	r = make_farewell(s, &farewell, &req.farewell_len, e);
	if (r < 0)
		return r;
	req.farewell = farewell;
	g = calloc(1, sizeof *g);
	if (g == NULL)
		return err_set(e, -ENOMEM, "no memory");
	g->peer = p;
	g->stop = stop;
	s->saving = g;
	r = save_start(&req, &g->save, e);
	if (r < 0) {
		saving_free(s);
		server_reap(s);
		return r;
	}
	g->ev = event_new(s->base, save_fd(g->save), EV_READ | EV_PERSIST,
	    on_written, s);
	if (g->ev == NULL || event_add(g->ev, NULL) < 0) {
		saving_abort(s);
		return err_set(e, -ENOMEM, "no memory");
	}
	return 0;
}

bool
saving_is_for(const struct server *s, const struct peer *p)
{
	return s->saving != NULL && s->saving->peer == p;
}

void
saving_forget(struct server *s, const struct peer *p)
{
	if (saving_is_for(s, p))
		s->saving->peer = NULL;
}

void
saving_abort(struct server *s)
{
	struct err e = { .text = "" };
	struct peer *peer;

	if (s->saving == NULL)
		return;
	peer = s->saving->peer;
	save_abort(s->saving->save);
	saving_free(s);
	(void)err_set(&e, -ECANCELED,
	    "the save of '%s' was given up: the "
	    "session has ended",
	    s->name);
	if (peer != NULL)
		control_fail(peer, &e);
}

bool
saving_owns(const struct server *s, pid_t pid)
{
	return s->saving != NULL && save_owns(s->saving->save, pid);
}

uint64_t
saving_latest(const struct server *s)
{
	autofree struct ckpt_generation *v = NULL;
	size_t n = 0;

	if (ckpt_generations(s->places.saved, s->name, &v, &n, NULL) < 0)
		return UINT64_MAX; /* not known: none is newer */
	return n == 0 ? 0 : v[n - 1].number;
}

bool
saving_has_snapshots(const struct server *s)
{
	return saving_latest(s) > 0;
}
