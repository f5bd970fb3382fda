/*
 * talk.c - commands that have a talk with a living session: -send, -wait,
 * -history, -mv.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "client.h"
#include "cmd/commands.h"
#include "server/rename.h"
#include "server/send.h"
#include "session/ended.h"
#include "session/proto.h"
#include "session/session.h"

#define MOVE_MS 10000
#define HISTORY_MS 10000

/* ---- -send ---- */

/* One piece; the answer comes when the program's terminal has taken it. */
static int
send_piece(struct context *c, int sock, uint8_t *data, size_t len)
{
	Sess__Message m = proto_message(SESS__KIND__SEND);

	m.has_data = true;
	m.data.data = data;
	m.data.len = len;
	return client_ask(sock, &m, -1, NULL, &c->err);
}

int
run_send(struct context *c, char *arg, char **rest)
{
	uint8_t data[SEND_PIECE_MAX];
	autoclose int sock = -1;
	ssize_t n;
	int r;

	(void)rest;
	r = commands_connect(c, arg, &sock);
	while (r == 0) {
		n = read(STDIN_FILENO, data, sizeof data);
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		r = n < 0 ? err_sys(&c->err, "cannot read the input") :
			    send_piece(c, sock, data, (size_t)n);
	}
	return r;
}

/* ---- -history ---- */

int
run_history(struct context *c, char *arg, char **rest)
{
	Sess__Message m = proto_message(SESS__KIND__HISTORY);
	struct packet k autopacket = PACKET_NONE;
	struct buf text autobuf = BUF_INIT(64 << 20);
	int r;

	(void)rest;
	r = commands_ask(c, arg, &m, HISTORY_MS, &k);
	if (r < 0)
		return r;
	if (k.n_fds != 1)
		return err_set(&c->err, -EBADMSG,
		    "the session's server gives an odd answer");
	if (lseek(k.fds[0], 0, SEEK_SET) < 0 ||
	    io_read_all(k.fds[0], &text) < 0)
		return err_set(&c->err, -EIO, "cannot read the history");
	(void)fwrite(text.data, 1, text.len, stdout);
	return 0;
}

/* ---- -wait ---- */

/* Exit status of one that has ended; it may be asked for again. */
static int
ended_before(struct context *c, const char *name)
{
	struct ended d;
	int r = ended_get(&c->places, name, &d);

	if (r < 0)
		return r;
	r = ended_exit_status(d.status);
	ended_done(&d);
	(void)ended_see(&c->places, name, true);
	return r;
}

/* What the server says of the end. */
static int
status_of(struct context *c, const char *name, const Sess__Message *m)
{
	if (m->kind == SESS__KIND__SAVED)
		return err_set(&c->err, -ECANCELED,
		    "session '%s' has no exit status: it was saved and ended, "
		    "sess -revive %s brings it back",
		    name, name);
	if (m->kind != SESS__KIND__ENDED)
		return err_set(&c->err, -EBADMSG,
		    "the session's server gives an odd answer");
	/* It may have another name by now. */
	(void)ended_see(&c->places, m->name != NULL ? m->name : name, true);
	return ended_exit_status(m->status);
}

int
run_wait(struct context *c, char *arg, char **rest)
{
	Sess__Message m = proto_message(SESS__KIND__WAIT);
	struct packet k autopacket = PACKET_NONE;
	autoclose int sock = -1;
	int r, ended = -ENOENT;

	(void)rest;
	r = commands_connect(c, arg, &sock);
	if (r == 0)
		r = client_ask(sock, &m, -1, &k, &c->err);
	if (r == 0)
		return status_of(c, arg, k.msg);
	/* It ended before, or while it was asked: then that is on disk. */
	if (session_check_name(arg, NULL) == 0)
		ended = ended_before(c, arg);
	return ended >= 0 ? ended : r;
}

/* ---- -mv ---- */

/* The server of FROM takes the name over, with its lock. */
static int
move_live(struct context *c, const char *from, char *to)
{
	Sess__Message m = proto_message(SESS__KIND__MOVE);
	struct packet k autopacket = PACKET_NONE;
	autoclose int sock = -1, lock = -1;
	int r;

	r = commands_connect(c, from, &sock);
	if (r == 0)
		r = session_lock(&c->places, to, &lock, &c->err);
	if (r < 0)
		return r;
	m.name = to;
	r = proto_send(sock, &m, &lock, 1, 0);
	if (r == 0)
		r = proto_await(sock, MOVE_MS, &k);
	if (r <= 0) /* the name may be taken by now: its files stay */
		return err_set(&c->err, r < 0 ? r : -EPIPE,
		    "the session's server does not answer");
	if (k.msg->kind == SESS__KIND__OK)
		return 0;
	session_forget(&c->places, to);
	return err_set(&c->err, -EIO, "%s",
	    k.msg->text == NULL ? "the session refuses" : k.msg->text);
}

int
run_move(struct context *c, char *arg, char **rest)
{
	int r = session_check_name(arg, &c->err);

	if (r == 0)
		r = session_check_name(rest[0], &c->err);
	if (r < 0)
		return r;
	if (strcmp(arg, rest[0]) == 0)
		return err_set(&c->err, -EEXIST, "the name is '%s' already",
		    arg);
	return session_lives(&c->places, arg) ?
	    move_live(c, arg, rest[0]) :
	    rename_kept(&c->places, arg, rest[0], &c->err);
}
