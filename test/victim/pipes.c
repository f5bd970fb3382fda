/*
 * pipes.c - pipes with what is in them: both ends held, one end held only,
 * full, sized, non-blocking, in packet mode, opened again through /proc, and
 * a long stream in flight between two processes.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "test/victim/victim.h"

#define KERNEL_LARGEFILE 0x8000 /* glibc has O_LARGEFILE as 0 */
#define STREAM (64u << 20)

struct all {
	int plain[2], sized[2], packets[2], no_writer, no_reader, twice[2],
	    reopened, stream[2];
	unsigned n_full; /* bytes that filled SIZED */
	pid_t feeder;
};

static void
fill(struct all *a)
{
	unsigned char chunk[1000];
	ssize_t r;

	MUST(fcntl(a->sized[1], F_SETPIPE_SZ, 256 * 1024));
	MUST(fcntl(a->sized[1], F_SETFL, O_NONBLOCK));
	do {
		victim_fill(chunk, sizeof chunk, a->n_full);
		r = write(a->sized[1], chunk, sizeof chunk);
		if (r > 0)
			a->n_full += (unsigned)r;
	} while (r == sizeof chunk);
	EXPECT(errno == EAGAIN, "filling: %s", strerror(errno));
}

static void
feed(struct all *a)
{
	unsigned char chunk[4096];
	unsigned at, done;
	ssize_t r;

	for (at = 0; at < STREAM; at += sizeof chunk) {
		victim_fill(chunk, sizeof chunk, at);
		for (done = 0; done < sizeof chunk; done += (unsigned)r) {
			r = write(a->stream[1], chunk + done,
			    sizeof chunk - done);
			EXPECT(r > 0, "writing the stream: %s",
			    strerror(errno));
		}
	}
	_exit(0);
}

static void
set_up(struct all *a)
{
	int p[2];
	char path[64];

	MUST(pipe2(a->plain, O_CLOEXEC));
	EXPECT(write(a->plain[1], "unread", 6) == 6, "write");
	MUST(pipe2(a->sized, 0));
	fill(a);
	if (pipe2(a->packets, O_DIRECT) < 0)
		a->packets[0] = -1;
	else
		EXPECT(write(a->packets[1], "one", 3) == 3 &&
			write(a->packets[1], "second", 6) == 6,
		    "packets");
	MUST(pipe(p));
	EXPECT(write(p[1], "last words", 10) == 10, "write");
	close(p[1]);
	a->no_writer = p[0];
	MUST(pipe(p));
	close(p[0]);
	a->no_reader = p[1];
	MUST(pipe(a->twice));
	snprintf(path, sizeof path, "/proc/self/fd/%d", a->twice[0]);
	a->reopened = MUST(open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC));
	MUST(pipe(a->stream));
	a->feeder = MUST(fork());
	if (a->feeder == 0) {
		close(a->stream[0]);
		feed(a);
	}
	close(a->stream[1]);
}

static void
expect_read(int fd, const char *want, const char *what)
{
	char buf[64];
	ssize_t r = read(fd, buf, sizeof buf), len = (ssize_t)strlen(want);

	EXPECT(r == len && memcmp(buf, want, (size_t)len) == 0,
	    "%s: read %zd, wanted '%s'", what, r, want);
}

static void
verify_flags(int fd, int flags, const char *what)
{
	int is = MUST(fcntl(fd, F_GETFL)) & ~KERNEL_LARGEFILE;

	EXPECT(is == flags, "%s: flags %#x, were %#x", what, is, flags);
}

static void
verify_full(struct all *a)
{
	unsigned char chunk[1000];
	unsigned at;
	int n;

	EXPECT(fcntl(a->sized[0], F_GETPIPE_SZ) == 256 * 1024,
	    "size of the pipe is %d", fcntl(a->sized[0], F_GETPIPE_SZ));
	EXPECT(fcntl(a->sized[1], F_GETFL) == (O_WRONLY | O_NONBLOCK) &&
		fcntl(a->sized[0], F_GETFL) == O_RDONLY,
	    "flags of the ends");
	MUST(ioctl(a->sized[0], FIONREAD, &n));
	EXPECT((unsigned)n == a->n_full, "%d bytes in it, were %u", n,
	    a->n_full);
	for (at = 0; at + sizeof chunk <= a->n_full; at += sizeof chunk) {
		EXPECT(read(a->sized[0], chunk, sizeof chunk) == sizeof chunk,
		    "reading the full pipe");
		victim_compare(chunk, sizeof chunk, at, "full pipe");
	}
}

static void
verify_stream(struct all *a)
{
	static uint64_t page[512];
	unsigned at = 0;
	size_t have = 0;
	ssize_t r;

	while (at < STREAM) {
		r = read(a->stream[0], (char *)page + have, sizeof page - have);
		EXPECT(r > 0, "stream ends at %u", at);
		have += (size_t)r;
		if (have < sizeof page)
			continue;
		victim_compare(page, sizeof page, at, "stream");
		at += sizeof page;
		have = 0;
	}
	EXPECT(read(a->stream[0], page, 1) == 0, "stream has no end");
	victim_reap(a->feeder, 0);
}

int
main(void)
{
	static struct all a;
	char buf[8];

	victim_init();
	signal(SIGPIPE, SIG_IGN);
	set_up(&a);

	victim_wait();
	expect_read(a.plain[0], "unread", "pipe");
	EXPECT(write(a.plain[1], "more", 4) == 4, "writing: %s",
	    strerror(errno));
	expect_read(a.plain[0], "more", "pipe again");
	verify_full(&a);
	if (a.packets[0] >= 0) {
		expect_read(a.packets[0], "one", "first packet");
		expect_read(a.packets[0], "second", "second packet");
		verify_flags(a.packets[1], O_WRONLY | O_DIRECT, "packets");
	}
	expect_read(a.no_writer, "last words", "pipe without writer");
	expect_read(a.no_writer, "", "its end of file");
	EXPECT(write(a.no_reader, "x", 1) < 0 && errno == EPIPE,
	    "pipe without reader takes bytes");
	EXPECT(write(a.reopened, "loop", 4) == 4, "writing the reopened end");
	expect_read(a.twice[0], "loop", "reopened pipe");
	EXPECT(read(a.reopened, buf, 1) < 0 && errno == EAGAIN,
	    "reopened pipe is not O_NONBLOCK");
	verify_flags(a.twice[0], O_RDONLY, "the end that was opened twice");
	verify_stream(&a);
	victim_ok();
}
