/*
 * revive.c - the story of a revival (D6), told in order.
 *
 * Three processes make one. The new server calls revive_start(), reads the
 * image and stays outside. A short-lived process leaves it for the new
 * namespaces and forks the restorer, pid 1 in there, which opens what is
 * shared, gives birth to the tree below a stand-in, fills memory, brings
 * back the resources, and reports through a socket. When the server is
 * ready everything is let go at once. Until then every process of the tree
 * is traced with PTRACE_O_EXITKILL: if the restorer ends, nothing is left.
 */
#include "ckpt/ckpt.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
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
#include "ckpt/process/sleep.h"
#include "ckpt/restorer.h"
#include "ckpt/saved.h"
#include "ckpt/space.h"

/* The process behind a pidfd, as this process' /proc numbers it. */
static pid_t
pid_of(int pidfd)
{
	autobuf struct buf b = BUF_INIT(4096);
	char path[64];
	const char *at;

	(void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
	if (io_read_file(AT_FDCWD, path, &b) < 0)
		return 0;
	at = strstr((const char *)b.data, "Pid:");
	return at == NULL ? 0 : (pid_t)strtol(at + 4, NULL, 10);
}

static int
receive(int sock, struct report *rep, int fds[N_REPORT_FDS], struct err *e)
{
	int n = pass_recv(sock, rep, sizeof *rep, fds, N_REPORT_FDS);

	if (n < 0 && n != -EMFILE)
		return err_set(e, -EIO,
		    "the restorer was killed: nothing "
		    "was revived");
	if (n >= 0 && rep->result < 0) {
		*e = rep->err;
		return rep->result;
	}
	if (n <= 0)
		return err_set(e, -EIO, "the restorer sent no terminal");
	return 0;
}

static int
take_over(struct restorer *rs, int sock,
    int (*ready)(void *arg, const struct revived *r), void *arg,
    struct revived *ret)
{
	struct report rep;
	int fds[N_REPORT_FDS], r;
	char done;

	r = receive(sock, &rep, fds, &rs->err);
	if (r < 0)
		return r;
	ret->master = fds[0];
	ret->status_fd = fds[1];
	ret->first = pid_of(fds[2]);
	ret->parent = pid_of(fds[3]);
	ret->init = pid_of(fds[4]);
	for (int i = 2; i < N_REPORT_FDS; i++)
		(void)close(fds[i]);
	ret->unprivileged = rs->c.userns;
	if (rep.notes[0] != '\0')
		ret->notes = strdup(rep.notes);
	r = ready == NULL ? 0 : ready(arg, ret);
	if (r < 0)
		return err_set(&rs->err, r, "the server was not ready");
	if (write(sock, "", 1) != 1 || read(sock, &done, 1) != 1)
		return err_set(&rs->err, -EIO,
		    "the restorer was killed: "
		    "nothing was revived");
	return 0;
}

/* Nothing may be left: end pid 1, which the kernel lets take all with it. */
static void
undo(struct revived *r)
{
	if (r->init > 0) {
		(void)kill(r->init, SIGKILL);
		while (waitpid(r->init, NULL, 0) < 0 && errno == EINTR)
			;
	}
	scope_close(&r->master);
	scope_close(&r->status_fd);
	free(r->notes);
	ckpt_session_done(&r->session);
	*r = (struct revived){ .master = -1, .status_fd = -1 };
}

static int
start(struct restorer *rs, const Img__Machine *m,
    int (*ready)(void *arg, const struct revived *r), void *arg,
    struct revived *ret)
{
	autoclose int ours = -1;
	int sp[2], r;
	pid_t pid;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0 ||
	    pipe2(rs->status, O_CLOEXEC) < 0)
		return err_sys(&rs->err, "starting the restorer");
	ours = sp[0];
	pid = fork();
	if (pid == 0) {
		(void)close(sp[0]);
		rs->sock = sp[1];
		restorer_leave(rs, m);
	}
	(void)close(sp[1]);
	(void)close(rs->status[0]);
	(void)close(rs->status[1]);
	if (pid < 0)
		return err_sys(&rs->err, "starting the restorer");
	r = take_over(rs, ours, ready, arg, ret);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

/* The same by means of root's helper, which is there already. */
static int
start_by_root(struct restorer *rs, const struct revive_request *req,
    const Img__Machine *m, int (*ready)(void *arg, const struct revived *r),
    void *arg, struct revived *ret)
{
	const struct by_root *b = req->by_root;
	int r;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = by_root_ask(b, req->name, ret->generation, req->force,
	    req->saved_dirfd, m, &rs->err);
	if (r >= 0)
		r = take_over(rs, b->sock, ready, arg, ret);
	(void)close(b->sock); /* on failure: the restorer gives up */
	while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int
revive_start(const struct revive_request *req,
    int (*ready)(void *arg, const struct revived *r), void *arg,
    struct revived *ret_revived, struct err *e)
{
	struct restorer *rs = calloc(1, sizeof *rs);
	struct revived got = { .master = -1, .status_fd = -1 };
	Img__Machine *m = NULL;
	int r;

	if (rs == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	restorer_init(rs);
	rs->c.force = req->force;
	rs->c.userns = req->by_root == NULL && space_needs_userns();
	got.generation = req->generation;
	r = restorer_open(rs, req->saved_dirfd, req->name, &got.generation, &m);
	if (r >= 0)
		r = saved_session(&rs->c, &got.session);
	if (r >= 0)
		r = req->by_root == NULL ?
		    start(rs, m, ready, arg, &got) :
		    start_by_root(rs, req, m, ready, arg, &got);
	if (r >= 0) {
		rs->c.parent = got.parent;
		got.sleeps = sleep_learn(&rs->c);
	}
	if (m != NULL)
		img__machine__free_unpacked(m, NULL);
	if (rs->c.img != NULL)
		image_close(rs->c.img);
	if (r < 0) {
		undo(&got);
		*e = rs->err;
	} else {
		*ret_revived = got;
	}
	free(rs);
	(void)malloc_trim(0);
	return r < 0 ? r : 0;
}
