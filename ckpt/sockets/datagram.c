/*
 * datagram.c - datagram sockets of both families: what waits in them comes
 * from the address that it came from, as far as that can be had; then they are
 * connected again to whom they sent.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/sockets/socket.h"

/* The socket of the tree that has address A, and is no connection's end. */
static struct sock *
find_sender(struct sockets *ss, const struct sock *to, const struct address *a)
{
	for (size_t i = 0; i < ss->n; i++) {
		struct sock *s = &ss->v[i];

		if (s->m->type == to->m->type && s->fd >= 0 &&
		    s->m->domain == to->m->domain && address_takes(&s->name, a))
			return s;
	}
	return NULL;
}

/* Send message I of S from a socket of our own, under the sender's address. */
static int
send_from_own(struct ckpt *c, struct sock *s, const Img__SocketData *q,
    const struct address *from)
{
	struct sock tmp = { .m = s->m, .fd = -1 };
	bool named = false;
	int r;

	r = sock_make(c, &tmp);
	if (r < 0)
		return r;
	if (from->len > 0)
		named = name_borrow(tmp.fd, from) >= 0;
	r = from->len > 0 && !named && s->m->domain != AF_UNIX ?
	    -EADDRNOTAVAIL : /* who sent it matters more */
	    0;
	if (r >= 0 &&
	    sendto(tmp.fd, q->data.data, q->data.len, MSG_DONTWAIT,
		&s->name.any, s->name.len) < 0)
		r = -errno;
	if (named)
		name_return(from);
	scope_close(&tmp.fd);
	return r;
}

static int
send_one(struct ckpt *c, struct sock *s, const Img__SocketData *q)
{
	struct address from;
	struct sock *sender;

	if (!address_load(&q->from, s->m->domain, &from))
		return image_damaged(c, "a sender's address");
	sender = from.len == 0 ? NULL :
				 find_sender(c->files->sockets, s, &from);
	if (sender == NULL)
		return send_from_own(c, s, q, &from);
	return sendto(sender->fd, q->data.data, q->data.len, MSG_DONTWAIT,
		   &s->name.any, s->name.len) < 0 ?
	    -errno :
	    0;
}

int
datagram_fill(struct ckpt *c, struct sock *s)
{
	size_t lost = 0;
	char text[ADDRESS_TEXT];

	if (s->m->n_queue == 0 || s->name.len == 0)
		return 0;
	options_widen(s->fd);
	for (size_t i = 0; i < s->m->n_queue; i++) {
		int r = send_one(c, s, s->m->queue[i]);

		if (r == -EBADMSG)
			return r;
		lost += r < 0;
	}
	if (lost > 0)
		note(c, NULL,
		    "%zu datagrams that waited in %s could not be put back",
		    lost, address_text(&s->name, text));
	return 0;
}

int
datagram_connect(struct ckpt *c, struct sock *s)
{
	struct sock *peer = sock_peer(c->files->sockets, s);
	struct address to;
	char text[ADDRESS_TEXT];

	if (!address_load(&s->m->peer_name, s->m->domain, &to))
		return image_damaged(c, "an address of a socket");
	if (to.len == 0 && peer != NULL)
		to = peer->name;
	if (to.len > 0 && connect(s->fd, &to.any, to.len) < 0)
		note(c, NULL, "a socket could not be connected to %s again: %s",
		    address_text(&to, text), strerror(errno));
	return 0;
}
