/*
 * terminal_write.c - what a terminal is given: the program's output as it
 * comes, a painting of the model where that is not what it shows, and what
 * undoes its modes. See terminal.h.
 */
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/procfs.h"
#include "config.h"
#include "server/terminal.h"
#include "session/features.h"

#define LOOK_NS 1000000u  /* how long a client counts as running */
#define QUEUE_SLACK 65536 /* bytes of the queue that are written */
#define LAG_PACE 16384    /* bytes that one that lags must take meanwhile */
#define WAITS_MAX 10      /* frames, for the end of a sequence */

static uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- writing ---- */

/* Bytes that it has not taken yet. */
static size_t
waiting(const struct terminal *t)
{
	return t->queue.len - t->queue_done;
}

static void
mark_torn(struct terminal *t)
{
	if (t->page != NULL)
		atomic_store_explicit(&t->page->torn,
		    t->queue.len > 0 ||
			!modes_ground(screen_modes(t->server->screen)),
		    memory_order_relaxed);
}

void
terminal_hang_up(struct terminal *t)
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
		terminal_hang_up(t);
	return 0;
}

void
terminal_drop_queue(struct terminal *t)
{
	buf_done(&t->queue);
	t->queue_done = 0;
	t->lag_ns = 0;
	(void)event_del(t->ev_write);
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
	/* A terminal takes a few KiB at a time: not all is moved for each. */
	if (t->queue_done >= QUEUE_SLACK) {
		buf_drop(&t->queue, t->queue_done);
		t->queue_done = 0;
	}
	if (buf_put(&t->queue, data + n, len - n) < 0)
		return false;
	(void)event_add(t->ev_write, NULL);
	return true;
}

/* TEXT of our own, as the terminal knows it; BOTH: and as it is. */
static int
put_terms(const struct terminal *t, const struct buf *text, bool both,
    struct buf *out)
{
	const struct terms terms = { .features = t->features,
		.rows = t->size.rows,
		.cols = t->size.cols,
		.both = both };

	return terms_put(&terms, text->data, text->len, out);
}

/*
 * What undoes the modes it has been given, by us in its own terms, and by
 * the program as the program did it: once where both are the same, since a
 * second pop of titles or keyboard modes takes what was there before.
 */
static int
put_undo(const struct terminal *t, struct buf *out)
{
	const struct modes *m = screen_modes(t->server->screen);
	struct buf text autobuf = BUF_INIT(UNDO_TEXT_MAX);
	int r = modes_undo(m, &text);

	if (r < 0)
		return r;
	return put_terms(t, &text,
	    t->told && (t->features & FEATURE_ADDRESS) != 0, out);
}

/* For good: the cursor shows, and the title is the one that was kept. */
static int
put_last(const struct terminal *t, struct buf *out)
{
	struct buf text autobuf = BUF_INIT(64);
	int r = buf_put(out, t->undo.data, t->undo.len);

	if (r == 0)
		r = buf_printf(&text, "\033[?25h\033[23;0t");
	return r < 0 ? r : put_terms(t, &text, false, out);
}

/* What undoes its modes, here and in the shared page. */
static void
note_modes(struct terminal *t)
{
	struct buf all autobuf = BUF_INIT(UNDO_TEXT_MAX);

	t->generation = modes_generation(screen_modes(t->server->screen));
	t->undo.len = 0;
	if (put_undo(t, &t->undo) < 0)
		t->undo.len = 0;
	if (t->page != NULL && put_last(t, &all) == 0)
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
terminal_lags(const struct terminal *t)
{
	return terminal_is_raw(t) && t->lag_ns != 0;
}

bool
terminal_lags_behind(struct terminal *t)
{
	if (!terminal_lags(t) ||
	    now_ns() - t->lag_ns < TERMINAL_LAG_MS * 900000ull)
		return false;
	if (waiting(t) + LAG_PACE >= t->lag_len)
		return true;
	t->lag_ns = now_ns();
	t->lag_len = waiting(t);
	return false;
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

bool
terminal_client_stopped(struct terminal *t, bool at_once)
{
	struct procfs_stat st;
	uint64_t now = at_once ? 0 : now_ns();

	if (t->client_stat < 0 || !t->is_tty ||
	    (!at_once && now - t->looked_ns < LOOK_NS))
		return false;
	if (!at_once)
		t->looked_ns = now;
	return procfs_stat_look(t->client_stat, &st) == 0 &&
	    (st.state == 'T' || st.state == 't');
}

/*
 * The program went to or from the alternate screen: a terminal that has only
 * one screen does not know, and is painted.
 */
static void
show_screen(struct terminal *t, const struct modes *m)
{
	int now = modes_alternate(m);
	bool knows = (t->features & FEATURE_ALTERNATE) != 0 ||
	    (now + t->alternate == 47 &&
		(t->features & FEATURE_ALTERNATE_47) != 0);

	if (now != t->alternate && !knows &&
	    (t->features & FEATURE_ADDRESS) != 0)
		terminal_leave_behind(t);
	t->alternate = now;
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
	if (terminal_client_stopped(t, false)) {
		terminal_suspend(t);
		return;
	}
	if (!put(t, data, len))
		terminal_leave_behind(t);
	else if (waiting(t) > TERMINAL_QUEUE_BYTES && t->lag_ns == 0) {
		t->lag_ns = now_ns();
		t->lag_len = waiting(t);
	}
	if (t->generation != modes_generation(m)) {
		t->told = true;
		note_modes(t);
		show_screen(t, m);
	}
	mark_torn(t);
}

void
terminal_on_write(evutil_socket_t fd, short what, void *arg)
{
	struct terminal *t = arg;
	size_t n;

	(void)fd;
	(void)what;
	if (t->suspended)
		return;
	n = write_some(t, t->queue.data + t->queue_done,
	    t->queue.len - t->queue_done);
	if (t->gone)
		return;
	t->queue_done += n;
	if (waiting(t) <= TERMINAL_QUEUE_BYTES)
		t->lag_ns = 0;
	t->server->taken = t->server->taken || n > 0;
	if (n > 0 && t->server->patience_ms == TERMINAL_PATIENCE_MS)
		(void)event_del(t->server->ev_patience);
	if (t->queue_done == t->queue.len) {
		terminal_drop_queue(t);
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
	int i, r;

	r = buf_printf(out, "\033[22;0t\r");

	for (i = 1; i < t->size.rows && r == 0; i++)
		r = buf_put(out, "\n", 1);
	return r;
}

/* What it is to get to show the session as it is now. */
static int
compose(struct terminal *t, struct buf *out)
{
	struct server *s = t->server;
	const struct modes *m = screen_modes(s->screen);
	struct buf text autobuf = BUF_INIT(SCREEN_PAINT_MAX);
	int r = t->fresh ? put_welcome(t, &text) : 0;

	if (r == 0 && (!t->view || t->generation != modes_generation(m))) {
		r = buf_put(out, t->undo.data, t->undo.len);
		if (r == 0)
			r = t->view ? modes_redo(m, true, &text) :
				      modes_redo_behind(m, &text);
	}
	if (r == 0)
		r = t->view ?
		    screen_view(s->screen, t->size.rows, t->size.cols, &text) :
		    screen_paint(s->screen, &text);
	return r < 0 ? r : put_terms(t, &text, false, out);
}

bool
terminal_paint(struct terminal *t)
{
	const struct modes *m = screen_modes(t->server->screen);
	struct buf out autobuf = BUF_INIT(SCREEN_PAINT_MAX);

	if (!t->due || t->gone || t->suspended)
		return false;
	if (t->queue.len > 0)
		return true;
	if (!modes_ground(m) && t->n_waits++ < WAITS_MAX)
		return true;
	t->n_waits = 0;
	if (terminal_client_stopped(t, false)) {
		terminal_suspend(t);
		return false;
	}
	if (compose(t, &out) < 0) /* no memory: another time */
		return true;
	t->fresh = t->due = t->told = false;
	t->alternate = modes_alternate(m);
	t->lag_ns = 0;
	t->queue.max = TERMINAL_QUEUE_BYTES * 3 + out.len;
	(void)put(t, out.data, out.len);
	note_modes(t);
	mark_torn(t);
	return false;
}

/* ---- the end ---- */

/* Its settings, unless somebody else has changed them meanwhile. */
static void
restore_settings(struct terminal *t)
{
	struct termios raw, now;

	if (!t->is_tty || !t->has_before || tcgetattr(t->fd, &now) < 0)
		return;
	raw = pty_raw(&t->before);
	if (now.c_iflag == raw.c_iflag && now.c_oflag == raw.c_oflag &&
	    now.c_lflag == raw.c_lflag)
		(void)tcsetattr(t->fd, TCSANOW, &t->before);
}

/* The cursor below what is on the screen, for whoever writes next. */
static int
put_below(const struct terminal *t, struct buf *out)
{
	int r = 0;

	if ((t->features & FEATURE_ADDRESS) != 0)
		r = buf_printf(out, "\033[%d;1H",
		    screen_bottom(t->server->screen) + 1);
	return r < 0 ? r : buf_put(out, "\r\n", 2);
}

void
terminal_undo(struct terminal *t)
{
	bool torn = t->queue.len > 0 ||
	    !modes_ground(screen_modes(t->server->screen));
	struct buf out autobuf = BUF_INIT(UNDO_TEXT_MAX);

	/* CAN ends a sequence that was cut. */
	if (!t->fresh && (!torn || buf_put(&out, "\030", 1) == 0) &&
	    put_last(t, &out) == 0 && put_below(t, &out) == 0)
		(void)write_some(t, out.data, out.len);
	if (!t->gone)
		restore_settings(t);
}
