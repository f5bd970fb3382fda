/*
 * flow.c - the bytes: output from the master to the screen and to every
 * terminal, input from terminals to the master, and when there is time for
 * the model and for painting. See server.h.
 */
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/shed.h"
#include "config.h"
#include "server.h"
#include "server/asking.h"
#include "server/send.h"
#include "server/terminal.h"

#define OUTPUT_MAX 65536   /* bytes in one read */
#define BATCH_MIN 2048     /* a read that promises more */
#define READS_MAX 16       /* reads before the loop turns again */
#define SETTLE_BYTES 16384 /* modelled at once in slack time */
#define RETRY_MS 200
#define FIRST_WORDS_MS 1000 /* that they wait for a terminal */
#define SHED_MS 500         /* what is rare is over by then */

/* ---- output ---- */

/*
 * A pty gives at most 4095 bytes in a read. While it gives much, more is
 * read before it is passed on in one piece; a keystroke's echo goes at once.
 * Bytes; 0: none now; -EIO: nobody has the slave open.
 */
static ssize_t
read_batch(int master, uint8_t *data, size_t len)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = read(master, data + done, len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
	} while (n >= BATCH_MIN && len - done >= BATCH_MIN);
	if (done > 0)
		return (ssize_t)done;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -EIO;
}

/* One batch and what becomes of it: as read_batch(). */
static ssize_t
take_output(struct server *s, uint8_t *data, size_t len)
{
	struct terminal *t;
	ssize_t n = read_batch(s->master, data, len);

	if (n <= 0)
		return n;
	asking_prepare(s);
	screen_write(s->screen, data, (size_t)n);
	asking_look(s);
	LIST_FOREACH(t, &s->terminals, link)
	terminal_output(t, data, (size_t)n);
	if (!s->output_came) {
		s->output_came = true;
		if (!event_pending(s->ev_slack, EV_TIMEOUT, NULL))
			server_timer(s->ev_slack, MODEL_PAUSE_MS);
	}
	return n;
}

void
flow_drain(struct server *s, size_t len)
{
	uint8_t data[OUTPUT_MAX];
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = take_output(s, data, sizeof data);
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

static void
on_output(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	uint8_t data[OUTPUT_MAX];
	ssize_t n = BATCH_MIN;
	int i;

	(void)fd;
	(void)what;
	/* Not until there is none: the loop's next look is no dearer. */
	for (i = 0; i < READS_MAX && n >= BATCH_MIN && !s->held_up; i++) {
		n = take_output(s, data, sizeof data);
		flow_pace(s);
	}
	if (n < 0) {
		/* Nobody has the slave open. Somebody may open it again. */
		(void)event_del(s->ev_output);
		server_reap(s);
		if (!s->over)
			server_timer(s->ev_retry, RETRY_MS);
	}
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	s->first_words = false;
	if (!s->over && !s->held_up)
		(void)event_add(s->ev_output, NULL);
}

/* How long the terminals may hold up the program as they are now; 0: no. */
static unsigned
patience(const struct server *s)
{
	struct terminal *t;
	bool any = false, all = true, lags = false;

	LIST_FOREACH(t, &s->terminals, link)
	{
		if (!terminal_is_raw(t))
			continue;
		any = true;
		all = all && terminal_blocks(t);
		lags = lags || terminal_lags(t);
	}
	if (any && all)
		return TERMINAL_PATIENCE_MS;
	return lags ? TERMINAL_LAG_MS : 0;
}

/*
 * Read on while terminals take output, or none is in the way; wait while all
 * that are there are full, and a moment for one that lags behind others: it
 * may only not have had its turn.
 */
void
flow_pace(struct server *s)
{
	unsigned ms = patience(s);

	if (ms != 0) {
		if (!s->held_up)
			(void)event_del(s->ev_output);
		s->held_up = true;
		if (s->patience_ms != ms ||
		    !event_pending(s->ev_patience, EV_TIMEOUT, NULL))
			server_timer(s->ev_patience, ms);
		s->patience_ms = ms;
	} else if (s->held_up) {
		s->held_up = false;
		(void)event_del(s->ev_patience);
		if (!s->over && !s->first_words)
			(void)event_add(s->ev_output, NULL);
	}
}

/* No terminal has taken a byte for too long, or one lags too far behind. */
static void
on_patience(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	bool all = s->patience_ms == TERMINAL_PATIENCE_MS;
	struct terminal *t;

	(void)fd;
	(void)what;
	LIST_FOREACH(t, &s->terminals, link)
	if (all ? terminal_blocks(t) : terminal_lags_behind(t))
		terminal_leave_behind(t);
	flow_pace(s);
}

/* Output has paused, or not: model what waits only when nothing comes. */
static void
on_slack(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (s->output_came) {
		s->output_came = false;
		server_timer(s->ev_slack, MODEL_PAUSE_MS);
		return;
	}
	if (screen_settle(s->screen, SETTLE_BYTES)) {
		server_timer(s->ev_slack, 0);
	} else if (s->shed) {
		(void)malloc_trim(0);
	} else {
		shed_memory();
		s->shed = true;
	}
}

void
flow_shed(struct server *s)
{
	s->shed = false;
	if (!event_pending(s->ev_slack, EV_TIMEOUT, NULL))
		server_timer(s->ev_slack, SHED_MS);
}

/*
 * The program's first words wait until the terminal that it was started on
 * hears them, so that this one answers what they ask (its colours, say).
 */
static void
begin_output(struct server *s)
{
	struct terminal *t;

	if (!s->first_words)
		return;
	LIST_FOREACH(t, &s->terminals, link)
	if (terminal_is_raw(t)) {
		s->first_words = false;
		event_active(s->ev_retry, EV_TIMEOUT, 0);
		return;
	}
}

static void
on_frame(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct terminal *t;

	(void)fd;
	(void)what;
	LIST_FOREACH(t, &s->terminals, link)
	(void)terminal_paint(t);
	flow_pace(s);
	begin_output(s);
	/* No frame within the next one's time. */
	server_timer(s->ev_frame, VIEW_FRAME_MS);
	server_finish(s);
}

/* The pause after a frame is over: is another one due? */
static void
on_frame_timer(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct terminal *t;
	bool due = false;

	LIST_FOREACH(t, &s->terminals, link)
	due = due || (t->due && !t->suspended && t->queue.len == 0);
	if (due)
		on_frame(fd, what, s);
}

void
flow_frame(struct server *s)
{
	if (!event_pending(s->ev_frame, EV_TIMEOUT, NULL))
		server_timer(s->ev_frame, 0);
}

void
flow_lead(struct server *s, struct terminal *t)
{
	struct terminal *other;

	if (t->low && s->leader != NULL && !s->leader->low)
		return;
	/* The list is kept in the order of activity: who leads next. */
	s->leader = t;
	LIST_REMOVE(t, link);
	LIST_INSERT_HEAD(&s->terminals, t, link);
	if (s->over || memcmp(&s->size, &t->size, sizeof s->size) == 0)
		return;
	s->size = t->size;
	(void)pty_resize(s->master, &s->size);
	screen_resize(s->screen, s->size.rows, s->size.cols);
	screen_pixels(s->screen, s->size.xpixel, s->size.ypixel);
	LIST_FOREACH(other, &s->terminals, link)
	terminal_fit(other);
}

void
flow_lead_next(struct server *s)
{
	struct terminal *t, *next = LIST_FIRST(&s->terminals);

	LIST_FOREACH(t, &s->terminals, link)
	if (!t->low) {
		next = t;
		break;
	}
	if (next != NULL)
		flow_lead(s, next);
}

/* ---- input ---- */

static void
listen_all(struct server *s, bool on)
{
	struct terminal *t;

	LIST_FOREACH(t, &s->terminals, link)
	terminal_listen(t, on);
}

bool
flow_input(struct server *s, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	if (s->over)
		return true;
	if (s->input.len == 0) {
		n = write(s->master, data, len);
		n = n < 0 ? 0 : n;
	}
	if ((size_t)n < len) {
		(void)buf_put(&s->input, data + n, len - (size_t)n);
		(void)event_add(s->ev_input, NULL);
	}
	return s->input.len < INPUT_QUEUE_BYTES;
}

static void
on_input(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	ssize_t n = write(s->master, s->input.data, s->input.len);

	(void)fd;
	(void)what;
	if (n > 0)
		buf_drop(&s->input, (size_t)n);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		s->input.len = 0; /* hung up: nobody will read it */
	if (s->input.len > 0)
		(void)event_add(s->ev_input, NULL);
	else
		buf_done(&s->input);
	send_next(s);
	if (s->input.len < INPUT_QUEUE_BYTES / 2)
		listen_all(s, true);
}

/* ---- life ---- */

static int
make_event(struct server *s, struct event **ret_ev, int fd, short what,
    event_callback_fn fn)
{
	*ret_ev = event_new(s->base, fd, what, fn, s);
	return *ret_ev == NULL ? -ENOMEM : 0;
}

int
flow_start(struct server *s, struct err *e)
{
	if (make_event(s, &s->ev_retry, -1, 0, on_retry) < 0 ||
	    make_event(s, &s->ev_slack, -1, 0, on_slack) < 0 ||
	    make_event(s, &s->ev_frame, -1, 0, on_frame_timer) < 0 ||
	    make_event(s, &s->ev_patience, -1, 0, on_patience) < 0 ||
	    make_event(s, &s->ev_output, s->master, EV_READ | EV_PERSIST,
		on_output) < 0 ||
	    make_event(s, &s->ev_input, s->master, EV_WRITE, on_input) < 0)
		return err_set(e, -ENOMEM, "cannot make events");
	asking_start(s);
	send_init(s);
	flow_shed(s);
	s->first_words = s->expects_client;
	if (s->first_words)
		server_timer(s->ev_retry, FIRST_WORDS_MS);
	else
		(void)event_add(s->ev_output, NULL);
	if (s->input.len > 0)
		(void)event_add(s->ev_input, NULL);
	return 0;
}

void
flow_stop(struct server *s)
{
	(void)event_del(s->ev_output);
	(void)event_del(s->ev_input);
	(void)event_del(s->ev_retry);
	(void)event_del(s->ev_patience);
	s->held_up = false;
	send_stop(s);
}
