/*
 * outside.c - sess -outside CMD...: run CMD outside of the namespaces that a
 * revived session lives in. Its own server, which is out there, starts it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "client.h"
#include "client/tunnel.h"
#include "cmd/commands.h"
#include "server/launch.h"
#include "session/own.h"
#include "session/session.h"

#define N_STANDARD 3
#define OUTSIDE_FAILED 126 /* as of a shell that cannot run it */
#define N_FIXED 2          /* order and cwd */

/* A process of another pid namespace above ours has no number here. */
static bool
is_outside(int sock)
{
	struct ucred uc = { .pid = 0 };
	socklen_t len = sizeof uc;

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &uc, &len) == 0 &&
	    uc.pid == 0;
}

/* We are where the server is: as a shell would run it. */
static int
run_here(struct context *c, char **argv)
{
	int num;

	(void)fflush(stdout);
	(void)execvp(argv[0], argv);
	num = errno;
	c->exit_status = num == ENOENT ? 127 : 126;
	return err_num(&c->err, -num, "%s", argv[0]);
}

/* Have it started; the answer brings the master. */
static int
ask(struct context *c, int sock, const struct launch *l, int *ret_master)
{
	Sess__Message m = proto_message(SESS__KIND__OUTSIDE);
	struct packet k autopacket = PACKET_NONE;
	int fds[N_FIXED + N_STANDARD], r, i;
	autoclose int order = -1;
	size_t n = N_FIXED;

	r = launch_write_order(l, &order, &c->err);
	if (r < 0)
		return r;
	fds[0] = order;
	fds[1] = l->cwd;
	m.has_passed = true;
	for (i = 0; i < N_STANDARD; i++)
		if (!isatty(i)) {
			m.passed |= 1u << i;
			fds[n++] = i;
		}
	r = proto_send(sock, &m, fds, n, 0);
	if (r == 0)
		r = proto_await(sock, ASK_MS, &k);
	if (r <= 0)
		return err_set(&c->err, r < 0 ? r : -EPIPE,
		    "the server of this session does not answer");
	if (k.msg->kind != SESS__KIND__OK || k.n_fds != 1) {
		c->exit_status = OUTSIDE_FAILED;
		return err_set(&c->err, -EIO, "%s",
		    k.msg->text == NULL ? "the session refuses" : k.msg->text);
	}
	*ret_master = k.fds[0];
	k.fds[0] = -1;
	return 0;
}

int
run_outside(struct context *c, char *arg, char **rest)
{
	autoclose int sock = -1, cwd = -1;
	autofree char *own = NULL;
	struct launch l = { .argv = rest, .env = environ, .broker = -1 };
	struct termios tio;
	int r, master = -1;

	(void)arg;
	if (own_session(&c->places, &own) < 0)
		return err_set(&c->err, -EINVAL,
		    "this is outside: -outside is for the inside of a session");
	r = session_connect(&c->places, own, &sock, &c->err);
	if (r < 0)
		return r;
	if (!is_outside(sock))
		return run_here(c, rest);
	cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cwd < 0)
		return err_sys(&c->err, "cannot open the working directory");
	l.name = own;
	l.cwd = cwd;
	l.umask = umask(077);
	(void)umask(l.umask);
	commands_copy_terminal(&l, &tio);
	r = ask(c, sock, &l, &master);
	return r < 0 ? r : tunnel_run(sock, master, &c->err);
}
