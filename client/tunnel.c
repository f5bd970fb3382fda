/*
 * tunnel.c - see tunnel.h.
 */
#include "client/tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "base/scope.h"
#include "pty.h"
#include "session/ended.h"
#include "session/proto.h"

#define PIECE 16384
#define REST_MS 200 /* for output on its way when the program has ended */

/* Handed on, but for the first two. */
static const int signals[] = { SIGWINCH, SIGCONT, SIGINT, SIGTERM, SIGHUP,
	SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP };

enum { P_SOCK, P_SIGNALS, P_MASTER, P_IN, N_POLL };

struct tunnel {
	int sock, master, signals;
	int slave; /* ours keeps the master from a hangup; -1: let it come */
	int in, out, tty; /* the terminal; -1: none of it */
	bool raw;         /* it is ours: we are in its foreground */
	struct termios before;
	uint8_t up[PIECE]; /* typed, not taken yet */
	size_t n_up;
	bool ended;
	int status; /* wait(2) status */
};

/* ---- the terminal ---- */

static void
enter(struct tunnel *t)
{
	struct termios raw = pty_raw(&t->before);
	struct pty_size size;

	if (t->tty < 0)
		return;
	if (!t->raw && t->in >= 0 && tcgetpgrp(t->tty) == getpgrp()) {
		(void)tcsetattr(t->tty, TCSADRAIN, &raw);
		t->raw = true;
	}
	if (t->master >= 0 && pty_size(t->tty, &size) == 0)
		(void)pty_resize(t->master, &size);
}

static void
leave(struct tunnel *t)
{
	if (t->raw && tcgetpgrp(t->tty) == getpgrp())
		(void)tcsetattr(t->tty, TCSADRAIN, &t->before);
	t->raw = false;
}

static void
find_terminal(struct tunnel *t)
{
	/* What reads something else than us may want keys all the same. */
	t->in = isatty(STDIN_FILENO) ? STDIN_FILENO :
	    isatty(STDOUT_FILENO)    ? STDOUT_FILENO :
				       -1;
	t->out = isatty(STDOUT_FILENO) ? STDOUT_FILENO :
	    isatty(STDERR_FILENO)      ? STDERR_FILENO :
					 t->in;
	t->tty = t->in >= 0 ? t->in : t->out;
	if (t->tty >= 0 && tcgetattr(t->tty, &t->before) < 0)
		t->in = t->out = t->tty = -1;
}

/* ---- what comes ---- */

static void
send_signal(struct tunnel *t, int sig)
{
	Sess__Message m = proto_message(SESS__KIND__SIGNAL);

	m.has_status = true;
	m.status = sig;
	(void)proto_send(t->sock, &m, NULL, 0, 0);
}

/* It was stopped: so are we, until a shell says otherwise. */
static void
suspend(struct tunnel *t)
{
	leave(t);
	(void)kill(0, SIGSTOP);
	enter(t);
	send_signal(t, SIGCONT);
}

static int
take_message(struct tunnel *t, struct err *e)
{
	struct packet k autopacket = PACKET_NONE;
	int r = proto_recv(t->sock, 0, &k);

	if (r == 1 && k.msg->kind == SESS__KIND__SUSPENDED) {
		suspend(t);
		return 0;
	}
	if (r == 1 && k.msg->kind == SESS__KIND__ENDED) {
		t->ended = true;
		scope_close(&t->slave);
		t->status = k.msg->status;
		return 0;
	}
	return err_set(e, -ECONNRESET,
	    "the session was saved and revived, or lost its server: what ran "
	    "outside is gone");
}

static void
take_signal(struct tunnel *t)
{
	struct signalfd_siginfo si;

	if (read(t->signals, &si, sizeof si) != (ssize_t)sizeof si)
		return;
	if (si.ssi_signo == SIGCONT)
		t->raw = false; /* a shell may have set what it wants */
	if (si.ssi_signo == SIGWINCH || si.ssi_signo == SIGCONT)
		enter(t);
	else
		send_signal(t, (int)si.ssi_signo);
}

static void
take_output(struct tunnel *t)
{
	uint8_t data[PIECE];
	ssize_t n = read(t->master, data, sizeof data);

	if (n > 0 && t->out >= 0 && io_write(t->out, data, (size_t)n) < 0)
		t->out = -1;
	/* EIO: nobody has the other side open. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		scope_close(&t->master);
}

/*
 * The program has no shell above it on its terminal, so that a ^Z there stops
 * nothing: where it would be one, the server is asked to stop it.
 */
static void
take_stop_key(struct tunnel *t)
{
	struct termios its;
	uint8_t *at;

	if (tcgetattr(t->master, &its) < 0 || (its.c_lflag & ISIG) == 0 ||
	    its.c_cc[VSUSP] == _POSIX_VDISABLE)
		return;
	at = memchr(t->up, its.c_cc[VSUSP], t->n_up);
	if (at == NULL)
		return;
	t->n_up = (size_t)(at - t->up); /* as the terminal: what follows goes */
	send_signal(t, SIGTSTP);
}

static void
take_input(struct tunnel *t)
{
	ssize_t n = read(t->in, t->up, sizeof t->up);

	if (n > 0) {
		t->n_up = (size_t)n;
		take_stop_key(t);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		t->in = -1;
		leave(t);
	}
}

static void
bring_up(struct tunnel *t)
{
	ssize_t n = write(t->master, t->up, t->n_up);

	if (n > 0) {
		t->n_up -= (size_t)n;
		memmove(t->up, t->up + n, t->n_up);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		t->n_up = 0;
	}
}

static void
hang_up(struct tunnel *t)
{
	scope_close(&t->slave);
	scope_close(&t->master);
}

/* One turn. The terminal's end is the program's hangup. */
static int
turn(struct tunnel *t, struct err *e)
{
	bool up = t->n_up > 0 && t->master >= 0;
	struct pollfd p[N_POLL] = {
		[P_SOCK] = { .fd = t->ended ? -1 : t->sock, .events = POLLIN },
		[P_SIGNALS] = { .fd = t->signals, .events = POLLIN },
		[P_MASTER] = { .fd = t->master,
		    .events = (short)(POLLIN | (up ? POLLOUT : 0)) },
		[P_IN] = { .fd = t->raw && !t->ended && t->n_up == 0 ? t->in :
								       -1,
		    .events = POLLIN },
	};
	int n = poll(p, N_POLL, t->ended ? REST_MS : -1);

	if (n < 0)
		return errno == EINTR ? 0 : err_sys(e, "cannot wait");
	if (n == 0)
		scope_close(&t->master); /* somebody else has it open still */
	if (p[P_SIGNALS].revents != 0)
		take_signal(t);
	if (p[P_IN].revents != 0)
		take_input(t);
	if ((p[P_MASTER].revents & POLLOUT) != 0)
		bring_up(t);
	if ((p[P_MASTER].revents & ~POLLOUT) != 0)
		take_output(t);
	if (t->tty >= 0 && t->in < 0 && t->out < 0)
		hang_up(t);
	return p[P_SOCK].revents != 0 ? take_message(t, e) : 0;
}

int
tunnel_run(int sock, int master, struct err *e)
{
	struct tunnel t = { .sock = sock, .master = master };
	sigset_t set, before;
	int r = 0;

	t.slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	find_terminal(&t);
	(void)sigemptyset(&set);
	for (size_t i = 0; i < N_ELEMENTS(signals); i++)
		(void)sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	t.signals = signalfd(-1, &set, SFD_CLOEXEC);
	enter(&t);
	while (r == 0 && !(t.ended && t.master < 0))
		r = turn(&t, e);
	leave(&t);
	hang_up(&t);
	scope_close(&t.signals);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r < 0 ? r : ended_exit_status(t.status);
}
