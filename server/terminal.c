/*
 * terminal.c - see terminal.h.
 */
#include "server/terminal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "config.h"
#include "server/asking.h"
#include "server/control.h"
#include "session/features.h"

#define READ_MAX 16384
#define ESCAPE_MS 25    /* an ESC alone is soon a key of its own */
#define KEY_PART_MS 500 /* for the rest of what begins like a long key */

/* ---- size ---- */

void
terminal_fit(struct terminal *t)
{
	struct server *s = t->server;
	/* Text cannot be written anew. */
	t->view = (t->features & FEATURE_ADDRESS) != 0 &&
	    (t->size.rows != s->size.rows || t->size.cols != s->size.cols);
	t->due = true;
	t->generation = modes_generation(screen_modes(s->screen)) - 1;
	flow_frame(s);
}

void
terminal_resize(struct terminal *t, const struct pty_size *size)
{
	t->size = *size;
	terminal_fit(t);
	if (t->server->leader == t)
		flow_lead(t->server, t);
}

/* ---- reading ---- */

/* What keys_filter() says. False: the terminal is detached and freed. */
static bool
verdict(struct terminal *t, enum keys_verdict v)
{
	size_t held = t->keys.n_held;
	unsigned ms = held == 0 ? DETACH_WAIT_MS :
	    held == 1           ? ESCAPE_MS :
				  KEY_PART_MS;

	if (v == KEYS_DETACH || (v == KEYS_WAIT && ms == 0)) {
		control_detached(t->peer, t);
		return false;
	}
	if (v == KEYS_WAIT)
		server_timer(t->ev_key, ms);
	else
		(void)event_del(t->ev_key);
	return true;
}

/* Input for the program. False: no more for now. */
static bool
pass_on(struct terminal *t, const struct buf *in)
{
	return t->read_only || in->len == 0 ||
	    flow_input(t->server, in->data, in->len);
}

static void
take_input(struct terminal *t, const uint8_t *data, size_t len)
{
	struct server *s = t->server;
	struct buf in autobuf = BUF_INIT(READ_MAX + ANSWERS_HELD_MAX);
	struct buf out autobuf = BUF_INIT(in.max + KEYS_HELD_MAX);
	Sess__Message stop = proto_message(SESS__KIND__STOP_KEY);
	enum keys_verdict v = KEYS_GO_ON;
	bool more = true, typed;
	int r = asking_filter(t, data, len, &in, &typed);

	if (s->leader != t && typed)
		flow_lead(s, t);
	if (in.len == 0)
		return;
	if (in.data[0] == t->stop_key) {
		control_send(t->peer, &stop);
		return;
	}
	if (r == 0)
		r = keys_filter(&t->keys, in.data, in.len,
		    modes_long_keys(screen_modes(s->screen)), &out, &v);
	if (r == 0)
		more = pass_on(t, &out);
	if (verdict(t, v) && !more)
		terminal_listen(t, false);
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	struct terminal *t = arg;
	uint8_t data[READ_MAX];
	ssize_t n;

	(void)fd;
	(void)what;
	if (terminal_client_stopped(t, true)) {
		terminal_suspend(t);
		return;
	}
	n = read(t->fd, data, sizeof data);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		take_input(t, data, (size_t)n);
		return;
	}
	if (t->is_tty || n < 0) {
		terminal_hang_up(t);
		return;
	}
	t->no_input = true; /* a pipe that has been read to its end */
	(void)event_del(t->ev_read);
}

/* The key had no twin, its rest did not come, or the terminal is gone. */
static void
on_key(evutil_socket_t fd, short what, void *arg)
{
	struct terminal *t = arg;
	struct buf out autobuf = BUF_INIT(KEYS_HELD_MAX);
	enum keys_verdict v = KEYS_GO_ON;

	(void)fd;
	(void)what;
	if (t->gone) {
		control_detached(t->peer, t);
		return;
	}
	(void)keys_expire(&t->keys, &out, &v);
	(void)pass_on(t, &out);
	(void)verdict(t, v);
}

void
terminal_listen(struct terminal *t, bool on)
{
	if (!on)
		(void)event_del(t->ev_read);
	else if (!t->suspended && !t->no_input && !t->gone)
		(void)event_add(t->ev_read, NULL);
}

/* ---- life ---- */

void
terminal_suspend(struct terminal *t)
{
	if (t->suspended)
		return;
	t->suspended = true;
	terminal_drop_queue(t);
	(void)event_del(t->ev_read);
	flow_pace(t->server);
}

void
terminal_resume(struct terminal *t)
{
	t->suspended = false;
	t->fresh = true;
	t->undo.len = 0;
	terminal_listen(t, true);
	terminal_fit(t);
}

/* A tty or a stream socket, made non-blocking: it is lent to us alone. */
static int
take_fd(struct terminal *t, int fd)
{
	int type, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof type;

	t->is_tty = isatty(fd);
	if (!t->is_tty &&
	    (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
		type != SOCK_STREAM))
		return -ENOTTY;
	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR)
		return -EBADF;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	t->fd = fd;
	return 0;
}

static int
new_events(struct terminal *t)
{
	struct event_base *base = t->server->base;

	t->ev_read = event_new(base, t->fd, EV_READ | EV_PERSIST, on_read, t);
	t->ev_write = event_new(base, t->fd, EV_WRITE | EV_PERSIST,
	    terminal_on_write, t);
	t->ev_key = event_new(base, -1, 0, on_key, t);
	return t->ev_read == NULL || t->ev_write == NULL || t->ev_key == NULL ?
	    -ENOMEM :
	    0;
}

int
terminal_new(struct server *s, struct peer *p,
    const struct terminal_request *req, struct terminal **ret_t)
{
	struct terminal *t = calloc(1, sizeof *t);
	int r;

	if (t == NULL)
		return -ENOMEM;
	t->server = s;
	t->peer = p;
	t->fd = -1;
	t->size = req->size;
	t->features = req->features;
	t->client_stat = req->client > 0 ? procfs_stat_open(req->client) : -1;
	t->has_before = req->before != NULL;
	if (t->has_before)
		t->before = *req->before;
	t->keys.key = req->key;
	t->stop_key = req->stop_key;
	t->read_only = req->read_only;
	t->low = req->low;
	t->queue = BUF_INIT(TERMINAL_QUEUE_BYTES * 3);
	t->undo = BUF_INIT(UNDO_TEXT_MAX);
	t->fresh = true;
	LIST_INSERT_HEAD(&s->terminals, t, link);
	r = req->page_fd < 0 ? 0 : undo_open(req->page_fd, &t->page);
	if (r == 0)
		r = take_fd(t, req->fd);
	if (r == 0)
		r = new_events(t);
	if (r < 0) {
		t->fd = -1; /* the caller's */
		terminal_free(t, false);
		return r;
	}
	terminal_listen(t, true);
	*ret_t = t;
	return 0;
}

void
terminal_free(struct terminal *t, bool undo)
{
	struct server *s = t->server;

	asking_forget(s, t);
	if (undo && !t->gone && !t->suspended)
		terminal_undo(t);
	if (t->ev_read != NULL)
		event_free(t->ev_read);
	if (t->ev_write != NULL)
		event_free(t->ev_write);
	scope_close(&t->fd);
	scope_close(&t->client_stat);
	if (t->ev_key != NULL)
		event_free(t->ev_key);
	undo_close(&t->page);
	buf_done(&t->queue);
	buf_done(&t->undo);
	LIST_REMOVE(t, link);
	if (s->leader == t) {
		s->leader = NULL;
		flow_lead_next(s);
	}
	free(t);
	flow_pace(s);
}
