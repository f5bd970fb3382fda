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

int
proto_recv(int sock, int flags, struct packet *ret_p)
{
	autofree uint8_t *data = malloc(PROTO_MAX);
	struct packet p = PACKET_NONE;
	int cut = flags;
	ssize_t n;

	if (data == NULL)
		return -ENOMEM;
	n = pass_take(sock, data, PROTO_MAX, p.fds, &p.n_fds, &cut);
	/* A side that closes with our message unread resets the connection:
	 * that is told once, and before what it has said. */
	if (n == -ECONNRESET) {
		cut = flags;
		n = pass_take(sock, data, PROTO_MAX, p.fds, &p.n_fds, &cut);
	}
	if (n < 0)
		return n == -ECONNRESET ? 0 : (int)n;
	if (n == 0) {
		packet_done(&p);
		return 0;
	}
	if ((cut & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		p.msg = sess__message__unpack(NULL, (size_t)n, data);
	if (p.msg == NULL) {
		packet_done(&p);
		return cut & MSG_CTRUNC ? -EMFILE : -EBADMSG;
	}
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
