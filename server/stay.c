/*
 * stay.c - see stay.h.
 */
#include "server/stay.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/scope.h"
#include "server/control.h"
#include "session/session.h"

#define SETTLE_MS 500 /* who removes one file removes others after it */
#define LOOK_MS 5000  /* ... and perhaps what we made meanwhile */
#define TRIES 20      /* then it is left to SIGUSR1 */

struct stay {
	int fd, watch;
	struct event *ev, *timer;
	unsigned tries;
};

static int
move(struct server *s, struct places *now)
{
	autoclose int lock = -1, listener = -1;
	int r;

	r = session_lock(now, s->name, &lock, NULL);
	if (r == 0)
		r = session_listen(now, s->name, &listener, NULL);
	if (r == 0)
		r = control_move(s, &listener, NULL);
	if (r < 0) {
		if (lock >= 0)
			session_forget(now, s->name);
		return r;
	}
	(void)close(s->lock);
	s->lock = TAKE_FD(lock);
	places_close(&s->places);
	s->places = *now;
	*now = PLACES_NONE;
	stay_follow(s);
	return 0;
}

/* It was gone a moment ago: take the name again, and look again later. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct places now autoplaces = PLACES_NONE;
	struct stay *y = s->stay;

	(void)fd;
	(void)what;
	if (s->over || s->ev_listener == NULL || s->lock < 0)
		return; /* the name is given up */
	if (y->tries++ > TRIES)
		return;
	if (places_open(&now, NULL) == 0 &&
	    session_is_here(&now, s->name, s->lock))
		y->tries = 0;
	else if (now.saved >= 0)
		(void)move(s, &now);
	if (y->tries > 0)
		server_timer(y->timer, LOOK_MS);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	char buf[sizeof(struct inotify_event) + NAME_MAX + 1]
	    __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)what;
	while (read(fd, buf, sizeof buf) > 0)
		;
	if (s->lock >= 0 && !session_holds(&s->places, s->name, s->lock)) {
		s->stay->tries = 0;
		server_timer(s->stay->timer, SETTLE_MS);
	}
}

void
stay_look(struct server *s)
{
	if (s->stay == NULL)
		return;
	s->stay->tries = 0;
	server_timer(s->stay->timer, 1);
}

void
stay_start(struct server *s)
{
	struct stay *y = calloc(1, sizeof *y);

	if (y == NULL)
		return;
	s->stay = y;
	y->watch = -1;
	y->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	y->timer = event_new(s->base, -1, 0, on_timer, s);
	if (y->fd >= 0)
		y->ev = event_new(s->base, y->fd, EV_READ | EV_PERSIST,
		    on_event, s);
	if (y->ev == NULL || y->timer == NULL || event_add(y->ev, NULL) < 0) {
		stay_free(s);
		return;
	}
	stay_follow(s);
}

void
stay_follow(struct server *s)
{
	char path[64];

	if (s->stay == NULL)
		return;
	if (s->stay->watch >= 0)
		(void)inotify_rm_watch(s->stay->fd, s->stay->watch);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", s->lock);
	/* A file that loses its name, but is open, changes its attributes. */
	s->stay->watch = inotify_add_watch(s->stay->fd, path,
	    IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF);
}

void
stay_free(struct server *s)
{
	struct stay *y = s->stay;

	s->stay = NULL;
	if (y == NULL)
		return;
	if (y->ev != NULL)
		event_free(y->ev);
	if (y->timer != NULL)
		event_free(y->timer);
	scope_close(&y->fd);
	free(y);
}
