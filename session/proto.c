/*
 * proto.c - see proto.h.
 */
#include "session/proto.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pass.h"
#include "base/scope.h"
#include "base/utf8.h"

void
packet_done(struct packet *p)
{
	size_t i;

	if (p->msg != NULL)
		sess__message__free_unpacked(p->msg, NULL);
	for (i = 0; i < p->n_fds; i++)
		scope_close(&p->fds[i]);
	*p = PACKET_NONE;
}

Sess__Message
proto_message(Sess__Kind kind)
{
	Sess__Message m = SESS__MESSAGE__INIT;

	m.kind = kind;
	return m;
}

int
proto_encode(const Sess__Message *m, uint8_t **ret_data, size_t *ret_len)
{
	size_t len = sess__message__get_packed_size(m);
	uint8_t *data;

	if (len > PROTO_MAX)
		return -EMSGSIZE;
	data = malloc(len == 0 ? 1 : len);
	if (data == NULL)
		return -ENOMEM;
	*ret_len = sess__message__pack(m, data);
	*ret_data = data;
	return 0;
}

int
proto_send(int sock, const Sess__Message *m, const int *fds, size_t n_fds,
    int flags)
{
	autofree uint8_t *data = NULL;
	size_t len;
	int r;

	r = proto_encode(m, &data, &len);
	return r < 0 ? r : pass_send(sock, data, len, fds, n_fds, flags);
}

/* Take the descriptors out of H; those beyond PROTO_FDS were cut off. */
static void
take_fds(struct msghdr *h, struct packet *p)
{
	struct cmsghdr *c;
	size_t n, i;
	int fd;

	for (c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
			if (p->n_fds < PROTO_FDS)
				p->fds[p->n_fds++] = fd;
			else
				(void)close(fd);
		}
	}
}

int
proto_recv(int sock, int flags, struct packet *ret_p)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(PROTO_FDS * sizeof(int))];
	} control;
	autofree uint8_t *data = malloc(PROTO_MAX);
	struct iovec iov = { .iov_base = data, .iov_len = PROTO_MAX };
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	struct packet p = PACKET_NONE;
	ssize_t n = -1;
	int tries;

	if (data == NULL)
		return -ENOMEM;
	/* A side that closes with our message unread resets the connection:
	 * that is told once, and before what it has said. */
	for (tries = 0; tries < 2; tries++) {
		do
			n = recvmsg(sock, &h, flags | MSG_CMSG_CLOEXEC);
		while (n < 0 && errno == EINTR);
		if (n >= 0 || errno != ECONNRESET)
			break;
	}
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	take_fds(&h, &p);
	if (n == 0) {
		packet_done(&p);
		return 0;
	}
	if ((h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		p.msg = sess__message__unpack(NULL, (size_t)n, data);
	if (p.msg == NULL) {
		packet_done(&p);
		return h.msg_flags & MSG_CTRUNC ? -EMFILE : -EBADMSG;
	}
	/* It is shown to people, and may come from another user's server. */
	if (p.msg->text != NULL)
		utf8_tame(p.msg->text, true);
	*ret_p = p;
	return 1;
}

int
proto_await(int sock, int timeout_ms, struct packet *ret_p)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	int r;

	do
		r = poll(&pfd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	if (r == 0)
		return -ETIMEDOUT;
	return proto_recv(sock, 0, ret_p);
}
