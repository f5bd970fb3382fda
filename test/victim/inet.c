/*
 * inet.c - TCP and UDP: listening (both families, options), connections
 * within the tree with unread data both ways, half closed, waiting to be
 * accepted, to the outside, reset; bound only, unconnected; UDP unbound,
 * bound, connected, with datagrams and their senders.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "test/victim/victim.h"

#define MUCH 200000 /* bytes on their way: more than one window at first */

struct name {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

typedef int ask_fn(int, struct sockaddr *, socklen_t *);

static struct name
ask(ask_fn *how, int fd)
{
	struct name n = { .len = sizeof n.in6 };

	MUST(how(fd, &n.any, &n.len));
	return n;
}

static struct name
local(int domain)
{
	struct name n = { .len = domain == AF_INET6 ? sizeof n.in6 :
						      sizeof n.in };

	n.any.sa_family = (sa_family_t)domain;
	if (domain == AF_INET6)
		n.in6.sin6_addr = in6addr_loopback;
	else
		n.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return n;
}

/*
 * Bound to a port that is not given to others by chance: below the range of
 * ip_local_port_range.
 */
static int
bound(int type, struct name n, int v6only)
{
	int fd = MUST(socket(n.any.sa_family, type, 0)), i;
	unsigned seed = (unsigned)victim_now_ns(CLOCK_MONOTONIC);

	if (n.any.sa_family == AF_INET6)
		MUST(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
		    sizeof v6only));
	for (i = 0; i < 1000; i++) {
		n.in.sin_port = htons(
		    (in_port_t)(12000 + (seed + (unsigned)i * 7919) % 20000));
		if (bind(fd, &n.any, n.len) == 0)
			return fd;
	}
	victim_fail("no free port: %s", strerror(errno));
}

static int
listening(struct name n, int v6only)
{
	int fd = bound(SOCK_STREAM, n, v6only);

	MUST(listen(fd, 9));
	return fd;
}

static int
to(int type, struct name n)
{
	int fd = MUST(socket(n.any.sa_family, type, 0));

	MUST(connect(fd, &n.any, n.len));
	return fd;
}

static void
put(int fd, const char *text)
{
	EXPECT(send(fd, text, strlen(text), 0) == (ssize_t)strlen(text),
	    "sending '%s': %s", text, strerror(errno));
}

/* Its end included, when WANT ends in '$'. */
static void
expect(int fd, const char *want)
{
	char buf[256] = "";
	size_t len = strlen(want), n = 0;
	bool end = want[len - 1] == '$';

	len -= end;
	while (n < len) {
		ssize_t r = recv(fd, buf + n, len - n, 0);

		EXPECT(r > 0, "wanted '%s' after '%s': %s", want, buf,
		    r == 0 ? "end" : strerror(errno));
		n += (size_t)r;
	}
	EXPECT(memcmp(buf, want, len) == 0, "'%s', wanted '%s'", buf, want);
	if (end)
		EXPECT(recv(fd, buf, 1, 0) == 0, "no end after '%s'", want);
}

static void
same(ask_fn *how, int fd, const struct name *want, const char *what)
{
	struct name n = ask(how, fd);

	EXPECT(n.len == want->len && memcmp(&n.in6, &want->in6, n.len) == 0,
	    "%s: another address (port %u, was %u)", what, ntohs(n.in.sin_port),
	    ntohs(want->in.sin_port));
}

static void
talk(int a, int b, const char *what)
{
	put(a, what);
	expect(b, what);
	put(b, "answer");
	expect(a, "answer");
}

static int
option(int fd, int level, int name)
{
	int val = 0;
	socklen_t len = sizeof val;

	MUST(getsockopt(fd, level, name, &val, &len));
	return val;
}

static void
set(int fd, int level, int name, int val)
{
	MUST(setsockopt(fd, level, name, &val, sizeof val));
}

/* A connection within the tree. */
struct pair {
	int cl, sv;
	struct name cl_name, sv_name;
};

static struct pair
pair_at(int l, struct name n)
{
	struct pair p = { .cl = to(SOCK_STREAM, n) };

	p.sv = MUST(accept(l, NULL, NULL));
	p.cl_name = ask(getsockname, p.cl);
	p.sv_name = ask(getsockname, p.sv);
	return p;
}

static void
same_pair(const struct pair *p, const char *what)
{
	same(getsockname, p->cl, &p->cl_name, what);
	same(getpeername, p->cl, &p->sv_name, what);
	same(getsockname, p->sv, &p->sv_name, what);
}

/* A connection that the other side has reset, as its program knows. */
static int
reset(int l, struct name n)
{
	int fd = to(SOCK_STREAM, n), other = MUST(accept(l, NULL, NULL));
	struct linger now = { 1, 0 };

	MUST(setsockopt(other, SOL_SOCKET, SO_LINGER, &now, sizeof now));
	close(other);
	EXPECT(recv(fd, &now, 1, 0) < 0 && errno == ECONNRESET, "no reset");
	return fd;
}

static int
port_of(const struct name *n)
{
	return ntohs(n->in.sin_port);
}

static void
udp_expect(int fd, const char *want, int port)
{
	struct name from = { .len = sizeof from.in6 };
	char buf[64] = "";
	ssize_t n = recvfrom(fd, buf, sizeof buf - 1, MSG_DONTWAIT, &from.any,
	    &from.len);

	EXPECT(n == (ssize_t)strlen(want) && strcmp(buf, want) == 0,
	    "datagram '%s' (%zd), wanted '%s'", buf, n, want);
	EXPECT(port_of(&from) == port, "'%s' comes from port %d, not %d", want,
	    port_of(&from), port);
}

int
main(void)
{
	struct name at, wild = { .len = sizeof wild.in }, v6, udp_at, un;
	struct name only_at, u6_at;
	struct pair p, half, much, six, alone;
	int l, l6, lalone, waits, over, only, loose, u, uc, ufree, u6, fd, i;
	static char data[MUCH];
	struct pollfd pf;

	victim_init();
	signal(SIGPIPE, SIG_IGN);
	wild.in.sin_family = AF_INET;
	l = listening(wild, 0);
	set(l, SOL_SOCKET, SO_KEEPALIVE, 1);
	at = local(AF_INET);
	at.in.sin_port = ask(getsockname, l).in.sin_port;
	p = pair_at(l, at);
	set(p.cl, IPPROTO_TCP, TCP_NODELAY, 1);
	set(p.cl, IPPROTO_TCP, TCP_KEEPIDLE, 77);
	put(p.cl, "for the server");
	put(p.sv, "for the ");
	put(p.sv, "client");
	half = pair_at(l, at);
	put(half.cl, "request");
	MUST(shutdown(half.cl, SHUT_WR));
	much = pair_at(l, at);
	for (i = 0; i < MUCH; i++)
		data[i] = (char)(i * 7 / 3);
	MUST(fcntl(much.cl, F_SETFL, O_NONBLOCK));
	EXPECT(send(much.cl, data, MUCH, 0) == MUCH, "sending much: %s",
	    strerror(errno));
	over = reset(l, at);
	waits = to(SOCK_STREAM, at);
	l6 = -1;
	v6 = local(AF_INET6);
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd >= 0 && bind(fd, &v6.any, v6.len) == 0) {
		l6 = listening(v6, 1);
		v6 = ask(getsockname, l6);
		six = pair_at(l6, v6);
		put(six.cl, "six");
	}
	if (fd >= 0)
		close(fd);
	/* Nobody listens there any more. */
	lalone = listening(local(AF_INET), 0);
	alone = pair_at(lalone, ask(getsockname, lalone));
	close(lalone);
	put(alone.sv, "last words");
	close(alone.sv);
	only = bound(SOCK_STREAM, local(AF_INET), 0);
	only_at = ask(getsockname, only);
	loose = MUST(socket(AF_INET, SOCK_STREAM, 0));
	set(loose, SOL_SOCKET, SO_RCVBUF, 50000);
	i = option(loose, SOL_SOCKET, SO_RCVBUF);

	u = bound(SOCK_DGRAM, local(AF_INET), 0);
	udp_at = ask(getsockname, u);
	uc = bound(SOCK_DGRAM, local(AF_INET), 0);
	un = ask(getsockname, uc);
	MUST(connect(uc, &udp_at.any, udp_at.len));
	put(uc, "first");
	MUST((int)send(uc, "", 0, 0));
	put(uc, "third");
	/* Bound by sending, to any address. */
	ufree = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST((int)sendto(ufree, "loose", 5, 0, &udp_at.any, udp_at.len));
	u6 = socket(AF_INET6, SOCK_DGRAM, 0);
	u6_at = local(AF_INET6);
	if (u6 >= 0 && l6 >= 0) {
		close(u6);
		u6 = bound(SOCK_DGRAM, u6_at, 1);
		u6_at = ask(getsockname, u6);
	}

	victim_wait();

	same_pair(&p, "pair");
	expect(p.sv, "for the server");
	expect(p.cl, "for the client");
	talk(p.cl, p.sv, "pair");
	EXPECT(option(p.cl, IPPROTO_TCP, TCP_NODELAY) != 0, "TCP_NODELAY");
	EXPECT(option(p.cl, IPPROTO_TCP, TCP_KEEPIDLE) == 77, "TCP_KEEPIDLE");
	EXPECT(option(p.sv, SOL_SOCKET, SO_KEEPALIVE) == 1, "inherited");
	EXPECT(option(p.cl, SOL_SOCKET, SO_KEEPALIVE) == 0, "SO_KEEPALIVE");
	EXPECT(option(p.sv, SOL_SOCKET, SO_REUSEADDR) == 0, "SO_REUSEADDR");
	same_pair(&half, "half");
	expect(half.sv, "request$");
	put(half.sv, "reply");
	close(half.sv);
	expect(half.cl, "reply$");
	for (fd = 0; fd < MUCH; fd++) {
		char c;

		EXPECT(recv(much.sv, &c, 1, 0) == 1 && c == (char)(fd * 7 / 3),
		    "byte %d", fd);
	}
	talk(much.sv, much.cl, "much");
	EXPECT(recv(over, data, 1, 0) == 0, "reset one: %s", strerror(errno));
	EXPECT(send(over, data, 1, 0) < 0 && errno == EPIPE, "reset one");
	fd = MUST(accept(l, NULL, NULL));
	same(getpeername, waits, &at, "waited");
	talk(waits, fd, "waited");
	EXPECT(option(l, SOL_SOCKET, SO_KEEPALIVE) == 1, "listener");
	MUST(fcntl(l, F_SETFL, O_NONBLOCK));
	EXPECT(accept(l, NULL, NULL) < 0 && errno == EAGAIN, "more wait");
	fd = to(SOCK_STREAM, at);
	pf = (struct pollfd){ .fd = l, .events = POLLIN };
	EXPECT(poll(&pf, 1, 10000) == 1, "no new connection");
	talk(fd, MUST(accept(l, NULL, NULL)), "new");
	if (l6 >= 0) {
		same_pair(&six, "IPv6");
		expect(six.sv, "six");
		EXPECT(option(l6, IPPROTO_IPV6, IPV6_V6ONLY) == 1, "V6ONLY");
		close(to(SOCK_STREAM, v6));
		same(getsockname, u6, &u6_at, "UDP, IPv6");
	}
	expect(alone.cl, "last words$");
	same(getsockname, only, &only_at, "bound only");
	EXPECT(listen(only, 1) == 0, "listening at last");
	close(to(SOCK_STREAM, only_at));
	EXPECT(option(loose, SOL_SOCKET, SO_RCVBUF) == i, "SO_RCVBUF");
	EXPECT(recv(loose, data, 1, 0) < 0 && errno == ENOTCONN, "loose");
	MUST(connect(loose, &only_at.any, only_at.len));

	udp_expect(u, "first", port_of(&un));
	udp_expect(u, "", port_of(&un));
	udp_expect(u, "third", port_of(&un));
	un = ask(getsockname, ufree);
	udp_expect(u, "loose", port_of(&un));
	un = ask(getsockname, uc);
	same(getpeername, uc, &udp_at, "UDP");
	same(getsockname, uc, &un, "UDP, connected");
	MUST((int)sendto(u, "back", 4, 0, &un.any, un.len));
	EXPECT(recv(uc, data, sizeof data, 0) == 4, "UDP, back");
	MUST((int)sendto(ufree, "free", 4, 0, &udp_at.any, udp_at.len));
	EXPECT(recv(u, data, sizeof data, 0) == 4, "UDP, unbound");
	victim_ok();
}
