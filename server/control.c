/*
 * control.c - see control.h.
 */
#include "server/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scope.h"
#include "server/requests.h"
#include "server/outside.h"
#include "server/send.h"
#include "server/terminal.h"
#include "session/session.h"

/* ---- answers ---- */

void
control_send(struct peer *p, const Sess__Message *m)
{
	/* Who does not read is cut off, when its event finds the end. */
	if (proto_send(p->fd, m, NULL, 0, MSG_DONTWAIT) < 0)
		(void)shutdown(p->fd, SHUT_RDWR);
}

void
control_fail(struct peer *p, const struct err *e)
{
	Sess__Message m = proto_message(SESS__KIND__FAILED);
	char text[ERR_MAX];

	memcpy(text, e->text, sizeof text);
	m.text = text;
	control_send(p, &m);
}

void
control_ok(struct peer *p)
{
	Sess__Message m = proto_message(SESS__KIND__OK);

	control_send(p, &m);
}

void
control_set_row(struct server *s, Sess__Message *m)
{
	m->has_row = true;
	m->row = (uint32_t)screen_bottom(s->screen);
}

void
control_detached(struct peer *p, struct terminal *t)
{
	Sess__Message m = proto_message(SESS__KIND__DETACHED);

	control_set_row(p->server, &m);
	p->terminal = NULL;
	terminal_free(t, false);
	requests_take_login(p->server);
	control_send(p, &m);
}

/* How the session has come to its end. */
void
control_send_over(struct peer *p)
{
	struct server *s = p->server;
	Sess__Message m = proto_message(
	    s->saved ? SESS__KIND__SAVED : SESS__KIND__ENDED);

	control_set_row(s, &m);
	m.has_status = m.has_ended = m.has_generation = true;
	m.status = s->status;
	m.ended = true;
	m.name = s->name; /* who waits may know an earlier one */
	m.generation = s->generation;
	control_send(p, &m);
}

void
control_over(struct peer *p)
{
	terminal_free(p->terminal, false);
	p->terminal = NULL;
	control_send_over(p);
}

void
control_tell_status(struct server *s)
{
	struct peer *p;

	LIST_FOREACH(p, &s->peers, link)
	if (p->awaits_status) {
		p->awaits_status = false;
		control_send_over(p);
	}
}

void
control_tell_end(struct server *s)
{
	struct peer *p;

	LIST_FOREACH(p, &s->peers, link)
	if (p->awaits_end) {
		p->awaits_end = false;
		control_ok(p);
	}
}

/* ---- connections ---- */

static void
peer_free(struct peer *p)
{
	struct server *s = p->server;

	if (p->terminal != NULL)
		terminal_free(p->terminal, true);
	saving_forget(s, p);
	send_forget(s, p);
	outside_forget(s, p);
	event_free(p->ev);
	(void)close(p->fd);
	LIST_REMOVE(p, link);
	s->n_peers--;
	if (p->lends && !s->over)
		requests_take_login(s);
	login_done(&p->login);
	free(p);
}

/* What came is no message, or nothing will come any more. */
static void
refuse(struct peer *p, int r)
{
	struct err e = { .text = "" };

	if (r < 0) {
		(void)err_set(&e, r, "%s",
		    r == -EMFILE ?
			"too many descriptors came, or none are left" :
			"what came is no message of sess");
		control_fail(p, &e);
	}
	peer_free(p);
}

static void
on_message(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	struct server *s = p->server;
	struct packet k autopacket = PACKET_NONE;
	int r = proto_recv(fd, MSG_DONTWAIT, &k);

	(void)what;
	if (r == -EAGAIN)
		return;
	if (r == 1)
		requests_run(p, &k);
	else
		refuse(p, r);
	server_finish(s);
}

/* Is the one at the other end of FD allowed here? */
static bool
is_welcome(int fd, pid_t *ret_pid)
{
	struct ucred uc;
	socklen_t len = sizeof uc;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &len) < 0)
		return false;
	*ret_pid = uc.pid;
	return uc.uid == geteuid() || uc.uid == 0;
}

/*
 * Each connection takes descriptors, and saves need some: at half of what we
 * may have, the oldest that wants nothing makes room. False: there is none.
 */
static bool
make_room(struct server *s)
{
	struct err e = { .text = "" };
	struct peer *p, *oldest = NULL;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    s->n_peers < limit.rlim_cur / 2)
		return true;
	(void)err_set(&e, -EMFILE, "session '%s' has too many connections",
	    s->name);
	LIST_FOREACH(p, &s->peers, link)
	if (p->terminal == NULL && !p->awaits_end && !p->awaits_status &&
	    !saving_is_for(s, p) && !send_is_from(s, p))
		oldest = p;
	if (oldest == NULL)
		return false;
	control_fail(oldest, &e);
	peer_free(oldest);
	return true;
}

static void
peer_new(struct server *s, int fd, pid_t pid)
{
	struct peer *p = calloc(1, sizeof *p);

	if (p != NULL)
		p->ev = event_new(s->base, fd, EV_READ | EV_PERSIST, on_message,
		    p);
	if (p == NULL || p->ev == NULL) {
		free(p);
		(void)close(fd);
		return;
	}
	p->server = s;
	p->fd = fd;
	p->pid = pid;
	LIST_INSERT_HEAD(&s->peers, p, link);
	s->n_peers++;
	(void)event_add(p->ev, NULL);
	/* Who connects asks at once: most often it is there already. */
	event_active(p->ev, EV_READ, 0);
}

/*
 * There is no descriptor for who comes: the spare one lets him in to be told.
 * Where that does not help it is tried again later.
 */
static int
accept_by_spare(struct server *s, int listener)
{
	int fd;

	scope_close(&s->spare);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && errno != EAGAIN)
		(void)event_del(s->ev_listener);
	return fd;
}

static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (s->ev_listener != NULL)
		(void)event_add(s->ev_listener, NULL);
}

/* After accept_by_spare(). */
static void
restore_spare(struct server *s)
{
	const struct timeval tv = { .tv_sec = 1 };

	s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)event_base_once(s->base, -1, EV_TIMEOUT, on_later, s, &tv);
}

static void
on_connection(evutil_socket_t listener, short what, void *arg)
{
	struct server *s = arg;
	struct err e = { .text = "" };
	struct peer refused = { .server = s };
	pid_t pid = 0;
	bool full;
	int fd;

	(void)what;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	full = fd < 0 && (errno == EMFILE || errno == ENFILE);
	if (full)
		fd = accept_by_spare(s, listener);
	if (fd >= 0 && !is_welcome(fd, &pid)) {
		(void)err_set(&e, -EPERM, "session '%s' is not yours", s->name);
	} else if (fd >= 0 && !full && make_room(s)) {
		peer_new(s, fd, pid);
		return;
	} else {
		(void)err_set(&e, -EMFILE,
		    "session '%s' has too many connections", s->name);
	}
	refused.fd = fd;
	if (fd >= 0)
		control_fail(&refused, &e);
	scope_close(&fd);
	if (full)
		restore_spare(s);
}

int
control_open(struct server *s)
{
	int r = session_listen(&s->places, s->name, &s->listener, NULL);

	if (r < 0)
		return r;
	if (s->spare < 0)
		s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->ev_listener = event_new(s->base, s->listener, EV_READ | EV_PERSIST,
	    on_connection, s);
	return s->ev_listener == NULL ? -ENOMEM :
					event_add(s->ev_listener, NULL);
}

void
control_unlisten(struct server *s)
{
	if (s->ev_listener != NULL)
		event_free(s->ev_listener);
	s->ev_listener = NULL;
	scope_close(&s->listener);
}

int
control_move(struct server *s, int *listener, struct err *e)
{
	struct pollfd pfd = { .fd = s->listener, .events = POLLIN };
	struct event *ev = event_new(s->base, *listener, EV_READ | EV_PERSIST,
	    on_connection, s);
	int i;

	if (ev == NULL || event_add(ev, NULL) < 0) {
		if (ev != NULL)
			event_free(ev);
		return err_set(e, -ENOMEM, "no memory");
	}
	for (i = 0; i < SESSION_BACKLOG && poll(&pfd, 1, 0) == 1; i++)
		on_connection(s->listener, EV_READ, s);
	event_free(s->ev_listener);
	s->ev_listener = ev;
	scope_close(&s->listener);
	s->listener = TAKE_FD(*listener);
	return 0;
}

void
control_relisten(struct server *s)
{
	if (s->ev_listener == NULL)
		return; /* the name is another server's by now */
	control_unlisten(s);
	(void)control_open(s);
}

void
control_close(struct server *s)
{
	struct peer *p;

	while ((p = LIST_FIRST(&s->peers)) != NULL)
		peer_free(p);
}
