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

/* The descriptors that came with MSG, into RET_FDS; how many. */
static size_t
take_fds(struct msghdr *msg, int ret_fds[PASS_FDS_MAX])
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(msg);
	size_t len;

	if (cm == NULL || cm->cmsg_level != SOL_SOCKET ||
	    cm->cmsg_type != SCM_RIGHTS)
		return 0;
	len = cm->cmsg_len - CMSG_LEN(0);
	memcpy(ret_fds, CMSG_DATA(cm), len);
	return len / sizeof *ret_fds;
}

int
pass_recv(int sock, void *ret_data, size_t len, int *ret_fds, size_t n_fds)
{
	union control u;
	struct iovec iov = { .iov_base = ret_data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.space,
		.msg_controllen = sizeof u.space };
	int fds[PASS_FDS_MAX];
	size_t got, i;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	got = take_fds(&msg, fds);
	if ((size_t)n == len && (got == 0 || got == n_fds) &&
	    (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
		memcpy(ret_fds, fds, got * sizeof *fds);
		return (int)got;
	}
	for (i = 0; i < got; i++)
		(void)close(fds[i]);
	return msg.msg_flags & MSG_CTRUNC ? -EMFILE : -EBADMSG;
}
