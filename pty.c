/*
 * pty.c - see pty.h.
 */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include "base/io.h"
#include "base/scope.h"
#include "config.h"

int
pty_resize(int master, const struct pty_size *size)
{
	struct winsize ws = { .ws_row = size->rows,
		.ws_col = size->cols,
		.ws_xpixel = size->xpixel,
		.ws_ypixel = size->ypixel };

	return ioctl(master, TIOCSWINSZ, &ws) < 0 ? -errno : 0;
}

int
pty_size(int fd, struct pty_size *ret_size)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) < 0)
		return -errno;
	ret_size->rows = ws.ws_row == 0 ? DEFAULT_ROWS : ws.ws_row;
	ret_size->cols = ws.ws_col == 0 ? DEFAULT_COLS : ws.ws_col;
	ret_size->xpixel = ws.ws_xpixel;
	ret_size->ypixel = ws.ws_ypixel;
	return 0;
}

unsigned
pty_device(int master)
{
	unsigned n;

	/* kernel: include/uapi/linux/major.h, UNIX98_PTY_SLAVE_MAJOR; the form
	 * is that of proc_pid_stat(5): minor in bits 31-20 and 7-0 */
	if (ioctl(master, TIOCGPTN, &n) < 0)
		return 0;
	return 136u << 8 | (n & 0xff) | (n & ~0xffu) << 12;
}

bool
pty_same(int a, int b)
{
	struct stat sa, sb;

	return isatty(a) && isatty(b) && fstat(a, &sa) == 0 &&
	    fstat(b, &sb) == 0 && sa.st_rdev == sb.st_rdev &&
	    sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

struct termios
pty_raw(const struct termios *t)
{
	struct termios raw = *t;

	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return raw;
}

/* In the child, between fork and exec: a clean process on the slave. */
static int
become_program(const struct pty_program *p, int slave)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(p->umask);
	if (login_tty(slave) < 0)
		return -errno;
	for (int i = 0; p->fds != NULL && i < 3; i++)
		if (p->fds[i] >= 0 && dup2(p->fds[i], i) < 0)
			return -errno;
	return fchdir(p->cwd) < 0 ? -errno : 0;
}

/* In the child: PATH of the new environment, not of the server's. */
static void
exec_program(const struct pty_program *p, int error_fd)
{
	int num;

	environ = (char **)p->env;
	(void)execvp(p->argv[0], p->argv);
	num = errno;
	(void)!write(error_fd, &num, sizeof num);
}

/*
 * openpty(3) by descriptors alone: CLOEXEC from the first moment, and no
 * name is looked up in a /dev/pts that may be another one.
 */
static int
open_pair(const struct pty_program *p, int *ret_master, int *ret_slave,
    struct err *e)
{
	autoclose int master = -1, slave = -1;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return err_sys(e, "cannot open a pseudo-terminal");
	/* With O_CLOEXEC fdinfo would for ever show the flag in every copy. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (slave < 0 || fcntl(slave, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, "cannot open a pseudo-terminal's slave");
	if (p->termios != NULL)
		(void)tcsetattr(slave, TCSANOW, p->termios);
	(void)pty_resize(master, &p->size);
	*ret_master = TAKE_FD(master);
	*ret_slave = TAKE_FD(slave);
	return 0;
}

/* Await the exec: its end closes the pipe, its failure writes errno. */
static int
await_exec(int fd, pid_t pid, const char *name, int *ret_exit, struct err *e)
{
	int num = 0, r, status;

	r = io_read(fd, &num, sizeof num);
	if (r == -ENODATA)
		return 0;
	(void)waitpid(pid, &status, 0);
	if (r < 0)
		return err_num(e, r, "cannot start '%s'", name);
	*ret_exit = num == ENOENT ? 127 : 126;
	if (num == ENOENT && strchr(name, '/') == NULL)
		return err_set(e, -ENOENT, "%s: command not found", name);
	return err_num(e, -num, "%s", name);
}

int
pty_start(const struct pty_program *p, int *ret_master, pid_t *ret_pid,
    int *ret_exit, struct err *e)
{
	autoclose int master = -1, slave = -1, said = -1, say = -1;
	int pipefd[2], r;
	pid_t pid;

	*ret_exit = 1;
	r = open_pair(p, &master, &slave, e);
	if (r < 0)
		return r;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(e, "cannot make a pipe");
	said = pipefd[0];
	say = pipefd[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, "cannot fork");
	if (pid == 0) {
		r = become_program(p, slave);
		if (r == 0)
			exec_program(p, say);
		else
			(void)!write(say, &(int){ -r }, sizeof r);
		_exit(126);
	}
	scope_close(&say);
	scope_close(&slave);
	r = await_exec(said, pid, p->argv[0], ret_exit, e);
	if (r < 0)
		return r;
	*ret_master = TAKE_FD(master);
	*ret_pid = pid;
	return 0;
}
