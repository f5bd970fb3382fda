/*
 * named.c - UNIX sockets with names: listening ones (path, abstract, relative,
 * removed), connections to them accepted and waiting, both ends' names,
 * SOCK_SEQPACKET, a connection whose server listens no more, datagrams with
 * their senders, empty ones, connected ones; modes, options.
 */
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "test/victim/victim.h"

static char dir[64], tag[32];

struct name {
	struct sockaddr_un sun;
	socklen_t len;
};

/* "@x": abstract, else a path below the victim's directory; "./x": relative. */
static struct name
name_of(const char *text)
{
	struct name n = { .sun = { .sun_family = AF_UNIX } };
	char *p = n.sun.sun_path;

	if (text[0] == '@')
		n.len = (socklen_t)snprintf(p + 1, sizeof n.sun.sun_path - 1,
			    "%s-%s", tag, text + 1) +
		    1;
	else if (text[0] == '.')
		n.len = (socklen_t)snprintf(p, sizeof n.sun.sun_path, "%s",
			    text + 2) +
		    1;
	else
		n.len = (socklen_t)snprintf(p, sizeof n.sun.sun_path, "%s/%s",
			    dir, text) +
		    1;
	n.len += offsetof(struct sockaddr_un, sun_path);
	return n;
}

static int
bound(int type, const char *text)
{
	struct name n = name_of(text);
	int fd = MUST(socket(AF_UNIX, type, 0));

	MUST(bind(fd, (struct sockaddr *)&n.sun, n.len));
	return fd;
}

static int
listening(int type, const char *text)
{
	int fd = bound(type, text);

	MUST(listen(fd, 7));
	return fd;
}

static void
to(int fd, const char *text)
{
	struct name n = name_of(text);

	EXPECT(connect(fd, (struct sockaddr *)&n.sun, n.len) == 0,
	    "connecting to %s: %s", text, strerror(errno));
}

static int
connected(int type, const char *text)
{
	int fd = MUST(socket(AF_UNIX, type, 0));

	to(fd, text);
	return fd;
}

static void
put(int fd, const char *text)
{
	EXPECT(send(fd, text, strlen(text), 0) == (ssize_t)strlen(text),
	    "sending '%s': %s", text, strerror(errno));
}

/* FROM: whose name shows; NULL: none. */
static void
expect(int fd, const char *want, const char *from)
{
	struct name got = { .len = sizeof got.sun }, n;
	char buf[256] = "";
	ssize_t len = recvfrom(fd, buf, sizeof buf - 1, MSG_DONTWAIT,
	    (struct sockaddr *)&got.sun, &got.len);

	EXPECT(len == (ssize_t)strlen(want) && strcmp(buf, want) == 0,
	    "got '%s' (%zd: %s), wanted '%s'", buf, len, strerror(errno), want);
	if (from == NULL)
		return;
	n = name_of(from);
	EXPECT(n.len == got.len && memcmp(&n.sun, &got.sun, n.len) == 0,
	    "'%s' comes from '%s' (%u)", want, got.sun.sun_path, got.len);
}

static void
expect_nothing(int fd, const char *what)
{
	char c;

	EXPECT(recv(fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN,
	    "%s: there is more", what);
}

typedef int ask_fn(int, struct sockaddr *, socklen_t *);

static void
expect_name(ask_fn *ask, int fd, const char *text)
{
	struct name got = { .len = sizeof got.sun }, n = { .len = 2 };

	MUST(ask(fd, (struct sockaddr *)&got.sun, &got.len));
	if (text != NULL)
		n = name_of(text);
	EXPECT(got.len == n.len &&
		(text == NULL || memcmp(&n.sun, &got.sun, n.len) == 0),
	    "name is '%s' (%u), not %s", got.sun.sun_path, got.len, text);
}

static void
talk(int a, int b, const char *what)
{
	put(a, what);
	expect(b, what, NULL);
	put(b, "answer");
	expect(a, "answer", NULL);
}

static int
file_mode(const char *text)
{
	struct name n = name_of(text);
	struct stat st;

	return stat(n.sun.sun_path, &st) < 0 ? -1 : (int)st.st_mode;
}

int
main(void)
{
	int l, labs, lrel, lseq, lgone, laone, cl, sv, clabs, svabs, clseq,
	    svseq, clgone, svgone, wait1, wait2, d[3], dabs, dpeer, claone,
	    svaone, only, timeout, fd;
	struct timeval tv = { .tv_sec = 3 }, is;
	struct linger lin = { 1, 5 };
	socklen_t len = sizeof is;

	victim_init();
	signal(SIGPIPE, SIG_IGN);
	EXPECT(getcwd(dir, sizeof dir - 16) != NULL, "getcwd");
	(void)strcat(dir, "/named-XXXXXX");
	EXPECT(mkdtemp(dir) != NULL, "mkdtemp: %s", strerror(errno));
	(void)snprintf(tag, sizeof tag, "%s", strrchr(dir, '/') + 1);
	MUST(chdir(dir));

	/* A connection; one that waits; one that waits and is gone again. */
	l = listening(SOCK_STREAM, "path");
	MUST(chmod(name_of("path").sun.sun_path, 0640));
	cl = connected(SOCK_STREAM, "path");
	sv = MUST(accept(l, NULL, NULL));
	put(cl, "unread");
	put(sv, "unread too");
	wait1 = bound(SOCK_STREAM, "client");
	to(wait1, "path");
	wait2 = connected(SOCK_STREAM, "path");
	close(connected(SOCK_STREAM, "path"));
	labs = listening(SOCK_STREAM, "@abstract");
	clabs = bound(SOCK_STREAM, "@client");
	to(clabs, "@abstract");
	svabs = MUST(accept(labs, NULL, NULL));
	MUST(shutdown(clabs, SHUT_WR));
	lrel = listening(SOCK_STREAM, "./relative");
	lseq = listening(SOCK_SEQPACKET, "seq");
	clseq = connected(SOCK_SEQPACKET, "seq");
	svseq = MUST(accept(lseq, NULL, NULL));
	put(clseq, "one");
	MUST((int)send(clseq, "", 0, 0));
	put(clseq, "three");
	/* Its name leads nowhere any more. */
	lgone = listening(SOCK_STREAM, "removed");
	clgone = connected(SOCK_STREAM, "removed");
	svgone = MUST(accept(lgone, NULL, NULL));
	MUST(unlink(name_of("removed").sun.sun_path));
	/* Nobody listens any more. */
	laone = listening(SOCK_STREAM, "@alone");
	claone = connected(SOCK_STREAM, "@alone");
	svaone = MUST(accept(laone, NULL, NULL));
	close(laone);
	MUST(fcntl(svaone, F_SETFL, O_NONBLOCK));

	d[0] = bound(SOCK_DGRAM, "d0");
	d[1] = bound(SOCK_DGRAM, "d1");
	d[2] = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
	dabs = bound(SOCK_DGRAM, "@dgram");
	to(d[1], "d0");
	to(d[2], "d0");
	put(d[1], "from d1");
	MUST((int)send(d[1], "", 0, 0));
	put(d[2], "from nobody");
	fd = bound(SOCK_DGRAM, "gone");
	to(fd, "d0");
	put(fd, "from one that is gone");
	close(fd);
	MUST(unlink(name_of("gone").sun.sun_path));
	dpeer = bound(SOCK_DGRAM, "dpeer");
	to(dpeer, "@dgram");
	to(dabs, "dpeer");
	put(dpeer, "connected");

	only = bound(SOCK_STREAM, "only-bound");
	timeout = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(setsockopt(timeout, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
	MUST(setsockopt(timeout, SOL_SOCKET, SO_LINGER, &lin, sizeof lin));
	MUST(setsockopt(timeout, SOL_SOCKET, SO_PASSCRED, &(int){ 1 },
	    sizeof(int)));

	victim_wait();

	expect_name(getsockname, l, "path");
	expect_name(getsockname, sv, "path");
	expect_name(getpeername, cl, "path");
	expect_name(getsockname, cl, NULL);
	EXPECT(file_mode("path") == (S_IFSOCK | 0640), "mode %o",
	    file_mode("path"));
	expect(sv, "unread", NULL);
	expect(cl, "unread too", NULL);
	talk(cl, sv, "path");
	fd = MUST(accept(l, NULL, NULL));
	expect_name(getpeername, fd, "client");
	talk(wait1, fd, "first to wait");
	close(fd);
	fd = MUST(accept(l, NULL, NULL));
	talk(fd, wait2, "second to wait");
	close(fd);
	fd = MUST(accept(l, NULL, NULL));
	EXPECT(recv(fd, dir, 0, MSG_DONTWAIT) == 0, "one that had gone");
	close(fd);
	MUST(fcntl(l, F_SETFL, O_NONBLOCK));
	EXPECT(accept(l, NULL, NULL) < 0 && errno == EAGAIN, "a fourth waits");
	fd = connected(SOCK_STREAM, "path");
	sv = MUST(accept(l, NULL, NULL));
	talk(fd, sv, "new");

	expect_name(getpeername, svabs, "@client");
	expect_name(getpeername, clabs, "@abstract");
	put(svabs, "half");
	expect(clabs, "half", NULL);
	EXPECT(recv(svabs, tag, 1, MSG_DONTWAIT) == 0, "half closed");
	close(connected(SOCK_STREAM, "@abstract"));

	expect_name(getsockname, lrel, "./relative");
	close(connected(SOCK_STREAM, "relative"));

	expect(svseq, "one", NULL);
	expect(svseq, "", NULL);
	expect(svseq, "three", NULL);
	expect_nothing(svseq, "packets");
	talk(svseq, clseq, "packets");

	EXPECT(file_mode("removed") == -1, "removed name is back");
	expect_name(getsockname, lgone, "removed");
	expect_name(getpeername, clgone, "removed");
	talk(clgone, svgone, "removed");

	expect_name(getsockname, svaone, "@alone");
	talk(claone, svaone, "alone");
	EXPECT(MUST(fcntl(svaone, F_GETFL)) & O_NONBLOCK, "O_NONBLOCK");
	close(listening(SOCK_STREAM, "@alone"));

	expect(d[0], "from d1", "d1");
	expect(d[0], "", "d1");
	expect(d[0], "from nobody", NULL);
	expect(d[0], "from one that is gone", "gone");
	expect_nothing(d[0], "datagrams");
	put(d[2], "still");
	expect(d[0], "still", NULL);
	expect(dabs, "connected", "dpeer");
	talk(dpeer, dabs, "datagrams");

	expect_name(getsockname, only, "only-bound");
	EXPECT(listen(only, 1) == 0, "listening at last");
	close(connected(SOCK_STREAM, "only-bound"));
	MUST(getsockopt(timeout, SOL_SOCKET, SO_RCVTIMEO, &is, &len));
	EXPECT(is.tv_sec == 3 && is.tv_usec == 0, "timeout");
	len = sizeof lin;
	lin.l_linger = 0;
	MUST(getsockopt(timeout, SOL_SOCKET, SO_LINGER, &lin, &len));
	EXPECT(lin.l_onoff && lin.l_linger == 5, "linger");
	victim_ok();
}
