/*
 * tty.c - the session's own terminal: modes far from the usual, size, name,
 * session, foreground group, a /dev/tty descriptor, output that waits behind
 * a stop, a background process that may not read.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include "test/victim/victim.h"

struct all {
	struct termios modes;
	struct winsize size;
	char name[64];
	int tty;
	pid_t background;
};

/* Reads from its terminal although in the background: SIGTTIN stops it. */
static void
read_in_background(struct all *a)
{
	char c;

	MUST(setpgid(0, 0));
	signal(SIGTTIN, SIG_DFL);
	(void)!read(a->tty, &c, 1);
	_exit(3);
}

static void
set_up(struct all *a)
{
	if (!isatty(0))
		victim_skip("standard input is no terminal");
	a->tty = MUST(open("/dev/tty", O_RDWR | O_CLOEXEC));
	MUST(tcgetattr(0, &a->modes));
	cfmakeraw(&a->modes);
	a->modes.c_iflag |= IXON | IUTF8;
	a->modes.c_oflag |= OPOST | ONLCR;
	a->modes.c_lflag |= NOFLSH;
	a->modes.c_cc[VMIN] = 0;
	a->modes.c_cc[VTIME] = 3;
	a->modes.c_cc[VINTR] = 'I';
	a->modes.c_cc[VSUSP] = 0;
	MUST(tcsetattr(0, TCSANOW, &a->modes));
	MUST(tcgetattr(0, &a->modes));
	MUST(ioctl(0, TIOCGWINSZ, &a->size));
	MUST0(ttyname_r(0, a->name, sizeof a->name));
	a->background = MUST(fork());
	if (a->background == 0)
		read_in_background(a);
	victim_until_state(a->background, a->background, 'T');
}

static void
verify_modes(struct all *a, int fd, const char *what)
{
	struct termios is;
	int i;

	MUST(tcgetattr(fd, &is));
	EXPECT(is.c_iflag == a->modes.c_iflag &&
		is.c_oflag == a->modes.c_oflag &&
		is.c_cflag == a->modes.c_cflag &&
		is.c_lflag == a->modes.c_lflag,
	    "%s: modes are %x %x %x %x", what, is.c_iflag, is.c_oflag,
	    is.c_cflag, is.c_lflag);
	for (i = 0; i < NCCS; i++)
		EXPECT(is.c_cc[i] == a->modes.c_cc[i], "%s: c_cc[%d] is %d",
		    what, i, is.c_cc[i]);
}

static void
verify(struct all *a)
{
	struct winsize size;
	struct stat st, own;
	char name[64], c;
	int st_wait;

	verify_modes(a, 0, "standard input");
	verify_modes(a, a->tty, "/dev/tty");
	MUST(ioctl(a->tty, TIOCGWINSZ, &size));
	EXPECT(size.ws_row == a->size.ws_row && size.ws_col == a->size.ws_col,
	    "size is %dx%d", size.ws_row, size.ws_col);
	MUST0(ttyname_r(0, name, sizeof name));
	EXPECT(strcmp(name, a->name) == 0, "terminal is %s", name);
	MUST(stat(name, &st));
	MUST(fstat(0, &own));
	EXPECT(st.st_rdev == own.st_rdev, "%s is another terminal", name);
	EXPECT(getsid(0) == getpid(), "session is %d", getsid(0));
	EXPECT(tcgetsid(0) == getsid(0), "terminal's session");
	EXPECT(tcgetpgrp(0) == getpgrp(), "foreground group is %d",
	    tcgetpgrp(0));
	EXPECT(read(0, &c, 1) == 0, "timed read: %s", strerror(errno));
	EXPECT(waitpid(a->background, &st_wait, WNOHANG | WUNTRACED) ==
		    a->background &&
		WIFSTOPPED(st_wait) && WSTOPSIG(st_wait) == SIGTTIN,
	    "the background reader's stop is"
	    " not told");
	MUST(kill(a->background, SIGKILL));
	MUST(waitpid(a->background, &st_wait, 0));
}

int
main(void)
{
	static struct all a;

	victim_init();
	set_up(&a);
	victim_wait();
	verify(&a);
	victim_ok();
}
