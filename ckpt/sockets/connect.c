/*
 * connect.c - connections made again. Between two sockets of the tree: by a
 * listening socket that exists for this moment, has the name of the end that
 * came out of accept(2), and is gone before the real one of that name is
 * made; so both ends have the addresses that they had. With the outside: to a
 * socket of our own, which goes at once, as a crash of the other side would
 * look. Pairs of UNIX sockets without names: socketpair(2).
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/sockets/socket.h"

#define WAIT_MS 2000   /* for a connection within this machine */
#define LINGER_MS 1500 /* TIME_WAIT of the old one, while it forbids */
#define BACKLOG 128    /* strangers may come in between */

/* ---- the two sides ---- */

static void
allow_again(int fd)
{
	int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

/* S->fd under its own name if that can be had: else a note, and any name. */
static void
take_name(struct ckpt *c, struct sock *s)
{
	char why[ERR_MAX] = "", text[ADDRESS_TEXT];
	int r = 0;

	if (s->name.len == 0)
		return;
	if (s->m->domain == AF_UNIX) {
		r = name_bind(c, s, why);
	} else {
		options_set(c->files->sockets, s->m, s->fd, OPTIONS_EARLY);
		allow_again(s->fd);
		if (bind(s->fd, &s->name.any, s->name.len) < 0)
			r = -errno;
	}
	if (r != 0)
		note(c, NULL,
		    "a connection could not have its address %s again",
		    address_text(&s->name, text));
}

/*
 * A listening socket like S, under its name. S may be NULL: under any name
 * of the kind of LIKE.
 */
static int
make_listener(struct ckpt *c, struct sock *s, const struct sock *like,
    struct address *ret_at)
{
	struct sock tmp = { .m = like->m, .fd = -1 };
	struct address any;
	int r;

	r = sock_make(c, s != NULL ? s : &tmp);
	if (r < 0)
		return r;
	if (s != NULL)
		take_name(c, s);
	r = s != NULL ? TAKE_FD(s->fd) : TAKE_FD(tmp.fd);
	address_own(r, ret_at);
	if (like->m->domain == AF_UNIX) {
		any = (struct address){ .len = sizeof(sa_family_t) };
		any.any.sa_family = AF_UNIX;
	} else {
		address_loopback(like->m->domain, &any);
	}
	if (ret_at->len == 0 ||
	    (like->m->domain != AF_UNIX && address_port(ret_at) == 0))
		(void)bind(r, &any.any, any.len);
	if (listen(r, BACKLOG) < 0) {
		(void)err_sys(c->err, "listening for a moment");
		(void)close(r);
		return -EIO;
	}
	address_own(r, ret_at);
	return r;
}

static bool
is_ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, WAIT_MS) > 0 && (p.revents & events) != 0;
}

/* What an earlier connection has left of its addresses goes in a moment. */
static int
connect_to(int fd, const struct address *at)
{
	const struct timespec moment = { .tv_nsec = 20 * 1000000 };
	int r = 0, num = 0;
	socklen_t len = sizeof num;

	for (int ms = 0; ms < LINGER_MS; ms += 20) {
		r = connect(fd, &at->any, at->len) < 0 ? -errno : 0;
		if (r != -EADDRNOTAVAIL)
			break;
		(void)nanosleep(&moment, NULL);
	}
	if (r != -EINPROGRESS)
		return r;
	if (!is_ready(fd, POLLOUT) ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &num, &len) < 0)
		return -ETIMEDOUT;
	return -num;
}

/* Is ACCEPTED the other end of CLIENT, not some stranger's? */
static bool
belong(int accepted, int client)
{
	struct address a, b;
	struct ucred cred;
	socklen_t len = sizeof cred;

	address_own(client, &a);
	address_peer(accepted, &b);
	if (a.len > 0 && a.any.sa_family != AF_UNIX)
		return address_equal(&a, &b);
	return getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &cred, &len) ==
	    0 &&
	    cred.pid == getpid();
}

static int
accept_from(int listener, int client)
{
	for (int i = 0; i < BACKLOG && is_ready(listener, POLLIN); i++) {
		int fd = accept4(listener, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0 && belong(fd, client))
			return fd;
		scope_close(&fd);
	}
	return -ETIMEDOUT;
}

/*
 * Client B and accepted A, of which one may be NULL, connected. The one that
 * is NULL becomes *RET_OTHER.
 */
static int
join(struct ckpt *c, struct sock *a, struct sock *b, int *ret_other)
{
	struct sock tmp = { .m = a != NULL ? a->m : b->m, .fd = -1 };
	struct sock *client = b != NULL ? b : &tmp;
	struct address at, to;
	autoclose int listener = -1;
	int fd, r;

	listener = make_listener(c, a, a != NULL ? a : b, &at);
	if (listener < 0)
		return listener;
	r = sock_make(c, client);
	if (r < 0)
		return r;
	if (b != NULL && b->m->ending == ENDING_NONE)
		take_name(c, b);
	address_for(&at, client->m->domain, &to);
	r = connect_to(client->fd, &to);
	if (r < 0 && b != NULL && sock_is_inet(b->m)) {
		/* From any port, then. */
		scope_close(&b->fd);
		r = sock_make(c, b);
		if (r >= 0)
			r = connect_to(b->fd, &to);
		note(c, NULL, "a connection comes from another port now");
	}
	fd = r < 0 ? r : accept_from(listener, client->fd);
	if (fd < 0) {
		scope_close(&tmp.fd);
		return err_num(c->err, fd,
		    "connecting two sockets of the tree again");
	}
	if (a != NULL)
		a->fd = fd;
	*ret_other = a == NULL ? fd : b == NULL ? TAKE_FD(tmp.fd) : -1;
	return 0;
}

static int
make_pair(struct ckpt *c, struct sock *s, struct sock *peer, int *ret_other)
{
	int ends[2];

	if (socketpair(AF_UNIX, (int)s->m->type | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, ends) < 0)
		return err_sys(c->err, "making a pair of sockets");
	s->fd = ends[0];
	if (peer != NULL)
		peer->fd = ends[1];
	*ret_other = peer != NULL ? -1 : ends[1];
	take_name(c, s); /* of datagram sockets, one may have one */
	if (peer != NULL)
		take_name(c, peer);
	return 0;
}

/* ---- what was on its way ---- */

static int
fill(struct ckpt *c, struct sock *s, int from)
{
	int on = 1;

	if (s->m->n_queue == 0 && s->m->farewell.len == 0)
		return 0;
	options_widen(s->fd);
	options_widen(from);
	if (sock_is_tcp(s->m))
		(void)setsockopt(from, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on,
		    sizeof on);
	return queue_fill(c, s->m, from);
}

/* OTHER, the end of S that is not in the tree, goes. */
static void
end_like(const struct sock *s, int *other)
{
	struct linger now = { .l_onoff = 1 };
	int num;

	if (s->m->ending == ENDING_RESET || s->m->ending == ENDING_OVER)
		(void)setsockopt(*other, SOL_SOCKET, SO_LINGER, &now,
		    sizeof now);
	scope_close(other);
	if (s->m->ending == ENDING_OVER)
		(void)getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &num,
		    &(socklen_t){ sizeof num });
}

/* UNIX, and none of the two has a name. */
static bool
is_nameless(const struct sock *s, const struct sock *peer)
{
	return s->m->domain == AF_UNIX && s->name.len == 0 &&
	    (peer == NULL || peer->name.len == 0);
}

int
connect_revive(struct ckpt *c, struct sock *s)
{
	struct sock *peer = sock_peer(c->files->sockets, s);
	struct sock *a = s->m->accepted ? s : peer;
	struct sock *b = s->m->accepted ? peer : s;
	autoclose int other = -1;
	int r;

	if (peer == NULL && s->m->domain != AF_UNIX)
		a = NULL, b = s; /* its addresses are of no use any more */
	if (is_nameless(s, peer) || s->m->type == SOCK_DGRAM)
		r = make_pair(c, s, peer, &other);
	else
		r = join(c, a, b, &other);
	if (r >= 0)
		r = fill(c, s, peer != NULL ? peer->fd : other);
	if (r >= 0 && peer != NULL)
		r = fill(c, peer, s->fd);
	if (r < 0)
		return r;
	sock_shut(s);
	if (peer != NULL)
		sock_shut(peer);
	else
		end_like(s, &other);
	return 0;
}

int
connect_pending(struct ckpt *c, struct sock *listener, struct sock *s)
{
	struct sock gone = { .m = listener->m, .fd = -1 };
	struct sock *client = s != NULL ? s : &gone;
	struct address to = listener->name;
	int r;

	r = sock_make(c, client);
	if (r < 0)
		return r;
	if (s != NULL)
		take_name(c, s);
	if (s != NULL && sock_is_inet(s->m))
		(void)address_load(&s->m->peer_name, s->m->domain, &to);
	r = connect_to(client->fd, &to);
	if (r < 0)
		note(c, NULL,
		    "a connection that waited to be accepted is gone: %s",
		    strerror(-r));
	if (s != NULL && r >= 0)
		sock_shut(s);
	scope_close(&gone.fd);
	return 0;
}
