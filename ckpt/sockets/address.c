/*
 * address.c - addresses of sockets: unix(7), ip(7), ipv6(7).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ckpt/sockets/socket.h"

#define UN_PATH offsetof(struct sockaddr_un, sun_path)

static bool
is_any(const struct address *a)
{
	return (a->any.sa_family == AF_INET &&
		   a->in.sin_addr.s_addr == INADDR_ANY) ||
	    (a->any.sa_family == AF_INET6 &&
		IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr));
}

/* What a socket that was never bound answers. */
static bool
is_blank(const struct address *a)
{
	if (a->any.sa_family == AF_NETLINK)
		return a->nl.nl_pid == 0 && a->nl.nl_groups == 0;
	return is_any(a) && address_port(a) == 0;
}

static void
ask(int (*how)(int, struct sockaddr *, socklen_t *), int fd,
    struct address *ret_a)
{
	*ret_a = (struct address){ .len = sizeof ret_a->room };
	if (how(fd, &ret_a->any, &ret_a->len) < 0 ||
	    ret_a->len > sizeof ret_a->room ||
	    ret_a->len <= sizeof ret_a->any.sa_family || is_blank(ret_a))
		ret_a->len = 0;
}

void
address_own(int fd, struct address *ret_a)
{
	ask(getsockname, fd, ret_a);
}

void
address_peer(int fd, struct address *ret_a)
{
	ask(getpeername, fd, ret_a);
}

bool
address_load(const ProtobufCBinaryData *data, uint32_t domain,
    struct address *ret_a)
{
	*ret_a = (struct address){ .len = (socklen_t)data->len };
	if (data->len == 0)
		return true;
	if (data->len <= sizeof ret_a->any.sa_family ||
	    data->len > sizeof ret_a->room)
		return false;
	memcpy(&ret_a->room, data->data, data->len);
	if (domain == AF_UNIX)
		return ret_a->any.sa_family == AF_UNIX &&
		    data->len <= sizeof ret_a->un + 1;
	if (domain == AF_NETLINK)
		return ret_a->any.sa_family == AF_NETLINK &&
		    data->len == sizeof ret_a->nl;
	return (ret_a->any.sa_family == AF_INET &&
		   data->len == sizeof ret_a->in) ||
	    (ret_a->any.sa_family == AF_INET6 && domain == AF_INET6 &&
		data->len == sizeof ret_a->in6);
}

/* As IPv6; an IPv4 address in the form that both share. False: neither. */
static bool
to_in6(const struct address *a, struct in6_addr *ret_in6)
{
	if (a->len >= sizeof a->in && a->any.sa_family == AF_INET) {
		memset(ret_in6, 0, sizeof *ret_in6);
		ret_in6->s6_addr[10] = ret_in6->s6_addr[11] = 0xff;
		memcpy(&ret_in6->s6_addr[12], &a->in.sin_addr, 4);
		return true;
	}
	if (a->len < sizeof a->in6 || a->any.sa_family != AF_INET6)
		return false;
	*ret_in6 = a->in6.sin6_addr;
	return true;
}

static void
set_in6(struct address *a, const struct in6_addr *in6, in_port_t port)
{
	*a = (struct address){ .len = sizeof a->in6 };
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = port;
	a->in6.sin6_addr = *in6;
}

void
address_for(const struct address *a, uint32_t domain, struct address *ret_a)
{
	struct in6_addr in6;

	*ret_a = *a;
	if (a->any.sa_family == domain || !to_in6(a, &in6))
		return;
	if (domain == AF_INET6) {
		set_in6(ret_a, &in6, a->in.sin_port);
	} else if (domain == AF_INET) {
		*ret_a = (struct address){ .len = sizeof ret_a->in };
		ret_a->in.sin_family = AF_INET;
		ret_a->in.sin_port = a->in6.sin6_port;
		memcpy(&ret_a->in.sin_addr, &in6.s6_addr[12], 4);
	}
}

void
address_set_port(struct address *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET)
		a->in.sin_port = htons(port);
	else if (a->any.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
}

void
address_loopback(uint32_t domain, struct address *ret_a)
{
	*ret_a = (struct address){ .len = sizeof ret_a->in };
	if (domain == AF_INET6) {
		set_in6(ret_a, &in6addr_loopback, 0);
	} else {
		ret_a->in.sin_family = AF_INET;
		ret_a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
}

unsigned
address_port(const struct address *a)
{
	if (a->len == 0)
		return 0;
	if (a->any.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	return a->any.sa_family == AF_INET6 ? ntohs(a->in6.sin6_port) : 0;
}

bool
address_equal(const struct address *a, const struct address *b)
{
	struct in6_addr x, y;

	if (a->len == 0 || b->len == 0)
		return false;
	if (a->any.sa_family == AF_UNIX)
		return a->len == b->len && memcmp(&a->un, &b->un, a->len) == 0;
	return to_in6(a, &x) && to_in6(b, &y) &&
	    memcmp(&x, &y, sizeof x) == 0 && address_port(a) == address_port(b);
}

bool
address_takes(const struct address *a, const struct address *b)
{
	struct in6_addr y;

	if (address_equal(a, b))
		return true;
	if (a->len == 0 || b->len == 0 || !is_any(a) || !to_in6(b, &y))
		return false;
	return address_port(a) == address_port(b) &&
	    (a->any.sa_family == AF_INET6 || IN6_IS_ADDR_V4MAPPED(&y));
}

bool
address_is_path(const struct address *a)
{
	return a->len > UN_PATH && a->any.sa_family == AF_UNIX &&
	    a->un.sun_path[0] != '\0';
}

const char *
address_text(const struct address *a, char ret_text[ADDRESS_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "?";
	const void *at = a->any.sa_family == AF_INET ?
	    (const void *)&a->in.sin_addr :
	    (const void *)&a->in6.sin6_addr;

	if (a->len > UN_PATH && a->any.sa_family == AF_UNIX)
		(void)snprintf(ret_text, ADDRESS_TEXT, "%s%.*s",
		    address_is_path(a) ? "" : "@",
		    (int)(a->len - UN_PATH) - !address_is_path(a),
		    a->un.sun_path + !address_is_path(a));
	else if (address_port(a) == 0)
		(void)snprintf(ret_text, ADDRESS_TEXT, "(no name)");
	else if (is_any(a))
		(void)snprintf(ret_text, ADDRESS_TEXT, "port %u",
		    address_port(a));
	else
		(void)snprintf(ret_text, ADDRESS_TEXT, "%s port %u",
		    inet_ntop(a->any.sa_family, at, host, sizeof host),
		    address_port(a));
	return ret_text;
}
