/*
 * relay.c - see relay.h.
 */
#include "client/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/scope.h"

#define TTY_CHUNK 256   /* a writable tty takes so much without blocking */
#define PIPE_CHUNK 4096 /* PIPE_BUF: a writable pipe does */

int
relay_open(int in, int out, struct relay **ret_r, int *ret_lend)
{
	struct relay *r;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = calloc(1, sizeof *r);
	if (r == NULL) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return -ENOMEM;
	}
	r->in = in;
	r->out = out;
	r->sock = pair[0];
	r->out_tty = isatty(out);
	*ret_r = r;
	*ret_lend = pair[1];
	return 0;
}

void
relay_close(struct relay **r)
{
	if (*r != NULL)
		scope_close(&(*r)->sock);
	free(*r);
	*r = NULL;
}

void
relay_poll(const struct relay *r, struct pollfd *fds)
{
	fds[0] = (struct pollfd){ .fd = r->n_up == 0 ? r->in : -1,
		.events = POLLIN };
	fds[1] = (struct pollfd){ .fd = r->n_down > 0 ? r->out : -1,
		.events = POLLOUT };
	fds[2] = (struct pollfd){ .fd = r->sock };
	if (r->n_up > 0)
		fds[2].events |= POLLOUT;
	if (r->n_down == 0)
		fds[2].events |= POLLIN;
	if (fds[2].events == 0)
		fds[2].fd = -1;
}

static void
copy_up(struct relay *r, const struct pollfd *fds)
{
	ssize_t n;

	if (fds[0].revents != 0 && r->n_up == 0) {
		n = read(r->in, r->up, sizeof r->up);
		if (n > 0)
			r->n_up = (size_t)n;
		else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
			r->in = -1;
			(void)shutdown(r->sock, SHUT_WR);
		}
	}
	if (r->n_up == 0 || r->sock < 0)
		return;
	n = send(r->sock, r->up, r->n_up, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0) {
		r->n_up -= (size_t)n;
		memmove(r->up, r->up + n, r->n_up);
	}
}

static void
copy_down(struct relay *r, const struct pollfd *fds)
{
	size_t chunk = r->out_tty ? TTY_CHUNK : PIPE_CHUNK;
	ssize_t n;

	if (r->n_down > 0 && fds[1].revents != 0 && r->out >= 0) {
		n = write(r->out, r->down,
		    r->n_down < chunk ? r->n_down : chunk);
		if (n > 0) {
			r->n_down -= (size_t)n;
			memmove(r->down, r->down + n, r->n_down);
		} else if (n < 0 && errno != EINTR && errno != EAGAIN) {
			r->out = -1;
			r->n_down = 0;
		}
	}
	if (r->n_down > 0 || r->sock < 0 || fds[2].revents == 0)
		return;
	n = recv(r->sock, r->down, sizeof r->down, MSG_DONTWAIT);
	if (n > 0)
		r->n_down = r->out < 0 ? 0 : (size_t)n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		scope_close(&r->sock);
}

void
relay_copy(struct relay *r, const struct pollfd *fds)
{
	copy_up(r, fds);
	copy_down(r, fds);
}

void
relay_drain(struct relay *r, int timeout_ms)
{
	struct pollfd fds[RELAY_FDS];

	r->in = -1;
	r->n_up = 0;
	while (r->sock >= 0 || r->n_down > 0) {
		relay_poll(r, fds);
		if (poll(fds, RELAY_FDS, timeout_ms) <= 0)
			return;
		copy_down(r, fds);
	}
}
