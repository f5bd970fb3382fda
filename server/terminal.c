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
#include <time.h>
#include <unistd.h>

#include "base/procfs.h"
#include "base/scope.h"
#include "config.h"
#include "server/control.h"

#define READ_MAX 16384
#define LOOK_NS 1000000u /* how long a client counts as running */
#define ESCAPE_MS 25     /* an ESC alone is soon a key of its own */
#define KEY_PART_MS 500  /* for the rest of what begins like a long key */
#define WAITS_MAX 10     /* frames, for the end of a sequence */

static uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- writing ---- */

static void
mark_torn(struct terminal *t)
{
	if (t->page != NULL)
		atomic_store_explicit(&t->page->torn,
		    t->queue.len > 0 ||
			!modes_ground(screen_modes(t->server->screen)),
		    memory_order_relaxed);
}

/* The terminal has hung up; it is freed where nobody is walking the list. */
static void
hang_up(struct terminal *t)
{
	if (t->gone)
		return;
	t->gone = true;
	(void)event_del(t->ev_read);
	(void)event_del(t->ev_write);
	event_active(t->ev_key, EV_TIMEOUT, 0);
}

/* Write at once what can be; the number of bytes. */
static size_t
write_some(struct terminal *t, const uint8_t *data, size_t len)
{
	ssize_t n;

	if (t->is_tty)
		n = write(t->fd, data, len);
	else
		n = send(t->fd, data, len, MSG_NOSIGNAL);
	if (n >= 0)
		return (size_t)n;
	if (errno != EAGAIN && errno != EINTR)
		hang_up(t);
	return 0;
}

/* Write or queue. False: it does not fit. */
static bool
put(struct terminal *t, const uint8_t *data, size_t len)
{
	size_t n = 0;

	if (t->gone)
		return true;
	if (t->queue.len == 0) {
		n = write_some(t, data, len);
		if (n == len)
			return true;
	}
	if (buf_put(&t->queue, data + n, len - n) < 0)
		return false;
	(void)event_add(t->ev_write, NULL);
	return true;
}

/* What undoes the modes it has been given, here and in the shared page. */
static void
note_modes(struct terminal *t)
{
	const struct modes *m = screen_modes(t->server->screen);
	struct buf all autobuf = BUF_INIT(UNDO_TEXT_MAX);

	t->generation = modes_generation(m);
	t->undo.len = 0;
	if (modes_undo(m, &t->undo) < 0)
		t->undo.len = 0;
	if (t->page == NULL)
		return;
	if (buf_put(&all, t->undo.data, t->undo.len) == 0 &&
	    buf_printf(&all, "\033[?25h\033[23;0t") == 0)
		undo_write(t->page, all.data, all.len);
}

bool
terminal_is_raw(const struct terminal *t)
{
	return !t->view && !t->due && !t->suspended && !t->gone;
}

bool
terminal_blocks(const struct terminal *t)
{
	return terminal_is_raw(t) && t->queue.len > 0;
}

bool
terminal_is_done(const struct terminal *t)
{
	return t->gone || t->suspended || (t->queue.len == 0 && !t->due);
}

void
terminal_leave_behind(struct terminal *t)
{
	t->due = true;
	flow_frame(t->server);
}

/* Is the client stopped by a signal it could not tell us of? */
static bool
client_stopped(struct terminal *t)
{
	struct procfs_stat st;
	uint64_t now = now_ns();

	if (t->client <= 0 || !t->is_tty || now - t->looked_ns < LOOK_NS)
		return false;
	t->looked_ns = now;
	return procfs_stat(t->client, &st) == 0 &&
	    (st.state == 'T' || st.state == 't');
}

void
terminal_output(struct terminal *t, const uint8_t *data, size_t len)
{
	const struct modes *m = screen_modes(t->server->screen);

	if (t->gone || t->suspended)
		return;
	if (t->view || t->due) {
		t->due = true;
		flow_frame(t->server);
		return;
	}
	if (client_stopped(t)) {
		terminal_suspend(t);
		return;
	}
	/* Left behind only in ground state, or where there is no room. */
	if (!put(t, data, len) ||
	    (t->queue.len > TERMINAL_QUEUE_BYTES && modes_ground(m)))
		terminal_leave_behind(t);
	if (t->generation != modes_generation(m))
		note_modes(t);
	mark_torn(t);
}

static void
on_write(evutil_socket_t fd, short what, void *arg)
{
	struct terminal *t = arg;
	size_t n;

	(void)fd;
	(void)what;
	if (t->suspended)
		return;
	n = write_some(t, t->queue.data, t->queue.len);
	if (t->gone)
		return;
	buf_drop(&t->queue, n);
	if (n > 0 && t->server->held_up)
		(void)event_del(t->server->ev_patience);
	if (t->queue.len > 0) {
		(void)event_add(t->ev_write, NULL);
	} else {
		buf_done(&t->queue);
		mark_torn(t);
		if (t->due)
			flow_frame(t->server);
	}
	flow_pace(t->server);
	server_finish(t->server);
}

/* ---- painting ---- */

/*
 * Before the first painting: the title is kept by the terminal, and what is
 * above the cursor goes up and out of the way, not a line more.
 */
static int
put_welcome(struct terminal *t, struct buf *out)
{
	int i, r = buf_printf(out, "\033[22;0t\r");

	for (i = 1; i < t->size.rows && r == 0; i++)
		r = buf_put(out, "\n", 1);
	return r;
}

bool
terminal_paint(struct terminal *t)
{
	struct server *s = t->server;
	const struct modes *m = screen_modes(s->screen);
	struct buf out autobuf = BUF_INIT(SCREEN_PAINT_MAX);
	int r = 0;

	if (!t->due || t->gone || t->suspended)
		return false;
	if (t->queue.len > 0)
		return true;
	if (!modes_ground(m) && t->n_waits++ < WAITS_MAX)
		return true;
	t->n_waits = 0;
	if (client_stopped(t)) {
		terminal_suspend(t);
		return false;
	}
	if (t->fresh)
		r = put_welcome(t, &out);
	if (r == 0 && (!t->view || t->generation != modes_generation(m))) {
		r = buf_put(&out, t->undo.data, t->undo.len);
		if (r == 0 && t->view)
			r = modes_redo(m, true, &out);
	}
	if (r == 0)
		r = t->view ?
		    screen_view(s->screen, t->size.rows, t->size.cols, &out) :
		    screen_paint(s->screen, &out);
	if (r < 0) /* no memory: another time */
		return true;
	t->fresh = t->due = false;
	t->queue.max = TERMINAL_QUEUE_BYTES * 2 + out.len;
	(void)put(t, out.data, out.len);
	note_modes(t);
	mark_torn(t);
	return false;
}

void
terminal_fit(struct terminal *t)
{
	struct server *s = t->server;
	bool view = t->size.rows != s->size.rows ||
	    t->size.cols != s->size.cols;

	t->view = view;
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
	struct buf out autobuf = BUF_INIT(READ_MAX + KEYS_HELD_MAX);
	enum keys_verdict v = KEYS_GO_ON;
	bool more = true;
	int r;

	if (s->leader != t)
		flow_lead(s, t);
	r = keys_filter(&t->keys, data, len,
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
	if (client_stopped(t)) {
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
		hang_up(t);
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
	buf_done(&t->queue);
	(void)event_del(t->ev_read);
	(void)event_del(t->ev_write);
	flow_pace(t->server);
}

void
terminal_resume(struct terminal *t)
{
	t->suspended = false;
	t->fresh = true;
	t->undo.len = 0;
	t->looked_ns = now_ns();
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
	t->ev_write = event_new(base, t->fd, EV_WRITE, on_write, t);
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
	t->client = req->client;
	t->keys.key = req->key;
	t->read_only = req->read_only;
	t->low = req->low;
	t->queue = BUF_INIT(TERMINAL_QUEUE_BYTES * 2);
	t->undo = BUF_INIT(UNDO_TEXT_MAX);
	t->fresh = true;
	t->looked_ns = now_ns();
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

/* Bring it back to where it was, as far as it takes bytes at this moment. */
static void
undo_now(struct terminal *t)
{
	bool torn = t->queue.len > 0 ||
	    !modes_ground(screen_modes(t->server->screen));
	struct buf out autobuf = BUF_INIT(UNDO_TEXT_MAX);

	/* CAN ends a sequence that was cut. */
	if ((!torn || buf_put(&out, "\030", 1) == 0) &&
	    buf_put(&out, t->undo.data, t->undo.len) == 0 &&
	    buf_printf(&out, "\033[?25h\033[23;0t") == 0)
		(void)write_some(t, out.data, out.len);
}

void
terminal_free(struct terminal *t, bool undo)
{
	struct server *s = t->server;

	if (undo && !t->gone && !t->suspended && !t->fresh)
		undo_now(t);
	if (t->ev_read != NULL)
		event_free(t->ev_read);
	if (t->ev_write != NULL)
		event_free(t->ev_write);
	scope_close(&t->fd);
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
