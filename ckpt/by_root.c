/*
 * by_root.c - see by_root.h.
 */
#include "ckpt/by_root.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/pass.h"
#include "base/scope.h"
#include "ckpt/space.h"

#define NAME_CAP 256 /* a session's name and its NUL */

/* What is read as root. */
struct clocks {
	int64_t monotonic_ns, boottime_ns;
};

/* What is read as the user; the directory saved/ comes beside it. */
struct order {
	uint64_t generation;
	bool force;
	char name[NAME_CAP];
};

/* ---- in the server ---- */

int
by_root_ask(const struct by_root *b, const char *name, uint64_t generation,
    bool force, int saved_dirfd, const Img__Machine *m, struct err *e)
{
	struct clocks clocks = { m->monotonic_ns, m->boottime_ns };
	struct order o = { .generation = generation, .force = force };
	int r;

	if (strlen(name) >= sizeof o.name)
		return err_set(e, -ENAMETOOLONG, "the name is too long");
	(void)snprintf(o.name, sizeof o.name, "%s", name);
	r = pass_send(b->sock, &clocks, sizeof clocks, NULL, 0, 0);
	if (r >= 0)
		r = pass_send(b->sock, &o, sizeof o, &saved_dirfd, 1, 0);
	return r < 0 ? err_num(e, r, "root's helper has gone") : 0;
}

/* ---- in the helper ---- */

static noreturn void
give_up(struct restorer *rs, int result)
{
	(void)restorer_report(rs, result);
	_exit(1);
}

static int
recv_order(int sock, struct order *ret_o, int *ret_fd, struct err *e)
{
	if (pass_recv(sock, ret_o, sizeof *ret_o, ret_fd, 1) != 1)
		return err_set(e, -EBADMSG, "the server asks for no image");
	ret_o->name[NAME_CAP - 1] = 0;
	return 0;
}

/* Pid 1 of the new namespaces: root for two mounts, then the user. */
static noreturn void
be_restorer(struct restorer *rs, const struct account *a)
{
	Img__Machine *m = NULL;
	struct order o;
	int r, fd = -1;

	r = space_mount(&rs->c);
	if (r >= 0)
		r = account_become(a, true, &rs->err);
	/* What it makes copies its memory and has to be traced. */
	if (r >= 0 && prctl(PR_SET_DUMPABLE, 1) < 0)
		r = err_sys(&rs->err, "becoming traceable");
	if (r >= 0)
		r = recv_order(rs->sock, &o, &fd, &rs->err);
	if (r >= 0)
		r = FAULT("revive.by-root", &rs->err);
	if (r >= 0 && pipe2(rs->status, O_CLOEXEC) < 0)
		r = err_sys(&rs->err, "making a pipe");
	if (r >= 0)
		r = restorer_open(rs, fd, o.name, &o.generation, &m);
	if (r < 0)
		give_up(rs, r);
	rs->mounted = true;
	rs->c.force = o.force;
	restorer_main(rs);
}

noreturn void
by_root_main(int sock, const struct account *a)
{
	struct restorer *rs = calloc(1, sizeof *rs);
	struct clocks clocks;
	ssize_t n;
	pid_t pid;
	int r;

	if (io_keep(&sock, 1) < 0)
		_exit(1);
	do
		n = recv(sock, &clocks, sizeof clocks, 0);
	while (n < 0 && errno == EINTR);
	if (rs == NULL || n != (ssize_t)sizeof clocks)
		_exit(1); /* the server has ended before */
	restorer_init(rs);
	rs->sock = sock;
	r = FAULT("revive.unshare", &rs->err);
	if (r >= 0)
		r = space_leave(clocks.monotonic_ns, clocks.boottime_ns,
		    &rs->err);
	if (r < 0)
		give_up(rs, r);
	pid = fork();
	if (pid == 0)
		be_restorer(rs, a);
	if (pid < 0)
		give_up(rs, err_sys(&rs->err, "forking the restorer"));
	_exit(0);
}
