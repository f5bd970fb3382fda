/*
 * pass.c - see pass.h.
 */
#include "base/pass.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char space[CMSG_SPACE(PASS_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int
pass_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds,
    int flags)
{
	union control u = { .space = { 0 } };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;
	ssize_t n;

	assert(n_fds <= PASS_FDS_MAX);
	if (n_fds > 0) {
		msg.msg_control = u.space;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof *fds);
		cm = CMSG_FIRSTHDR(&msg);
		*cm = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(n_fds * sizeof *fds) };
		memcpy(CMSG_DATA(cm), fds, n_fds * sizeof *fds);
	}
	do
		n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

ssize_t
pass_take(int sock, void *ret_data, size_t cap, int ret_fds[PASS_FDS_MAX],
    size_t *ret_n_fds, int *flags)
{
	union control u;
	struct iovec iov = { .iov_base = ret_data, .iov_len = cap };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.space,
		.msg_controllen = sizeof u.space };
	struct cmsghdr *cm;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, *flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*flags = msg.msg_flags;
	*ret_n_fds = 0;
	cm = CMSG_FIRSTHDR(&msg);
	if (cm != NULL && cm->cmsg_level == SOL_SOCKET &&
	    cm->cmsg_type == SCM_RIGHTS) {
		*ret_n_fds = (cm->cmsg_len - CMSG_LEN(0)) / sizeof *ret_fds;
		memcpy(ret_fds, CMSG_DATA(cm), *ret_n_fds * sizeof *ret_fds);
	}
	return n;
}

int
pass_recv(int sock, void *ret_data, size_t len, int *ret_fds, size_t n_fds)
{
	int fds[PASS_FDS_MAX], flags = 0;
	size_t got, i;
	ssize_t n;

	n = pass_take(sock, ret_data, len, fds, &got, &flags);
	if (n < 0)
		return (int)n;
	if ((size_t)n == len && (got == 0 || got == n_fds) &&
	    (flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
		memcpy(ret_fds, fds, got * sizeof *fds);
		return (int)got;
	}
	for (i = 0; i < got; i++)
		(void)close(fds[i]);
	return flags & MSG_CTRUNC ? -EMFILE : -EBADMSG;
}
