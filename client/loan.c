/*
 * loan.c - see loan.h.
 */
#include "client/loan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/say.h"
#include "base/scope.h"
#include "client/features.h"
#include "config.h"
#include "session/features.h"

#define GIVE_BACK_MS 500 /* a stopped terminal is not waited for */
#define TTY_PIECE 256    /* what a terminal that is writable takes */

/* What is no terminal gets the program's output and nothing of ours. */
static void
find_features(struct loan *l, const char *name)
{
	char remark[128];

	if (!isatty(1))
		return;
	l->features = features_find(1, remark, sizeof remark);
	if (remark[0] != 0 && name != NULL) {
		say_line(stdout, "[%s: %s]", name, remark);
		(void)fflush(stdout);
	}
}

/*
 * Write without waiting long for a terminal that takes nothing: through a
 * description of our own where it can be had, else in small pieces.
 */
static void
write_bounded(int tty, const uint8_t *data, size_t len)
{
	char path[32];
	struct pollfd p = { .events = POLLOUT };
	autoclose int own = -1;
	size_t piece;
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", tty);
	own = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	p.fd = own < 0 ? tty : own;
	while (len > 0 && poll(&p, 1, GIVE_BACK_MS) == 1 &&
	    (p.revents & POLLOUT) != 0) {
		piece = own < 0 && len > TTY_PIECE ? TTY_PIECE : len;
		n = write(p.fd, data, piece);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		n = n < 0 ? 0 : n;
		data += n;
		len -= (size_t)n;
	}
}

int
loan_check(struct err *e)
{
	if (isatty(0) || !isatty(1))
		return 0;
	return err_set(e, -ENOTTY,
	    "standard input is no terminal: attach with </dev/tty, or have it "
	    "typed by sess -send");
}

int
loan_make(struct loan *l, const char *name, int *ret_fd, struct err *e)
{
	int fd = -1, r;

	l->tty = isatty(0) ? 0 : -1;
	if (l->tty >= 0 && tcgetattr(l->tty, &l->before) < 0)
		return err_sys(e, "cannot read the terminal's settings");
	if (pty_same(0, 1))
		fd = open("/proc/self/fd/0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		r = relay_open(0, 1, &l->relay, &fd);
		if (r < 0)
			return err_num(e, r, "cannot make a socket");
	}
	find_features(l, name);
	*ret_fd = fd;
	return 0;
}

void
loan_raw(struct loan *l)
{
	struct termios raw = pty_raw(&l->before);

	if (l->tty < 0)
		return;
	(void)tcsetattr(l->tty, TCSANOW, &raw);
	l->raw = true;
}

struct pty_size
loan_size(const struct loan *l)
{
	struct pty_size z = { .rows = DEFAULT_ROWS, .cols = DEFAULT_COLS };

	if (l->tty >= 0)
		(void)pty_size(l->tty, &z);
	return z;
}

void
loan_return(struct loan *l, int row)
{
	struct buf out autobuf = BUF_INIT(UNDO_TEXT_MAX + 64);
	char text[UNDO_TEXT_MAX];
	size_t len = l->page == NULL ? 0 : undo_read(l->page, text);

	if (l->tty < 0 || !l->raw)
		return;
	if (l->page != NULL && atomic_load(&l->page->torn) != 0)
		(void)buf_put(&out, "\030", 1);
	(void)buf_put(&out, text, len);
	if ((l->features & FEATURE_ADDRESS) != 0)
		(void)buf_printf(&out, "\033[%d;1H",
		    row < 0 ? loan_size(l).rows : row + 1);
	(void)buf_printf(&out, "\r\n");
	write_bounded(l->tty, out.data, out.len);
	(void)tcsetattr(l->tty, TCSANOW, &l->before);
	l->raw = false;
}

bool
loan_is_heard(void)
{
	struct pollfd p = { .fd = 1, .events = POLLOUT };

	return poll(&p, 1, GIVE_BACK_MS) == 1 && (p.revents & POLLOUT) != 0;
}
