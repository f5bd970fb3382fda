/*
 * launch.c - see launch.h.
 *
 * A server is two forks away from who starts it, so that it leads no session
 * (it could acquire a terminal) and is nobody's child. A subreaper's orphans
 * come back to it: a sibling is therefore cloned with CLONE_PARENT, and its
 * line leads past the server that makes it.
 */
#include "server/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "server.h"
#include "server/broker.h"
#include "session/session.h"

#define ORDER_MAX (8 << 20) /* bytes of command line and environment */
#define ANSWER_MS 10000

/* ---- in the process that becomes the server's grandparent ---- */

static void
unblock_all(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The environment of the program, and of the server in its beginnings. */
static int
set_environment(const struct launch *l)
{
	if (l->env != NULL)
		environ = l->env;
	return setenv("SESS_SESSION", l->name, 1) < 0 ||
		setenv("SESS_ID", l->id, 1) < 0 ?
	    -errno :
	    0;
}

/* The last of the line: become the server. */
static _Noreturn void
become_server(const struct launch *l, int lock, int result)
{
	struct launch own = *l;

	unblock_all();
	if (own_new_id(own.id) < 0 || set_environment(&own) < 0)
		_exit(1);
	own.env = environ;
	server_main(&own, lock, result);
}

static int
fork_server(const struct launch *l, int lock, int result, struct err *e)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return err_sys(e, "cannot fork");
	if (pid > 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return 0;
	}
	(void)setsid();
	pid = fork();
	if (pid != 0)
		_exit(pid < 0);
	become_server(l, lock, result);
}

/* ---- the order, for a sibling ---- */

static size_t
count(char *const *v)
{
	size_t n = 0;

	while (v != NULL && v[n] != NULL)
		n++;
	return n;
}

int
launch_write_order(const struct launch *l, int *ret_fd, struct err *e)
{
	Sess__Order m = SESS__ORDER__INIT;
	autofree char *cwd = get_current_dir_name();
	autofree uint8_t *data = NULL;
	autoclose int fd = -1;
	size_t len;
	int r;

	m.name = (char *)(uintptr_t)l->name;
	m.argv = l->argv;
	m.n_argv = count(l->argv);
	m.env = l->env;
	m.n_env = count(l->env);
	m.cwd = cwd;
	m.umask = l->umask;
	m.rows = l->size.rows;
	m.cols = l->size.cols;
	m.has_xpixel = m.has_ypixel = m.has_termios = l->termios != NULL;
	m.xpixel = l->size.xpixel;
	m.ypixel = l->size.ypixel;
	m.termios.data = (uint8_t *)(uintptr_t)l->termios;
	m.termios.len = sizeof *l->termios;
	m.has_expects_client = m.has_revive = m.has_generation = true;
	m.expects_client = l->expects_client;
	m.revive = l->revive;
	m.generation = l->generation;
	m.has_relaunch = l->relaunch;
	m.relaunch = l->relaunch;
	m.has_force = true;
	m.force = l->force;
	len = sess__order__get_packed_size(&m);
	data = malloc(len + 1);
	if (data == NULL)
		return err_set(e, -ENOMEM, "no memory");
	(void)sess__order__pack(&m, data);
	fd = memfd_create("sess-order", MFD_CLOEXEC);
	r = fd < 0 ? -errno : io_pwrite(fd, data, len, 0);
	if (r < 0)
		return err_num(e, r, "cannot hand over the command");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* By message to another session's server, or by way of root's broker. */
static int
order_by(int sock, const struct launch *l, int lock, int result, struct err *e)
{
	Sess__Message m = proto_message(SESS__KIND__CREATE);
	struct packet k autopacket = PACKET_NONE;
	autoclose int order = -1;
	int fds[N_LAUNCH_FDS], r;

	r = launch_write_order(l, &order, e);
	if (r < 0)
		return r;
	fds[LAUNCH_ORDER] = order;
	fds[LAUNCH_CWD] = l->cwd;
	fds[LAUNCH_LOCK] = lock;
	fds[LAUNCH_RESULT] = result;
	if (l->broker >= 0)
		return broker_order(l->broker, fds, e);
	r = proto_send(sock, &m, fds, N_LAUNCH_FDS, 0);
	if (r == 0)
		r = proto_await(sock, ANSWER_MS, &k);
	if (r < 0 || k.msg == NULL)
		return err_num(e, r < 0 ? r : -EPIPE,
		    "the server of this session does not answer");
	if (k.msg->kind != SESS__KIND__OK)
		return err_set(e, -EIO, "%s",
		    k.msg->text == NULL ? "the server of this session refuses" :
					  k.msg->text);
	return 0;
}

/* ---- in the other session's server ---- */

int
launch_read_order(int fd, Sess__Order **ret_m, struct err *e)
{
	struct buf b autobuf = BUF_INIT(ORDER_MAX);

	if (lseek(fd, 0, SEEK_SET) < 0 || io_read_all(fd, &b) < 0)
		return err_set(e, -EBADMSG,
		    "the command to run is "
		    "unreadable or too long");
	*ret_m = sess__order__unpack(NULL, b.len, b.data);
	if (*ret_m == NULL || session_check_name((*ret_m)->name, e) < 0 ||
	    ((*ret_m)->n_argv == 0 && !(*ret_m)->revive))
		return err_set(e, -EBADMSG,
		    "the request for a session is "
		    "malformed");
	return 0;
}

/* Where CWD leads, by name if it can be: the namespaces may differ. */
static int
open_cwd(const Sess__Order *m, int cwd)
{
	struct stat a, b;
	int fd;

	if (m->cwd == NULL)
		return cwd;
	fd = open(m->cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &a) == 0 && fstat(cwd, &b) == 0 &&
	    a.st_ino == b.st_ino && a.st_dev == b.st_dev)
		return fd;
	scope_close(&fd);
	return cwd;
}

static char **
terminate(char **v, size_t n)
{
	char **w = calloc(n + 1, sizeof *w);

	if (w != NULL && n > 0)
		memcpy(w, v, n * sizeof *w);
	return w;
}

int
launch_read(const Sess__Order *m, int cwd, struct launch *ret_l,
    struct termios *tio, struct err *e)
{
	struct launch l = { .name = m->name,
		.argv = terminate(m->argv, m->n_argv),
		.env = terminate(m->env, m->n_env),
		.umask = m->umask & 0777,
		.size = { .rows = (unsigned short)m->rows,
		    .cols = (unsigned short)m->cols,
		    .xpixel = (unsigned short)m->xpixel,
		    .ypixel = (unsigned short)m->ypixel },
		.expects_client = m->expects_client,
		.revive = m->revive,
		.relaunch = m->relaunch,
		.generation = m->generation,
		.force = m->force,
		.broker = -1 };

	if (l.argv == NULL || l.env == NULL) {
		free(l.argv);
		free(l.env);
		return err_set(e, -ENOMEM, "no memory");
	}
	l.cwd = open_cwd(m, cwd);
	if (m->has_termios && m->termios.len == sizeof *tio) {
		memcpy(tio, m->termios.data, sizeof *tio);
		l.termios = tio;
	}
	*ret_l = l;
	return 0;
}

/* Be the server that M asks for. */
static _Noreturn void
serve_order(const Sess__Order *m, const int *fds, const struct by_root *by_root)
{
	struct termios tio;
	struct launch l;

	if (launch_read(m, fds[LAUNCH_CWD], &l, &tio, NULL) < 0)
		_exit(1);
	l.by_root = by_root;
	become_server(&l, fds[LAUNCH_LOCK], fds[LAUNCH_RESULT]);
}

_Noreturn void
launch_obey(const int *fds, const struct by_root *by_root)
{
	struct launch_result lr = { .exit_status = 1 };
	struct err e = { .text = "" };
	Sess__Order *m = NULL;

	lr.error = launch_read_order(fds[LAUNCH_ORDER], &m, &e);
	if (lr.error == 0)
		serve_order(m, fds, by_root);
	memcpy(lr.text, e.text, sizeof lr.text);
	(void)io_write(fds[LAUNCH_RESULT], &lr, sizeof lr);
	_exit(1);
}

/* In the child that is no child of this server. */
static _Noreturn void
obey(const Sess__Order *m, const int *fds)
{
	pid_t pid = fork(); /* libc's own, which puts its state right */

	if (pid != 0)
		_exit(pid < 0);
	(void)setsid();
	pid = fork();
	if (pid != 0)
		_exit(pid < 0);
	serve_order(m, fds, NULL);
}

int
launch_sibling(const struct packet *p, struct err *e)
{
	Sess__Order *m = NULL;
	long pid;
	int r;

	if (p->n_fds != N_LAUNCH_FDS)
		return err_set(e, -EBADMSG,
		    "the request for a session is "
		    "malformed");
	r = launch_read_order(p->fds[LAUNCH_ORDER], &m, e);
	if (r == 0) {
		pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			obey(m, p->fds);
		if (pid < 0)
			r = err_sys(e, "cannot fork");
	}
	if (m != NULL)
		sess__order__free_unpacked(m, NULL);
	return r;
}

/* ---- in the command ---- */

/* The server of the session that we are in, if it can be reached. */
static int
own_server(const struct places *p)
{
	autofree char *name = NULL;
	int sock;

	if (own_session(p, &name) < 0 ||
	    session_connect(p, name, &sock, NULL) < 0)
		return -1;
	return sock;
}

int
launch_start(const struct places *p, const struct launch *l, int *ret_exit,
    struct launch_result *ret_result, struct err *e)
{
	autoclose int lock = -1, hear = -1, say = -1, sock = -1;
	struct launch_result lr = { .error = 0 };
	int fds[2], r;

	*ret_exit = 1;
	r = session_lock(p, l->name, &lock, e);
	if (r < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");
	hear = fds[0];
	say = fds[1];
	sock = l->broker >= 0 ? -1 : own_server(p);
	r = sock < 0 && l->broker < 0 ? fork_server(l, lock, say, e) :
					order_by(sock, l, lock, say, e);
	scope_close(&say);
	if (r < 0)
		return r;
	r = io_read(hear, &lr, sizeof lr);
	if (r < 0)
		return err_set(e, -EIO,
		    "the server of '%s' died at its "
		    "start",
		    l->name);
	lr.text[sizeof lr.text - 1] = 0;
	if (lr.error < 0) {
		*ret_exit = lr.exit_status;
		return err_set(e, lr.error, "%s", lr.text);
	}
	if (ret_result != NULL)
		*ret_result = lr;
	return 0;
}
