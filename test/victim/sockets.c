/*
 * sockets.c - pairs of UNIX sockets: unread data both ways, borders of
 * messages, one end in a child that sleeps in a read, other end closed with
 * data left, one direction shut, datagrams, never connected, buffer sizes.
 */
#include <fcntl.h>
#include <sys/socket.h>

#include "test/victim/victim.h"

static void
put(int fd, const char *text)
{
	EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
	    "writing '%s': %s", text, strerror(errno));
}

static void
expect_read(int fd, const char *want, const char *what)
{
	char buf[256] = "";
	ssize_t n = read(fd, buf, sizeof buf - 1);

	EXPECT(n == (ssize_t)strlen(want) && strcmp(buf, want) == 0,
	    "%s: '%s' (%zd), wanted '%s'", what, buf, n, want);
}

/* Gives each message back in front of an answer until the other end closes. */
static pid_t
start_echo(int fd, int other)
{
	char buf[64];
	ssize_t n;
	pid_t pid = MUST(fork());

	if (pid != 0)
		return pid;
	close(other);
	while ((n = read(fd, buf, sizeof buf)) > 0)
		EXPECT(write(fd, buf, (size_t)n) == n, "echo");
	_exit(n == 0 ? 4 : 3);
}

int
main(void)
{
	int stream[2], packet[2], echo[2], cut[2], half[2], dgram[2], lone;
	int size = 100000, is;
	socklen_t len = sizeof is;
	char c;
	pid_t pid;

	victim_init();
	signal(SIGPIPE, SIG_IGN);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, stream));
	put(stream[0], "to the one ");
	put(stream[0], "end");
	put(stream[1], "to the other");
	MUST(setsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
	MUST(getsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &size, &len));
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0, packet));
	put(packet[0], "first");
	put(packet[0], "second");
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, echo));
	pid = start_echo(echo[1], echo[0]);
	close(echo[1]);
	put(echo[0], "hello");
	expect_read(echo[0], "hello", "echo");
	victim_until_state(pid, pid, 'S');
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, cut));
	put(cut[1], "last words");
	close(cut[1]);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, half));
	put(half[0], "the rest");
	MUST(shutdown(half[0], SHUT_WR));
	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram));
	put(dgram[0], "datagram");
	lone = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));

	victim_wait();
	expect_read(stream[1], "to the one end", "stream");
	expect_read(stream[0], "to the other", "stream, back");
	put(stream[0], "more");
	expect_read(stream[1], "more", "stream, later");
	MUST(getsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &is, &len));
	EXPECT(is == size, "buffer is %d, was %d", is, size);
	expect_read(packet[1], "first", "packet");
	expect_read(packet[1], "second", "packet");
	EXPECT(read(packet[1], &c, 1) < 0 && errno == EAGAIN, "third packet");
	EXPECT(MUST(fcntl(packet[0], F_GETFD)) == FD_CLOEXEC, "close-on-exec");
	put(echo[0], "again");
	expect_read(echo[0], "again", "echo");
	close(echo[0]);
	victim_reap(pid, 4);
	expect_read(cut[0], "last words", "closed pair");
	EXPECT(read(cut[0], &c, 1) == 0, "closed pair does not end");
	EXPECT(write(cut[0], "x", 1) < 0 && errno == EPIPE, "closed pair");
	expect_read(half[1], "the rest", "half closed");
	EXPECT(read(half[1], &c, 1) == 0, "half closed does not end");
	put(half[1], "back");
	expect_read(half[0], "back", "half closed, back");
	EXPECT(write(half[0], "x", 1) < 0 && errno == EPIPE, "half closed");
	expect_read(dgram[1], "datagram", "datagram");
	put(dgram[1], "answer");
	expect_read(dgram[0], "answer", "datagram, back");
	EXPECT(MUST(fcntl(lone, F_GETFL)) == (O_RDWR | O_NONBLOCK), "lone");
	EXPECT(write(lone, "x", 1) < 0 && errno == ENOTCONN, "lone: %s",
	    strerror(errno));
	victim_ok();
}
