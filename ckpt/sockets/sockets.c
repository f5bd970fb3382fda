/*
 * sockets.c - UNIX sockets without a name (unix(7)): pairs with both ends in
 * the tree, with what is on its way between them; and, cut off as by a crash
 * of the other side, those whose other end is outside (D9). The one exception
 * is the socket to this very server: the message save_request.farewell waits
 * in it when it comes back. Datagram sockets are connected again to the name
 * that they were connected to (syslog, notify).
 *
 * Whose other end an end is the kernel tells by sock_diag(7).
 */
#include "ckpt/sockets/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/scope.h"

#define MESSAGE_MAX (1u << 20) /* bytes of one message that is peeked at */
#define QUEUE_MAX (16u << 20)  /* bytes waiting in one socket */

/* RCV_SHUTDOWN and SEND_SHUTDOWN; kernel: net/sock.h */
#define SHUT_READ 1
#define SHUT_WRITE 2

struct sock {
	const struct file *f;
	bool told;               /* save: the kernel has answered about it */
	uint64_t peer_ino;       /* save; 0: none or unknown */
	struct sockaddr_un name; /* save: of the other end */
	Img__Socket rec;
	Img__SocketData *queue; /* owned, with the data of each */
	Img__SocketData **ptrs; /* owned */
	size_t cap;
	Img__Socket *loaded; /* revival; owned */
	int fd;              /* revival; -1 */
	int other;           /* revival: a peer to be closed; -1 */
};

struct sockets {
	struct sock *v; /* id = index + 1 */
	size_t n, cap;
};

static struct sock *
sock_new(struct ckpt *c)
{
	struct files *fs = files_get(c);
	struct sockets *ss;

	if (fs != NULL && fs->sockets == NULL)
		fs->sockets = calloc(1, sizeof *fs->sockets);
	ss = fs != NULL ? fs->sockets : NULL;
	if (ss != NULL && ss->n == ss->cap) {
		size_t cap = ss->cap == 0 ? 8 : ss->cap * 2;
		void *p = reallocarray(ss->v, cap, sizeof *ss->v);

		if (p != NULL) {
			ss->v = p;
			ss->cap = cap;
		}
	}
	if (ss == NULL || ss->n == ss->cap) {
		(void)err_set(c->err, -ENOMEM, "out of memory");
		return NULL;
	}
	ss->v[ss->n] = (struct sock){ .fd = -1, .other = -1 };
	img__socket__init(&ss->v[ss->n].rec);
	return &ss->v[ss->n++];
}

void
sockets_free(struct sockets *ss)
{
	for (size_t i = 0; ss != NULL && i < ss->n; i++) {
		struct sock *s = &ss->v[i];

		for (size_t k = 0; k < s->rec.n_queue; k++)
			free(s->queue[k].data.data);
		free(s->queue);
		free(s->ptrs);
		scope_close(&s->fd);
		scope_close(&s->other);
		if (s->loaded != NULL)
			img__socket__free_unpacked(s->loaded, NULL);
	}
	if (ss != NULL)
		free(ss->v);
	free(ss);
}

/* ---- check ---- */

static bool
socket_match(const struct file *f)
{
	return S_ISSOCK(f->st.st_mode) && strncmp(f->link, "socket:", 7) == 0;
}

static int
option(int fd, int name)
{
	int val = 0;
	socklen_t len = sizeof val;

	return getsockopt(fd, SOL_SOCKET, name, &val, &len) < 0 ? -1 : val;
}

/* Why FD cannot be saved, or NULL; what it is in *RET_WHAT. */
static const char *
unsupported(int fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof sun;
	int domain = option(fd, SO_DOMAIN);

	if (domain == AF_INET || domain == AF_INET6)
		return option(fd, SO_TYPE) == SOCK_STREAM ?
		    "a TCP socket" :
		    "a network socket (UDP or raw)";
	if (domain == AF_NETLINK)
		return "a netlink socket";
	if (domain != AF_UNIX)
		return "a socket of a rare family";
	if (option(fd, SO_ACCEPTCONN) > 0)
		return "a listening UNIX socket";
	if (getsockname(fd, (struct sockaddr *)&sun, &len) == 0 &&
	    len > sizeof sun.sun_family)
		return "a UNIX socket with a name";
	return NULL;
}

static int
socket_check(struct ckpt *c, struct file *f)
{
	autoclose int fd = -1;
	const char *why;

	fd = tracee_pull_fd(f->task->pid, f->fd, NULL);
	if (fd < 0)
		return 0; /* closed meanwhile, or told by the save */
	why = unsupported(fd);
	return why == NULL ?
	    0 :
	    obstacle(c, f->task,
		"descriptor %d is %s, "
		"which is not supported yet: close it or end the program",
		f->fd, why);
}

/* ---- save ---- */

struct diag_request {
	struct nlmsghdr head;
	struct unix_diag_req req;
};

/* Ask sock_diag(7) for the inode at the other end of S, and what is shut. */
static void
ask_diag(int nl, struct sock *s)
{
	struct diag_request q = {
		.head = { .nlmsg_len = sizeof q,
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST },
		.req = { .sdiag_family = AF_UNIX,
		    .udiag_states = ~0u,
		    .udiag_ino = (uint32_t)s->f->st.st_ino,
		    .udiag_show = UDIAG_SHOW_PEER,
		    .udiag_cookie = { ~0u, ~0u } },
	};
	_Alignas(struct nlmsghdr) uint8_t data[4096];
	const struct nlmsghdr *h = (const struct nlmsghdr *)data;
	const uint8_t *at, *end;
	ssize_t n;

	if (send(nl, &q, sizeof q, 0) != (ssize_t)sizeof q)
		return;
	n = recv(nl, data, sizeof data, 0);
	if (n < (ssize_t)(sizeof *h + sizeof(struct unix_diag_msg)) ||
	    h->nlmsg_type != SOCK_DIAG_BY_FAMILY || h->nlmsg_len > (size_t)n)
		return;
	s->told = true;
	at = data + NLMSG_ALIGN(sizeof *h) +
	    NLMSG_ALIGN(sizeof(struct unix_diag_msg));
	end = data + h->nlmsg_len;
	while (at + sizeof(struct nlattr) < end) {
		struct nlattr a;
		uint32_t peer;

		memcpy(&a, at, sizeof a);
		if (a.nla_len <= sizeof a || a.nla_len > end - at)
			break;
		if (a.nla_type == UNIX_DIAG_PEER &&
		    a.nla_len >= sizeof a + sizeof peer) {
			memcpy(&peer, at + sizeof a, sizeof peer);
			s->peer_ino = peer;
		} else if (a.nla_type == UNIX_DIAG_SHUTDOWN) {
			s->rec.shut_read = (at[sizeof a] & SHUT_READ) != 0;
			s->rec.shut_write = (at[sizeof a] & SHUT_WRITE) != 0;
		}
		at += NLA_ALIGN(a.nla_len);
	}
}

static int
socket_save(struct ckpt *c, struct file *f)
{
	struct sock *s;
	int r;

	r = socket_check(c, f);
	if (r < 0)
		return r;
	s = sock_new(c);
	if (s == NULL)
		return -ENOMEM;
	s->f = f;
	f->rec.object = c->files->sockets->n;
	return 0;
}

static int
queue_add(struct ckpt *c, struct sock *s, const void *data, size_t len)
{
	size_t n = s->rec.n_queue;
	void *p;

	if (n == s->cap) {
		size_t cap = s->cap == 0 ? 8 : s->cap * 2;

		p = reallocarray(s->queue, cap, sizeof *s->queue);
		if (p == NULL)
			return err_set(c->err, -ENOMEM, "out of memory");
		s->queue = p;
		s->cap = cap;
	}
	p = malloc(len + 1);
	if (p == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	memcpy(p, data, len);
	img__socket_data__init(&s->queue[n]);
	s->queue[n].data.data = p;
	s->queue[n].data.len = len;
	s->rec.n_queue++;
	return 0;
}

/*
 * What waits in FD: peeked at, one read after another (SO_PEEK_OFF), or by a
 * single message where only the first can be seen.
 */
static int
peek_queue(struct ckpt *c, struct sock *s, int fd)
{
	autofree uint8_t *data = NULL;
	int zero = 0, off = -1, len = 0, r = 0;
	size_t total = 0;

	if (ioctl(fd, FIONREAD, &len) < 0 || len == 0)
		return 0;
	data = malloc(MESSAGE_MAX);
	if (data == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	(void)getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off,
	    &(socklen_t){ sizeof off });
	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof zero) < 0)
		return err_sys(c->err,
		    "%s (pid %d): descriptor %d: looking "
		    "at what waits in it",
		    s->f->task->comm, s->f->task->pid, s->f->fd);
	while (r >= 0) {
		_Alignas(struct cmsghdr) char control[256];
		struct iovec iov = { data, MESSAGE_MAX };
		struct msghdr msg = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof control };
		ssize_t n = recvmsg(fd, &msg,
		    MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
		const struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

		if (n <= 0)
			break;
		total += (size_t)n;
		if (h != NULL && h->cmsg_type == SCM_RIGHTS) {
			int *fds = (int *)CMSG_DATA(h);

			for (size_t i = 0;
			     i < (h->cmsg_len - CMSG_LEN(0)) / sizeof *fds; i++)
				(void)close(fds[i]);
			r = obstacle(c, s->f->task,
			    "descriptor %d, a UNIX "
			    "socket, has descriptors waiting in it, which "
			    "cannot be saved yet",
			    s->f->fd);
		}
		if (r >= 0 && ((size_t)n > MESSAGE_MAX || total > QUEUE_MAX))
			r = obstacle(c, s->f->task,
			    "descriptor %d, a UNIX "
			    "socket, has too much waiting in it",
			    s->f->fd);
		if ((size_t)n > MESSAGE_MAX || total > QUEUE_MAX)
			break;
		if (r >= 0)
			r = queue_add(c, s, data, (size_t)n);
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof off);
	return r;
}

/* Is this process at the other end of FD? */
static bool
is_ours(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    cred.pid == getpid();
}

static bool
has_peer_in_tree(const struct sockets *ss, const struct sock *s,
    uint64_t *ret_id)
{
	for (size_t i = 0; s->peer_ino != 0 && i < ss->n; i++)
		if (ss->v[i].f->st.st_ino == s->peer_ino) {
			*ret_id = i + 1;
			return true;
		}
	return false;
}

/* Which other end it had, if any. */
static int
save_peer(struct ckpt *c, struct sock *s, int fd)
{
	bool in_tree = has_peer_in_tree(c->files->sockets, s, &s->rec.peer);
	socklen_t len = sizeof s->name;

	if (in_tree)
		return 0;
	s->rec.lone = getpeername(fd, (struct sockaddr *)&s->name, &len) < 0 ||
	    s->rec.type == SOCK_DGRAM;
	if (s->rec.lone) {
		if (len > sizeof s->name.sun_family && len <= sizeof s->name &&
		    s->name.sun_family == AF_UNIX) {
			s->rec.peer_name.data = (uint8_t *)&s->name;
			s->rec.peer_name.len = len;
		}
	} else if (is_ours(fd) && c->req->farewell_len > 0) {
		s->rec.farewell.data = (uint8_t *)c->req->farewell;
		s->rec.farewell.len = c->req->farewell_len;
	} else if (!s->told) {
		return obstacle(c, s->f->task,
		    "descriptor %d is a UNIX socket, and this kernel does not "
		    "tell where its other end is: modprobe unix_diag",
		    s->f->fd);
	} else if (s->peer_ino != 0) {
		note(c, s->f->task,
		    "descriptor %d, a UNIX socket, is connected to the "
		    "outside: it will be cut off",
		    s->f->fd);
	}
	return 0;
}

static int
save_one(struct ckpt *c, struct sock *s, uint64_t id)
{
	autoclose int fd = -1;
	int r;

	fd = file_pull(c, s->f);
	if (fd < 0)
		return fd;
	s->rec.domain = (uint32_t)option(fd, SO_DOMAIN);
	s->rec.type = (uint32_t)option(fd, SO_TYPE);
	s->rec.send_buf = (uint32_t)option(fd, SO_SNDBUF);
	s->rec.receive_buf = (uint32_t)option(fd, SO_RCVBUF);
	s->rec.pass_cred = option(fd, SO_PASSCRED) > 0;
	r = save_peer(c, s, fd);
	if (r >= 0)
		r = peek_queue(c, s, fd);
	if (r < 0)
		return r;
	s->ptrs = calloc(s->rec.n_queue + 1, sizeof *s->ptrs);
	if (s->ptrs == NULL)
		return err_set(c->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < s->rec.n_queue; i++)
		s->ptrs[i] = &s->queue[i];
	s->rec.queue = s->ptrs;
	return record_put(c, IMG_SOCKET, id, &s->rec.base);
}

int
sockets_save(struct ckpt *c)
{
	struct sockets *ss = c->files->sockets;
	autoclose int nl = -1;
	int r = 0;

	if (ss == NULL || ss->n == 0 || c->obstacles.len > 0)
		return 0;
	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (nl < 0)
		return err_sys(c->err, "asking about sockets");
	for (size_t i = 0; i < ss->n; i++)
		ask_diag(nl, &ss->v[i]);
	for (size_t i = 0; r >= 0 && i < ss->n; i++)
		r = save_one(c, &ss->v[i], i + 1);
	return r;
}

/* ---- revival ---- */

static int
fill(struct ckpt *c, const struct sock *s, int from)
{
	const Img__Socket *m = s->loaded;

	for (size_t i = 0; i < m->n_queue; i++)
		if (send(from, m->queue[i]->data.data, m->queue[i]->data.len,
			MSG_DONTWAIT | MSG_NOSIGNAL) !=
		    (ssize_t)m->queue[i]->data.len)
			return err_sys(c->err, "filling a socket again");
	if (m->farewell.len > 0 &&
	    send(from, m->farewell.data, m->farewell.len,
		MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return err_sys(c->err, "the last message of a socket");
	return 0;
}

/* SO_SNDBUF is told doubled and set halved: socket(7). */
static void
set_up(const struct sock *s)
{
	int snd = (int)s->loaded->send_buf / 2;
	int rcv = (int)s->loaded->receive_buf / 2, on = 1;

	(void)setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &snd, sizeof snd);
	(void)setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &rcv, sizeof rcv);
	if (s->loaded->pass_cred)
		(void)setsockopt(s->fd, SOL_SOCKET, SO_PASSCRED, &on,
		    sizeof on);
}

/* A socket without another end. */
static int
make_lone(struct ckpt *c, struct sock *s)
{
	const Img__Socket *m = s->loaded;
	struct sockaddr_un sun;

	s->fd = socket(AF_UNIX, (int)m->type | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return err_sys(c->err, "making a socket");
	set_up(s);
	if (m->peer_name.len == 0)
		return 0;
	if (m->peer_name.len > sizeof sun)
		return err_set(c->err, -EBADMSG,
		    "the image's sockets make no sense");
	memcpy(&sun, m->peer_name.data, m->peer_name.len);
	if (connect(s->fd, (struct sockaddr *)&sun,
		(socklen_t)m->peer_name.len) < 0)
		note(c, NULL,
		    "a socket could not be connected to %.*s again: "
		    "%s",
		    (int)sizeof sun.sun_path, sun.sun_path, strerror(errno));
	return 0;
}

/* What one end has shut the other sees: each tells its own. */
static void
shut(const struct sock *s)
{
	if (s->loaded->shut_write)
		(void)shutdown(s->fd, SHUT_WR);
	if (s->loaded->shut_read)
		(void)shutdown(s->fd, SHUT_RD);
}

static int
make_pair(struct ckpt *c, struct sock *s, struct sock *peer)
{
	int ends[2], r;

	if (socketpair(AF_UNIX, (int)s->loaded->type | SOCK_CLOEXEC, 0, ends) <
	    0)
		return err_sys(c->err, "making a pair of sockets");
	s->fd = ends[0];
	if (peer != NULL)
		peer->fd = ends[1];
	else
		s->other = ends[1];
	set_up(s);
	if (peer != NULL)
		set_up(peer);
	r = fill(c, s, ends[1]);
	if (r >= 0 && peer != NULL)
		r = fill(c, peer, ends[0]);
	shut(s);
	if (peer != NULL)
		shut(peer);
	return r;
}

int
sockets_make(struct ckpt *c)
{
	size_t n = image_count(c->img, IMG_SOCKET);
	struct sockets *ss;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct sock *s = sock_new(c);
		uint64_t id;

		if (s == NULL)
			return -ENOMEM;
		s->loaded = image_get(c->img, IMG_SOCKET, i,
		    &img__socket__descriptor, &id, c->err);
		if (s->loaded == NULL)
			return -EBADMSG;
		if (id != i + 1 || s->loaded->peer > n ||
		    s->loaded->domain != AF_UNIX ||
		    (s->loaded->type != SOCK_STREAM &&
			s->loaded->type != SOCK_DGRAM &&
			s->loaded->type != SOCK_SEQPACKET))
			return err_set(c->err, -EBADMSG,
			    "the image's sockets make no sense");
	}
	ss = c->files->sockets;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct sock *s = &ss->v[i], *peer = NULL;

		if (s->fd >= 0)
			continue;
		if (s->loaded->peer != 0 && s->loaded->peer != i + 1)
			peer = &ss->v[s->loaded->peer - 1];
		if (peer != NULL && peer->fd >= 0)
			peer = NULL;
		r = s->loaded->lone ? make_lone(c, s) : make_pair(c, s, peer);
	}
	return r;
}

static int
socket_open(struct ckpt *c, struct file *f, int *ret_fd)
{
	struct sockets *ss = c->files->sockets;

	if (ss == NULL || f->m->object == 0 || f->m->object > ss->n ||
	    ss->v[f->m->object - 1].fd < 0)
		return err_set(c->err, -EBADMSG, "the image lacks a socket");
	*ret_fd = TAKE_FD(ss->v[f->m->object - 1].fd);
	return 0;
}

int
sockets_finish(struct ckpt *c)
{
	struct sockets *ss = c->files->sockets;

	for (size_t i = 0; ss != NULL && i < ss->n; i++) {
		scope_close(&ss->v[i].fd);
		scope_close(&ss->v[i].other);
	}
	return 0;
}

const struct file_kind kind_unix = {
	.name = "unix",
	.match = socket_match,
	.check = socket_check,
	.save = socket_save,
	.open = socket_open,
};
