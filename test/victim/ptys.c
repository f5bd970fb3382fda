/*
 * ptys.c - ptys inside the tree: unread input and unread output, canonical
 * and raw, an unfinished line, packet mode, modes, size; a child in a session
 * of its own on one of them, asleep in a read; a master whose slave is closed.
 */
#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <utmp.h>

#include "test/victim/victim.h"

struct inner {
	int master, slave;
	char name[64];
	struct termios modes;
};

static void
put(int fd, const char *text, const char *what)
{
	ssize_t len = (ssize_t)strlen(text);

	EXPECT(write(fd, text, (size_t)len) == len, "%s: writing: %s", what,
	    strerror(errno));
}

/* Read until as much as WANT has come, and compare. */
static void
expect_read(int fd, const char *want, size_t len, const char *what)
{
	char buf[256] = "";
	size_t have = 0;
	ssize_t r;

	while (have < len) {
		r = read(fd, buf + have, len - have);
		EXPECT(r > 0, "%s: ends after '%s': %s", what, buf,
		    strerror(errno));
		have += (size_t)r;
	}
	EXPECT(memcmp(buf, want, len) == 0, "%s: '%s', wanted '%s'", what, buf,
	    want);
}

/* One read(2), that must give exactly WANT. */
static void
expect_one_read(int fd, const char *want, const char *what)
{
	char buf[256] = "";
	ssize_t r = read(fd, buf, sizeof buf - 1);

	EXPECT(r == (ssize_t)strlen(want) && strcmp(buf, want) == 0,
	    "%s: '%s', wanted '%s'", what, buf, want);
}

static void
open_inner(struct inner *p, bool raw)
{
	struct winsize size = { .ws_row = 33, .ws_col = 99, .ws_xpixel = 7 };

	MUST(openpty(&p->master, &p->slave, p->name, NULL, &size));
	MUST(tcgetattr(p->slave, &p->modes));
	if (raw)
		cfmakeraw(&p->modes);
	p->modes.c_lflag &= ~(tcflag_t)ECHO;
	p->modes.c_cc[VQUIT] = 'Q';
	MUST(tcsetattr(p->slave, TCSANOW, &p->modes));
}

static void
verify_inner(struct inner *p, const char *what)
{
	struct termios is;
	struct winsize size;
	char name[64];

	MUST(tcgetattr(p->slave, &is));
	EXPECT(is.c_iflag == p->modes.c_iflag &&
		is.c_oflag == p->modes.c_oflag &&
		is.c_lflag == p->modes.c_lflag &&
		memcmp(is.c_cc, p->modes.c_cc, NCCS) == 0,
	    "%s: modes", what);
	MUST(ioctl(p->master, TIOCGWINSZ, &size));
	EXPECT(size.ws_row == 33 && size.ws_col == 99 && size.ws_xpixel == 7,
	    "%s: size %dx%d", what, size.ws_row, size.ws_col);
	MUST0(ptsname_r(p->master, name, sizeof name));
	EXPECT(strcmp(name, p->name) == 0, "%s: %s was %s", what, name,
	    p->name);
	MUST0(ttyname_r(p->slave, name, sizeof name));
	EXPECT(strcmp(name, p->name) == 0, "%s: slave is %s", what, name);
}

/* A session on the slave; answers each line in capitals until `end`. */
static pid_t
start_session(struct inner *p)
{
	char line[64];
	ssize_t r;
	pid_t pid = MUST(fork());

	if (pid != 0)
		return pid;
	close(p->master);
	MUST(login_tty(p->slave));
	put(1, "hello\n", "session");
	for (;;) {
		r = read(0, line, sizeof line - 1);
		EXPECT(r > 0, "session reads: %s", strerror(errno));
		line[r] = '\0';
		if (strcmp(line, "end\n") == 0)
			_exit(tcgetpgrp(0) == getpid() ? 5 : 6);
		put(1, "got ", "session");
		put(1, line, "session");
	}
}

int
main(void)
{
	struct inner cooked, raw, packet, session, hung;
	int on = 1;
	char buf[64];
	pid_t pid;

	victim_init();
	signal(SIGHUP, SIG_IGN);
	open_inner(&cooked, false);
	put(cooked.master, "line one\nline two\nunfinis", "cooked");
	put(cooked.slave, "not read yet\n", "cooked output");
	open_inner(&raw, true);
	put(raw.master, "raw \003\032\004 bytes", "raw");
	put(raw.slave, "out", "raw output");
	open_inner(&packet, false);
	MUST(ioctl(packet.master, TIOCPKT, &on));
	put(packet.slave, "packed", "packet");
	open_inner(&session, false);
	pid = start_session(&session);
	close(session.slave);
	expect_read(session.master, "hello\r\n", 7, "greeting");
	victim_until_state(pid, pid, 'S');
	open_inner(&hung, true);
	put(hung.slave, "last", "hung");
	close(hung.slave);

	victim_wait();
	verify_inner(&cooked, "cooked");
	put(cooked.master, "\177hed\n", "cooked"); /* erases the s */
	expect_one_read(cooked.slave, "line one\n", "first line");
	expect_one_read(cooked.slave, "line two\n", "second line");
	expect_one_read(cooked.slave, "unfinihed\n", "unfinished line");
	expect_read(cooked.master, "not read yet\r\n", 14, "cooked output");
	verify_inner(&raw, "raw");
	expect_read(raw.slave, "raw \003\032\004 bytes", 13, "raw input");
	expect_read(raw.master, "out", 3, "raw output");
	verify_inner(&packet, "packet");
	expect_read(packet.master, "\0packed", 7, "packet");
	MUST(tcflush(packet.slave, TCIOFLUSH));
	EXPECT(read(packet.master, buf, 1) == 1 && (buf[0] & TIOCPKT_FLUSHREAD),
	    "packet mode tells no flush");
	MUST(ioctl(packet.master, TIOCGPKT, &on));
	EXPECT(on == 1, "packet mode is off");
	put(session.master, "again\n", "session");
	expect_read(session.master, "got again\r\n", 11, "session's answer");
	put(session.master, "end\n", "session");
	victim_reap(pid, 5);
	EXPECT(read(session.master, buf, 1) < 0 && errno == EIO,
	    "master of an ended session");
	expect_read(hung.master, "last", 4, "output of a closed slave");
	EXPECT(read(hung.master, buf, 1) < 0 && errno == EIO,
	    "master of a closed slave");
	victim_ok();
}
