/*
 * client.c - see client.h: what is said to the server and heard from it, and
 * signals. The terminal itself is client/loan.h's.
 */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/say.h"
#include "base/scope.h"
#include "client/loan.h"
#include "config.h"
#include "session/ended.h"
#include "session/undo.h"

#define ANSWER_MS 10000
#define DRAIN_MS 2000
#define SUSPEND_MS 2000
#define SEEN_MS 1000

struct client {
	const struct client_options *o;
	int sock;
	struct loan loan;
	int signals; /* signalfd */
	sigset_t mask_before;
	bool finished, suspended, detached;
	int result;      /* exit status, or negative errno */
	int row;         /* for the cursor, from 0; -1: the last one */
	char line[1024]; /* to be said at the end */
};

/* ---- messages ---- */

static void
put_size(const struct client *c, Sess__Message *m)
{
	struct pty_size z = loan_size(&c->loan);

	m->has_rows = m->has_cols = m->has_xpixel = m->has_ypixel = true;
	m->rows = z.rows;
	m->cols = z.cols;
	m->xpixel = z.xpixel;
	m->ypixel = z.ypixel;
}

static void
send_sized(const struct client *c, Sess__Kind kind)
{
	Sess__Message m = proto_message(kind);

	put_size(c, &m);
	(void)proto_send(c->sock, &m, NULL, 0, 0);
}

static int
send_attach(struct client *c, struct err *e)
{
	Sess__Message m = proto_message(SESS__KIND__ATTACH);
	autoclose int page = -1, lent = -1;
	int r;

	r = undo_create(&c->loan.page, &page);
	if (r < 0)
		return err_num(e, r, "cannot make a shared page");
	r = loan_make(&c->loan, c->o->quiet ? NULL : c->o->name, &lent, e);
	if (r < 0)
		return r;
	put_size(c, &m);
	m.has_key = c->o->key >= 0;
	m.key = (uint32_t)c->o->key;
	m.has_no_key = c->o->key < 0;
	m.no_key = c->o->key < 0;
	m.has_read_only = m.has_low = m.has_features = true;
	m.features = c->loan.features;
	m.has_termios = c->loan.tty >= 0;
	m.termios.data = (uint8_t *)&c->loan.before;
	m.termios.len = sizeof c->loan.before;
	m.read_only = c->o->read_only;
	m.low = c->o->low;
	m.has_redraw = c->o->redraw != CLIENT_REDRAW_NONE;
	m.redraw = c->o->redraw;
	m.has_stop_key = c->o->stop_key && c->loan.tty >= 0;
	m.stop_key = c->loan.before.c_cc[VSUSP];
	m.from = (char *)(uintptr_t)c->o->from;
	m.login = c->o->login;
	while (m.login != NULL && m.login[m.n_login] != NULL)
		m.n_login++;
	loan_raw(&c->loan);
	r = proto_send(c->sock, &m, (int[]){ lent, page }, 2, 0);
	return r < 0 ?
	    err_num(e, r, "session '%s' cannot be attached", c->o->name) :
	    0;
}

static void
finish(struct client *c, int result)
{
	c->finished = true;
	c->result = result;
}

void
client_say_ended(const char *name, int wait_status)
{
	if (WIFSIGNALED(wait_status))
		say_line(stdout, "[%s: ended by signal %d, %s]", name,
		    WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	else
		say_line(stdout, "[%s: ended with status %d]", name,
		    WEXITSTATUS(wait_status));
	(void)fflush(stdout);
}

static void
say_ended(const struct client *c, int status)
{
	if (c->o->tell != NULL)
		c->o->tell(c->o->name, CLIENT_ENDED, status);
	else if (!c->o->quiet)
		client_say_ended(c->o->name, status);
}

static void
on_ended(struct client *c, const Sess__Message *m)
{
	Sess__Message seen = proto_message(SESS__KIND__SEEN);
	struct err e = { .text = "" };

	finish(c, ended_exit_status(m->status));
	if (c->loan.relay != NULL)
		relay_drain(c->loan.relay, DRAIN_MS);
	loan_return(&c->loan, c->row);
	if (loan_is_heard())
		say_ended(c, m->status);
	/* The record of the end is in order when we are gone. */
	(void)client_ask(c->sock, &seen, SEEN_MS, NULL, &e);
}

static void
say_detached(struct client *c)
{
	c->detached = true;
	(void)snprintf(c->line, sizeof c->line, "[%s: detached]", c->o->name);
}

static void
on_detached(struct client *c, const Sess__Message *m)
{
	(void)m;
	say_detached(c);
	finish(c, 0);
}

static void
on_saved(struct client *c, const Sess__Message *m)
{
	if (!m->ended)
		return;
	finish(c, 0);
	(void)snprintf(c->line, sizeof c->line,
	    "saved as %s@%llu, revive with sess -revive %s", c->o->name,
	    (unsigned long long)m->generation, c->o->name);
}

static void
on_suspended(struct client *c, const Sess__Message *m)
{
	(void)m;
	c->suspended = true;
}

static void
on_failed(struct client *c, const Sess__Message *m)
{
	finish(c, -EIO);
	(void)snprintf(c->line, sizeof c->line, "%s",
	    m->text == NULL ? "the session refuses" : m->text);
}

static void
on_stop_key(struct client *c, const Sess__Message *m)
{
	(void)c;
	(void)m;
	(void)raise(SIGTSTP); /* which is taken like anybody's */
}

static const struct {
	Sess__Kind kind;
	void (*run)(struct client *c, const Sess__Message *m);
} table[] = {
	{ SESS__KIND__ENDED, on_ended },
	{ SESS__KIND__DETACHED, on_detached },
	{ SESS__KIND__SAVED, on_saved },
	{ SESS__KIND__SUSPENDED, on_suspended },
	{ SESS__KIND__FAILED, on_failed },
	{ SESS__KIND__STOP_KEY, on_stop_key },
};

static void
take_message(struct client *c)
{
	struct packet k autopacket = PACKET_NONE;
	int r = proto_recv(c->sock, 0, &k);
	size_t i;

	if (r <= 0) {
		finish(c, -EPIPE);
		(void)snprintf(c->line, sizeof c->line,
		    "the server of "
		    "session '%s' has died",
		    c->o->name);
		return;
	}
	if (k.msg->has_row)
		c->row = (int)(k.msg->row & 0xffff);
	for (i = 0; i < N_ELEMENTS(table); i++)
		if (table[i].kind == k.msg->kind)
			table[i].run(c, k.msg);
}

/* ---- signals ---- */

/* Have the server let go of the terminal, so that we can put it right. */
static bool
suspend(struct client *c)
{
	Sess__Message m = proto_message(SESS__KIND__SUSPEND);
	struct pollfd p = { .fd = c->sock, .events = POLLIN };

	c->suspended = false;
	(void)proto_send(c->sock, &m, NULL, 0, 0);
	while (!c->suspended && !c->finished && poll(&p, 1, SUSPEND_MS) == 1)
		take_message(c);
	return !c->finished;
}

static void
resume(struct client *c)
{
	loan_raw(&c->loan);
	send_sized(c, SESS__KIND__RESUME);
}

static void
on_stop(struct client *c)
{
	if (!suspend(c))
		return;
	loan_return(&c->loan, c->row);
	(void)raise(SIGSTOP);
	/* SIGCONT, which brought us here, is read and resumes. */
}

static void
take_signal(struct client *c)
{
	struct signalfd_siginfo si;

	if (read(c->signals, &si, sizeof si) != sizeof si)
		return;
	switch (si.ssi_signo) {
	case SIGWINCH:
		send_sized(c, SESS__KIND__RESIZE);
		break;
	case SIGTSTP:
		on_stop(c);
		break;
	case SIGCONT:
		resume(c);
		break;
	case SIGHUP:
		/* The terminal is gone; the server's copy holds it open. */
		finish(c, 0);
		break;
	default:
		if (suspend(c))
			finish(c, 0);
		say_detached(c);
	}
}

static int
catch_signals(struct client *c, struct err *e)
{
	static const int caught[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGHUP,
		SIGTERM, SIGINT, SIGQUIT };
	sigset_t set;
	size_t i;

	(void)sigemptyset(&set);
	for (i = 0; i < N_ELEMENTS(caught); i++)
		(void)sigaddset(&set, caught[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &c->mask_before);
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return c->signals < 0 ? err_sys(e, "cannot catch signals") : 0;
}

/* ---- the loop ---- */

static void
wait_once(struct client *c)
{
	struct pollfd fds[2 + RELAY_FDS] = {
		{ .fd = c->sock, .events = POLLIN },
		{ .fd = c->signals, .events = POLLIN },
	};
	nfds_t n = 2;

	if (c->loan.relay != NULL) {
		relay_poll(c->loan.relay, fds + 2);
		n += RELAY_FDS;
	}
	if (poll(fds, n, -1) <= 0)
		return;
	if (c->loan.relay != NULL)
		relay_copy(c->loan.relay, fds + 2);
	if (fds[1].revents != 0)
		take_signal(c);
	if (fds[0].revents != 0 && !c->finished)
		take_message(c);
}

static void
release(struct client *c)
{
	(void)sigprocmask(SIG_SETMASK, &c->mask_before, NULL);
	scope_close(&c->signals);
	scope_close(&c->sock);
	relay_close(&c->loan.relay);
	undo_close(&c->loan.page);
}

int
client_check(struct err *e)
{
	return loan_check(e);
}

int
client_attach(int sock, const struct client_options *o, struct err *e)
{
	struct client c = { .o = o,
		.sock = sock,
		.loan = { .tty = -1 },
		.signals = -1,
		.row = -1 };
	bool heard;
	int r;

	r = catch_signals(&c, e);
	if (r == 0)
		r = send_attach(&c, e);
	if (r < 0) {
		loan_return(&c.loan, c.row);
		release(&c);
		return r;
	}
	while (!c.finished)
		wait_once(&c);
	if (c.loan.relay != NULL)
		relay_drain(c.loan.relay, DRAIN_MS);
	loan_return(&c.loan, c.row);
	heard = loan_is_heard();
	release(&c);
	if (c.result < 0)
		return err_set(e, c.result, "%s", c.line);
	if (!heard)
		return c.result;
	if (c.detached && o->tell != NULL)
		o->tell(o->name, CLIENT_DETACHED, 0);
	else if (c.line[0] != 0 && !o->quiet)
		say_line(stdout, "%s", c.line);
	(void)fflush(stdout);
	return c.result;
}

int
client_ask(int sock, const Sess__Message *m, int timeout_ms, struct packet *ret,
    struct err *e)
{
	struct packet k autopacket = PACKET_NONE;
	int r;

	r = proto_send(sock, m, NULL, 0, 0);
	/* Who was not let in finds the reason in what has come. */
	if (r == 0 || r == -EPIPE)
		r = proto_await(sock, timeout_ms, &k);
	if (r == -ETIMEDOUT)
		return err_set(e, r, "the session's server does not answer");
	if (r <= 0)
		return err_set(e, r < 0 ? r : -EPIPE,
		    "the session's server has gone away");
	if (k.msg->kind == SESS__KIND__FAILED)
		return err_set(e, -EIO, "%s",
		    k.msg->text == NULL ? "the session refuses" : k.msg->text);
	if (ret != NULL) {
		*ret = k;
		k = PACKET_NONE;
	}
	return 0;
}
