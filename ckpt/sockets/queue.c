/*
 * queue.c - what waits in a socket. UNIX and UDP: peeked at, one message
 * after another (SO_PEEK_OFF of socket(7)); TCP: all that has come, at once.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/array.h"
#include "base/scope.h"
#include "ckpt/sockets/socket.h"

#define MESSAGE_MAX (1u << 20) /* bytes of one message that is peeked at */
#define QUEUE_MAX (16u << 20)  /* bytes waiting in one socket */
#define TCP_MAX (256u << 10)   /* what surely goes back into a connection */
#define MESSAGES_MAX 65536     /* empty ones take no bytes */
#define SCM_PIDFD_TYPE 4       /* SCM_PIDFD, Linux 6.5 */

static int
queue_add(struct ckpt *c, struct sock *s, const void *data, size_t len,
    const struct address *from)
{
	size_t n = s->rec.n_queue;
	Img__SocketData *m;
	uint8_t *p;

	p = malloc(len + from->len + 1);
	if (p == NULL || array_room(&s->queue, n, &s->cap) < 0) {
		free(p);
		return err_set(c->err, -ENOMEM, "out of memory");
	}
	memcpy(p, data, len);
	memcpy(p + len, &from->room, from->len);
	m = &s->queue[n];
	img__socket_data__init(m);
	m->data.data = p; /* both in one piece of memory */
	m->data.len = len;
	m->from.data = p + len;
	m->from.len = from->len;
	s->rec.n_queue++;
	return 0;
}

void
queue_free(struct sock *s)
{
	for (size_t k = 0; k < s->rec.n_queue; k++)
		free(s->queue[k].data.data);
	free(s->queue);
	free(s->ptrs);
}

/* Close what came along. True: descriptors were on their way. */
static bool
drop_descriptors(struct msghdr *msg)
{
	bool any = false;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h != NULL;
	     h = CMSG_NXTHDR(msg, h)) {
		int *fds = (int *)CMSG_DATA(h);
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof *fds;

		if (h->cmsg_level != SOL_SOCKET ||
		    (h->cmsg_type != SCM_RIGHTS &&
			h->cmsg_type != SCM_PIDFD_TYPE))
			continue;
		any = any || h->cmsg_type == SCM_RIGHTS;
		for (size_t i = 0; i < n; i++)
			if (fds[i] >= 0)
				(void)close(fds[i]);
	}
	return any;
}

static int
has_descriptors(struct ckpt *c, const struct sock *s)
{
	return obstacle(c, s->task,
	    "descriptor %d, a UNIX socket, has descriptors waiting in it, "
	    "which cannot be saved: save again when the program has taken them, "
	    "or end it",
	    s->fd_in_task);
}

/* The first message alone: SO_PEEK_OFF is the program's while it runs. */
int
queue_check(struct ckpt *c, const struct sock *s)
{
	_Alignas(struct cmsghdr) char control[1024];
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control };
	autoclose int fd = -1;

	if (s->rec.domain != AF_UNIX || s->rec.listening)
		return 0;
	fd = tracee_pull_fd(s->task->pid, s->fd_in_task, NULL);
	if (fd < 0 ||
	    recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return 0;
	return drop_descriptors(&msg) ? has_descriptors(c, s) : 0;
}

static int
too_much(struct ckpt *c, const struct sock *s, size_t most)
{
	return obstacle(c, s->task,
	    "descriptor %d, a socket, has more than %zu KiB waiting in it: "
	    "save again when the program has read them",
	    s->fd_in_task, most / 1024);
}

/* One message more. 1: there is none. */
static int
peek(struct ckpt *c, struct sock *s, int fd, uint8_t *data, size_t *total)
{
	_Alignas(struct cmsghdr) char control[1024];
	struct address from = { .len = 0 };
	struct iovec iov = { data, MESSAGE_MAX };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_name = &from.room,
		.msg_namelen = sizeof from.room,
		.msg_control = control,
		.msg_controllen = sizeof control };
	ssize_t n = recvmsg(fd, &msg,
	    MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);

	if (n < 0 ||
	    (n == 0 && (s->rec.type == SOCK_STREAM || s->rec.shut_read)))
		return 1;
	if (drop_descriptors(&msg))
		return has_descriptors(c, s);
	*total += (size_t)n;
	if ((size_t)n > MESSAGE_MAX || *total > QUEUE_MAX ||
	    s->rec.n_queue == MESSAGES_MAX) {
		(void)too_much(c, s, QUEUE_MAX);
		return 1;
	}
	from.len = sock_is_stream(&s->rec) ? 0 : msg.msg_namelen;
	if (from.len > sizeof from.room)
		from.len = 0;
	return queue_add(c, s, data, (size_t)n, &from);
}

/*
 * An empty message is shown by SO_PEEK_OFF to who asks first, and to nobody
 * again; without it the first message is, whatever it is.
 */
static int
peek_first(struct ckpt *c, struct sock *s, int fd)
{
	struct address from = { .len = sizeof from.room };
	char byte;
	ssize_t n = recvfrom(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC,
	    &from.any, &from.len);

	if (n != 0 || s->rec.type == SOCK_STREAM || s->rec.shut_read)
		return 0;
	if (sock_is_stream(&s->rec) || from.len > sizeof from.room)
		from.len = 0;
	return queue_add(c, s, &byte, 0, &from);
}

static int
save_messages(struct ckpt *c, struct sock *s, int fd)
{
	autofree uint8_t *data = malloc(MESSAGE_MAX);
	int zero = 0, off = -1, none = -1, r;
	size_t total = 0;

	if (data == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	(void)getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off,
	    &(socklen_t){ sizeof off });
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &none, sizeof none);
	r = peek_first(c, s, fd);
	if (r >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof zero) < 0)
		return err_sys(c->err,
		    "%s (pid %d): descriptor %d: looking at what waits in it",
		    s->task->comm, s->task->pid, s->fd_in_task);
	while (r == 0)
		r = peek(c, s, fd, data, &total);
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
	return r;
}

static int
save_bytes(struct ckpt *c, struct sock *s, int fd)
{
	const struct address none = { .len = 0 };
	autofree uint8_t *data = NULL;
	int len = 0;
	ssize_t n;

	if (ioctl(fd, SIOCINQ, &len) < 0 || len <= 0)
		return 0;
	if ((size_t)len > TCP_MAX)
		return too_much(c, s, TCP_MAX);
	data = malloc((size_t)len);
	if (data == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	n = recv(fd, data, (size_t)len, MSG_PEEK | MSG_DONTWAIT);
	return n <= 0 ? 0 : queue_add(c, s, data, (size_t)n, &none);
}

int
queue_save(struct ckpt *c, struct sock *s, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r = 0;

	if (!s->rec.listening && poll(&p, 1, 0) > 0 && p.revents & POLLIN)
		r = sock_is_tcp(&s->rec) ? save_bytes(c, s, fd) :
					   save_messages(c, s, fd);
	if (r < 0)
		return r;
	s->ptrs = calloc(s->rec.n_queue + 1, sizeof *s->ptrs);
	if (s->ptrs == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < s->rec.n_queue; i++)
		s->ptrs[i] = &s->queue[i];
	s->rec.queue = s->ptrs;
	return 0;
}

/* ---- revival ---- */

static int
send_all(int fd, const uint8_t *data, size_t len, int flags)
{
	do {
		ssize_t n = send(fd, data, len, flags);

		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	} while (len > 0);
	return 0;
}

int
queue_fill(struct ckpt *c, const Img__Socket *m, int from)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->n_queue; i++)
		r = send_all(from, m->queue[i]->data.data,
		    m->queue[i]->data.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r >= 0 && m->farewell.len > 0)
		r = send_all(from, m->farewell.data, m->farewell.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	return r < 0 ? err_num(c->err, r, "filling a socket again") : 0;
}
