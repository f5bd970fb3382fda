/*
 * tty_queue.c - see tty_queue.h.
 *
 * Input, canonical mode: each read(2) of the slave gives one line, or what
 * VEOF ended, or nothing (a VEOF by itself). What then is left is an
 * unfinished line; it is read in raw mode. To put it back, the line
 * discipline is told to treat no byte as special but some that do not occur,
 * one of which stands for VEOF; lines are written to the master, each that
 * does not end in a newline followed by that byte; then the unfinished line.
 * A first line with newlines inside was made by a change from raw to
 * canonical mode, and is made so again.
 *
 * A kernel thread brings bytes from the other end's buffer to the line
 * discipline. poll(2) does its work at once where nothing can be read yet
 * (kernel: n_tty_poll()); that is why it comes before all counting.
 */
#include "ckpt/files/tty_queue.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/array.h"

#define READ_LEN 8192  /* longer than the line discipline's 4096 */
#define LDISC_MAX 4095 /* N_TTY_BUF_SIZE - 1; kernel: n_tty.c */
#define PIECE 512      /* bytes written at once */
#define WAIT_TRIES 100 /* times 10 ms for room at the other end */
#define MARK_MS 2000   /* for a kernel thread to take up its work */
#define STILL_MS 100   /* the same, where it may say nothing */

void
tty_input_done(struct tty_input *in)
{
	buf_done(&in->data);
	free(in->lines);
	in->lines = NULL;
	in->n = in->cap = 0;
}

int
tty_input_add(struct tty_input *in, const void *data, size_t len, bool partial)
{
	int r;

	if (array_room(&in->lines, in->n, &in->cap) < 0)
		return -ENOMEM;
	in->lines[in->n] = (struct tty_line){ .off = in->data.len,
		.len = len,
		.partial = partial };
	r = buf_put(&in->data, data, len);
	if (r >= 0)
		in->n++;
	return r;
}

static bool
is_ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) > 0 && (p.revents & events) != 0;
}

static int
count(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? 0 : n;
}

/* Set O_NONBLOCK; the flags before are in *RET_OLD. */
static int
no_wait(int fd, int *ret_old)
{
	*ret_old = fcntl(fd, F_GETFL);
	if (*ret_old < 0 ||
	    ((*ret_old & O_NONBLOCK) == 0 &&
		fcntl(fd, F_SETFL, *ret_old | O_NONBLOCK) < 0))
		return -errno;
	return 0;
}

static void
wait_again(int fd, int old)
{
	if (old >= 0 && (old & O_NONBLOCK) == 0)
		(void)fcntl(fd, F_SETFL, old);
}

/*
 * Write all. What is behind OTHER, the other end, is moved on by asking
 * about it.
 */
static int
write_all(int fd, int other, const uint8_t *data, size_t len)
{
	int tries = 0;

	while (len > 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n = write(fd, data, len < PIECE ? len : PIECE);

		(void)is_ready(other, POLLIN);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			tries = 0;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (++tries > WAIT_TRIES)
			return -EAGAIN;
		(void)poll(&p, 1, 10);
	}
	return 0;
}

static int
raw_mode(int master, const struct termios2 *t0)
{
	struct termios2 t = *t0;

	t.c_lflag &= ~(tcflag_t)ICANON;
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	return ioctl(master, TCSETS2, &t) < 0 ? -errno : 0;
}

/* Turn packet mode on or off; what it was. */
static int
packet_mode(int master, int on)
{
	int was = 0;

	if (ioctl(master, TIOCGPKT, &was) < 0)
		return -errno;
	if (was != on && ioctl(master, TIOCPKT, &on) < 0)
		return -errno;
	return was;
}

/* ---- input ---- */

static int
drain_lines(int slave, struct tty_input *in)
{
	uint8_t data[READ_LEN];

	while (is_ready(slave, POLLIN)) {
		ssize_t n = read(slave, data, sizeof data);
		int r;

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		r = tty_input_add(in, data, (size_t)n, false);
		if (r < 0)
			return r;
		if (in->n > TTY_QUEUE_MAX)
			return -EIO; /* hung up: it would never end */
	}
	return 0;
}

/* All there is, as one line; raw mode with VMIN 0 is on. */
static int
drain_raw(int slave, struct tty_input *in, bool partial)
{
	struct buf all = BUF_INIT(TTY_QUEUE_MAX);
	uint8_t data[READ_LEN];
	int r = 0;

	while (r >= 0 && is_ready(slave, POLLIN)) {
		ssize_t n = read(slave, data, sizeof data);

		if (n < 0 && errno != EAGAIN)
			r = -errno;
		if (n <= 0)
			break;
		r = buf_put(&all, data, (size_t)n);
	}
	if (r >= 0 && all.len > 0)
		r = tty_input_add(in, all.data, all.len, partial);
	buf_done(&all);
	return r;
}

static int
drain_canonical(int master, int slave, const struct termios2 *t0,
    struct tty_input *in)
{
	int r = 0, r2;

	if (is_ready(slave, POLLIN))
		r = drain_lines(slave, in);
	if (r < 0)
		return r;
	r = raw_mode(master, t0);
	if (r < 0)
		return r;
	if (count(slave) > 0)
		r = drain_raw(slave, in, true);
	r2 = ioctl(master, TCSETS2, t0) < 0 ? -errno : 0;
	return r < 0 ? r : r2;
}

int
tty_drain_input(int master, int slave, struct tty_input *in, struct err *e)
{
	struct termios2 t0;
	int r;

	if (ioctl(master, TCGETS2, &t0) < 0)
		return err_sys(e, "reading the settings of a terminal");
	in->raw = (t0.c_lflag & ICANON) == 0;
	if (!in->raw) {
		r = drain_canonical(master, slave, &t0, in);
	} else if (!is_ready(slave, POLLIN) && count(slave) == 0) {
		r = 0;
	} else {
		r = raw_mode(master, &t0);
		if (r >= 0)
			r = drain_raw(slave, in, false);
		if (ioctl(master, TCSETS2, &t0) < 0 && r >= 0)
			r = -errno;
	}
	return r < 0 ? err_num(e, r, "taking the unread input of a terminal") :
		       0;
}

/* Bytes that do not occur in the input and stand for what is special. */
struct marks {
	uint8_t eof, stop, start;
};

static int
find_marks(const struct tty_input *in, struct marks *ret_m)
{
	uint8_t *const m[] = { &ret_m->eof, &ret_m->stop, &ret_m->start };
	bool used[256] = { [0] = true, ['\n'] = true };
	size_t n = 0;

	for (size_t i = 0; i < in->data.len; i++)
		used[in->data.data[i]] = true;
	for (int i = 1; i < 256 && n < 3; i++)
		if (!used[i])
			*m[n++] = (uint8_t)i;
	return n < 3 ? -EILSEQ : 0;
}

/*
 * Nothing but a newline and the marks is special; no mode is left that a
 * terminal that stands still (XOFF) is let go by: IXON stays.
 */
static int
plain_mode(int master, const struct termios2 *t0, const struct marks *m)
{
	struct termios2 t = *t0;

	t.c_iflag = m == NULL ? 0 : IXON;
	t.c_oflag &= ~(tcflag_t)OPOST;
	t.c_lflag = m == NULL ? 0 : ICANON;
	memset(t.c_cc, 0, sizeof t.c_cc); /* 0 is _POSIX_VDISABLE */
	if (m != NULL) {
		t.c_cc[VEOF] = m->eof;
		t.c_cc[VSTOP] = m->stop;
		t.c_cc[VSTART] = m->start;
	}
	return ioctl(master, TCSETS2, &t) < 0 ? -errno : 0;
}

/* Until LEN bytes can be read, in raw mode, or in whole lines. */
static void
await_count(int slave, size_t len)
{
	for (int i = 0; i < MARK_MS && (size_t)count(slave) < len; i++)
		(void)poll(NULL, 0, i < 10 ? 0 : 1);
}

/*
 * Write MARK and wait until packet mode tells that it has taken effect. The
 * news of a START wake up those alone who wait for input (kernel:
 * pty_start()), of which there may be some already.
 */
static int
put_mark(int master, int slave, uint8_t mark, int timeout_ms)
{
	struct pollfd p = { .fd = master, .events = POLLIN | POLLPRI };
	int on = 1, off = 0, r;

	/* Forget what it has told so far. */
	if (ioctl(master, TIOCPKT, &off) < 0 || ioctl(master, TIOCPKT, &on) < 0)
		return -errno;
	r = write_all(master, slave, &mark, 1);
	for (int ms = 0; r >= 0 && ms < timeout_ms; ms++) {
		if (poll(&p, 1, timeout_ms) <= 0 || (p.revents & POLLPRI))
			break;
		(void)poll(NULL, 0, 1);
	}
	return r;
}

/*
 * Until the line discipline has dealt with all that was written. A kernel
 * thread brings it there, and must not find the old settings: it would echo,
 * and raise signals. So STOP and START are written, the other way round where
 * the terminal stands still; packet mode tells when they have arrived. What
 * tcflow(3) has stopped tells nothing: there, some time must do.
 */
static int
await_marks(int master, int slave, const struct marks *m)
{
	bool still = !is_ready(slave, POLLOUT);
	int off = 0, r;

	r = put_mark(master, slave, still ? m->start : m->stop,
	    still ? STILL_MS : MARK_MS);
	if (r >= 0)
		r = put_mark(master, slave, still ? m->stop : m->start,
		    still ? STILL_MS : MARK_MS);
	(void)ioctl(master, TIOCPKT, &off);
	return r;
}

/* What L takes in the line discipline: its bytes and what ends it. */
static size_t
room_for(const struct tty_input *in, const struct tty_line *l)
{
	bool ended = l->len > 0 && in->data.data[l->off + l->len - 1] == '\n';

	return l->len + (l->partial || ended ? 0 : 1);
}

static int
put_line(int master, int slave, const struct tty_input *in,
    const struct tty_line *l, uint8_t eof)
{
	int r;

	r = write_all(master, slave, in->data.data + l->off, l->len);
	if (r >= 0 && !l->partial && room_for(in, l) > l->len)
		r = write_all(master, slave, &eof, 1);
	return r;
}

/* Was it pushed as a whole by a change from raw to canonical mode? */
static bool
is_pushed(const struct tty_input *in, const struct tty_line *l)
{
	return !l->partial && l->len > 1 &&
	    memchr(in->data.data + l->off, '\n', l->len - 1) != NULL;
}

static int
put_raw(int master, int slave, const struct termios2 *t0,
    const struct tty_input *in, size_t len)
{
	int r;

	r = plain_mode(master, t0, NULL);
	if (r >= 0)
		r = write_all(master, slave, in->data.data, len);
	if (r >= 0)
		await_count(slave, len < LDISC_MAX ? len : LDISC_MAX);
	return r;
}

/*
 * As many lines as the line discipline takes; *RET_DONE of them. The unread
 * rest, beyond 4 KiB, would wait before it, to be looked at later.
 */
static int
put_canonical(int master, int slave, const struct termios2 *t0,
    const struct tty_input *in, size_t *ret_done)
{
	struct marks m;
	size_t i = 0, n = 0, whole = 0;
	int r;

	r = find_marks(in, &m);
	if (r >= 0 && is_pushed(in, &in->lines[0])) {
		r = put_raw(master, slave, t0, in, in->lines[0].len);
		n = whole = in->lines[0].len;
		i = 1;
	}
	if (r >= 0)
		r = plain_mode(master, t0, &m);
	for (; r >= 0 && i < in->n; i++) {
		n += room_for(in, &in->lines[i]);
		if (n > LDISC_MAX ||
		    (in->lines[i].partial &&
			n + sizeof m.stop + sizeof m.start > LDISC_MAX))
			break;
		whole += in->lines[i].len;
		r = put_line(master, slave, in, &in->lines[i], m.eof);
	}
	*ret_done = i;
	if (r < 0 || n + sizeof m.stop + sizeof m.start <= LDISC_MAX)
		return r < 0 ? r : await_marks(master, slave, &m);
	await_count(slave, whole);
	return 0;
}

/* Is C special in canonical mode with settings T? */
static bool
is_special(const struct termios2 *t, uint8_t c)
{
	for (size_t i = 0; i < sizeof t->c_cc; i++)
		if (c != 0 && t->c_cc[i] == c && i != VMIN && i != VTIME)
			return true;
	return false;
}

/* What did not fit, from line I on, as it might be typed now. */
static int
put_rest(int master, int slave, const struct termios2 *t0,
    const struct tty_input *in, size_t i)
{
	bool quote = (t0->c_lflag & IEXTEN) && t0->c_cc[VLNEXT] != 0;
	int r = 0;

	for (; r >= 0 && i < in->n; i++) {
		const struct tty_line *l = &in->lines[i];
		const uint8_t *data = in->data.data + l->off;

		for (size_t k = 0; r >= 0 && k < l->len; k++) {
			if (quote && is_special(t0, data[k]))
				r = write_all(master, slave, &t0->c_cc[VLNEXT],
				    1);
			if (r >= 0)
				r = write_all(master, slave, &data[k], 1);
		}
		if (r >= 0 && !l->partial && room_for(in, l) > l->len &&
		    t0->c_cc[VEOF] != 0)
			r = write_all(master, slave, &t0->c_cc[VEOF], 1);
	}
	return r;
}

int
tty_put_input(int master, int slave, const struct tty_input *in, struct err *e)
{
	struct termios2 t0;
	size_t done = in->n;
	int old, was, r;

	if (in->n == 0)
		return 0;
	if (ioctl(master, TCGETS2, &t0) < 0)
		return err_sys(e, "reading the settings of a terminal");
	r = no_wait(master, &old);
	was = r < 0 ? r : packet_mode(master, 0);
	r = was;
	if (r >= 0)
		r = in->raw ? put_raw(master, slave, &t0, in, in->data.len) :
			      put_canonical(master, slave, &t0, in, &done);
	if (ioctl(master, TCSETS2, &t0) < 0 && r >= 0)
		r = -errno;
	if (r >= 0)
		r = put_rest(master, slave, &t0, in, done);
	if (was > 0)
		(void)packet_mode(master, 1);
	wait_again(master, old);
	return r < 0 ? err_num(e, r,
			   "putting back the unread input of a "
			   "terminal") :
		       0;
}

/* ---- output ---- */

int
tty_drain_output(int master, int slave, struct buf *out, struct err *e)
{
	uint8_t data[READ_LEN];
	int old, was, r;

	(void)slave;
	if (!is_ready(master, POLLIN) && count(master) == 0)
		return 0;
	r = no_wait(master, &old);
	was = r < 0 ? r : packet_mode(master, 0);
	r = was;
	while (r >= 0 && is_ready(master, POLLIN)) {
		ssize_t n = read(master, data, sizeof data);

		if (n < 0 && errno != EAGAIN && errno != EIO)
			r = -errno;
		if (n <= 0)
			break;
		r = buf_put(out, data, (size_t)n);
	}
	if (was > 0)
		(void)packet_mode(master, 1);
	wait_again(master, old);
	return r < 0 ? err_num(e, r, "taking the unread output of a terminal") :
		       0;
}

/*
 * Written to the slave, untranslated. Where the terminal stands still
 * (XOFF), it is let go for that, and stopped again.
 */
int
tty_put_output(int master, int slave, const struct buf *out, struct err *e)
{
	struct termios2 t0, t;
	bool still = false;
	int old, r;

	if (out->len == 0)
		return 0;
	if (ioctl(master, TCGETS2, &t0) < 0)
		return err_sys(e, "reading the settings of a terminal");
	t = t0;
	t.c_oflag &= ~(tcflag_t)OPOST;
	r = no_wait(slave, &old);
	if (r >= 0 && ioctl(master, TCSETS2, &t) < 0)
		r = -errno;
	if (r >= 0 && !is_ready(slave, POLLOUT)) {
		still = true;
		(void)ioctl(slave, TCXONC, TCOOFF);
		(void)ioctl(slave, TCXONC, TCOON);
	}
	if (r >= 0)
		r = write_all(slave, master, out->data, out->len);
	if (ioctl(master, TCSETS2, &t0) < 0 && r >= 0)
		r = -errno;
	if (still)
		(void)ioctl(slave, TCXONC, TCOOFF);
	wait_again(slave, old);
	return r < 0 ? err_num(e, r,
			   "putting back the unread output of a "
			   "terminal") :
		       0;
}
