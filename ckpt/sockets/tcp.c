/*
 * tcp.c - what TCP says of a connection: struct tcp_info of tcp(7), and
 * /proc/net/tcp of proc(5), whose inode is 0 for whom nobody has accepted.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/scope.h"
#include "ckpt/sockets/socket.h"

static bool
info(int fd, struct tcp_info *ret_info)
{
	socklen_t len = sizeof *ret_info;

	memset(ret_info, 0, sizeof *ret_info);
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret_info, &len) == 0;
}

uint32_t
tcp_state(int fd)
{
	struct tcp_info ti;

	return info(fd, &ti) ? ti.tcpi_state : 0;
}

/* Of a listening socket these two fields mean: who waits, who may. */
uint32_t
tcp_backlog(int fd)
{
	struct tcp_info ti;

	return info(fd, &ti) ? ti.tcpi_sacked : SOMAXCONN;
}

bool
tcp_has_sent(int fd)
{
	struct tcp_info ti;

	return info(fd, &ti) &&
	    (ti.tcpi_bytes_sent > 0 || ti.tcpi_notsent_bytes > 0);
}

/* A FIN that has come counts as one byte received. */
static uint64_t
on_its_way(int from, int to)
{
	struct tcp_info a, b;
	uint64_t sent;

	if (!info(from, &a) || !info(to, &b))
		return 0;
	sent = a.tcpi_bytes_sent - a.tcpi_bytes_retrans + a.tcpi_notsent_bytes;
	return sent > b.tcpi_bytes_received ? sent - b.tcpi_bytes_received : 0;
}

/* What Nagle's algorithm or TCP_CORK holds back goes when this is set. */
static void
push(int from)
{
	int was = 0, on = 1;

	if (getsockopt(from, IPPROTO_TCP, TCP_NODELAY, &was,
		&(socklen_t){ sizeof was }) < 0)
		return;
	(void)setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (!was)
		(void)setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &was,
		    sizeof was);
}

/* A look at all that is there makes the kernel announce a larger window. */
static void
open_window(int to)
{
	int len = 0;
	autofree char *data = NULL;

	if (ioctl(to, SIOCINQ, &len) < 0 || len <= 0)
		return;
	data = malloc((size_t)len);
	if (data != NULL)
		(void)recv(to, data, (size_t)len, MSG_PEEK | MSG_DONTWAIT);
}

uint64_t
tcp_undelivered(int from, int to)
{
	uint64_t left = on_its_way(from, to);
	int size = 0, wide = INT32_MAX / 2, lock = 0;
	socklen_t len = sizeof size;

	if (left == 0)
		return 0;
	push(from);
	left = on_its_way(from, to);
	if (left == 0 || getsockopt(to, SOL_SOCKET, SO_RCVBUF, &size, &len) < 0)
		return left;
	(void)getsockopt(to, SOL_SOCKET, SO_BUF_LOCK, &lock, &len);
	(void)setsockopt(to, SOL_SOCKET, SO_RCVBUF, &wide, sizeof wide);
	(void)setsockopt(to, SOL_SOCKET, SO_RCVBUFFORCE, &wide, sizeof wide);
	open_window(to);
	left = on_its_way(from, to);
	size /= 2; /* told doubled: socket(7) */
	(void)setsockopt(to, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	(void)setsockopt(to, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	(void)setsockopt(to, SOL_SOCKET, SO_BUF_LOCK, &lock, sizeof lock);
	return left;
}

/* ---- who has not been accepted ---- */

/* "0100007F:1F90", words in the order of this machine; or 32 digits. */
static bool
parse_address(const char *text, struct address *ret_a)
{
	const char *colon = strchr(text, ':');
	uint32_t words[4];
	unsigned port;
	size_t n = colon == NULL ? 0 : (size_t)(colon - text) / 8;

	if ((n != 1 && n != 4) || sscanf(colon, ":%x", &port) != 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (sscanf(text + i * 8, "%8" SCNx32, &words[i]) != 1)
			return false;
	*ret_a = (struct address){ .len = n == 1 ? sizeof ret_a->in :
						   sizeof ret_a->in6 };
	ret_a->any.sa_family = n == 1 ? AF_INET : AF_INET6;
	if (n == 1) {
		ret_a->in.sin_port = htons((uint16_t)port);
		memcpy(&ret_a->in.sin_addr, words, 4);
	} else {
		ret_a->in6.sin6_port = htons((uint16_t)port);
		memcpy(&ret_a->in6.sin6_addr, words, 16);
	}
	return true;
}

static bool
find_unaccepted(const char *table, const struct address *own,
    const struct address *peer)
{
	autofclose FILE *f = fopen(table, "re");
	char line[512], local[64], remote[64];
	struct address a, b;
	uint64_t ino;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line,
			" %*s %63s %63s %*s %*s %*s %*s %*s %*s %" SCNu64,
			local, remote, &ino) == 3 &&
		    ino == 0 && parse_address(local, &a) &&
		    parse_address(remote, &b) && address_equal(&a, peer) &&
		    address_equal(&b, own))
			return true;
	return false;
}

bool
tcp_is_unaccepted(const struct address *own, const struct address *peer)
{
	return find_unaccepted("/proc/net/tcp", own, peer) ||
	    find_unaccepted("/proc/net/tcp6", own, peer);
}
