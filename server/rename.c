/*
 * rename.c - see rename.h. The one step that counts is the rename(2) of the
 * directory of snapshots; what comes before it can be undone, what comes
 * after it cannot fail in a way that matters.
 */
#include "server/rename.h"

#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "server/control.h"
#include "server/stay.h"
#include "session/ended.h"
#include "session/session.h"

static int
check_free(const struct places *p, const char *from, const char *to,
    struct err *e)
{
	autofree struct ckpt_generation *v = NULL;
	size_t n = 0;
	int r;

	if (strcmp(from, to) == 0)
		return err_set(e, -EEXIST, "the name is '%s' already", to);
	r = ckpt_generations(p->saved, to, &v, &n, e);
	if (r == 0 && n > 0)
		return err_set(e, -EEXIST,
		    "there are snapshots of '%s': sess -rm %s drops them", to,
		    to);
	return r;
}

/* Snapshots, if there are any. */
static int
move_snapshots(const struct places *p, const char *from, const char *to,
    struct err *e)
{
	int r = ckpt_rename(p->saved, from, to, e);

	return r == -ENOENT ? 0 : r;
}

int
rename_live(struct server *s, const char *to, int *lock, struct err *e)
{
	struct places now autoplaces = PLACES_NONE;
	autofree char *name = strdup(to), *old = NULL;
	autoclose int listener = -1;
	int r;

	if (name == NULL)
		return err_set(e, -ENOMEM, "no memory");
	if (s->over || s->saving != NULL || s->ending != NULL)
		return err_set(e, -EBUSY,
		    "session '%s' is being saved or ended: try again", s->name);
	r = session_check_name(to, e);
	if (r == 0)
		r = check_free(&s->places, s->name, to, e);
	/* The directory of sockets may have moved since the start. */
	if (r == 0)
		r = places_open(&now, e);
	if (r < 0)
		return r;
	if (!session_holds(&now, to, *lock))
		return err_set(e, -EINVAL, "'%s' is not locked", to);
	r = session_listen(&now, to, &listener, e);
	if (r < 0)
		return r;
	r = move_snapshots(&s->places, s->name, to, e);
	if (r == 0)
		r = control_move(s, &listener, e);
	if (r < 0) {
		(void)ckpt_rename(s->places.saved, to, s->name, NULL);
		session_forget(&now, to);
		return r;
	}
	old = s->name;
	s->name = TAKE_PTR(name);
	session_forget(&s->places, old);
	scope_close(&s->lock);
	s->lock = TAKE_FD(*lock);
	places_close(&s->places);
	s->places = now;
	now = PLACES_NONE;
	stay_follow(s);
	ended_remove(&s->places, s->name);
	return 0;
}

/* The record goes first: without it snapshots come back by themselves. */
static int
move_record(const struct places *p, const char *from, const char *to,
    struct err *e)
{
	struct ended d;
	char *own;
	int r = ended_get(p, from, &d);

	if (r < 0)
		return r == -ENOENT ? r :
				      err_num(e, r, "the end of '%s'", from);
	own = d.name;
	d.name = (char *)(uintptr_t)to;
	r = ended_put(p, &d, e);
	d.name = own;
	ended_done(&d);
	return r;
}

static int
move_kept(const struct places *p, const char *from, const char *to,
    struct err *e)
{
	int record, r;

	r = check_free(p, from, to, e);
	if (r < 0)
		return r;
	record = move_record(p, from, to, e);
	if (record < 0 && record != -ENOENT)
		return record;
	r = ckpt_rename(p->saved, from, to, e);
	if (r == -ENOENT && record == -ENOENT)
		return err_set(e, r, "there is no session '%s'", from);
	if (r < 0 && r != -ENOENT) {
		ended_remove(p, to);
		return r;
	}
	if (record == -ENOENT)
		ended_remove(p, to); /* of another one that had that name */
	ended_remove(p, from);
	return 0;
}

int
rename_kept(const struct places *p, const char *from, const char *to,
    struct err *e)
{
	autoclose int lock = -1, lock_to = -1;
	int r;

	r = session_lock(p, from, &lock, e);
	if (r < 0)
		return r;
	r = session_lock(p, to, &lock_to, e);
	if (r == 0) {
		r = move_kept(p, from, to, e);
		session_forget(p, to);
	}
	session_forget(p, from);
	return r;
}
