/*
 * sockets.c - see sockets.h: which sockets the tree has, and what is recorded
 * of each. UNIX (unix(7)), TCP and UDP (ip(7)) and netlink sockets; all other
 * families are refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/scope.h"
#include "ckpt/sockets/socket.h"

bool
sock_is_inet(const Img__Socket *m)
{
	return m->domain == AF_INET || m->domain == AF_INET6;
}

bool
sock_is_stream(const Img__Socket *m)
{
	return m->type == SOCK_STREAM || m->type == SOCK_SEQPACKET;
}

bool
sock_is_tcp(const Img__Socket *m)
{
	return sock_is_inet(m) && m->type == SOCK_STREAM;
}

struct sock *
sock_new(struct ckpt *c)
{
	struct files *fs = files_get(c);
	struct sockets *ss;

	if (fs != NULL && fs->sockets == NULL)
		fs->sockets = calloc(1, sizeof *fs->sockets);
	ss = fs != NULL ? fs->sockets : NULL;
	if (ss == NULL || array_room(&ss->v, ss->n, &ss->cap) < 0) {
		(void)err_set(c->err, -ENOMEM, "out of memory");
		return NULL;
	}
	ss->v[ss->n] = (struct sock){ .fd = -1 };
	img__socket__init(&ss->v[ss->n].rec);
	return &ss->v[ss->n++];
}

void
sockets_free(struct sockets *ss)
{
	for (size_t i = 0; ss != NULL && i < ss->n; i++) {
		struct sock *s = &ss->v[i];

		queue_free(s);
		options_free(&s->rec);
		if (s->rec.dir[0] != '\0')
			free(s->rec.dir);
		free(s->pending);
		free(s->made);
		scope_close(&s->fd);
		if (s->m != NULL)
			img__socket__free_unpacked(s->m, NULL);
	}
	for (size_t i = 0; ss != NULL && i < ss->n_fresh; i++)
		scope_close(&ss->fresh[i].fd);
	if (ss != NULL) {
		diag_done(&ss->diag);
		free(ss->v);
	}
	free(ss);
}

int
sockets_fresh(struct sockets *ss, const Img__Socket *m)
{
	struct fresh *f;

	for (size_t i = 0; i < ss->n_fresh; i++) {
		f = &ss->fresh[i];
		if (f->domain == m->domain && f->type == m->type &&
		    f->protocol == m->protocol)
			return f->fd;
	}
	if (ss->n_fresh == N_FRESH)
		scope_close(&ss->fresh[--ss->n_fresh].fd);
	f = &ss->fresh[ss->n_fresh];
	*f = (struct fresh){ m->domain, m->type, m->protocol,
		socket((int)m->domain, (int)m->type | SOCK_CLOEXEC,
		    (int)m->protocol) };
	if (f->fd >= 0)
		ss->n_fresh++;
	return f->fd;
}

/* ---- what a socket is ---- */

static bool
socket_match(const struct file *f)
{
	return S_ISSOCK(f->st.st_mode) && strncmp(f->link, "socket:", 7) == 0;
}

static bool
no_match(const struct file *f)
{
	(void)f;
	return false;
}

/* Why M cannot be saved, or NULL; what it is. */
static const char *
unsupported(const Img__Socket *m)
{
	if (m->domain == AF_UNIX || m->domain == AF_NETLINK)
		return NULL;
	if (!sock_is_inet(m))
		return m->domain == AF_PACKET ? "a packet socket" :
						"a socket of a rare family";
	if (m->type == SOCK_STREAM &&
	    (m->protocol == IPPROTO_TCP || m->protocol == IPPROTO_MPTCP))
		return NULL;
	if (m->type == SOCK_DGRAM)
		return NULL;
	return m->type == SOCK_RAW ? "a raw socket" :
				     "a socket of a rare protocol";
}

static void
learn(struct sock *s, int fd)
{
	s->rec.domain = option_number(fd, SO_DOMAIN);
	s->rec.type = option_number(fd, SO_TYPE);
	s->rec.protocol = option_number(fd, SO_PROTOCOL);
	s->rec.listening = option_number(fd, SO_ACCEPTCONN) != 0;
	if (sock_is_tcp(&s->rec))
		s->state = tcp_state(fd);
	address_own(fd, &s->name);
	if (s->rec.domain != AF_NETLINK)
		address_peer(fd, &s->peer);
}

/* Become one of c->files->sockets, if it can be saved. */
static int
add(struct ckpt *c, struct file *f)
{
	autoclose int fd = -1;
	struct sock *s;
	const char *why;

	fd = tracee_pull_fd(f->task->pid, f->fd,
	    c->req == NULL ? NULL : c->err);
	if (fd < 0)
		return c->req == NULL ? 0 : fd; /* closed meanwhile */
	s = sock_new(c);
	if (s == NULL)
		return -ENOMEM;
	s->task = f->task;
	s->fd_in_task = f->fd;
	s->ino = f->st.st_ino;
	learn(s, fd);
	f->rec.object = c->files->sockets->n;
	why = unsupported(&s->rec);
	return why == NULL ?
	    0 :
	    obstacle(c, f->task,
		"descriptor %d is %s, "
		"which cannot be saved: close it or end the program",
		f->fd, why);
}

/* ---- check ---- */

static int
socket_check(struct ckpt *c, struct file *f)
{
	struct sockets *ss = c->files == NULL ? NULL : c->files->sockets;

	for (size_t i = 0; ss != NULL && i < ss->n; i++)
		if (ss->v[i].ino == f->st.st_ino)
			return 0;
	return add(c, f);
}

int
sockets_check(struct ckpt *c)
{
	struct sockets *ss = c->files == NULL ? NULL : c->files->sockets;
	int r = 0;

	if (ss == NULL)
		return 0;
	if (c->req == NULL) {
		r = diag_unix(&ss->diag, c->err);
		if (r >= 0)
			r = peers_find(c);
		for (size_t i = 0; r >= 0 && i < ss->n; i++)
			r = queue_check(c, &ss->v[i]);
	}
	sockets_free(ss);
	c->files->sockets = NULL;
	return r;
}

/* ---- save ---- */

static int
socket_save(struct ckpt *c, struct file *f)
{
	return add(c, f);
}

/* Bytes that one end of a connection has sent and the other cannot read. */
static int
settle(struct ckpt *c, struct sock *s, int fd)
{
	struct sockets *ss = c->files->sockets;
	struct sock *peer = s->rec.peer == 0 ? NULL : &ss->v[s->rec.peer - 1];
	autoclose int from = -1;

	if (!sock_is_tcp(&s->rec) || peer == NULL || peer->rec.listening ||
	    s->rec.listening)
		return 0;
	from = tracee_pull_fd(peer->task->pid, peer->fd_in_task, c->err);
	if (from < 0)
		return from;
	if (tcp_undelivered(from, fd) == 0)
		return 0;
	return obstacle(c, s->task,
	    "descriptor %d, a TCP socket, has more on its way to it than can "
	    "be looked at: save again when the program has read some",
	    s->fd_in_task);
}

static void
tell_netlink(struct ckpt *c, const struct sock *s)
{
	if (s->rec.domain == AF_NETLINK && s->name.len > 0 &&
	    s->name.nl.nl_groups != 0)
		note(c, s->task,
		    "descriptor %d, a netlink socket, will not see what "
		    "happens until it is revived",
		    s->fd_in_task);
}

static int
save_one(struct ckpt *c, struct sock *s, uint64_t id)
{
	const struct diag_sock *d = diag_find(&c->files->sockets->diag, s->ino);
	autoclose int fd = -1;
	int r;

	fd = tracee_pull_fd(s->task->pid, s->fd_in_task, c->err);
	if (fd < 0)
		return fd;
	if (d != NULL && s->rec.domain == AF_UNIX) {
		s->rec.shut_read = d->shut_read;
		s->rec.shut_write = d->shut_write;
	}
	if (s->rec.listening)
		s->rec.backlog = sock_is_inet(&s->rec) ? tcp_backlog(fd) :
		    d != NULL                          ? d->backlog :
							 SOMAXCONN;
	s->rec.name.data = (uint8_t *)&s->name.room;
	s->rec.name.len = s->name.len;
	name_find(c, s);
	tell_netlink(c, s);
	r = options_save(c, s, fd);
	if (r >= 0)
		r = settle(c, s, fd);
	if (r >= 0 && s->rec.domain != AF_NETLINK)
		r = queue_save(c, s, fd);
	return r < 0 ? r : record_put(c, IMG_SOCKET, id, &s->rec.base);
}

int
sockets_save(struct ckpt *c)
{
	struct sockets *ss = c->files->sockets;
	int r;

	if (ss == NULL || ss->n == 0 || c->obstacles.len > 0)
		return 0;
	r = diag_unix(&ss->diag, c->err);
	if (r >= 0)
		r = peers_find(c);
	for (size_t i = 0; r >= 0 && i < ss->n; i++)
		r = save_one(c, &ss->v[i], i + 1);
	return r;
}

/* ---- revival ---- */

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

const struct file_kind kind_socket = {
	.name = "socket",
	.match = socket_match,
	.check = socket_check,
	.save = socket_save,
	.open = socket_open,
};

/* What the first release called them. */
const struct file_kind kind_unix = {
	.name = "unix",
	.match = no_match,
	.open = socket_open,
};
