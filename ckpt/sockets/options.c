/*
 * options.c - what setsockopt(2) has set: socket(7), unix(7), ip(7), ipv6(7),
 * tcp(7), udp(7), netlink(7). Recorded is what differs from a fresh socket of
 * its kind; at revival all that differs from the record is set, because what
 * comes out of accept(2) has the options of the one that listens.
 *
 * Buffers whose size nobody has set (SO_BUF_LOCK, Linux 5.14) are left alone:
 * to set one would take it out of the kernel's own hands.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/udp.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ckpt/sockets/socket.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif
#define LOCK_SNDBUF 1 /* SOCK_SNDBUF_LOCK; kernel: uapi/linux/socket.h */
#define LOCK_RCVBUF 2
#define VALUE_MAX 32 /* bytes of the largest value below */

enum who { ANY, UNIX, INET, INET6, TCP, UDP, NETLINK };

static const struct option {
	enum who who;
	int level, name;
	bool early; /* counts when it is bound, or made to listen */
} options[] = {
	{ UNIX, SOL_SOCKET, SO_PASSCRED, false },
	{ UNIX, SOL_SOCKET, SO_PASSSEC, false },
	{ ANY, SOL_SOCKET, SO_RCVTIMEO, false },
	{ ANY, SOL_SOCKET, SO_SNDTIMEO, false },
	{ ANY, SOL_SOCKET, SO_RCVLOWAT, false },
	{ ANY, SOL_SOCKET, SO_TIMESTAMP, false },
	{ ANY, SOL_SOCKET, SO_TIMESTAMPNS, false },
	{ ANY, SOL_SOCKET, SO_TIMESTAMPING, false },
	{ ANY, SOL_SOCKET, SO_LINGER, false },
	{ ANY, SOL_SOCKET, SO_PRIORITY, false },
	{ UNIX, SOL_SOCKET, SO_PEEK_OFF, false },
	{ INET, SOL_SOCKET, SO_REUSEADDR, true },
	{ INET, SOL_SOCKET, SO_REUSEPORT, true },
	{ INET, SOL_SOCKET, SO_BINDTODEVICE, true },
	{ INET, SOL_SOCKET, SO_MARK, true },
	{ INET, SOL_SOCKET, SO_BROADCAST, false },
	{ INET, SOL_SOCKET, SO_KEEPALIVE, false },
	{ INET, SOL_SOCKET, SO_OOBINLINE, false },
	{ INET, SOL_SOCKET, SO_DONTROUTE, false },
	{ INET, SOL_SOCKET, SO_NO_CHECK, false },
	{ INET, SOL_SOCKET, SO_RXQ_OVFL, false },
	{ INET, SOL_SOCKET, SO_ZEROCOPY, false },
	{ INET, IPPROTO_IP, IP_FREEBIND, true },
	{ INET, IPPROTO_IP, IP_TRANSPARENT, true },
	{ INET, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, true },
	{ INET, IPPROTO_IP, IP_TOS, false },
	{ INET, IPPROTO_IP, IP_TTL, false },
	{ INET, IPPROTO_IP, IP_MINTTL, false },
	{ INET, IPPROTO_IP, IP_RECVERR, false },
	{ INET, IPPROTO_IP, IP_PKTINFO, false },
	{ INET, IPPROTO_IP, IP_RECVTTL, false },
	{ INET, IPPROTO_IP, IP_RECVTOS, false },
	{ INET, IPPROTO_IP, IP_MTU_DISCOVER, false },
	{ INET, IPPROTO_IP, IP_MULTICAST_TTL, false },
	{ INET, IPPROTO_IP, IP_MULTICAST_LOOP, false },
	{ INET, IPPROTO_IP, IP_MULTICAST_ALL, false },
	{ INET, IPPROTO_IP, IP_MULTICAST_IF, false },
	{ INET6, IPPROTO_IPV6, IPV6_V6ONLY, true },
	{ INET6, IPPROTO_IPV6, IPV6_FREEBIND, true },
	{ INET6, IPPROTO_IPV6, IPV6_TRANSPARENT, true },
	{ INET6, IPPROTO_IPV6, IPV6_TCLASS, false },
	{ INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, false },
	{ INET6, IPPROTO_IPV6, IPV6_RECVERR, false },
	{ INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO, false },
	{ INET6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, false },
	{ INET6, IPPROTO_IPV6, IPV6_RECVTCLASS, false },
	{ INET6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, false },
	{ INET6, IPPROTO_IPV6, IPV6_DONTFRAG, false },
	{ INET6, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, false },
	{ INET6, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, false },
	{ INET6, IPPROTO_IPV6, IPV6_MULTICAST_IF, false },
	{ TCP, IPPROTO_TCP, TCP_FASTOPEN, true },
	{ TCP, IPPROTO_TCP, TCP_CONGESTION, false },
	{ TCP, IPPROTO_TCP, TCP_KEEPIDLE, false },
	{ TCP, IPPROTO_TCP, TCP_KEEPINTVL, false },
	{ TCP, IPPROTO_TCP, TCP_KEEPCNT, false },
	{ TCP, IPPROTO_TCP, TCP_SYNCNT, false },
	{ TCP, IPPROTO_TCP, TCP_LINGER2, false },
	{ TCP, IPPROTO_TCP, TCP_DEFER_ACCEPT, false },
	{ TCP, IPPROTO_TCP, TCP_USER_TIMEOUT, false },
	{ TCP, IPPROTO_TCP, TCP_NOTSENT_LOWAT, false },
	{ TCP, IPPROTO_TCP, TCP_CORK, false },
	{ TCP, IPPROTO_TCP, TCP_NODELAY, false },
	{ UDP, IPPROTO_UDP, UDP_CORK, false },
	{ UDP, IPPROTO_UDP, UDP_SEGMENT, false },
	{ UDP, IPPROTO_UDP, UDP_GRO, false },
	{ NETLINK, SOL_NETLINK, NETLINK_PKTINFO, false },
	{ NETLINK, SOL_NETLINK, NETLINK_BROADCAST_ERROR, false },
	{ NETLINK, SOL_NETLINK, NETLINK_NO_ENOBUFS, false },
	{ NETLINK, SOL_NETLINK, NETLINK_CAP_ACK, false },
	{ NETLINK, SOL_NETLINK, NETLINK_EXT_ACK, false },
	{ NETLINK, SOL_NETLINK, NETLINK_GET_STRICT_CHK, false },
};

struct value {
	uint8_t data[VALUE_MAX];
	socklen_t len;
};

static bool
applies(const struct option *o, const Img__Socket *m)
{
	switch (o->who) {
	case ANY:
		return true;
	case UNIX:
		return m->domain == AF_UNIX;
	case INET:
		return sock_is_inet(m);
	case INET6:
		return m->domain == AF_INET6;
	case TCP:
		return sock_is_tcp(m);
	case UDP:
		return m->protocol == IPPROTO_UDP;
	case NETLINK:
		return m->domain == AF_NETLINK;
	}
	return false;
}

/* False: this socket, or this kernel, does not have it. */
static bool
get(int fd, const struct option *o, struct value *ret_val)
{
	*ret_val = (struct value){ .len = sizeof ret_val->data };
	return getsockopt(fd, o->level, o->name, ret_val->data,
		   &ret_val->len) == 0 &&
	    ret_val->len <= sizeof ret_val->data;
}

static bool
same(const struct value *a, const struct value *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* ---- save ---- */

static int
record(struct ckpt *c, Img__Socket *m, const struct option *o,
    const struct value *v)
{
	Img__SocketOption *p = malloc(sizeof *p);

	if (p == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	img__socket_option__init(p);
	p->level = (uint32_t)o->level;
	p->name = (uint32_t)o->name;
	p->value.data = malloc(v->len + 1);
	if (p->value.data == NULL) {
		free(p);
		return err_set(c->err, -ENOMEM, "out of memory");
	}
	memcpy(p->value.data, v->data, v->len);
	p->value.len = v->len;
	m->options[m->n_options++] = p;
	return 0;
}

uint32_t
option_number(int fd, int name)
{
	int val = 0;
	socklen_t len = sizeof val;

	return getsockopt(fd, SOL_SOCKET, name, &val, &len) < 0 ? 0 :
								  (uint32_t)val;
}

int
options_save(struct ckpt *c, struct sock *s, int fd)
{
	int fresh = sockets_fresh(c->files->sockets, &s->rec), r = 0;
	Img__Socket *m = &s->rec;

	m->locked = option_number(fd, SO_BUF_LOCK);
	m->send_buf = m->locked & LOCK_SNDBUF ? option_number(fd, SO_SNDBUF) :
						0;
	m->receive_buf = m->locked & LOCK_RCVBUF ?
	    option_number(fd, SO_RCVBUF) :
	    0;
	m->options = calloc(N_ELEMENTS(options), sizeof *m->options);
	if (m->options == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; r >= 0 && i < N_ELEMENTS(options); i++) {
		struct value now, usual;

		if (applies(&options[i], m) && get(fd, &options[i], &now) &&
		    get(fresh, &options[i], &usual) && !same(&now, &usual))
			r = record(c, m, &options[i], &now);
	}
	return r;
}

void
options_free(Img__Socket *m)
{
	for (size_t i = 0; i < m->n_options; i++) {
		free(m->options[i]->value.data);
		free(m->options[i]);
	}
	free(m->options);
	m->options = NULL;
	m->n_options = 0;
}

/* ---- revival ---- */

/* What O was: as recorded, else as of a fresh socket. */
static bool
wanted(const Img__Socket *m, int fresh, const struct option *o,
    struct value *ret_val)
{
	for (size_t i = 0; i < m->n_options; i++) {
		const Img__SocketOption *p = m->options[i];

		if (p->level != (uint32_t)o->level ||
		    p->name != (uint32_t)o->name || p->value.len == 0 ||
		    p->value.len > VALUE_MAX)
			continue;
		*ret_val = (struct value){ .len = (socklen_t)p->value.len };
		memcpy(ret_val->data, p->value.data, p->value.len);
		return true;
	}
	return get(fresh, o, ret_val);
}

/* Sizes are told doubled and set halved: socket(7). Beyond the limit: root. */
static void
set_size(int fd, int name, int force, uint32_t told)
{
	int size = (int)(told / 2);

	(void)setsockopt(fd, SOL_SOCKET, name, &size, sizeof size);
	if (option_number(fd, name) < told)
		(void)setsockopt(fd, SOL_SOCKET, force, &size, sizeof size);
}

void
options_widen(int fd)
{
	set_size(fd, SO_SNDBUF, SO_SNDBUFFORCE, INT32_MAX);
	set_size(fd, SO_RCVBUF, SO_RCVBUFFORCE, INT32_MAX);
}

static void
set_buffers(const Img__Socket *m, int fd, int fresh)
{
	bool old = m->locked == 0 && m->send_buf != 0; /* the first release's */
	uint32_t locked = old ? LOCK_SNDBUF | LOCK_RCVBUF : m->locked;

	if (locked == 0 && option_number(fd, SO_BUF_LOCK) == 0)
		return;
	set_size(fd, SO_SNDBUF, SO_SNDBUFFORCE,
	    locked & LOCK_SNDBUF ? m->send_buf :
				   option_number(fresh, SO_SNDBUF));
	set_size(fd, SO_RCVBUF, SO_RCVBUFFORCE,
	    locked & LOCK_RCVBUF ? m->receive_buf :
				   option_number(fresh, SO_RCVBUF));
	(void)setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &locked, sizeof locked);
}

void
options_set(struct sockets *ss, const Img__Socket *m, int fd,
    enum option_time when)
{
	int fresh = sockets_fresh(ss, m), on = 1;

	for (size_t i = 0; i < N_ELEMENTS(options); i++) {
		const struct option *o = &options[i];
		struct value want, now;

		if (applies(o, m) && (o->early || when == OPTIONS_LATE) &&
		    wanted(m, fresh, o, &want) &&
		    (!get(fd, o, &now) || !same(&now, &want)))
			(void)setsockopt(fd, o->level, o->name, want.data,
			    want.len);
	}
	if (when == OPTIONS_EARLY)
		return;
	if (m->pass_cred)
		(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
	set_buffers(m, fd, fresh);
}
