/*
 * broker.c - see broker.h.
 */
#include "server/broker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "ckpt/by_root.h"
#include "server/launch.h"

#define FDS_LEN (N_LAUNCH_FDS * sizeof(int))

union control {
	char space[CMSG_SPACE(FDS_LEN)];
	struct cmsghdr align;
};

int
broker_order(int sock, const int *fds, struct err *e)
{
	union control u = { .space = { 0 } };
	struct iovec iov = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.space,
		.msg_controllen = sizeof u.space };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	*cm = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(FDS_LEN) };
	memcpy(CMSG_DATA(cm), fds, FDS_LEN);
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		return err_sys(e, "root's part of the command has gone");
	return 0;
}

/* One byte and the descriptors. False: the command has ended. */
static bool
recv_order(int sock, int fds[N_LAUNCH_FDS])
{
	union control u;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.space,
		.msg_controllen = sizeof u.space };
	struct cmsghdr *cm;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	cm = n == 1 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (cm == NULL || cm->cmsg_type != SCM_RIGHTS ||
	    cm->cmsg_len != CMSG_LEN(FDS_LEN))
		return false;
	memcpy(fds, CMSG_DATA(cm), FDS_LEN);
	return true;
}

/* The server-to-be: leave the helper behind and be the user. */
static _Noreturn void
become(const struct account *a, int fds[N_LAUNCH_FDS])
{
	struct launch_result lr = { .exit_status = 1 };
	struct err e = { .text = "" };
	struct by_root b;
	int sp[2], r = 0;

	/* No terminal and no file of root's goes along. */
	if (io_keep(fds, N_LAUNCH_FDS) < 0)
		_exit(1);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0)
		r = err_sys(&e, "cannot make a socket");
	b.pid = r < 0 ? -1 : fork();
	if (b.pid == 0)
		by_root_main(sp[1], a);
	if (r == 0 && b.pid < 0)
		r = err_sys(&e, "cannot fork");
	if (r == 0) {
		b.sock = sp[0];
		(void)close(sp[1]);
		r = account_become(a, false, &e);
	}
	/* Its children map ids, which the owner of /proc/self may. */
	if (r == 0 && prctl(PR_SET_DUMPABLE, 1) < 0)
		r = err_sys(&e, "cannot be seen");
	if (r == 0)
		launch_obey(fds, &b);
	lr.error = r;
	(void)memcpy(lr.text, e.text, sizeof lr.text);
	(void)io_write(fds[LAUNCH_RESULT], &lr, sizeof lr);
	_exit(1);
}

static _Noreturn void
serve(int sock, const struct account *a)
{
	int fds[N_LAUNCH_FDS], i;
	pid_t pid;

	while (recv_order(sock, fds)) {
		pid = fork();
		if (pid == 0) {
			(void)setsid();
			if (fork() != 0)
				_exit(0);
			(void)close(sock);
			become(a, fds);
		}
		for (i = 0; i < N_LAUNCH_FDS; i++)
			(void)close(fds[i]);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	_exit(0);
}

int
broker_start(const struct account *a, int *ret_sock, struct err *e)
{
	int sp[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0)
		return err_sys(e, "cannot make a socket");
	pid = fork();
	if (pid == 0) {
		(void)close(sp[0]);
		serve(sp[1], a);
	}
	(void)close(sp[1]);
	if (pid < 0) {
		(void)close(sp[0]);
		return err_sys(e, "cannot fork");
	}
	*ret_sock = sp[0];
	return 0;
}
