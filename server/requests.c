/*
 * requests.c - see requests.h. One table says what each message does.
 */
#include "server/requests.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/ckpt.h"
#include "screen/history.h"
#include "server/control.h"
#include "server/launch.h"
#include "server/outside.h"
#include "server/rename.h"
#include "server/send.h"
#include "server/terminal.h"
#include "session/features.h"
#include "session/ended.h"

#define SEEN_IN_MAX 64   /* sessions in an answer to STATUS */
#define REPORT_MAX 60000 /* bytes of an answer to CHECK */

static struct pty_size
get_size(const Sess__Message *m)
{
	struct pty_size z = { .rows = (unsigned short)m->rows,
		.cols = (unsigned short)m->cols,
		.xpixel = (unsigned short)m->xpixel,
		.ypixel = (unsigned short)m->ypixel };

	z.rows = m->rows < 1 || m->rows > SCREEN_SIDE_MAX ? 24 : z.rows;
	z.cols = m->cols < 1 || m->cols > SCREEN_SIDE_MAX ? 80 : z.cols;
	return z;
}

void
requests_take_login(struct server *s)
{
	struct login l;
	struct peer *p;

	LIST_FOREACH(p, &s->peers, link)
	if (p->terminal != NULL && p->lends)
		break;
	if (p == NULL || login_copy(&p->login, &l) < 0)
		return;
	login_done(&s->login);
	s->login = l;
	login_point(&s->links, &s->login);
}

/* Who only looks on lends nothing; older clients do not say. */
static void
lend_login(struct peer *p, const Sess__Message *m)
{
	login_done(&p->login);
	p->lends = m->n_login > 0 && !m->read_only &&
	    login_parse(m->login, m->n_login, &p->login) == 0;
	if (p->lends) { /* it is the latest, whenever it connected */
		LIST_REMOVE(p, link);
		LIST_INSERT_HEAD(&p->server->peers, p, link);
		requests_take_login(p->server);
	}
}

/* Somebody wants the program to paint, as well as we do. */
static void
redraw(struct server *s, const Sess__Message *m)
{
	struct termios t;
	pid_t group;

	if (m->read_only || s->over)
		return;
	if (m->redraw == 1 && tcgetattr(s->master, &t) == 0 &&
	    (t.c_lflag & (ICANON | ECHO)) == 0)
		(void)flow_input(s, (const uint8_t *)"\f", 1);
	group = m->redraw == 2 ? tcgetpgrp(s->master) : -1;
	if (group > 0)
		(void)kill(-group, SIGWINCH);
}

static void
run_attach(struct peer *p, struct packet *k)
{
	struct server *s = p->server;
	const Sess__Message *m = k->msg;
	struct terminal_request req = { .page_fd = k->fds[1],
		.size = get_size(m),
		.features = m->has_features ? m->features : FEATURES_ALL,
		.client = p->pid,
		.key = m->has_key && m->key < 32 ? (int)m->key : -1,
		.stop_key = m->has_stop_key && m->stop_key < 256 ?
		    (int)m->stop_key :
		    -1,
		.read_only = m->read_only,
		.low = m->low || m->read_only };
	struct termios before;
	struct err e = { .text = "" };
	struct terminal *t;
	int r;

	if (p->terminal != NULL || k->n_fds < 1) {
		(void)err_set(&e, -EINVAL, "no terminal came with the request");
		control_fail(p, &e);
		return;
	}
	req.fd = k->fds[0];
	if (m->has_termios && m->termios.len == sizeof before) {
		memcpy(&before, m->termios.data, sizeof before);
		req.before = &before;
	}
	r = terminal_new(s, p, &req, &t);
	if (r < 0) {
		(void)err_num(&e, r, "the terminal cannot be attached");
		control_fail(p, &e);
		return;
	}
	k->fds[0] = -1;
	p->terminal = t;
	scope_free(&s->notes); /* told: the first attach has asked for them */
	(void)snprintf(p->id, sizeof p->id, "%s",
	    m->from == NULL ? "" : m->from);
	lend_login(p, m);
	s->expects_client = false;
	screen_flush(s->screen);
	flow_lead(s, t);
	terminal_fit(t);
	flow_frame(s);
	redraw(s, m);
}

static void
run_detach(struct peer *p, struct packet *k)
{
	struct server *s = p->server;
	struct terminal *t;

	(void)k;
	while ((t = LIST_FIRST(&s->terminals)) != NULL)
		control_detached(t->peer, t);
	control_ok(p);
}

static void
run_resize(struct peer *p, struct packet *k)
{
	struct pty_size size = get_size(k->msg);

	if (p->terminal != NULL)
		terminal_resize(p->terminal, &size);
}

static void
run_suspend(struct peer *p, struct packet *k)
{
	Sess__Message m = proto_message(SESS__KIND__SUSPENDED);

	(void)k;
	control_set_row(p->server, &m);
	if (p->terminal != NULL)
		terminal_suspend(p->terminal);
	control_send(p, &m);
}

static void
run_resume(struct peer *p, struct packet *k)
{
	if (p->terminal == NULL)
		return;
	p->terminal->size = get_size(k->msg);
	flow_lead(p->server, p->terminal);
	terminal_resume(p->terminal);
}

static void
run_status(struct peer *p, struct packet *k)
{
	struct server *s = p->server;
	Sess__Message m = proto_message(SESS__KIND__INFO);
	char *seen_in[SEEN_IN_MAX];
	struct terminal *t;
	int fd;

	(void)k;
	m.has_created_s = m.has_terminals = m.has_pid = m.has_saved_s = true;
	m.has_saving = m.has_ended = m.has_rows = m.has_cols = true;
	m.name = s->name;
	m.id = s->id;
	m.command = s->command;
	m.created_s = s->created_s;
	m.pid = getpid();
	m.saved_s = s->saved_s;
	m.saving = s->saving != NULL;
	m.ended = s->over;
	m.rows = s->size.rows;
	m.cols = s->size.cols;
	LIST_FOREACH(t, &s->terminals, link)
	{
		m.terminals++;
		if (t->peer->id[0] != 0 && m.n_seen_in < SEEN_IN_MAX)
			seen_in[m.n_seen_in++] = t->peer->id;
	}
	m.seen_in = seen_in;
	m.text = s->notes;
	fd = s->over ? -1 : (int)syscall(SYS_pidfd_open, s->first, 0);
	if (proto_send(p->fd, &m, &fd, fd >= 0 ? 1 : 0, MSG_DONTWAIT) < 0)
		(void)shutdown(p->fd, SHUT_RDWR);
	scope_close(&fd);
}

static void
run_kill(struct peer *p, struct packet *k)
{
	struct err e = { .text = "" };

	if (ending_start(p->server, k->msg->force, &e) < 0) {
		control_fail(p, &e);
		return;
	}
	p->awaits_end = true;
	server_finish(p->server);
}

static void
run_send(struct peer *p, struct packet *k)
{
	struct err e = { .text = "" };

	if (send_put(p->server, p, k->msg->data.data, k->msg->data.len, &e) < 0)
		control_fail(p, &e);
}

static void
run_wait(struct peer *p, struct packet *k)
{
	(void)k;
	p->awaits_status = !p->server->over;
	if (!p->awaits_status)
		control_send_over(p);
}

static void
run_history(struct peer *p, struct packet *k)
{
	Sess__Message m = proto_message(SESS__KIND__OK);
	struct err e = { .text = "" };
	autoclose int fd = -1;

	(void)k;
	if (history_file(p->server->screen, &fd, &e) < 0)
		control_fail(p, &e);
	else if (proto_send(p->fd, &m, &fd, 1, MSG_DONTWAIT) < 0)
		(void)shutdown(p->fd, SHUT_RDWR);
}

static void
run_env(struct peer *p, struct packet *k)
{
	Sess__Message m = proto_message(SESS__KIND__OK);
	char **words = login_words(&p->server->login);

	(void)k;
	m.login = words;
	m.n_login = words == NULL ? 0 : N_LOGIN;
	control_send(p, &m);
	login_words_free(words);
}

static void
run_outside(struct peer *p, struct packet *k)
{
	Sess__Message m = proto_message(SESS__KIND__OK);
	struct err e = { .text = "" };
	autoclose int master = -1;

	if (outside_start(p->server, p, k, &master, &e) < 0)
		control_fail(p, &e);
	else if (proto_send(p->fd, &m, &master, 1, MSG_DONTWAIT) < 0)
		(void)shutdown(p->fd, SHUT_RDWR);
}

static void
run_signal(struct peer *p, struct packet *k)
{
	outside_signal(p->server, p, k->msg->status);
}

static void
run_move(struct peer *p, struct packet *k)
{
	struct err e = { .text = "" };

	if (k->msg->name == NULL || k->n_fds != 1)
		(void)err_set(&e, -EBADMSG, "the request is malformed");
	else if (rename_live(p->server, k->msg->name, &k->fds[0], &e) == 0) {
		control_ok(p);
		return;
	}
	control_fail(p, &e);
}

static void
run_create(struct peer *p, struct packet *k)
{
	struct err e = { .text = "" };

	if (launch_sibling(k, &e) < 0)
		control_fail(p, &e);
	else
		control_ok(p);
}

static void
run_seen(struct peer *p, struct packet *k)
{
	struct server *s = p->server;

	(void)k;
	if (s->over && !s->saved)
		(void)ended_see(&s->places, s->name, saving_has_snapshots(s));
	control_ok(p);
}

static void
run_save(struct peer *p, struct packet *k)
{
	struct err e = { .text = "" };

	if (saving_start(p->server, p, k->msg->stop, k->msg->with_files, &e) <
	    0)
		control_fail(p, &e);
}

static void
run_check(struct peer *p, struct packet *k)
{
	struct buf report autobuf = BUF_INIT(REPORT_MAX);
	Sess__Message m = proto_message(SESS__KIND__REPORT);
	struct err e = { .text = "" };
	size_t obstacles = 0;
	int r;

	(void)k;
	r = ckpt_check(p->server->parent, 0, &report, &obstacles, &e);
	if (r < 0 && r != -EOPNOTSUPP) {
		control_fail(p, &e);
		return;
	}
	if (buf_put(&report, "", 1) < 0)
		report.data[report.len - 1] = 0;
	m.text = (char *)report.data;
	m.has_force = true;
	m.force = r == -EOPNOTSUPP;
	m.has_obstacles_len = true;
	m.obstacles_len = (uint32_t)obstacles;
	control_send(p, &m);
}

static const struct {
	Sess__Kind kind;
	void (*run)(struct peer *p, struct packet *k);
} table[] = {
	{ SESS__KIND__ATTACH, run_attach },
	{ SESS__KIND__DETACH, run_detach },
	{ SESS__KIND__RESIZE, run_resize },
	{ SESS__KIND__SUSPEND, run_suspend },
	{ SESS__KIND__RESUME, run_resume },
	{ SESS__KIND__STATUS, run_status },
	{ SESS__KIND__SAVE, run_save },
	{ SESS__KIND__KILL, run_kill },
	{ SESS__KIND__CREATE, run_create },
	{ SESS__KIND__SEEN, run_seen },
	{ SESS__KIND__CHECK, run_check },
	{ SESS__KIND__SEND, run_send },
	{ SESS__KIND__WAIT, run_wait },
	{ SESS__KIND__OUTSIDE, run_outside },
	{ SESS__KIND__SIGNAL, run_signal },
	{ SESS__KIND__MOVE, run_move },
	{ SESS__KIND__HISTORY, run_history },
	{ SESS__KIND__ENV, run_env },
};

void
requests_run(struct peer *p, struct packet *k)
{
	struct err e = { .text = "" };
	size_t i;

	for (i = 0; i < N_ELEMENTS(table); i++)
		if (table[i].kind == k->msg->kind) {
			table[i].run(p, k);
			return;
		}
	(void)err_set(&e, -EOPNOTSUPP,
	    "this session's server does not know "
	    "request %d: it is older than the command",
	    (int)k->msg->kind);
	control_fail(p, &e);
}
