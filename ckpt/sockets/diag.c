/*
 * diag.c - see diag.h. Source: sock_diag(7); kernel: net/unix/diag.c.
 */
#include "ckpt/sockets/diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/scope.h"

#define ANSWER_LEN (64u << 10) /* bytes of answers taken at once */

/* RCV_SHUTDOWN and SEND_SHUTDOWN; kernel: net/sock.h */
#define SHUT_READ 1
#define SHUT_WRITE 2

struct request {
	struct nlmsghdr head;
	struct unix_diag_req req;
};

static struct diag_sock *
add(struct diag *d)
{
	if (array_room(&d->v, d->n, &d->cap) < 0)
		return NULL;
	d->v[d->n] = (struct diag_sock){ .ino = 0 };
	return &d->v[d->n++];
}

static uint32_t
word(const uint8_t *p, size_t len, size_t i)
{
	uint32_t n = 0;

	if (len >= (i + 1) * sizeof n)
		memcpy(&n, p + i * sizeof n, sizeof n);
	return n;
}

/* One attribute of S: LEN bytes at P. */
static int
take_attribute(struct diag_sock *s, int type, const uint8_t *p, size_t len)
{
	if (type == UNIX_DIAG_PEER)
		s->peer = word(p, len, 0);
	else if (type == UNIX_DIAG_VFS)
		s->file_ino = word(p, len, 0);
	else if (type == UNIX_DIAG_RQLEN)
		s->backlog = word(p, len, 1);
	else if (type == UNIX_DIAG_SHUTDOWN && len > 0) {
		s->shut_read = (p[0] & SHUT_READ) != 0;
		s->shut_write = (p[0] & SHUT_WRITE) != 0;
	} else if (type == UNIX_DIAG_ICONS && s->waiting == NULL) {
		s->waiting = malloc(len + 1);
		if (s->waiting == NULL)
			return -ENOMEM;
		memcpy(s->waiting, p, len);
		s->n_waiting = len / sizeof *s->waiting;
	}
	return 0;
}

static int
take_message(struct diag *d, const uint8_t *data, size_t len)
{
	const size_t head = NLMSG_ALIGN(sizeof(struct nlmsghdr));
	const uint8_t *at, *end = data + len;
	struct unix_diag_msg m;
	struct diag_sock *s;
	int r = 0;

	if (len < head + sizeof m)
		return 0;
	memcpy(&m, data + head, sizeof m);
	s = add(d);
	if (s == NULL)
		return -ENOMEM;
	s->ino = m.udiag_ino;
	at = data + head + NLMSG_ALIGN(sizeof m);
	while (r >= 0 && at + sizeof(struct nlattr) <= end) {
		struct nlattr a;

		memcpy(&a, at, sizeof a);
		if (a.nla_len < sizeof a || a.nla_len > end - at)
			break;
		r = take_attribute(s, a.nla_type & NLA_TYPE_MASK, at + sizeof a,
		    a.nla_len - sizeof a);
		at += NLA_ALIGN(a.nla_len);
	}
	return r;
}

/* The answers in LEN bytes at DATA. 1: that was the last. */
static int
take_answers(struct diag *d, const uint8_t *data, size_t len)
{
	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		size_t step;
		int r;

		memcpy(&h, data, sizeof h);
		if (h.nlmsg_len < sizeof h || h.nlmsg_len > len ||
		    h.nlmsg_type == NLMSG_ERROR)
			return 1; /* it does not know the question */
		if (h.nlmsg_type == NLMSG_DONE) {
			d->told = true;
			return 1;
		}
		r = take_message(d, data, h.nlmsg_len);
		if (r < 0)
			return r;
		step = NLMSG_ALIGN(h.nlmsg_len);
		if (step > len)
			break;
		data += step;
		len -= step;
	}
	return 0;
}

static int
by_ino(const void *a, const void *b)
{
	const struct diag_sock *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

int
diag_unix(struct diag *d, struct err *e)
{
	struct request q = {
		.head = { .nlmsg_len = sizeof q,
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_UNIX,
		    .udiag_states = ~0u,
		    .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_VFS |
			UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN },
	};
	autofree uint8_t *data = malloc(ANSWER_LEN);
	autoclose int nl = -1;
	int r = 0;

	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (data == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	if (nl < 0 || send(nl, &q, sizeof q, 0) != (ssize_t)sizeof q)
		return 0;
	while (r == 0) {
		ssize_t n = recv(nl, data, ANSWER_LEN, 0);

		if (n < 0 && errno == EINTR)
			continue;
		r = n <= 0 ? 1 : take_answers(d, data, (size_t)n);
	}
	if (r < 0)
		return err_set(e, r, "out of memory");
	if (d->n > 0)
		qsort(d->v, d->n, sizeof *d->v, by_ino);
	return 0;
}

const struct diag_sock *
diag_find(const struct diag *d, uint64_t ino)
{
	struct diag_sock key = { .ino = ino };

	return d->n == 0 ? NULL :
			   bsearch(&key, d->v, d->n, sizeof *d->v, by_ino);
}

void
diag_done(struct diag *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->v[i].waiting);
	free(d->v);
	*d = (struct diag){ .v = NULL };
}
