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
#include "base/pass.h"
#include "base/scope.h"
#include "ckpt/by_root.h"
#include "server/launch.h"

int
broker_order(int sock, const int *fds, struct err *e)
{
	int r = pass_send(sock, "", 1, fds, N_LAUNCH_FDS, 0);

	return r < 0 ? err_num(e, r, "root's part of the command has gone") : 0;
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
	char byte;
	pid_t pid;

	/* Else the command has ended. */
	while (pass_recv(sock, &byte, 1, fds, N_LAUNCH_FDS) == N_LAUNCH_FDS) {
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
