/*
 * revive.c - all sockets of an image made again, in the restorer, in this
 * order: connections, whose listening sockets of the moment need the names of
 * the real ones; then all others under their names; what waits in datagram
 * sockets, before they are connected; those that wait to be accepted; and,
 * when all are there, options and names that nobody could see any more.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/scope.h"
#include "ckpt/sockets/socket.h"

/* ---- the records ---- */

static bool
makes_sense(const Img__Socket *m, size_t i, size_t n)
{
	bool stream = m->type == SOCK_STREAM || m->type == SOCK_SEQPACKET;

	if (m->peer > n || m->ending > ENDING_OVER ||
	    (m->listening && (!stream || m->domain == AF_NETLINK)) ||
	    (m->dir[0] != '/' && m->dir[0] != '\0'))
		return false;
	for (size_t k = 0; k < m->n_pending; k++)
		if (!m->listening || m->pending[k] > n ||
		    m->pending[k] == i + 1)
			return false;
	if (m->domain == AF_UNIX)
		return stream || m->type == SOCK_DGRAM;
	if (m->domain == AF_NETLINK)
		return m->type == SOCK_RAW || m->type == SOCK_DGRAM;
	return (m->domain == AF_INET || m->domain == AF_INET6) &&
	    (m->type == SOCK_STREAM || m->type == SOCK_DGRAM);
}

/* Two ends must agree that they are; what waits waits in one that listens. */
static bool
agree(const struct sockets *ss, size_t i)
{
	const Img__Socket *m = ss->v[i].m, *o;

	if (m->peer == 0 || m->peer == i + 1)
		return true;
	o = ss->v[m->peer - 1].m;
	if (o->type != m->type || sock_is_inet(o) != sock_is_inet(m))
		return false;
	if (!sock_is_stream(m))
		return true;
	if (!o->listening)
		return o->peer == i + 1 && !m->listening &&
		    !(o->accepted && m->accepted);
	for (size_t k = 0; k < o->n_pending; k++)
		if (o->pending[k] == i + 1)
			return !m->listening;
	return false;
}

static int
load(struct ckpt *c)
{
	size_t n = image_count(c->img, IMG_SOCKET);

	for (size_t i = 0; i < n; i++) {
		struct sock *s = sock_new(c);
		uint64_t id;

		if (s == NULL)
			return -ENOMEM;
		s->m = image_get(c->img, IMG_SOCKET, i,
		    &img__socket__descriptor, &id, c->err);
		if (s->m == NULL)
			return -EBADMSG;
		if (id != i + 1 || !makes_sense(s->m, i, n) ||
		    !address_load(&s->m->name, s->m->domain, &s->name))
			return image_damaged(c, "a socket");
	}
	for (size_t i = 0; i < n; i++)
		if (!agree(c->files->sockets, i))
			return image_damaged(c, "two ends of a connection");
	return 0;
}

/* ---- what all need ---- */

struct sock *
sock_peer(struct sockets *ss, const struct sock *s)
{
	struct sock *peer;

	if (s->m->peer == 0)
		return NULL;
	peer = &ss->v[s->m->peer - 1];
	return peer == s || peer->m->listening ? NULL : peer;
}

int
sock_make(struct ckpt *c, struct sock *s)
{
	const Img__Socket *m = s->m;

	s->fd = socket((int)m->domain,
	    (int)m->type | SOCK_CLOEXEC | SOCK_NONBLOCK, (int)m->protocol);
	return s->fd < 0 ? err_sys(c->err, "making a socket") : 0;
}

void
sock_shut(const struct sock *s)
{
	if (s->m->shut_write)
		(void)shutdown(s->fd, SHUT_WR);
	if (s->m->shut_read)
		(void)shutdown(s->fd, SHUT_RD);
}

/* The description of socket S, for sentences. */
static const struct file *
file_of(const struct ckpt *c, const struct sock *s)
{
	uint64_t id = (uint64_t)(s - c->files->sockets->v) + 1;
	const struct files *fs = c->files;

	for (size_t i = 0; i < fs->n; i++)
		if (fs->v[i]->m->object == id && S_ISSOCK(fs->v[i]->m->mode))
			return fs->v[i];
	return NULL;
}

static void
refuse(struct ckpt *c, const struct sock *s, const char *why)
{
	const struct file *f = file_of(c, s);

	if (f != NULL)
		files_refuse(c, f, "%s, and revive again", why);
}

/* ---- under their names ---- */

/* A number that the kernel has probably chosen by itself. */
static bool
is_free_choice(const struct sock *s)
{
	unsigned from = 32768, to = 60999, port = address_port(&s->name);
	autofclose FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range",
	    "re");

	if (f != NULL && fscanf(f, "%u %u", &from, &to) != 2)
		from = 32768;
	return s->m->type == SOCK_DGRAM && port >= from && port <= to;
}

static int
bind_inet(struct ckpt *c, struct sock *s, char *ret_why)
{
	struct address any = s->name;
	char text[ADDRESS_TEXT];
	int on = 1, r;

	options_set(c->files->sockets, s->m, s->fd, OPTIONS_EARLY);
	/* Connections that have just ended do not count (TIME_WAIT). */
	if (sock_is_tcp(s->m))
		(void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on,
		    sizeof on);
	if (bind(s->fd, &s->name.any, s->name.len) == 0)
		return 0;
	r = -errno;
	if (s->m->peer_name.len > 0)
		return 1; /* connect(2) will give it one */
	address_set_port(&any, 0);
	if (is_free_choice(s) && bind(s->fd, &any.any, any.len) == 0)
		return 1;
	(void)snprintf(ret_why, ERR_MAX, "the %s socket for %s %s",
	    sock_is_tcp(s->m) ? "TCP" : "UDP", address_text(&s->name, text),
	    r == -EADDRINUSE        ? "is in use by another program: end it" :
		r == -EACCES        ? "is for privileged programs: be root" :
		r == -EADDRNOTAVAIL ? "has an address that this machine "
				      "lacks: add it" :
				      strerror(-r));
	return r;
}

static int
bind_netlink(struct sock *s)
{
	struct address a = s->name;

	if (bind(s->fd, &a.any, a.len) == 0)
		return 0;
	a.nl.nl_pid = 0; /* the number is taken */
	return bind(s->fd, &a.any, a.len) == 0 ? 1 : -errno;
}

/* One by itself: made, under its name, listening if it did. */
static int
make_lone(struct ckpt *c, struct sock *s)
{
	char why[ERR_MAX] = "", text[ADDRESS_TEXT];
	int r;

	r = sock_make(c, s);
	if (r < 0)
		return r;
	if (s->name.len == 0)
		r = 0;
	else if (s->m->domain == AF_UNIX)
		r = name_bind(c, s, why);
	else if (s->m->domain == AF_NETLINK)
		r = bind_netlink(s);
	else
		r = bind_inet(c, s, why);
	if (r < 0 && why[0] != '\0') {
		refuse(c, s, why);
		return 0;
	}
	if (r != 0)
		note(c, NULL, "a socket could not have its address %s again",
		    address_text(&s->name, text));
	if (s->m->listening && listen(s->fd, (int)s->m->backlog) < 0) {
		(void)snprintf(why, sizeof why,
		    "the socket for %s cannot listen again (%s): end who has "
		    "it",
		    address_text(&s->name, text), strerror(errno));
		refuse(c, s, why);
	}
	return 0;
}

/* ---- the order ---- */

/* Made by connecting: the ends of connections, and pairs. */
static bool
is_connection(struct sockets *ss, const struct sock *s)
{
	const Img__Socket *m = s->m;
	const struct sock *peer = sock_peer(ss, s);

	if (m->listening || m->domain == AF_NETLINK ||
	    (m->peer != 0 && peer == NULL &&
		m->peer != (uint64_t)(s - ss->v) + 1))
		return false; /* it waits to be accepted */
	if (sock_is_stream(m))
		return peer != NULL || !m->lone;
	if (m->domain != AF_UNIX)
		return false;
	/* Datagrams: a pair of which one has no name, or what is left of it. */
	if (peer != NULL)
		return sock_peer(ss, peer) == s &&
		    (s->name.len == 0 || peer->name.len == 0);
	return s->name.len == 0 && m->n_queue > 0;
}

typedef int step_fn(struct ckpt *c, struct sock *s);

static int
step_connect(struct ckpt *c, struct sock *s)
{
	return s->fd < 0 && is_connection(c->files->sockets, s) ?
	    connect_revive(c, s) :
	    0;
}

static int
step_alone(struct ckpt *c, struct sock *s)
{
	bool waits = s->m->peer != 0 && sock_is_stream(s->m);

	return s->fd < 0 && !waits ? make_lone(c, s) : 0;
}

/* UNIX pairs are filled, and connected, already. */
static bool
is_datagram(struct ckpt *c, const struct sock *s)
{
	return s->m->type == SOCK_DGRAM && s->m->domain != AF_NETLINK &&
	    !is_connection(c->files->sockets, s);
}

static int
step_fill(struct ckpt *c, struct sock *s)
{
	return is_datagram(c, s) ? datagram_fill(c, s) : 0;
}

static int
step_datagram(struct ckpt *c, struct sock *s)
{
	int r;

	if (!is_datagram(c, s))
		return 0;
	r = datagram_connect(c, s);
	sock_shut(s);
	return r;
}

static int
step_pending(struct ckpt *c, struct sock *s)
{
	struct sockets *ss = c->files->sockets;
	int r = 0;

	for (size_t k = 0; r >= 0 && k < s->m->n_pending; k++) {
		uint64_t id = s->m->pending[k];

		if (id == 0 || ss->v[id - 1].fd < 0)
			r = connect_pending(c, s,
			    id == 0 ? NULL : &ss->v[id - 1]);
	}
	return r;
}

static int
step_options(struct ckpt *c, struct sock *s)
{
	options_set(c->files->sockets, s->m, s->fd, OPTIONS_LATE);
	return 0;
}

/* Each takes one number only, however many there are: file_inherit(). */
static int
raise_number(struct ckpt *c, struct sock *s)
{
	if (s == NULL || s->fd < 0 || s->fd >= c->fd_base)
		return 0;
	s->fd = file_inherit(c, TAKE_FD(s->fd));
	return s->fd < 0 ? s->fd : 0;
}

int
sockets_make(struct ckpt *c)
{
	static step_fn *const steps[] = { step_connect, step_alone, step_fill,
		step_datagram, step_pending, step_options };
	struct sockets *ss;
	int r;

	r = FAULT("revive.sockets", c->err);
	if (r >= 0)
		r = load(c);
	ss = c->files->sockets;
	for (size_t k = 0; ss != NULL && k < N_ELEMENTS(steps); k++) {
		for (size_t i = 0; r >= 0 && i < ss->n; i++) {
			r = steps[k](c, &ss->v[i]);
			if (r >= 0)
				r = raise_number(c, &ss->v[i]);
			if (r >= 0)
				r = raise_number(c, sock_peer(ss, &ss->v[i]));
		}
		if (r >= 0 && c->files->refused.len > 0)
			r = err_set(c->err, -EADDRINUSE, "%.*s",
			    (int)c->files->refused.len,
			    (const char *)c->files->refused.data);
	}
	if (r >= 0)
		names_remove(ss, false);
	return r;
}

void
sockets_undo(struct ckpt *c)
{
	if (c->files != NULL)
		names_remove(c->files->sockets, true);
}

int
sockets_finish(struct ckpt *c)
{
	struct sockets *ss = c->files->sockets;

	for (size_t i = 0; ss != NULL && i < ss->n; i++)
		scope_close(&ss->v[i].fd);
	for (size_t i = 0; ss != NULL && i < ss->n_fresh; i++)
		scope_close(&ss->fresh[i].fd);
	return 0;
}
