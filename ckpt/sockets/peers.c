/*
 * peers.c - which socket is at the other end of which. UNIX: the kernel tells
 * inodes (diag.h). TCP: two ends have each other's addresses; one whose other
 * end nobody has yet waits in a listening socket.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/sockets/socket.h"

/* Sockets in the order of their inodes, or of their ports. */
struct order {
	struct sock **v;
	size_t n;
};

static int
by_ino(const void *a, const void *b)
{
	const struct sock *x = *(struct sock *const *)a;
	const struct sock *y = *(struct sock *const *)b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int
by_port(const void *a, const void *b)
{
	const struct sock *x = *(struct sock *const *)a;
	const struct sock *y = *(struct sock *const *)b;

	return (int)address_port(&x->name) - (int)address_port(&y->name);
}

static int
order_by(struct ckpt *c, int (*how)(const void *, const void *),
    struct order *ret_o)
{
	struct sockets *ss = c->files->sockets;

	ret_o->n = ss->n;
	ret_o->v = calloc(ss->n + 1, sizeof *ret_o->v);
	if (ret_o->v == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < ss->n; i++)
		ret_o->v[i] = &ss->v[i];
	if (ss->n > 0)
		qsort(ret_o->v, ss->n, sizeof *ret_o->v, how);
	return 0;
}

static void
order_done(struct order *o)
{
	free(o->v);
}

static struct sock *
find_ino(const struct order *o, uint64_t ino)
{
	struct sock key = { .ino = ino }, *p = &key, **at;

	if (ino == 0 || o->n == 0)
		return NULL;
	at = bsearch(&p, o->v, o->n, sizeof *o->v, by_ino);
	return at == NULL ? NULL : *at;
}

/* The first of those whose own port is PORT. */
static size_t
first_with_port(const struct order *o, unsigned port)
{
	size_t from = 0, to = o->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (address_port(&o->v[mid]->name) < port)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static uint64_t
id_of(const struct sockets *ss, const struct sock *s)
{
	return s == NULL ? 0 : (uint64_t)(s - ss->v) + 1;
}

/* ---- UNIX ---- */

static bool
is_named(const struct sock *s)
{
	return s->name.len > 0;
}

/* The name of S is that of one that listens. */
static bool
is_listened_at(const struct sockets *ss, const struct sock *s)
{
	for (size_t i = 0; is_named(s) && i < ss->n; i++)
		if (ss->v[i].rec.listening &&
		    ss->v[i].rec.type == s->rec.type &&
		    address_equal(&ss->v[i].name, &s->name))
			return true;
	return false;
}

/*
 * Which of the two came out of accept(2): what accept(2) makes has the name
 * of the one that listened.
 */
static void
tell_accepted(const struct sockets *ss, struct sock *a, struct sock *b)
{
	if (a->rec.accepted || b->rec.accepted)
		return;
	if (is_named(a) && (is_listened_at(ss, a) || !is_listened_at(ss, b)))
		a->rec.accepted = true;
	else
		b->rec.accepted = is_named(b);
}

/* The server that is saving is at the other end of FD. */
static bool
is_ours(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    cred.pid == getpid();
}

static int
end_outside(struct ckpt *c, struct sock *s, bool gone)
{
	autoclose int fd = -1;

	s->rec.ending = ENDING_EOF;
	/* One that has connected has the other's name as its peer's. */
	s->rec.accepted = is_named(s) && s->peer.len == 0;
	fd = tracee_pull_fd(s->task->pid, s->fd_in_task, NULL);
	if (fd >= 0 && c->req != NULL && c->req->farewell_len > 0 &&
	    is_ours(fd)) {
		s->rec.farewell.data = (uint8_t *)c->req->farewell;
		s->rec.farewell.len = c->req->farewell_len;
	} else if (!gone) {
		note(c, s->task,
		    "descriptor %d, a UNIX socket, is connected to the "
		    "outside: it will be cut off",
		    s->fd_in_task);
	}
	return 0;
}

static int
find_unix_stream(struct ckpt *c, struct sock *s, const struct order *o)
{
	struct sockets *ss = c->files->sockets;
	const struct diag_sock *d = diag_find(&ss->diag, s->ino);
	struct sock *peer = d == NULL ? NULL : find_ino(o, d->peer);
	struct address other;
	autoclose int fd = -1;

	if (s->rec.peer != 0 || s->rec.ending != ENDING_NONE)
		return 0; /* it waits: find_waiting() has told */
	s->rec.peer = id_of(ss, peer);
	if (peer != NULL) {
		tell_accepted(ss, s, peer);
		return 0;
	}
	fd = tracee_pull_fd(s->task->pid, s->fd_in_task, NULL);
	s->rec.lone = fd < 0 ||
	    getpeername(fd, &other.any, &(socklen_t){ sizeof other.room }) < 0;
	if (s->rec.lone)
		return 0;
	if (d == NULL && (c->req == NULL || !is_ours(fd)))
		return obstacle(c, s->task,
		    "descriptor %d is a UNIX socket, and this kernel does not "
		    "tell where its other end is: modprobe unix_diag",
		    s->fd_in_task);
	return end_outside(c, s, d == NULL || d->peer == 0);
}

static int
find_unix_datagram(struct ckpt *c, struct sock *s, const struct order *o)
{
	struct sockets *ss = c->files->sockets;
	const struct diag_sock *d = diag_find(&ss->diag, s->ino);
	struct sock *peer = d == NULL ? NULL : find_ino(o, d->peer);

	s->rec.peer = id_of(ss, peer);
	s->rec.lone = peer == NULL;
	if (s->peer.len > 0) {
		s->rec.peer_name.data = (uint8_t *)&s->peer.room;
		s->rec.peer_name.len = s->peer.len;
	}
	return 0;
}

/* Who is connected to LISTENER, and not accepted. */
static int
find_waiting(struct ckpt *c, struct sock *listener, const struct order *o)
{
	struct sockets *ss = c->files->sockets;
	const struct diag_sock *d = diag_find(&ss->diag, listener->ino);

	if (d == NULL || d->n_waiting == 0)
		return 0;
	listener->pending = calloc(d->n_waiting, sizeof *listener->pending);
	if (listener->pending == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	listener->rec.pending = listener->pending;
	for (size_t i = 0; i < d->n_waiting; i++) {
		struct sock *s = find_ino(o, d->waiting[i]);
		int sent = 0;
		autoclose int fd = -1;

		if (s == NULL && d->waiting[i] != 0)
			continue; /* of the outside: it will see a refusal */
		if (s != NULL)
			fd = tracee_pull_fd(s->task->pid, s->fd_in_task, NULL);
		if (fd >= 0 && (ioctl(fd, SIOCOUTQ, &sent) < 0 || sent > 0)) {
			note(c, s->task,
			    "descriptor %d, a UNIX socket, has sent data "
			    "before it was accepted: it will be cut off",
			    s->fd_in_task);
			s->rec.ending = ENDING_EOF;
			continue;
		}
		if (s != NULL)
			s->rec.peer = id_of(ss, listener);
		listener->pending[listener->rec.n_pending++] = id_of(ss, s);
	}
	return 0;
}

/* ---- TCP ---- */

static struct sock *
find_end(const struct order *o, const struct sock *s)
{
	unsigned port = address_port(&s->peer);

	for (size_t i = first_with_port(o, port);
	     port != 0 && i < o->n && address_port(&o->v[i]->name) == port; i++)
		if (o->v[i] != s && sock_is_tcp(&o->v[i]->rec) &&
		    address_equal(&o->v[i]->name, &s->peer) &&
		    address_equal(&o->v[i]->peer, &s->name))
			return o->v[i];
	return NULL;
}

static struct sock *
find_listener(const struct order *o, const struct address *to)
{
	unsigned port = address_port(to);
	struct sock *found = NULL;

	for (size_t i = first_with_port(o, port);
	     port != 0 && i < o->n && address_port(&o->v[i]->name) == port;
	     i++) {
		struct sock *l = o->v[i];

		if (l->rec.listening && address_takes(&l->name, to) &&
		    (found == NULL || address_equal(&l->name, to)))
			found = l;
	}
	return found;
}

/* Does S wait in LISTENER? Then it is told; else it counts as cut off. */
static int
wait_in(struct ckpt *c, struct sock *s, struct sock *listener)
{
	struct sockets *ss = c->files->sockets;
	size_t n = listener->rec.n_pending;
	autoclose int fd = -1;
	void *p;

	fd = tracee_pull_fd(s->task->pid, s->fd_in_task, NULL);
	if (fd < 0 || !tcp_is_unaccepted(&s->name, &s->peer))
		return 0;
	if (tcp_has_sent(fd)) {
		note(c, s->task,
		    "descriptor %d, a TCP socket, has sent data before it "
		    "was accepted: it will be cut off",
		    s->fd_in_task);
		s->rec.ending = ENDING_RESET;
		return 0;
	}
	p = reallocarray(listener->pending, n + 1, sizeof *listener->pending);
	if (p == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	listener->pending = p;
	listener->rec.pending = p;
	listener->pending[listener->rec.n_pending++] = id_of(ss, s);
	s->rec.peer = id_of(ss, listener);
	s->rec.peer_name.data = (uint8_t *)&s->peer.room;
	s->rec.peer_name.len = s->peer.len;
	return 0;
}

/* Nothing more can come, or ever came: poll(2), POLLRDHUP. */
static bool
is_read_out(const struct sock *s)
{
	autoclose int fd = -1;
	struct pollfd p = { .events = POLLRDHUP };

	fd = tracee_pull_fd(s->task->pid, s->fd_in_task, NULL);
	p.fd = fd;
	return fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLRDHUP) != 0;
}

static void
find_shut(struct sock *s)
{
	s->rec.shut_write = s->state == TCP_ST_FIN_WAIT1 ||
	    s->state == TCP_ST_FIN_WAIT2 || s->state == TCP_ST_CLOSING ||
	    s->state == TCP_ST_LAST_ACK || s->state == TCP_ST_TIME_WAIT;
	s->rec.shut_read = (s->state == TCP_ST_ESTABLISHED ||
			       s->state == TCP_ST_FIN_WAIT1 ||
			       s->state == TCP_ST_FIN_WAIT2) &&
	    is_read_out(s);
}

static int
find_tcp(struct ckpt *c, struct sock *s, const struct order *o)
{
	struct sockets *ss = c->files->sockets;
	struct sock *peer = find_end(o, s), *listener;
	int r;

	if (s->state == TCP_ST_CLOSE) {
		s->rec.lone = !is_read_out(s);
		s->rec.ending = s->rec.lone ? ENDING_NONE : ENDING_OVER;
		return 0;
	}
	find_shut(s);
	s->rec.peer = id_of(ss, peer);
	if (peer != NULL) {
		s->rec.accepted = !peer->rec.accepted &&
		    (find_listener(o, &s->name) != NULL ||
			find_listener(o, &peer->name) == NULL);
		return 0;
	}
	listener = find_listener(o, &s->peer);
	if (listener != NULL && s->state == TCP_ST_ESTABLISHED) {
		r = wait_in(c, s, listener);
		if (r < 0 || s->rec.peer != 0 || s->rec.ending != 0)
			return r;
	}
	if (s->state == TCP_ST_CLOSE_WAIT || s->state == TCP_ST_LAST_ACK ||
	    s->state == TCP_ST_CLOSING || s->state == TCP_ST_TIME_WAIT) {
		s->rec.ending = ENDING_EOF;
	} else {
		char text[ADDRESS_TEXT];

		s->rec.ending = ENDING_RESET;
		note(c, s->task,
		    "descriptor %d, a TCP connection to %s, which is outside: "
		    "it will be cut off",
		    s->fd_in_task, address_text(&s->peer, text));
	}
	return 0;
}

/* ---- all ---- */

static int
find_one(struct ckpt *c, struct sock *s, const struct order *inos,
    const struct order *ports)
{
	if (s->rec.listening || s->rec.domain == AF_NETLINK) {
		s->rec.lone = true;
		return 0;
	}
	if (sock_is_tcp(&s->rec))
		return find_tcp(c, s, ports);
	if (s->rec.domain == AF_UNIX && sock_is_stream(&s->rec))
		return find_unix_stream(c, s, inos);
	if (s->rec.domain == AF_UNIX)
		return find_unix_datagram(c, s, inos);
	s->rec.lone = true;
	if (s->peer.len > 0) {
		s->rec.peer_name.data = (uint8_t *)&s->peer.room;
		s->rec.peer_name.len = s->peer.len;
	}
	return 0;
}

int
peers_find(struct ckpt *c)
{
	struct sockets *ss = c->files->sockets;
	scoped(order_done) struct order inos = { NULL, 0 }, ports = { NULL, 0 };
	int r;

	r = order_by(c, by_ino, &inos);
	if (r >= 0)
		r = order_by(c, by_port, &ports);
	for (size_t i = 0; r >= 0 && i < ss->n; i++)
		if (ss->v[i].rec.listening && ss->v[i].rec.domain == AF_UNIX)
			r = find_waiting(c, &ss->v[i], &inos);
	for (size_t i = 0; r >= 0 && i < ss->n; i++)
		r = find_one(c, &ss->v[i], &inos, &ports);
	return r;
}
